//! The event loop against a kernel that plays the loader's objects and the clients.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::vec;
use std::vec::Vec;

use super::label::MessageSource;
use super::{DeviceResources, Server};
use crate::abi::cap::{Sel, op, rights};
use crate::abi::item::buffer;
use crate::abi::object::{irq, task};
use crate::abi::tag::Tag;
use crate::abi::timeout::Timeout;
use crate::abi::{PAGE_SIZE, Word, proto};
use crate::arch::Utcb;
use crate::arch::host::{Call, with_kernel};
use crate::bus::Interrupt;
use crate::cap::{CapRef, Irq, SLOTS, Slot};
use crate::mem::{DmaDomain, DmaSegment, DmaSpace, SharedMem};
use crate::serve::block::{Backend, Block, Completion, SectorRange, SubmitError};
use crate::serve::testing::{Arena, Guest};
use crate::virtio::spec::block::{ID_SIZE, Info, Op, Status};
use crate::virtio::spec::l4page::{self, queue as qpage};

crate::driver_info! {
    static INFO;
    name "test-drv" "Table for tests";
    stack 65536;
    factory "device": string [mandatory] "Disk";
    factory "ds-max": uint (1..256, default 2) [] "Dataspaces";
    factory "read-only": flag [] "Not to be written";
    factory "shared": flag [] "Not alone";
}

const FACTORY: Sel = Sel(0x2000);
const THREAD: Sel = Sel(0x6000);
/// The interrupt of the disk.
const LINE: Sel = Sel(0x7000);

/// A disk whose requests wait until it is told to finish them.
struct Slow {
    info: Info,
    tags: Vec<u32>,
    stuck: Rc<RefCell<bool>>,
    /// How often it was told of an interrupt.
    told: Rc<RefCell<u32>>,
}

impl Backend for Slow {
    fn info(&self) -> &Info {
        &self.info
    }
    fn depth(&self) -> usize {
        8
    }
    fn submit(&mut self, _: Op, _: u64, _: &[DmaSegment], tag: u32) -> Result<(), SubmitError> {
        self.tags.push(tag);
        Ok(())
    }
    fn submit_ranges(&mut self, _: Op, _: &[SectorRange], _: u32) -> Result<(), SubmitError> {
        Err(SubmitError::Invalid)
    }
    fn publish(&mut self) {}
    fn complete(&mut self, sink: &mut dyn FnMut(Completion)) {
        if !*self.stuck.borrow() {
            let done = |tag| sink(Completion { tag, status: Status::Ok, written: 0 });
            self.tags.drain(..).for_each(done);
        }
    }
    fn quiet(&mut self, _: bool) {}
    fn gone(&self) -> bool {
        false
    }
    fn interrupt(&mut self, _: usize) {
        *self.told.borrow_mut() += 1;
    }
    fn notifications(&self) -> u64 {
        0
    }
}

/// A message on its way: label with rights, protocol, words, and whether a capability comes along.
type Message = (Word, isize, Vec<Word>, bool);

/// What the kernel has seen and what it is to say.
#[derive(Default)]
struct World {
    inbox: VecDeque<Message>,
    /// Tags and first words of answers that were sent without waiting.
    answers: Vec<(isize, usize)>,
    /// Labels that gates were made with, by their slot.
    gates: Vec<(Word, Word)>,
    /// Gates that nobody has any more.
    dead: BTreeSet<Word>,
    /// Gates of which the server has given up its own reference.
    released: Vec<Word>,
    /// Clients give up their gates before the server gives up its reference.
    given_up: bool,
    /// Slots with a capability in them that came to the server.
    live: BTreeSet<Word>,
    /// Slots of which the object was deleted.
    deleted: BTreeSet<Word>,
    detached: usize,
    attached: usize,
    /// Memory that was attached, in order.
    regions: Vec<SharedMem<'static>>,
    /// How often the interrupt of the disk was unmasked.
    unmasked: u32,
    /// The disk finishes nothing.
    stuck: Rc<RefCell<bool>>,
    /// How often the server slept.
    sleeps: u32,
    /// How long a sleep takes, in microseconds.
    sleep_time: u64,
}

