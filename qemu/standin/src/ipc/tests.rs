//! IPC between threads on a machine that is not there.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::RefCell;

use l4re_runtime::abi::cap::{Sel, op, rights};
use l4re_runtime::abi::factory::kind;
use l4re_runtime::abi::fpage::Fpage;
use l4re_runtime::abi::item::{SendItem, attr, buffer};
use l4re_runtime::abi::object::{gate, irq, task as task_op};
use l4re_runtime::abi::rm::{self, flags};
use l4re_runtime::abi::tag::Tag;
use l4re_runtime::abi::timeout::{Timeout, Timeouts};
use l4re_runtime::abi::utcb::error;
use l4re_runtime::abi::{icu, proto, utcb};

use crate::cap::Cap;
use crate::kernel::Kernel;
use crate::mem::tests::ram;
use crate::object::{Kind, ObjId, Quota};
use crate::task::Task;
use crate::testing::{FakeMachine, Seen};
use crate::thread::State;
use crate::vbus::hardware::Hardware;

const SELF: usize = Sel::INVALID.0;
/// Slots of every task in these tests.
const TASK: usize = 1;
const FACTORY: usize = 2;
const GATE: usize = 0x10;

struct World {
    k: Kernel,
    seen: Rc<RefCell<Seen>>,
    account: ObjId,
}

fn sel(index: usize) -> usize {
    index << 12
}

fn recv(us: u64) -> Timeouts {
    Timeouts { send: Timeout::NEVER, recv: Timeout::from_micros(us) }
}

impl World {
    fn new() -> World {
        let machine = FakeMachine::default();
        let seen = machine.seen.clone();
        let mut k = Kernel::new(Box::new(machine), ram(256), Hardware::default());
        k.kip = k.mem.alloc(1, 1).unwrap();
        let account = k.kept(Kind::Factory(Quota::default()));
        World { k, seen, account }
    }

    /// A task with one running thread.
    fn program(&mut self, name: &str) -> (ObjId, ObjId) {
        let table = self.k.machine.page_table();
        let task = self.k.kept(Kind::Task(Box::new(Task::new(name, table))));
        self.k.put_cap(task, TASK, Cap { weak: true, ..Cap::full(task) });
        self.k.put_cap(task, FACTORY, Cap::full(self.account));
        self.k.add_ku_mem(task, 0xb300_0000, 0x1000).unwrap();
        (task, self.thread(task, 0))
    }

    fn thread(&mut self, task: ObjId, number: usize) -> ObjId {
        let id = self.k.bound_thread(task, 0xb300_0000 + 0x400 * number).unwrap();
        self.k.put_cap(task, 0x20 + number, Cap::full(id));
        self.k.objects.thread_mut(id).unwrap().started = true;
        self.k.run_thread(id, 2, 1000).unwrap();
        self.k.wake(id, false);
        id
    }

    /// A gate of `server` with a label, and the client's capability to it with some rights.
    fn gate(&mut self, server: ObjId, client: ObjId, label: usize, rights: usize) -> ObjId {
        let mut g = crate::object::Gate { label, ..Default::default() };
        g.thread = Some(server);
        let id = self.k.create(Kind::Gate(g), Some(self.account)).unwrap();
        self.k.put_cap(client, GATE, Cap::with(id, rights));
        id
    }

    fn words(&mut self, t: ObjId, words: &[usize]) {
        let at = self.k.objects.thread(t).unwrap().utcb;
        words.iter().enumerate().for_each(|(i, w)| self.k.mem.set_word(at, i, *w));
    }

    fn word(&self, t: ObjId, index: usize) -> usize {
        self.k.mem.word(self.k.objects.thread(t).unwrap().utcb, index)
    }

    fn buffers(&mut self, t: ObjId, br: &[usize]) {
        let at = self.k.objects.thread(t).unwrap().utcb;
        self.k.mem.set_word(at, utcb::BDR, 0);
        for (i, w) in br.iter().chain(&[0]).enumerate() {
            self.k.mem.set_word(at, utcb::BR + i, *w);
        }
    }

    fn invoke(&mut self, t: ObjId, tag: Tag, dest: usize, timeouts: Timeouts) -> Tag {
        let x = &mut self.k.objects.thread_mut(t).unwrap().frame.x;
        (x[0], x[2], x[3]) = (tag.0, dest, timeouts.raw());
        self.k.syscall(t);
        self.tag(t)
    }

