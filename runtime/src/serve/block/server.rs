//! The server of one disk: its clients, the device, and the turns that they take.

use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};

use super::client::{Client, ClientOptions, Port, Progress, StatusReply};
use super::parts::Parts;
use super::{Backend, Counters, DeviceCounters, Window};
use crate::Error;
use crate::mem::DmaRun;
use crate::mem::SharedMem;
use crate::serve::client_mem::MemoryOwner;
use crate::serve::device::Failure;
use crate::virtio::spec::block::{Info, SECTOR_SIZE, Status};

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

/// What a server tells its event loop.
pub trait Notify {
    /// Send the client its notification interrupt.
    fn interrupt(&mut self, client: ClientId);

    /// The reset of the client is complete: a `set_status` that was answered with
    /// [`StatusReply::Draining`] can be replied to.
    fn drained(&mut self, client: ClientId);

    /// The client has been removed and nothing of it is in use any more: its page can be
    /// unmapped. The owners of its dataspaces have been dropped.
    fn removed(&mut self, client: ClientId);
}

/// What an event loop may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Call [`Server::work`]: there is something to do.
    Again,
    /// Wait, but for a short time only (a millisecond), then call [`Server::settle`] again.
    ///
    /// Clients have just been asked for notifications again. A client that publishes an entry and
    /// then reads the flag without a full barrier between, as the C++ client library of L4Re
    /// does, can miss that, and nobody would wake us.
    Linger,
    /// Wait for as long as it takes.
    Sleep,
}

struct Slot<R> {
    client: Option<Client<R>>,
    generation: u16,
}

/// A server of one disk.
///
/// The event loop tells it of messages and interrupts, and calls [`work`](Self::work) after each
/// of them until there is no more to do. Before it waits it calls [`settle`](Self::settle), which
/// says whether it may. `R` is what keeps a registered dataspace mapped.
pub struct Server<B, R> {
    backend: B,
    slots: Vec<Slot<R>>,
    parts: Parts,
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

impl<B: Backend, R: MemoryOwner> Server<B, R> {
    /// A server without clients.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] if the properties of the disk make no sense.
    pub fn new(backend: B) -> crate::Result<Self> {
        let info = backend.info();
        let block = info.block_size;
        let sane = block.is_power_of_two()
            && (SECTOR_SIZE..=1 << 20).contains(&u64::from(block))
            && (1..=1 << 16).contains(&info.seg_max)
            && info.size_max >= 1
            && backend.depth() >= 1;
        if !sane {
            return Err(Error::INVAL);
        }
        let depth = backend.depth();
        // A turn leaves room for others even if the device is small.
        let burst = BURST.min(depth / 2).max(1) as u32;
        Ok(Self {
            parts: Parts::new(depth),
            backend,
            slots: Vec::new(),
            turn: 0,
            budget: burst,
            burst,
            full: false,
            quiet: false,
            counters: DeviceCounters::default(),
            former: Counters::default(),
        })
    }

    /// Properties of the disk.
    pub fn info(&self) -> &Info {
        self.backend.info()
    }

    /// The driver of the disk.
    pub fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    /// Adds a client and fills its page.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] for options that are not possible, [`Error::NOMEM`] if there are 65536
    /// clients already.
    pub fn add_client(&mut self, options: &ClientOptions) -> crate::Result<ClientId> {
        let free = self.slots.iter().position(|s| s.client.is_none());
        let index = free.unwrap_or(self.slots.len());
        let number = u16::try_from(index).map_err(|_| Error::NOMEM)?;
        let client = Client::new(number, self.backend.info(), options)?;
        if free.is_none() {
            self.slots.push(Slot { client: None, generation: 0 });
        }
        let slot = self.slots.get_mut(index).ok_or(Error::NOMEM)?;
        slot.client = Some(client);
        Ok(ClientId { index: number, generation: slot.generation })
    }

    /// The client has gone. [`Notify::removed`] follows when nothing of it is in flight.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is no such client.
    pub fn remove_client(&mut self, id: ClientId) -> crate::Result<()> {
        self.client(id)?.leave();
        Ok(())
    }

