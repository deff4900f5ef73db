//! Owned, granted and empty slots.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::Deref;

use super::{SLOTS, Task};
use crate::abi::cap::{Sel, rights};
use crate::abi::fpage::Fpage;
use crate::abi::item::SendItem;
use crate::ipc::{self, Label, Msg, Window};
use crate::{Error, Result};

/// What can be done with a capability: a selector with methods. It owns nothing.
pub trait Object: Sized {
    /// Views whatever is in slot `sel` as this type. If it is something else, the object answers
    /// with an error.
    fn at(sel: Sel) -> Self;

    /// The slot.
    fn sel(&self) -> Sel;

    /// Whether there is an object in the slot, and it still exists.
    fn is_there(&self) -> bool {
        Task::own().cap_valid(self.sel()).unwrap_or(false)
    }

    /// Makes another, owned capability to the same object, with at most these [`rights`].
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] without a free slot, or what the kernel answers.
    fn duplicate(&self, rights: usize) -> Result<Cap<Self>> {
        let slot = Slot::alloc()?;
        Task::own().map_cap(self.sel(), slot.sel(), rights)?;
        Ok(slot.into_cap())
    }

    /// The item with which this capability is given away with all rights of which the sender's
    /// copy has any, but not the server right of a gate.
    fn item(&self) -> SendItem {
        SendItem::cap(self.sel(), rights::RWSD, 0)
    }
}

/// Declares an object type.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, PartialEq, Eq)]
        pub struct $name($crate::abi::cap::Sel);

        impl $crate::cap::Object for $name {
            fn at(sel: $crate::abi::cap::Sel) -> Self {
                Self(sel)
            }

            fn sel(&self) -> $crate::abi::cap::Sel {
                self.0
            }
        }
    };
}
pub(crate) use object;

/// An empty slot that is reserved for a capability to come.
#[derive(Debug)]
pub struct Slot(Sel);

impl Slot {
    /// Reserves a slot.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] if all slots of the program are in use.
    pub fn alloc() -> Result<Slot> {
        SLOTS.alloc().map(|index| Slot(Sel::from_index(index)))
    }

    /// Its selector, for a receive window.
    pub fn sel(&self) -> Sel {
        self.0
    }

    /// A window that receives one capability into the slot.
    pub fn window(&self) -> Window {
        Window::Cap(self.0)
    }

    /// A capability has arrived in the slot: makes it an owned one.
    pub fn into_cap<T: Object>(self) -> Cap<T> {
        Cap(T::at(ManuallyDrop::new(self).0))
    }

    /// Calls `dest`, which answers with one capability, and takes it.
    ///
    /// # Errors
    ///
    /// Those of [`ipc::call`]; [`Error::MSGMISSARG`] if the answer has no capability.
    pub fn call<T: Object>(
        self,
        dest: Sel,
        proto: isize,
        msg: &mut Msg,
    ) -> Result<(Cap<T>, Label)> {
        let answer = ipc::call(dest, proto, msg, self.window());
        let arrived = msg.received(0).is_cap();
        // Owned from here on, so that what came with an error is given up again.
        let cap = arrived.then(|| self.into_cap());
        let label = answer?;
        Ok((cap.ok_or(Error::MSGMISSARG)?, label))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        SLOTS.free(self.0.index());
    }
}

/// A capability that this value owns: when it is dropped, the capability is unmapped from this
/// task, and the slot becomes free.
///
/// An object that nobody has a capability to any more ceases to exist. Whoever was given a copy
/// keeps it; [`Task::delete`] takes an object away from everybody.
pub struct Cap<T: Object>(T);

impl<T: Object> Cap<T> {
    /// Views the same capability as another type of object: for servers that speak several
    /// protocols on one capability.
    pub fn cast<U: Object>(self) -> Cap<U> {
        Cap(U::at(ManuallyDrop::new(self).0.sel()))
    }

    /// Gives up ownership: the capability stays for the rest of the program.
    pub fn leak(self) -> CapRef<T> {
        CapRef::to(ManuallyDrop::new(self).0.sel())
    }
}

impl<T: Object> Deref for Cap<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Object> Drop for Cap<T> {
    fn drop(&mut self) {
        let sel = self.0.sel();
        // An error means that the object is gone already.
        let _ = Task::own().unmap(&[Fpage::cap(sel, rights::RWSD)]);
        SLOTS.free(sel.index());
    }
}

impl<T: Object> fmt::Debug for Cap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "owned {:?}", self.0.sel())
    }
}

/// A capability that the loader granted, valid as long as the program runs.
pub struct CapRef<T>(T);

impl<T: Object> CapRef<T> {
    /// The granted capability with this selector. Not for selectors of [`Cap`]s, whose slot may
    /// come to hold something else.
    pub fn to(sel: Sel) -> Self {
        Self(T::at(sel))
    }
}

impl<T: Object> Clone for CapRef<T> {
    fn clone(&self) -> Self {
        Self::to(self.0.sel())
    }
}

impl<T> Deref for CapRef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Object> fmt::Debug for CapRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "granted {:?}", self.0.sel())
    }
}

/// A capability that is kept, whether it is owned or was granted.
#[derive(Debug)]
pub enum Held<T: Object> {
    /// Given up when this value is dropped.
    Owned(Cap<T>),
    /// Stays.
    Granted(CapRef<T>),
}

impl<T: Object> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Held::Owned(cap) => cap,
            Held::Granted(cap) => cap,
        }
    }
}

impl<T: Object> From<Cap<T>> for Held<T> {
    fn from(cap: Cap<T>) -> Self {
        Held::Owned(cap)
    }
}

impl<T: Object> From<CapRef<T>> for Held<T> {
    fn from(cap: CapRef<T>) -> Self {
        Held::Granted(cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;
    use crate::cap::Irq;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::vec::Vec;

    #[test]
    fn dropping_unmaps_exactly_the_slot() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = seen.clone();
        with_kernel(
            move |call, utcb| {
                log.borrow_mut().push((call.dest, call.tag, utcb.mr(0), utcb.mr(1), utcb.mr(2)));
                (Tag::new(0, 0, 0).0, 0)
            },
            || drop(Slot(Sel(0x10_0000)).into_cap::<Irq>()),
        );
        let task_unmap = Tag::new(-11, 3, 0).0;
        assert_eq!(*seen.borrow(), [(0x1003, task_unmap, 1, 0x8000_0000, 0x10_003f)]);
    }

    #[test]
    fn a_capability_that_comes_with_an_error_is_given_up() {
        let unmaps = Rc::new(RefCell::new(0));
        let count = unmaps.clone();
        with_kernel(
            move |call, utcb| {
                if call.dest == 0x1003 {
                    *count.borrow_mut() += 1;
                    return (Tag::new(0, 0, 0).0, 0);
                }
                utcb.set_mr(0, 0x38);
                (Tag::new(-5, 0, 1).0, 0)
            },
            || {
                let r = Slot(Sel(0x10_0000)).call::<Irq>(Sel(0x7000), 0, &mut Msg::new());
                assert_eq!(r.map(|_| ()), Err(Error::IO));
            },
        );
        assert_eq!(*unmaps.borrow(), 1);
    }

    #[test]
    fn an_answer_without_a_capability_is_an_error() {
        with_kernel(
            |_, _| (Tag::new(0, 0, 0).0, 0),
            || {
                let r = Slot(Sel(0x10_0000)).call::<Irq>(Sel(0x7000), 0, &mut Msg::new());
                assert_eq!(r.map(|_| ()), Err(Error::MSGMISSARG));
            },
        );
    }
}
