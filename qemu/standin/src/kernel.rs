//! The kernel's state, and the life and death of objects.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use l4re_runtime::abi::utcb;
use l4re_standin_bootinfo::Shutdown;

use crate::boot::{Loader, Program};
use crate::cap::{Cap, MAX_INDEX};
use crate::machine::Machine;
use crate::mem::PhysMem;
use crate::object::{Kind, ObjId, Object, Objects, Pin};
use crate::sched::{Deadlines, QUANTUM, ReadyQueue};
use crate::thread::{Sender, State, Target, Thread};
use crate::vbus::hardware::Hardware;

/// Free block in the kernel's own memory without which programs get nothing that they ask for.
const RESERVE: usize = 1 << 20;
/// The same for what follows from something that was granted: the capability to a new object, the
/// page of an attached dataspace. Several times what one of these takes, so that none fails
/// half-way.
const SMALL_RESERVE: usize = 16 << 10;

/// What user mode came back for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// A system call.
    Syscall,
    /// A page fault or another exception: syndrome and address.
    Fault {
        /// Exception syndrome (ESR).
        esr: usize,
        /// Fault address.
        address: usize,
    },
    /// Interrupts are pending; the board reports them one by one.
    Interrupt,
}

/// The kernel.
pub struct Kernel {
    /// The machine below.
    pub machine: Box<dyn Machine>,
    /// RAM.
    pub mem: PhysMem,
    /// All objects.
    pub objects: Objects,
    /// Who can run.
    pub ready: ReadyQueue,
    /// Who waits with a limit.
    pub deadlines: Deadlines,
    /// Whose turn it is.
    pub current: Option<ObjId>,
    /// When the turn of the current thread ends.
    pub slice_end: u64,
    /// Hardware interrupts that somebody was interested in.
    pub pins: BTreeMap<u32, Pin>,
    /// Interrupts of buses are unmasked at their controllers.
    pub unmask_at_icu: bool,
    /// The hardware for buses.
    pub hardware: Hardware,
    /// Longest piece of a DMA mapping; 0: no limit.
    pub max_piece: u64,
    /// Physical address of the kernel info page.
    pub kip: usize,
    /// The programs and what becomes of them.
    pub programs: Vec<Program>,
    /// Boot modules: name and dataspace.
    pub rom: BTreeMap<alloc::string::String, ObjId>,
    /// The thread that starts programs.
    pub loader: Option<Loader>,
    /// When the machine is to be switched off.
    pub shutdown: Shutdown,
    tokens: u64,
}

impl Kernel {
    /// A kernel without programs.
    pub fn new(machine: Box<dyn Machine>, mem: PhysMem, hardware: Hardware) -> Kernel {
        Kernel {
            machine,
            mem,
            objects: Objects::default(),
            ready: ReadyQueue::default(),
            deadlines: Deadlines::default(),
            current: None,
            slice_end: 0,
            pins: BTreeMap::new(),
            unmask_at_icu: false,
            hardware,
            max_piece: 0,
            kip: 0,
            programs: Vec::new(),
            rom: BTreeMap::new(),
            loader: None,
            shutdown: Shutdown::All,
            tokens: 0,
        }
    }

    /// Says something on behalf of the stand-in itself.
    pub fn say(&mut self, text: &str) {
        self.machine.put(format!("standin: {text}\n").as_bytes());
    }

    /// A number that was never used before.
    pub fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    /// Whether there is kernel memory for one more small thing that a program asks for.
    pub fn has_room(&self) -> bool {
        self.machine.has_room(RESERVE)
    }

    /// Whether there is kernel memory for the consequence of something that was granted.
    pub fn has_small_room(&self) -> bool {
        self.machine.has_room(SMALL_RESERVE)
    }

    // -- Objects and capabilities ------------------------------------------------------------

    /// Makes an object and charges it. `None` if the account does not allow it, or kernel memory
    /// is used up.
    pub fn create(&mut self, kind: Kind, account: Option<ObjId>) -> Option<ObjId> {
        let cost = kind.cost();
        if !self.has_room() || account.is_some_and(|a| !self.objects.charge(a, cost)) {
            if let Kind::Dataspace(ds) = kind {
                ds.release(&mut self.mem);
            }
            return None;
        }
        Some(self.objects.insert(kind, account.map(|a| (a, cost))))
    }

    /// Holds an object for the kernel itself.
    pub fn hold(&mut self, id: ObjId) {
        if let Some(o) = self.objects.get_mut(id) {
            o.refs += 1;
        }
    }

    /// Drops a reference; the last one ends the object. Returns how many remain.
    pub fn drop_ref(&mut self, id: ObjId) -> usize {
        let Some(o) = self.objects.get_mut(id) else { return 0 };
        o.refs = o.refs.saturating_sub(1);
        let left = o.refs;
        if left == 0 {
            self.destroy(id);
        }
        left
    }