    fn call(&mut self, t: ObjId, slot: usize, label: isize, words: &[usize]) -> Tag {
        self.words(t, words);
        self.invoke(t, Tag::new(label, words.len(), 0), sel(slot) | op::CALL, Timeouts::NEVER)
    }

    fn wait(&mut self, t: ObjId) -> Tag {
        self.invoke(t, Tag(0), SELF | op::WAIT, Timeouts::NEVER)
    }

    fn reply(&mut self, t: ObjId, label: isize) -> Tag {
        self.invoke(t, Tag::new(label, 0, 0), SELF | op::REPLY_ONLY, Timeouts::SERVER)
    }

    fn tag(&self, t: ObjId) -> Tag {
        Tag(self.k.objects.thread(t).unwrap().frame.x[0])
    }

    fn label(&self, t: ObjId) -> usize {
        self.k.objects.thread(t).unwrap().frame.x[1]
    }

    fn ready(&self, t: ObjId) -> bool {
        matches!(self.k.objects.thread(t).unwrap().state, State::Ready)
    }

    /// The IPC error that a thread sees, if it does.
    fn error(&self, t: ObjId) -> Option<usize> {
        self.tag(t).has_error().then(|| self.word(t, utcb::ERROR))
    }

    fn pass(&mut self, us: u64) {
        self.seen.borrow_mut().now += us;
        self.k.tick();
    }

    fn console(&self) -> String {
        String::from_utf8_lossy(&self.seen.borrow().console).into_owned()
    }
}

#[test]
fn a_call_waits_for_its_answer_and_carries_label_and_words() {
    let mut w = World::new();
    let (_, server) = w.program("server");
    let (task, client) = w.program("client");
    w.gate(server, task, 0x5550, rights::RWS);
    w.call(client, GATE, 77, &[1, 2, 3]);
    assert!(!w.ready(client), "nobody receives yet");
    w.wait(server);
    assert_eq!((w.tag(server), w.label(server)), (Tag::new(77, 3, 0), 0x5553));
    assert_eq!([w.word(server, 0), w.word(server, 2)], [1, 3]);
    w.reply(server, -2);
    assert!(w.ready(client));
    assert_eq!(w.tag(client).label(), -2);
    w.reply(server, 0);
    assert_eq!(w.error(server), Some(error::NO_DESTINATION), "a reply counts once");
}

#[test]
fn timeouts_end_both_phases_and_leave_the_queue() {
    let mut w = World::new();
    let (_, server) = w.program("server");
    let (task, client) = w.program("client");
    w.gate(server, task, 0, rights::RW);
    let zero = Timeouts { send: Timeout::ZERO, recv: Timeout::NEVER };
    w.invoke(client, Tag(0), sel(GATE) | op::CALL, zero);
    assert_eq!(w.error(client), Some(error::SEND_TIMEOUT));
    let both = Timeouts { send: Timeout::from_micros(500), recv: Timeout::NEVER };
    w.invoke(client, Tag(0), sel(GATE) | op::CALL, both);
    w.pass(499);
    assert!(!w.ready(client));
    w.pass(1);
    assert_eq!(w.error(client), Some(error::SEND_TIMEOUT));
    w.invoke(server, Tag(0), SELF | op::WAIT, Timeouts { recv: Timeout::ZERO, ..zero });
    assert_eq!(w.error(server), Some(error::RECV_TIMEOUT), "the sender is not in the queue");
    w.wait(server);
    w.invoke(client, Tag(0), sel(GATE) | op::CALL, recv(100));
    w.pass(100);
    assert_eq!(w.error(client), Some(error::RECV_TIMEOUT));
    w.reply(server, 0);
    assert_eq!(w.error(server), Some(error::NO_DESTINATION), "the caller has gone");
}

