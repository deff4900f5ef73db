//! A block device (virtio 1.2, 5.2), driven without blocking.
//!
//! Requests are submitted with tags, published together, and completed in any order. The data of a
//! request is named by its DMA addresses and never touched here; header and status byte live in
//! slots that are allocated at start-up. So a request costs no copy, no allocation and no mapping.

mod error;
mod info;
mod requests;
mod start;
#[cfg(test)]
mod tests;

use log::Level;
use virtio_drivers::transport::{InterruptStatus, Transport};

pub use self::error::{BlockError, SubmitError};
use self::requests::Requests;
use super::negotiate::{self, DEFAULT_POLLS};
use super::queue::{self, DeviceNonsense, Queue, StageError};
use super::spec::block::{DiscardLimits, Info, Op, SECTOR_SIZE, Status, Topology};
use crate::log::{Source, limited};
use crate::mem::DmaSegment;

/// The only queue that this driver uses.
const QUEUE: u16 = 0;

/// How to drive a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most descriptors of the queue, a power of two up to [`queue::MAX_SIZE`].
    pub queue_size: u16,
    /// Notifications by event index, if the device can.
    pub event_idx: bool,
    /// Indirect descriptor tables, if the device can.
    pub indirect: bool,
    /// Most status reads while the driver waits for a reset or for the identification string.
    pub polls: u32,
}

impl Default for Options {
    /// 256 descriptors, everything on, [`DEFAULT_POLLS`].
    fn default() -> Self {
        Self { queue_size: 256, event_idx: true, indirect: true, polls: DEFAULT_POLLS }
    }
}

/// Sectors that a discard or write-zeroes request names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SectorRange {
    /// First sector of 512 bytes.
    pub sector: u64,
    /// Number of sectors, not zero.
    pub sectors: u32,
    /// Write zeroes: the sectors may be unmapped.
    pub unmap: bool,
}

/// A request that the device has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The tag given to `submit`.
    pub tag: u32,
    /// How it ended.
    pub status: Status,
    /// Bytes of data that the device says it wrote; the status byte does not count.
    pub written: u32,
}

/// What an interrupt was about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interrupt {
    /// The device has used something, or says so.
    pub queue: bool,
    /// The capacity has changed; [`BlockDevice::info`] is up to date.
    pub config_changed: bool,
    /// The device is stuck until [`BlockDevice::reset_and_recover`].
    pub needs_reset: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    NeedsReset,
    /// The device is in reset, and there it stays.
    Gone,
}

/// A block device. See the [module](self).
#[derive(Debug)]
pub struct BlockDevice<T: Transport> {
    // The transport comes first: dropping it stops the device before its memory is freed.
    transport: T,
    queue: Queue,
    requests: Requests,
    info: Info,
    topology: Option<Topology>,
    wanted: u64,
    features: u64,
    polls: u32,
    state: State,
}

impl<T: Transport> BlockDevice<T> {
    /// Properties of the disk, checked: block size and limits can be computed with. Those without
    /// their feature negotiated are off, and limits never exceed what this driver can do.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// How the blocks lie on the medium, if the device says so.
    pub fn topology(&self) -> Option<Topology> {
        self.topology
    }

    /// The negotiated features.
    pub fn features(&self) -> u64 {
        self.features
    }

    /// Most requests in flight; fixed. Long requests may get [`SubmitError::Busy`] earlier if the
    /// device has no indirect descriptors.
    pub fn depth(&self) -> usize {
        self.requests.count()
    }

    /// Requests staged or in flight.
    pub fn in_flight(&self) -> u16 {
        self.queue.in_flight()
    }

    /// What the queue has done so far.
    pub fn counters(&self) -> queue::QueueCounters {
        self.queue.counters()
    }

    /// The transport, for what is none of this driver's business.
    pub fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Whether the device is dead: it is in reset, and nothing in flight is left.
    pub fn gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether the device waits for [`reset_and_recover`](Self::reset_and_recover).
    pub fn needs_reset(&self) -> bool {
        self.state == State::NeedsReset
    }

