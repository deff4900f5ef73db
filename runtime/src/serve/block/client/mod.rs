//! One client: its page, its memory, its queue, and what it has in flight.

mod data;

pub(super) use data::{Port, Progress};

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::buffers::Buffers;
use super::request::Disk;
use super::split::PartLimits;
use super::{Counters, MAX_RANGES, SectorRange, Window, config};
use crate::Error;
use crate::mem::DmaRun;
use crate::mem::{DmaSegment, SharedMem};
use crate::serve::client_mem::{ClientMemory, MemoryOwner};
use crate::serve::device::{Command, Failure, Identity, QueueChange, StatusChange, Transport};
use crate::serve::ring::{Layout, Limits, Ring, RingError};
use crate::virtio::spec::block::{ID_SIZE, Info, feature};
use crate::virtio::spec::l4page as page;
use crate::virtio::spec::{block, device_id, feature as common};

/// Most segments of a part, whatever the device takes: bounds what is allocated for a client.
const SEGMENTS_MAX: u32 = 1024;

/// How a client is served.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// The configuration page: 4 KiB, aligned to 8 bytes, not yet shown to the client.
    pub page: SharedMem,
    /// Largest number of entries of the queue: a power of two, at least 4.
    pub queue_size: u16,
    /// How many dataspaces the client may register, 1 to 256.
    pub ds_max: usize,
    /// The client may not change the medium.
    pub read_only: bool,
    /// The part of the disk that the client sees.
    pub window: Window,
    /// The identification string that the client sees.
    pub id: [u8; ID_SIZE],
    /// Offer the command register (feature 160).
    pub command_register: bool,
}

/// How a change of the status is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusReply {
    /// It is done.
    Done,
    /// It is a reset, and requests are still with the device. The client is to be answered when
    /// [`Notify::drained`](super::Notify::drained) tells so; its page shows status 0 from then on.
    Draining,
}

/// A request between being taken from the queue and being answered.
#[derive(Debug)]
struct Request {
    op: block::Op,
    /// Where the answer goes.
    status_byte: SharedMem,
    /// Bytes of data.
    bytes: u32,
    /// The worst that any part has reported.
    status: block::Status,
    /// Parts that are with the device.
    outstanding: u32,
    /// There are parts that the device has not been given yet.
    staging: bool,
}

pub(super) struct Client<R> {
    index: u16,
    transport: Transport,
    /// Declared after nothing that points into it: the ring is dropped before it is cleared.
    memory: ClientMemory<R>,
    /// All of `memory` was registered before the last reset, and the driver has not started since.
    memory_is_old: bool,
    queue_size: u16,
    /// What the client has configured; becomes `ring` when it sets `DRIVER_OK`.
    layout: Option<Layout>,
    ring: Option<Ring>,
    disk: Disk,
    limits: PartLimits,
    /// One slot for each possible head of a chain.
    requests: Box<[Option<Request>]>,
    in_flight: u32,
    /// Parts of all requests that are with the device. While it is not zero the device may
    /// access the client's memory.
    outstanding: u32,
    /// The request that is being given to the device; its data are in `buffers` or `ranges`.
    pending: Option<data::Pending>,
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
    kicked: bool,
    /// An interrupt for a change of the configuration or the status is due.
    config_interrupt: bool,
    /// The command register is to be cleared when the reset is complete.
    command_waits: bool,
    leaving: bool,
    pub counters: Counters,
}

impl<R: MemoryOwner> Client<R> {
    pub fn new(index: u16, info: &Info, options: &ClientOptions) -> crate::Result<Self> {
        let size = options.queue_size;
        if !size.is_power_of_two() || size < 4 || !fits(&options.window, info) {
            return Err(Error::INVAL);
        }
        let read_only = options.read_only || info.read_only;
        let identity = Identity {
            device_id: device_id::BLOCK,
            features: config::features(info, read_only, options.command_register),
            queues: &[size],
            config_size: block::config::SIZE,
        };
        let transport = Transport::new(options.page, &identity)?;
        let page_config = transport.config().ok_or(Error::INVAL)?;
        config::write(&page_config, info, &options.window, size).ok_or(Error::INVAL)?;
        let segments = info.seg_max.min(SEGMENTS_MAX) as usize;
        Ok(Self {
            index,
            transport,
            memory: ClientMemory::new(options.ds_max),
            memory_is_old: false,
            queue_size: size,
            layout: None,
            ring: None,
            disk: Disk {
                info: *info,
                window: options.window,
                read_only,
                id: options.id,
                size_max: None,
                seg_max: None,
            },
            limits: PartLimits { segments, segment_bytes: info.size_max, block: info.block_size },
            requests: (0..size).map(|_| None).collect(),
            in_flight: 0,
            outstanding: 0,
            pending: None,
            write_through: false,
            unflushed: Vec::with_capacity(size.into()),
            flushing: Vec::with_capacity(size.into()),
            buffers: Buffers::new(size),
            ranges: Vec::with_capacity(MAX_RANGES),
            segments: Vec::with_capacity(segments),
            kicked: false,
            config_interrupt: false,
            command_waits: false,
            leaving: false,
            counters: Counters::default(),
        })
    }

    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    pub fn window(&self) -> &Window {
        &self.disk.window
    }

    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether the device may still access the client's memory although the client is not served
    /// any more.
    pub fn is_draining(&self) -> bool {
        (self.leaving || self.transport.is_resetting()) && self.outstanding > 0
    }

