//! The driver side of virtio: transports, queues, devices.
//!
//! | module | what it holds |
//! |---|---|
//! | [`spec`] | what the specification fixes and both sides share |
//! | [`negotiate`] | bringing a device up, with bounded waits and checked answers |
//! | [`mmio`], [`pci`], [`l4`] | transports: registers in memory, on PCI, and l4virtio devices |
//! | [`discover`] | the devices that a program was granted |
//! | [`block`] | block devices, driven without blocking |
//! | [`queue`] | the split virtqueue, seen from the driver |
//! | [`hal`] | memory for drivers of the `virtio-drivers` crate |
//! | [`regs`] | windows of device registers |

pub mod block;
pub mod discover;
pub mod hal;
pub mod l4;
pub mod mmio;
pub mod negotiate;
pub mod pci;
pub mod queue;
pub mod regs;
pub mod spec;

#[cfg(test)]
mod fake;