#[test]
fn capabilities_lose_what_gate_and_sender_do_not_allow() {
    let mut w = World::new();
    let (server_task, server) = w.program("server");
    let (task, client) = w.program("client");
    w.gate(server, task, 0, rights::RW);
    let item = SendItem::cap(Sel::from_index(FACTORY), rights::RWSD, attr::ALL);
    w.buffers(server, &[buffer::cap(Sel::from_index(0x50))]);
    w.wait(server);
    w.words(client, &[item.control, item.fpage.0]);
    w.invoke(client, Tag::new(1, 0, 1), sel(GATE) | op::CALL, Timeouts::NEVER);
    assert_eq!(w.word(server, 0), 0x38, "mapped");
    let got = w.k.objects.task(server_task).unwrap().caps.get(0x50).unwrap();
    assert_eq!(got.rights & rights::S, 0, "the gate has no special right");
    assert_eq!(got.rights & rights::W, rights::W);
}

#[test]
fn an_item_without_buffer_is_an_overflow_for_both() {
    let mut w = World::new();
    let (_, server) = w.program("server");
    let (task, client) = w.program("client");
    w.gate(server, task, 0, rights::RWS);
    w.buffers(server, &[]);
    w.wait(server);
    let item = SendItem::cap(Sel::from_index(FACTORY), rights::R, 0);
    w.words(client, &[item.control, item.fpage.0]);
    w.invoke(client, Tag::new(1, 0, 1), sel(GATE) | op::CALL, Timeouts::NEVER);
    assert_eq!(w.error(client), Some(error::SEND_OVERFLOW));
    assert_eq!(w.error(server), Some(error::RECV_OVERFLOW));
}

#[test]
fn the_last_capability_to_a_session_triggers_the_deletion_irq() {
    let mut w = World::new();
    let (server_task, server) = w.program("server");
    let (task, client) = w.program("client");
    let gate = w.gate(server, task, 0x40, rights::RW);
    w.k.put_cap(server_task, 0x60, Cap::full(gate));
    w.buffers(server, &[buffer::cap(Sel::from_index(0x61))]);
    assert_eq!(w.call(server, FACTORY, proto::FACTORY, &[kind::IRQ as usize]).label(), 0);
    let irq_cap = w.k.objects.task(server_task).unwrap().caps.get(0x61).unwrap().object;
    let i = w.k.objects.irq_mut(irq_cap).unwrap();
    (i.thread, i.label) = (Some(server), 0x200);
    w.k.objects.thread_mut(server).unwrap().deletion_irq = Some(irq_cap);
    let left = w.call(server, 0x60, proto::KOBJECT, &[gate::DEC_REFCNT, 1]);
    assert_eq!((left.label(), w.word(server, 0)), (0, 1));
    w.wait(server);
    let words = [task_op::UNMAP, task_op::UNMAP_ALL, Fpage::cap(Sel::from_index(GATE), 0xf).0];
    w.call(client, TASK, proto::TASK, &words);
    assert!(w.ready(server));
    assert_eq!((w.tag(server), w.label(server)), (Tag(0), 0x200));
    w.call(server, TASK, proto::TASK, &[task_op::CAP_INFO, sel(0x60)]);
    assert_eq!(w.tag(server).label(), 0, "the server's own capability is gone, too");
}

#[test]
fn the_end_of_a_server_is_seen_by_who_queues_and_who_comes_later() {
    let mut w = World::new();
    let (server_task, server) = w.program("server");
    let (task, client) = w.program("client");
    let other = w.thread(task, 1);
    w.gate(server, task, 0, rights::RW);
    w.call(client, GATE, 0, &[]);
    w.k.destroy(server_task);
    assert_eq!(w.error(client), Some(error::SEND_CANCELED));
    w.call(other, GATE, 0, &[]);
    assert_eq!(w.error(other), Some(error::NO_DESTINATION));
}

#[test]
fn the_end_of_a_client_gives_everything_back() {
    let mut w = World::new();
    let free = w.k.mem.free();
    let (task, client) = w.program("client");
    for i in 0..8 {
        w.buffers(client, &[buffer::cap(Sel::from_index(0x60 + i))]);
        w.call(client, FACTORY, proto::FACTORY, &[kind::SEMAPHORE as usize]);
    }
    assert_eq!(w.k.objects.quota(w.account).unwrap().used, 8 * 128);
    w.k.destroy(task);
    assert_eq!(w.k.objects.quota(w.account).unwrap().used, 0);
    assert_eq!(w.k.mem.free(), free);
}

