//! The requests of one client: from its queue to the device and back.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::backend::{Backend, SubmitError};
use super::buffers::Buffers;
use super::class::{BlockOptions, Port, QUEUE};
use super::parts::Part;
use super::request::{Disk, Job, Verdict};
use super::split::{Cursor, PartLimits, next_part};
use super::{MAX_RANGES, SectorRange, config};
use crate::mem::{DmaSegment, SharedMem};
use crate::serve::class::Progress;
use crate::serve::client::Queues;
use crate::serve::ring::RingError;
use crate::serve::transport::Features;
use crate::virtio::spec::block::{Info, Op, SECTOR_SIZE, Status, feature};

/// Most segments of a part, whatever the device takes: bounds what is allocated for a client.
const SEGMENTS_MAX: u32 = 1024;

/// A request between being taken from the queue and being answered.
#[derive(Debug)]
struct Request {
    op: Op,
    /// Where the answer goes.
    status_byte: SharedMem<'static>,
    /// Bytes of data.
    bytes: u32,
    /// The worst that any part has reported.
    status: Status,
    /// Parts that are with the device.
    outstanding: u32,
    /// There are parts that the device has not been given yet.
    staging: bool,
}

/// The request that is being given to the device, part by part.
#[derive(Debug)]
struct Pending {
    head: u16,
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

/// What the class keeps of one client.
#[derive(Debug)]
pub struct BlockSession {
    disk: Disk,
    queue_size: u16,
    limits: PartLimits,
    /// One slot for each possible head of a chain.
    requests: Box<[Option<Request>]>,
    in_flight: u32,
    /// The request that is being given to the device; its data are in `buffers` or `ranges`.
    pending: Option<Pending>,
    /// The client has not negotiated `FLUSH` although it was offered: each of its writes has to be
    /// stable when it is answered (virtio 1.2, 5.2.6.2).
    write_through: bool,
    /// Heads of writes that the device has done and that wait for a flush.
    unflushed: Vec<u16>,
    /// Heads of writes that the flush in flight is for.
    flushing: Vec<u16>,
    buffers: Buffers,
    ranges: Vec<SectorRange>,
    segments: Vec<DmaSegment>,
}

impl BlockSession {
    pub(super) fn new(info: &Info, options: &BlockOptions) -> Self {
        let size = options.queue_size;
        let segments = info.seg_max.min(SEGMENTS_MAX) as usize;
        Self {
            disk: Disk {
                info: *info,
                window: options.window,
                read_only: options.read_only,
                id: options.id,
                size_max: None,
                seg_max: None,
            },
            queue_size: size,
            limits: PartLimits { segments, segment_bytes: info.size_max, block: info.block_size },
            requests: (0..size).map(|_| None).collect(),
            in_flight: 0,
            pending: None,
            write_through: false,
            unflushed: Vec::with_capacity(size.into()),
            flushing: Vec::with_capacity(size.into()),
            buffers: Buffers::new(size),
            ranges: Vec::with_capacity(MAX_RANGES),
            segments: Vec::with_capacity(segments),
        }
    }

    pub(super) fn write_config(&self, to: &SharedMem) -> Option<()> {
        config::write(to, &self.disk.info, &self.disk.window, self.queue_size)
    }

    pub(super) fn start(&mut self, negotiated: &Features) {
        let agreed = |feature, limit| negotiated.has(feature).then_some(limit);
        self.disk.size_max = agreed(feature::SIZE_MAX, self.disk.info.size_max);
        let seg_max = config::seg_max(&self.disk.info, self.queue_size);
        self.disk.seg_max = agreed(feature::SEG_MAX, seg_max);
        self.write_through = self.disk.info.flush && !negotiated.has(feature::FLUSH);
    }

    /// The queue is closed. What is with the device stays noted until it completes.
    pub(super) fn stop<M>(&mut self, queues: &mut Queues<M>) {
        if let Some(pending) = self.pending.take() {
            self.end_staging(queues, pending.head);
        }
        for head in self.unflushed.drain(..).chain(self.flushing.drain(..)) {
            if let Some(slot) = self.requests.get_mut(usize::from(head)) {
                *slot = None;
                self.in_flight = self.in_flight.saturating_sub(1);
            }
        }
    }

