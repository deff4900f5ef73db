//! IRQ objects and semaphores: what interrupts and notifications arrive through.

use super::Thread;
use super::handle::object;
use crate::abi::cap::rights;
use crate::abi::item::SendItem;
use crate::abi::object::{gate, irq, semaphore};
use crate::abi::proto;
use crate::abi::timeout::{Timeout, Timeouts};
use crate::cap::Object;
use crate::ipc::{self, Msg, Window};
use crate::{Error, Result};

object! {
    /// A signal that can be pending once: made by a device through an [`Icu`](super::Icu), or by
    /// [`trigger`](Irq::trigger). It arrives at the thread that it is bound to.
    Irq
}

impl Irq {
    /// Binds the IRQ to a thread, which receives `label` (a multiple of 4) when it fires.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] for a label with one of the two low bits set, or what the kernel answers.
    pub fn bind_thread(&self, thread: &Thread, label: usize) -> Result<()> {
        super::gate::bind(self.sel(), thread, label)
    }

    /// Undoes [`bind_thread`](Self::bind_thread).
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn detach(&self) -> Result<()> {
        let mut msg = Msg::of(&[irq::DETACH]);
        ipc::call(self.sel(), proto::IRQ_SENDER, &mut msg, Window::None).map(drop)
    }

    /// Fires the IRQ. If it is pending already, the two become one.
    ///
    /// # Errors
    ///
    /// [`Error::NO_DESTINATION`] if the object is gone.
    #[inline]
    pub fn trigger(&self) -> Result<()> {
        ipc::trigger(self.sel())
    }

    /// Lets a hardware interrupt that is bound to this IRQ through again.
    ///
    /// # Errors
    ///
    /// [`Error::NO_DESTINATION`] if the object is gone.
    #[inline]
    pub fn unmask(&self) -> Result<()> {
        ipc::send(self.sel(), proto::IRQ, &Msg::of(&[irq::EOI]))
    }

    /// Waits for this IRQ alone; the calling thread must be the one that it is bound to.
    ///
    /// # Errors
    ///
    /// [`Error::RECV_TIMEOUT`] when the time is over first.
    pub fn wait(&self, timeout: Timeout) -> Result<()> {
        ipc::receive(self.sel(), timeout)
    }

    /// [`unmask`](Self::unmask) and [`wait`](Self::wait) in one system call.
    ///
    /// # Errors
    ///
    /// [`Error::RECV_TIMEOUT`] when the time is over first.
    pub fn unmask_and_wait(&self, timeout: Timeout) -> Result<()> {
        let timeouts = Timeouts { send: Timeout::NEVER, recv: timeout };
        let mut msg = Msg::of(&[irq::EOI]);
        ipc::call_within(self.sel(), proto::IRQ, &mut msg, Window::None, timeouts).map(drop)
    }
}

object! {
    /// A counting semaphore of the kernel. It can stand in for an [`Irq`] at an
    /// [`Icu`](super::Icu), for a thread that waits for nothing else.
    Semaphore
}

impl Semaphore {
    /// Waits until the counter is positive and takes one from it.
    ///
    /// # Errors
    ///
    /// [`Error::RECV_TIMEOUT`] when the time is over first.
    pub fn down(&self, timeout: Timeout) -> Result<()> {
        let timeouts = Timeouts { send: Timeout::NEVER, recv: timeout };
        let mut msg = Msg::of(&[semaphore::DOWN]);
        ipc::call_within(self.sel(), proto::SEMAPHORE, &mut msg, Window::None, timeouts).map(drop)
    }

    /// Adds one to the counter.
    ///
    /// # Errors
    ///
    /// [`Error::NO_DESTINATION`] if the object is gone.
    pub fn up(&self) -> Result<()> {
        ipc::trigger(self.sel())
    }

    /// The same object where an IRQ is asked for.
    pub fn as_irq(&self) -> Irq {
        Irq(self.sel())
    }
}

/// The item that hands an IRQ, a thread or a task to the kernel as an argument.
pub(super) fn argument(object: &impl Object) -> SendItem {
    SendItem::cap(object.sel(), rights::RWS, 0)
}

/// The kernel reports a label it does not take as [`Error::INVAL`]; so do we, without asking.
pub(super) fn check_label(label: usize) -> Result<()> {
    if label & gate::LABEL_MASK == 0 { Ok(()) } else { Err(Error::INVAL) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;

    #[test]
    fn binding_carries_label_and_thread() {
        with_kernel(
            |call, utcb| {
                assert_eq!((call.dest, call.tag), (0x41_8003, Tag::new(-10, 2, 1).0));
                let words: [usize; 4] = core::array::from_fn(|i| utcb.mr(i));
                assert_eq!(words, [0x10, 0x5550, 8, 0x6037]);
                (Tag::new(0, 0, 0).0, 0)
            },
            || {
                let (irq, thread) = (Irq::at(Sel(0x41_8000)), Thread::at(Sel(0x6000)));
                assert_eq!(irq.bind_thread(&thread, 0x5550), Ok(()));
                assert_eq!(irq.bind_thread(&thread, 0x5551), Err(Error::INVAL));
            },
        );
    }

    #[test]
    fn unmasking_expects_no_answer() {
        with_kernel(
            |call, utcb| {
                assert_eq!((call.dest, call.tag), (0x41_8001, Tag::new(-1, 1, 0).0));
                assert_eq!(utcb.mr(0), 4);
                (call.tag, 0)
            },
            || Irq::at(Sel(0x41_8000)).unmask().unwrap(),
        );
    }
}