#[test]
fn triggers_merge_and_unmask_goes_to_the_pin() {
    let mut w = World::new();
    let (task, t) = w.program("driver");
    w.buffers(t, &[buffer::cap(Sel::from_index(0x60))]);
    w.call(t, FACTORY, proto::FACTORY, &[kind::IRQ as usize]);
    let id = w.k.objects.task(task).unwrap().caps.get(0x60).unwrap().object;
    w.k.bind_pin(79, id, None).unwrap();
    w.k.pin_mode(79, true);
    let item = SendItem::cap(Sel::from_index(0x20), rights::RWS, 0);
    w.words(t, &[gate::BIND_THREAD, 0x700, item.control, item.fpage.0]);
    let tag = Tag::new(proto::KOBJECT, 2, 1);
    w.invoke(t, tag, sel(0x60) | op::CALL, Timeouts::NEVER);
    assert_eq!(w.tag(t).label(), 0);
    w.words(t, &[irq::EOI]);
    w.invoke(t, Tag::new(proto::IRQ, 1, 0), sel(0x60) | op::CALL, recv(1000));
    assert!(w.seen.borrow().enabled[&79]);
    w.k.hardware_interrupt(79);
    assert!(!w.seen.borrow().enabled[&79], "a level interrupt is masked");
    assert_eq!((w.tag(t), w.label(t)), (Tag(0), 0x700));
    w.k.trigger(id);
    w.k.trigger(id);
    w.wait(t);
    assert!(w.ready(t));
    w.invoke(t, Tag(0), SELF | op::WAIT, recv(0));
    assert_eq!(w.error(t), Some(error::RECV_TIMEOUT), "two triggers are one");
}

/// A program with a bus of one virtio-mmio slot, its controller in slot 0x70 and two IRQs.
fn bus_world(unmask_at_icu: bool) -> (World, ObjId, [ObjId; 2]) {
    let mut w = World::new();
    w.k.unmask_at_icu = unmask_at_icu;
    let (task, t) = w.program("driver");
    let spec = l4re_standin_bootinfo::Bus {
        name: "vbus".into(),
        filters: alloc::vec![l4re_standin_bootinfo::Filter::Mmio(31)],
        messages: 4,
    };
    let bus = crate::vbus::Vbus::build(&spec, &crate::vbus::hardware::tests::sample());
    let bus = w.k.kept(Kind::Vbus(bus));
    let icu = w.k.kept(Kind::VbusIcu(bus));
    w.k.put_cap(task, 0x70, Cap::with(icu, rights::RWS));
    let irqs = [0x60, 0x61].map(|slot| {
        let irq = w.k.kept(Kind::Irq(crate::object::Irq::default()));
        w.k.put_cap(task, slot, Cap::full(irq));
        irq
    });
    (w, t, irqs)
}

fn bind(w: &mut World, t: ObjId, pin: usize, slot: usize) -> isize {
    let item = SendItem::cap(Sel::from_index(slot), rights::RWS, 0);
    w.words(t, &[icu::BIND, pin, item.control, item.fpage.0]);
    let tag = Tag::new(proto::IRQ, 2, 1);
    w.invoke(t, tag, sel(0x70) | op::CALL, Timeouts::NEVER).label()
}

fn unmask(w: &mut World, t: ObjId, slot: usize, words: &[usize]) -> bool {
    w.words(t, words);
    w.invoke(t, Tag::new(proto::IRQ, words.len(), 0), sel(slot) | op::SEND, Timeouts::NEVER);
    w.seen.borrow_mut().enabled.insert(79, false) == Some(true)
}

#[test]
fn an_interrupt_of_a_bus_is_unmasked_only_where_bind_said() {
    for at_icu in [false, true] {
        let (mut w, t, _) = bus_world(at_icu);
        assert_eq!(bind(&mut w, t, 79, 0x60), isize::from(at_icu));
        assert_eq!(unmask(&mut w, t, 0x70, &[icu::UNMASK, 79]), at_icu);
        assert_eq!(unmask(&mut w, t, 0x60, &[irq::EOI]), !at_icu);
    }
}

#[test]
fn a_line_is_bound_once_and_free_again_when_its_irq_is_gone() {
    let (mut w, t, irqs) = bus_world(false);
    assert_eq!(bind(&mut w, t, 78, 0x60), -2, "not on the bus");
    assert_eq!(bind(&mut w, t, 79, 0x60), 0);
    assert_eq!(bind(&mut w, t, 79, 0x61), -1);
    w.k.destroy(irqs[0]);
    assert_eq!(bind(&mut w, t, 79, 0x61), 0);
    let other = w.k.kept(Kind::Vbus(crate::vbus::Vbus::default()));
    w.k.pins.get_mut(&79).unwrap().bus = Some(other);
    assert_eq!(bind(&mut w, t, 79, 0x61), -16, "another bus has it");
}

