//! What the tests share: the variadic functions as C sees them, and strings for C.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::ffi::{CStr, CString, c_char, c_int};

/// `snprintf` as C declares it.
pub type Snprintf = unsafe extern "C" fn(*mut c_char, usize, *const c_char, ...) -> c_int;
/// `printf` as C declares it.
pub type Printf = unsafe extern "C" fn(*const c_char, ...) -> c_int;
/// `fprintf` as C declares it.
pub type Fprintf = unsafe extern "C" fn(*mut l4re_libc::stdio::File, *const c_char, ...) -> c_int;
/// `sprintf` as C declares it.
pub type Sprintf = unsafe extern "C" fn(*mut c_char, *const c_char, ...) -> c_int;

/// The library's `snprintf`, through its trampoline.
pub fn snprintf() -> Snprintf {
    let function: unsafe extern "C" fn(*mut c_char, usize, *const c_char) -> c_int =
        l4re_libc::stdio::snprintf;
    // SAFETY: the trampoline is a variadic function; Rust only cannot say so in its definition.
    unsafe { std::mem::transmute(function) }
}

/// The library's `printf`, through its trampoline.
pub fn printf() -> Printf {
    let function: unsafe extern "C" fn(*const c_char) -> c_int = l4re_libc::stdio::printf;
    // SAFETY: as in `snprintf`.
    unsafe { std::mem::transmute(function) }
}

/// The library's `fprintf`, through its trampoline.
pub fn fprintf() -> Fprintf {
    let function: unsafe extern "C" fn(*mut l4re_libc::stdio::File, *const c_char) -> c_int =
        l4re_libc::stdio::fprintf;
    // SAFETY: as in `snprintf`.
    unsafe { std::mem::transmute(function) }
}

/// The library's `sprintf`, through its trampoline.
pub fn sprintf() -> Sprintf {
    let function: unsafe extern "C" fn(*mut c_char, *const c_char) -> c_int =
        l4re_libc::stdio::sprintf;
    // SAFETY: as in `snprintf`.
    unsafe { std::mem::transmute(function) }
}

/// A string for C; what follows a NUL is dropped.
pub fn c(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).expect("no NUL is left")
}

/// The string at the start of `buffer`.
pub fn text(buffer: &[u8]) -> &[u8] {
    CStr::from_bytes_until_nul(buffer).expect("the result has a NUL").to_bytes()
}

/// `errno` of this thread.
pub fn errno() -> c_int {
    // SAFETY: the place is the thread's own.
    unsafe { l4re_libc::errno::__errno_location().read() }
}

/// Sets `errno` of this thread.
pub fn set_errno(number: c_int) {
    // SAFETY: the place is the thread's own.
    unsafe { l4re_libc::errno::__errno_location().write(number) }
}