    pub(super) fn reset(&mut self) {
        self.requests.fill_with(|| None);
        self.in_flight = 0;
        self.disk.size_max = None;
        self.disk.seg_max = None;
    }

    /// Whether there is something to do although the queue is empty.
    pub(super) fn has_work(&self) -> bool {
        self.pending.is_some() || (!self.unflushed.is_empty() && self.flushing.is_empty())
    }

    /// Takes requests from the queue and gives them to the device, until the queue is empty, the
    /// device is full or `budget` is used up. Each part and each request that is answered without
    /// the device costs one.
    pub(super) fn advance<B: Backend, M>(
        &mut self,
        port: &mut Port<'_, B>,
        queues: &mut Queues<M>,
        budget: &mut u32,
    ) -> Result<Progress, RingError> {
        let progress = loop {
            if *budget == 0 {
                break Progress::More;
            }
            if self.pending.is_none() && !self.take_request(queues)? {
                break Progress::Idle;
            }
            if self.pending.is_some() && !self.submit_part(port, queues) {
                break Progress::Full;
            }
            *budget -= 1;
        };
        Ok(if self.submit_flush(port, queues) { progress } else { Progress::Full })
    }

    /// Takes the next request from the queue: it is then `pending`, or answered already. `false`
    /// if there is none.
    fn take_request<M>(&mut self, queues: &mut Queues<M>) -> Result<bool, RingError> {
        let Some(head) = queues.pop(QUEUE)? else {
            return Ok(false);
        };
        let slot = self.requests.get(usize::from(head));
        if slot.is_none_or(Option::is_some) {
            return Err(RingError::HeadInUse(head));
        }
        self.buffers.gather(queues.chain(QUEUE, head)?)?;
        let status_byte = self.buffers.take_status(queues.memory())?;
        match self.disk.judge(&mut self.buffers, queues.memory(), &mut self.ranges) {
            Verdict::Answer(status, written) => answer(queues, head, status_byte, status, written),
            Verdict::Submit(job) => self.accept(queues, head, status_byte, &job),
        }
        Ok(true)
    }

    fn accept<M>(
        &mut self,
        queues: &mut Queues<M>,
        head: u16,
        status_byte: SharedMem<'static>,
        job: &Job,
    ) {
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
        let counters = &mut queues.counters;
        counters.max_in_flight = counters.max_in_flight.max(self.in_flight);
        let Job { op, sector, bytes } = *job;
        self.pending = Some(Pending { head, op, sector, left: bytes, cursor: Cursor::default() });
    }

    /// Gives the next part of the pending request to the device. `false` if the device is full.
    fn submit_part<B: Backend, M>(
        &mut self,
        port: &mut Port<'_, B>,
        queues: &mut Queues<M>,
    ) -> bool {
        let Some(mut pending) = self.pending.take() else {
            return true;
        };
        match self.stage(&mut pending, port, queues) {
            Step::Taken if pending.left == 0 => self.end_staging(queues, pending.head),
            Step::Taken => self.pending = Some(pending),
            Step::Failed => {
                if let Some(request) = self.request(pending.head) {
                    request.status = Status::IoErr;
                }
                self.end_staging(queues, pending.head);
            }
            Step::Full => {
                self.pending = Some(pending);
                return false;
            }
        }
        true
    }

    fn stage<B: Backend, M>(
        &mut self,
        pending: &mut Pending,
        port: &mut Port<'_, B>,
        queues: &mut Queues<M>,
    ) -> Step {
        let Pending { head, op, sector, cursor, .. } = *pending;
        let data = if op.device_writes() { &self.buffers.writable } else { &self.buffers.readable };
        let bytes = if pending.left == 0 {
            self.segments.clear();
            0
        } else {
            let extents = data.extents();
            match next_part(queues.memory(), extents, cursor, &self.limits, &mut self.segments) {
                Some(bytes) => bytes,
                None => return Step::Failed,
            }
        };
        let part = Part { client: port.client, head: Some(head), bytes };
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
        queues.device_begins();
        queues.counters.parts += 1;
        if let Some(request) = self.request(head) {
            request.outstanding += 1;
        }
        Step::Taken
    }

