//! What C code in a driver stands on: the hooks of the C library `l4re-libc`.
//!
//! The two crates do not depend on each other; what joins them is the table of symbols in the
//! documentation of `l4re_libc::hooks`. A program without C code drops these functions when it is
//! linked.

use alloc::alloc::{alloc, dealloc};
use alloc::string::String;
use core::alloc::Layout;
use core::ffi::c_int;
use core::ptr::null_mut;
use core::slice::from_raw_parts;

use super::{ExitCode, exit};
use crate::arch::Utcb;

/// Appends text to the log as it is, also in the middle of a line.
///
/// # Safety
///
/// `text` can be read for `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn l4re_libc_write(text: *const u8, size: usize) {
    // SAFETY: the caller's promise.
    crate::log::print_bytes(unsafe { from_raw_parts(text, size) });
}

/// A block of memory, or null.
///
/// # Safety
///
/// `size` is not zero.
#[unsafe(no_mangle)]
unsafe extern "C" fn l4re_libc_alloc(size: usize, align: usize) -> *mut u8 {
    match Layout::from_size_align(size, align) {
        // SAFETY: the size is not zero, by the caller's promise.
        Ok(layout) => unsafe { alloc(layout) },
        Err(_) => null_mut(),
    }
}

/// Gives a block of memory back.
///
/// # Safety
///
/// `block` came from [`l4re_libc_alloc`] with this size and alignment, and nobody uses it.
#[unsafe(no_mangle)]
unsafe extern "C" fn l4re_libc_dealloc(block: *mut u8, size: usize, align: usize) {
    // SAFETY: when the block was allocated the two made a layout.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: the caller's promise.
    unsafe { dealloc(block, layout) }
}

/// Where the calling thread keeps `errno`: a word of its UTCB that the kernel leaves alone. So
/// every thread has its own, and a new thread needs no preparation.
#[unsafe(no_mangle)]
extern "C" fn l4re_libc_errno() -> *mut c_int {
    Utcb::current().user_word().cast()
}

/// Ends the program. A status that is no exit code of L4Re is a failure.
#[unsafe(no_mangle)]
extern "C" fn l4re_libc_exit(status: c_int) -> ! {
    exit(u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode))
}

/// Ends the program as a panic does, with the reason that C code gave.
///
/// # Safety
///
/// `why` can be read for `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn l4re_libc_abort(why: *const u8, size: usize) -> ! {
    // SAFETY: the caller's promise.
    panic!("{}", String::from_utf8_lossy(unsafe { from_raw_parts(why, size) }))
}