type Shared = Rc<RefCell<World>>;

fn ok(words: usize, items: usize) -> (Word, Word) {
    (Tag::new(0, words, items).0, 0)
}

impl World {
    fn answer(&mut self, call: Call, utcb: Utcb) -> (Word, Word) {
        let (tag, object, operation) = (Tag(call.tag), call.dest & !0xfff, call.dest & op::MASK);
        match operation {
            op::WAIT => return self.deliver(utcb),
            op::RECV => {
                self.sleeps += 1;
                crate::clock::test_clock::advance(self.sleep_time);
                utcb.set_error(3);
                return (Tag::ERROR, 0);
            }
            op::REPLY_ONLY => {
                self.answers.push((tag.label(), tag.items()));
                return ok(0, 0);
            }
            _ => {}
        }
        match (tag.label(), utcb.mr(0)) {
            (proto::IRQ, irq::EOI) if object == LINE.0 => {
                self.unmasked += 1;
                ok(0, 0)
            }
            (proto::FACTORY, what) => {
                let slot = utcb.buffer(Some(0)) & !0xfff;
                self.live.insert(slot);
                if what == 0 {
                    self.gates.push((slot, utcb.mr(2)));
                }
                utcb.set_mr(0, 0x38);
                ok(0, 1)
            }
            (proto::TASK, 2) => {
                let alive = !self.dead.contains(&utcb.mr(1));
                (Tag::new(alive.into(), 0, 0).0, 0)
            }
            (proto::TASK, 1) => {
                let slot = utcb.mr(2) & !0xfff;
                self.live.remove(&slot);
                if utcb.mr(1) == task::UNMAP_DELETE {
                    self.deleted.insert(slot);
                }
                ok(0, 0)
            }
            (proto::KOBJECT, 0) => {
                self.released.push(object);
                // How many references remain: the client's.
                utcb.set_mr(0, usize::from(!self.given_up));
                ok(1, 0)
            }
            (proto::RM, 0) => {
                self.attached += 1;
                let size = utcb.mr(2).max(PAGE_SIZE);
                let memory = Box::leak(Box::new(Arena::new(size.div_ceil(PAGE_SIZE)))).mem();
                self.regions.push(memory);
                utcb.set_mr(0, memory.base().as_ptr() as usize);
                ok(1, 0)
            }
            (proto::DMA_SPACE, 0) => {
                let size = utcb.mr(2);
                utcb.set_mr(0, size);
                utcb.set_mr(1, 1 << 32);
                ok(2, 0)
            }
            (proto::DATASPACE, 2) => {
                utcb.set_mr(0, 1 << 20);
                utcb.set_mr(1, 6);
                ok(2, 0)
            }
            (proto::RM, 1) => {
                self.detached += 1;
                (Tag::new(8, 0, 0).0, 0)
            }
            _ => ok(0, 0),
        }
    }

    fn deliver(&mut self, utcb: Utcb) -> (Word, Word) {
        let Some((label, protocol, words, cap)) = self.inbox.pop_front() else {
            utcb.set_error(3);
            return (Tag::ERROR, 0);
        };
        words.iter().enumerate().for_each(|(i, w)| utcb.set_mr(i, *w));
        assert_eq!(utcb.buffer(Some(0)) & 0xfff, buffer::cap_or_id(Sel(0)));
        if cap {
            utcb.set_mr(words.len(), 0x38);
            self.live.insert(utcb.buffer(Some(0)) & !0xfff);
        }
        (Tag::new(protocol, words.len(), cap.into()).0, label)
    }
}

