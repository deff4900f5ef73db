//! Taking a string apart.

use core::ffi::c_char;
use core::ptr;

use super::{strcspn, strspn};

/// The next token of a string that is taken apart, or null (POSIX). `strtok` itself is missing on
/// purpose: it keeps its place in memory that all threads share.
///
/// # Safety
///
/// `string` is a string that can be written, or null to continue; `separators` is a string; `place`
/// can be written, and to continue it holds what the last call has stored.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn strtok_r(
    string: *mut c_char,
    separators: *const c_char,
    place: *mut *mut c_char,
) -> *mut c_char {
    // SAFETY: without a string, `place` holds where the last call has stopped.
    let rest = if string.is_null() { unsafe { place.read() } } else { string };
    if rest.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: `rest` and `separators` are strings, and what `strspn` counts lies inside.
    let token = unsafe { rest.add(strspn(rest, separators)) };
    // SAFETY: `token` is the end of the string at most, so it is a string.
    let end = unsafe { token.add(strcspn(token, separators)) };
    if end == token {
        // SAFETY: the caller lets us write `place`.
        unsafe { place.write(ptr::null_mut()) };
        return ptr::null_mut();
    }
    // SAFETY: `end` points to a separator, which becomes the token's NUL, or to the NUL of the
    // string, behind which the next call must not look.
    unsafe {
        if end.read() == 0 {
            place.write(ptr::null_mut());
        } else {
            end.write(0);
            place.write(end.add(1));
        }
    }
    token
}
