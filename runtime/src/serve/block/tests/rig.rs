//! A server with a disk and some clients.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, Ref, RefCell, RefMut};

use super::disk::{Disk, DmaMemory};
use crate::mem::DmaRun;
use crate::serve::block::{Block, BlockOptions};
use crate::serve::client::{ClientOptions, Peer, StatusReply};
use crate::serve::memory::MemoryOwner;
use crate::serve::scheduler::{ClientId, NextStep, Scheduler};
use crate::serve::testing::{Arena, Guest, PAGE};
use crate::serve::transport::Failure;
use crate::virtio::spec::block::Op;
use crate::virtio::spec::l4page::{self as page, queue as qpage};
use crate::virtio::spec::status;

/// Device address at which every client registers its memory.
pub const BASE: u64 = 0x20_0000;
/// Pages of a client's memory.
pub const PAGES: usize = 64;
/// Most bytes of data of a request.
pub const DATA: usize = 8192;
/// Entries of a client's queue.
pub const QUEUE: u16 = 64;
/// Status that no device writes.
pub const NO_STATUS: u8 = 0xaa;

/// Keeps a client's memory mapped for the device.
pub struct Owner {
    mapped: Rc<Cell<bool>>,
    lost: Rc<Cell<bool>>,
}

impl MemoryOwner for Owner {
    fn is_lost(&self) -> bool {
        self.lost.get()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.mapped.set(false);
    }
}

#[derive(Default)]
pub struct Events {
    pub interrupts: Vec<ClientId>,
    pub drained: Vec<ClientId>,
    pub removed: Vec<ClientId>,
}

/// The other side of a client: notes what it is told.
pub struct TestPeer {
    id: Option<ClientId>,
    events: Rc<RefCell<Events>>,
}

impl Peer for TestPeer {
    type Memory = Owner;

    fn interrupt(&mut self) {
        self.events.borrow_mut().interrupts.extend(self.id);
    }

    fn drained(&mut self) {
        self.events.borrow_mut().drained.extend(self.id);
    }
}

impl Drop for TestPeer {
    fn drop(&mut self) {
        self.events.borrow_mut().removed.extend(self.id);
    }
}

/// A client. Request `n` has descriptors `3n` to `3n + 2`, its own header and status, and its own
/// room for data, which begins in the middle of a page.
pub struct Client {
    pub id: ClientId,
    pub page: Arena,
    pub arena: Arena,
    pub guest: Guest,
    pub mapped: Rc<Cell<bool>>,
    /// Its memory is somebody else's now.
    pub lost: Rc<Cell<bool>>,
}

impl Client {
    pub fn header_at(&self, n: u16) -> usize {
        self.guest.free_at() + 64 * usize::from(n)
    }

    pub fn status_at(&self, n: u16) -> usize {
        self.header_at(n) + 32
    }

    pub fn data_at(&self, n: u16) -> usize {
        self.guest.free_at() + PAGE + 100 + DATA * usize::from(n)
    }

    pub fn write_header(&self, at: usize, kind: u32, sector: u64) {
        self.guest.mem.write_u32(at, kind).unwrap();
        self.guest.mem.write_u64(at + 8, sector).unwrap();
    }

    /// Makes request `n` of `bytes` bytes available.
    pub fn send(&mut self, n: u16, kind: u32, sector: u64, bytes: u32) {
        self.write_header(self.header_at(n), kind, sector);
        self.guest.mem.write_u8(self.status_at(n), NO_STATUS).unwrap();
        let writable = Op::from_raw(kind).is_none_or(Op::device_writes);
        let at = |offset: usize| BASE + offset as u64;
        let header = (at(self.header_at(n)), 16, false);
        let data = (at(self.data_at(n)), bytes, writable);
        let status = (at(self.status_at(n)), 1, true);
        match bytes {
            0 => self.guest.chain(3 * n, &[header, status]),
            _ => self.guest.chain(3 * n, &[header, data, status]),
        }
        self.guest.offer(3 * n);
    }

    pub fn status(&self, n: u16) -> u8 {
        self.guest.mem.read_u8(self.status_at(n)).unwrap()
    }

    pub fn data(&self, n: u16, bytes: usize) -> Vec<u8> {
        let mut data = alloc::vec![0; bytes];
        self.guest.mem.read_bytes(self.data_at(n), &mut data).unwrap();
        data
    }

    pub fn page_u32(&self, at: usize) -> u32 {
        self.page.mem().read_u32(at).unwrap()
    }

    /// Chooses features: of what is offered, those in `mask`.
    pub fn choose_features(&self, mask: u64) {
        for (i, mask) in [mask as u32, (mask >> 32) as u32].into_iter().enumerate() {
            let word = self.page_u32(page::DEVICE_FEATURE_MAP + 4 * i) & mask;
            self.page.mem().write_u32(page::DRIVER_FEATURE_MAP + 4 * i, word).unwrap();
        }
    }

    /// Describes the queue in the page.
    pub fn write_queue(&self, ready: u16) {
        let at = self.page_u32(page::QUEUES_OFFSET) as usize;
        let layout = self.guest.layout();
        let page = self.page.mem();
        page.write_u16(at + qpage::NUM, layout.size).unwrap();
        page.write_u64(at + qpage::DESC, layout.desc).unwrap();
        page.write_u64(at + qpage::AVAIL, layout.avail).unwrap();
        page.write_u64(at + qpage::USED, layout.used).unwrap();
        page.write_u16(at + qpage::READY, ready).unwrap();
    }
}

