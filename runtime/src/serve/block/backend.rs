//! What a block server needs of the driver of a disk.

use alloc::boxed::Box;

use crate::mem::DmaSegment;
pub use crate::virtio::block::{Completion, SectorRange, SubmitError};
use crate::virtio::spec::block::{Info, Op};

/// A driver of one disk, as a server sees it: requests go in by [`submit`](Self::submit) without
/// blocking, and come out of [`complete`](Self::complete) in any order.
pub trait Backend {
    /// Properties of the disk. The server offers them to clients when they connect.
    fn info(&self) -> &Info;

    /// How many requests can be in flight at most; fixed.
    fn depth(&self) -> usize;

    /// Stages a read, write or flush. The device need not see it before [`publish`](Self::publish).
    ///
    /// `sector` counts 512 bytes. A read or write has between 1 and `seg_max` segments of at most
    /// `size_max` bytes, together a multiple of the block size, and at most 2^30 bytes; it is
    /// inside the capacity. A flush has none. `tag` is not in use by another request. The device
    /// uses the segments until the request completes.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`]. The request is not staged then.
    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        segments: &[DmaSegment],
        tag: u32,
    ) -> Result<(), SubmitError>;

    /// Stages a discard or write-zeroes. The ranges are not in the client's memory any more; the
    /// driver copies them to where the device reads them.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`]. The request is not staged then.
    fn submit_ranges(
        &mut self,
        op: Op,
        ranges: &[SectorRange],
        tag: u32,
    ) -> Result<(), SubmitError>;

    /// Shows everything staged to the device, with at most one notification.
    fn publish(&mut self);

    /// Hands over everything that has completed.
    fn complete(&mut self, sink: &mut dyn FnMut(Completion));

    /// Asks the device not to interrupt (`true`), or to do so again (`false`).
    ///
    /// `false` includes a full fence: a completion that came without an interrupt is seen by the
    /// next call of [`complete`](Self::complete).
    fn quiet(&mut self, quiet: bool);

    /// Whether the device is dead: what is in flight will never complete.
    ///
    /// Must not be true before the device has been reset or cut off from memory, as clients may
    /// use their memory for something else once their requests have failed.
    fn gone(&self) -> bool;

    /// Interrupt number `number` of the device has arrived: does what makes the device take it
    /// back. What has completed is asked for separately.
    fn interrupt(&mut self, number: usize);

    /// How often the device was notified so far.
    fn notifications(&self) -> u64;
}

impl<B: Backend + ?Sized> Backend for Box<B> {
    fn info(&self) -> &Info {
        (**self).info()
    }

    fn depth(&self) -> usize {
        (**self).depth()
    }

    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        segments: &[DmaSegment],
        tag: u32,
    ) -> Result<(), SubmitError> {
        (**self).submit(op, sector, segments, tag)
    }

    fn submit_ranges(
        &mut self,
        op: Op,
        ranges: &[SectorRange],
        tag: u32,
    ) -> Result<(), SubmitError> {
        (**self).submit_ranges(op, ranges, tag)
    }

    fn publish(&mut self) {
        (**self).publish();
    }

    fn complete(&mut self, sink: &mut dyn FnMut(Completion)) {
        (**self).complete(sink);
    }

    fn quiet(&mut self, quiet: bool) {
        (**self).quiet(quiet);
    }

    fn gone(&self) -> bool {
        (**self).gone()
    }

    fn interrupt(&mut self, number: usize) {
        (**self).interrupt(number);
    }

    fn notifications(&self) -> u64 {
        (**self).notifications()
    }
}
