//! The data path: from the client's queue to the device and back.

use super::{Client, Request};
use crate::mem::SharedMem;
use crate::serve::block::parts::{Part, Parts};
use crate::serve::block::request::{Job, Verdict};
use crate::serve::block::split::{Cursor, next_part};
use crate::serve::block::{Backend, SubmitError};
use crate::serve::client_mem::MemoryOwner;
use crate::serve::device::Failure;
use crate::serve::ring::RingError;
use crate::virtio::spec::block::{Op, SECTOR_SIZE, Status};

/// The way to the device.
pub(in crate::serve::block) struct Port<'a, B> {
    pub backend: &'a mut B,
    pub parts: &'a mut Parts,
    /// Counts what has been staged.
    pub staged: u32,
}

/// How far a client has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve::block) enum Progress {
    /// Its queue is empty, or it is not served.
    Idle,
    /// Its turn is over; there may be more.
    More,
    /// The device takes nothing more before something completes.
    Full,
}

/// The request that is being given to the device, part by part.
#[derive(Debug)]
pub(super) struct Pending {
    pub head: u16,
    op: Op,
    sector: u64,
    /// Bytes not yet given to the device.
    left: u32,
    cursor: Cursor,
}

/// How giving a part to the device ended.
enum Step {
    Taken,
    Full,
    Failed,
}

impl<R: MemoryOwner> Client<R> {
    /// Takes requests from the queue and gives them to the device, until the queue is empty, the
    /// device is full or `budget` is used up. Each part and each request that is answered without
    /// the device costs one.
    pub fn advance<B: Backend>(&mut self, port: &mut Port<'_, B>, budget: &mut u32) -> Progress {
        let mut taken = 0;
        if self.has_requests() && self.memory.is_lost() {
            // The device would get addresses of memory that may be somebody else's by now.
            self.fail(Failure::MemoryLost);
        }
        let progress = loop {
            if *budget == 0 {
                break Progress::More;
            }
            if self.pending.is_none() {
                match self.take_request() {
                    Ok(true) => taken += 1,
                    Ok(false) => break Progress::Idle,
                    Err(e) => {
                        self.fail(Failure::Ring(e));
                        break Progress::Idle;
                    }
                }
            }
            if self.pending.is_some() && !self.submit_part(port) {
                break Progress::Full;
            }
            *budget -= 1;
        };
        let progress = match self.submit_flush(port) {
            true => progress,
            false => Progress::Full,
        };
        self.note_batch(taken, progress);
        progress
    }

    /// Whether there is anything for the device. What is wrong with the queue is found when it is
    /// read.
    fn has_requests(&mut self) -> bool {
        let available = self.ring.as_mut().is_some_and(|ring| ring.has_available() == Ok(true));
        available || self.pending.is_some()
    }

    fn note_batch(&mut self, taken: u32, progress: Progress) {
        self.counters.requests += u64::from(taken);
        self.counters.batch(taken);
        let spurious = taken == 0 && progress == Progress::Idle;
        if core::mem::take(&mut self.kicked) && spurious {
            self.counters.spurious_kicks += 1;
        }
        self.counters.busy += u64::from(progress == Progress::Full);
    }

    /// Takes the next request from the queue: it is then `pending`, or answered already. `false`
    /// if there is none.
    fn take_request(&mut self) -> Result<bool, RingError> {
        let Some(ring) = &mut self.ring else {
            return Ok(false);
        };
        let Some(head) = ring.pop()? else {
            return Ok(false);
        };
        // There is something to do, so the client need not tell us when there is more.
        ring.set_quiet(true);
        let slot = self.requests.get(usize::from(head));
        if slot.is_none_or(Option::is_some) {
            return Err(RingError::HeadInUse(head));
        }
        self.buffers.gather(ring.chain(head, &self.memory))?;
        let status_byte = self.buffers.take_status(&self.memory)?;
        match self.disk.judge(&mut self.buffers, &self.memory, &mut self.ranges) {
            Verdict::Answer(status, written) => self.answer(head, status_byte, status, written),
            Verdict::Submit(job) => self.accept(head, status_byte, &job),
        }
        Ok(true)
    }

    fn accept(&mut self, head: u16, status_byte: SharedMem, job: &Job) {
        let request = Request {
            op: job.op,
            status_byte,
            bytes: job.bytes,
            status: Status::Ok,
            outstanding: 0,
            staging: true,
        };
        if let Some(slot) = self.requests.get_mut(usize::from(head)) {
            *slot = Some(request);
        }
        self.in_flight += 1;
        self.counters.max_in_flight = self.counters.max_in_flight.max(self.in_flight);
        let Job { op, sector, bytes } = *job;
        self.pending = Some(Pending { head, op, sector, left: bytes, cursor: Cursor::default() });
    }

    /// Gives the next part of the pending request to the device. `false` if the device is full.
    fn submit_part<B: Backend>(&mut self, port: &mut Port<'_, B>) -> bool {
        let Some(mut pending) = self.pending.take() else {
            return true;
        };
        match self.stage(&mut pending, port) {
            Step::Taken if pending.left == 0 => self.end_staging(pending.head),
            Step::Taken => self.pending = Some(pending),
            Step::Failed => {
                if let Some(request) = self.request(pending.head) {
                    request.status = Status::IoErr;
                }
                self.end_staging(pending.head);
            }
            Step::Full => {
                self.pending = Some(pending);
                return false;
            }
        }
        true
    }

