//! The binary interface of L4Re as plain data: encodings, numbers and layouts.
//!
//! Nothing here makes a system call or dereferences a pointer. The stand-in test kernel uses the
//! same definitions, so that an encoding which it accepts and L4Re refuses cannot be written.
//!
//! A *word* is a machine word ([`Word`]): 8 bytes on 64-bit targets. `MR n` is the n-th message
//! register of the thread's UTCB, `BR n` the n-th buffer register.

pub mod cap;
pub mod dataspace;
pub mod dma;
pub mod env;
pub mod factory;
pub mod fpage;
pub mod icu;
pub mod item;
pub mod kip;
pub mod l4virtio;
pub mod object;
pub mod proto;
pub mod rm;
pub mod rpc;
pub mod tag;
pub mod timeout;
pub mod utcb;
pub mod vbus;

/// A machine word as messages carry it.
pub type Word = usize;

/// Size of a word in bytes.
pub const WORD_SIZE: usize = size_of::<Word>();

/// Size of a page in bytes, on every architecture of L4Re.
pub const PAGE_SIZE: usize = 4096;

/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;

/// Rounds an address or a size up to whole pages; `None` when that overflows.
pub const fn page_up(value: usize) -> Option<usize> {
    match value.checked_add(PAGE_SIZE - 1) {
        Some(v) => Some(v & !(PAGE_SIZE - 1)),
        None => None,
    }
}

/// Rounds an address or a size down to whole pages.
pub const fn page_down(value: usize) -> usize {
    value & !(PAGE_SIZE - 1)
}
