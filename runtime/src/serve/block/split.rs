//! Cutting a request into pieces that the device can take.
//!
//! What a client sees as one buffer may be several DMA runs, and a request may so need more
//! segments than the device takes at once. It is then cut into parts, each a whole number of
//! blocks.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::buffers::Extent;
use crate::mem::DmaSegment;
use crate::serve::memory::ClientMemory;

/// Most bytes of a part: keeps all sums in 32 bits.
const PART_MAX: u32 = 1 << 30;

/// What the device takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartLimits {
    /// Most segments.
    pub segments: usize,
    /// Most bytes of a segment.
    pub segment_bytes: u32,
    /// Size of a block: a power of two.
    pub block: u32,
}

/// How far a request has been cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    extent: usize,
    offset: u32,
}

impl Cursor {
    /// The next piece of memory and everything after it.
    fn rest(self, extents: &[Extent]) -> impl Iterator<Item = Extent> {
        let rest = extents.get(self.extent..).unwrap_or(&[]);
        let mut skip = self.offset;
        rest.iter().filter_map(move |e| {
            let skipped = core::mem::take(&mut skip).min(e.len);
            let len = e.len - skipped;
            (len > 0).then(|| Extent { addr: e.addr + u64::from(skipped), len })
        })
    }

    /// Moves on by `bytes`.
    pub fn advance(&mut self, extents: &[Extent], mut bytes: u32) {
        while let Some(e) = extents.get(self.extent) {
            let left = e.len - self.offset;
            if bytes < left {
                self.offset += bytes;
                return;
            }
            bytes -= left;
            self.extent += 1;
            self.offset = 0;
        }
    }
}

/// Collects the segments of the part that starts at `cursor` in `out`, and returns its size in
/// bytes, a multiple of the block size. `None` if not even one block can be had: it is spread
/// over more pieces than the device takes, or is not in registered memory.
///
/// `out` must have room for `limits.segments`; it is not made larger.
pub(super) fn next_part<R>(
    memory: &ClientMemory<R>,
    extents: &[Extent],
    cursor: Cursor,
    limits: &PartLimits,
    out: &mut Vec<DmaSegment>,
) -> Option<u32> {
    out.clear();
    let mut bytes = 0;
    let mut full = false;
    for extent in cursor.rest(extents) {
        let len = u64::from(extent.len.min(PART_MAX - bytes));
        let add = |segment: DmaSegment| {
            full = !add_segment(out, segment, limits);
            if full {
                return ControlFlow::Break(());
            }
            bytes += segment.len;
            ControlFlow::Continue(())
        };
        memory.dma_segments(extent.addr, len, limits.segment_bytes, add).ok()?;
        if full || bytes == PART_MAX {
            break;
        }
    }
    let excess = bytes & (limits.block - 1);
    trim(out, excess);
    (bytes > excess).then(|| bytes - excess)
}

/// Adds a segment, joined to the last one if the device sees them in one row. `false` if there is
/// no room.
fn add_segment(out: &mut Vec<DmaSegment>, segment: DmaSegment, limits: &PartLimits) -> bool {
    if let Some(last) = out.last_mut()
        && last.addr.checked_add(u64::from(last.len)) == Some(segment.addr)
        && last.len.checked_add(segment.len).is_some_and(|sum| sum <= limits.segment_bytes)
    {
        last.len += segment.len;
        return true;
    }
    let room = out.len() < limits.segments;
    if room {
        out.push(segment);
    }
    room
}

/// Cuts `excess` bytes off the end.
fn trim(out: &mut Vec<DmaSegment>, mut excess: u32) {
    while excess > 0
        && let Some(last) = out.last_mut()
    {
        let n = last.len.min(excess);
        last.len -= n;
        excess -= n;
        if last.len == 0 {
            out.pop();
        }
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