    /// Makes room for a dataspace, and says whether it could be registered now. To be asked before
    /// anything is mapped for it.
    ///
    /// A reset does not make the server forget: a virtual machine monitor registers its guest's
    /// memory once and passes on the resets of the guest's drivers. But a client that registers
    /// anything between a reset and its driver's start begins a new list. The old one goes first,
    /// because a DMA space of L4Re does not take the same memory twice.
    pub fn prepare_register(&mut self, base: u64, len: u64) -> crate::Result<()> {
        if self.transport.is_resetting() || self.leaving {
            return Err(Error::AGAIN);
        }
        if self.memory_is_old {
            ClientMemory::<R>::check_range(base, len)?;
            self.memory_is_old = false;
            // Nothing is in flight, and there is no ring: the reset is complete.
            self.memory.clear();
        }
        Ok(self.memory.check(base, len)?)
    }

    /// Registers a dataspace.
    pub fn register(
        &mut self,
        base: u64,
        window: SharedMem,
        runs: &[DmaRun],
        owner: R,
    ) -> crate::Result<()> {
        self.prepare_register(base, window.len() as u64)?;
        Ok(self.memory.register(base, window, runs, owner)?)
    }

    pub fn set_status(&mut self, raw: u32) -> crate::Result<StatusReply> {
        match self.transport.set_status(raw)? {
            StatusChange::Accepted => {}
            StatusChange::Started => self.start(),
            StatusChange::Stopped => self.stop_queue(),
            StatusChange::Reset => {
                self.stop_queue();
                if self.outstanding > 0 {
                    return Ok(StatusReply::Draining);
                }
                self.finish_reset();
            }
        }
        Ok(StatusReply::Done)
    }

    /// `DRIVER_OK` is new. A queue that is marked ready in the page counts as configured even if
    /// the client never said so by a message.
    fn start(&mut self) {
        self.memory_is_old = false;
        let negotiated = *self.transport.negotiated();
        let agreed = |feature, limit| negotiated.has(feature).then_some(limit);
        self.disk.size_max = agreed(feature::SIZE_MAX, self.disk.info.size_max);
        let seg_max = config::seg_max(&self.disk.info, self.queue_size);
        self.disk.seg_max = agreed(feature::SEG_MAX, seg_max);
        self.write_through = self.disk.info.flush && !negotiated.has(feature::FLUSH);
        if self.layout.is_none()
            && let Ok(QueueChange::Enable(layout)) = self.transport.config_queue(0)
        {
            self.layout = Some(layout);
        }
        self.open_queue();
    }

    /// Makes the ring of what the client has configured; a failure if it cannot be used.
    fn open_queue(&mut self) {
        let Some(layout) = self.layout else {
            return;
        };
        match Ring::new(&layout, self.ring_limits(), &self.memory) {
            Ok(ring) => self.ring = Some(ring),
            Err(e) => self.fail(Failure::Ring(e)),
        }
    }

    fn ring_limits(&self) -> Limits {
        Limits {
            size: self.queue_size,
            chain: self.queue_size,
            indirect: self.transport.negotiated().has(common::INDIRECT_DESC),
        }
    }

    /// The client has configured its queue (message `config_queue`).
    pub fn config_queue(&mut self, index: u32) -> crate::Result<()> {
        let change = self.transport.config_queue(index)?;
        if self.in_flight > 0 {
            // Answers of the old queue would end up in the new one.
            return Err(Error::BUSY);
        }
        self.ring = None;
        self.layout = match change {
            QueueChange::Disable => None,
            QueueChange::Enable(layout) => {
                match Ring::new(&layout, self.ring_limits(), &self.memory) {
                    // The memory may still be registered before `DRIVER_OK`.
                    Ok(_) | Err(RingError::NotMapped(..)) => {}
                    Err(_) => return Err(Error::INVAL),
                }
                Some(layout)
            }
        };
        if self.transport.is_running() {
            self.open_queue();
        }
        if self.transport.failure().is_some() { Err(Error::INVAL) } else { Ok(()) }
    }