fn info() -> Info {
    Info {
        capacity: 64,
        block_size: 512,
        size_max: 4096,
        seg_max: 4,
        read_only: false,
        flush: true,
        discard: None,
        write_zeroes: None,
        id: [0; ID_SIZE],
    }
}

/// Runs a test with a server of the disk `d0`.
fn run(test: impl FnOnce(&Shared, &mut Server)) {
    SLOTS.start_at(0x418);
    let world = Shared::default();
    let kernel = world.clone();
    with_kernel(
        move |call, utcb| kernel.borrow_mut().answer(call, utcb),
        || {
            let mut server =
                Server::with(CapRef::to(THREAD), CapRef::to(FACTORY), INFO.factory).unwrap();
            let space = Slot::alloc().unwrap().into_cap::<DmaSpace>();
            let dma = DmaDomain::new(space, true);
            let interrupts = vec![Arc::new(Interrupt::granted(CapRef::<Irq>::to(LINE).into()))];
            let resources = DeviceResources { names: vec!["d0".into()], dma, interrupts };
            let stuck = world.borrow().stuck.clone();
            let disk = Slow { info: info(), tags: Vec::new(), stuck, told: Rc::default() };
            server.add_device(Block::new(disk).unwrap(), resources).unwrap();
            test(&world, &mut server);
        },
    );
}

/// A message arrives and is served. Returns the label of the answer, with words and items that are
/// to be sent; `None` if the answer has been sent or none is due.
fn send(world: &Shared, server: &mut Server, message: Message) -> Option<(isize, Vec<Word>)> {
    world.borrow_mut().inbox.push_back(message);
    let event = server.endpoint.wait(Timeout::ZERO).expect("a message is there");
    let label = server.dispatch(&event)?;
    Some((label, server.endpoint.msg().words().to_vec()))
}

/// `create` with these strings, through a capability with `rights`.
fn create(object: Word, strings: &[&str], rights: Word) -> Message {
    let mut words = vec![object];
    for s in strings {
        let mut out = [0; 16];
        let n = crate::abi::factory::Arg::Str(s.as_bytes()).encode(&mut out).unwrap();
        words.extend(&out[..n]);
    }
    (MessageSource::Management.encode() | rights, proto::FACTORY, words, false)
}

/// A client is made; returns the slot and the label of its gate.
fn connect(world: &Shared, server: &mut Server, strings: &[&str]) -> (Word, Word) {
    assert_eq!(send(world, server, create(0, strings, rights::S)), None);
    let mut w = world.borrow_mut();
    assert_eq!(w.answers.pop(), Some((0, 1)), "one capability with the answer");
    let gate = *w.gates.last().unwrap();
    assert_eq!(w.released.pop(), Some(gate.0), "the own reference is given up");
    gate
}

#[test]
fn only_who_may_create_gets_a_device() {
    run(|world, server| {
        let refused = |strings: &[&str], rights, error: isize| {
            (create(0, strings, rights), Some((error, Vec::new())))
        };
        for (message, answer) in [
            refused(&["device=d0"], rights::W, -1),
            refused(&["device=none"], rights::S, -19),
            refused(&["device=d0", "ds-max=0"], rights::S, -22),
            refused(&["device=d0", "device=d0"], rights::S, -22),
            refused(&[], rights::S, -22),
            (create(5, &[], rights::S), Some((-22, Vec::new()))),
        ] {
            assert_eq!(send(world, server, message.clone()), answer, "{message:x?}");
        }
        let label = MessageSource::Management.encode() | rights::S;
        assert_eq!(send(world, server, (label, 0, vec![0], false)), Some((-39, Vec::new())));
        assert_eq!(server.statistics().totals.clients, 0);
        connect(world, server, &["device=d0"]);
        assert_eq!(server.statistics().totals.clients, 1);
    });
}

