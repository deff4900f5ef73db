//! The system call: send phase, receive phase, and what they do to the partners.

mod call;
mod transfer;

#[cfg(test)]
mod tests;

pub use call::{Answer, Call, Item, Out, Reply, Served};

use alloc::format;

use l4re_runtime::abi::cap::{INVALID_BIT, REPLY_BIT, op, rights};
use l4re_runtime::abi::tag::Tag;
use l4re_runtime::abi::timeout::{Decoded, Timeout, Timeouts};
use l4re_runtime::abi::{proto, utcb};

use crate::cap::Cap;
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};
use crate::thread::{From, Receive, ReplyCap, Sender, Sending, State, Target, Then};

/// A system call as it stands in the registers.
#[derive(Clone, Copy, Debug)]
struct Invocation {
    thread: ObjId,
    tag: Tag,
    label: usize,
    dest: usize,
    ops: usize,
    timeouts: Timeouts,
}

/// How a send phase ended.
enum Sent {
    /// The message is delivered, or there was nobody to answer: on to the receive phase.
    Done,
    /// As `Done`, by an IRQ object: a receive phase waits for that.
    DoneByIrq(ObjId),
    /// An object of the kernel answered: the system call is over.
    Answered,
    /// The thread waits, or exists no more.
    Blocked,
    /// Failed with this code.
    Failed(usize),
}

impl Kernel {
    /// Performs the system call that the registers of a thread describe.
    pub fn syscall(&mut self, thread: ObjId) {
        let Some(t) = self.objects.thread(thread) else { return };
        let x = &t.frame.x;
        let inv = Invocation {
            thread,
            tag: Tag(x[0]),
            label: x[1],
            dest: x[2],
            ops: x[2] & op::MASK,
            timeouts: Timeouts::from_raw(x[3]),
        };
        self.invoke(inv);
    }

    fn invoke(&mut self, inv: Invocation) {
        let mut from = None;
        if inv.ops & op::SEND != 0 {
            match self.send_phase(&inv) {
                Sent::Done => {}
                Sent::DoneByIrq(irq) => from = Some(From::Irq(irq)),
                Sent::Answered | Sent::Blocked => return,
                Sent::Failed(code) => return self.fail(inv.thread, code),
            }
        }
        if inv.ops & op::RECV == 0 {
            return;
        }
        let receive = |from| Receive {
            from,
            timeout: inv.timeouts.recv,
            reply_slot: reply_slot(inv.dest),
            special: true,
        };
        let from = match from {
            _ if inv.ops & op::OPEN_WAIT != 0 => Some(From::Anyone),
            Some(f) => Some(f),
            None if inv.ops & op::SEND != 0 => Some(From::Nobody),
            None => self.closed_receive(&inv),
        };
        match from {
            Some(f) => self.begin_receive(inv.thread, receive(f)),
            None => self.fail(inv.thread, utcb::error::NO_DESTINATION),
        }
    }

    /// From whom a receive without a send phase is.
    fn closed_receive(&self, inv: &Invocation) -> Option<From> {
        if inv.dest & INVALID_BIT != 0 {
            return Some(From::Nobody);
        }
        let cap = self.lookup(inv.thread, inv.dest)?;
        match &self.objects.get(cap.object)?.kind {
            Kind::Thread(_) => Some(From::Thread(cap.object)),
            Kind::Gate(g) => Some(From::Thread(g.thread?)),
            Kind::Irq(_) => Some(From::Irq(cap.object)),
            _ => Some(From::Nobody),
        }
    }

    fn send_phase(&mut self, inv: &Invocation) -> Sent {
        if inv.tag.words() + 2 * inv.tag.items() > utcb::MR_COUNT {
            return Sent::Failed(utcb::error::SEND_ABORTED);
        }
        if inv.ops & op::REPLY != 0 {
            return self.reply_phase(inv);
        }
        if inv.dest & INVALID_BIT != 0 {
            // The thread itself, as for "set my own pager".
            let own = Cap::full(inv.thread);
            return self.kernel_object(inv, own);
        }
        let Some(cap) = self.lookup(inv.thread, inv.dest) else {
            return Sent::Failed(utcb::error::NO_DESTINATION);
        };
        let special = cap.may(rights::S);
        match self.objects.get(cap.object).map(|o| &o.kind) {
            None => Sent::Failed(utcb::error::NO_DESTINATION),
            Some(Kind::Thread(_)) if inv.tag.label() != proto::THREAD => {
                self.send(inv, Target::Thread(cap.object), inv.label, true)
            }
            Some(Kind::Gate(_)) if inv.tag.label() == proto::KOBJECT && cap.is_server() => {
                self.kernel_object(inv, cap)
            }
            Some(Kind::Gate(g)) => {
                let to = g.thread.map_or(Target::Gate(cap.object), Target::Thread);
                let label = g.label | (cap.rights & 3);
                self.send(inv, to, label, special)
            }
            Some(_) => self.kernel_object(inv, cap),
        }
    }

