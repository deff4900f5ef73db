//! Kernel objects and what keeps them alive.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::dataspace::Dataspace;
use crate::dma::DmaSpace;
use crate::task::Task;
use crate::thread::Thread;
use crate::vbus::Vbus;

/// Names an object. Never used twice, so that one that outlives its object finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjId(pub u64);

/// An IPC gate.
#[derive(Default)]
pub struct Gate {
    /// What the receiver sees; a multiple of 4.
    pub label: usize,
    /// Who receives.
    pub thread: Option<ObjId>,
    /// Senders that wait until a thread is bound.
    pub waiting: VecDeque<ObjId>,
}

/// An IRQ object.
#[derive(Default)]
pub struct Irq {
    /// What the receiver sees.
    pub label: usize,
    /// Who receives.
    pub thread: Option<ObjId>,
    /// Triggered but not received yet.
    pub pending: bool,
    /// The hardware interrupt it serves.
    pub pin: Option<u32>,
}

/// A hardware interrupt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pin {
    /// The IRQ or semaphore that is triggered.
    pub object: Option<ObjId>,
    /// Level triggered: masked at each interrupt until it is served.
    pub level: bool,
    /// The bus at whose controller it was bound.
    pub bus: Option<ObjId>,
    /// Only that controller unmasks it.
    pub at_icu: bool,
}

/// A counting semaphore.
#[derive(Default)]
pub struct Semaphore {
    /// Ups that nobody waited for.
    pub count: u64,
    /// Threads in "down".
    pub waiting: VecDeque<ObjId>,
    /// The hardware interrupt it serves.
    pub pin: Option<u32>,
}

/// A factory, and the account of what was made by it.
#[derive(Default)]
pub struct Quota {
    /// Bytes that may be in use; 0: no limit.
    pub limit: u64,
    /// Bytes in use.
    pub used: u64,
    /// The account that this one's limit was taken from.
    pub parent: Option<ObjId>,
}

/// A log: shows whole lines with a tag.
#[derive(Default)]
pub struct Log {
    /// Printed in front of each line.
    pub tag: String,
    /// The line so far.
    pub line: Vec<u8>,
}

/// What a name of a name space stands for.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The object; `None` while the name is only reserved.
    pub object: Option<ObjId>,
    /// Rights that a query gives.
    pub rights: usize,
}

/// A name space.
#[derive(Default)]
pub struct NameSpace {
    /// The names.
    pub names: BTreeMap<String, Entry>,
    /// Serves the boot modules instead.
    pub rom: bool,
}

/// The kinds of objects. Those without data speak for the task or the machine.
pub enum Kind {
    /// A task.
    Task(Box<Task>),
    /// A thread.
    Thread(Box<Thread>),
    /// An IPC gate.
    Gate(Gate),
    /// An IRQ.
    Irq(Irq),
    /// A semaphore.
    Semaphore(Semaphore),
    /// Factory of kernel objects, with its account.
    Factory(Quota),
    /// The memory allocator of a task; charges to a factory's account.
    MemAlloc(ObjId),
    /// Memory.
    Dataspace(Dataspace),
    /// A DMA space.
    DmaSpace(DmaSpace),
    /// A name space.
    NameSpace(NameSpace),
    /// The region mapper of a task.
    RegionMap(ObjId),
    /// A region map that a program has made: as the one of a task that has no thread.
    LooseRegionMap(ObjId),
    /// The signal gate of a task's parent.
    Parent(ObjId),
    /// The thread service of a task's loader.
    Itas(ObjId),
    /// A log.
    Log(Log),
    /// The scheduler.
    Scheduler,
    /// The interrupt controller.
    Icu,
    /// A virtual bus.
    Vbus(Vbus),
    /// The interrupt controller of a virtual bus.
    VbusIcu(ObjId),
    /// The counters of the stand-in.
    Kdbg,
}

impl Kind {
    /// Bytes that an object of this kind costs its maker. Round numbers of the order of what
    /// Fiasco takes: what matters is that leaks show.
    pub fn cost(&self) -> u64 {
        match self {
            Kind::Task(_) => 16384,
            Kind::Thread(_) => 4096,
            Kind::Gate(_) | Kind::Irq(_) | Kind::Semaphore(_) => 128,
            Kind::Dataspace(d) => 256 + d.charged(),
            _ => 512,
        }
    }
}

