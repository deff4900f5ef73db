//! `ctype.h`: character classes of the "C" locale, that is, of ASCII.
//!
//! The argument is a character as `unsigned char`, or `EOF`. Any other value is undefined in C;
//! here it is in no class and converts to itself.

use core::ffi::c_int;

macro_rules! classes {
    ($($(#[$meta:meta])* $name:ident = $test:expr;)*) => {$(
        $(#[$meta])*
        #[cfg_attr(target_os = "none", unsafe(no_mangle))]
        pub extern "C" fn $name(character: c_int) -> c_int {
            let test: fn(u8) -> bool = $test;
            c_int::from(u8::try_from(character).is_ok_and(test))
        }
    )*};
}

classes! {
    /// Letter or digit (C11 7.4.1.1).
    isalnum = |byte| byte.is_ascii_alphanumeric();
    /// Letter (C11 7.4.1.2).
    isalpha = |byte| byte.is_ascii_alphabetic();
    /// Space or tab (C11 7.4.1.3).
    isblank = |byte| matches!(byte, b' ' | b'\t');
    /// Control character (C11 7.4.1.4).
    iscntrl = |byte| byte.is_ascii_control();
    /// Decimal digit (C11 7.4.1.5).
    isdigit = |byte| byte.is_ascii_digit();
    /// Printing character other than space (C11 7.4.1.6).
    isgraph = |byte| byte.is_ascii_graphic();
    /// Lower-case letter (C11 7.4.1.7).
    islower = |byte| byte.is_ascii_lowercase();
    /// Printing character (C11 7.4.1.8).
    isprint = |byte| byte == b' ' || byte.is_ascii_graphic();
    /// Printing character that is neither space nor alphanumeric (C11 7.4.1.9).
    ispunct = |byte| byte.is_ascii_punctuation();
    /// Space, form feed, new line, carriage return, horizontal or vertical tab (C11 7.4.1.10).
    isspace = is_space;
    /// Upper-case letter (C11 7.4.1.11).
    isupper = |byte| byte.is_ascii_uppercase();
    /// Hexadecimal digit (C11 7.4.1.12).
    isxdigit = |byte| byte.is_ascii_hexdigit();
}

/// White space by C: unlike Rust's ASCII white space it includes the vertical tab.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The lower-case letter for an upper-case one, otherwise the argument (C11 7.4.2.1).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn tolower(character: c_int) -> c_int {
    u8::try_from(character).map_or(character, |byte| byte.to_ascii_lowercase().into())
}

/// The upper-case letter for a lower-case one, otherwise the argument (C11 7.4.2.2).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn toupper(character: c_int) -> c_int {
    u8::try_from(character).map_or(character, |byte| byte.to_ascii_uppercase().into())
}
