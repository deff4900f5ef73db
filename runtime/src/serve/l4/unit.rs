//! One disk: the server of its clients, their sessions, and the device's interrupts.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use log::Level;

use super::label::{CLIENTS_MAX, Label};
use super::memory::{self, MapCounters, Registered, Trust};
use super::message::{DEVICE_INTERFACES, DeviceRequest, Range};
use super::session::{Access, Parts, Session, Signals};
use crate::abi::Word;
use crate::bus::Interrupt;
use crate::cap::{Cap, CapRef, Factory, Gate, Thread};
use crate::ipc::Msg;
use crate::log::{Source, limited};
use crate::mem::{Dataspace, DmaDomain, guard, heap};
use crate::serve::block::{self, Backend, ClientId, ClientOptions, Rest, Server, Window};
use crate::serve::stats::Statistics;
use crate::{Error, Result};

/// Bytes that must be there for a new client. One with all limits at their largest needs 75 KiB.
const ROOM: usize = 128 * 1024;

/// A driver of a disk, with interrupts.
pub trait Disk: Backend {
    /// Interrupt number `number` of the device has arrived: does what makes the device take it
    /// back. What has completed is asked for separately.
    fn interrupt(&mut self, number: usize);

    /// How often the device was notified so far.
    fn notifications(&self) -> u64;
}

/// What a disk needs besides its driver.
#[derive(Debug)]
pub struct Resources {
    /// How clients name the disk: its identification string, if it has one, and others.
    pub names: Vec<String>,
    /// Where clients' memory is mapped for the device.
    pub dma: DmaDomain,
    /// The device's interrupts, in the order in which the driver numbers them. Disks of one
    /// interrupt line have the same one.
    pub interrupts: Vec<Arc<Interrupt>>,
}

/// What a client is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How it uses the disk.
    pub access: Access,
    /// How many dataspaces it may register.
    pub ds_max: usize,
}

/// How a client is reached.
pub(super) enum Door {
    /// By a new gate, which ends the session when its last capability goes.
    New,
    /// By a gate that exists, for as long as the server runs.
    Static(CapRef<Gate>),
}

pub(super) struct Unit<D: Disk> {
    number: u8,
    server: Server<D, Registered>,
    resources: Resources,
    /// By the position of the client in the server.
    sessions: Vec<Option<Session>>,
    /// An interrupt has arrived that is masked since.
    masked: bool,
    /// Interrupts that have arrived.
    interrupts: u64,
    clients_ever: u64,
    maps: Rc<MapCounters>,
    /// Pages that were missing when clients were last looked at for that.
    losses: usize,
}

impl<D: Disk> Unit<D> {
    /// A disk without clients; its interrupts arrive from now on.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] if the properties of the disk make no sense; what the kernel answers.
    pub fn new(number: u8, disk: D, resources: Resources, thread: &Thread) -> Result<Self> {
        for (i, interrupt) in resources.interrupts.iter().enumerate() {
            let i = u8::try_from(i).map_err(|_| Error::RANGE)?;
            interrupt.bind_thread(thread, Label::Device(number, i).encode())?;
        }
        let mut unit = Self {
            number,
            server: Server::new(disk)?,
            resources,
            sessions: Vec::new(),
            masked: true,
            interrupts: 0,
            clients_ever: 0,
            maps: Rc::default(),
            losses: guard::losses(),
        };
        unit.unmask();
        Ok(unit)
    }

    /// Whether clients call the disk so.
    pub fn is_called(&self, name: &str) -> bool {
        self.resources.names.iter().any(|n| n == name)
    }

    pub fn names(&self) -> &[String] {
        &self.resources.names
    }

    fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().flatten()
    }

    fn session(&mut self, id: ClientId) -> Result<&mut Session> {
        let slot = self.sessions.get_mut(usize::from(id.parts().0)).and_then(Option::as_mut);
        slot.filter(|s| s.id == id).ok_or(Error::NOENT)
    }

    /// Why a client with this access cannot be there now, if so: [`Error::BUSY`] if others are,
    /// [`Error::AGAIN`] if they have gone and the device has still to finish their requests.
    pub fn obstacle(&self, access: Access) -> Option<Error> {
        let others = self.sessions().filter(|s| !s.access.goes_with(access));
        others.fold(None, |found, other| match found {
            Some(Error::BUSY) => found,
            _ if other.leaving => Some(Error::AGAIN),
            _ => Some(Error::BUSY),
        })
    }

    /// Makes a client. Whether it may be there at the same time as the others is for the caller
    /// to ask.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] if there are too many clients or memory is used up; what servers answer.
    pub fn open(
        &mut self,
        terms: &Terms,
        door: Door,
        factory: &Factory,
        thread: &Thread,
    ) -> Result<ClientId> {
        let info = *self.server.info();
        // Others do not see through this client that they share a disk which cannot be written.
        let read_only = terms.access.read_only || info.read_only;
        let access = Access { read_only, ..terms.access };
        if self.sessions().count() >= CLIENTS_MAX || !heap::has_room(ROOM) {
            return Err(Error::NOMEM);
        }
        let parts = Parts::new(factory)?;
        let options = ClientOptions {
            page: parts.page()?,
            queue_size: block::QUEUE_SIZE,
            ds_max: terms.ds_max,
            read_only,
            window: Window::whole(&info),
            id: info.id,
            command_register: true,
        };
        let id = self.server.add_client(&options)?;
        let index = usize::from(id.parts().0);
        if self.sessions.len() <= index {
            self.sessions.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.sessions.get_mut(index) {
            *slot = Some(parts.into_session(id, access));
        }
        match self.connect(id, door, factory, thread) {
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

    fn connect(
        &mut self,
        id: ClientId,
        door: Door,
        factory: &Factory,
        thread: &Thread,
    ) -> Result<()> {
        let label = Label::Session(self.number, id).encode();
        let kick = Label::Kick(self.number, id).encode();
        let session = self.session(id)?;
        session.kick().bind_thread(thread, kick)?;
        session.gate = Some(match door {
            Door::New => factory.gate(thread, label)?.into(),
            Door::Static(gate) => {
                gate.bind_thread(thread, label)?;
                gate.into()
            }
        });
        Ok(())
    }

    /// The gate of a client.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is none.
    pub fn gate(&mut self, id: ClientId) -> Result<&Gate> {
        self.session(id)?.gate.as_deref().ok_or(Error::NOENT)
    }

    /// The client has gone; what belongs to it goes when the device does not use it any more.
    pub fn close(&mut self, id: ClientId) {
        if let Ok(session) = self.session(id) {
            session.leaving = true;
        }
        // Who is not there or leaving already needs nothing.
        let _ = self.server.remove_client(id);
    }

    /// Closes the sessions of clients whose gate is gone.
    pub fn sweep(&mut self) {
        let Self { sessions, server, resources, .. } = self;
        for session in sessions.iter_mut().flatten().filter(|s| !s.leaving && s.is_abandoned()) {
            limited(
                Source::Client,
                Level::Debug,
                format_args!("a client of {} has gone", resources.names.join(", ")),
            );
            session.leaving = true;
            let _ = server.remove_client(session.id);
        }
    }

    /// Carries out what a client asks for. `cap` is the capability that came with it, if the
    /// request takes one; `reply` is empty and becomes the answer.
    ///
    /// # Errors
    ///
    /// What the client is answered.
    pub fn handle(
        &mut self,
        id: ClientId,
        request: DeviceRequest,
        cap: Option<Cap<Dataspace>>,
        trust: &Trust,
        reply: &mut Msg,
    ) -> Result<usize> {
        match request {
            DeviceRequest::SetStatus(status) => {
                self.server.set_status(id, status)?;
            }
            DeviceRequest::ConfigQueue(queue) => self.server.config_queue(id, queue)?,
            DeviceRequest::Register(range) => {
                self.register(id, cap.ok_or(Error::MSGMISSARG)?, &range, trust)?;
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

    fn register(
        &mut self,
        id: ClientId,
        dataspace: Cap<Dataspace>,
        range: &Range,
        trust: &Trust,
    ) -> Result<()> {
        // Cheap refusals first: mapping is what costs.
        self.server.prepare_register(id, range.base, range.size)?;
        trust.check(&dataspace)?;
        let mapped = memory::map(dataspace, range, &self.resources.dma, &self.maps)?;
        self.server.register(id, range.base, mapped.window, &mapped.runs, mapped.owner)
    }

    /// Whether the device still works on requests of a client that has reset or gone.
    pub fn is_draining(&self, id: ClientId) -> bool {
        self.server.is_draining(id)
    }

    /// Whether the answer to the message of a client is to wait for the device. Once for each
    /// reset: a client that goes on sending messages while the device does not finish must not
    /// make everybody else wait each time.
    pub fn has_to_wait_for(&mut self, id: ClientId) -> bool {
        self.is_draining(id) && self.session(id).is_ok_and(Session::begin_wait)
    }

    /// A client has notified us.
    pub fn kick(&mut self, id: ClientId) {
        self.server.kick(id);
    }

    /// Interrupt `number` of the device has arrived.
    ///
    /// Returns the interrupt if devices of other disks may have caused it as well.
    pub fn interrupt(&mut self, number: u8) -> Option<Arc<Interrupt>> {
        self.masked = true;
        self.interrupts += 1;
        self.server.backend().interrupt(number.into());
        let line = self.resources.interrupts.get(usize::from(number))?;
        (Arc::strong_count(line) > 1).then(|| line.clone())
    }

    /// A line that is shared has interrupted; does the same if this device is wired to it.
    pub fn shared_interrupt(&mut self, line: &Arc<Interrupt>) {
        let number = self.resources.interrupts.iter().position(|own| Arc::ptr_eq(own, line));
        if let Some(number) = number.and_then(|number| u8::try_from(number).ok()) {
            self.interrupt(number);
        }
    }

    /// One round of [`Server::work`].
    ///
    /// Interrupts that have arrived are let through again at its end. Not only before the loop
    /// waits: clients can keep it from that, and a line may be shared with a device of somebody
    /// else. And not after [`settle`](Self::settle) has looked at the device for the last time: a
    /// message that comes while it is masked can be lost.
    pub fn work(&mut self) -> bool {
        let more = self.server.work(&mut Signals(&mut self.sessions));
        self.unmask();
        self.fail_lost() | more
    }

    /// Ends service of clients that have taken their memory away; returns whether there may be one.
    fn fail_lost(&mut self) -> bool {
        let losses = guard::losses();
        let new = core::mem::replace(&mut self.losses, losses) != losses;
        if new {
            self.server.fail_lost();
        }
        new
    }

    /// Prepares to wait: see [`Server::settle`].
    pub fn settle(&mut self) -> Rest {
        let rest = self.server.settle();
        if self.fail_lost() { Rest::Again } else { rest }
    }

    /// Lets interrupts through again; the device has taken back those that arrived.
    fn unmask(&mut self) {
        if !core::mem::take(&mut self.masked) {
            return;
        }
        for interrupt in &self.resources.interrupts {
            if let Err(e) = interrupt.unmask() {
                limited(
                    Source::Device,
                    Level::Error,
                    format_args!("interrupt of {} is lost: {e}", self.resources.names.join(", ")),
                );
            }
        }
    }

    /// Logs why clients have failed, each failure once.
    pub fn tell_failures(&mut self) {
        for session in self.sessions.iter_mut().flatten() {
            let failure = self.server.failure(session.id);
            if let Some(why) = failure.filter(|_| !session.failure_told) {
                let names = self.resources.names.join(", ");
                let text = format_args!("a client of {names} has to reset: {why}");
                limited(Source::Client, Level::Warn, text);
            }
            session.failure_told = failure.is_some();
        }
    }

    /// Adds what has happened here.
    pub fn add_to(&mut self, stats: &mut Statistics) {
        stats.add_clients(&self.server.counters());
        stats.add_device(self.server.device_counters());
        let totals = &mut stats.totals;
        totals.device_interrupts += self.interrupts;
        totals.clients_ever += self.clients_ever;
        totals.clients += self.sessions.iter().flatten().count() as u64;
        totals.in_flight += self.server.in_flight() as u64;
        totals.dma_maps += self.maps.maps.get();
        totals.dma_unmaps += self.maps.unmaps.get();
        totals.device_kicks += self.server.backend().notifications();
    }
}
