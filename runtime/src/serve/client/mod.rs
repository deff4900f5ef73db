//! One client: its page, its memory, its queues, and its class's session.
//!
//! # Clients that reset or go
//!
//! The device may still write to a client's memory when the client resets its virtio device or
//! ends. The client is then *draining*: nothing is written to its queues any more, what completes is
//! dropped, and its memory stays mapped until nothing is with the device. Only then the page shows
//! status 0 ([`Peer::drained`]), or the client is dropped with everything that belongs to it.

mod queues;

pub use queues::Queues;

use super::class::{Class, Offer, Progress};
use super::counters::Counters;
use super::memory::{ClientMemory, MemoryOwner};
use super::scheduler::Slot;
use super::transport::{
    Command, Failure, Features, Identity, QueueChange, StatusChange, Transport,
};
use crate::Error;
use crate::mem::{DmaRun, SharedMem};
use crate::virtio::spec::feature;
use crate::virtio::spec::l4page as page;

/// The other side of a client: how it is notified, and everything else that lives as long as it.
pub trait Peer {
    /// What keeps a registered dataspace mapped.
    type Memory: MemoryOwner;

    /// Sends the client its notification interrupt.
    fn interrupt(&mut self);

    /// The reset of the client is complete: a `set_status` that was answered with
    /// [`StatusReply::Draining`] can be replied to.
    fn drained(&mut self) {}
}

/// How a client is served.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions<O> {
    /// The configuration page: 4 KiB, aligned to 8 bytes, not yet shown to the client.
    pub page: SharedMem<'static>,
    /// How many dataspaces the client may register, 1 to 256.
    pub ds_max: usize,
    /// Offer the command register (feature 160).
    pub command_register: bool,
    /// How it uses the device.
    pub class: O,
}

/// How a change of the status is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusReply {
    /// It is done.
    Done,
    /// It is a reset, and the device has not finished. The client is to be answered when
    /// [`Peer::drained`] tells so; its page shows status 0 from then on.
    Draining,
}

/// The clients of a device, as its class reaches them.
pub struct ClientTable<'a, C: Class, P: Peer>(pub(super) &'a mut [Slot<C, P>]);

impl<C: Class, P: Peer> ClientTable<'_, C, P> {
    /// Session and queues of the client with this number, if it is still there.
    pub fn get(&mut self, client: u16) -> Option<(&mut C::Session, &mut Queues<P::Memory>)> {
        let client = self.0.get_mut(usize::from(client))?.client.as_mut()?;
        Some((&mut client.session, &mut client.queues))
    }
}

/// A client. Its number is its position among the clients of the device.
pub struct Client<C: Class, P: Peer> {
    number: u16,
    transport: Transport,
    queues: Queues<P::Memory>,
    /// All memory was registered before the last reset, and the driver has not started since.
    memory_is_old: bool,
    options: C::Options,
    session: C::Session,
    kicked: bool,
    /// An interrupt for a change of the configuration or the status is due.
    config_interrupt: bool,
    /// The command register is to be cleared when the reset is complete.
    command_waits: bool,
    leaving: bool,
    // Has the page, and so goes last.
    peer: P,
}

impl<C: Class, P: Peer> Client<C, P> {
    pub(super) fn new(
        number: u16,
        class: &C,
        options: ClientOptions<C::Options>,
        peer: P,
    ) -> crate::Result<Self> {
        let ClientOptions { page, ds_max, command_register, class: mut options } = options;
        let Offer { session, features, queues, config_size } = class.connect(&mut options)?;
        if queues.iter().any(|size| !size.is_power_of_two() || *size < 4) {
            return Err(Error::INVAL);
        }
        let features = Features::new(features | feature::VERSION_1 | feature::INDIRECT_DESC);
        let features = if command_register { features.with_command_register() } else { features };
        let identity = Identity { device_id: C::DEVICE_ID, features, queues: &queues, config_size };
        let transport = Transport::new(page, &identity)?;
        let config = transport.config().ok_or(Error::INVAL)?;
        class.write_config(&session, &config).ok_or(Error::INVAL)?;
        Ok(Self {
            number,
            transport,
            queues: Queues::new(&queues, ds_max),
            memory_is_old: false,
            options,
            session,
            kicked: false,
            config_interrupt: false,
            command_waits: false,
            leaving: false,
            peer,
        })
    }

    /// How the client uses the device.
    pub fn options(&self) -> &C::Options {
        &self.options
    }

