//! One device of the server: its clients, whatever its class, and its interrupts.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use log::Level;

use super::guard;
use super::label::{CLIENTS_MAX, MessageSource};
use super::memory::{self, MapCounters, TrustedDataspaces};
use super::message::{DEVICE_INTERFACES, DeviceRequest, Range};
use super::session::Session;
use crate::abi::Word;
use crate::bus::Interrupt;
use crate::cap::{Cap, CapRef, Factory, Gate, Thread};
use crate::ipc::Msg;
use crate::log::{Source, limited};
use crate::mem::{Dataspace, DmaDomain, heap};
use crate::serve::class::Class;
use crate::serve::client::ClientOptions;
use crate::serve::options::Values;
use crate::serve::scheduler::{ClientId, NextStep, Scheduler};
use crate::serve::stats::Statistics;
use crate::{Error, Result};

/// Bytes that must be there for a new client. One with all limits at their largest needs 75 KiB.
const ROOM: usize = 128 * 1024;

/// What a device needs besides its driver.
#[derive(Debug)]
pub struct DeviceResources {
    /// How clients name the device: its identification string, if it has one, and others.
    pub names: Vec<String>,
    /// Where clients' memory is mapped for the device.
    pub dma: DmaDomain,
    /// The device's interrupts, in the order in which the driver numbers them. Devices of one
    /// interrupt line have the same one.
    pub interrupts: Vec<Arc<Interrupt>>,
}

/// How a client is reached.
pub(super) enum Entrance {
    /// By a new gate, which ends the session when its last capability goes.
    NewGate,
    /// By a gate that exists, for as long as the server runs.
    Static(CapRef<Gate>),
}

/// A device as the event loop sees it, whatever its class.
pub(super) trait ServedDevice {
    /// How clients call the device.
    fn names(&self) -> &[String];

    /// Why a client that asks with these values cannot be there now, if so: [`Error::BUSY`] if
    /// others are, [`Error::AGAIN`] if they have gone and the device has still to finish their
    /// requests.
    fn obstacle(&self, values: &Values<'_>) -> Option<Error>;

    /// Makes a client. Whether it may be there at the same time as the others is for the caller
    /// to ask.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] if there are too many clients or memory is used up; what servers answer.
    fn open(
        &mut self,
        values: &Values<'_>,
        ds_max: usize,
        entrance: Entrance,
        factory: &Factory,
        thread: &Thread,
    ) -> Result<ClientId>;

    /// The gate of a client.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is none.
    fn gate(&mut self, id: ClientId) -> Result<&Gate>;

    /// The client has gone; what belongs to it goes when the device does not use it any more.
    fn close(&mut self, id: ClientId);

    /// Closes the sessions of clients whose gate is gone.
    fn sweep(&mut self);

    /// Carries out what a client asks for. `cap` is the capability that came with it, if the
    /// request takes one; `reply` is empty and becomes the answer.
    ///
    /// # Errors
    ///
    /// What the client is answered.
    fn handle(
        &mut self,
        id: ClientId,
        request: DeviceRequest,
        cap: Option<Cap<Dataspace>>,
        trusted: &TrustedDataspaces,
        reply: &mut Msg,
    ) -> Result<usize>;

    /// Whether the device still works on requests of a client that has reset or gone.
    fn is_draining(&mut self, id: ClientId) -> bool;

    /// Whether the answer to the message of a client is to wait for the device. Once for each
    /// reset: a client that goes on sending messages while the device does not finish must not
    /// make everybody else wait each time.
    fn has_to_wait_for(&mut self, id: ClientId) -> bool;

    /// A client has notified us.
    fn kick(&mut self, id: ClientId);

    /// Interrupt `number` of the device has arrived.
    ///
    /// Returns the interrupt if other devices may have caused it as well.
    fn interrupt(&mut self, number: u8) -> Option<Arc<Interrupt>>;

    /// A line that is shared has interrupted; does the same if this device is wired to it.
    fn shared_interrupt(&mut self, line: &Arc<Interrupt>);

    /// One round of [`Scheduler::work`].
    ///
    /// Interrupts that have arrived are let through again at its end. Not only before the loop
    /// waits: clients can keep it from that, and a line may be shared with a device of somebody
    /// else. And not after [`settle`](Self::settle) has looked at the device for the last time: a
    /// message that comes while it is masked can be lost.
    fn work(&mut self) -> bool;

    /// Prepares to wait: see [`Scheduler::settle`].
    fn settle(&mut self) -> NextStep;

    /// Logs why clients have failed, each failure once.
    fn log_failures(&mut self);

    /// Adds what has happened here.
    fn add_to(&self, stats: &mut Statistics);
}

/// A device of one class.
pub(super) struct ClassDevice<C: Class> {
    number: u8,
    scheduler: Scheduler<C, Session>,
    resources: DeviceResources,
    /// An interrupt has arrived that is masked since.
    masked: bool,
    /// Interrupts that have arrived.
    interrupts: u64,
    clients_ever: u64,
    maps: Rc<MapCounters>,
    /// Pages that were missing when clients were last looked at for that.
    losses: usize,
}

impl<C: Class> ClassDevice<C> {
    /// A device without clients; its interrupts arrive from now on.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn new(number: u8, class: C, resources: DeviceResources, thread: &Thread) -> Result<Self> {
        for (i, interrupt) in resources.interrupts.iter().enumerate() {
            let i = u8::try_from(i).map_err(|_| Error::RANGE)?;
            interrupt.bind_thread(thread, MessageSource::Interrupt(number, i).encode())?;
        }
        let mut device = Self {
            number,
            scheduler: Scheduler::new(class),
            resources,
            masked: true,
            interrupts: 0,
            clients_ever: 0,
            maps: Rc::default(),
            losses: guard::losses(),
        };
        device.unmask();
        Ok(device)
    }

