//! `string.h` and `strings.h`.
//!
//! Text is bytes; the locale is "C", in which comparison is by `unsigned char`. See the crate
//! documentation for the functions that `compiler_builtins` defines.
//!
//! # Safety of all functions here
//!
//! What C says (C11 7.24.1): a string is readable up to and including its NUL, an array for the
//! size given, a destination is writable for what is stored there, and does not overlap a source.

mod compare;
mod copy;
mod search;
mod token;

pub use compare::*;
pub use copy::*;
pub use search::*;
pub use token::*;

use core::ffi::{CStr, c_char};

/// The bytes of a string without its NUL.
///
/// # Safety
///
/// `string` is a string, unchanged for `'a`.
unsafe fn bytes<'a>(string: *const c_char) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_bytes()
}

/// The bytes of a string without its NUL, `limit` at most.
///
/// # Safety
///
/// `string` is a string or an array of `limit` bytes, unchanged for `'a`.
unsafe fn bytes_up_to<'a>(string: *const c_char, limit: usize) -> &'a [u8] {
    // SAFETY: the caller's promise.
    let length = unsafe { strnlen(string, limit) };
    // SAFETY: `strnlen` has read these bytes, and they stay unchanged.
    unsafe { core::slice::from_raw_parts(string.cast(), length) }
}