    /// Whether a client sees any of the sectors of `window`; for exclusive use.
    pub fn is_in_use(&self, window: &Window) -> bool {
        self.clients().any(|c| c.window().overlaps(window))
    }

    fn clients(&self) -> impl Iterator<Item = &Client<R>> {
        self.slots.iter().filter_map(|s| s.client.as_ref())
    }

    fn slot(&self, id: ClientId) -> crate::Result<&Client<R>> {
        let slot = self.slots.get(usize::from(id.index)).filter(|s| s.generation == id.generation);
        slot.and_then(|s| s.client.as_ref()).filter(|c| !c.is_leaving()).ok_or(Error::NOENT)
    }

    fn client(&mut self, id: ClientId) -> crate::Result<&mut Client<R>> {
        self.slot(id)?;
        let slot = self.slots.get_mut(usize::from(id.index));
        slot.and_then(|s| s.client.as_mut()).ok_or(Error::NOENT)
    }

    /// The client sets its status (operation 0 of the protocol).
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is no such client, [`Error::AGAIN`] while a reset is not
    /// complete.
    pub fn set_status(&mut self, id: ClientId, status: u32) -> crate::Result<StatusReply> {
        self.client(id)?.set_status(status)
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
        self.client(id)?.config_queue(index)
    }

    /// Makes room for a dataspace and says whether [`register`](Self::register) would take it,
    /// before it is mapped.
    ///
    /// # Errors
    ///
    /// As `register`.
    pub fn prepare_register(&mut self, id: ClientId, base: u64, len: u64) -> crate::Result<()> {
        self.client(id)?.prepare_register(base, len)
    }

    /// The client registers a dataspace (operation 3 of the protocol), which has been mapped: see
    /// [`ClientMemory::register`](crate::serve::client_mem::ClientMemory::register).
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is no such client, [`Error::AGAIN`] while a reset is not
    /// complete, otherwise those of
    /// [`RegisterError`](crate::serve::client_mem::RegisterError).
    pub fn register(
        &mut self,
        id: ClientId,
        base: u64,
        window: SharedMem,
        runs: &[DmaRun],
        owner: R,
    ) -> crate::Result<()> {
        self.client(id)?.register(base, window, runs, owner)
    }

    /// The client has sent its notification. Unknown clients are ignored: interrupts outlive
    /// their senders.
    pub fn kick(&mut self, id: ClientId) {
        if let Ok(client) = self.client(id) {
            client.kick();
        }
    }

    /// Why a client is not served any more, if so.
    pub fn failure(&self, id: ClientId) -> Option<Failure> {
        self.slot(id).ok()?.transport().failure()
    }

    /// Ends service of the clients whose memory was taken away.
    pub fn fail_lost(&mut self) {
        self.slots.iter_mut().filter_map(|s| s.client.as_mut()).for_each(Client::fail_if_lost);
    }

    /// Whether a client has reset or gone and the device may still access its memory.
    pub fn is_draining(&self, id: ClientId) -> bool {
        let slot = self.slots.get(usize::from(id.index)).filter(|s| s.generation == id.generation);
        slot.and_then(|s| s.client.as_ref()).is_some_and(Client::is_draining)
    }

    /// Counters of a client.
    pub fn client_counters(&self, id: ClientId) -> Option<&Counters> {
        self.slot(id).ok().map(|c| &c.counters)
    }

    /// Counters of all clients together, also of those that have gone.
    pub fn counters(&self) -> Counters {
        self.clients().fold(self.former, |mut sum, c| {
            sum.add(&c.counters);
            sum
        })
    }

    /// Counters towards the device.
    pub fn device_counters(&self) -> &DeviceCounters {
        &self.counters
    }

    /// Requests that are with the device.
    pub fn in_flight(&self) -> usize {
        self.parts.len()
    }