#[test]
fn a_disk_that_is_written_has_one_client_until_that_is_gone() {
    run(|world, server| {
        let (slot, label) = connect(world, server, &["device=d0"]);
        let again = create(0, &["device=d0", "read-only"], rights::S);
        assert_eq!(send(world, server, again.clone()), Some((-16, Vec::new())));
        // The client has gone, and its successor is faster than the kernel's message about it.
        world.borrow_mut().dead.insert(slot);
        let (_, next) = connect(world, server, &["device=d0"]);
        assert_ne!(next, label, "a label is nobody else's");
        assert_eq!(send(world, server, (label, 0, vec![4], false)), Some((-2, Vec::new())));
        let totals = server.statistics().totals;
        assert_eq!((totals.clients, totals.clients_ever), (1, 2));
    });
}

#[test]
fn readers_share_a_disk() {
    run(|world, server| {
        for _ in 0..3 {
            connect(world, server, &["device=d0", "read-only"]);
        }
        let writer = create(0, &["device=d0", "shared"], rights::S);
        assert_eq!(send(world, server, writer), Some((-16, Vec::new())));
    });
}

#[test]
fn nothing_is_left_of_a_client_whose_gate_is_gone() {
    run(|world, server| {
        let live = world.borrow().live.len();
        let attached = world.borrow().attached - world.borrow().detached;
        for round in 0..20 {
            let (slot, label) = connect(world, server, &["device=d0"]);
            // It binds its notification.
            assert_eq!(send(world, server, (label, -1, vec![0, 0], true)), Some((0, Vec::new())));
            world.borrow_mut().dead.insert(slot);
            assert_eq!(
                send(world, server, (MessageSource::Deleted.encode(), 0, vec![], false)),
                None
            );
            server.work();
            assert_eq!(server.statistics().totals.clients, 0, "round {round}");
            assert!(!world.borrow().live.contains(&slot));
            // The slot may be used for something else now.
            world.borrow_mut().dead.clear();
        }
        assert_eq!(world.borrow().live.len(), live);
        assert_eq!(world.borrow().attached - world.borrow().detached, attached);
    });
}

#[test]
fn what_a_former_client_was_given_costs_nothing_any_more() {
    run(|world, server| {
        let (slot, label) = connect(world, server, &["device=d0"]);
        let mut given = BTreeSet::new();
        for operation in [4, 5] {
            send(world, server, (label, 0, vec![operation], false)).unwrap();
            given.insert(server.endpoint.msg().item(0).fpage.0 & !0xfff);
        }
        assert_eq!(given.len(), 2, "page and interrupt");
        world.borrow_mut().dead.insert(slot);
        send(world, server, (MessageSource::Deleted.encode(), 0, vec![], false));
        server.work();
        assert_eq!(world.borrow().deleted, given);
    });
}

#[test]
fn a_client_that_gives_its_device_up_at_once_is_noticed() {
    run(|world, server| {
        world.borrow_mut().given_up = true;
        connect(world, server, &["device=d0"]);
        server.work();
        assert_eq!(server.statistics().totals.clients, 0);
    });
}

/// A client with its queue and a request to read in it.
struct Reader {
    label: Word,
    page: SharedMem<'static>,
    guest: Guest,
}

impl Reader {
    const BASE: u64 = 2 << 20;
    const DATA: u64 = Self::BASE + 0x8000;

    /// Brings up the device of a new client.
    fn start(world: &Shared, server: &mut Server, strings: &[&str]) -> Reader {
        let (_, label) = connect(world, server, strings);
        let page = *world.borrow().regions.last().unwrap();
        let mut ask = |words: Vec<Word>, cap| {
            let answer = send(world, server, (label, 0, words, cap)).unwrap();
            assert_eq!(answer.0, 0);
        };
        for status in [0, 1, 3] {
            ask(vec![status << 32], false);
        }
        page.write_u32(l4page::DRIVER_FEATURE_MAP + 4, 1).unwrap();
        ask(vec![0xb << 32], false);
        ask(vec![3, Self::BASE as Word, 0, 0x1_0000], true);
        let guest = Guest::new(*world.borrow().regions.last().unwrap(), Self::BASE, 16);
        let at = page.read_u32(l4page::QUEUES_OFFSET).unwrap() as usize;
        let layout = guest.layout();
        page.write_u16(at + qpage::NUM, layout.size).unwrap();
        page.write_u64(at + qpage::DESC, layout.desc).unwrap();
        page.write_u64(at + qpage::AVAIL, layout.avail).unwrap();
        page.write_u64(at + qpage::USED, layout.used).unwrap();
        page.write_u16(at + qpage::READY, 1).unwrap();
        ask(vec![1], false);
        ask(vec![0xf << 32], false);
        Reader { label, page, guest }
    }