#[test]
fn a_region_map_that_was_made_holds_what_is_attached_and_gives_its_pages() {
    let mut w = World::new();
    let (task, t) = w.program("maker");
    let alloc = w.k.kept(Kind::MemAlloc(w.account));
    w.k.put_cap(task, 0x70, Cap::full(alloc));
    let ds = crate::dataspace::Dataspace::contiguous(&mut w.k.mem, 0x2000, 1).unwrap();
    let ds = w.k.create(Kind::Dataspace(ds), None).unwrap();
    w.k.put_cap(task, 0x60, Cap::full(ds));
    let before = w.k.objects.iter().count();

    w.words(t, &[proto::RM as usize]);
    w.buffers(t, &[sel(0x71) | 0xa]);
    let made = w.invoke(t, Tag::new(proto::FACTORY, 1, 0), sel(0x70) | op::CALL, Timeouts::NEVER);
    assert_eq!((made.label(), made.items()), (0, 1));

    let item = SendItem::cap(Sel::from_index(0x60), rights::RW, 0);
    let how = (flags::RW | flags::SEARCH_ADDR) as usize;
    let words =
        [rm::ATTACH as usize, 0x5000, 0x2000, how, 0, 12, sel(0x60), item.control, item.fpage.0];
    w.words(t, &words);
    let tag = Tag::new(proto::RM, 7, 1);
    let attached = w.invoke(t, tag, sel(0x71) | op::CALL, Timeouts::NEVER);
    assert_eq!((attached.label(), w.word(t, 0)), (0, 0x5000));
    w.words(t, &[rm::FIND as usize, 0x5000, 0x1000]);
    let found = w.invoke(t, Tag::new(proto::RM, 3, 0), sel(0x71) | op::CALL, Timeouts::NEVER);
    assert_eq!(found.label(), -1, "such a map does not tell");
    // The program gives the dataspace up; the map still has it.
    w.k.take_cap(task, 0x60);
    assert!(w.k.objects.dataspace(ds).is_some());
    w.buffers(t, &[buffer::WINDOW, Fpage::memory(0x10_0000, 12, 7).0]);
    w.words(t, &[0x6008, 0]);
    let tag = Tag::new(proto::PAGE_FAULT, 2, 0);
    let fault = w.invoke(t, tag, sel(0x71) | op::CALL, Timeouts::NEVER);
    assert_eq!((fault.label(), fault.items()), (0, 1), "a page comes with the answer");
    w.words(t, &[0x9008, 0]);
    let nothing = w.invoke(t, tag, sel(0x71) | op::CALL, Timeouts::NEVER);
    assert_eq!(nothing.label(), -14, "nothing is attached there");
    w.k.take_cap(task, 0x71);
    assert_eq!(w.k.objects.iter().count(), before - 1, "all of it went with the map");
}

#[test]
fn messages_are_offered_and_cannot_be_bound() {
    let (mut w, t, _) = bus_world(false);
    w.words(t, &[icu::INFO]);
    w.invoke(t, Tag::new(proto::IRQ, 1, 0), sel(0x70) | op::CALL, Timeouts::NEVER);
    assert_eq!([w.word(t, 0), w.word(t, 2)], [icu::FEATURE_MSI, 4]);
    assert_eq!(bind(&mut w, t, icu::PIN_MSI, 0x60), -22);
    assert_eq!(bind(&mut w, t, icu::PIN_MSI | 3, 0x60), -22);
    assert_eq!(bind(&mut w, t, icu::PIN_MSI | 4, 0x60), -2, "not one of those");
    assert_eq!(bind(&mut w, t, 79, 0x60), 0, "the IRQ is still free");
}

