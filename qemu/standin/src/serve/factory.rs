//! The factory of kernel objects.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::factory::{RawArg, args, kind};
use l4re_runtime::abi::object::gate;

use crate::cap::Cap;
use crate::err::{EINVAL, ENODEV, ENOMEM, EPERM, Errno};
use crate::ipc::{Answer, Call, Item, Out, Reply, Served};
use crate::kernel::Kernel;
use crate::mem::PAGE;
use crate::object::{Gate, Irq, Kind, ObjId, Quota, Semaphore};
use crate::region::{Backing, Region};
use crate::task::{KuMem, Task};
use crate::thread::Thread;

/// Arguments of a factory request.
pub(super) fn arguments(c: &Call) -> Result<Vec<RawArg<'_>>, Errno> {
    let words = c.words().get(1..).ok_or(EINVAL)?;
    args(words).collect::<Result<_, _>>().map_err(|_| EINVAL)
}

/// A number, signed or not.
pub(super) fn number(arg: Option<&RawArg<'_>>) -> Option<isize> {
    match arg? {
        RawArg::Unsigned(v) => Some(*v as isize),
        RawArg::Signed(v) => Some(*v),
        _ => None,
    }
}

impl Kernel {
    /// Makes an object, charges it, and answers with a capability that has all rights.
    pub(super) fn make(&mut self, kind: Kind, account: ObjId) -> Served {
        let id = self.create(kind, Some(account)).ok_or(ENOMEM)?;
        Out::cap(Cap::full(id))
    }

    pub(super) fn serve_factory(&mut self, c: &Call) -> Served {
        if !c.cap.may(rights::S) {
            return Err(EPERM);
        }
        let account = c.cap.object;
        let args = arguments(c)?;
        match c.word(0)? as isize {
            kind::GATE | -10 => self.make_gate(c, &args, account),
            kind::THREAD => self.make(Kind::Thread(Box::default()), account),
            kind::IRQ => self.make(Kind::Irq(Irq::default()), account),
            kind::SEMAPHORE => self.make(Kind::Semaphore(Semaphore::default()), account),
            kind::FACTORY => self.make_factory(&args, account),
            kind::TASK => self.make_task(&args, account),
            other => {
                self.say(&format!("no factory for kernel objects of type {other}"));
                Err(ENODEV)
            }
        }
    }

    fn make_gate(&mut self, c: &Call, args: &[RawArg<'_>], account: ObjId) -> Served {
        let label = number(args.first()).unwrap_or(0) as usize;
        if label & gate::LABEL_MASK != 0 {
            return Err(EINVAL);
        }
        let thread = match c.tag.items() {
            0 => None,
            _ => {
                let cap = c.item(self)?;
                if self.objects.thread(cap.object).is_none() {
                    return Err(EINVAL);
                }
                if !cap.may(rights::S) {
                    return Err(EPERM);
                }
                Some(cap.object)
            }
        };
        self.make(Kind::Gate(Gate { label, thread, ..Gate::default() }), account)
    }

    pub(super) fn make_factory(&mut self, args: &[RawArg<'_>], account: ObjId) -> Served {
        match number(args.first()) {
            Some(limit) if limit > 0 => {
                let quota = Quota { limit: limit as u64, used: 0, parent: Some(account) };
                self.make(Kind::Factory(quota), account)
            }
            _ => Err(EINVAL),
        }
    }

    fn make_task(&mut self, args: &[RawArg<'_>], account: ObjId) -> Served {
        let area = match args.first() {
            Some(RawArg::Fpage(f)) => l4re_runtime::abi::fpage::Fpage(*f),
            _ => return Err(EINVAL),
        };
        let task = Task::new("(made by a program)", self.machine.page_table());
        let id = self.create(Kind::Task(Box::new(task)), Some(account)).ok_or(ENOMEM)?;
        if area.0 != 0
            && let Err(e) = self.add_ku_mem(id, area.start(), 1 << area.order().clamp(12, 17))
        {
            self.destroy(id);
            return Err(e);
        }
        let mut reply = Reply::words(&[area.0]);
        reply.items.push(Item::Cap(Cap::full(id)));
        Ok(Answer::Reply(reply))
    }

    /// Adds memory that kernel and task share; it stays mapped for good.
    pub fn add_ku_mem(&mut self, task: ObjId, va: usize, size: usize) -> Result<(), Errno> {
        let end = va.checked_add(size).ok_or(EINVAL)?;
        let t = self.objects.task(task).ok_or(EINVAL)?;
        if !va.is_multiple_of(PAGE) || !t.regions.is_free(va, end, true) {
            return Err(EINVAL);
        }
        if !self.has_room() {
            return Err(ENOMEM);
        }
        let pa = self.mem.alloc(size / PAGE, 1).ok_or(ENOMEM)?;
        let t = self.objects.task_mut(task).ok_or(EINVAL)?;
        t.ku_mem.push(KuMem { va, pa, size });
        let flags = 0x106;
        t.regions.insert(va, Region { end, flags, backing: Backing::None, offset: 0 });
        for at in (0..size).step_by(PAGE) {
            let page = crate::task::Page {
                pa: pa + at,
                rights: 6,
                cache: crate::machine::Cache::Normal,
                ds: None,
                parent: None,
            };
            t.space.map(va + at, page);
        }
        Ok(())
    }

    /// A thread that is bound to a task, for those that the kernel starts itself.
    pub fn bound_thread(&mut self, task: ObjId, utcb_va: usize) -> Option<ObjId> {
        let utcb = self.objects.task(task)?.utcb_at(utcb_va)?;
        let mut thread = Thread { task: Some(task), utcb, ..Thread::default() };
        thread.frame.tpidr = utcb_va;
        thread.frame.tpidrro = utcb_va;
        self.create(Kind::Thread(Box::new(thread)), None)
    }
}
