//! Copies, into memory of the caller or of the heap.

use core::ffi::c_char;
use core::ptr;

use super::{bytes, bytes_up_to, strnlen};
use crate::stdlib::heap;

/// Stores `text` and a NUL at `to`.
///
/// # Safety
///
/// `to` can be written for one byte more than `text` has, and does not overlap it.
unsafe fn store(to: *mut c_char, text: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        to.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
        to.add(text.len()).write(0);
    }
}

/// Copies a string (C11 7.24.2.3).
///
/// # Safety
///
/// `from` is a string, `to` has room for it, and they do not overlap.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strcpy(to: *mut c_char, from: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise.
    unsafe { store(to, bytes(from)) };
    to
}

/// Copies a string and returns where its NUL has been stored (POSIX).
///
/// # Safety
///
/// As for [`strcpy`].
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn stpcpy(to: *mut c_char, from: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise.
    let text = unsafe { bytes(from) };
    // SAFETY: the caller's promise.
    unsafe { store(to, text) };
    to.wrapping_add(text.len())
}

/// Fills exactly `size` characters with the string and then NULs; without a NUL if the string is
/// not shorter (C11 7.24.2.4). [`strlcpy`] is what most callers want.
///
/// # Safety
///
/// `from` is a string or an array of `size` characters, `to` has room for `size`, and they do not
/// overlap.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strncpy(to: *mut c_char, from: *const c_char, size: usize) -> *mut c_char {
    // SAFETY: the caller's promise.
    let text = unsafe { bytes_up_to(from, size) };
    // SAFETY: `to` has room for `size` characters, and `text` is no longer than that.
    unsafe {
        to.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
        to.add(text.len()).write_bytes(0, size - text.len());
    }
    to
}

/// Copies as much of a string as fits into `size` characters with a NUL. Returns the length of the
/// whole string: not less than `size` means that it was cut (POSIX.1-2024).
///
/// # Safety
///
/// `from` is a string, `to` has room for `size` characters, and they do not overlap.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strlcpy(to: *mut c_char, from: *const c_char, size: usize) -> usize {
    // SAFETY: a string by the caller's promise.
    let text = unsafe { bytes(from) };
    if let Some(room) = size.checked_sub(1) {
        // SAFETY: at most `room` characters and the NUL are stored.
        unsafe { store(to, &text[..text.len().min(room)]) };
    }
    text.len()
}

/// Appends a string to a string (C11 7.24.3.1).
///
/// # Safety
///
/// Both are strings, `to` has room for both, and they do not overlap.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strcat(to: *mut c_char, from: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise.
    unsafe { store(to.add(bytes(to).len()), bytes(from)) };
    to
}

/// Appends at most `limit` characters of a string, and a NUL (C11 7.24.3.2).
///
/// # Safety
///
/// `to` is a string with room for the result, `from` is a string or an array of `limit`
/// characters, and they do not overlap.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strncat(
    to: *mut c_char,
    from: *const c_char,
    limit: usize,
) -> *mut c_char {
    // SAFETY: the caller's promise.
    unsafe { store(to.add(bytes(to).len()), bytes_up_to(from, limit)) };
    to
}

/// Appends as much of a string as fits into `size` characters with a NUL. Returns the length that
/// the result would have had: not less than `size` means that it was cut (POSIX.1-2024).
///
/// # Safety
///
/// `from` is a string, `to` has `size` characters, and they do not overlap.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strlcat(to: *mut c_char, from: *const c_char, size: usize) -> usize {
    // SAFETY: `to` has `size` characters.
    let before = unsafe { strnlen(to, size) };
    // SAFETY: the rest of `to` has `size - before` characters. If it holds no NUL nothing is left,
    // and nothing is stored.
    before + unsafe { strlcpy(to.wrapping_add(before), from, size - before) }
}

/// A copy of a string from the heap, null without memory (POSIX). [`free`](crate::stdlib::free)
/// gives it back.
///
/// # Safety
///
/// `string` is a string.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strdup(string: *const c_char) -> *mut c_char {
    // SAFETY: a string by the caller's promise.
    duplicate(unsafe { bytes(string) })
}

/// A copy of at most `limit` characters of a string from the heap, null without memory (POSIX).
///
/// # Safety
///
/// `string` is a string or an array of `limit` characters.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strndup(string: *const c_char, limit: usize) -> *mut c_char {
    // SAFETY: the caller's promise.
    duplicate(unsafe { bytes_up_to(string, limit) })
}

fn duplicate(text: &[u8]) -> *mut c_char {
    let copy = heap::allocate(text.len() + 1).cast::<c_char>();
    if copy.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the block is new and has room for the text and the NUL.
    unsafe { store(copy, text) };
    copy
}
