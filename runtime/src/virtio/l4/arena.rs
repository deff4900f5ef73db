//! DMA memory out of one registered dataspace.

use core::cell::Cell;

use crate::mem::{DmaAllocator, DmaBuffer, SharedMem};

const PAGE_SIZE: usize = 4096;

/// Gives out one window of memory, page by page, from its start to its end.
///
/// Servers allow a client only a few dataspaces, often two; so queues and request headers have to
/// share one. Nothing is reused: drivers allocate at start-up only, and the window is the owner's,
/// who may use it again when the driver is gone.
#[derive(Debug)]
pub struct Arena {
    window: SharedMem<'static>,
    addr: u64,
    next: Cell<usize>,
}

impl Arena {
    /// An arena of `window`, whose first byte has the device address `addr`. Both must be
    /// page-aligned, and all of it zero.
    ///
    /// # Errors
    ///
    /// [`crate::Error::INVAL`] if they are not aligned or addresses would wrap.
    pub fn new(window: SharedMem<'static>, addr: u64) -> crate::Result<Arena> {
        let base = window.base().as_ptr() as usize;
        let aligned = base.is_multiple_of(PAGE_SIZE) && addr.is_multiple_of(PAGE_SIZE as u64);
        if !aligned || addr.checked_add(window.len() as u64).is_none() {
            return Err(crate::Error::INVAL);
        }
        Ok(Arena { window, addr, next: Cell::new(0) })
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.window.len() - self.next.get()
    }
}

impl DmaAllocator for Arena {
    fn alloc(&self, bytes: usize) -> crate::Result<DmaBuffer> {
        let at = self.next.get();
        let size = bytes.max(1).checked_next_multiple_of(PAGE_SIZE).ok_or(crate::Error::NOMEM)?;
        let mem = self.window.slice(at, size).ok_or(crate::Error::NOMEM)?;
        self.next.set(at + size);
        // SAFETY: a part of the window that nobody else gets, at the address where the window is; the
        // window stays.
        Ok(unsafe { DmaBuffer::from_parts(mem, self.addr + at as u64, |_, _, _| {}, 0) })
    }
}
