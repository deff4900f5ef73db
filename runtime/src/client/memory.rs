//! Memory that a client shares with the server of its device.

use alloc::sync::Arc;

use spin::Mutex;

use crate::mem::{AttachOptions, Backing, Dataspace, DmaAllocator, DmaBuffer, Region, SharedMem};
use crate::virtio::l4::Arena;
use crate::{Error, Result};

/// A dataspace that is attached here and can be registered with a server. Copies are the same
/// memory, which stays for as long as one of them.
#[derive(Clone, Debug)]
pub struct DriverMemory {
    region: Arc<Region>,
    mem: SharedMem<'static>,
}

impl DriverMemory {
    /// Allocates `size` bytes of zeroed memory, rounded up to pages.
    ///
    /// It is in one piece, so that the device behind the server can reach it with as few segments
    /// as there are.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] when memory, quota or slots are used up; [`Error::INVAL`] for no bytes.
    pub fn new(size: usize) -> Result<DriverMemory> {
        let memory = Dataspace::create(size, Backing::Contiguous)?;
        let region = Region::attach(memory, &AttachOptions::memory(size).eager())?;
        // SAFETY: the region is kept beside it, and both are private.
        let mem = unsafe { region.mem().ok_or(Error::ACCESS)?.unbounded() };
        Ok(DriverMemory { region: Arc::new(region), mem })
    }

    /// The memory as this program sees it.
    pub fn mem(&self) -> SharedMem<'_> {
        self.mem
    }

    /// The memory as this program sees it, for the rest of the program.
    pub fn leak(&self) -> SharedMem<'static> {
        core::mem::forget(self.region.clone());
        self.mem
    }

    /// The memory as a capability.
    pub fn dataspace(&self) -> &Dataspace {
        self.region.dataspace()
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.mem.len()
    }

    /// Whether there is nothing in it; never the case.
    pub fn is_empty(&self) -> bool {
        self.mem.is_empty()
    }
}

/// For [`DomainHal::register`](crate::virtio::hal::DomainHal::register), which needs an allocator
/// that any thread may use: with it the drivers of the `virtio-drivers` crate work over l4virtio.
impl DmaAllocator for Mutex<Arena> {
    fn alloc(&self, bytes: usize) -> Result<DmaBuffer> {
        self.lock().alloc(bytes)
    }
}
