//! Page faults and exceptions of programs.

use alloc::format;

use l4re_runtime::abi::object::fault;
use l4re_runtime::abi::utcb;

use crate::cap::Cap;
use crate::err::EFAULT;
use crate::ipc::{Call, Out, Served};
use crate::kernel::Kernel;
use crate::memory::Access;
use crate::object::{Kind, ObjId};
use crate::thread::{Fault, Frame};

/// What an exception syndrome says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A system call.
    Syscall,
    /// A page fault.
    Page(Access),
    /// Anything else, with the number of the signal that L4Re turns it into and its name.
    Other(u32, &'static str),
}

const SIGILL: u32 = 4;
const SIGTRAP: u32 = 5;
const SIGBUS: u32 = 7;
const SIGFPE: u32 = 8;
const SIGSEGV: u32 = 11;
/// A bad access that is this close to the stack pointer is likely the stack's.
const NEAR_SP: usize = 4096;
/// Exit code of a program that a signal ends: this plus the signal.
const EXIT_SIGNAL: u32 = 128;

/// Takes a syndrome (ESR_EL1) apart.
pub fn cause(esr: usize) -> Cause {
    let class = esr >> 26 & 0x3f;
    let status = esr & 0x3f;
    // Translation, access flag and permission faults are for the pager; others are not.
    let pageable = matches!(status >> 2, 1..=3);
    match class {
        0x11 | 0x15 => Cause::Syscall,
        0x20 if pageable => Cause::Page(Access::Execute),
        0x24 if pageable && esr & 1 << 6 != 0 => Cause::Page(Access::Write),
        0x24 if pageable => Cause::Page(Access::Read),
        0x20 | 0x24 => Cause::Other(SIGBUS, "bus error"),
        0x00 | 0x0e | 0x18 => Cause::Other(SIGILL, "undefined instruction"),
        0x22 | 0x26 => Cause::Other(SIGBUS, "misaligned pc or sp"),
        0x2c => Cause::Other(SIGFPE, "floating point exception"),
        0x30..=0x35 | 0x3c => Cause::Other(SIGTRAP, "breakpoint"),
        _ => Cause::Other(SIGILL, "exception"),
    }
}

impl Kernel {
    /// Handles an exception of a thread in user mode.
    pub fn exception(&mut self, thread: ObjId, esr: usize, address: usize) {
        match cause(esr) {
            Cause::Syscall => self.syscall(thread),
            Cause::Page(access) => self.page_fault(thread, address, access),
            Cause::Other(signal, what) => self.fatal(thread, signal, what, address, ""),
        }
    }

    fn page_fault(&mut self, thread: ObjId, address: usize, access: Access) {
        let Some(t) = self.objects.thread(thread) else { return };
        let (Some(task), pager) = (t.task, t.pager) else { return };
        let pager = pager.and_then(|p| self.lookup(thread, p));
        let kind = pager.and_then(|p| self.objects.get(p.object)).map(|o| &o.kind);
        let of = match (kind, pager) {
            (Some(Kind::RegionMap(of)), _) => of,
            (Some(Kind::Gate(_)), Some(gate)) => {
                return self.ask_pager(thread, gate, address, access);
            }
            _ => return self.fatal(thread, SIGSEGV, "page fault", address, "it has no pager"),
        };
        let space = if *of == task { task } else { *of };
        if let Err(why) = self.resolve_fault(space, address, access) {
            let what = match access {
                Access::Read => "bad read access",
                Access::Write => "bad write access",
                Access::Execute => "bad jump",
            };
            let sp = self.objects.thread(thread).map_or(0, |t| t.frame.sp);
            let near_sp = access != Access::Execute && address.abs_diff(sp) < NEAR_SP;
            let why = if near_sp { format!("{why}; a stack overflow?") } else { why.into() };
            self.fatal(thread, SIGSEGV, what, address, &why);
        }
    }

    /// Sends a page fault to the pager that the program has chosen, as a call in the name of the
    /// thread. The answer may not bring memory: pagers here map by themselves.
    fn ask_pager(&mut self, thread: ObjId, gate: Cap, address: usize, access: Access) {
        let kind = match access {
            Access::Read => 0,
            Access::Write => fault::WRITE,
            Access::Execute => fault::FETCH,
        };
        let Some(t) = self.objects.thread_mut(thread) else { return };
        let (at, pc) = (t.utcb, t.frame.pc);
        let words = [
            (0, address & !fault::KIND | fault::MISSING | kind),
            (1, pc),
            (utcb::BDR, 0),
            (utcb::BR, 0),
        ];
        let old = words.map(|(index, _)| (index, self.mem.word(at, index)));
        for (index, word) in words {
            self.mem.set_word(at, index, word);
        }
        if let Some(t) = self.objects.thread_mut(thread) {
            t.fault = Some(Fault { address, x: [t.frame.x[0], t.frame.x[1]], utcb: old });
        }
        self.call_pager(thread, gate);
    }

