//! The server's side: wait for messages and interrupts, answer, keep what was sent along.
//!
//! An [`Endpoint`] belongs to the thread that serves. Messages are told apart by the label of the
//! gate or IRQ that they came through, which the server chose when it bound them; the two low bits
//! are the rights of the caller's capability and are split off.
//!
//! One answer is outstanding at a time: the kernel keeps the way back to the last caller in a
//! place of its own, which the next call overwrites. A server answers every call before it waits
//! again, and says "later" through an interrupt where its protocol allows that.

use super::{Cap, Object, Slot, Task};
use crate::abi::cap::{Sel, op, rights};
use crate::abi::fpage::Fpage;
use crate::abi::object::gate::LABEL_MASK;
use crate::abi::tag::Tag;
use crate::abi::timeout::{Timeout, Timeouts};
use crate::abi::utcb::error;
use crate::arch::{self, Utcb};
use crate::ipc::{self, Msg, Window};
use crate::{Error, Result};

/// Something arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The label of the gate or IRQ, with the two low bits cleared.
    pub label: usize,
    /// The rights of the caller's capability: [`rights::W`] and [`rights::S`].
    pub rights: usize,
    /// Protocol number of a call; 0 for interrupts, and for protocols that have none.
    pub protocol: isize,
}

impl Event {
    fn new(label: usize, tag: Tag) -> Event {
        Event { label: label & !LABEL_MASK, rights: label & LABEL_MASK, protocol: tag.label() }
    }

    /// Whether the caller's capability has these rights.
    ///
    /// # Errors
    ///
    /// [`Error::PERM`], the answer to give if it has not.
    pub fn require(&self, wanted: usize) -> Result<()> {
        if self.rights & wanted == wanted { Ok(()) } else { Err(Error::PERM) }
    }
}

/// How often a receive is tried again that fails for a reason other than time.
const ATTEMPTS: u32 = 16;

/// The label of an answer: what an operation returns, or its error.
pub fn answer(result: Result<usize>) -> isize {
    match result {
        Ok(value) => isize::try_from(value).unwrap_or(isize::MAX),
        Err(e) => e.label() as isize,
    }
}

/// Where a server thread receives. Holds the message that arrived, and a slot for one capability
/// that comes with it.
#[derive(Debug)]
pub struct Endpoint {
    msg: Msg,
    /// Where the next capability goes.
    slot: Slot,
    /// The slot may hold a capability that nobody took.
    occupied: bool,
}

impl Endpoint {
    /// Prepares for the calling thread.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] without a free slot.
    pub fn new() -> Result<Endpoint> {
        Ok(Endpoint { msg: Msg::new(), slot: Slot::alloc()?, occupied: false })
    }

    /// The message that arrived last. Until it is answered, the answer is assembled here, too.
    pub fn msg(&mut self) -> &mut Msg {
        &mut self.msg
    }

    /// Takes the capability that came with the last message as the first item.
    ///
    /// # Errors
    ///
    /// [`Error::MSGMISSARG`] if none came or it was taken; [`Error::NOMEM`] if there is no slot
    /// for the next one.
    pub fn take_cap<T: Object>(&mut self) -> Result<Cap<T>> {
        if !self.occupied || !self.msg.received(0).is_cap() {
            return Err(Error::MSGMISSARG);
        }
        let fresh = Slot::alloc()?;
        self.occupied = false;
        Ok(core::mem::replace(&mut self.slot, fresh).into_cap())
    }

    /// Waits for the next message or interrupt. `None` when the time is over first, or when one
    /// message after the other could not be received: whoever sends them must not keep the server
    /// from its other work.
    pub fn wait(&mut self, timeout: Timeout) -> Option<Event> {
        let timeouts = Timeouts { send: Timeout::ZERO, recv: timeout };
        self.receive(Tag::new(0, 0, 0), op::WAIT, timeouts)
    }

    /// Answers the last call with the words and items in [`msg`](Self::msg) and with `label` (see
    /// [`answer`]), then waits as [`wait`](Self::wait) does.
    ///
    /// A caller that is not there any more to take its answer goes without one.
    pub fn reply_and_wait(&mut self, label: isize, timeout: Timeout) -> Option<Event> {
        let timeouts = Timeouts { send: Timeout::ZERO, recv: timeout };
        let tag = self.store(label);
        self.receive(tag, op::REPLY_AND_WAIT, timeouts)
    }

