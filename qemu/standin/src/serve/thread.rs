//! Threads, the scheduler, gates and IRQs as far as threads are bound to them.

use alloc::vec::Vec;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::object::{gate, irq, scheduler, thread};

use crate::err::{EINVAL, EMSGTOOSHORT, ENOSYS, EPERM, Errno};
use crate::ipc::{Answer, Call, Out, Served};
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::sched::QUANTUM;
use crate::thread::{Sender, State, Target};

/// What an unset pager or exception handler reads back as.
const UNSET: usize = !0 << 12;
/// Processor state of a new thread: user mode, interrupts on.
const PSTATE_USER: usize = 0;

impl Kernel {
    pub(super) fn serve_thread(&mut self, c: &Call) -> Served {
        match c.word(0)? & 0xffff {
            thread::CONTROL => self.thread_control(c),
            thread::EX_REGS => self.thread_ex_regs(c),
            thread::SWITCH => {
                self.slice_end = 0;
                Out::ok()
            }
            thread::STATS => {
                let t = self.objects.thread(c.cap.object).ok_or(EINVAL)?;
                Out::words(&[t.consumed as usize])
            }
            thread::REGISTER_DEL_IRQ => self.thread_deletion_irq(c),
            thread::MODIFY_SENDERS => self.thread_modify_senders(c),
            _ => Err(ENOSYS),
        }
    }

    fn thread_control(&mut self, c: &Call) -> Served {
        let own = c.cap.object == c.thread;
        if !own {
            c.need_special()?;
        }
        if c.tag.words() < 6 {
            return Err(EINVAL);
        }
        let flags = c.mr[0];
        if flags & thread::BIND != 0 {
            self.thread_bind(c)?;
        }
        let t = self.objects.thread_mut(c.cap.object).ok_or(EINVAL)?;
        let (pager, handler) = (t.pager.unwrap_or(UNSET), t.handler.unwrap_or(UNSET));
        if flags & thread::SET_PAGER != 0 {
            t.pager = Some(c.mr[1]);
        }
        if flags & thread::SET_EXC_HANDLER != 0 {
            t.handler = Some(c.mr[2]);
        }
        Out::words(&[0, pager, handler])
    }

    fn thread_bind(&mut self, c: &Call) -> Result<(), Errno> {
        let task = c.item(self)?;
        if !task.may(rights::S) {
            return Err(EPERM);
        }
        let va = c.mr[5];
        let utcb = self.objects.task(task.object).and_then(|t| t.utcb_at(va)).ok_or(EINVAL)?;
        let stub = self.mem.word(self.kip, l4re_runtime::abi::kip::SYSCALL_STUB / 8);
        let t = self.objects.thread_mut(c.cap.object).ok_or(EINVAL)?;
        if t.task.is_some() {
            return Err(EINVAL);
        }
        t.task = Some(task.object);
        t.utcb = utcb;
        t.frame.tpidr = va;
        t.frame.tpidrro = va;
        t.frame.x[1] = stub;
        t.frame.pstate = PSTATE_USER;
        Ok(())
    }

    fn thread_ex_regs(&mut self, c: &Call) -> Served {
        if c.cap.object != c.thread {
            c.need_special()?;
        }
        if c.tag.words() != 3 {
            return Err(EINVAL);
        }
        let id = c.cap.object;
        let (flags, pc, sp) = (c.mr[0], c.mr[1], c.mr[2]);
        let t = self.objects.thread_mut(id).ok_or(EINVAL)?;
        if t.task.is_none() {
            return Err(EINVAL);
        }
        let (old_pc, old_sp) = (t.frame.pc, t.frame.sp);
        if pc != thread::KEEP {
            t.frame.pc = pc;
        }
        if sp != thread::KEEP {
            t.frame.sp = sp;
        }
        let (first, state) = (!core::mem::replace(&mut t.started, true), t.state);
        match state {
            State::Inactive if first => self.wake(id, false),
            State::Sending(_) if flags & thread::EX_REGS_CANCEL != 0 => {
                self.fail(id, l4re_runtime::abi::utcb::error::SEND_CANCELED);
            }
            State::Receiving(_) | State::Down(_) if flags & thread::EX_REGS_CANCEL != 0 => {
                self.fail(id, l4re_runtime::abi::utcb::error::RECV_CANCELED);
            }
            _ => {}
        }
        if flags & thread::EX_REGS_TRIGGER != 0 {
            self.say("raising an exception by ex_regs does nothing here");
        }
        Out::words(&[0, old_pc, old_sp])
    }

    fn thread_deletion_irq(&mut self, c: &Call) -> Served {
        let cap = c.item(self)?;
        if self.objects.irq(cap.object).is_none() {
            return Err(EINVAL);
        }
        // Registering does not keep the IRQ alive.
        let t = self.objects.thread_mut(c.cap.object).ok_or(EINVAL)?;
        t.deletion_irq = Some(cap.object);
        Out::ok()
    }

    fn thread_modify_senders(&mut self, c: &Call) -> Served {
        let rules: Vec<[usize; 4]> = c.words()[1..].as_chunks().0.to_vec();
        let t = self.objects.thread(c.cap.object).ok_or(EINVAL)?;
        let senders: Vec<_> = t.senders.iter().copied().collect();
        for s in senders {
            let Sender::Thread(id) = s else { continue };
            let Some(t) = self.objects.thread_mut(id) else { continue };
            let State::Sending(sending) = &mut t.state else { continue };
            for [mask, value, delete, add] in &rules {
                if sending.label & mask == *value {
                    sending.label = sending.label & !delete | add;
                    break;
                }
            }
        }
        Out::ok()
    }

