//! `malloc` and its relatives over the hooks.
//!
//! The hooks want to be told the size and the alignment of a block when it is given back; C does
//! not say them. So they are kept in a header in front of the block:
//!
//! ```text
//! allocation      block, aligned to `align`
//! v               v
//! +--- padding ---+------+-------+------------------+
//!                 | size | align |  what C sees     |
//! ```
//!
//! The header has 16 bytes, which is the alignment that `malloc` promises; with a larger alignment
//! the allocation starts `align` bytes in front of what C sees.

use core::ffi::{c_int, c_void};
use core::ptr;

use crate::{errno, hooks};

/// The alignment of every block: that of `max_align_t`.
const ALIGN: usize = 16;

/// In front of every block.
#[repr(C)]
struct Header {
    /// Bytes that C may use.
    size: usize,
    /// Alignment of the allocation, which is also how far in front of the block it starts.
    align: usize,
}

const _: () = assert!(size_of::<Header>() == ALIGN);

/// A block of `size` bytes aligned to `align`, a power of two not below [`ALIGN`]; null, and
/// `errno` set, if there is no memory or the size is beyond all memory.
fn allocate_aligned(size: usize, align: usize) -> *mut c_void {
    let Some(whole) = size.checked_add(align).filter(|&whole| whole <= isize::MAX as usize) else {
        errno::set(errno::ENOMEM);
        return ptr::null_mut();
    };
    // SAFETY: `whole` is at least `align`, which is not zero, and `align` is a power of two.
    let start = unsafe { hooks::alloc(whole, align) };
    if start.is_null() {
        errno::set(errno::ENOMEM);
        return ptr::null_mut();
    }
    // SAFETY: the allocation has `align` bytes in front of the block, of which the header needs the
    // last 16; the block is aligned to 16 or more, so the header is aligned as well.
    unsafe {
        let block = start.add(align);
        block.cast::<Header>().sub(1).write(Header { size, align });
        block.cast()
    }
}

/// A block of `size` bytes. The functions below call this and not `malloc`, whose name means
/// something to the optimiser: it would make `calloc` of a `malloc` and a `memset`, in `calloc`.
pub(crate) fn allocate(size: usize) -> *mut c_void {
    allocate_aligned(size, ALIGN)
}

/// The header of a block.
///
/// # Safety
///
/// `block` came from [`allocate_aligned`] and has not been given back.
unsafe fn header_of(block: *mut c_void) -> Header {
    // SAFETY: such a block has a header in front.
    unsafe { block.cast::<Header>().sub(1).read() }
}

/// Gives a block back.
///
/// # Safety
///
/// `block` came from [`allocate_aligned`] and has not been given back.
unsafe fn release(block: *mut c_void) {
    // SAFETY: the caller's promise.
    let Header { size, align } = unsafe { header_of(block) };
    // SAFETY: the allocation started `align` bytes in front of the block, with these values.
    unsafe { hooks::dealloc(block.cast::<u8>().sub(align), size + align, align) };
}

/// A block of `size` bytes, or null (C11 7.22.3.4). A size of zero gives a block too.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn malloc(size: usize) -> *mut c_void {
    allocate(size)
}

/// A block of `count` times `size` bytes that are zero, or null, also if the product does not fit
/// (C11 7.22.3.2).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    // A product that does not fit becomes a size that is refused.
    let size = count.saturating_mul(size);
    let block = allocate(size);
    if !block.is_null() {
        // SAFETY: the block is new and has `size` bytes.
        unsafe { block.write_bytes(0, size) };
    }
    block
}

/// Changes the size of a block, which may move (C11 7.22.3.5). Null, with the old block kept, if
/// there is no memory. A null `block` makes a new one. A size of zero gives a block of that size:
/// the old habit of freeing it then is undefined since C23.
///
/// # Safety
///
/// `block` is null or a block of this allocator.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if block.is_null() {
        return allocate(size);
    }
    // SAFETY: the caller's promise.
    let old = unsafe { header_of(block) };
    let new = allocate(size);
    if !new.is_null() {
        // SAFETY: both blocks have as many bytes, and they are different blocks.
        unsafe { new.cast::<u8>().copy_from_nonoverlapping(block.cast(), size.min(old.size)) };
        // SAFETY: the caller's promise.
        unsafe { release(block) };
    }
    new
}

/// As [`realloc`] for `count` times `size` bytes; null if the product does not fit
/// (POSIX.1-2024).
///
/// # Safety
///
/// `block` is null or a block of this allocator.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn reallocarray(
    block: *mut c_void,
    count: usize,
    size: usize,
) -> *mut c_void {
    // SAFETY: the caller's promise; a product that does not fit becomes a size that is refused.
    unsafe { realloc(block, count.saturating_mul(size)) }
}

/// Gives a block back; null is none (C11 7.22.3.3).
///
/// # Safety
///
/// `block` is null or a block of this allocator.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn free(block: *mut c_void) {
    if !block.is_null() {
        // SAFETY: the caller's promise.
        unsafe { release(block) };
    }
}

/// A block aligned to `align`, which has to be a power of two; null otherwise (C11 7.22.3.1).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    if !align.is_power_of_two() {
        errno::set(errno::EINVAL);
        return ptr::null_mut();
    }
    allocate_aligned(size, align.max(ALIGN))
}

/// A block aligned to `align`, a power of two that is a multiple of the size of a pointer (POSIX).
/// Returns 0, `EINVAL` or `ENOMEM`; stores the block only with 0, and leaves `errno` alone.
///
/// # Safety
///
/// `block` can be written.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn posix_memalign(
    block: *mut *mut c_void,
    align: usize,
    size: usize,
) -> c_int {
    if !align.is_power_of_two() || align < size_of::<*mut c_void>() {
        return errno::EINVAL;
    }
    let before = errno::get();
    let new = allocate_aligned(size, align.max(ALIGN));
    errno::set(before);
    if new.is_null() {
        return errno::ENOMEM;
    }
    // SAFETY: the caller lets us write it.
    unsafe { block.write(new) };
    0
}
