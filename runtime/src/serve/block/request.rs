//! Judging one request (virtio 1.2, 5.2.6): what it asks for, and whether it may.

use alloc::vec::Vec;

use super::buffers::Buffers;
use super::{MAX_RANGES, SectorRange, SectorWindow, config};
use crate::serve::memory::ClientMemory;
use crate::virtio::spec::block::{
    DISCARD_SEGMENT_SIZE, DiscardLimits, HEADER_SIZE, ID_SIZE, Info, Op, SECTOR_SIZE, Status,
    WRITE_ZEROES_F_UNMAP,
};

/// The disk as one client sees it.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub info: Info,
    pub window: SectorWindow,
    pub read_only: bool,
    pub id: [u8; ID_SIZE],
    /// Limits that the client has agreed to keep, `None` if it has not. They are no need of ours:
    /// what is too large for the device is cut.
    pub size_max: Option<u32>,
    pub seg_max: Option<u32>,
}

/// What the device is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub op: Op,
    /// First sector on the disk; 0 where there is none.
    pub sector: u64,
    /// Bytes of data to transfer; 0 where there are none.
    pub bytes: u32,
}

/// How a request goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is answered right away; with the number of bytes written to its data buffers.
    Answer(Status, u32),
    /// It goes to the device.
    Submit(Job),
}

const REFUSED: Verdict = Verdict::Answer(Status::IoErr, 0);
const UNSUPPORTED: Verdict = Verdict::Answer(Status::Unsupp, 0);

/// The header of a request (5.2.6), read once.
struct Header {
    op: Option<Op>,
    sector: u64,
}

impl Header {
    fn parse(raw: [u8; HEADER_SIZE]) -> Self {
        let raw = u128::from_le_bytes(raw);
        Self { op: Op::from_raw(raw as u32), sector: (raw >> 64) as u64 }
    }
}

impl Disk {
    /// Judges the request in `buffers`, from which the status byte has been taken away already.
    /// Afterwards only the data are left in them, and `ranges` holds those of a discard or
    /// write-zeroes.
    pub fn judge<R>(
        &self,
        buffers: &mut Buffers,
        memory: &ClientMemory<R>,
        ranges: &mut Vec<SectorRange>,
    ) -> Verdict {
        let mut raw = [0; HEADER_SIZE];
        if buffers.readable.take(memory, &mut raw).is_none() {
            return REFUSED;
        }
        let header = Header::parse(raw);
        let Some(op) = header.op else {
            return UNSUPPORTED;
        };
        if self.read_only && op.changes_medium() {
            // 5.2.6.2: nothing may be written, and this is the status for it.
            return REFUSED;
        }
        match op {
            Op::Read | Op::Write => self.judge_transfer(op, header.sector, buffers, memory),
            Op::Flush if self.info.flush => Verdict::Submit(Job { op, sector: 0, bytes: 0 }),
            Op::Flush => UNSUPPORTED,
            Op::GetId => match buffers.writable.put(memory, &self.id) {
                Some(written) if written > 0 => Verdict::Answer(Status::Ok, written),
                _ => REFUSED,
            },
            Op::Discard => self.judge_ranges(op, self.info.discard, buffers, memory, ranges),
            Op::WriteZeroes => {
                self.judge_ranges(op, self.info.write_zeroes, buffers, memory, ranges)
            }
        }
    }

    fn judge_transfer<R>(
        &self,
        op: Op,
        sector: u64,
        buffers: &Buffers,
        memory: &ClientMemory<R>,
    ) -> Verdict {
        let data = if op.device_writes() { &buffers.writable } else { &buffers.readable };
        let bytes = data.bytes();
        let sectors = u64::from(bytes) / SECTOR_SIZE;
        let extents = data.extents();
        let too_large = self.size_max.is_some_and(|max| extents.iter().any(|e| e.len > max))
            || self.seg_max.is_some_and(|max| extents.len() > max as usize);
        let whole_blocks = bytes != 0
            && bytes.is_multiple_of(self.info.block_size)
            && self.is_block_aligned(sector);
        if too_large || !whole_blocks || !data.is_mapped(memory) {
            return REFUSED;
        }
        match self.window.locate(sector, sectors) {
            Some(sector) => Verdict::Submit(Job { op, sector, bytes }),
            None => REFUSED,
        }
    }

    fn is_block_aligned(&self, sectors: u64) -> bool {
        sectors.is_multiple_of(u64::from(self.info.block_size) / SECTOR_SIZE)
    }

    /// Copies the ranges out of the client's memory and checks the copy.
    fn judge_ranges<R>(
        &self,
        op: Op,
        limits: Option<DiscardLimits>,
        buffers: &mut Buffers,
        memory: &ClientMemory<R>,
        ranges: &mut Vec<SectorRange>,
    ) -> Verdict {
        let Some(limits) = limits else {
            return UNSUPPORTED;
        };
        ranges.clear();
        let data = &mut buffers.readable;
        let count = data.bytes() as usize / DISCARD_SEGMENT_SIZE;
        let max = (config::ranges_max(&limits) as usize).min(MAX_RANGES);
        let whole = data.bytes().is_multiple_of(DISCARD_SEGMENT_SIZE as u32);
        if !whole || count == 0 || count > max {
            return REFUSED;
        }
        for _ in 0..count {
            let mut raw = [0; DISCARD_SEGMENT_SIZE];
            if data.take(memory, &mut raw).is_none() {
                return REFUSED;
            }
            match self.judge_range(op, &limits, raw) {
                Ok(range) => ranges.push(range),
                Err(status) => return Verdict::Answer(status, 0),
            }
        }
        Verdict::Submit(Job { op, sector: 0, bytes: 0 })
    }

    /// Checks one range. Flags that the specification does not know, or not for this operation,
    /// make the request unsupported (5.2.6.2).
    fn judge_range(
        &self,
        op: Op,
        limits: &DiscardLimits,
        raw: [u8; DISCARD_SEGMENT_SIZE],
    ) -> Result<SectorRange, Status> {
        let raw = u128::from_le_bytes(raw);
        let (sector, sectors, flags) = (raw as u64, (raw >> 64) as u32, (raw >> 96) as u32);
        let known = if op == Op::WriteZeroes { WRITE_ZEROES_F_UNMAP } else { 0 };
        if flags & !known != 0 {
            return Err(Status::Unsupp);
        }
        let aligned = self.is_block_aligned(sector) && self.is_block_aligned(u64::from(sectors));
        if sectors == 0 || sectors > limits.max_sectors || !aligned {
            return Err(Status::IoErr);
        }
        let sector = self.window.locate(sector, u64::from(sectors)).ok_or(Status::IoErr)?;
        let unmap = flags & WRITE_ZEROES_F_UNMAP != 0 && limits.may_unmap;
        Ok(SectorRange { sector, sectors, unmap })
    }
}