pub struct Rig {
    pub server: Scheduler<Block<Disk>, TestPeer>,
    pub clients: Vec<Client>,
    events: Rc<RefCell<Events>>,
}

impl Rig {
    /// A server with running clients.
    pub fn new(disk: Disk, clients: usize) -> Self {
        let mut rig = Self::empty(disk);
        for _ in 0..clients {
            let k = rig.add(|_| {});
            rig.start(k, u64::MAX);
        }
        rig
    }

    pub fn empty(disk: Disk) -> Self {
        let server = Scheduler::new(Block::new(disk).unwrap());
        Self { server, clients: Vec::new(), events: Rc::default() }
    }

    /// What clients were told.
    pub fn events(&self) -> Ref<'_, Events> {
        self.events.borrow()
    }

    pub fn events_mut(&self) -> RefMut<'_, Events> {
        self.events.borrow_mut()
    }

    /// Why a client is not served any more.
    pub fn failure(&mut self, id: ClientId) -> Option<Failure> {
        self.server.client(id).ok()?.failure()
    }

    /// Adds a client with options of its own, which is not set up yet.
    pub fn add(&mut self, change: impl FnOnce(&mut BlockOptions)) -> usize {
        let page = Arena::new(1);
        let mut class = BlockOptions {
            id: crate::serve::block::id_string("test disk"),
            queue_size: QUEUE,
            ..BlockOptions::whole(self.server.class().info())
        };
        change(&mut class);
        let options = ClientOptions { page: page.mem(), ds_max: 2, command_register: true, class };
        let peer = TestPeer { id: None, events: self.events.clone() };
        let id = self.server.add_client(options, peer).unwrap();
        self.server.client(id).unwrap().peer_mut().id = Some(id);
        let arena = Arena::new(PAGES);
        let guest = Guest::new(arena.mem(), BASE, QUEUE);
        let mapped = Rc::new(Cell::new(false));
        let lost = Rc::default();
        self.clients.push(Client { id, page, arena, guest, mapped, lost });
        self.clients.len() - 1
    }

    /// Registers the memory of a client.
    pub fn register(&mut self, k: usize) -> crate::Result<()> {
        let client = &mut self.clients[k];
        let mem = client.arena.mem();
        let base = (k as u64 + 1) << 32;
        let page = PAGE as u64;
        let run = |i: u64| DmaRun {
            offset: i * page,
            len: page,
            addr: base + (PAGES as u64 - 1 - i) * page,
        };
        let runs: Vec<_> = (0..PAGES as u64).map(run).collect();
        client.mapped = Rc::new(Cell::new(true));
        let mapped = client.mapped.clone();
        let memory = DmaMemory { mem, base, mapped: mapped.clone() };
        self.server.class_mut().backend().memory.push(memory);
        let owner = Owner { mapped, lost: client.lost.clone() };
        self.server.client(client.id)?.register(BASE, mem, &runs, owner)
    }

    pub fn set_status(&mut self, k: usize, raw: u32) -> crate::Result<StatusReply> {
        self.server.set_status(self.clients[k].id, raw)
    }

    /// Sets a client up in the usual way.
    pub fn start(&mut self, k: usize, features: u64) {
        let id = self.clients[k].id;
        let mut bits = 0;
        for bit in [status::ACKNOWLEDGE, status::DRIVER, status::FEATURES_OK] {
            bits |= bit;
            self.clients[k].choose_features(features);
            assert_eq!(self.set_status(k, bits), Ok(StatusReply::Done));
        }
        assert_eq!(self.clients[k].page_u32(page::STATUS), bits);
        self.register(k).unwrap();
        self.clients[k].write_queue(1);
        assert_eq!(self.server.config_queue(id, 0), Ok(()));
        assert_eq!(self.set_status(k, bits | status::DRIVER_OK), Ok(StatusReply::Done));
        assert_eq!(self.clients[k].page_u32(page::STATUS), bits | status::DRIVER_OK);
    }

    /// What an event loop does between two events: work until there is nothing left.
    pub fn run(&mut self) {
        loop {
            while self.server.work() {}
            match self.server.settle() {
                NextStep::Work | NextStep::WaitShortly => {}
                NextStep::Wait => return,
            }
        }
    }

    /// Kicks as a client that obeys the suppression.
    pub fn kick(&mut self, k: usize) {
        if self.clients[k].guest.wants_kick() {
            self.server.kick(self.clients[k].id);
        }
    }

    /// One request from begin to end: its status.
    pub fn request(&mut self, k: usize, kind: u32, sector: u64, bytes: u32) -> u8 {
        self.clients[k].send(0, kind, sector, bytes);
        self.kick(k);
        self.run();
        assert_eq!(self.clients[k].guest.take_used().len(), 1, "answered once");
        self.clients[k].status(0)
    }

    /// Whether a client's device asks to be reset.
    pub fn needs_reset(&self, k: usize) -> bool {
        self.clients[k].page_u32(page::STATUS) & status::DEVICE_NEEDS_RESET != 0
    }
}
