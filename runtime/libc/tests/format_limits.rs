//! Formats at the edge: what is refused, what is too large, and where the text goes.

#[cfg(test)]
mod common;

use common::{errno, fprintf, printf, set_errno, snprintf, sprintf, text};
use l4re_libc::errno::{EINVAL, EOVERFLOW};
use l4re_libc::hooks::take_written;
use l4re_libc::stdio;
use std::ffi::{CStr, c_int};
use std::ptr;

/// Formats `text` with the one argument 7.
fn one(format: &CStr) -> (c_int, Vec<u8>, c_int) {
    let mut buffer = [0x55_u8; 64];
    set_errno(0);
    // SAFETY: the buffer has that size; the formats of the callers do not read memory.
    let count = unsafe { snprintf()(buffer.as_mut_ptr().cast(), 64, format.as_ptr(), 7_i64) };
    (count, text(&buffer).to_vec(), errno())
}

#[test]
fn what_is_not_supported_ends_the_output_and_says_so() {
    for format in [
        c"ab%n", c"ab%hn", c"ab%Lf", c"ab%a", c"ab%lc", c"ab%ls", c"ab%1$d", c"ab%", c"ab%l",
        c"ab%5", c"ab%.", c"ab%k", c"ab%hf",
    ] {
        assert_eq!(one(format), (-1, b"ab".to_vec(), EINVAL), "{format:?}");
    }
}

#[test]
fn percent_n_does_not_write() {
    let (mut buffer, mut target) = ([0_u8; 8], 1234_i32);
    // SAFETY: the buffer has that size; the argument is what `%n` asks for.
    let count = unsafe {
        snprintf()(buffer.as_mut_ptr().cast(), 8, c"xy%nz".as_ptr(), ptr::from_mut(&mut target))
    };
    assert_eq!((count, target), (-1, 1234));
}

#[test]
fn what_exceeds_int_is_an_overflow() {
    for format in [c"%2147483648d", c"%.99999999999999999999d", c"%2147483647dx", c"%.2147483647dx"]
    {
        let (count, _, error) = one(format);
        assert_eq!((count, error), (-1, EOVERFLOW), "{format:?}");
    }
    assert_eq!(one(c"%2147483647d").0, c_int::MAX);
    let mut buffer = [0_u8; 8];
    // SAFETY: the buffer has that size; the arguments fit.
    let count =
        unsafe { snprintf()(buffer.as_mut_ptr().cast(), 8, c"%*d".as_ptr(), c_int::MIN, 1_i32) };
    assert_eq!((count, errno()), (-1, EOVERFLOW));
}

#[test]
fn a_huge_precision_of_a_double_needs_no_memory() {
    let mut buffer = [0_u8; 16];
    for format in [c"%.2000000000f", c"%.2000000000e", c"%#.2000000000g"] {
        // SAFETY: the buffer has that size; the argument fits.
        let count = unsafe { snprintf()(buffer.as_mut_ptr().cast(), 16, format.as_ptr(), 1.0_f64) };
        assert!(count >= 2_000_000_000, "{format:?} {count}");
        assert_eq!(text(&buffer), b"1.0000000000000");
    }
}

#[test]
fn a_null_string_is_shown_and_an_unterminated_one_is_read_to_its_precision() {
    let mut buffer = [0_u8; 32];
    let array = [b'a', b'b', b'c'];
    // SAFETY: the buffer has that size; null is allowed, and the array has three characters.
    let count = unsafe {
        snprintf()(
            buffer.as_mut_ptr().cast(),
            32,
            c"%s %.3s %.5s|".as_ptr(),
            ptr::null::<u8>(),
            array.as_ptr(),
            ptr::null::<u8>(),
        )
    };
    assert_eq!((count, text(&buffer)), (12, &b"(null) abc |"[..]));
}

#[test]
fn printing_goes_to_the_log() {
    take_written();
    // SAFETY: the formats fit their arguments.
    unsafe {
        assert_eq!(printf()(c"%s=%d\n".as_ptr(), c"a".as_ptr(), 5_i32), 4);
        assert_eq!(fprintf()(ptr::null_mut(), c"%c%.1f".as_ptr(), i32::from(b'x'), 2.25_f64), 4);
        stdio::puts(c"line".as_ptr());
        stdio::fputs(c"text".as_ptr(), ptr::null_mut());
        assert_eq!(stdio::fwrite(c"abcdef".as_ptr().cast(), 2, 3, ptr::null_mut()), 3);
        assert_eq!(stdio::fwrite(c"abcdef".as_ptr().cast(), usize::MAX, 3, ptr::null_mut()), 0);
        set_errno(EINVAL);
        stdio::perror(c"who".as_ptr());
    }
    stdio::putchar(i32::from(b'!'));
    assert_eq!(take_written(), b"a=5\nx2.2line\ntextabcdefwho: Invalid argument\n!");
}

#[test]
fn a_long_line_arrives_whole() {
    take_written();
    let long = "y".repeat(1000);
    let long_c = common::c(long.as_bytes());
    // SAFETY: the format fits its arguments.
    let count = unsafe { printf()(c"<%s%300d>".as_ptr(), long_c.as_ptr(), 1_i32) };
    assert_eq!(count, 1302);
    assert_eq!(take_written(), format!("<{long}{:300}>", 1).as_bytes());
}

#[test]
fn sprintf_has_no_limit_but_the_text() {
    let mut buffer = [0x55_u8; 16];
    // SAFETY: the buffer has room for the text.
    let count = unsafe { sprintf()(buffer.as_mut_ptr().cast(), c"%05u".as_ptr(), 42_u32) };
    assert_eq!((count, &buffer[..7]), (5, &b"00042\0U"[..]));
}

#[test]
#[should_panic(expected = "part.c:12: check: assertion `x < 3` failed")]
fn a_failed_assertion_names_its_place() {
    // `__assert_fail` is C's, so no panic may cross it; its message is made by the same format.
    let message = l4re_libc::assert::message(b"x < 3", b"part.c", 12, b"check");
    l4re_libc::hooks::abort(message.as_bytes());
}
