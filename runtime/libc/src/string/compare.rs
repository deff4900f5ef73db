//! Comparison.

use core::cmp::Ordering;
use core::ffi::{c_char, c_int};

use super::{bytes, bytes_up_to};

/// The value that C gives for an order.
fn sign(order: Ordering) -> c_int {
    order as c_int
}

/// Compares without regard to the case of ASCII letters.
fn compare_folded(left: &[u8], right: &[u8]) -> Ordering {
    let fold = u8::to_ascii_lowercase;
    left.iter().map(fold).cmp(right.iter().map(fold))
}

/// Compares two strings (C11 7.24.4.2).
///
/// # Safety
///
/// Both are strings.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strcmp(left: *const c_char, right: *const c_char) -> c_int {
    // SAFETY: both are strings.
    sign(unsafe { bytes(left).cmp(bytes(right)) })
}

/// Compares two strings, at most `limit` characters (C11 7.24.4.4).
///
/// # Safety
///
/// Both are strings or arrays of `limit` characters.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strncmp(left: *const c_char, right: *const c_char, limit: usize) -> c_int {
    // SAFETY: both end, or have `limit` characters.
    sign(unsafe { bytes_up_to(left, limit).cmp(bytes_up_to(right, limit)) })
}

/// Compares two strings by the locale, which is "C" always: as [`strcmp`] (C11 7.24.4.3).
///
/// # Safety
///
/// Both are strings.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strcoll(left: *const c_char, right: *const c_char) -> c_int {
    // SAFETY: both are strings.
    sign(unsafe { bytes(left).cmp(bytes(right)) })
}

/// Compares two strings without regard to case (POSIX).
///
/// # Safety
///
/// Both are strings.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strcasecmp(left: *const c_char, right: *const c_char) -> c_int {
    // SAFETY: both are strings.
    sign(unsafe { compare_folded(bytes(left), bytes(right)) })
}

/// Compares two strings without regard to case, at most `limit` characters (POSIX).
///
/// # Safety
///
/// Both are strings or arrays of `limit` characters.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strncasecmp(
    left: *const c_char,
    right: *const c_char,
    limit: usize,
) -> c_int {
    // SAFETY: both end, or have `limit` characters.
    sign(unsafe { compare_folded(bytes_up_to(left, limit), bytes_up_to(right, limit)) })
}
