//! Threads and the scheduler, as the kernel has them. Starting a thread of this program with a
//! stack is the business of [`crate::env::thread`].

use super::handle::object;
use super::irq::argument;
use super::task::{cpu_set, u64_at};
use super::{Irq, Object, Task};
use crate::Result;
use crate::abi::cap::Sel;
use crate::abi::object::{scheduler, thread};
use crate::abi::proto;
use crate::ipc::{self, Msg, Window};

object! {
    /// A thread.
    Thread
}

impl Thread {
    /// Gives the thread its task, its UTCB at `utcb`, and the server (a selector of that task)
    /// that its faults and exceptions go to. Possible once.
    ///
    /// # Errors
    ///
    /// What the kernel answers, for example when there is no memory for a UTCB at that address.
    pub fn bind(&self, task: &Task, utcb: usize, fault_handler: Sel) -> Result<()> {
        let flags = thread::SET_PAGER | thread::SET_EXC_HANDLER | thread::BIND;
        let handler = fault_handler.0;
        let mut msg = Msg::of(&[thread::CONTROL | flags, handler, handler, 0, 0, utcb])
            .with_item(argument(task));
        ipc::call(self.sel(), proto::THREAD, &mut msg, Window::None).map(drop)
    }

    /// Sends the page faults of the thread to another server (a selector of its task).
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn set_fault_handler(&self, handler: Sel) -> Result<()> {
        let mut msg = Msg::of(&[thread::CONTROL | thread::SET_PAGER, handler.0, 0, 0, 0, 0]);
        ipc::call(self.sel(), proto::THREAD, &mut msg, Window::None).map(drop)
    }

    /// Sets program counter and stack pointer. A new thread runs from there once the scheduler
    /// has it.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn set_registers(&self, pc: usize, sp: usize) -> Result<()> {
        let mut msg = Msg::of(&[thread::EX_REGS, pc, sp]);
        ipc::call(self.sel(), proto::THREAD, &mut msg, Window::None).map(drop)
    }

    /// Makes the kernel trigger `irq` whenever a gate that is bound to this thread ceases to
    /// exist.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn notify_of_dead_gates(&self, irq: &Irq) -> Result<()> {
        let mut msg = Msg::of(&[thread::REGISTER_DEL_IRQ]).with_item(argument(irq));
        ipc::call(self.sel(), proto::THREAD, &mut msg, Window::None).map(drop)
    }

    /// Processor time that the thread has used, in microseconds.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn consumed_micros(&self) -> Result<u64> {
        let mut msg = Msg::of(&[thread::STATS]);
        ipc::call(self.sel(), proto::THREAD, &mut msg, Window::None)?;
        Ok(u64_at(&msg, 0))
    }
}

object! {
    /// Decides which threads run where, and how urgently.
    Scheduler
}

/// What a scheduler manages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulerInfo {
    /// The processors among the first 64 that may be used, one bit each.
    pub cpus: usize,
    /// Most processors that the system can have.
    pub max_cpus: usize,
}

impl Scheduler {
    /// Starts scheduling `thread`, with a priority of 1 to 255, on any processor.
    ///
    /// # Errors
    ///
    /// What the scheduler answers. Priorities above those that it may give are cut.
    pub fn run(&self, thread: &Thread, priority: u8) -> Result<()> {
        let [set, map] = cpu_set(0, 0, !0);
        let mut msg = Msg::of(&[scheduler::RUN_THREAD, set, map, usize::from(priority), 0])
            .with_item(argument(thread));
        ipc::call(self.sel(), proto::SCHEDULER, &mut msg, Window::None).map(drop)
    }

    /// Which processors there are.
    ///
    /// # Errors
    ///
    /// What the scheduler answers.
    pub fn info(&self) -> Result<SchedulerInfo> {
        let [set, _] = cpu_set(0, 0, 0);
        let mut msg = Msg::of(&[scheduler::INFO, set]);
        ipc::call(self.sel(), proto::SCHEDULER, &mut msg, Window::None)?;
        Ok(SchedulerInfo { cpus: msg.word(0), max_cpus: msg.word(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;

    #[test]
    fn binding_a_thread_has_six_words_and_the_task() {
        with_kernel(
            |call, utcb| {
                assert_eq!((call.dest, call.tag), (0x41_8003, Tag::new(-12, 6, 1).0));
                let words: [usize; 8] = core::array::from_fn(|i| utcb.mr(i));
                let flags = 0x0121_0000;
                assert_eq!(words, [flags, 0x2_1000, 0x2_1000, 0, 0, 0xb300_0800, 8, 0x1037]);
                (Tag::new(0, 3, 0).0, 0)
            },
            || {
                let t = Thread::at(Sel(0x41_8000));
                t.bind(&Task::own(), 0xb300_0800, Sel(0x2_1000)).unwrap();
            },
        );
    }

    #[test]
    fn running_a_thread() {
        with_kernel(
            |call, utcb| {
                assert_eq!(call.tag, Tag::new(-14, 5, 1).0);
                let words: [usize; 7] = core::array::from_fn(|i| utcb.mr(i));
                assert_eq!(words, [1, 0, !0, 2, 0, 8, 0x41_8037]);
                (Tag::new(0, 0, 0).0, 0)
            },
            || Scheduler::at(Sel(0x7000)).run(&Thread::at(Sel(0x41_8000)), 2).unwrap(),
        );
    }
}
