//! The end of the program: C11 7.22.4. There is no `atexit`: a driver server that ends is cleaned
//! up by the kernel, and what must be done before is the driver's own to call.

use core::ffi::c_int;

use crate::hooks;

/// Ends the program as defective (C11 7.22.4.1).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn abort() -> ! {
    hooks::abort(b"abort() called")
}

/// Ends the program (C11 7.22.4.4).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn exit(status: c_int) -> ! {
    hooks::exit(status)
}

/// Ends the program (C11 7.22.4.5).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
#[cfg_attr(not(target_os = "none"), expect(non_snake_case, reason = "the name is C's"))]
pub extern "C" fn _Exit(status: c_int) -> ! {
    hooks::exit(status)
}

/// Ends the program (POSIX).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn _exit(status: c_int) -> ! {
    hooks::exit(status)
}