    pub(super) fn serve_scheduler(&mut self, c: &Call) -> Served {
        match c.word(0)? {
            scheduler::INFO => Out::words(&[1, 1, 1]),
            scheduler::IDLE_TIME => Out::words(&[0]),
            scheduler::RUN_THREAD => {
                if c.tag.words() < 5 {
                    return Err(EMSGTOOSHORT);
                }
                let cap = c.item(self)?;
                let priority = u8::try_from(c.mr[3]).ok().filter(|p| *p > 0).ok_or(EINVAL)?;
                let quantum = match c.mr[4] as u64 {
                    0 => QUANTUM,
                    us => us,
                };
                self.run_thread(cap.object, priority, quantum)?;
                Out::ok()
            }
            _ => Err(ENOSYS),
        }
    }

    /// Gives a thread a priority; from now on it may run.
    pub fn run_thread(&mut self, id: ObjId, priority: u8, quantum: u64) -> Result<(), Errno> {
        let t = self.objects.thread_mut(id).ok_or(EINVAL)?;
        if t.task.is_none() {
            return Err(EINVAL);
        }
        t.priority = Some(priority);
        t.quantum = quantum;
        let runs = t.started && matches!(t.state, State::Ready | State::Inactive);
        if runs {
            self.ready.remove(id);
            self.wake(id, false);
        }
        Ok(())
    }

    /// Binding a thread to a gate or an IRQ, and the other operations of gates.
    pub(super) fn serve_endpoint(&mut self, c: &Call) -> Served {
        let id = c.cap.object;
        match c.word(0).map_err(|_| EINVAL)? {
            gate::BIND_THREAD => {
                let label = c.word(1)?;
                let cap = c.item(self)?;
                if label & gate::LABEL_MASK != 0 || self.objects.thread(cap.object).is_none() {
                    return Err(EINVAL);
                }
                if !cap.may(rights::S) {
                    return Err(EPERM);
                }
                self.bind_endpoint(c, id, label, cap.object)
            }
            gate::GET_INFO => match self.objects.gate(id) {
                Some(g) => Out::words(&[g.label]),
                None => Err(ENOSYS),
            },
            gate::DEC_REFCNT => self.serve_kobject(c),
            _ => Err(ENOSYS),
        }
    }

    fn bind_endpoint(&mut self, c: &Call, id: ObjId, label: usize, thread: ObjId) -> Served {
        if let Some(irq) = self.objects.irq_mut(id) {
            if !c.cap.may(rights::S) {
                return Err(EPERM);
            }
            irq.label = label;
            let old = irq.thread.replace(thread);
            let again = core::mem::take(&mut irq.pending);
            if let Some(old) = old.and_then(|t| self.objects.thread_mut(t)) {
                old.senders.retain(|s| *s != Sender::Irq(id));
            }
            if again {
                self.trigger(id);
            }
            return Out::ok();
        }
        let waiting = match self.objects.gate_mut(id) {
            Some(g) => {
                g.label = label;
                g.thread = Some(thread);
                core::mem::take(&mut g.waiting)
            }
            None => return Err(EINVAL),
        };
        for sender in waiting {
            let Some(t) = self.objects.thread_mut(sender) else { continue };
            let State::Sending(s) = &mut t.state else { continue };
            s.to = Target::Thread(thread);
            // The rights of the sender's capability stand in the low bits already.
            s.label = s.label & gate::LABEL_MASK | label;
            let s = *s;
            let receives = match self.objects.thread(thread).map(|t| t.state) {
                Some(State::Receiving(r)) => {
                    matches!(r.from, crate::thread::From::Anyone)
                }
                _ => false,
            };
            if receives {
                self.deliver(sender, thread, &s);
            } else if let Some(t) = self.objects.thread_mut(thread) {
                t.senders.push_back(Sender::Thread(sender));
            }
        }
        Out::ok()
    }

    /// Triggering an IRQ or a semaphore, and unmasking.
    pub(super) fn serve_trigger(&mut self, c: &Call) -> Served {
        let id = c.cap.object;
        match c.words().first() {
            None => self.trigger(id),
            Some(&irq::EOI) => {
                let pin = match self.objects.get(id).map(|o| &o.kind) {
                    Some(Kind::Irq(i)) => i.pin,
                    Some(Kind::Semaphore(s)) => s.pin,
                    _ => None,
                };
                if let Some(pin) = pin
                    && self.pins.get(&pin).is_some_and(|p| !p.at_icu)
                {
                    self.machine.irq_enable(pin, true);
                }
            }
            Some(_) => return Err(ENOSYS),
        }
        Ok(Answer::Silent)
    }

    pub(super) fn serve_irq_sender(&mut self, c: &Call) -> Served {
        match c.word(0)? {
            irq::DETACH => {
                let id = c.cap.object;
                let old = self.objects.irq_mut(id).and_then(|i| i.thread.take());
                if let Some(old) = old.and_then(|t| self.objects.thread_mut(t)) {
                    old.senders.retain(|s| *s != Sender::Irq(id));
                }
                Out::ok()
            }
            _ => Err(ENOSYS),
        }
    }

    pub(super) fn serve_semaphore(&mut self, c: &Call) -> Served {
        if c.word(0)? != 0 {
            return Err(ENOSYS);
        }
        let id = c.cap.object;
        let s = self.objects.semaphore_mut(id).ok_or(EINVAL)?;
        if s.count > 0 {
            s.count -= 1;
            return Out::ok();
        }
        if !self.block(c.thread, State::Down(id), c.timeouts.recv) {
            return Ok(Answer::Failed(l4re_runtime::abi::utcb::error::RECV_TIMEOUT));
        }
        if let Some(s) = self.objects.semaphore_mut(id) {
            s.waiting.push_back(c.thread);
        }
        Ok(Answer::Blocked)
    }
}