    /// Offers a request to read one sector.
    fn read(&mut self) {
        let data = Self::DATA;
        self.guest.chain(0, &[(data, 16, false), (data + 512, 512, true), (data + 16, 1, true)]);
        self.guest.offer(0);
    }

    /// Offers a request that the server refuses without asking the disk.
    fn invalid(&mut self) {
        self.guest.chain(4, &[(Self::DATA + 16, 1, true)]);
        self.guest.offer(4);
    }

    fn status(&self) -> u32 {
        self.page.read_u32(l4page::STATUS).unwrap()
    }
}

#[test]
fn a_device_that_never_answers_makes_others_wait_once_for_a_reset() {
    run(|world, server| {
        let mut client = Reader::start(world, server, &["device=d0"]);
        assert_eq!(client.status(), 0xf);
        *world.borrow().stuck.borrow_mut() = true;
        client.read();
        server.work();
        assert_eq!(server.statistics().totals.in_flight, 1);
        let mut ask = |words: Vec<Word>| send(world, server, (client.label, 0, words, false));
        assert_eq!(ask(vec![0]), Some((0, Vec::new())), "the wait for the device ends");
        let waited = world.borrow().sleeps;
        assert!(waited > 1000);
        for _ in 0..10 {
            assert_eq!(ask(vec![0]), Some((0, Vec::new())));
            assert_eq!(ask(vec![5]), Some((0, Vec::new())));
            assert_eq!(ask(vec![1 << 32]), Some((-11, Vec::new())), "not before the reset is over");
        }
        assert_eq!(world.borrow().sleeps, waited, "nobody else waits for this client again");
        assert_eq!(client.status(), 0xf, "the page tells the truth");
        *world.borrow().stuck.borrow_mut() = false;
        server.work();
        assert_eq!(client.status(), 0);
    });
}

#[test]
fn a_wait_for_a_device_ends_by_the_clock_however_long_a_sleep_takes() {
    // Sleeps are rounded up to the timer of the kernel.
    for (sleep_time, sleeps) in [(1_000, 500), (10_000, 50), (700_000, 1)] {
        run(|world, server| {
            world.borrow_mut().sleep_time = sleep_time;
            let mut client = Reader::start(world, server, &["device=d0"]);
            *world.borrow().stuck.borrow_mut() = true;
            client.read();
            server.work();
            let before = world.borrow().sleeps;
            assert_eq!(
                send(world, server, (client.label, 0, vec![0], false)),
                Some((0, Vec::new()))
            );
            assert_eq!(world.borrow().sleeps - before, sleeps);
        });
    }
}

#[test]
fn an_interrupt_is_unmasked_however_busy_clients_keep_the_server() {
    run(|world, server| {
        let mut client = Reader::start(world, server, &["device=d0"]);
        let before = world.borrow().unmasked;
        let event = (MessageSource::Interrupt(0, 0).encode(), 0, vec![], false);
        assert_eq!(send(world, server, event), None);
        assert_eq!(world.borrow().unmasked, before, "not before the device was looked at");
        for _ in 0..8 {
            client.invalid();
        }
        assert!(server.work(), "there is more to do: the server does not prepare to wait");
        assert_eq!(world.borrow().unmasked, before + 1);
        server.work();
        assert_eq!(world.borrow().unmasked, before + 1, "once for each interrupt");
    });
}