    /// What follows the send phase of an invocation.
    fn then(inv: &Invocation) -> Then {
        let receive = Receive {
            from: From::Anyone,
            timeout: inv.timeouts.recv,
            reply_slot: None,
            special: true,
        };
        match inv.ops & (op::RECV | op::OPEN_WAIT) {
            op::RECV => Then::Call(inv.timeouts.recv),
            op::WAIT => Then::Receive(receive),
            _ => Then::Done,
        }
    }

    fn send(&mut self, inv: &Invocation, to: Target, label: usize, special: bool) -> Sent {
        let sending = Sending { to, tag: inv.tag, label, special, then: Self::then(inv) };
        match to {
            Target::Thread(receiver) => {
                if self.objects.thread(receiver).is_none() {
                    return Sent::Failed(utcb::error::NO_DESTINATION);
                }
                if self.accepts(receiver, Sender::Thread(inv.thread)) {
                    self.deliver(inv.thread, receiver, &sending);
                    return Sent::Blocked;
                }
                if !self.block(inv.thread, State::Sending(sending), inv.timeouts.send) {
                    return Sent::Failed(utcb::error::SEND_TIMEOUT);
                }
                if let Some(t) = self.objects.thread_mut(receiver) {
                    t.senders.push_back(Sender::Thread(inv.thread));
                }
            }
            Target::Gate(gate) => {
                if !self.block(inv.thread, State::Sending(sending), inv.timeouts.send) {
                    return Sent::Failed(utcb::error::SEND_TIMEOUT);
                }
                if let Some(g) = self.objects.gate_mut(gate) {
                    g.waiting.push_back(inv.thread);
                }
            }
        }
        Sent::Blocked
    }

    /// Calls the pager behind a gate in the name of a thread whose UTCB has the message.
    pub fn call_pager(&mut self, thread: ObjId, gate: Cap) {
        let Some(g) = self.objects.gate(gate.object) else { return };
        let to = g.thread.map_or(Target::Gate(gate.object), Target::Thread);
        let label = g.label | (gate.rights & 3);
        let tag = Tag::new(proto::PAGE_FAULT, 2, 0);
        let inv =
            Invocation { thread, tag, label, dest: 0, ops: op::CALL, timeouts: Timeouts::NEVER };
        if let Sent::Failed(code) = self.send(&inv, to, label, true) {
            self.fail(thread, code);
        }
    }

    /// Whether a thread waits for this sender.
    fn accepts(&self, receiver: ObjId, sender: Sender) -> bool {
        let Some(t) = self.objects.thread(receiver) else { return false };
        let State::Receiving(r) = &t.state else { return false };
        matches_from(r.from, sender)
    }

    /// Moves the message of `from` to a receiver that waits for it, and settles both.
    pub fn deliver(&mut self, from: ObjId, to: ObjId, sending: &Sending) {
        let slot = match self.objects.thread(to).map(|t| t.state) {
            Some(State::Receiving(r)) => r.reply_slot,
            _ => None,
        };
        match self.transfer(from, to, sending.tag, sending.special) {
            Ok(tag) => {
                self.received(to, tag, sending.label);
                self.sent(from, to, sending, slot);
            }
            Err((send, receive)) => {
                self.fail(to, receive);
                self.fail(from, send);
            }
        }
    }