    /// Stages a read, write or flush. The device does not see it before
    /// [`publish`](Self::publish), and uses the memory of the segments until it completes.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Invalid`] if the request does not fit the disk as [`info`](Self::info)
    /// describes it; the others as they say.
    pub fn submit(
        &mut self,
        op: Op,
        sector: u64,
        segments: &[DmaSegment],
        tag: u32,
    ) -> Result<(), SubmitError> {
        self.check_running()?;
        match op {
            Op::Read => self.check_transfer(sector, segments)?,
            Op::Write if !self.info.read_only => self.check_transfer(sector, segments)?,
            Op::Flush if self.info.flush && segments.is_empty() => {}
            _ => return Err(SubmitError::Invalid),
        }
        // The sector of a flush is reserved (5.2.6.1).
        let sector = if op == Op::Flush { 0 } else { sector };
        let slot = self.requests.open(op, sector, Some(tag)).ok_or(SubmitError::Busy)?;
        let (header, status) = ([self.requests.header(slot)], [self.requests.status(slot)]);
        let token = slot.into();
        let staged = if op.device_writes() {
            self.queue.stage(&[&header], &[segments, &status], token)
        } else {
            self.queue.stage(&[&header, segments], &[&status], token)
        };
        self.staged(slot, staged)
    }