    fn stage<B: Backend>(&mut self, pending: &mut Pending, port: &mut Port<'_, B>) -> Step {
        let Pending { head, op, sector, cursor, .. } = *pending;
        let data = if op.device_writes() { &self.buffers.writable } else { &self.buffers.readable };
        let bytes = if pending.left == 0 {
            self.segments.clear();
            0
        } else {
            let extents = data.extents();
            match next_part(&self.memory, extents, cursor, &self.limits, &mut self.segments) {
                Some(bytes) => bytes,
                None => return Step::Failed,
            }
        };
        let part = Part { client: self.index, head: Some(head), bytes };
        let Some(tag) = port.parts.take(part) else {
            return Step::Full;
        };
        let taken = match op {
            Op::Discard | Op::WriteZeroes => port.backend.submit_ranges(op, &self.ranges, tag),
            _ => port.backend.submit(op, sector, &self.segments, tag),
        };
        if let Err(e) = taken {
            port.parts.release(tag);
            // A device that is full of nothing would never call us back.
            let wait = e == SubmitError::Busy && !port.parts.is_empty();
            return if wait { Step::Full } else { Step::Failed };
        }
        pending.cursor.advance(data.extents(), bytes);
        pending.sector += u64::from(bytes) / SECTOR_SIZE;
        pending.left -= bytes;
        port.staged += 1;
        self.outstanding += 1;
        self.counters.parts += 1;
        if let Some(request) = self.request(head) {
            request.outstanding += 1;
        }
        Step::Taken
    }

    /// Sends a flush for the writes that wait for one. One at a time: those that complete meanwhile
    /// share the next. `false` if the device is full.
    fn submit_flush<B: Backend>(&mut self, port: &mut Port<'_, B>) -> bool {
        if self.unflushed.is_empty() || !self.flushing.is_empty() {
            return true;
        }
        let part = Part { client: self.index, head: None, bytes: 0 };
        let Some(tag) = port.parts.take(part) else {
            return false;
        };
        if let Err(e) = port.backend.submit(Op::Flush, 0, &[], tag) {
            port.parts.release(tag);
            if e == SubmitError::Busy && !port.parts.is_empty() {
                return false;
            }
            core::mem::swap(&mut self.unflushed, &mut self.flushing);
            self.flushed(Status::IoErr);
            return true;
        }
        core::mem::swap(&mut self.unflushed, &mut self.flushing);
        port.staged += 1;
        self.outstanding += 1;
        self.counters.flushes += 1;
        true
    }

    /// A flush has ended: so have the writes that waited for it.
    fn flushed(&mut self, status: Status) {
        while let Some(head) = self.flushing.pop() {
            if status != Status::Ok
                && let Some(request) = self.request(head)
            {
                request.status = status;
            }
            self.finish(head);
        }
    }

    fn request(&mut self, head: u16) -> Option<&mut Request> {
        self.requests.get_mut(usize::from(head))?.as_mut()
    }

    /// The device has been given all of a request, or is not to be given more of it.
    pub(super) fn end_staging(&mut self, head: u16) {
        if let Some(request) = self.request(head) {
            request.staging = false;
            self.finish_if_done(head);
        }
    }

    /// The device has finished a part of the request at `head`, or a flush.
    pub fn complete(&mut self, head: Option<u16>, status: Status) {
        self.outstanding = self.outstanding.saturating_sub(1);
        let Some(head) = head else {
            self.flushed(status);
            return;
        };
        let Some(request) = self.request(head) else {
            return;
        };
        request.outstanding = request.outstanding.saturating_sub(1);
        if status != Status::Ok {
            request.status = status;
        }
        self.finish_if_done(head);
    }

    fn finish_if_done(&mut self, head: u16) {
        let done = self.request(head).filter(|r| r.outstanding == 0 && !r.staging);
        let Some(request) = done else {
            return;
        };
        let write = matches!(request.op, Op::Write | Op::WriteZeroes);
        if write && request.status == Status::Ok && self.write_through && self.ring.is_some() {
            // Room for each head by construction, and each is in flight once.
            self.unflushed.push(head);
        } else {
            self.finish(head);
        }
    }

    /// Answers the request at `head`.
    fn finish(&mut self, head: u16) {
        let Some(request) = self.requests.get_mut(usize::from(head)).and_then(Option::take) else {
            return;
        };
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.ring.is_none() {
            // The client has reset, gone or failed meanwhile: its memory is not ours to write.
            return;
        }
        let done = request.status == Status::Ok;
        let bytes = u64::from(request.bytes);
        match request.op {
            Op::Read if done => self.counters.bytes_read += bytes,
            Op::Write if done => self.counters.bytes_written += bytes,
            _ => {}
        }
        let written = if done && request.op.device_writes() { request.bytes } else { 0 };
        self.answer(head, request.status_byte, request.status, written);
    }

    /// Writes the status and notes the chain as used. The client sees it with the next
    /// publication.
    ///
    /// Where the data are in doubt only the status byte counts as written.
    fn answer(&mut self, head: u16, status_byte: SharedMem, status: Status, written: u32) {
        self.counters.errors += u64::from(status != Status::Ok);
        // One byte by construction.
        let _ = status_byte.write_u8(0, status as u8);
        if let Some(ring) = &mut self.ring {
            ring.push_used(head, written.saturating_add(1));
        }
    }
}
