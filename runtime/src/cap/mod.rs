//! Capability slots and owned, typed handles to kernel objects and servers.
//!
//! Three things are kept apart:
//!
//! * An *object type* such as [`Irq`] or [`Dataspace`](crate::mem::Dataspace) says what can be
//!   done with a capability. A value of it is no more than a selector; it owns nothing.
//! * [`Cap<T>`] owns the slot in which the capability is. Dropping it gives the capability up and
//!   frees the slot.
//! * [`CapRef<T>`] is a capability that the loader granted. It is there for as long as the
//!   program runs, so it can be copied.
//!
//! Both handles dereference to `T`, so functions take `&T` and work with either; code that keeps
//! one of the two stores a [`Held<T>`].

pub mod endpoint;
mod factory;
mod gate;
mod handle;
mod icu;
mod initial;
mod irq;
mod namespace;
mod slots;
mod task;
mod thread;
mod vcon;

pub use factory::Factory;
pub use gate::{Gate, Meta};
pub(crate) use handle::object;
pub use handle::{Cap, CapRef, Held, Object, Slot};
pub use icu::{Icu, IcuInfo, Msi, Unmask};
pub(crate) use initial::{initial, set_initial};
pub use irq::{Irq, Semaphore};
pub use namespace::Namespace;
pub(crate) use slots::SLOTS;
pub use slots::{CAPACITY, slots_in_use};
pub use task::Task;
pub use thread::{Scheduler, SchedulerInfo, Thread};
pub use vcon::Vcon;