#[test]
fn senders_to_an_unbound_gate_wait_until_it_is_bound() {
    let mut w = World::new();
    let (server_task, server) = w.program("server");
    let (task, client) = w.program("client");
    let gate = w.k.kept(Kind::Gate(Default::default()));
    w.k.put_cap(task, GATE, Cap::with(gate, rights::RW));
    w.k.put_cap(server_task, GATE, Cap::full(gate));
    w.call(client, GATE, 5, &[9]);
    let item = SendItem::cap(Sel::from_index(0x20), rights::RWS, 0);
    w.words(server, &[gate::BIND_THREAD, 0x44, item.control, item.fpage.0]);
    let tag = Tag::new(proto::KOBJECT, 2, 1);
    w.invoke(server, tag, sel(GATE) | op::CALL, Timeouts::NEVER);
    w.wait(server);
    assert_eq!((w.label(server), w.word(server, 0)), (0x45, 9));
}

#[test]
fn nonsense_from_programs_is_answered_and_never_ends_the_kernel() {
    let mut w = World::new();
    let (mut task, mut t) = w.program("fuzz");
    let mut seed = 0x1234_5678_9abc_def0_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize
    };
    for _ in 0..20_000 {
        let mr: [usize; 63] = core::array::from_fn(|_| match next() % 4 {
            0 => next() % 32,
            1 => sel(next() % 0x70) | (next() % 0x1000),
            2 => usize::MAX - next() % 0x2000,
            _ => next(),
        });
        w.words(t, &mr);
        let label = -((next() % 26) as isize);
        let tag = Tag::new(label, next() % 64, next() % 4);
        let dest = if next() % 8 == 0 { next() } else { sel(next() % 0x70) | (next() % 16) };
        w.invoke(t, tag, dest, Timeouts { send: Timeout::ZERO, recv: Timeout::ZERO });
        if w.k.objects.thread(t).is_none_or(|t| t.utcb == 0) {
            // It has ended itself, which it may.
            w.k.destroy(task);
            (task, t) = w.program("fuzz again");
        }
        if !w.ready(t) {
            w.k.fail(t, error::RECV_CANCELED);
        }
    }
    assert!(w.console().len() < 10_000_000);
}

#[test]
fn without_kernel_memory_programs_get_enomem_and_nothing_is_lost() {
    let mut w = World::new();
    let (task, t) = w.program("greedy");
    w.buffers(t, &[buffer::cap(Sel::from_index(0x60))]);
    w.seen.borrow_mut().full = true;
    let (free, slots) = (w.k.mem.free(), w.k.objects.task(task).unwrap().caps.len());
    for what in [kind::IRQ, kind::SEMAPHORE, kind::GATE, kind::THREAD] {
        assert_eq!(w.call(t, FACTORY, proto::FACTORY, &[what as usize]).label(), -12);
    }
    assert_eq!(w.k.objects.quota(w.account).unwrap().used, 0);
    assert_eq!(w.k.mem.free(), free);
    assert_eq!(w.k.objects.task(task).unwrap().caps.len(), slots);
    w.seen.borrow_mut().full = false;
    assert_eq!(w.call(t, FACTORY, proto::FACTORY, &[kind::IRQ as usize]).label(), 0);
}

#[test]
fn equals_take_turns_and_higher_priorities_come_first() {
    let mut w = World::new();
    let (task, a) = w.program("a");
    let b = w.thread(task, 1);
    let first = w.k.pick().unwrap();
    assert_eq!(w.k.pick(), Some(first), "a slice is not over at once");
    w.pass(1000);
    let second = w.k.pick().unwrap();
    assert_ne!(first, second, "a spinning thread cannot starve its equal");
    w.pass(1000);
    assert_eq!(w.k.pick(), Some(first));
    let urgent = w.thread(task, 2);
    w.k.run_thread(urgent, 9, 1000).unwrap();
    assert_eq!(w.k.pick(), Some(urgent));
    w.invoke(urgent, Tag(0), SELF | op::RECV, recv(5000));
    assert!([a, b].contains(&w.k.pick().unwrap()));
    w.pass(5000);
    assert_eq!(w.k.pick(), Some(urgent), "preempts when its time has come");
}

#[test]
fn a_thread_alone_keeps_running_with_a_fresh_slice() {
    let mut w = World::new();
    let (_, t) = w.program("alone");
    for _ in 0..3 {
        assert_eq!(w.k.pick(), Some(t));
        assert!(w.k.next_event().unwrap() > w.seen.borrow().now);
        w.pass(1000);
    }
}