    fn session(&mut self, id: ClientId) -> Result<&mut Session> {
        Ok(self.scheduler.client(id)?.peer_mut())
    }

    fn connect(
        &mut self,
        id: ClientId,
        entrance: Entrance,
        factory: &Factory,
        thread: &Thread,
    ) -> Result<()> {
        let label = MessageSource::Session(self.number, id).encode();
        let kick = MessageSource::Kick(self.number, id).encode();
        let session = self.session(id)?;
        session.kick().bind_thread(thread, kick)?;
        session.gate = Some(match entrance {
            Entrance::NewGate => factory.gate(thread, label)?.into(),
            Entrance::Static(gate) => {
                gate.bind_thread(thread, label)?;
                gate.into()
            }
        });
        Ok(())
    }

    fn register(
        &mut self,
        id: ClientId,
        dataspace: Cap<Dataspace>,
        range: &Range,
        trusted: &TrustedDataspaces,
    ) -> Result<()> {
        let client = self.scheduler.client(id)?;
        // Cheap refusals first: mapping is what costs.
        client.prepare_register(range.base, range.size)?;
        trusted.check(&dataspace)?;
        let mapped = memory::map(dataspace, range, &self.resources.dma, &self.maps)?;
        client.register(range.base, mapped.window, &mapped.runs, mapped.owner)
    }

    /// Ends service of clients that have taken their memory away; returns whether there may be one.
    fn fail_lost(&mut self) -> bool {
        let losses = guard::losses();
        let new = core::mem::replace(&mut self.losses, losses) != losses;
        if new {
            self.scheduler.fail_lost();
        }
        new
    }

    /// Lets interrupts through again; the device has taken back those that arrived.
    fn unmask(&mut self) {
        if !core::mem::take(&mut self.masked) {
            return;
        }
        for interrupt in &self.resources.interrupts {
            if let Err(e) = interrupt.unmask() {
                let names = self.resources.names.join(", ");
                let text = format_args!("interrupt of {names} is lost: {e}");
                limited(Source::Device, Level::Error, text);
            }
        }
    }
}

impl<C: Class> ServedDevice for ClassDevice<C> {
    fn names(&self) -> &[String] {
        &self.resources.names
    }

    fn obstacle(&self, values: &Values<'_>) -> Option<Error> {
        let new = self.scheduler.class().options(values);
        let clients = self.scheduler.clients();
        let others = clients.filter(|(_, client)| !C::can_share(client.options(), &new));
        others.fold(None, |found, (_, other)| match found {
            Some(Error::BUSY) => found,
            _ if other.is_leaving() => Some(Error::AGAIN),
            _ => Some(Error::BUSY),
        })
    }

    fn open(
        &mut self,
        values: &Values<'_>,
        ds_max: usize,
        entrance: Entrance,
        factory: &Factory,
        thread: &Thread,
    ) -> Result<ClientId> {
        if self.scheduler.clients().count() >= CLIENTS_MAX || !heap::has_room(ROOM) {
            return Err(Error::NOMEM);
        }
        let session = Session::new(factory)?;
        let options = ClientOptions {
            // SAFETY: the session becomes the client's peer, which goes after all that has the page.
            page: unsafe { session.page()?.unbounded() },
            ds_max,
            command_register: true,
            class: self.scheduler.class().options(values),
        };
        let id = self.scheduler.add_client(options, session)?;
        match self.connect(id, entrance, factory, thread) {
            Ok(()) => {
                self.clients_ever += 1;
                Ok(id)
            }
            Err(e) => {
                self.close(id);
                Err(e)
            }
        }
    }

