//! Numbers, sorting and allocation.

#[cfg(test)]
mod common;

use common::{c, errno, set_errno};
use l4re_libc::errno::{EINVAL, ENOMEM};
use l4re_libc::stdlib::{self, Div, LDiv};
use proptest::prelude::*;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

/// Strings that look like numbers, or nearly.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ \t\u{b}]{0,2}[-+]{0,2}(0|0x|0X)?[0-9a-zA-Z]{0,22}.?",
        any::<i128>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| format!("{value:#x}")),
        Just(i64::MIN.to_string()),
        Just("9223372036854775808".to_owned()),
        Just("-9223372036854775809".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("-18446744073709551615".to_owned()),
        Just("18446744073709551616".to_owned()),
    ]
}

/// Runs a parser: value, where it stopped, and `errno` after it.
fn ours<T>(
    text: &std::ffi::CStr,
    run: impl Fn(*const c_char, *mut *mut c_char) -> T,
) -> (T, usize, c_int) {
    let mut end = ptr::null_mut();
    set_errno(0);
    let value = run(text.as_ptr(), &raw mut end);
    (value, end.addr() - text.as_ptr().addr(), errno())
}

/// The same for the host, whose `errno` is another one.
fn theirs<T>(
    text: &std::ffi::CStr,
    run: impl Fn(*const c_char, *mut *mut c_char) -> T,
) -> (T, usize, c_int) {
    let mut end = ptr::null_mut();
    // SAFETY: the place is the thread's own.
    unsafe { libc::__errno_location().write(0) };
    let value = run(text.as_ptr(), &raw mut end);
    // SAFETY: the place is the thread's own.
    (value, end.addr() - text.as_ptr().addr(), unsafe { libc::__errno_location().read() })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8000) })]

    #[test]
    fn numbers_are_read_as_on_the_host(
        text in number(), base in prop_oneof![Just(0), Just(10), Just(16), 2..=36_i32],
    ) {
        let text = c(text.as_bytes());
        macro_rules! both {
            ($($name:ident)*) => {$(
                prop_assert_eq!(
                    // SAFETY: a string, and a place for the end.
                    ours(&text, |text, end| unsafe { stdlib::$name(text, end, base) }),
                    // SAFETY: as above.
                    theirs(&text, |text, end| unsafe { libc::$name(text, end, base) }),
                    "{}({:?}, {})", stringify!($name), text, base
                );
            )*};
        }
        both!(strtol strtoll strtoul strtoull);
        // SAFETY: a string.
        unsafe {
            prop_assert_eq!(stdlib::atol(text.as_ptr()), libc::atol(text.as_ptr()));
            prop_assert_eq!(stdlib::atoi(text.as_ptr()), libc::atoi(text.as_ptr()));
        }
    }

    #[test]
    fn sorting_orders_elements_of_any_size(values in proptest::collection::vec(0..50_u32, 0..200)) {
        let mut expected = values.clone();
        expected.sort_unstable();
        // An element of 12 bytes: the key and two words that must move along with it.
        let mut wide: Vec<[u32; 3]> = values.iter().map(|&key| [key, !key, key * 3]).collect();
        // SAFETY: the arrays have that many elements of that size.
        unsafe { stdlib::qsort(wide.as_mut_ptr().cast(), wide.len(), 12, by_first_word) };
        prop_assert_eq!(wide.iter().map(|element| element[0]).collect::<Vec<_>>(), expected.clone());
        prop_assert!(wide.iter().all(|[key, not, triple]| *not == !key && *triple == key * 3));
        for key in 0..50_u32 {
            // SAFETY: the array is sorted and has that many elements of that size.
            let found = unsafe {
                stdlib::bsearch((&raw const key).cast(), expected.as_ptr().cast(), expected.len(), 4, by_first_word)
            };
            prop_assert_eq!(!found.is_null(), expected.contains(&key));
            if !found.is_null() {
                // SAFETY: what is found is an element.
                prop_assert_eq!(unsafe { found.cast::<u32>().read() }, key);
            }
        }
    }

    #[test]
    fn division_is_that_of_c(dividend in any::<i32>(), divisor in any::<i32>().prop_filter("not 0", |d| *d != 0)) {
        prop_assume!(!(dividend == i32::MIN && divisor == -1));
        let Div { quot, rem } = stdlib::div(dividend, divisor);
        prop_assert_eq!((quot, rem), (dividend / divisor, dividend % divisor));
    }

    #[test]
    fn blocks_are_aligned_apart_and_keep_their_bytes(
        steps in proptest::collection::vec((0..6_u8, 0..3000_usize, 4..13_u32), 1..60),
    ) {
        let mut blocks: Vec<(*mut u8, usize, u8)> = Vec::new();
        for (step, (kind, size, power)) in steps.into_iter().enumerate() {
            let mark = step as u8;
            let (block, align) = match kind {
                0 => (stdlib::malloc(size), 16),
                1 => (stdlib::calloc(size, 1), 16),
                2 => (stdlib::aligned_alloc(1 << power, size), 1_usize << power),
                3 => {
                    let mut block = ptr::null_mut();
                    // SAFETY: a place for the block.
                    let result = unsafe { stdlib::posix_memalign(&raw mut block, 1 << power, size) };
                    prop_assert_eq!(result, 0);
                    (block, 1 << power)
                }
                4 if !blocks.is_empty() => {
                    let (old, old_size, old_mark) = blocks.swap_remove(size % blocks.len());
                    // SAFETY: a block of this allocator.
                    let new = unsafe { stdlib::realloc(old.cast(), size) };
                    check(new.cast(), old_size.min(size), old_mark)?;
                    (new, 16)
                }
                _ => {
                    if let Some((block, size, mark)) = blocks.pop() {
                        check(block, size, mark)?;
                        // SAFETY: a block of this allocator, freed once.
                        unsafe { stdlib::free(block.cast()) };
                    }
                    continue;
                }
            };
            prop_assert!(!block.is_null());
            prop_assert_eq!(block.addr() % align, 0);
            if kind == 1 {
                check(block.cast(), size, 0)?;
            }
            // SAFETY: the block has `size` bytes.
            unsafe { block.cast::<u8>().write_bytes(mark, size) };
            blocks.push((block.cast(), size, mark));
        }
        for (block, size, mark) in blocks {
            check(block, size, mark)?;
            // SAFETY: a block of this allocator, freed once.
            unsafe { stdlib::free(block.cast()) };
        }
    }
}