    /// Goes on with a thread whose message was received.
    fn sent(&mut self, from: ObjId, to: ObjId, sending: &Sending, slot: Option<usize>) {
        match sending.then {
            Then::Done => self.wake(from, false),
            Then::Receive(r) => self.begin_receive(from, r),
            Then::Call(timeout) => {
                let token = self.token();
                let cap = ReplyCap { caller: from, token };
                self.store_reply(to, slot, cap);
                let receive = Receive {
                    from: From::Answer(token, to),
                    timeout,
                    reply_slot: None,
                    special: sending.special,
                };
                self.begin_receive(from, receive);
            }
        }
    }

    fn store_reply(&mut self, thread: ObjId, slot: Option<usize>, cap: ReplyCap) {
        let Some(t) = self.objects.thread_mut(thread) else { return };
        match (slot, t.task) {
            (Some(slot), Some(task)) => {
                if let Some(task) = self.objects.task_mut(task) {
                    task.replies.insert(slot, cap);
                }
            }
            _ => t.reply = Some(cap),
        }
    }

    fn take_reply(&mut self, inv: &Invocation) -> Option<ReplyCap> {
        match reply_slot(inv.dest) {
            Some(slot) => {
                let task = self.objects.thread(inv.thread)?.task?;
                self.objects.task_mut(task)?.replies.remove(&slot)
            }
            None => self.objects.thread_mut(inv.thread)?.reply.take(),
        }
    }

    /// Sends through a reply capability.
    fn reply_phase(&mut self, inv: &Invocation) -> Sent {
        let Some(cap) = self.take_reply(inv) else {
            return Sent::Failed(utcb::error::NO_DESTINATION);
        };
        let special =
            match self.objects.thread(cap.caller).map(|t| t.state) {
                Some(State::Receiving(Receive {
                    from: From::Answer(token, _), special, ..
                })) if token == cap.token => special,
                _ => return Sent::Failed(utcb::error::NO_DESTINATION),
            };
        match self.transfer(inv.thread, cap.caller, inv.tag, special) {
            Ok(tag) => {
                self.received(cap.caller, tag, 0);
                Sent::Done
            }
            Err((send, receive)) => {
                self.fail(cap.caller, receive);
                Sent::Failed(send)
            }
        }
    }

    /// Starts a receive phase: takes what waits already, or waits.
    pub fn begin_receive(&mut self, thread: ObjId, receive: Receive) {
        let Some(t) = self.objects.thread_mut(thread) else { return };
        let found = t.senders.iter().position(|s| matches_from(receive.from, *s));
        let Some(position) = found else {
            if !self.block(thread, State::Receiving(receive), receive.timeout) {
                self.fail(thread, utcb::error::RECV_TIMEOUT);
            }
            return;
        };
        let sender = t.senders.remove(position);
        t.state = State::Receiving(receive);
        match sender {
            Some(Sender::Irq(irq)) => self.deliver_irq(irq, thread),
            Some(Sender::Thread(from)) => {
                let Some(State::Sending(s)) = self.objects.thread(from).map(|t| t.state) else {
                    return self.begin_receive(thread, receive);
                };
                self.deliver(from, thread, &s);
            }
            None => {}
        }
    }

    /// Lets a thread wait. False if the timeout is zero.
    pub fn block(&mut self, thread: ObjId, state: State, timeout: Timeout) -> bool {
        let now = self.machine.now();
        let deadline = match timeout.decode() {
            Decoded::Never => None,
            Decoded::Relative(0) => return false,
            Decoded::Relative(us) => Some(now + us),
            Decoded::Absolute(br) => {
                let utcb = self.objects.thread(thread).map_or(0, |t| t.utcb);
                let when =
                    if br < utcb::BR_COUNT { self.mem.word(utcb, utcb::BR + br) as u64 } else { 0 };
                if when <= now {
                    return false;
                }
                Some(when)
            }
        };
        let Some(t) = self.objects.thread_mut(thread) else { return true };
        t.state = state;
        let old = core::mem::replace(&mut t.deadline, deadline);
        if let Some(when) = old {
            self.deadlines.cancel(when, thread);
        }
        if let Some(when) = deadline {
            self.deadlines.add(when, thread);
        }
        true
    }

    /// A thread has got a message.
    pub fn received(&mut self, thread: ObjId, tag: Tag, label: usize) {
        if self.fault_answered(thread, Some(tag.label())) {
            return;
        }
        if let Some(t) = self.objects.thread_mut(thread) {
            t.frame.x[0] = tag.0;
            t.frame.x[1] = label;
        }
        self.wake(thread, true);
    }

