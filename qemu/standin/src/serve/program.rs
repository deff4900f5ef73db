//! What a program asks its parent and its loader, and the counters.

use l4re_runtime::abi::object::parent;
use l4re_standin_bootinfo::kdbg::{COUNT, COUNTS, Count};

use crate::err::{EINVAL, ENOSYS};
use crate::ipc::{Answer, Call, Out, Served};
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};

impl Kernel {
    pub(super) fn serve_parent(&mut self, c: &Call, task: ObjId) -> Served {
        let mut args = c.args();
        if c.opcode()? != parent::SIGNAL {
            return Err(ENOSYS);
        }
        let (signal, value) = (args.word()?, args.word()?);
        if signal != parent::SIGNAL_EXIT {
            return Err(EINVAL);
        }
        self.end_program(task, value as isize);
        Ok(Answer::Blocked)
    }

    /// Threads register here for POSIX signals, which nothing of ours uses.
    pub(super) fn serve_itas(&mut self, c: &Call) -> Served {
        match c.opcode()? {
            0 | 1 => Out::ok(),
            _ => Err(ENOSYS),
        }
    }

    pub(super) fn serve_kdbg(&mut self, c: &Call) -> Served {
        if c.word(0)? as u64 != COUNTS {
            return Err(ENOSYS);
        }
        let mut counts = [0; COUNT];
        let mut set = |what: Count, n: usize| counts[what as usize] += n;
        let task = self.objects.task(c.task).ok_or(EINVAL)?;
        set(Count::Slots, task.caps.len());
        set(Count::Regions, task.regions.len());
        set(Count::Pages, task.space.len());
        let account = task.account.and_then(|a| self.objects.quota(a));
        set(Count::Charged, account.map_or(0, |q| q.used as usize));
        for (_, kind) in self.objects.iter() {
            set(Count::Objects, 1);
            match kind {
                Kind::Gate(_) => set(Count::Gates, 1),
                Kind::Irq(_) | Kind::Semaphore(_) => set(Count::Irqs, 1),
                Kind::Thread(t) if !t.loader => set(Count::Threads, 1),
                Kind::Dataspace(d) => set(Count::DataspaceBytes, d.size()),
                Kind::DmaSpace(s) => set(Count::DmaMappings, s.len()),
                _ => {}
            }
        }
        Out::words(&counts)
    }
}