    /// Sends a flush for the writes that wait for one. One at a time: those that complete meanwhile
    /// share the next. `false` if the device is full.
    fn submit_flush<B: Backend, M>(
        &mut self,
        port: &mut Port<'_, B>,
        queues: &mut Queues<M>,
    ) -> bool {
        if self.unflushed.is_empty() || !self.flushing.is_empty() {
            return true;
        }
        let part = Part { client: port.client, head: None, bytes: 0 };
        let Some(tag) = port.parts.take(part) else {
            return false;
        };
        if let Err(e) = port.backend.submit(Op::Flush, 0, &[], tag) {
            port.parts.release(tag);
            if e == SubmitError::Busy && !port.parts.is_empty() {
                return false;
            }
            core::mem::swap(&mut self.unflushed, &mut self.flushing);
            self.flushed(queues, Status::IoErr);
            return true;
        }
        core::mem::swap(&mut self.unflushed, &mut self.flushing);
        queues.device_begins();
        queues.counters.flushes += 1;
        true
    }

    /// A flush has ended: so have the writes that waited for it.
    fn flushed<M>(&mut self, queues: &mut Queues<M>, status: Status) {
        while let Some(head) = self.flushing.pop() {
            if status != Status::Ok
                && let Some(request) = self.request(head)
            {
                request.status = status;
            }
            self.finish(queues, head);
        }
    }

    fn request(&mut self, head: u16) -> Option<&mut Request> {
        self.requests.get_mut(usize::from(head))?.as_mut()
    }

    /// The device has been given all of a request, or is not to be given more of it.
    fn end_staging<M>(&mut self, queues: &mut Queues<M>, head: u16) {
        if let Some(request) = self.request(head) {
            request.staging = false;
            self.finish_if_done(queues, head);
        }
    }

    /// The device has finished a part of the request at `head`, or a flush.
    pub(super) fn complete<M>(
        &mut self,
        queues: &mut Queues<M>,
        head: Option<u16>,
        status: Status,
    ) {
        queues.device_ends();
        let Some(head) = head else {
            self.flushed(queues, status);
            return;
        };
        let Some(request) = self.request(head) else {
            return;
        };
        request.outstanding = request.outstanding.saturating_sub(1);
        if status != Status::Ok {
            request.status = status;
        }
        self.finish_if_done(queues, head);
    }

    fn finish_if_done<M>(&mut self, queues: &mut Queues<M>, head: u16) {
        let done = self.request(head).filter(|r| r.outstanding == 0 && !r.staging);
        let Some(request) = done else {
            return;
        };
        let write = matches!(request.op, Op::Write | Op::WriteZeroes);
        if write && request.status == Status::Ok && self.write_through && queues.is_open(QUEUE) {
            // Room for each head by construction, and each is in flight once.
            self.unflushed.push(head);
        } else {
            self.finish(queues, head);
        }
    }

    /// Answers the request at `head`.
    fn finish<M>(&mut self, queues: &mut Queues<M>, head: u16) {
        let Some(request) = self.requests.get_mut(usize::from(head)).and_then(Option::take) else {
            return;
        };
        self.in_flight = self.in_flight.saturating_sub(1);
        if !queues.is_open(QUEUE) {
            // The client has reset, gone or failed meanwhile: its memory is not ours to write.
            return;
        }
        let done = request.status == Status::Ok;
        let bytes = u64::from(request.bytes);
        match request.op {
            Op::Read if done => queues.counters.bytes_read += bytes,
            Op::Write if done => queues.counters.bytes_written += bytes,
            _ => {}
        }
        let written = if done && request.op.device_writes() { request.bytes } else { 0 };
        answer(queues, head, request.status_byte, request.status, written);
    }
}

/// Writes the status and notes the chain as used. The client sees it with the next publication.
///
/// Where the data are in doubt only the status byte counts as written.
fn answer<M>(
    queues: &mut Queues<M>,
    head: u16,
    status_byte: SharedMem<'static>,
    status: Status,
    written: u32,
) {
    queues.counters.errors += u64::from(status != Status::Ok);
    // One byte by construction.
    let _ = status_byte.write_u8(0, status as u8);
    queues.push_used(QUEUE, head, written.saturating_add(1));
}
