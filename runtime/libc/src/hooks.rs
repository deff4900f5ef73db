//! What the program around the C library has to offer.
//!
//! The hooks are C functions with fixed names, resolved by the linker. `l4re-runtime` defines them
//! for driver servers; another program defines them itself. Neither crate depends on the other, and
//! the contract is this table:
//!
//! | symbol | duty |
//! |---|---|
//! | `void l4re_libc_write(const char *text, size_t size)` | Append `size` bytes to the log. The text may end in the middle of a line, and need not be UTF-8. |
//! | `void *l4re_libc_alloc(size_t size, size_t align)` | A block of `size` bytes, never zero, aligned to `align`, a power of two; null when there is none. |
//! | `void l4re_libc_dealloc(void *block, size_t size, size_t align)` | Give back such a block; `size` and `align` are those of the allocation. |
//! | `int *l4re_libc_errno(void)` | Where the calling thread keeps `errno`. The same place for the life of the thread. |
//! | `void l4re_libc_exit(int status) [[noreturn]]` | End the program; `status` 0 is success. |
//! | `void l4re_libc_abort(const char *why, size_t size) [[noreturn]]` | Report the `size` bytes of `why` as a defect of the program, and end it. |
//!
//! A hook must not call back into this library, and it may be called by any thread.

use core::ffi::c_int;

#[cfg(target_os = "none")]
mod imp {
    use core::ffi::c_int;

    unsafe extern "C" {
        pub fn l4re_libc_write(text: *const u8, size: usize);
        pub fn l4re_libc_alloc(size: usize, align: usize) -> *mut u8;
        pub fn l4re_libc_dealloc(block: *mut u8, size: usize, align: usize);
        pub safe fn l4re_libc_errno() -> *mut c_int;
        pub safe fn l4re_libc_exit(status: c_int) -> !;
        pub fn l4re_libc_abort(why: *const u8, size: usize) -> !;
    }
}

/// The hooks on the host, over the standard library: enough to test what stands on them.
#[cfg(not(target_os = "none"))]
mod imp {
    use std::alloc::Layout;
    use std::cell::{Cell, RefCell};
    use std::ffi::c_int;

    thread_local! {
        static ERRNO: Cell<c_int> = const { Cell::new(0) };
        static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// Keeps the text for `take_written` of the same thread.
    pub unsafe fn l4re_libc_write(text: *const u8, size: usize) {
        // SAFETY: the caller passes the pointer and length of one slice.
        let text = unsafe { std::slice::from_raw_parts(text, size) };
        WRITTEN.with_borrow_mut(|written| written.extend_from_slice(text));
    }

    pub unsafe fn l4re_libc_alloc(size: usize, align: usize) -> *mut u8 {
        match Layout::from_size_align(size, align) {
            // SAFETY: the contract of the hook excludes a size of zero.
            Ok(layout) => unsafe { std::alloc::alloc(layout) },
            Err(_) => std::ptr::null_mut(),
        }
    }

    pub unsafe fn l4re_libc_dealloc(block: *mut u8, size: usize, align: usize) {
        // SAFETY: the same size and alignment made a layout when the block was allocated.
        let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
        // SAFETY: the block came from `l4re_libc_alloc` with this layout.
        unsafe { std::alloc::dealloc(block, layout) }
    }

    pub fn l4re_libc_errno() -> *mut c_int {
        ERRNO.with(Cell::as_ptr)
    }

    pub fn l4re_libc_exit(status: c_int) -> ! {
        std::process::exit(status)
    }

    /// Panics on the host, so that a test can see the message.
    pub unsafe fn l4re_libc_abort(why: *const u8, size: usize) -> ! {
        // SAFETY: the caller passes the pointer and length of one slice.
        let why = unsafe { std::slice::from_raw_parts(why, size) };
        panic!("{}", String::from_utf8_lossy(why))
    }

    pub fn take_written() -> Vec<u8> {
        WRITTEN.take()
    }
}

/// Appends `text` to the log.
pub fn write(text: &[u8]) {
    // SAFETY: pointer and length are those of `text`.
    unsafe { imp::l4re_libc_write(text.as_ptr(), text.len()) }
}

/// A block of `size` bytes aligned to `align`, or null.
///
/// # Safety
///
/// `size` is not zero and `align` is a power of two.
pub(crate) unsafe fn alloc(size: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller's promise is the contract of the hook.
    unsafe { imp::l4re_libc_alloc(size, align) }
}

/// Gives a block back.
///
/// # Safety
///
/// `block` came from [`alloc`] with the same `size` and `align`, and nobody uses it any more.
pub(crate) unsafe fn dealloc(block: *mut u8, size: usize, align: usize) {
    // SAFETY: the caller's promise is the contract of the hook.
    unsafe { imp::l4re_libc_dealloc(block, size, align) }
}

/// Where the calling thread keeps `errno`.
pub fn errno_location() -> *mut c_int {
    imp::l4re_libc_errno()
}

/// Ends the program with `status`.
pub fn exit(status: c_int) -> ! {
    imp::l4re_libc_exit(status)
}

/// Reports `why` as a defect of the program and ends it. Panics with that text on the host.
pub fn abort(why: &[u8]) -> ! {
    // SAFETY: pointer and length are those of `why`.
    unsafe { imp::l4re_libc_abort(why.as_ptr(), why.len()) }
}

/// What the calling thread has written since the last call: for tests, so only on the host.
#[cfg(not(target_os = "none"))]
pub fn take_written() -> Vec<u8> {
    imp::take_written()
}