    /// The other side.
    pub fn peer(&self) -> &P {
        &self.peer
    }

    /// The other side, to change it.
    pub fn peer_mut(&mut self) -> &mut P {
        &mut self.peer
    }

    /// What it has done so far.
    pub fn counters(&self) -> &Counters {
        &self.queues.counters
    }

    /// Why it is not served any more, if so.
    pub fn failure(&self) -> Option<Failure> {
        self.transport.failure()
    }

    /// Whether it has gone, and the device has not finished yet.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether the device may still access the client's memory although the client is not served
    /// any more.
    pub fn is_draining(&self) -> bool {
        (self.leaving || self.transport.is_resetting()) && self.queues.is_with_device()
    }

    /// Makes room for a dataspace, and says whether it could be registered now. To be asked before
    /// anything is mapped for it.
    ///
    /// A reset does not make the server forget: a virtual machine monitor registers its guest's
    /// memory once and passes on the resets of the guest's drivers. But a client that registers
    /// anything between a reset and its driver's start begins a new list. The old one goes first,
    /// because a DMA space of L4Re does not take the same memory twice.
    ///
    /// # Errors
    ///
    /// As for [`register`](Self::register).
    pub fn prepare_register(&mut self, base: u64, len: u64) -> crate::Result<()> {
        if self.transport.is_resetting() || self.leaving {
            return Err(Error::AGAIN);
        }
        if self.memory_is_old {
            ClientMemory::<P::Memory>::check_range(base, len)?;
            self.memory_is_old = false;
            // Nothing is in flight, and there is no ring: the reset is complete.
            self.queues.memory_mut().clear();
        }
        Ok(self.queues.memory().check(base, len)?)
    }

    /// Registers a dataspace (operation 3 of the protocol), which has been mapped: see
    /// [`ClientMemory::register`].
    ///
    /// # Errors
    ///
    /// [`Error::AGAIN`] while a reset is not complete, otherwise those of
    /// [`RegisterError`](super::memory::RegisterError).
    pub fn register(
        &mut self,
        base: u64,
        window: SharedMem<'static>,
        runs: &[DmaRun],
        owner: P::Memory,
    ) -> crate::Result<()> {
        self.prepare_register(base, window.len() as u64)?;
        Ok(self.queues.memory_mut().register(base, window, runs, owner)?)
    }

    pub(super) fn set_status(&mut self, class: &mut C, raw: u32) -> crate::Result<StatusReply> {
        match self.transport.set_status(raw)? {
            StatusChange::Accepted => {}
            StatusChange::Started => self.start(class),
            StatusChange::Stopped => self.stop(class),
            StatusChange::Reset => {
                self.stop(class);
                if self.queues.is_with_device() {
                    return Ok(StatusReply::Draining);
                }
                self.finish_reset(class);
            }
        }
        Ok(StatusReply::Done)
    }

    fn indirect(&self) -> bool {
        self.transport.negotiated().has(feature::INDIRECT_DESC)
    }

    /// `DRIVER_OK` is new. A queue that is marked ready in the page counts as configured even if
    /// the client never said so by a message.
    fn start(&mut self, class: &mut C) {
        self.memory_is_old = false;
        let negotiated = *self.transport.negotiated();
        class.start(&mut self.session, &negotiated);
        for queue in 0..self.queues.len() {
            let ready = self.transport.config_queue(queue as u32);
            if !self.queues.is_configured(queue)
                && let Ok(QueueChange::Enable(layout)) = ready
                && let Err(e) = self.queues.configure(queue, Some(layout), self.indirect())
            {
                self.fail(class, Failure::Ring(e));
                return;
            }
            self.open_queue(class, queue);
        }
    }

    /// Makes the ring of what the client has configured; a failure if it cannot be used.
    fn open_queue(&mut self, class: &mut C, queue: usize) {
        if let Err(e) = self.queues.open(queue, self.indirect()) {
            self.fail(class, Failure::Ring(e));
        }
    }

    pub(super) fn config_queue(&mut self, class: &mut C, index: u32) -> crate::Result<()> {
        let change = self.transport.config_queue(index)?;
        let queue = index as usize;
        if self.queues.is_busy(queue) {
            // Answers of the old queue would end up in the new one.
            return Err(Error::BUSY);
        }
        let layout = match change {
            QueueChange::Disable => None,
            QueueChange::Enable(layout) => Some(layout),
        };
        self.queues.configure(queue, layout, self.indirect()).map_err(|_| Error::INVAL)?;
        if self.transport.is_running() {
            self.open_queue(class, queue);
        }
        if self.transport.failure().is_some() { Err(Error::INVAL) } else { Ok(()) }
    }