    /// Ends the system call of a thread with an IPC error.
    pub fn fail(&mut self, thread: ObjId, code: usize) {
        if self.fault_answered(thread, None) {
            return;
        }
        let Some(t) = self.objects.thread_mut(thread) else { return };
        t.frame.x[0] |= Tag::ERROR;
        let (state, utcb) = (t.state, t.utcb);
        self.leave_queue(thread, &state);
        self.mem.set_word(utcb, utcb::ERROR, code);
        self.wake(thread, false);
    }

    fn deliver_irq(&mut self, irq: ObjId, thread: ObjId) {
        let Some(i) = self.objects.irq_mut(irq) else { return };
        i.pending = false;
        let label = i.label;
        self.received(thread, Tag(0), label);
    }

    /// Triggers an IRQ object or ups a semaphore.
    pub fn trigger(&mut self, object: ObjId) {
        if let Some(s) = self.objects.semaphore_mut(object) {
            match s.waiting.pop_front() {
                Some(t) => {
                    let label = self.objects.thread(t).map_or(0, |t| t.frame.x[1]);
                    self.received(t, Tag::new(0, 0, 0), label);
                }
                None => s.count += 1,
            }
            return;
        }
        let Some(irq) = self.objects.irq_mut(object) else { return };
        if irq.pending {
            return;
        }
        irq.pending = true;
        let Some(thread) = irq.thread else { return };
        if self.accepts(thread, Sender::Irq(object)) {
            self.deliver_irq(object, thread);
        } else if let Some(t) = self.objects.thread_mut(thread) {
            t.senders.push_front(Sender::Irq(object));
        }
    }

    /// Lets an object of the kernel perform a request.
    fn kernel_object(&mut self, inv: &Invocation, cap: Cap) -> Sent {
        let Some(call) = Call::read(self, inv.thread, cap, inv.tag, inv.timeouts) else {
            return Sent::Failed(utcb::error::NO_DESTINATION);
        };
        let wants_answer = inv.ops == op::CALL;
        match self.serve(&call) {
            Ok(Answer::Reply(reply)) if wants_answer => {
                self.answer(inv.thread, &reply);
                Sent::Answered
            }
            Err(errno) if wants_answer => {
                self.answer(inv.thread, &Reply::label(errno.0));
                Sent::Answered
            }
            Err(errno) => {
                let (label, errno) = (inv.tag.label(), errno.0);
                self.say(&format!("nobody sees the result {errno} of a request to {label}"));
                Sent::Done
            }
            Ok(Answer::Blocked) => Sent::Blocked,
            Ok(Answer::Failed(code)) => Sent::Failed(code),
            Ok(Answer::Reply(_)) => Sent::Done,
            Ok(Answer::Silent) => match self.objects.irq(cap.object) {
                Some(_) => Sent::DoneByIrq(cap.object),
                None => Sent::Done,
            },
        }
    }

    /// Writes a kernel object's answer into the caller's UTCB and registers.
    fn answer(&mut self, thread: ObjId, reply: &Reply) {
        let Some(t) = self.objects.thread(thread) else { return };
        let utcb = t.utcb;
        for (i, w) in reply.words.iter().enumerate().take(utcb::MR_COUNT) {
            self.mem.set_word(utcb, i, *w);
        }
        let code = self.put_items(thread, reply.words.len(), &reply.items);
        let tag = Tag::new(reply.label, reply.words.len(), reply.items.len());
        let Some(t) = self.objects.thread_mut(thread) else { return };
        t.frame.x[0] = tag.0;
        t.frame.x[1] = 0;
        if let Err(code) = code {
            self.fail(thread, code);
        }
    }
}

/// Explicit reply capability slot that a selector names.
fn reply_slot(dest: usize) -> Option<usize> {
    (dest & REPLY_BIT != 0 && dest & INVALID_BIT == 0).then_some(dest >> 12)
}

fn matches_from(from: From, sender: Sender) -> bool {
    match (from, sender) {
        (From::Anyone, _) => true,
        (From::Thread(t), Sender::Thread(s)) | (From::Answer(_, t), Sender::Thread(s)) => t == s,
        (From::Irq(i), Sender::Irq(s)) => i == s,
        _ => false,
    }
}
