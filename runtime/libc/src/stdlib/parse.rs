//! Numbers from strings: C11 7.22.1.

use core::ffi::{CStr, c_char, c_int, c_long, c_longlong, c_ulong, c_ulonglong};

use crate::ctype::is_space;
use crate::errno;

/// What stands at the start of a string.
struct Parsed {
    negative: bool,
    /// None if it does not fit.
    magnitude: Option<u64>,
    /// Characters of the number with the space in front of it; 0 if there is no number.
    length: usize,
}

/// Reads white space, a sign, a prefix and digits of `base`, which is 0 or 2 to 36.
fn parse(text: &[u8], base: u32) -> Parsed {
    let spaces = text.iter().take_while(|&&byte| is_space(byte)).count();
    let rest = &text[spaces..];
    let (negative, rest) = match rest {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, rest),
    };
    let (base, rest) = match rest {
        // The prefix counts only with a digit behind it; otherwise its zero is the number.
        [b'0', b'x' | b'X', digits @ ..]
            if matches!(base, 0 | 16) && digits.first().is_some_and(u8::is_ascii_hexdigit) =>
        {
            (16, digits)
        }
        [b'0', ..] if base == 0 => (8, rest),
        _ if base == 0 => (10, rest),
        _ => (base, rest),
    };
    let mut magnitude = Some(0_u64);
    let mut end = rest;
    while let [byte, tail @ ..] = end {
        let Some(digit) = char::from(*byte).to_digit(base) else { break };
        magnitude = magnitude
            .and_then(|value| value.checked_mul(base.into()))
            .and_then(|value| value.checked_add(digit.into()));
        end = tail;
    }
    let length = if end.len() == rest.len() { 0 } else { text.len() - end.len() };
    Parsed { negative, magnitude, length }
}

/// Parses `string`, stores the end of the number, and lets `value` make the result, with `errno`
/// `ERANGE` if that is an `Err`.
///
/// # Safety
///
/// `string` is a string, and `end` is null or can be written.
unsafe fn number<T: Default>(
    string: *const c_char,
    end: *mut *mut c_char,
    base: c_int,
    value: fn(Parsed) -> Result<T, T>,
) -> T {
    let valid = matches!(base, 0 | 2..=36);
    let parsed = if valid {
        // SAFETY: a string by the caller's promise.
        parse(unsafe { CStr::from_ptr(string) }.to_bytes(), base.unsigned_abs())
    } else {
        errno::set(errno::EINVAL);
        Parsed { negative: false, magnitude: Some(0), length: 0 }
    };
    if !end.is_null() {
        // SAFETY: the caller lets us write it.
        unsafe { end.write(string.wrapping_add(parsed.length).cast_mut()) };
    }
    value(parsed).unwrap_or_else(|limit| {
        errno::set(errno::ERANGE);
        limit
    })
}

/// The signed number, or the limit it is beyond.
fn signed(parsed: Parsed) -> Result<i64, i64> {
    let limit = if parsed.negative { i64::MIN } else { i64::MAX };
    let value = parsed.magnitude.and_then(|magnitude| match parsed.negative {
        true => 0_i64.checked_sub_unsigned(magnitude),
        false => i64::try_from(magnitude).ok(),
    });
    value.ok_or(limit)
}

/// The unsigned number; with a minus sign it is negated in the unsigned type, as C wants it.
fn unsigned(parsed: Parsed) -> Result<u64, u64> {
    match parsed.magnitude {
        Some(magnitude) if parsed.negative => Ok(magnitude.wrapping_neg()),
        Some(magnitude) => Ok(magnitude),
        None => Err(u64::MAX),
    }
}

macro_rules! numbers {
    ($($name:ident = $value:ident -> $ty:ty, $section:literal;)*) => {$(
        #[doc = concat!("The number at the start of a string (C11 ", $section, ").")]
        ///
        /// A number out of range gives the limit with `errno` `ERANGE`; a base other than 0 and 2
        /// to 36 gives 0 with `EINVAL`.
        ///
        /// # Safety
        ///
        /// `string` is a string, and `end` is null or can be written.
        #[cfg_attr(target_os = "none", unsafe(no_mangle))]
        pub unsafe extern "C" fn $name(
            string: *const c_char,
            end: *mut *mut c_char,
            base: c_int,
        ) -> $ty {
            // SAFETY: the caller's promise.
            unsafe { number(string, end, base, $value) }
        }
    )*};
}

numbers! {
    strtol = signed -> c_long, "7.22.1.4";
    strtoll = signed -> c_longlong, "7.22.1.4";
    strtoimax = signed -> i64, "7.8.2.3";
    strtoul = unsigned -> c_ulong, "7.22.1.4";
    strtoull = unsigned -> c_ulonglong, "7.22.1.4";
    strtoumax = unsigned -> u64, "7.8.2.3";
}

macro_rules! plain_numbers {
    ($($name:ident -> $ty:ty;)*) => {$(
        /// The decimal number at the start of a string, 0 without one (C11 7.22.1.2). One that is
        /// out of range, which C leaves undefined, is the limit of `long` cut to the type.
        ///
        /// # Safety
        ///
        /// `string` is a string.
        #[cfg_attr(target_os = "none", unsafe(no_mangle))]
        pub unsafe extern "C" fn $name(string: *const c_char) -> $ty {
            // SAFETY: a string by the caller's promise.
            let text = unsafe { CStr::from_ptr(string) }.to_bytes();
            signed(parse(text, 10)).unwrap_or_else(|limit| limit) as $ty
        }
    )*};
}

plain_numbers! {
    atoi -> c_int;
    atol -> c_long;
    atoll -> c_longlong;
}
