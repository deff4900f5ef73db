//! Factories: the kernel's, the memory allocator's, and servers that make sessions.

use super::handle::object;
use super::irq::{argument, check_label};
use super::{Cap, Gate, Irq, Object, Semaphore, Slot, Thread};
use crate::abi::factory::{Arg, kind};
use crate::abi::item::SendItem;
use crate::abi::proto;
use crate::abi::tag::MAX_WORDS;
use crate::ipc::Msg;
use crate::{Error, Result};

object! {
    /// Something that makes objects.
    Factory
}

impl Factory {
    /// Asks for an object: `protocol` says of which kind, `args` are the factory's business.
    ///
    /// # Errors
    ///
    /// What the factory answers; [`Error::MSGTOOLONG`] if the arguments do not fit a message;
    /// [`Error::NOMEM`] without a free slot.
    pub fn create<T: Object>(&self, protocol: isize, args: &[Arg<'_>]) -> Result<Cap<T>> {
        self.create_with(protocol, args, None)
    }

    fn create_with<T: Object>(
        &self,
        protocol: isize,
        args: &[Arg<'_>],
        item: Option<SendItem>,
    ) -> Result<Cap<T>> {
        let mut msg = Msg::of(&[protocol as usize]);
        let mut len = 1;
        for arg in args {
            let rest = &mut msg.words_mut()[len.min(MAX_WORDS)..];
            len += arg.encode(rest).ok_or(Error::MSGTOOLONG)?;
        }
        msg.set_len(len);
        if let Some(item) = item {
            msg.push_item(item);
        }
        Slot::alloc()?.call(self.sel(), proto::FACTORY, &mut msg).map(|(cap, _)| cap)
    }

    /// A new IRQ object.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create), [`Error::NOMEM`] when the quota is used up.
    pub fn irq(&self) -> Result<Cap<Irq>> {
        self.create(kind::IRQ, &[])
    }

    /// A new semaphore, with counter 0.
    ///
    /// # Errors
    ///
    /// As for [`irq`](Self::irq).
    pub fn semaphore(&self) -> Result<Cap<Semaphore>> {
        self.create(kind::SEMAPHORE, &[])
    }

    /// A new thread, which needs to be bound and started.
    ///
    /// # Errors
    ///
    /// As for [`irq`](Self::irq).
    pub fn thread(&self) -> Result<Cap<Thread>> {
        self.create(kind::THREAD, &[])
    }

    /// A new gate that is bound to `thread`, which receives `label` (a multiple of 4) with what
    /// arrives through it.
    ///
    /// # Errors
    ///
    /// As for [`irq`](Self::irq); [`Error::INVAL`] for a label with one of the low bits set.
    pub fn gate(&self, thread: &Thread, label: usize) -> Result<Cap<Gate>> {
        check_label(label)?;
        self.create_with(kind::GATE, &[Arg::Unsigned(label)], Some(argument(thread)))
    }

    /// A factory with a quota of `bytes` bytes out of this one's.
    ///
    /// # Errors
    ///
    /// As for [`irq`](Self::irq).
    pub fn sub_factory(&self, bytes: usize) -> Result<Cap<Factory>> {
        self.create(kind::FACTORY, &[Arg::Unsigned(bytes)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;
    use crate::cap::SLOTS;

    fn words(n: usize) -> std::vec::Vec<usize> {
        (0..n).map(|i| crate::arch::Utcb::current().mr(i)).collect()
    }

    #[test]
    fn a_gate_is_label_and_thread() {
        SLOTS.start_at(0x418);
        with_kernel(
            |call, utcb| {
                if call.dest == 0x1003 {
                    return (Tag::new(0, 0, 0).0, 0);
                }
                assert_eq!((call.dest, call.tag), (0x2003, Tag::new(-15, 3, 1).0));
                assert_eq!(words(5), [0, 0x8_0001, 0x5550, 8, 0x6037]);
                assert_eq!(utcb.buffer(Some(0)) & 0xfff, 0xa);
                utcb.set_mr(0, 0x38);
                (Tag::new(0, 0, 1).0, 0)
            },
            || {
                let f = Factory::at(Sel(0x2000));
                let thread = Thread::at(Sel(0x6000));
                assert!(f.gate(&thread, 0x5550).is_ok());
                assert_eq!(f.gate(&thread, 2).map(drop), Err(Error::INVAL));
            },
        );
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        SLOTS.start_at(0x418);
        let long = [b'x'; 500];
        let r = Factory::at(Sel(0x2000)).create::<Gate>(0, &[Arg::Str(&long)]);
        assert_eq!(r.map(drop), Err(Error::MSGTOOLONG));
    }
}
