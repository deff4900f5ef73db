//! Strings and characters against the host's functions.

#[cfg(test)]
mod common;

use common::c;
use l4re_libc::{ctype, string};
use proptest::prelude::*;
use std::ffi::{CStr, c_char, c_int};

/// Short strings over few letters, so that they often have something in common.
fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(prop::sample::select(b"aAbB\x80\xff,".to_vec()), 0..12),
        proptest::collection::vec(1..=255_u8, 0..12),
    ]
}

/// How far a pointer is from the start of its string.
fn offset(start: *const c_char, found: *const c_char) -> Option<usize> {
    (!found.is_null()).then(|| found.addr() - start.addr())
}

unsafe extern "C" {
    fn ffs(value: c_int) -> c_int;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    #[test]
    fn comparison_has_the_sign_of_the_hosts(left in word(), right in word(), limit in 0..14_usize) {
        let (left, right) = (c(&left), c(&right));
        let (l, r) = (left.as_ptr(), right.as_ptr());
        // SAFETY: all are strings.
        unsafe {
            prop_assert_eq!(string::strcmp(l, r), libc::strcmp(l, r).signum());
            prop_assert_eq!(string::strcoll(l, r), libc::strcmp(l, r).signum());
            prop_assert_eq!(string::strncmp(l, r, limit), libc::strncmp(l, r, limit).signum());
            prop_assert_eq!(string::strncmp(l, r, usize::MAX), libc::strcmp(l, r).signum());
            prop_assert_eq!(string::strcasecmp(l, r), libc::strcasecmp(l, r).signum());
            prop_assert_eq!(string::strncasecmp(l, r, limit), libc::strncasecmp(l, r, limit).signum());
        }
    }

    #[test]
    fn search_finds_what_the_host_finds(
        text in word(), part in word(), byte in 0..=255_i32, limit in 0..14_usize,
    ) {
        let (text, part) = (c(&text), c(&part));
        let (t, p) = (text.as_ptr(), part.as_ptr());
        // SAFETY: all are strings, and no limit of `memchr` is beyond the memory.
        unsafe {
            prop_assert_eq!(string::strnlen(t, limit), libc::strnlen(t, limit));
            prop_assert_eq!(string::strnlen(t, usize::MAX), libc::strlen(t));
            prop_assert_eq!(offset(t, string::strchr(t, byte)), offset(t, libc::strchr(t, byte)));
            prop_assert_eq!(offset(t, string::strrchr(t, byte)), offset(t, libc::strrchr(t, byte)));
            prop_assert_eq!(offset(t, string::strstr(t, p)), offset(t, libc::strstr(t, p)));
            prop_assert_eq!(offset(t, string::strpbrk(t, p)), offset(t, libc::strpbrk(t, p)));
            prop_assert_eq!(string::strspn(t, p), libc::strspn(t, p));
            prop_assert_eq!(string::strcspn(t, p), libc::strcspn(t, p));
            let size = limit.min(text.as_bytes_with_nul().len());
            prop_assert_eq!(
                offset(t, string::memchr(t.cast(), byte, size).cast()),
                offset(t, libc::memchr(t.cast(), byte, size).cast())
            );
        }
    }

    #[test]
    fn copies_store_what_the_hosts_store(to in word(), from in word(), size in 0..30_usize) {
        let (to, from) = (c(&to), c(&from));
        let mut start = [0x55_u8; 40];
        let held = to.as_bytes_with_nul();
        start[..held.len()].copy_from_slice(held);
        let run = |copy: &dyn Fn(*mut c_char) -> usize| {
            let mut buffer = start;
            let result = copy(buffer.as_mut_ptr().cast());
            (buffer, result)
        };
        macro_rules! both {
            ($ours:path, $theirs:path, $result:ty $(, $size:expr)?) => {
                prop_assert_eq!(
                    // SAFETY: the buffer has 40 bytes, more than any result here needs.
                    run(&|to| unsafe { $ours(to, from.as_ptr() $(, $size)?); 0 }),
                    // SAFETY: as above.
                    run(&|to| unsafe { $theirs(to, from.as_ptr() $(, $size)?); 0 })
                )
            };
        }
        both!(string::strcpy, libc::strcpy, *mut c_char);
        both!(string::strncpy, libc::strncpy, *mut c_char, size);
        both!(string::strcat, libc::strcat, *mut c_char);
        both!(string::strncat, libc::strncat, *mut c_char, size);
        // The bounded copies are younger than many hosts; what they store is a matter of lengths.
        let (held, text) = (to.as_bytes(), from.as_bytes());
        let bounded = |kept: usize, length: usize| {
            let mut expected = start;
            let joined: Vec<u8> = [&held[..kept], text].concat();
            if let Some(room) = size.checked_sub(1).filter(|&room| room >= kept) {
                let stored = joined.len().min(room);
                expected[..stored].copy_from_slice(&joined[..stored]);
                expected[stored] = 0;
            }
            (expected, length)
        };
        prop_assert_eq!(
            // SAFETY: the buffer has 40 bytes, and `size` is less.
            run(&|to| unsafe { string::strlcpy(to, from.as_ptr(), size) }),
            bounded(0, text.len())
        );
        prop_assert_eq!(
            // SAFETY: as above.
            run(&|to| unsafe { string::strlcat(to, from.as_ptr(), size) }),
            bounded(held.len(), held.len().min(size) + text.len())
        );
    }

    #[test]
    fn tokens_are_those_of_the_host(text in word(), separators in word()) {
        let separators = c(&separators);
        let all = |next: &dyn Fn(*mut c_char, *mut *mut c_char) -> *mut c_char| {
            let mut memory = c(&text).into_bytes_with_nul();
            let (mut place, mut tokens) = (std::ptr::null_mut(), Vec::new());
            let mut token = next(memory.as_mut_ptr().cast(), &raw mut place);
            while !token.is_null() {
                // SAFETY: a token is a string.
                tokens.push(unsafe { CStr::from_ptr(token) }.to_bytes().to_vec());
                token = next(std::ptr::null_mut(), &raw mut place);
            }
            (tokens, memory)
        };
        let s = separators.as_ptr();
        prop_assert_eq!(
            // SAFETY: the memory is a string, and `place` is passed on as it was stored.
            all(&|text, place| unsafe { string::strtok_r(text, s, place) }),
            // SAFETY: as above.
            all(&|text, place| unsafe { libc::strtok_r(text, s, place) })
        );
    }

    #[test]
    fn duplicates_are_equal_and_separate(text in word(), limit in 0..14_usize) {
        let text = c(&text);
        // SAFETY: strings; the copies are freed once.
        unsafe {
            let whole = string::strdup(text.as_ptr());
            prop_assert_eq!(CStr::from_ptr(whole), text.as_c_str());
            let part = string::strndup(text.as_ptr(), limit);
            let expected = &text.as_bytes()[..limit.min(text.as_bytes().len())];
            prop_assert_eq!(CStr::from_ptr(part).to_bytes(), expected);
            l4re_libc::stdlib::free(whole.cast());
            l4re_libc::stdlib::free(part.cast());
        }
    }

    #[test]
    fn ffs_counts_as_the_hosts(value in prop_oneof![any::<i32>(), (0..32).prop_map(|n| 1_i32 << n)]) {
        // SAFETY: a function of numbers.
        prop_assert_eq!(string::ffs(value), unsafe { ffs(value) });
    }
}

#[test]
fn character_classes_are_those_of_the_host_for_all_characters() {
    macro_rules! class {
        ($($name:ident)*) => {
            for character in -1..=127 {
                $(
                    // SAFETY: functions of numbers.
                    let theirs = unsafe { libc::$name(character) };
                    assert_eq!(
                        ctype::$name(character) != 0, theirs != 0,
                        "{}({character})", stringify!($name)
                    );
                )*
                // SAFETY: functions of numbers.
                unsafe {
                    assert_eq!(ctype::tolower(character), libc::tolower(character));
                    assert_eq!(ctype::toupper(character), libc::toupper(character));
                }
            }
            for character in (128..=1000).chain([c_int::MIN, c_int::MAX, -2]) {
                $(assert_eq!(ctype::$name(character), 0);)*
                assert_eq!(ctype::tolower(character), character);
            }
        };
    }
    class!(isalnum isalpha isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit);
}