    /// The client has sent its notification. Carries out what is in the command register.
    pub(super) fn kick(&mut self, class: &mut C) {
        self.queues.counters.kicks += 1;
        self.kicked = true;
        let Some(command) = self.transport.command() else {
            return;
        };
        // There is nobody to tell of a refusal but the status in the page.
        let waits = match command {
            Command::SetStatus(raw) => {
                !self.command_waits && self.set_status(class, raw) == Ok(StatusReply::Draining)
            }
            Command::ConfigQueue(index) => {
                let _ = self.config_queue(class, index);
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
    pub(super) fn leave(&mut self, class: &mut C) {
        self.leaving = true;
        self.stop(class);
    }

    /// Ends service if memory of the client was taken away.
    pub(super) fn fail_if_lost(&mut self, class: &mut C) {
        if self.queues.memory().is_lost() {
            self.fail(class, Failure::MemoryLost);
        }
    }

    /// The device cannot serve this client any more until it resets.
    fn fail(&mut self, class: &mut C, failure: Failure) {
        self.queues.counters.failures += 1;
        self.config_interrupt |= self.transport.fail(failure);
        self.stop(class);
    }

    /// Ends all use of the queues. What is with the device stays noted until it completes.
    fn stop(&mut self, class: &mut C) {
        self.queues.close();
        self.kicked = false;
        class.stop(&mut self.session, &mut self.queues);
    }

    /// Completes a reset when nothing is with the device any more.
    pub(super) fn try_finish_reset(&mut self, class: &mut C) -> bool {
        let due = self.transport.is_resetting() && !self.queues.is_with_device();
        if due {
            self.finish_reset(class);
        }
        due
    }

    fn finish_reset(&mut self, class: &mut C) {
        self.queues.counters.resets += 1;
        self.queues.reset();
        class.reset(&mut self.session);
        self.config_interrupt = false;
        self.memory_is_old = true;
        self.transport.finish_reset();
        if core::mem::take(&mut self.command_waits) {
            self.transport.finish_command();
        }
    }

    /// Gives the client a turn of `budget` steps.
    pub(super) fn advance(&mut self, class: &mut C, budget: &mut u32) -> Progress {
        let before = self.queues.counters.requests;
        let progress = match self.try_advance(class, budget) {
            Ok(progress) => progress,
            Err(failure) => {
                self.fail(class, failure);
                Progress::Idle
            }
        };
        let counters = &mut self.queues.counters;
        let taken = counters.requests - before;
        counters.batch(taken);
        let spurious = taken == 0 && progress == Progress::Idle;
        counters.spurious_kicks += u64::from(core::mem::take(&mut self.kicked) && spurious);
        counters.busy += u64::from(progress == Progress::Full);
        progress
    }

    fn try_advance(&mut self, class: &mut C, budget: &mut u32) -> Result<Progress, Failure> {
        let Self { number, session, queues, .. } = self;
        if !class.has_work(session, queues).map_err(Failure::Ring)? {
            return Ok(Progress::Idle);
        }
        if queues.memory().is_lost() {
            // The device would get addresses of memory that may be somebody else's by now.
            return Err(Failure::MemoryLost);
        }
        class.advance(*number, session, queues, budget).map_err(Failure::Ring)
    }

    /// Publishes what has been answered. Returns whether the client is to be interrupted.
    pub(super) fn publish(&mut self) -> bool {
        let mut interrupt = core::mem::take(&mut self.config_interrupt);
        if self.queues.publish() {
            self.transport.raise(page::IRQ_VRING);
            interrupt = true;
        }
        self.queues.counters.interrupts += u64::from(interrupt);
        interrupt
    }

    /// Asks the client for notifications again. Returns whether it had been asked not to.
    pub(super) fn listen(&mut self) -> bool {
        self.queues.listen()
    }

    /// Whether there is something to do for the client that it need not have told us of.
    pub(super) fn has_work(&mut self, class: &mut C) -> bool {
        class.has_work(&self.session, &mut self.queues).unwrap_or_else(|e| {
            self.fail(class, Failure::Ring(e));
            // The interrupt for it is due.
            true
        })
    }
}
