//! The memory that a client has registered: where its device addresses are in our address space
//! and in the device's.
//!
//! A client names memory by *device addresses* of its own choice. For each dataspace that it
//! registers there is one [region](ClientMemory::register) with a window through which the server
//! reads and writes, and with the list of *runs* through which the device does: parts that are
//! contiguous in the device's DMA address space. Everything is mapped once, at registration; a
//! request costs a look-up and no system call.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::ops::ControlFlow;

use crate::mem::{DmaRun, DmaSegment, SharedMem};

/// Largest number of dataspaces that a server may grant to a client.
pub const DS_MAX: usize = 256;

/// Why a dataspace was not taken into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterError {
    /// The client has registered as many dataspaces as it may.
    Full,
    /// The range has no bytes.
    Empty,
    /// The range goes past the end of the address space.
    Overflow,
    /// The range overlaps one that is registered already.
    Overlap,
    /// The runs do not cover the region without gaps and in order.
    BadRuns,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RegisterError::Full => "no room for a further dataspace (see ds-max)",
            RegisterError::Empty => "empty range",
            RegisterError::Overflow => "range goes past the end of the address space",
            RegisterError::Overlap => "range overlaps a registered dataspace",
            RegisterError::BadRuns => "DMA runs do not cover the range",
        })
    }
}

impl core::error::Error for RegisterError {}

impl From<RegisterError> for crate::Error {
    fn from(e: RegisterError) -> Self {
        match e {
            RegisterError::Full => crate::Error::NOMEM,
            RegisterError::Overlap => crate::Error::EXIST,
            _ => crate::Error::INVAL,
        }
    }
}

/// What keeps a registered dataspace mapped.
pub trait MemoryOwner {
    /// Whether the dataspace was taken away from the client, so that its memory may be somebody
    /// else's. Asked for each batch of requests, before the device is told any address.
    fn is_lost(&self) -> bool;
}

/// Memory that stays.
impl MemoryOwner for () {
    fn is_lost(&self) -> bool {
        false
    }
}

/// An address range that no registered dataspace covers completely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMapped;

struct Region<R> {
    base: u64,
    window: SharedMem<'static>,
    runs: Box<[DmaRun]>,
    /// The run that the last look-up ended in; requests tend to be neighbours.
    last_run: Cell<usize>,
    /// Keeps the window and the DMA mapping alive.
    owner: R,
}

impl<R> Region<R> {
    fn len(&self) -> u64 {
        self.window.len() as u64
    }

    /// Offset of `addr` in the region if `len` bytes from there are inside.
    fn offset_of(&self, addr: u64, len: u64) -> Option<u64> {
        let offset = addr.checked_sub(self.base)?;
        (offset < self.len() && len <= self.len() - offset).then_some(offset)
    }

    /// Index of the run that holds `offset`, which must be inside the region.
    fn run_of(&self, offset: u64) -> usize {
        let last = self.last_run.get();
        let hit = self.runs.get(last).is_some_and(|r| offset.wrapping_sub(r.offset) < r.len);
        if hit {
            return last;
        }
        self.runs.partition_point(|r| r.offset <= offset).saturating_sub(1)
    }
}

/// The table of one client's registered dataspaces.
///
/// `R` owns whatever keeps a region usable: the mapping into our address space and the mapping
/// into the device's. It is dropped together with the entry, so an entry must not be dropped
/// while a device may still access it.
pub struct ClientMemory<R> {
    /// Sorted by base, never overlapping.
    regions: Vec<Region<R>>,
    limit: usize,
    last: Cell<usize>,
}