    /// The client has sent its notification. Carries out what is in the command register.
    pub fn kick(&mut self) {
        self.counters.kicks += 1;
        self.kicked = true;
        let Some(command) = self.transport.command() else {
            return;
        };
        // There is nobody to tell of a refusal but the status in the page.
        let waits = match command {
            Command::SetStatus(raw) => {
                !self.command_waits && self.set_status(raw) == Ok(StatusReply::Draining)
            }
            Command::ConfigQueue(index) => {
                let _ = self.config_queue(index);
                false
            }
            Command::ConfigChanged | Command::NotifyQueue(_) => false,
        };
        self.command_waits |= waits;
        if !self.command_waits {
            self.transport.finish_command();
        }
    }

    /// Stops serving the client for good.
    pub fn leave(&mut self) {
        self.leaving = true;
        self.stop_queue();
    }

    /// Ends service if memory of the client was taken away.
    pub fn fail_if_lost(&mut self) {
        if self.memory.is_lost() {
            self.fail(Failure::MemoryLost);
        }
    }

    /// The device cannot serve this client any more until it resets.
    fn fail(&mut self, failure: Failure) {
        self.counters.failures += 1;
        self.config_interrupt |= self.transport.fail(failure);
        self.stop_queue();
    }

    /// Ends all use of the queue. What is with the device stays noted until it completes.
    fn stop_queue(&mut self) {
        self.ring = None;
        self.layout = None;
        self.kicked = false;
        if let Some(pending) = self.pending.take() {
            self.end_staging(pending.head);
        }
        for head in self.unflushed.drain(..).chain(self.flushing.drain(..)) {
            if let Some(slot) = self.requests.get_mut(usize::from(head)) {
                *slot = None;
                self.in_flight = self.in_flight.saturating_sub(1);
            }
        }
    }

    /// Completes a reset when nothing is in flight any more. Returns whether there was one.
    pub fn try_finish_reset(&mut self) -> bool {
        let due = self.transport.is_resetting() && self.outstanding == 0;
        if due {
            self.finish_reset();
        }
        due
    }

    fn finish_reset(&mut self) {
        self.counters.resets += 1;
        self.requests.fill_with(|| None);
        self.in_flight = 0;
        self.config_interrupt = false;
        self.memory_is_old = true;
        self.disk.size_max = None;
        self.disk.seg_max = None;
        self.transport.finish_reset();
        if core::mem::take(&mut self.command_waits) {
            self.transport.finish_command();
        }
    }

    /// Publishes what has been answered. Returns whether the client is to be interrupted.
    pub fn publish(&mut self) -> bool {
        let mut interrupt = core::mem::take(&mut self.config_interrupt);
        if let Some(ring) = &mut self.ring
            && ring.publish() > 0
        {
            if ring.needs_interrupt() {
                self.transport.raise(page::IRQ_VRING);
                interrupt = true;
            } else {
                self.counters.suppressed += 1;
            }
        }
        self.counters.interrupts += u64::from(interrupt);
        interrupt
    }

    /// Asks the client for notifications again. Returns whether it had been asked not to.
    pub fn listen(&mut self) -> bool {
        self.ring.as_mut().is_some_and(|ring| ring.set_quiet(false))
    }

    /// Whether there is something to do for the client that it need not have told us of.
    pub fn has_work(&mut self) -> bool {
        match self.ring.as_mut().map(Ring::has_available) {
            None => false,
            Some(Ok(available)) => {
                let flush = !self.unflushed.is_empty() && self.flushing.is_empty();
                available || flush || self.pending.is_some()
            }
            Some(Err(e)) => {
                self.fail(Failure::Ring(e));
                // The interrupt for it is due.
                true
            }
        }
    }
}

/// Whether a window is inside the disk and starts and ends with a block.
fn fits(window: &Window, info: &Info) -> bool {
    let block_sectors = u64::from(info.block_size) / block::SECTOR_SIZE;
    let end = window.first_sector.checked_add(window.sectors);
    end.is_some_and(|end| end <= info.capacity) && window.first_sector.is_multiple_of(block_sectors)
}