    /// Answers the last call without waiting for the next: for answers that hand out a capability
    /// which the server has to look after when it has been mapped.
    ///
    /// # Errors
    ///
    /// A failure of the IPC, for example of a caller without a buffer for the capability.
    pub fn reply(&mut self, label: isize) -> Result<()> {
        let tag = self.store(label);
        let timeouts = Timeouts { send: Timeout::ZERO, recv: Timeout::NEVER };
        let back = arch::invoke(tag.0, Sel::INVALID.0 | op::REPLY_ONLY, timeouts.raw(), 0);
        ipc::check(Tag(back.tag))
    }

    /// Puts the answer into the UTCB; one that does not fit becomes an error.
    fn store(&self, label: isize) -> Tag {
        let utcb = Utcb::current();
        self.msg.store(label, utcb).unwrap_or(Tag::new(Error::MSGTOOLONG.label() as isize, 0, 0))
    }

    fn receive(&mut self, tag: Tag, operation: usize, timeouts: Timeouts) -> Option<Event> {
        let (mut tag, mut operation) = (tag, operation);
        let utcb = Utcb::current();
        for _ in 0..ATTEMPTS {
            self.empty_slot(&mut tag, &mut operation);
            // A gate or IRQ of ours would make the server call itself, so it arrives as a label.
            Window::CapOrLabel(self.slot.sel()).store(utcb);
            let back = arch::invoke(tag.0, Sel::INVALID.0 | operation, timeouts.raw(), 0);
            let got = Tag(back.tag);
            if !got.has_error() {
                self.msg.load_words(got, utcb);
                self.occupied = got.items() > 0;
                return Some(Event::new(back.label, got));
            }
            match utcb.error() & error::MASK {
                error::RECV_TIMEOUT => return None,
                // What came before the item that did not fit stays mapped.
                error::RECV_OVERFLOW | error::RECV_MAP_FAILED => self.occupied = true,
                // The caller is gone or does not wait; or the receive was cancelled.
                _ => {}
            }
            (tag, operation) = (Tag::new(0, 0, 0), op::WAIT);
        }
        None
    }

