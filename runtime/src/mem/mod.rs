//! Memory: shared windows, dataspaces, regions, heap and DMA.

mod dataspace;
mod dma;
pub mod heap;
mod heap_area;
mod region;
mod rm;
mod shared;
pub mod stack;

pub use dataspace::{Backing, Dataspace, DataspaceInfo};
pub use dma::{DmaDomain, DmaMapping, DmaRun, DmaSpace, dma_bytes};
pub use region::{Area, AttachOptions, Region};
pub(crate) use rm::fault_handler;
pub use rm::{Found, Rm};
pub use shared::SharedMem;

/// A piece of memory as a device sees it: contiguous in its DMA address space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DmaSegment {
    /// DMA address of the first byte.
    pub addr: u64,
    /// Length in bytes.
    pub len: u32,
}

/// DMA memory that the driver allocated for itself: rings, headers, status bytes.
///
/// Created by a [`DmaAllocator`]; freed when dropped, and no window of it lives longer:
///
/// ```compile_fail,E0597
/// use l4re_runtime::mem::{DmaAllocator, SharedMem};
///
/// fn window(dma: &dyn DmaAllocator) -> l4re_runtime::Result<SharedMem<'static>> {
///     let buffer = dma.alloc(4096)?;
///     let window: SharedMem<'static> = buffer.mem();
///     Ok(window)
/// }
/// ```
#[derive(Debug)]
pub struct DmaBuffer {
    mem: SharedMem<'static>,
    addr: u64,
    free: fn(SharedMem<'static>, u64, usize),
    tag: usize,
}

impl DmaBuffer {
    /// Puts a buffer together. `free(mem, addr, tag)` is called once, when it is dropped.
    ///
    /// # Safety
    ///
    /// `mem` and `addr` must describe the same zeroed, device-contiguous memory, and `mem` must
    /// stay valid until `free` is called.
    pub unsafe fn from_parts(
        mem: SharedMem<'static>,
        addr: u64,
        free: fn(SharedMem<'static>, u64, usize),
        tag: usize,
    ) -> Self {
        Self { mem, addr, free, tag }
    }

    /// The memory as the driver sees it.
    pub fn mem(&self) -> SharedMem<'_> {
        self.mem
    }

    /// DMA address of the first byte.
    pub fn addr(&self) -> u64 {
        self.addr
    }
}

impl Drop for DmaBuffer {
    fn drop(&mut self) {
        (self.free)(self.mem, self.addr, self.tag);
    }
}

/// Gives out memory that is contiguous in one DMA address space.
///
/// Drivers allocate at start-up only; no request on the data path needs it.
pub trait DmaAllocator {
    /// Allocates `bytes` bytes, rounded up to pages, zeroed and page-aligned on both sides.
    fn alloc(&self, bytes: usize) -> crate::Result<DmaBuffer>;
}
