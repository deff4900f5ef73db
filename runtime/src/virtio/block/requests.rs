//! Headers, status bytes and ranges of all requests, in one piece of DMA memory.

use alloc::vec::Vec;

use super::info::MAX_RANGES;
use super::{BlockError, SectorRange};
use crate::mem::{DmaAllocator, DmaBuffer, DmaSegment, SharedMem};
use crate::virtio::spec::block::{
    DISCARD_SEGMENT_SIZE, HEADER_SIZE, ID_SIZE, Op, Status, WRITE_ZEROES_F_UNMAP,
};

/// Bytes of a slot: the header, the status byte, and padding that keeps headers aligned.
const SLOT_SIZE: usize = 32;
/// The status byte comes right after the header.
const STATUS: usize = HEADER_SIZE;
/// What stands in the status byte until the device writes it; no status of the specification.
const NO_STATUS: u8 = 0xff;
/// Room for the ranges of a discard or write-zeroes request.
const RANGES_SIZE: usize = MAX_RANGES as usize * DISCARD_SEGMENT_SIZE;
/// Room for the identification string, padded.
const ID_ROOM: usize = 32;

/// A request in flight, as the driver remembers it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    /// The owner's tag; `None` for requests of the driver itself.
    pub(super) tag: Option<u32>,
}

/// A fixed number of request slots.
///
/// Only the device reads headers and ranges, only the driver reads status bytes and the
/// identification string. All offsets come from slot numbers below the number of slots.
#[derive(Debug)]
pub(super) struct Requests {
    /// `None` only after [`Requests::leak`].
    area: Option<DmaBuffer>,
    mem: SharedMem<'static>,
    addr: u64,
    entries: Vec<Entry>,
    free: Vec<u16>,
}

impl Requests {
    pub(super) fn new(slots: u16, dma: &dyn DmaAllocator) -> Result<Requests, BlockError> {
        let bytes = usize::from(slots) * (SLOT_SIZE + RANGES_SIZE) + ID_ROOM;
        let area = dma.alloc(bytes).map_err(BlockError::Memory)?;
        // SAFETY: the buffer is kept beside it or leaked, and both are private.
        let (mem, addr) = (unsafe { area.mem().unbounded() }, area.addr());
        if mem.len() < bytes || addr.checked_add(bytes as u64).is_none() {
            return Err(BlockError::Memory(crate::Error::RANGE));
        }
        let mut requests = Requests {
            area: Some(area),
            mem,
            addr,
            entries: Vec::with_capacity(slots.into()),
            free: Vec::with_capacity(slots.into()),
        };
        requests.entries.resize(slots.into(), Entry::default());
        requests.clear();
        Ok(requests)
    }

    /// Frees all slots. Needs no new memory.
    pub(super) fn clear(&mut self) {
        self.free.clear();
        self.free.extend((0..self.entries.len() as u16).rev());
    }

    /// Never frees the memory, because a device that cannot be stopped may still write it.
    pub(super) fn leak(&mut self) {
        core::mem::forget(self.area.take());
    }

    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Takes a slot and writes the header of a request into it (5.2.6).
    pub(super) fn open(&mut self, op: Op, sector: u64, tag: Option<u32>) -> Option<u16> {
        let slot = self.free.pop()?;
        let at = usize::from(slot) * SLOT_SIZE;
        self.entries[usize::from(slot)] = Entry { tag };
        let written = self
            .mem
            .write_u64(at, u64::from(op as u32))
            .and_then(|()| self.mem.write_u64(at + 8, sector))
            .and_then(|()| self.mem.write_u8(at + STATUS, NO_STATUS));
        debug_assert!(written.is_some());
        Some(slot)
    }

    /// Gives a slot back.
    pub(super) fn close(&mut self, slot: u16) -> Entry {
        self.free.push(slot);
        self.entries[usize::from(slot)]
    }

    pub(super) fn entry(&self, slot: u16) -> Entry {
        self.entries[usize::from(slot)]
    }

    pub(super) fn header(&self, slot: u16) -> DmaSegment {
        self.segment(usize::from(slot) * SLOT_SIZE, HEADER_SIZE)
    }

    pub(super) fn status(&self, slot: u16) -> DmaSegment {
        self.segment(usize::from(slot) * SLOT_SIZE + STATUS, 1)
    }

    /// How the device says that a request ended; that it says nothing is an error.
    pub(super) fn read_status(&self, slot: u16) -> Status {
        let raw = self.mem.read_u8(usize::from(slot) * SLOT_SIZE + STATUS);
        Status::from_raw(raw.unwrap_or(NO_STATUS))
    }

    /// Copies ranges to where the device reads them. There are at most [`MAX_RANGES`].
    pub(super) fn store_ranges(&self, slot: u16, ranges: &[SectorRange]) -> DmaSegment {
        let start = self.entries.len() * SLOT_SIZE + ID_ROOM + usize::from(slot) * RANGES_SIZE;
        let mut at = start;
        for range in ranges.iter().take(MAX_RANGES as usize) {
            let flags = if range.unmap { WRITE_ZEROES_F_UNMAP } else { 0 };
            let written = self
                .mem
                .write_u64(at, range.sector)
                .and_then(|()| self.mem.write_u32(at + 8, range.sectors))
                .and_then(|()| self.mem.write_u32(at + 12, flags));
            debug_assert!(written.is_some());
            at += DISCARD_SEGMENT_SIZE;
        }
        self.segment(start, at - start)
    }

    /// Where the device writes the identification string.
    pub(super) fn id(&self) -> DmaSegment {
        self.segment(self.entries.len() * SLOT_SIZE, ID_SIZE)
    }

    pub(super) fn read_id(&self) -> [u8; ID_SIZE] {
        let mut id = [0; ID_SIZE];
        let read = self.mem.read_bytes(self.entries.len() * SLOT_SIZE, &mut id);
        debug_assert!(read.is_some());
        id
    }

    fn segment(&self, at: usize, len: usize) -> DmaSegment {
        DmaSegment { addr: self.addr + at as u64, len: len as u32 }
    }
}
