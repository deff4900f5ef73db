//! DMA memory on the host. Bus addresses are unlike pointers, so a mix-up of the two is found, and
//! so is a device that uses memory which the driver has freed.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::thread_local;

use crate::mem::{DmaAllocator, DmaBuffer, SharedMem};

thread_local! {
    /// Everything that devices of this thread may access.
    static LIVE: RefCell<BTreeMap<u64, SharedMem<'static>>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0x4000_0000) };
}

/// An allocator that can be told to run out of memory.
#[derive(Default)]
pub(crate) struct HostDma {
    /// How many allocations succeed; `None`: all.
    pub(crate) left: Cell<Option<u32>>,
}

impl HostDma {
    /// Bytes that are allocated at the moment, by all allocators of this thread.
    pub(crate) fn live_bytes() -> usize {
        LIVE.with_borrow(|live| live.values().map(SharedMem::len).sum())
    }
}

impl DmaAllocator for HostDma {
    fn alloc(&self, bytes: usize) -> crate::Result<DmaBuffer> {
        if let Some(left) = self.left.get() {
            self.left.set(Some(left.checked_sub(1).ok_or(crate::Error::NOMEM)?));
        }
        let len = bytes.max(1).next_multiple_of(4096);
        let layout = Layout::from_size_align(len, 4096).unwrap();
        // SAFETY: the size is not zero.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
        // SAFETY: just allocated, only accessed through windows, freed by `free`, which also
        // takes the window out of the table that devices use.
        let mem = unsafe { SharedMem::new(base, len) };
        let addr = NEXT.get();
        NEXT.set(addr + len as u64 + 4096);
        LIVE.with_borrow_mut(|live| live.insert(addr, mem));
        // SAFETY: as allocated, until `free` is called.
        Ok(unsafe { DmaBuffer::from_parts(mem, addr, free, 0) })
    }
}

fn free(mem: SharedMem<'static>, addr: u64, _tag: usize) {
    LIVE.with_borrow_mut(|live| live.remove(&addr)).expect("freed twice");
    let layout = Layout::from_size_align(mem.len(), 4096).unwrap();
    // SAFETY: allocated with this layout by `alloc`, and freed once, as the line above checks.
    unsafe { dealloc(mem.base().as_ptr(), layout) };
}

/// The memory of a buffer without a limit of its life.
pub(crate) fn window(buffer: &DmaBuffer) -> SharedMem<'static> {
    // SAFETY: tests keep their buffers to the end.
    unsafe { buffer.mem().unbounded() }
}

/// What a device sees at a bus address. Panics, as an IOMMU would fault, if it may not.
pub(crate) fn device_view(addr: u64, len: usize) -> SharedMem<'static> {
    LIVE.with_borrow(|live| {
        let (base, mem) = live.range(..=addr).next_back().expect("DMA below all memory");
        let offset = usize::try_from(addr - base).unwrap();
        mem.slice(offset, len).unwrap_or_else(|| panic!("DMA fault at {addr:#x}, {len} bytes"))
    })
}