    /// The capability that a thread's selector names; marks in the low bits do not matter.
    pub fn lookup(&self, thread: ObjId, selector: usize) -> Option<Cap> {
        let task = self.objects.thread(thread)?.task?;
        self.objects.task(task)?.caps.get(selector >> 12)
    }

    /// Puts a capability into a slot; what was there goes. Fails for absurd slots, for objects
    /// that are gone, and without kernel memory.
    pub fn put_cap(&mut self, task: ObjId, index: usize, cap: Cap) -> bool {
        let room = self.has_small_room();
        if index > MAX_INDEX || self.objects.get(cap.object).is_none() || !room {
            return false;
        }
        if !cap.weak {
            self.hold(cap.object);
        }
        let Some(t) = self.objects.task_mut(task) else {
            self.release(cap);
            return false;
        };
        if let Some(old) = t.caps.set(index, cap) {
            self.release(old);
        }
        true
    }

    /// Empties a slot.
    pub fn take_cap(&mut self, task: ObjId, index: usize) {
        if let Some(old) = self.objects.task_mut(task).and_then(|t| t.caps.take(index)) {
            self.release(old);
        }
    }

    /// Forgets a capability that is in no table any more.
    pub fn release(&mut self, cap: Cap) {
        if !cap.weak {
            self.drop_ref(cap.object);
        }
    }

    /// Ends an object: it vanishes from all tables, and those who wait for it are told.
    pub fn destroy(&mut self, id: ObjId) {
        let Some(Object { kind, charge, .. }) = self.objects.remove(id) else { return };
        for task in self.objects.ids(|k| matches!(k, Kind::Task(_))) {
            if let Some(t) = self.objects.task_mut(task) {
                t.caps.purge(id);
            }
        }
        if let Some((account, bytes)) = charge {
            self.objects.discharge(account, bytes);
        }
        match kind {
            Kind::Gate(gate) => {
                for t in gate.waiting {
                    self.fail(t, utcb::error::NO_DESTINATION);
                }
                self.gate_deleted(gate.thread);
            }
            Kind::Irq(irq) => {
                self.release_pin(irq.pin, id);
                self.forget_sender(Sender::Irq(id));
            }
            Kind::Semaphore(s) => {
                self.release_pin(s.pin, id);
                for t in s.waiting {
                    self.fail(t, utcb::error::NO_DESTINATION);
                }
            }
            Kind::Dataspace(ds) => {
                self.unmap_dataspace(id);
                if ds.dma_mappings > 0 {
                    self.say("a dataspace ends while it is mapped for a device");
                    self.forget_dma(id);
                }
                ds.release(&mut self.mem);
            }
            Kind::DmaSpace(mut space) => self.close_dma_space(&mut space),
            Kind::Thread(thread) => self.thread_ended(id, *thread),
            Kind::Task(task) => self.task_ended(id, *task),
            Kind::NameSpace(ns) => {
                let entries: Vec<_> = ns.names.into_values().filter_map(|e| e.object).collect();
                entries.into_iter().for_each(|o| {
                    self.drop_ref(o);
                });
            }
            Kind::LooseRegionMap(space) => self.close_region_map(space),
            Kind::Vbus(bus) => {
                if let Some(icu) = bus.icu {
                    self.drop_ref(icu);
                }
            }
            _ => {}
        }
    }

    fn gate_deleted(&mut self, thread: Option<ObjId>) {
        let irq = thread.and_then(|t| self.objects.thread(t)).and_then(|t| t.deletion_irq);
        if let Some(irq) = irq {
            self.trigger(irq);
        }
    }

    fn release_pin(&mut self, pin: Option<u32>, object: ObjId) {
        if let Some(pin) = pin
            && self.pins.get(&pin).is_some_and(|p| p.object == Some(object))
        {
            self.unbind_pin(pin);
        }
    }

    fn forget_sender(&mut self, sender: Sender) {
        for t in self.objects.ids(|k| matches!(k, Kind::Thread(_))) {
            if let Some(t) = self.objects.thread_mut(t) {
                t.senders.retain(|s| *s != sender);
            }
        }
    }

    /// What is left of a thread that was taken out of the objects.
    fn thread_ended(&mut self, id: ObjId, thread: Thread) {
        self.ready.remove(id);
        if let Some(when) = thread.deadline {
            self.deadlines.cancel(when, id);
        }
        if self.current == Some(id) {
            self.current = None;
        }
        self.leave_queue(id, &thread.state);
        // Those who are in the queue learn that it is gone. Those who have called it and were
        // received already are left waiting, as Fiasco does.
        for sender in thread.senders {
            if let Sender::Thread(t) = sender {
                self.fail(t, utcb::error::SEND_CANCELED);
            }
        }
        if thread.utcb != 0 {
            self.mem.set_word(thread.utcb, utcb::FREE_MARKER, 0);
        }
        if let Some(task) = thread.task {
            self.task_lost_thread(task);
        }
    }