    /// Gives up a capability that nobody took. That is a call of its own, so an answer that is
    /// already in the UTCB goes out first.
    fn empty_slot(&mut self, tag: &mut Tag, operation: &mut usize) {
        if !self.occupied {
            return;
        }
        self.occupied = false;
        if *operation == op::REPLY_AND_WAIT {
            let timeouts = Timeouts { send: Timeout::ZERO, recv: Timeout::NEVER };
            arch::invoke(tag.0, Sel::INVALID.0 | op::REPLY_ONLY, timeouts.raw(), 0);
            (*tag, *operation) = (Tag::new(0, 0, 0), op::WAIT);
        }
        // Fails only if there is nothing to unmap.
        let _ = Task::own().unmap(&[Fpage::cap(self.slot.sel(), rights::RWSD)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::item::SendItem;
    use crate::arch::host::{Call, Kernel, with_kernel};
    use crate::cap::{Irq, SLOTS};
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::vec::Vec;

    type Script = Vec<(usize, fn(Utcb) -> (usize, usize))>;

    /// A kernel that expects operations on the reply capability in this order, and notes unmaps.
    fn kernel(script: Script) -> (Rc<RefCell<usize>>, impl Kernel) {
        let unmaps = Rc::new(RefCell::new(0));
        let count = unmaps.clone();
        let mut script = script.into_iter();
        (unmaps, move |call: Call, utcb: Utcb| {
            if call.dest == 0x1003 {
                *count.borrow_mut() += 1;
                return (Tag::new(0, 0, 0).0, 0);
            }
            let (operation, step) = script.next().expect("no further operation");
            assert_eq!(call.dest, Sel::INVALID.0 | operation);
            step(utcb)
        })
    }

    fn message(utcb: Utcb) -> (usize, usize) {
        utcb.set_mr(0, 7);
        (Tag::new(-15, 1, 0).0, 0x5552)
    }

    fn with_cap(utcb: Utcb) -> (usize, usize) {
        utcb.set_mr(0, 7);
        utcb.set_mr(1, 0x38);
        (Tag::new(0, 1, 1).0, 0x6000)
    }

    fn failure<const CODE: usize>(utcb: Utcb) -> (usize, usize) {
        utcb.set_error(CODE);
        (Tag::ERROR, 0)
    }

    fn endpoint() -> Endpoint {
        SLOTS.start_at(0x418);
        Endpoint::new().unwrap()
    }

    #[test]
    fn label_and_rights_are_split() {
        let (_, k) = kernel(std::vec![(6, message)]);
        with_kernel(k, || {
            let mut e = endpoint();
            let got = e.wait(Timeout::NEVER).unwrap();
            assert_eq!(got, Event { label: 0x5550, rights: 2, protocol: -15 });
            assert_eq!(got.require(rights::S), Ok(()));
            assert_eq!(got.require(rights::W | rights::S), Err(Error::PERM));
            assert_eq!(e.msg().words(), [7]);
        });
    }

    #[test]
    fn a_caller_that_is_gone_does_not_stop_the_server() {
        let (_, k) = kernel(std::vec![(0xf, failure::<4>), (6, failure::<7>), (6, message)]);
        with_kernel(k, || {
            assert!(endpoint().reply_and_wait(0, Timeout::NEVER).is_some());
        });
    }

    #[test]
    fn the_end_of_the_time_is_nothing() {
        let (_, k) = kernel(std::vec![(6, failure::<3>)]);
        with_kernel(k, || assert_eq!(endpoint().wait(Timeout::from_micros(5)), None));
    }

    #[test]
    fn capabilities_that_nobody_takes_are_given_up_after_the_answer() {
        fn answered(_: Utcb) -> (usize, usize) {
            (0, 0)
        }
        let (unmaps, k) = kernel(std::vec![(6, with_cap), (9, answered), (6, message)]);
        let count = unmaps.clone();
        with_kernel(k, move || {
            let mut e = endpoint();
            e.wait(Timeout::NEVER).unwrap();
            assert_eq!(*count.borrow(), 0);
            e.reply_and_wait(0, Timeout::NEVER).unwrap();
            assert_eq!(*count.borrow(), 1);
        });
    }

    #[test]
    fn a_taken_capability_is_kept_and_the_next_gets_another_slot() {
        let (unmaps, k) = kernel(std::vec![(6, with_cap), (0xf, message)]);
        let count = unmaps.clone();
        with_kernel(k, move || {
            let mut e = endpoint();
            e.wait(Timeout::NEVER).unwrap();
            let cap = e.take_cap::<Irq>().unwrap();
            assert!(e.take_cap::<Irq>().is_err(), "only once");
            assert_ne!(cap.sel(), e.slot.sel());
            e.msg().clear();
            e.reply_and_wait(0, Timeout::NEVER).unwrap();
            assert_eq!(*count.borrow(), 0);
        });
    }

    #[test]
    fn an_overflow_leaves_nothing_behind() {
        let (unmaps, k) = kernel(std::vec![(6, failure::<9>), (6, message)]);
        with_kernel(k, || endpoint().wait(Timeout::NEVER).unwrap());
        assert!(*unmaps.borrow() >= 1);
    }

    #[test]
    fn messages_that_cannot_be_received_do_not_keep_the_server() {
        let (_, k) = kernel(std::vec![(6, failure::<9>); 1000]);
        with_kernel(k, || assert_eq!(endpoint().wait(Timeout::NEVER), None));
    }

    #[test]
    fn an_answer_that_does_not_fit_becomes_an_error() {
        fn answered(_: Utcb) -> (usize, usize) {
            (0, 0)
        }
        let (_, k) = kernel(std::vec![(9, answered)]);
        with_kernel(k, || {
            let mut e = endpoint();
            (0..70).for_each(|_| e.msg().push(1));
            e.msg().push_item(SendItem::VOID);
            assert_eq!(e.store(0).label(), -1002);
            assert_eq!(e.reply(0), Ok(()));
        });
    }
}