/// All `size` bytes of `block` are `mark`.
fn check(block: *const u8, size: usize, mark: u8) -> Result<(), TestCaseError> {
    // SAFETY: the block has `size` bytes that have been written.
    let bytes = unsafe { std::slice::from_raw_parts(block, size) };
    prop_assert!(bytes.iter().all(|&byte| byte == mark));
    Ok(())
}

unsafe extern "C" fn by_first_word(left: *const c_void, right: *const c_void) -> c_int {
    // SAFETY: elements and keys start with a word.
    let (left, right) = unsafe { (left.cast::<u32>().read(), right.cast::<u32>().read()) };
    left.cmp(&right) as c_int
}

unsafe extern "C" fn contradicting(left: *const c_void, right: *const c_void) -> c_int {
    // Depends on addresses, so it is no order at all.
    if (left.addr() ^ right.addr()) & 8 == 0 { 1 } else { -1 }
}

#[test]
fn a_comparison_that_contradicts_itself_stays_inside_the_array() {
    let mut values: Vec<u32> = (0..1002).collect();
    // SAFETY: the elements 1 to 1000 are an array; the first and the last are sentinels.
    unsafe { stdlib::qsort(values[1..].as_mut_ptr().cast(), 1000, 4, contradicting) };
    assert_eq!((values[0], values[1001]), (0, 1001));
    values.sort_unstable();
    assert_eq!(values, (0..1002).collect::<Vec<_>>());
}

#[test]
fn sizes_beyond_all_memory_are_refused() {
    set_errno(0);
    assert!(stdlib::malloc(usize::MAX).is_null());
    assert_eq!(errno(), ENOMEM);
    assert!(stdlib::malloc(usize::MAX - 15).is_null());
    assert!(stdlib::malloc(isize::MAX as usize).is_null());
    assert!(stdlib::calloc(usize::MAX / 2, 3).is_null());
    assert!(stdlib::calloc(1 << 33, 1 << 33).is_null());
    assert!(stdlib::aligned_alloc(1 << 62, usize::MAX - (1 << 62) + 1).is_null());
    let block = stdlib::malloc(8);
    // SAFETY: a block of this allocator; it stays valid when `realloc` fails.
    unsafe {
        block.write_bytes(7, 8);
        assert!(stdlib::realloc(block, usize::MAX - 3).is_null());
        assert!(stdlib::reallocarray(block, 1 << 40, 1 << 40).is_null());
        check(block.cast(), 8, 7).expect("the old block is kept");
        stdlib::free(block);
        stdlib::free(ptr::null_mut());
    }
}

#[test]
fn alignments_that_are_none_are_refused() {
    set_errno(0);
    for align in [0, 3, 24, usize::MAX] {
        assert!(stdlib::aligned_alloc(align, 64).is_null());
        assert_eq!(errno(), EINVAL);
    }
    let mut block = ptr::null_mut();
    set_errno(0);
    for align in [0, 1, 4, 12, usize::MAX] {
        // SAFETY: a place for the block.
        assert_eq!(unsafe { stdlib::posix_memalign(&raw mut block, align, 64) }, EINVAL);
    }
    // SAFETY: a place for the block.
    assert_eq!(unsafe { stdlib::posix_memalign(&raw mut block, 8, usize::MAX - 8) }, ENOMEM);
    assert!(block.is_null());
    assert_eq!(errno(), 0);
}

#[test]
fn a_base_that_is_none_is_refused() {
    for base in [-1, 1, 37, c_int::MIN, c_int::MAX] {
        // SAFETY: a string, and a place for the end.
        let result = ours(c"12", |text, end| unsafe { stdlib::strtol(text, end, base) });
        assert_eq!(result, (0, 0, EINVAL));
    }
    // SAFETY: a string; no end is wanted.
    assert_eq!(unsafe { stdlib::strtoul(c"-1".as_ptr(), ptr::null_mut(), 10) }, u64::MAX);
}

#[test]
fn arithmetic_that_c_leaves_undefined_does_not_trap() {
    assert_eq!(stdlib::abs(c_int::MIN), c_int::MIN);
    assert_eq!(stdlib::div(5, 0), Div { quot: 0, rem: 5 });
    assert_eq!(stdlib::ldiv(i64::MIN, -1), LDiv { quot: i64::MIN, rem: 0 });
    assert_eq!(stdlib::ldiv(-7, 2), LDiv { quot: -3, rem: -1 });
}
