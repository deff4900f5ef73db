//! Memory for the drivers of the `virtio-drivers` crate.
//!
//! The crate asks for memory by functions without a `self`, so what they need is found by the type.
//! [`DomainHal`] has a number for that: one a DMA address space. Our own drivers get their
//! allocator as a parameter and do not need this.

use core::ptr::NonNull;

use alloc::vec::Vec;
use spin::Mutex;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

use crate::mem::{DmaAllocator, DmaBuffer};

/// Number of DMA address spaces that a program can register.
pub const MAX_DOMAINS: usize = 8;

static DOMAINS: [Mutex<Option<Domain>>; MAX_DOMAINS] = [const { Mutex::new(None) }; MAX_DOMAINS];

/// One DMA address space, and the memory in it that the crate's drivers use.
struct Domain {
    allocator: &'static (dyn DmaAllocator + Send + Sync),
    /// What `dma_alloc` gave out.
    buffers: Vec<DmaBuffer>,
    /// Copies of memory that devices cannot reach, each with the address of the original while it
    /// is in use. Kept for the next one, so a steady state allocates nothing.
    bounces: Vec<(DmaBuffer, Option<usize>)>,
}

/// The domain with this number is taken already, or there are not that many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainTaken(pub usize);

impl core::fmt::Display for DomainTaken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "DMA domain {} is taken, or not below {MAX_DOMAINS}", self.0)
    }
}

impl core::error::Error for DomainTaken {}

/// The memory of DMA domain `N`, for the type parameter of the crate's drivers.
///
/// An allocator has to be [registered](Self::register) first; without one there is no memory.
#[derive(Clone, Copy, Debug)]
pub struct DomainHal<const N: usize>;

impl<const N: usize> DomainHal<N> {
    /// Says where the memory of this domain comes from. A domain keeps its allocator for good.
    ///
    /// # Errors
    ///
    /// [`DomainTaken`].
    pub fn register(
        allocator: &'static (dyn DmaAllocator + Send + Sync),
    ) -> Result<(), DomainTaken> {
        let mut domain = DOMAINS.get(N).ok_or(DomainTaken(N))?.lock();
        if domain.is_some() {
            return Err(DomainTaken(N));
        }
        *domain = Some(Domain { allocator, buffers: Vec::new(), bounces: Vec::new() });
        Ok(())
    }

    fn with<V>(f: impl FnOnce(&mut Domain) -> Option<V>) -> Option<V> {
        f(DOMAINS.get(N)?.lock().as_mut()?)
    }
}

impl Domain {
    /// DMA address of memory that came from `dma_alloc`.
    fn address(&self, at: usize, len: usize) -> Option<PhysAddr> {
        self.buffers.iter().find_map(|b| {
            let offset = at.checked_sub(b.mem().base().as_ptr() as usize)?;
            let end = offset.checked_add(len)?;
            (end <= b.mem().len()).then(|| b.addr() + offset as u64)
        })
    }

    /// A copy that no other buffer uses, at least `len` bytes large.
    fn bounce(&mut self, original: usize, len: usize) -> Option<&DmaBuffer> {
        let fits = |(b, user): &(DmaBuffer, Option<usize>)| user.is_none() && b.mem().len() >= len;
        let at = match self.bounces.iter().position(fits) {
            Some(at) => at,
            None => {
                self.bounces.push((self.allocator.alloc(len).ok()?, None));
                self.bounces.len() - 1
            }
        };
        let (buffer, user) = self.bounces.get_mut(at)?;
        *user = Some(original);
        Some(buffer)
    }
}