    fn task_lost_thread(&mut self, task: ObjId) {
        let alone =
            !self.objects.iter().any(|(_, k)| matches!(k, Kind::Thread(t) if t.task == Some(task)));
        let Some(t) = self.objects.task(task) else { return };
        if alone && t.program.is_some() {
            let name = t.name.clone();
            self.say(&format!("{name}: last thread is gone"));
        }
    }

    /// What is left of a task that was taken out of the objects.
    fn task_ended(&mut self, id: ObjId, mut task: crate::task::Task) {
        let threads = self.objects.ids(|k| matches!(k, Kind::Thread(t) if t.task == Some(id)));
        threads.into_iter().for_each(|t| self.destroy(t));
        // Pages that others got from here go with it.
        for t in self.objects.ids(|k| matches!(k, Kind::Task(_))) {
            let from_here =
                |p: &crate::task::Page| p.parent.is_some_and(|(parent, _)| parent == id);
            let pages = self.objects.task(t).map(|t| t.space.find(from_here)).unwrap_or_default();
            pages.into_iter().for_each(|va| self.unmap_page(t, va));
        }
        for cap in task.caps.drain() {
            self.release(cap);
        }
        for held in core::mem::take(&mut task.held) {
            self.drop_ref(held);
        }
        for k in &task.ku_mem {
            self.mem.release(k.pa, k.size / crate::mem::PAGE);
        }
    }

    // -- Scheduling --------------------------------------------------------------------------

    /// Makes a thread able to run, in front of its equals if it takes over from a partner.
    pub fn wake(&mut self, id: ObjId, front: bool) {
        let Some(t) = self.objects.thread_mut(id) else { return };
        t.state = State::Ready;
        let deadline = t.deadline.take();
        let runnable = t.priority.filter(|_| t.started || t.loader);
        if let Some(when) = deadline {
            self.deadlines.cancel(when, id);
        }
        if let Some(p) = runnable
            && self.current != Some(id)
        {
            self.ready.push(p, id, front);
        }
    }

    /// Chooses who runs now. `None`: nobody can.
    pub fn pick(&mut self) -> Option<ObjId> {
        let now = self.machine.now();
        if let Some(id) = self.current {
            let (can, priority) = match self.objects.thread(id) {
                Some(t) => (matches!(t.state, State::Ready), t.priority.unwrap_or(0)),
                None => (false, 0),
            };
            let top = self.ready.top();
            let over = now >= self.slice_end;
            let expired = over && top == Some(priority);
            if can && !expired && top.is_none_or(|p| p <= priority) {
                if over {
                    self.slice_end = now + self.quantum(id);
                }
                return Some(id);
            }
            self.current = None;
            if can {
                self.ready.push(priority, id, !expired);
            }
        }
        let next = self.ready.pop()?;
        self.current = Some(next);
        self.slice_end = now + self.quantum(next);
        Some(next)
    }

    /// Length of a thread's time slice; absurdly short ones would let nothing else happen.
    fn quantum(&self, id: ObjId) -> u64 {
        self.objects.thread(id).map_or(QUANTUM, |t| t.quantum.max(100))
    }

    /// When the kernel has to look again, at the latest.
    pub fn next_event(&self) -> Option<u64> {
        let slice = self.current.map(|_| self.slice_end);
        match (self.deadlines.next(), slice) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Ends the waiting of all whose time is over.
    pub fn tick(&mut self) {
        let now = self.machine.now();
        while let Some(t) = self.deadlines.expired(now) {
            let code = match self.objects.thread_mut(t) {
                Some(t) => {
                    t.deadline = None;
                    match t.state {
                        State::Sending(_) => utcb::error::SEND_TIMEOUT,
                        _ => utcb::error::RECV_TIMEOUT,
                    }
                }
                None => continue,
            };
            self.fail(t, code);
        }
    }

    /// Takes a thread out of the queue it waits in.
    pub fn leave_queue(&mut self, id: ObjId, state: &State) {
        match state {
            State::Sending(s) => match s.to {
                Target::Thread(to) => {
                    if let Some(t) = self.objects.thread_mut(to) {
                        t.senders.retain(|s| *s != Sender::Thread(id));
                    }
                }
                Target::Gate(gate) => {
                    if let Some(g) = self.objects.gate_mut(gate) {
                        g.waiting.retain(|t| *t != id);
                    }
                }
            },
            State::Down(sem) => {
                if let Some(s) = self.objects.semaphore_mut(*sem) {
                    s.waiting.retain(|t| *t != id);
                }
            }
            _ => {}
        }
    }
}
