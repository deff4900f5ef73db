//! Search and length.

use core::ffi::{c_char, c_int, c_void};
use core::ptr;

use super::bytes;

/// A pointer into a C string as the C functions return it: constness is the caller's affair.
fn at(start: *const c_char, index: Option<usize>) -> *mut c_char {
    index.map_or(ptr::null_mut(), |index| start.wrapping_add(index).cast_mut())
}

/// The length of a string, `limit` if it is longer (POSIX). Reads no further than the NUL, so
/// `limit` may be more than there is memory.
///
/// # Safety
///
/// `string` is a string or an array of `limit` characters.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strnlen(string: *const c_char, limit: usize) -> usize {
    // SAFETY: the caller's promise.
    let end = unsafe { find(string.cast(), 0, limit) };
    end.unwrap_or(limit)
}

/// Where `byte` is first in the memory, of which no more than needed is read.
///
/// # Safety
///
/// The memory can be read up to the first `byte`, or for `limit` bytes.
unsafe fn find(memory: *const u8, byte: u8, limit: usize) -> Option<usize> {
    // A slice of `limit` bytes would claim memory that need not exist.
    // SAFETY: all bytes before this one differ from `byte`, so this one can be read.
    (0..limit).find(|&index| unsafe { memory.add(index).read() } == byte)
}

/// The first `byte`, converted to `unsigned char`, in `size` bytes, or null (C11 7.24.5.1). Reads
/// no further than that.
///
/// # Safety
///
/// The memory can be read up to the first `byte`, or for `size` bytes.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn memchr(memory: *const c_void, byte: c_int, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise.
    let index = unsafe { find(memory.cast(), byte as u8, size) };
    at(memory.cast(), index).cast()
}

/// The first `character` in a string, or null; finds the NUL too (C11 7.24.5.2).
///
/// # Safety
///
/// `string` is a string.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strchr(string: *const c_char, character: c_int) -> *mut c_char {
    // SAFETY: a string by the caller's promise.
    let text = unsafe { bytes(string) };
    let wanted = character as u8;
    let index = text.iter().position(|&byte| byte == wanted);
    at(string, index.or_else(|| (wanted == 0).then_some(text.len())))
}

/// The last `character` in a string, or null; finds the NUL too (C11 7.24.5.5).
///
/// # Safety
///
/// `string` is a string.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strrchr(string: *const c_char, character: c_int) -> *mut c_char {
    // SAFETY: a string by the caller's promise.
    let text = unsafe { bytes(string) };
    match character as u8 {
        0 => at(string, Some(text.len())),
        wanted => at(string, text.iter().rposition(|&byte| byte == wanted)),
    }
}

/// Where a string first has another string, or null (C11 7.24.5.7).
///
/// The time is at worst the product of the lengths.
///
/// # Safety
///
/// Both are strings.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strstr(string: *const c_char, wanted: *const c_char) -> *mut c_char {
    // SAFETY: strings by the caller's promise.
    let (text, wanted) = unsafe { (bytes(string), bytes(wanted)) };
    let index = match wanted {
        [] => Some(0),
        _ => text.windows(wanted.len()).position(|window| window == wanted),
    };
    at(string, index)
}

/// How many characters at the start of a string are in `set` (C11 7.24.5.6).
///
/// # Safety
///
/// Both are strings.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strspn(string: *const c_char, set: *const c_char) -> usize {
    // SAFETY: strings by the caller's promise.
    let (text, set) = unsafe { (bytes(string), bytes(set)) };
    text.iter().take_while(|byte| set.contains(byte)).count()
}

/// How many characters at the start of a string are not in `set` (C11 7.24.5.3).
///
/// # Safety
///
/// Both are strings.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strcspn(string: *const c_char, set: *const c_char) -> usize {
    // SAFETY: strings by the caller's promise.
    let (text, set) = unsafe { (bytes(string), bytes(set)) };
    text.iter().take_while(|byte| !set.contains(byte)).count()
}

/// The first character of a string that is in `set`, or null (C11 7.24.5.4).
///
/// # Safety
///
/// Both are strings.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strpbrk(string: *const c_char, set: *const c_char) -> *mut c_char {
    // SAFETY: strings by the caller's promise.
    let (text, set) = unsafe { (bytes(string), bytes(set)) };
    at(string, text.iter().position(|byte| set.contains(byte)))
}

/// The number of the lowest bit that is set, counted from 1, or 0 (POSIX).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn ffs(value: c_int) -> c_int {
    if value == 0 { 0 } else { value.trailing_zeros() as c_int + 1 }
}
