//! The transport against the real server, which drives a disk with the real driver: every part of
//! the data path but the kernel.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::mem::DmaRun;
use crate::mem::{DmaAllocator, DmaBuffer, DmaSegment};
use crate::serve::block::{Backend, Block, BlockOptions, Completion, SectorRange, SubmitError};
use crate::serve::client::{ClientOptions, Peer};
use crate::serve::scheduler::{ClientId, NextStep, Scheduler};
use crate::virtio::block::{BlockDevice, BlockError, Options};
use crate::virtio::fake::{Device, Disk, FakeTransport, HostDma, window};
use crate::virtio::negotiate::InitError;
use crate::virtio::queue::QueueError;
use crate::virtio::spec::block::{Info, Op, Status};
use crate::virtio::spec::feature;

/// The driver of the disk, as the server wants it.
struct Local(BlockDevice<FakeTransport>);

impl Backend for Local {
    fn info(&self) -> &Info {
        self.0.info()
    }
    fn depth(&self) -> usize {
        self.0.depth()
    }
    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        segments: &[DmaSegment],
        tag: u32,
    ) -> Result<(), SubmitError> {
        self.0.submit(op, sector, segments, tag)
    }
    fn submit_ranges(&mut self, _: Op, _: &[SectorRange], _: u32) -> Result<(), SubmitError> {
        Err(SubmitError::Invalid)
    }
    fn publish(&mut self) {
        self.0.publish();
    }
    fn complete(&mut self, sink: &mut dyn FnMut(Completion)) {
        self.0.complete(sink);
    }
    fn quiet(&mut self, quiet: bool) {
        self.0.quiet(quiet);
    }
    fn gone(&self) -> bool {
        self.0.gone()
    }
    fn interrupt(&mut self, _: usize) {}
    fn notifications(&self) -> u64 {
        self.0.counters().kicks
    }
}

/// Counts the interrupts of the client.
#[derive(Clone, Default)]
struct Irqs(Rc<RefCell<u32>>);

impl Peer for Irqs {
    type Memory = ();

    fn interrupt(&mut self) {
        *self.0.borrow_mut() += 1;
    }
}

struct World {
    server: Scheduler<Block<Local>, Irqs>,
    client: ClientId,
    page: DmaBuffer,
    irqs: Irqs,
    registrations: u32,
    kicks: u32,
    refuse_memory: bool,
}

/// The gate of the client; a message is a call.
#[derive(Clone)]
struct Gate(Rc<RefCell<World>>);

// SAFETY: the page is in the world, which the gate keeps.
unsafe impl L4Device for Gate {
    type Memory = Rc<DmaBuffer>;

    fn page(&self) -> SharedMem<'_> {
        window(&self.0.borrow().page)
    }
    fn set_status(&mut self, status: u32) -> crate::Result<()> {
        let world = &mut *self.0.borrow_mut();
        world.server.set_status(world.client, status)?;
        world.server.work();
        Ok(())
    }
    fn config_queue(&mut self, queue: u32) -> crate::Result<()> {
        let world = &mut *self.0.borrow_mut();
        world.server.config_queue(world.client, queue)
    }
    fn register_ds(
        &mut self,
        base: u64,
        memory: &Rc<DmaBuffer>,
        offset: u64,
        size: u64,
    ) -> crate::Result<()> {
        let world = &mut *self.0.borrow_mut();
        if world.refuse_memory {
            return Err(crate::Error::NOMEM);
        }
        world.registrations += 1;
        let window = window(memory).slice(offset as usize, size as usize).unwrap();
        let run = DmaRun { offset: 0, len: size, addr: memory.addr() + offset };
        world.server.client(world.client)?.register(base, window, &[run], ())
    }
    fn kick(&mut self, _queue: u16) {
        let world = &mut *self.0.borrow_mut();
        world.kicks += 1;
        world.server.kick(world.client);
        while world.server.work() || world.server.settle() == NextStep::Work {}
    }
}

fn world() -> Rc<RefCell<World>> {
    let ring = feature::INDIRECT_DESC | feature::EVENT_IDX;
    let disk = Device::with_disk(Disk::new(1024), false, ring).shared();
    let options = Options { polls: 1000, ..Options::default() };
    let driver = BlockDevice::new(FakeTransport(disk), &HostDma::default(), options).unwrap();
    let page = HostDma::default().alloc(4096).unwrap();
    let mut server = Scheduler::new(Block::new(Local(driver)).unwrap());
    let whole = BlockOptions::whole(server.class().info());
    let class = BlockOptions { queue_size: 64, id: *b"client's disk\0\0\0\0\0\0\0", ..whole };
    let options = ClientOptions { page: window(&page), ds_max: 2, command_register: false, class };
    let irqs = Irqs::default();
    let client = server.add_client(options, irqs.clone()).unwrap();
    let (registrations, kicks, refuse_memory) = (0, 0, false);
    let world = World { server, client, page, irqs, registrations, kicks, refuse_memory };
    Rc::new(RefCell::new(world))
}

/// A client with a dataspace for its queue and one for data.
struct Client {
    disk: BlockDevice<L4Transport<Gate>>,
    data: Rc<DmaBuffer>,
    data_at: u64,
}

