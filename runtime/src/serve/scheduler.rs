//! The clients of one device, the device, and the turns that they take.

use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};

use super::class::{Class, Progress};
use super::client::{Client, ClientOptions, ClientTable, Peer, StatusReply};
use super::counters::{Counters, DeviceCounters};
use crate::Error;

/// Most requests that a client may bring to the device before it is the next one's turn.
const BURST: usize = 64;

/// Names a client. Never names another one, also after the client has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId {
    index: u16,
    generation: u16,
}

impl ClientId {
    /// The number from the parts that [`parts`](Self::parts) gives.
    pub(in crate::serve) const fn from_parts(index: u16, generation: u16) -> Self {
        Self { index, generation }
    }

    /// Position among the clients that there are now, and the number of the use of that position.
    pub(in crate::serve) const fn parts(self) -> (u16, u16) {
        (self.index, self.generation)
    }
}

/// What an event loop may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Call [`Scheduler::work`]: there is something to do.
    Work,
    /// Wait, but for a short time only (a millisecond), then call [`Scheduler::settle`] again.
    ///
    /// Clients have just been asked for notifications again. A client that publishes an entry and
    /// then reads the flag without a full barrier between, as the C++ client library of L4Re
    /// does, can miss that, and nobody would wake us.
    WaitShortly,
    /// Wait for as long as it takes.
    Wait,
}

/// A position for a client.
pub(super) struct Slot<C: Class, P: Peer> {
    pub client: Option<Client<C, P>>,
    generation: u16,
}

/// A device and its clients.
///
/// The event loop tells it of messages and interrupts, and calls [`work`](Self::work) after each
/// of them until there is no more to do. Before it waits it calls [`settle`](Self::settle), which
/// says whether it may.
pub struct Scheduler<C: Class, P: Peer> {
    class: C,
    slots: Vec<Slot<C, P>>,
    /// Index of the client whose turn it is.
    turn: usize,
    /// What is left of its turn.
    budget: u32,
    burst: u32,
    /// The device takes nothing more before something completes.
    full: bool,
    /// The device has been asked not to interrupt.
    quiet: bool,
    counters: DeviceCounters,
    /// What clients that have gone had done.
    former: Counters,
}

impl<C: Class, P: Peer> Scheduler<C, P> {
    /// A device without clients.
    pub fn new(class: C) -> Self {
        // A turn leaves room for others even if the device is small.
        let burst = BURST.min(class.depth() / 2).max(1) as u32;
        Self {
            class,
            slots: Vec::new(),
            turn: 0,
            budget: burst,
            burst,
            full: false,
            quiet: false,
            counters: DeviceCounters::default(),
            former: Counters::default(),
        }
    }

    /// The class with its device.
    pub fn class(&self) -> &C {
        &self.class
    }

    /// The class with its device, to change it.
    pub fn class_mut(&mut self) -> &mut C {
        &mut self.class
    }

    /// Adds a client and fills its page. `peer` is dropped when the client has gone and the device
    /// does not use anything of it any more.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] for options that are not possible, [`Error::NOMEM`] if there are 65536
    /// clients already.
    pub fn add_client(
        &mut self,
        options: ClientOptions<C::Options>,
        peer: P,
    ) -> crate::Result<ClientId> {
        let free = self.slots.iter().position(|s| s.client.is_none());
        let index = free.unwrap_or(self.slots.len());
        let number = u16::try_from(index).map_err(|_| Error::NOMEM)?;
        let client = Client::new(number, &self.class, options, peer)?;
        if free.is_none() {
            self.slots.push(Slot { client: None, generation: 0 });
        }
        let slot = self.slots.get_mut(index).ok_or(Error::NOMEM)?;
        slot.client = Some(client);
        Ok(ClientId { index: number, generation: slot.generation })
    }

    /// The client has gone. It is dropped when nothing of it is with the device.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is no such client.
    pub fn remove_client(&mut self, id: ClientId) -> crate::Result<()> {
        self.with_client(id, |client, class| client.leave(class))
    }