// SAFETY: `dma_alloc` gives out zeroed pages that the contract of `DmaAllocator` makes exclusive
// and page-aligned, and keeps them alive until `dma_dealloc`. `mmio_phys_to_virt` gives out nothing.
unsafe impl<const N: usize> Hal for DomainHal<N> {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let buffer = Self::with(|domain| {
            let buffer = domain.allocator.alloc(pages.checked_mul(PAGE_SIZE)?).ok()?;
            let result = (buffer.addr(), buffer.mem().base());
            // Address 0 means failure to the crate, which then does not give the memory back.
            (result.0 != 0).then(|| domain.buffers.push(buffer)).map(|()| result)
        });
        buffer.unwrap_or((0, NonNull::dangling()))
    }

    unsafe fn dma_dealloc(paddr: PhysAddr, vaddr: NonNull<u8>, _pages: usize) -> i32 {
        let freed = Self::with(|domain| {
            let is = |b: &DmaBuffer| b.addr() == paddr && b.mem().base() == vaddr;
            let at = domain.buffers.iter().position(is)?;
            Some(domain.buffers.swap_remove(at))
        });
        if freed.is_some() { 0 } else { -1 }
    }

    /// Never called: the crate does so only in its own PCI transport, and ours takes its place.
    /// See [`pci`](crate::virtio::pci).
    unsafe fn mmio_phys_to_virt(_paddr: PhysAddr, _size: usize) -> NonNull<u8> {
        panic!("the PCI transport of the virtio-drivers crate is not supported, use virtio::pci")
    }

    /// The address of memory from `dma_alloc`, or of a copy of any other memory.
    ///
    /// # Panics
    ///
    /// If there is no DMA memory for a copy: the crate offers no way to fail, and any address that
    /// is not the buffer's would let the device write to it. How much is needed depends on the
    /// program alone, not on devices or clients.
    unsafe fn share(buffer: NonNull<[u8]>, direction: BufferDirection) -> PhysAddr {
        let (start, len) = (buffer.cast::<u8>(), buffer.len());
        let address = Self::with(|domain| {
            let at = start.as_ptr() as usize;
            if let Some(address) = domain.address(at, len) {
                return Some(address);
            }
            let bounce = domain.bounce(at, len)?;
            if direction == BufferDirection::DeviceToDriver {
                // What the last user left there is not this one's to see.
                bounce.mem().slice(0, len)?.zero();
            } else {
                // SAFETY: the caller says that the buffer is valid and nobody else's now.
                let bytes = unsafe { buffer.as_ref() };
                bounce.mem().write_bytes(0, bytes)?;
            }
            Some(bounce.addr())
        });
        let Some(address) = address else {
            panic!("no DMA memory for a copy of {len} bytes in domain {N}");
        };
        address
    }

    unsafe fn unshare(paddr: PhysAddr, mut buffer: NonNull<[u8]>, direction: BufferDirection) {
        let at = buffer.cast::<u8>().as_ptr() as usize;
        // Memory from `dma_alloc` has no copy, and nothing is to be done for it.
        let _ = Self::with(|domain| {
            let is = |(b, user): &&mut (DmaBuffer, _)| b.addr() == paddr && *user == Some(at);
            let (bounce, user) = domain.bounces.iter_mut().find(is)?;
            *user = None;
            if direction != BufferDirection::DriverToDevice {
                // SAFETY: the caller says that the buffer is valid and nobody else's now.
                let bytes = unsafe { buffer.as_mut() };
                bounce.mem().read_bytes(0, bytes)?;
            }
            Some(())
        });
    }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;

    use virtio_drivers::device::blk::VirtIOBlk;

    use super::*;
    use crate::virtio::fake::{Device, Disk, FakeTransport, HostDma};
    use crate::virtio::spec::feature;

    /// [`HostDma`] has a counter that is not for threads.
    struct Plain;

    impl DmaAllocator for Plain {
        fn alloc(&self, bytes: usize) -> crate::Result<DmaBuffer> {
            HostDma::default().alloc(bytes)
        }
    }

    fn allocator() -> &'static (dyn DmaAllocator + Send + Sync) {
        Box::leak(Box::new(Plain))
    }

    #[test]
    fn the_crates_block_driver_works_with_it() {
        DomainHal::<0>::register(allocator()).unwrap();
        for ring in [0, feature::INDIRECT_DESC] {
            let device = Device::with_disk(Disk::new(64), false, ring);
            let mut disk =
                VirtIOBlk::<DomainHal<0>, _>::new(FakeTransport(device.shared())).unwrap();
            let out: [u8; 1024] = core::array::from_fn(|i| (i * 7) as u8);
            let mut back = [0; 1024];
            disk.write_blocks(3, &out).unwrap();
            disk.read_blocks(3, &mut back).unwrap();
            assert_eq!(out, back);
        }
        let left = DomainHal::<0>::with(|d| {
            let used = d.bounces.iter().filter(|(_, user)| user.is_some()).count();
            Some((d.buffers.len(), used))
        });
        assert_eq!(left, Some((0, 0)), "everything is given back");
        // The thread's table of memory goes away before the static one.
        let _ = DomainHal::<0>::with(|d| {
            d.bounces.clear();
            Some(())
        });
    }

    #[test]
    fn domains_are_separate_and_registered_once() {
        assert_eq!(DomainHal::<1>::dma_alloc(1, BufferDirection::Both).0, 0, "not registered");
        DomainHal::<1>::register(allocator()).unwrap();
        assert_eq!(DomainHal::<1>::register(allocator()), Err(DomainTaken(1)));
        assert_eq!(DomainHal::<8>::register(allocator()), Err(DomainTaken(8)));
        let (addr, at) = DomainHal::<1>::dma_alloc(2, BufferDirection::Both);
        assert_ne!(addr, 0);
        // SAFETY: as allocated above, and never used.
        let (other, own) = unsafe {
            (DomainHal::<2>::dma_dealloc(addr, at, 2), DomainHal::<1>::dma_dealloc(addr, at, 2))
        };
        assert_eq!((other, own), (-1, 0));
    }

    #[test]
    fn own_memory_is_not_copied() {
        DomainHal::<3>::register(allocator()).unwrap();
        let (addr, at) = DomainHal::<3>::dma_alloc(1, BufferDirection::Both);
        // SAFETY: inside of the page.
        let part = NonNull::slice_from_raw_parts(unsafe { at.add(100) }, 50);
        // SAFETY: a valid part of memory that nobody else uses; freed as it was allocated.
        unsafe {
            assert_eq!(DomainHal::<3>::share(part, BufferDirection::Both), addr + 100);
            DomainHal::<3>::unshare(addr + 100, part, BufferDirection::Both);
            assert_eq!(DomainHal::<3>::dma_dealloc(addr, at, 1), 0);
        }
    }
}