    fn gate(&mut self, id: ClientId) -> Result<&Gate> {
        self.session(id)?.gate.as_deref().ok_or(Error::NOENT)
    }

    fn close(&mut self, id: ClientId) {
        // Who is not there or leaving already needs nothing.
        let _ = self.scheduler.remove_client(id);
    }

    fn sweep(&mut self) {
        let gone = self.scheduler.remove_clients(|client| client.peer().is_abandoned());
        if gone > 0 {
            let names = self.resources.names.join(", ");
            let text = format_args!("{gone} clients of {names} have gone");
            limited(Source::Client, Level::Debug, text);
        }
    }

    fn handle(
        &mut self,
        id: ClientId,
        request: DeviceRequest,
        cap: Option<Cap<Dataspace>>,
        trusted: &TrustedDataspaces,
        reply: &mut Msg,
    ) -> Result<usize> {
        match request {
            DeviceRequest::SetStatus(status) => {
                self.scheduler.set_status(id, status)?;
            }
            DeviceRequest::ConfigQueue(queue) => self.scheduler.config_queue(id, queue)?,
            DeviceRequest::Register(range) => {
                self.register(id, cap.ok_or(Error::MSGMISSARG)?, &range, trusted)?;
            }
            DeviceRequest::DeviceConfig => {
                reply.push(0);
                reply.push_item(self.session(id)?.page_item());
            }
            DeviceRequest::NotificationIrq(0) => reply.push_item(self.session(id)?.kick_item()),
            DeviceRequest::Bind(0) => {
                let irq = cap.ok_or(Error::MSGMISSARG)?.cast();
                self.session(id)?.set_notify(Some(irq));
            }
            DeviceRequest::Unbind(0) => self.session(id)?.set_notify(None),
            DeviceRequest::NotificationIrq(_)
            | DeviceRequest::Bind(_)
            | DeviceRequest::Unbind(_) => {
                return Err(Error::RANGE);
            }
            DeviceRequest::IcuInfo => {
                // No features, one pin, no message-signalled interrupts.
                [0, 1, 0].into_iter().for_each(|w: Word| reply.push(w));
            }
            DeviceRequest::Mask => {}
            DeviceRequest::Meta(question) => return question.answer(DEVICE_INTERFACES, reply),
        }
        Ok(0)
    }

    fn is_draining(&mut self, id: ClientId) -> bool {
        self.scheduler.is_draining(id)
    }

    fn has_to_wait_for(&mut self, id: ClientId) -> bool {
        self.is_draining(id) && self.session(id).is_ok_and(Session::begin_wait)
    }

    fn kick(&mut self, id: ClientId) {
        self.scheduler.kick(id);
    }

    fn interrupt(&mut self, number: u8) -> Option<Arc<Interrupt>> {
        self.masked = true;
        self.interrupts += 1;
        self.scheduler.class_mut().interrupt(number.into());
        let line = self.resources.interrupts.get(usize::from(number))?;
        (Arc::strong_count(line) > 1).then(|| line.clone())
    }

    fn shared_interrupt(&mut self, line: &Arc<Interrupt>) {
        let number = self.resources.interrupts.iter().position(|own| Arc::ptr_eq(own, line));
        if let Some(number) = number.and_then(|number| u8::try_from(number).ok()) {
            self.interrupt(number);
        }
    }

    fn work(&mut self) -> bool {
        let more = self.scheduler.work();
        self.unmask();
        self.fail_lost() | more
    }

    fn settle(&mut self) -> NextStep {
        let next = self.scheduler.settle();
        if self.fail_lost() { NextStep::Work } else { next }
    }

    fn log_failures(&mut self) {
        let Self { scheduler, resources, .. } = self;
        for client in scheduler.clients_mut() {
            let failure = client.failure();
            let session = client.peer_mut();
            if let Some(why) = failure.filter(|_| !session.failure_logged) {
                let names = resources.names.join(", ");
                let text = format_args!("a client of {names} has to reset: {why}");
                limited(Source::Client, Level::Warn, text);
            }
            session.failure_logged = failure.is_some();
        }
    }

    fn add_to(&self, stats: &mut Statistics) {
        stats.add_clients(&self.scheduler.counters());
        stats.add_device(self.scheduler.device_counters());
        let totals = &mut stats.totals;
        totals.device_interrupts += self.interrupts;
        totals.clients_ever += self.clients_ever;
        totals.clients += self.scheduler.clients().count() as u64;
        totals.in_flight += self.scheduler.in_flight() as u64;
        totals.dma_maps += self.maps.maps.get();
        totals.dma_unmaps += self.maps.unmaps.get();
        totals.device_kicks += self.scheduler.class().notifications();
    }
}