    /// One round: takes what the device has completed, gives each client a turn, shows the new
    /// requests to the device, and the answers to the clients, each at most once. Returns whether
    /// there is more to do; the event loop may look for messages before it comes back.
    pub fn work(&mut self, notify: &mut impl Notify) -> bool {
        if !self.quiet {
            self.backend.quiet(true);
            self.quiet = true;
        }
        let completed = self.reap();
        if self.backend.gone() {
            self.lose();
        }
        let (more, staged) = self.serve();
        if staged > 0 {
            self.backend.publish();
            self.counters.publishes += 1;
        }
        let answered = self.answer(notify);
        let idle = completed == 0 && staged == 0 && !answered;
        self.counters.idle_work += u64::from(idle);
        more
    }

    /// Prepares to wait: asks clients and device for interrupts again, and then looks once more
    /// for what came while they had been asked not to send any. Says whether to wait.
    ///
    /// While the device is full, clients are not asked: only a completion can change anything.
    pub fn settle(&mut self) -> Rest {
        let mut listening = false;
        if !self.full {
            for client in self.slots.iter_mut().filter_map(|s| s.client.as_mut()) {
                listening |= client.listen();
            }
        }
        if self.quiet {
            self.backend.quiet(false);
            self.quiet = false;
        }
        // Between our flags and the peers' indices: one of us sees the other (virtio 1.2, 2.7.7).
        fence(Ordering::SeqCst);
        let completed = self.reap() > 0;
        let dead = self.backend.gone() && !self.parts.is_empty();
        if completed || dead || (!self.full && self.any_client_has_work()) {
            return Rest::Again;
        }
        if listening { Rest::Linger } else { Rest::Sleep }
    }

    fn any_client_has_work(&mut self) -> bool {
        let clients = self.slots.iter_mut().filter_map(|s| s.client.as_mut());
        clients.fold(false, |any, c| c.has_work() | any)
    }

    /// Takes what the device has completed; returns how much the device claims that was.
    fn reap(&mut self) -> u64 {
        let Self { backend, slots, parts, counters, .. } = self;
        let before = counters.completions;
        backend.complete(&mut |completion| {
            counters.completions += 1;
            let Some(part) = parts.release(completion.tag) else {
                counters.nonsense += 1;
                return;
            };
            counters.nonsense += u64::from(completion.written > part.bytes);
            let slot = slots.get_mut(usize::from(part.client));
            if let Some(client) = slot.and_then(|s| s.client.as_mut()) {
                client.complete(part.head, completion.status);
            }
        });
        let completed = self.counters.completions - before;
        if completed > 0 {
            self.full = false;
        }
        completed
    }

    /// The device is dead: everything that is with it has failed.
    fn lose(&mut self) {
        while let Some(part) = self.parts.release_any() {
            self.counters.lost += 1;
            let slot = self.slots.get_mut(usize::from(part.client));
            if let Some(client) = slot.and_then(|s| s.client.as_mut()) {
                client.complete(part.head, Status::IoErr);
            }
        }
        self.full = false;
    }

    /// Gives each client a turn, beginning where the last round ended. A turn that ended because
    /// the device was full goes on with what is left of it, so a client cannot take more than its
    /// share by keeping the device full. Returns whether there is more, and how much was staged.
    fn serve(&mut self) -> (bool, u32) {
        let mut port = Port { backend: &mut self.backend, parts: &mut self.parts, staged: 0 };
        let mut more = false;
        for _ in 0..self.slots.len() {
            if self.full {
                break;
            }
            if let Some(client) = self.slots.get_mut(self.turn).and_then(|s| s.client.as_mut()) {
                match client.advance(&mut port, &mut self.budget) {
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
        (more && !self.full, port.staged)
    }

    /// Shows the clients their answers. Returns whether anybody was told anything.
    fn answer(&mut self, notify: &mut impl Notify) -> bool {
        let mut told = false;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let Some(client) = &mut slot.client else {
                continue;
            };
            let id = ClientId { index: index as u16, generation: slot.generation };
            if client.publish() {
                notify.interrupt(id);
                told = true;
            }
            if client.is_leaving() && !client.is_draining() {
                self.former.add(&client.counters);
                slot.client = None;
                slot.generation = slot.generation.wrapping_add(1);
                notify.removed(id);
                told = true;
            } else if client.try_finish_reset() {
                notify.drained(id);
                told = true;
            }
        }
        told
    }
}
