//! Moving a range of a disk with many requests in flight, in the order of the range.

use alloc::vec;
use core::fmt;

use l4re_runtime::Error;
use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::client::Disk;
use l4re_runtime::mem::SharedMem;
use l4re_runtime::virtio::block::{Completion, SubmitError};
use l4re_runtime::virtio::spec::block::{Op, SECTOR_SIZE, Status};

/// How long to wait for an answer before the server counts as stuck.
const PATIENCE: Timeout = Timeout::from_micros(600_000_000);

/// What takes requests; [`Disk`] outside of tests.
pub trait Requests {
    /// Memory for data.
    fn data(&self) -> SharedMem<'_>;

    /// Stages a request, see [`Disk::submit`].
    ///
    /// # Errors
    ///
    /// As there.
    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        offset: usize,
        len: u32,
        tag: u32,
    ) -> Result<(), SubmitError>;

    /// Shows everything staged.
    fn publish(&mut self);

    /// Hands over what has completed.
    fn complete(&mut self, sink: &mut dyn FnMut(Completion));

    /// Waits for an interrupt.
    ///
    /// # Errors
    ///
    /// If none comes.
    fn wait(&mut self, timeout: Timeout) -> Result<(), Error>;
}

impl Requests for Disk {
    fn data(&self) -> SharedMem<'_> {
        Disk::data(self)
    }

    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        offset: usize,
        len: u32,
        tag: u32,
    ) -> Result<(), SubmitError> {
        Disk::submit(self, op, sector, offset, len, tag)
    }

    fn publish(&mut self) {
        Disk::publish(self);
    }

    fn complete(&mut self, sink: &mut dyn FnMut(Completion)) {
        Disk::complete(self, sink);
    }

    fn wait(&mut self, timeout: Timeout) -> Result<(), Error> {
        Disk::wait(self, timeout)
    }
}

/// What to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// [`Op::Read`] or [`Op::Write`].
    pub op: Op,
    /// First sector.
    pub first: u64,
    /// Number of sectors.
    pub sectors: u64,
    /// Bytes of a request, a multiple of the block size; the last one can be shorter.
    pub chunk: u32,
    /// Most requests in flight; `depth * chunk` bytes of memory for data are used.
    pub depth: usize,
}

/// Why a transfer did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferError<E> {
    /// The driver refuses the request for this sector.
    Refused(u64, SubmitError),
    /// The request for this sector ended so.
    Status(u64, Status),
    /// No answer, or a device that needs a reset.
    Stuck(Error),
    /// The caller does not like the data.
    Data(E),
}

impl<E: fmt::Display> fmt::Display for TransferError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransferError::Refused(sector, e) => {
                write!(f, "request for sector {sector} is refused: {e:?}")
            }
            TransferError::Status(sector, s) => write!(f, "request for sector {sector}: {s}"),
            TransferError::Stuck(e) => write!(f, "no answer from the disk: {e}"),
            TransferError::Data(e) => e.fmt(f),
        }
    }
}

impl Plan {
    fn requests(&self) -> u64 {
        (self.sectors * SECTOR_SIZE).div_ceil(self.chunk.into())
    }

    /// Position in bytes and length of request `n`.
    fn request(&self, n: u64) -> (u64, u32) {
        let at = n * u64::from(self.chunk);
        let left = self.sectors * SECTOR_SIZE - at;
        let len = left.min(self.chunk.into()) as u32;
        (self.first * SECTOR_SIZE + at, len)
    }

    fn slot(&self, n: u64) -> usize {
        (n % self.depth as u64) as usize
    }

    /// Moves the data. `visit` gets the position in bytes and the memory of each request, in
    /// order: of a write before it is sent (again if there was no room for it), of a read when it
    /// has completed.
    ///
    /// # Errors
    ///
    /// See [`TransferError`]. Requests may be in flight then.
    pub fn run<E>(
        &self,
        disk: &mut impl Requests,
        mut visit: impl FnMut(u64, SharedMem<'_>) -> Result<(), E>,
    ) -> Result<(), TransferError<E>> {
        let mut done = vec![false; self.depth];
        let (mut staged, mut taken) = (0, 0);
        while taken < self.requests() {
            staged = self.stage(disk, staged, taken, &mut visit)?;
            disk.publish();
            let failed = collect(disk, &mut done);
            if let Some((slot, status)) = failed {
                let n = (taken..staged).find(|n| self.slot(*n) == slot).unwrap_or(taken);
                return Err(TransferError::Status(self.request(n).0 / SECTOR_SIZE, status));
            }
            let before = taken;
            while taken < staged && core::mem::take(&mut done[self.slot(taken)]) {
                if self.op == Op::Read {
                    let position = self.request(taken).0;
                    visit(position, self.memory(disk, taken)?).map_err(TransferError::Data)?;
                }
                taken += 1;
            }
            if taken == before {
                disk.wait(PATIENCE).map_err(TransferError::Stuck)?;
            }
        }
        Ok(())
    }

    /// Stages as many requests as there is room for; returns how many are staged in all.
    fn stage<E>(
        &self,
        disk: &mut impl Requests,
        mut staged: u64,
        taken: u64,
        visit: &mut impl FnMut(u64, SharedMem<'_>) -> Result<(), E>,
    ) -> Result<u64, TransferError<E>> {
        while staged < self.requests() && staged - taken < self.depth as u64 {
            let (position, len) = self.request(staged);
            if self.op == Op::Write {
                visit(position, self.memory(disk, staged)?).map_err(TransferError::Data)?;
            }
            let (slot, sector) = (self.slot(staged), position / SECTOR_SIZE);
            match disk.submit(self.op, sector, slot * self.chunk as usize, len, slot as u32) {
                Ok(()) => staged += 1,
                Err(SubmitError::Busy) if staged > taken => break,
                Err(e) => return Err(TransferError::Refused(sector, e)),
            }
        }
        Ok(staged)
    }

    /// The memory of request `n`.
    fn memory<'d, E>(
        &self,
        disk: &'d impl Requests,
        n: u64,
    ) -> Result<SharedMem<'d>, TransferError<E>> {
        let (position, len) = self.request(n);
        let window = disk.data().slice(self.slot(n) * self.chunk as usize, len as usize);
        window.ok_or(TransferError::Refused(position / SECTOR_SIZE, SubmitError::Invalid))
    }
}

/// Notes what has completed; yields tag and status of a request that failed.
fn collect(disk: &mut impl Requests, done: &mut [bool]) -> Option<(usize, Status)> {
    let mut failed = None;
    disk.complete(&mut |c: Completion| {
        let slot = c.tag as usize;
        if c.status != Status::Ok {
            failed = Some((slot, c.status));
        }
        if let Some(d) = done.get_mut(slot) {
            *d = true;
        }
    });
    failed
}

#[cfg(test)]
mod tests;