/// An object with its accounting.
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Counted capabilities to it, plus what the kernel holds.
    pub refs: usize,
    /// Account and bytes that it was charged with.
    pub charge: Option<(ObjId, u64)>,
}

/// All objects.
#[derive(Default)]
pub struct Objects {
    map: BTreeMap<ObjId, Object>,
    last: u64,
}

macro_rules! accessors {
    ($($name:ident, $name_mut:ident, $kind:ident => $ty:ty;)*) => { $(
        #[doc = concat!("The object, if it is there and is of kind `", stringify!($kind), "`.")]
        pub fn $name(&self, id: ObjId) -> Option<&$ty> {
            match &self.map.get(&id)?.kind {
                Kind::$kind(x) => Some(x),
                _ => None,
            }
        }

        #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), "), to change it.")]
        pub fn $name_mut(&mut self, id: ObjId) -> Option<&mut $ty> {
            match &mut self.map.get_mut(&id)?.kind {
                Kind::$kind(x) => Some(x),
                _ => None,
            }
        }
    )* };
}

impl Objects {
    /// Adds an object that nobody refers to yet.
    pub fn insert(&mut self, kind: Kind, charge: Option<(ObjId, u64)>) -> ObjId {
        self.last += 1;
        let id = ObjId(self.last);
        self.map.insert(id, Object { kind, refs: 0, charge });
        id
    }

    /// The object.
    pub fn get(&self, id: ObjId) -> Option<&Object> {
        self.map.get(&id)
    }

    /// The object, to change it.
    pub fn get_mut(&mut self, id: ObjId) -> Option<&mut Object> {
        self.map.get_mut(&id)
    }

    /// Takes an object out.
    pub fn remove(&mut self, id: ObjId) -> Option<Object> {
        self.map.remove(&id)
    }

    /// All objects.
    pub fn iter(&self) -> impl Iterator<Item = (ObjId, &Kind)> {
        self.map.iter().map(|(id, o)| (*id, &o.kind))
    }

    /// Names of all objects that fit.
    pub fn ids(&self, fits: impl Fn(&Kind) -> bool) -> Vec<ObjId> {
        self.iter().filter(|(_, k)| fits(k)).map(|(id, _)| id).collect()
    }

    accessors! {
        task, task_mut, Task => Task;
        thread, thread_mut, Thread => Thread;
        gate, gate_mut, Gate => Gate;
        irq, irq_mut, Irq => Irq;
        semaphore, semaphore_mut, Semaphore => Semaphore;
        quota, quota_mut, Factory => Quota;
        dataspace, dataspace_mut, Dataspace => Dataspace;
        dma_space, dma_space_mut, DmaSpace => DmaSpace;
        name_space, name_space_mut, NameSpace => NameSpace;
        log, log_mut, Log => Log;
        vbus, vbus_mut, Vbus => Vbus;
    }

    /// Charges bytes to an account and those it was split from.
    ///
    /// Returns whether all of them allow it; nothing is charged otherwise.
    pub fn charge(&mut self, account: ObjId, bytes: u64) -> bool {
        let mut at = Some(account);
        while let Some(q) = at.and_then(|id| self.quota(id)) {
            if q.limit != 0 && q.used.saturating_add(bytes) > q.limit {
                return false;
            }
            at = q.parent;
        }
        self.adjust(account, |used| used.saturating_add(bytes));
        true
    }

    /// Gives charged bytes back.
    pub fn discharge(&mut self, account: ObjId, bytes: u64) {
        self.adjust(account, |used| used.saturating_sub(bytes));
    }

    fn adjust(&mut self, account: ObjId, change: impl Fn(u64) -> u64) {
        let mut at = Some(account);
        while let Some(q) = at.and_then(|id| self.quota_mut(id)) {
            q.used = change(q.used);
            at = q.parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_account_is_charged_to_its_parent_too() {
        let mut o = Objects::default();
        let top = o.insert(Kind::Factory(Quota { limit: 100, ..Quota::default() }), None);
        let sub = o.insert(Kind::Factory(Quota { parent: Some(top), ..Quota::default() }), None);
        assert!(o.charge(sub, 70));
        assert!(!o.charge(sub, 31));
        assert_eq!(o.quota(top).unwrap().used, 70, "a refused charge leaves no trace");
        o.discharge(sub, 70);
        assert!(o.charge(top, 100));
    }
}