impl<R> ClientMemory<R> {
    /// A table for up to `limit` dataspaces; `limit` is brought into `1..=`[`DS_MAX`].
    pub fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, DS_MAX);
        Self { regions: Vec::with_capacity(limit), limit, last: Cell::new(0) }
    }

    /// Number of registered dataspaces.
    pub fn len(&self) -> usize {
        self.regions.len()
    }

    /// Whether nothing is registered.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Takes a dataspace into the table: `window` appears to the client at device address `base`.
    ///
    /// `runs` must cover the window without gaps, in ascending order; neighbours that are
    /// contiguous for the device are joined. `owner` is dropped at once if the dataspace is
    /// refused.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn register(
        &mut self,
        base: u64,
        window: SharedMem<'static>,
        runs: &[DmaRun],
        owner: R,
    ) -> Result<(), RegisterError> {
        let place = self.place_for(base, window.len() as u64)?;
        let runs = join_runs(runs, window.len() as u64).ok_or(RegisterError::BadRuns)?;
        let region = Region { base, window, runs, last_run: Cell::new(0), owner };
        self.regions.insert(place, region);
        Ok(())
    }

    /// Whether a range could be registered, before anything is mapped for it.
    ///
    /// # Errors
    ///
    /// Those of [`register`](Self::register), except [`RegisterError::BadRuns`].
    pub fn check(&self, base: u64, len: u64) -> Result<(), RegisterError> {
        self.place_for(base, len).map(|_| ())
    }

    /// Whether a range could be registered in an empty table, and where it ends.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Empty`] and [`RegisterError::Overflow`].
    pub(super) fn check_range(base: u64, len: u64) -> Result<u64, RegisterError> {
        if len == 0 {
            return Err(RegisterError::Empty);
        }
        base.checked_add(len).ok_or(RegisterError::Overflow)
    }

    fn place_for(&self, base: u64, len: u64) -> Result<usize, RegisterError> {
        let end = Self::check_range(base, len)?;
        if self.regions.len() >= self.limit {
            return Err(RegisterError::Full);
        }
        let place = self.regions.partition_point(|r| r.base < base);
        let before = place.checked_sub(1).and_then(|i| self.regions.get(i));
        let overlaps = before.is_some_and(|r| r.base + r.len() > base)
            || self.regions.get(place).is_some_and(|r| r.base < end);
        if overlaps { Err(RegisterError::Overlap) } else { Ok(place) }
    }

    /// Drops all entries and what they own.
    pub fn clear(&mut self) {
        self.regions.clear();
    }

    fn find(&self, addr: u64, len: u64) -> Result<(&Region<R>, u64), NotMapped> {
        if let Some(r) = self.regions.get(self.last.get())
            && let Some(offset) = r.offset_of(addr, len)
        {
            return Ok((r, offset));
        }
        let i = self.regions.partition_point(|r| r.base <= addr).checked_sub(1).ok_or(NotMapped)?;
        let r = self.regions.get(i).ok_or(NotMapped)?;
        let offset = r.offset_of(addr, len).ok_or(NotMapped)?;
        self.last.set(i);
        Ok((r, offset))
    }

    /// The window for `len` bytes at device address `addr`.
    ///
    /// The window must not be used any more once the table has been [cleared](Self::clear).
    ///
    /// # Errors
    ///
    /// [`NotMapped`] if the bytes are not all inside *one* registered dataspace.
    pub fn translate(&self, addr: u64, len: usize) -> Result<SharedMem<'static>, NotMapped> {
        let (region, offset) = self.find(addr, len as u64)?;
        // The offset is below the length of a window, which is a `usize`.
        region.window.slice(offset as usize, len).ok_or(NotMapped)
    }

    /// Whether any of the dataspaces was taken away. Costs a question for each.
    pub fn is_lost(&self) -> bool
    where
        R: MemoryOwner,
    {
        self.regions.iter().any(|region| region.owner.is_lost())
    }

    /// Whether `len` bytes at device address `addr` are inside one registered dataspace.
    pub fn contains(&self, addr: u64, len: u64) -> bool {
        self.find(addr, len).is_ok()
    }

    /// Hands the DMA segments of `len` bytes at device address `addr` to `sink`, in order, each at
    /// most `max_len` bytes long (at least one). `sink` ends the walk with `Break`.
    ///
    /// # Errors
    ///
    /// [`NotMapped`] if the bytes are not all inside one registered dataspace; `sink` has not been
    /// called then.
    pub fn dma_segments(
        &self,
        addr: u64,
        len: u64,
        max_len: u32,
        mut sink: impl FnMut(DmaSegment) -> ControlFlow<()>,
    ) -> Result<(), NotMapped> {
        let (region, mut offset) = self.find(addr, len)?;
        let end = offset + len;
        let mut index = region.run_of(offset);
        while offset < end {
            let run = region.runs.get(index).ok_or(NotMapped)?;
            let inside = offset - run.offset;
            let n = (run.len - inside).min(end - offset).min(u64::from(max_len.max(1)));
            // `n` is at most a `u32`.
            let segment = DmaSegment { addr: run.addr + inside, len: n as u32 };
            region.last_run.set(index);
            if sink(segment).is_break() {
                break;
            }
            offset += n;
            index += usize::from(inside + n == run.len);
        }
        Ok(())
    }
}

impl<R> fmt::Debug for ClientMemory<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.regions.iter().map(|r| (r.base, r.len(), r.runs.len()));
        f.debug_list().entries(ranges).finish()
    }
}

/// Checks that `runs` cover `len` bytes, and joins neighbours.
fn join_runs(runs: &[DmaRun], len: u64) -> Option<Box<[DmaRun]>> {
    let mut joined: Vec<DmaRun> = Vec::with_capacity(runs.len());
    let mut covered = 0;
    for run in runs {
        run.addr.checked_add(run.len)?;
        if run.len == 0 || run.offset != covered {
            return None;
        }
        covered = covered.checked_add(run.len)?;
        match joined.last_mut() {
            Some(last) if last.addr + last.len == run.addr => last.len += run.len,
            _ => joined.push(*run),
        }
    }
    (covered == len).then(|| joined.into_boxed_slice())
}

#[cfg(test)]
mod tests;