    /// Stages a discard or write-zeroes. The ranges are copied to where the device reads them.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn submit_ranges(
        &mut self,
        op: Op,
        ranges: &[SectorRange],
        tag: u32,
    ) -> Result<(), SubmitError> {
        self.check_running()?;
        let limits = match op {
            Op::Discard => self.info.discard,
            Op::WriteZeroes => self.info.write_zeroes,
            _ => None,
        };
        self.check_ranges(ranges, limits.ok_or(SubmitError::Invalid)?)?;
        // The sector of the header is reserved (5.2.6.1).
        let slot = self.requests.open(op, 0, Some(tag)).ok_or(SubmitError::Busy)?;
        let (header, status) = (self.requests.header(slot), self.requests.status(slot));
        let data = self.requests.store_ranges(slot, ranges);
        let staged = self.queue.stage(&[&[header, data]], &[&[status]], slot.into());
        self.staged(slot, staged)
    }

    fn staged(&mut self, slot: u16, result: Result<(), StageError>) -> Result<(), SubmitError> {
        result.map_err(|error| {
            self.requests.close(slot);
            match error {
                StageError::Full | StageError::Broken => SubmitError::Busy,
                StageError::Invalid => SubmitError::Invalid,
            }
        })
    }

    fn check_running(&self) -> Result<(), SubmitError> {
        match self.state {
            State::Running => Ok(()),
            State::NeedsReset => Err(SubmitError::Busy),
            State::Gone => Err(SubmitError::Gone),
        }
    }

    /// The driver requirements of 5.2.6.1.
    fn check_transfer(&self, sector: u64, segments: &[DmaSegment]) -> Result<(), SubmitError> {
        let info = &self.info;
        let bytes: u64 = segments.iter().map(|s| u64::from(s.len)).sum();
        let end = sector.checked_add(bytes / SECTOR_SIZE).ok_or(SubmitError::Invalid)?;
        let possible = !segments.is_empty()
            && segments.len() <= info.seg_max as usize
            && segments.iter().all(|s| s.len <= info.size_max)
            && bytes.is_multiple_of(info.block_size.into())
            && sector.is_multiple_of(u64::from(info.block_size) / SECTOR_SIZE)
            && end <= info.capacity;
        if possible { Ok(()) } else { Err(SubmitError::Invalid) }
    }

    fn check_ranges(
        &self,
        ranges: &[SectorRange],
        limits: DiscardLimits,
    ) -> Result<(), SubmitError> {
        let fits = |r: &SectorRange| {
            let end = r.sector.checked_add(r.sectors.into());
            r.sectors > 0
                && r.sectors <= limits.max_sectors
                && (!r.unmap || limits.may_unmap)
                && end.is_some_and(|end| end <= self.info.capacity)
        };
        let possible = !self.info.read_only
            && !ranges.is_empty()
            && ranges.len() <= limits.max_segments as usize
            && ranges.iter().all(fits);
        if possible { Ok(()) } else { Err(SubmitError::Invalid) }
    }

    /// Shows everything staged to the device, with at most one notification.
    pub fn publish(&mut self) {
        if self.queue.publish() {
            self.transport.notify(QUEUE);
        }
    }

    /// Acknowledges an interrupt and says what it was about. Completions are not looked at:
    /// [`complete`](Self::complete) should be called after every interrupt whatever it was about.
    pub fn handle_interrupt(&mut self) -> Interrupt {
        let isr = self.transport.ack_interrupt();
        let mut result = Interrupt {
            queue: isr.contains(InterruptStatus::QUEUE_INTERRUPT),
            ..Interrupt::default()
        };
        if isr.contains(InterruptStatus::DEVICE_CONFIGURATION_INTERRUPT) {
            result.config_changed = self.look_at_config();
        }
        result.needs_reset = self.needs_reset();
        result
    }

    /// The same for an interrupt that is known to be about the configuration: by a message of its
    /// own (4.1.5.1.2). There is nothing to acknowledge then.
    pub fn handle_config_interrupt(&mut self) -> Interrupt {
        let config_changed = self.look_at_config();
        Interrupt { queue: false, config_changed, needs_reset: self.needs_reset() }
    }

    /// A device that is stuck says so in the same way as one whose configuration changes (2.1.2).
    fn look_at_config(&mut self) -> bool {
        if self.state != State::Running {
            return false;
        }
        if negotiate::needs_reset(&self.transport) {
            self.state = State::NeedsReset;
            return false;
        }
        self.update_capacity()
    }

    /// Takes over a new capacity; one that makes no sense is not believed.
    fn update_capacity(&mut self) -> bool {
        let new = info::read(&self.transport, self.features)
            .and_then(|raw| raw.capacity(self.info.block_size));
        match new {
            Ok(capacity) if capacity != self.info.capacity => {
                self.info.capacity = capacity;
                true
            }
            Ok(_) => false,
            Err(e) => {
                limited(
                    Source::Device,
                    Level::Warn,
                    format_args!("block device changed to a configuration without sense: {e}"),
                );
                false
            }
        }
    }

    /// Hands over everything that has completed. Entries of the queue that make no sense are
    /// counted (see [`counters`](Self::counters)); after the worst kind the device needs a reset.
    pub fn complete(&mut self, sink: &mut dyn FnMut(Completion)) {
        while let Some(result) = self.queue.pop() {
            let (token, len) = match result {
                Ok(used) => (used.token, used.len),
                // L4Re's block servers count the data of a write here (2.7.8.2 forbids it). What
                // decides is the status byte, which a liar can write as well.
                Err(DeviceNonsense::Length { token, .. }) => (token, 0),
                Err(DeviceNonsense::Id(_)) => continue,
                Err(DeviceNonsense::Index { .. }) => break,
            };
            // Tokens come from the driver's own memory, so this one names a slot.
            let slot = token as u16;
            let status = self.requests.read_status(slot);
            let written = len.saturating_sub(1);
            if let Some(tag) = self.requests.close(slot).tag {
                sink(Completion { tag, status, written });
            }
        }
        if self.queue.is_broken() && self.state == State::Running {
            self.state = State::NeedsReset;
        }
    }

    /// Asks the device not to interrupt (`true`), or to do so again (`false`).
    ///
    /// Returns whether something completed meanwhile that may not have raised an interrupt; then
    /// [`complete`](Self::complete) has to be called.
    pub fn quiet(&mut self, quiet: bool) -> bool {
        self.queue.set_interrupts(!quiet)
    }

    /// Resets the device, fails everything that was in flight, and brings the device up again.
    ///
    /// # Errors
    ///
    /// If the device does not stop, nothing is failed, because it may still write to the memory of
    /// the requests; this may be tried again, or the device be cut off from memory, followed by
    /// [`abandon`](Self::abandon). If it stops but does not come up again, it is
    /// [`gone`](Self::gone).
    pub fn reset_and_recover(
        &mut self,
        sink: &mut dyn FnMut(Completion),
    ) -> Result<(), BlockError> {
        self.state = State::NeedsReset;
        negotiate::reset(&mut self.transport, self.polls)?;
        self.abandon(sink);
        let result = self.restart();
        match result {
            Ok(()) => self.state = State::Running,
            // Whether this reset works does not matter: the device has no request to write to.
            Err(_) => drop(negotiate::reset(&mut self.transport, self.polls)),
        }
        result
    }

    /// Fails everything in flight and gives up the device, which must not be able to access
    /// memory any more.
    pub fn abandon(&mut self, sink: &mut dyn FnMut(Completion)) {
        self.state = State::Gone;
        let requests = &self.requests;
        self.queue.abandon(&mut |token| {
            if let Some(tag) = requests.entry(token as u16).tag {
                sink(Completion { tag, status: Status::IoErr, written: 0 });
            }
        });
        self.requests.clear();
    }
}

impl<T: Transport> Drop for BlockDevice<T> {
    /// Stops the device. If it does not stop, its DMA memory is never used for anything else.
    fn drop(&mut self) {
        if let Err(e) = negotiate::reset(&mut self.transport, self.polls) {
            log::warn!("{e}; its memory is not freed");
            self.queue.leak();
            self.requests.leak();
        }
    }
}