    /// The clients that `gone` picks have gone, as for [`remove_client`](Self::remove_client).
    /// Returns how many they are.
    pub fn remove_clients(&mut self, gone: impl Fn(&Client<C, P>) -> bool) -> usize {
        let Self { slots, class, .. } = self;
        let clients = slots.iter_mut().filter_map(|s| s.client.as_mut());
        let leaving = clients.filter(|c| !c.is_leaving() && gone(c));
        leaving.map(|client| client.leave(class)).count()
    }

    /// All clients with their names, those included that have gone and whose requests are still
    /// with the device.
    pub fn clients(&self) -> impl Iterator<Item = (ClientId, &Client<C, P>)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let id = ClientId { index: index as u16, generation: slot.generation };
            slot.client.as_ref().map(|client| (id, client))
        })
    }

    /// All clients, to change them.
    pub fn clients_mut(&mut self) -> impl Iterator<Item = &mut Client<C, P>> {
        self.slots.iter_mut().filter_map(|slot| slot.client.as_mut())
    }

    /// A client, whether it has gone or not.
    fn slot(&mut self, id: ClientId) -> Option<&mut Client<C, P>> {
        let slot = self.slots.get_mut(usize::from(id.index))?;
        slot.client.as_mut().filter(|_| slot.generation == id.generation)
    }

    /// A client.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is no such client, or it has gone.
    pub fn client(&mut self, id: ClientId) -> crate::Result<&mut Client<C, P>> {
        self.slot(id).filter(|client| !client.is_leaving()).ok_or(Error::NOENT)
    }

    fn with_client<V>(
        &mut self,
        id: ClientId,
        action: impl FnOnce(&mut Client<C, P>, &mut C) -> V,
    ) -> crate::Result<V> {
        let Self { slots, class, .. } = self;
        let slot = slots.get_mut(usize::from(id.index)).filter(|s| s.generation == id.generation);
        let client = slot.and_then(|s| s.client.as_mut()).filter(|c| !c.is_leaving());
        Ok(action(client.ok_or(Error::NOENT)?, class))
    }

    /// The client sets its status (operation 0 of the protocol).
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is no such client, [`Error::AGAIN`] while a reset is not
    /// complete.
    pub fn set_status(&mut self, id: ClientId, status: u32) -> crate::Result<StatusReply> {
        self.with_client(id, |client, class| client.set_status(class, status))?
    }

    /// The client has configured a queue (operation 1 of the protocol).
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is no such client, [`Error::AGAIN`] while a reset is not
    /// complete, [`Error::IO`] if the status does not permit it, [`Error::RANGE`] if there is no
    /// such queue, [`Error::BUSY`] if requests of the queue are in flight, [`Error::INVAL`] if the
    /// queue is not possible.
    pub fn config_queue(&mut self, id: ClientId, index: u32) -> crate::Result<()> {
        self.with_client(id, |client, class| client.config_queue(class, index))?
    }

    /// The client has sent its notification. Unknown clients are ignored: interrupts outlive
    /// their senders.
    pub fn kick(&mut self, id: ClientId) {
        let _ = self.with_client(id, Client::kick);
    }

    /// Ends service of the clients whose memory was taken away.
    pub fn fail_lost(&mut self) {
        let Self { slots, class, .. } = self;
        slots.iter_mut().filter_map(|s| s.client.as_mut()).for_each(|c| c.fail_if_lost(class));
    }

    /// Whether a client has reset or gone and the device may still access its memory.
    pub fn is_draining(&mut self, id: ClientId) -> bool {
        self.slot(id).is_some_and(|client| client.is_draining())
    }

    /// Counters of all clients together, also of those that have gone.
    pub fn counters(&self) -> Counters {
        self.clients().fold(self.former, |mut sum, (_, client)| {
            sum.add(client.counters());
            sum
        })
    }

    /// Counters towards the device.
    pub fn device_counters(&self) -> &DeviceCounters {
        &self.counters
    }

    /// Requests that are with the device.
    pub fn in_flight(&self) -> usize {
        self.class.in_flight()
    }

    /// One round: takes what the device has completed, gives each client a turn, shows the new
    /// requests to the device, and the answers to the clients, each at most once. Returns whether
    /// there is more to do; the event loop may look for messages before it comes back.
    pub fn work(&mut self) -> bool {
        if !self.quiet {
            self.class.quiet(true);
            self.quiet = true;
        }
        let completed = self.reap();
        if self.class.is_gone() {
            self.class.lose(&mut ClientTable(&mut self.slots), &mut self.counters);
            self.full = false;
        }
        let before = self.class.in_flight();
        let more = self.serve();
        let staged = self.class.in_flight() > before;
        if staged {
            self.class.publish();
            self.counters.publishes += 1;
        }
        let answered = self.answer();
        let idle = completed == 0 && !staged && !answered;
        self.counters.idle_work += u64::from(idle);
        more
    }

    /// Prepares to wait: asks clients and device for interrupts again, and then looks once more
    /// for what came while they had been asked not to send any. Says whether to wait.
    ///
    /// While the device is full, clients are not asked: only a completion can change anything.
    pub fn settle(&mut self) -> NextStep {
        let mut listening = false;
        if !self.full {
            listening = self.clients_mut().fold(false, |any, client| client.listen() | any);
        }
        if self.quiet {
            self.class.quiet(false);
            self.quiet = false;
        }
        // Between our flags and the peers' indices: one of us sees the other (virtio 1.2, 2.7.7).
        fence(Ordering::SeqCst);
        let completed = self.reap() > 0;
        let dead = self.class.is_gone() && self.class.in_flight() > 0;
        if completed || dead || (!self.full && self.any_client_has_work()) {
            return NextStep::Work;
        }
        if listening { NextStep::WaitShortly } else { NextStep::Wait }
    }

    fn any_client_has_work(&mut self) -> bool {
        let Self { slots, class, .. } = self;
        let clients = slots.iter_mut().filter_map(|s| s.client.as_mut());
        clients.fold(false, |any, client| client.has_work(class) | any)
    }

    /// Takes what the device has completed; returns how much the device claims that was.
    fn reap(&mut self) -> u64 {
        let before = self.counters.completions;
        self.class.reap(&mut ClientTable(&mut self.slots), &mut self.counters);
        let completed = self.counters.completions - before;
        if completed > 0 {
            self.full = false;
        }
        completed
    }

    /// Gives each client a turn, beginning where the last round ended. A turn that ended because
    /// the device was full goes on with what is left of it, so a client cannot take more than its
    /// share by keeping the device full. Returns whether there is more.
    fn serve(&mut self) -> bool {
        let mut more = false;
        for _ in 0..self.slots.len() {
            if self.full {
                break;
            }
            if let Some(client) = self.slots.get_mut(self.turn).and_then(|s| s.client.as_mut()) {
                match client.advance(&mut self.class, &mut self.budget) {
                    Progress::Idle => {}
                    Progress::More => more = true,
                    Progress::Full => {
                        self.full = true;
                        break;
                    }
                }
            }
            self.turn = (self.turn + 1) % self.slots.len();
            self.budget = self.burst;
        }
        more && !self.full
    }

    /// Shows the clients their answers. Returns whether anybody was told anything.
    fn answer(&mut self) -> bool {
        let Self { slots, class, former, .. } = self;
        let mut told = false;
        for slot in slots {
            let Some(client) = &mut slot.client else {
                continue;
            };
            if client.publish() {
                client.peer_mut().interrupt();
                told = true;
            }
            if client.is_leaving() && !client.is_draining() {
                former.add(client.counters());
                slot.client = None;
                slot.generation = slot.generation.wrapping_add(1);
                told = true;
            } else if client.try_finish_reset(class) {
                client.peer_mut().drained();
                told = true;
            }
        }
        told
    }
}