fn connect(world: &Rc<RefCell<World>>) -> Result<Client, BlockError> {
    let mut transport = L4Transport::new(Gate(world.clone())).unwrap();
    let rings = Rc::new(HostDma::default().alloc(1 << 18).unwrap());
    let data = Rc::new(HostDma::default().alloc(1 << 16).unwrap());
    let at = transport.register(rings.clone(), 0, 1 << 18).unwrap();
    let data_at = transport.register(data.clone(), 0, 1 << 16).unwrap();
    let arena = Arena::new(window(&rings), at).unwrap();
    let options = Options { polls: 1000, ..Options::default() };
    Ok(Client { disk: BlockDevice::new(transport, &arena, options)?, data, data_at })
}

impl Client {
    fn request(&mut self, op: Op, sector: u64, at: u64, len: u32, tag: u32) {
        let segment = DmaSegment { addr: self.data_at + at, len };
        let (half, rest) = (len / 2, len - len / 2);
        let halves = [
            DmaSegment { len: half, ..segment },
            DmaSegment { addr: segment.addr + u64::from(half), len: rest },
        ];
        self.disk.submit(op, sector, &halves, tag).unwrap();
    }

    fn completions(&mut self) -> Vec<Completion> {
        let mut all = Vec::new();
        self.disk.complete(&mut |c| all.push(c));
        all.sort_by_key(|c| c.tag);
        all
    }
}

#[test]
fn sectors_travel_from_client_to_disk_and_back() {
    let world = world();
    let mut client = connect(&world).unwrap();
    let info = client.disk.info();
    assert_eq!((info.capacity, info.block_size), (1024, 512));
    assert_eq!(&info.id[..13], b"client's disk");
    let pattern: Vec<u8> = (0..4096).map(|i| (i / 5) as u8).collect();
    client.data.mem().write_bytes(0, &pattern).unwrap();
    for tag in 0..8 {
        client.request(Op::Write, u64::from(tag) * 8, 0, 4096, tag);
    }
    let kicks = world.borrow().kicks;
    client.disk.publish();
    assert_eq!(world.borrow().kicks, kicks + 1, "one notification for the batch");
    assert!(client.completions().iter().all(|c| c.status == Status::Ok));
    client.request(Op::Read, 56, 8192, 4096, 9);
    client.disk.publish();
    let read = Completion { tag: 9, status: Status::Ok, written: 4096 };
    assert_eq!(client.completions(), [read]);
    let mut back = vec![0; 4096];
    client.data.mem().read_bytes(8192, &mut back).unwrap();
    assert_eq!(back, pattern);
    assert!(client.disk.handle_interrupt().queue);
    assert!(!client.disk.handle_interrupt().queue, "acknowledged");
    assert!(*world.borrow().irqs.0.borrow() > 0);
}

#[test]
fn memory_is_registered_again_after_a_reset() {
    let world = world();
    let mut client = connect(&world).unwrap();
    assert_eq!(world.borrow().registrations, 2, "not before the driver starts, and once");
    client.disk.reset_and_recover(&mut |_| {}).unwrap();
    assert_eq!(world.borrow().registrations, 4);
    client.request(Op::Read, 0, 0, 512, 1);
    client.disk.publish();
    assert_eq!(client.completions().len(), 1);
}

#[test]
fn a_refused_dataspace_is_a_failed_device() {
    let world = world();
    world.borrow_mut().refuse_memory = true;
    let error = connect(&world).err();
    assert!(matches!(error, Some(BlockError::Init(InitError::Failed { .. }))), "{error:?}");
}

#[test]
fn an_arena_gives_out_pages_until_it_is_empty() {
    let memory = HostDma::default().alloc(3 * 4096).unwrap();
    let arena = Arena::new(window(&memory), 0x20_0000).unwrap();
    assert_eq!(arena.alloc(1).unwrap().addr(), 0x20_0000);
    assert_eq!(arena.alloc(4097).unwrap().addr(), 0x20_1000);
    assert_eq!(arena.alloc(1).err(), Some(crate::Error::NOMEM));
    assert_eq!(arena.alloc(usize::MAX).err(), Some(crate::Error::NOMEM));
    assert_eq!(arena.left(), 0);
    assert!(Arena::new(window(&memory), 0x10).is_err());
    let transport = L4Transport::new(Gate(world())).unwrap();
    let small = Arena::new(window(&memory), 0x20_0000).unwrap();
    let error = BlockDevice::new(transport, &small, Options::default()).err();
    let none = QueueError::Memory(crate::Error::NOMEM);
    assert_eq!(error, Some(BlockError::Queue(none)));
}

#[test]
fn pages_are_checked_before_they_are_believed() {
    let result = |at: usize, value: u32| {
        let world = world();
        let page = window(&world.borrow().page);
        page.write_u32(at, value).unwrap();
        L4Transport::new(Gate(world)).err()
    };
    assert_eq!(result(page::MAGIC, 1), Some(L4Error::BadMagic(1)));
    assert_eq!(result(page::VERSION, 1), Some(L4Error::Version(1)));
    assert_eq!(result(page::DEVICE_ID, 0), Some(L4Error::UnknownDevice(0)));
    for offset in [u32::MAX, 4096 - 32, 0x101] {
        assert_eq!(result(page::QUEUES_OFFSET, offset), Some(L4Error::Queues { offset, count: 1 }));
    }
    let error = result(page::NUM_QUEUES, u32::MAX);
    assert!(matches!(error, Some(L4Error::Queues { count: u32::MAX, .. })));
    assert_eq!(result(page::VENDOR, 7), None, "any vendor");
}
