//! The memory of a queue: where each part lies, and access to its words.

use core::sync::atomic::{Ordering, fence};

use super::QueueError;
use super::notify::Words;
use crate::mem::{DmaAllocator, DmaBuffer, DmaSegment, SharedMem};
use crate::virtio::spec::ring::{
    AVAIL_FLAGS, AVAIL_IDX, AVAIL_RING, DESC_F_NEXT, DESC_F_WRITE, DESC_SIZE, USED_ELEM_SIZE,
    USED_FLAGS, USED_IDX, USED_RING, avail_bytes, desc_bytes, used_bytes,
};

/// Alignment of the used ring. Legacy devices compute its address with it (2.7.2); for others it
/// keeps what only the device writes in pages of its own.
const USED_ALIGN: usize = 4096;

/// Legacy devices are told a 32-bit page number instead of an address (4.2.4).
const LEGACY_ADDRESS_LIMIT: u64 = 1 << 44;

/// A descriptor as it is written to memory (2.7.5).
#[derive(Clone, Copy)]
pub(super) struct Desc {
    pub(super) segment: DmaSegment,
    pub(super) flags: u16,
    pub(super) next: u16,
}

impl Desc {
    /// One element of a chain; `next` is the index of the one that follows.
    pub(super) fn link(segment: DmaSegment, device_writes: bool, next: Option<u16>) -> Desc {
        let write = if device_writes { DESC_F_WRITE } else { 0 };
        let more = if next.is_some() { DESC_F_NEXT } else { 0 };
        Desc { segment, flags: write | more, next: next.unwrap_or(0) }
    }

    /// Writes the descriptor with two stores. `None` if the table has no such entry.
    pub(super) fn store(self, table: &SharedMem, index: usize) -> Option<()> {
        let offset = index * DESC_SIZE;
        let rest =
            u64::from(self.segment.len) | u64::from(self.flags) << 32 | u64::from(self.next) << 48;
        table.write_u64(offset, self.segment.addr)?;
        table.write_u64(offset + 8, rest)
    }
}

/// The three parts of a split queue in one contiguous piece of DMA memory, laid out as legacy
/// devices demand (2.7.2), which modern ones accept as well.
///
/// All offsets are below the sizes that [`Ring::new`] checked, so the accesses here cannot be
/// outside of the memory; should one be, it does nothing.
#[derive(Debug)]
pub(super) struct Ring {
    /// `None` only after [`Ring::leak`].
    area: Option<DmaBuffer>,
    desc: SharedMem<'static>,
    avail: SharedMem<'static>,
    used: SharedMem<'static>,
    addr: [u64; 3],
    size: u16,
}

impl Ring {
    pub(super) fn new(size: u16, legacy: bool, dma: &dyn DmaAllocator) -> Result<Ring, QueueError> {
        let used_at = (desc_bytes(size) + avail_bytes(size)).next_multiple_of(USED_ALIGN);
        let bytes = used_at + used_bytes(size);
        let area = dma.alloc(bytes).map_err(QueueError::Memory)?;
        // SAFETY: the buffer is kept beside the parts or leaked, and all of them are private.
        let (mem, base) = (unsafe { area.mem().unbounded() }, area.addr());
        let end = base.checked_add(bytes as u64).ok_or(QueueError::Address(base))?;
        if !base.is_multiple_of(USED_ALIGN as u64) || (legacy && end > LEGACY_ADDRESS_LIMIT) {
            return Err(QueueError::Address(base));
        }
        let part = |at, len| mem.slice(at, len).ok_or(QueueError::Address(base));
        Ok(Ring {
            desc: part(0, desc_bytes(size))?,
            avail: part(desc_bytes(size), avail_bytes(size))?,
            used: part(used_at, used_bytes(size))?,
            addr: [base, base + desc_bytes(size) as u64, base + used_at as u64],
            area: Some(area),
            size,
        })
    }

    /// DMA addresses of descriptor table, available ring and used ring.
    pub(super) fn addresses(&self) -> [u64; 3] {
        self.addr
    }