    /// The call to the pager is over, with a result if it came to one. False if the thread waits
    /// for something else.
    pub fn fault_answered(&mut self, thread: ObjId, result: Option<isize>) -> bool {
        let Some(t) = self.objects.thread_mut(thread) else { return false };
        let Some(fault) = t.fault.take() else { return false };
        [t.frame.x[0], t.frame.x[1]] = fault.x;
        let (at, state) = (t.utcb, t.state);
        for (index, word) in fault.utcb {
            self.mem.set_word(at, index, word);
        }
        if result.is_some_and(|label| label >= 0) {
            self.wake(thread, true);
        } else {
            self.leave_queue(thread, &state);
            self.fatal(thread, SIGSEGV, "page fault", fault.address, "its pager refuses");
        }
        true
    }

    /// The region mapper resolves a page fault that was passed on to it.
    pub fn serve_page_fault(&mut self, c: &Call, task: ObjId) -> Served {
        let word = c.word(0)?;
        let access = match word & fault::KIND {
            kind if kind & fault::FETCH != 0 => Access::Execute,
            kind if kind & fault::WRITE != 0 => Access::Write,
            _ => Access::Read,
        };
        match self.resolve_fault(task, word & !fault::KIND, access) {
            Ok(()) => Out::ok(),
            Err(_) => Err(EFAULT),
        }
    }

    /// Prints what is known of a fault and ends the whole program, as the in-task loader does.
    fn fatal(&mut self, thread: ObjId, signal: u32, what: &str, address: usize, why: &str) {
        let Some(t) = self.objects.thread(thread) else { return };
        let (frame, task) = (t.frame.clone(), t.task);
        let Some(task) = task else { return };
        let name = self.objects.task(task).map(|t| t.name.clone()).unwrap_or_default();
        let colon = if why.is_empty() { "" } else { ": " };
        let pc = frame.pc;
        self.say(&format!("{name}: {what} at {address:#x}, pc {pc:#x}{colon}{why}"));
        self.dump(&frame);
        self.backtrace(task, &frame);
        let program = self.objects.task(task).and_then(|t| t.program);
        match program {
            Some(_) => self.end_program(task, (EXIT_SIGNAL + signal) as isize),
            None => self.destroy(thread),
        }
    }

    fn dump(&mut self, f: &Frame) {
        for (row, regs) in f.x.chunks(4).enumerate() {
            let mut line = format!("x{:<2}", row * 4);
            for r in regs {
                line += &format!(" {r:016x}");
            }
            self.say(&line);
        }
        self.say(&format!("sp  {:016x} pstate {:x}", f.sp, f.pstate));
    }

    /// Return addresses along the frame pointers, as far as those make sense.
    fn backtrace(&mut self, task: ObjId, f: &Frame) {
        let mut line = format!("called from {:#x}", f.x[30]);
        let mut fp = f.x[29];
        for _ in 0..16 {
            let Some(page) = self.objects.task(task).and_then(|t| t.space.get(fp)) else { break };
            if !fp.is_multiple_of(16) || page.ds.is_none() {
                break;
            }
            let at = page.pa + fp % crate::mem::PAGE;
            let (next, pc) = (self.mem.word(at, 0), self.mem.word(at, 1));
            line += &format!(" {pc:#x}");
            if next <= fp {
                break;
            }
            fp = next;
        }
        self.say(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syndromes() {
        assert_eq!(cause(0x15 << 26), Cause::Syscall);
        assert_eq!(cause(0x24 << 26 | 1 << 6 | 7), Cause::Page(Access::Write));
        assert_eq!(cause(0x24 << 26 | 0xf), Cause::Page(Access::Read));
        assert_eq!(cause(0x20 << 26 | 6), Cause::Page(Access::Execute));
        assert!(matches!(cause(0x24 << 26 | 0x21), Cause::Other(SIGBUS, _)), "alignment");
        assert!(matches!(cause(0x3c << 26), Cause::Other(SIGTRAP, _)));
        assert!(matches!(cause(0), Cause::Other(SIGILL, _)));
    }
}