#[test]
fn an_interrupt_of_a_shared_line_is_told_to_all_disks_of_the_line() {
    run(|world, server| {
        let line = Arc::new(Interrupt::granted(CapRef::<Irq>::to(LINE).into()));
        let told: [Rc<RefCell<u32>>; 2] = Default::default();
        for (name, told) in ["d1", "d2"].into_iter().zip(&told) {
            let dma = DmaDomain::new(Slot::alloc().unwrap().into_cap::<DmaSpace>(), true);
            let resources =
                DeviceResources { names: vec![name.into()], dma, interrupts: vec![line.clone()] };
            let disk =
                Slow { info: info(), tags: vec![], stuck: Rc::default(), told: told.clone() };
            server.add_device(Block::new(disk).unwrap(), resources).unwrap();
        }
        let counts = || told.each_ref().map(|told| *told.borrow());
        for (disk, expected) in [(1, [1, 1]), (2, [2, 2]), (0, [2, 2])] {
            let before = world.borrow().unmasked;
            let event = (MessageSource::Interrupt(disk, 0).encode(), 0, vec![], false);
            assert_eq!(send(world, server, event), None);
            assert_eq!(counts(), expected, "disk {disk}");
            server.work();
            assert!(world.borrow().unmasked > before, "the line is let through again");
        }
    });
}

#[test]
fn a_device_hands_out_page_and_interrupt_and_nothing_more() {
    run(|world, server| {
        let (_, label) = connect(world, server, &["device=d0"]);
        let mut ask = |protocol, words: Vec<Word>, cap| {
            let (answer, words) = send(world, server, (label, protocol, words, cap)).unwrap();
            (answer, words, server.endpoint.msg().received_items())
        };
        assert_eq!(ask(0, vec![4], false), (0, vec![0], 1), "the page");
        assert_eq!(ask(0, vec![5], false), (0, vec![], 1), "the interrupt");
        assert_eq!(ask(0, vec![5 | 1 << 32], false), (-34, vec![], 0), "there is no second one");
        assert_eq!(ask(-1, vec![2], false), (0, vec![0, 1, 0], 0));
        assert_eq!(ask(-1, vec![0, 1], true), (-34, vec![], 0));
        assert_eq!(ask(-1, vec![0, 0], false), (-1003, vec![], 0));
        assert_eq!(ask(-1, vec![1, 0], false), (0, vec![], 0));
        assert_eq!(ask(0, vec![9], false), (-38, vec![], 0));
        assert_eq!(ask(-15, vec![0], false), (-39, vec![], 0), "a device is no factory");
        assert_eq!(ask(0, vec![], false), (-1001, vec![], 0));
        assert_eq!(ask(-21, vec![0], false), (2, vec![], 0));
    });
}

#[test]
fn capabilities_are_not_kept_by_accident() {
    run(|world, server| {
        let (_, label) = connect(world, server, &["device=d0"]);
        let before = world.borrow().live.len();
        // Not for this operation; for one with a wrong argument; for one that fails.
        for words in [vec![4], vec![9], vec![3], vec![3, 0, 0, 0]] {
            send(world, server, (label, 0, words, true));
            assert!(world.borrow().live.len() <= before + 1);
            // What a message left is given up before the next one is received.
            send(world, server, (label, 0, vec![9], false));
            assert_eq!(world.borrow().live.len(), before);
        }
    });
}

#[test]
fn statistics_are_one_capability() {
    run(|world, server| {
        let message = create(1, &[], rights::S);
        assert_eq!(send(world, server, message), Some((0, Vec::new())));
        assert_eq!(server.endpoint.msg().received_items(), 1);
        assert_eq!(send(world, server, create(1, &[], 0)), Some((-1, Vec::new())));
    });
}