    /// Back to the state right after the allocation. The device must be in reset.
    pub(super) fn clear(&self) {
        self.desc.zero();
        self.avail.zero();
        self.used.zero();
    }

    /// Never frees the memory, because a device that cannot be stopped may still write it.
    pub(super) fn leak(&mut self) {
        core::mem::forget(self.area.take());
    }

    fn slot(&self, position: u16) -> usize {
        usize::from(position & (self.size - 1))
    }

    pub(super) fn store_desc(&self, index: u16, desc: Desc) {
        let _ = desc.store(&self.desc, usize::from(index));
    }

    /// Puts the head of a chain into the available ring; `position` is the running index.
    pub(super) fn store_avail(&self, position: u16, head: u16) {
        let _ = self.avail.write_u16(AVAIL_RING + 2 * self.slot(position), head);
    }

    /// Reads an entry of the used ring: descriptor index and number of bytes written.
    pub(super) fn load_used(&self, position: u16) -> (u32, u32) {
        let offset = USED_RING + USED_ELEM_SIZE * self.slot(position);
        let word = |at| self.used.read_u32(at).unwrap_or(u32::MAX);
        (word(offset), word(offset + 4))
    }
}

impl Words for Ring {
    fn store_avail_idx(&self, value: u16) {
        let _ = self.avail.store_release_u16(AVAIL_IDX, value);
    }

    fn load_used_idx(&self) -> u16 {
        self.used.load_acquire_u16(USED_IDX).unwrap_or(0)
    }

    fn store_avail_flags(&self, value: u16) {
        let _ = self.avail.write_u16(AVAIL_FLAGS, value);
    }

    fn load_used_flags(&self) -> u16 {
        self.used.read_u16(USED_FLAGS).unwrap_or(0)
    }

    fn store_used_event(&self, value: u16) {
        let _ = self.avail.write_u16(AVAIL_RING + 2 * usize::from(self.size), value);
    }

    fn load_avail_event(&self) -> u16 {
        self.used.read_u16(USED_RING + USED_ELEM_SIZE * usize::from(self.size)).unwrap_or(0)
    }

    fn full_fence(&self) {
        fence(Ordering::SeqCst);
    }
}

/// A table of descriptors outside of the ring for each of its entries (2.7.5.3), allocated once.
#[derive(Debug)]
pub(super) struct Tables {
    /// `None` only after [`Tables::leak`].
    area: Option<DmaBuffer>,
    mem: SharedMem<'static>,
    addr: u64,
    entries: u16,
}

impl Tables {
    pub(super) fn new(
        count: u16,
        entries: u16,
        dma: &dyn DmaAllocator,
    ) -> Result<Tables, QueueError> {
        let bytes = usize::from(count) * desc_bytes(entries);
        let area = dma.alloc(bytes).map_err(QueueError::Memory)?;
        let addr = area.addr();
        addr.checked_add(bytes as u64).ok_or(QueueError::Address(addr))?;
        // SAFETY: the buffer is kept beside it or leaked, and both are private.
        let mem = unsafe { area.mem().unbounded() };
        let mem = mem.slice(0, bytes).ok_or(QueueError::Address(addr))?;
        Ok(Tables { area: Some(area), mem, addr, entries })
    }

    pub(super) fn leak(&mut self) {
        core::mem::forget(self.area.take());
    }

    /// Most descriptors that fit into one table.
    pub(super) fn entries(&self) -> u16 {
        self.entries
    }

    pub(super) fn store(&self, table: u16, index: u16, desc: Desc) {
        let at = usize::from(table) * usize::from(self.entries) + usize::from(index);
        let _ = desc.store(&self.mem, at);
    }

    /// The first `len` entries of a table as the device sees them.
    pub(super) fn segment(&self, table: u16, len: u16) -> DmaSegment {
        let addr = self.addr + u64::from(table) * desc_bytes(self.entries) as u64;
        DmaSegment { addr, len: u32::from(len) * DESC_SIZE as u32 }
    }
}
