//! The driver side of virtio: transports, queues, devices.
//!
//! | module | what it holds |
//! |---|---|
//! | [`spec`] | what the specification fixes and both sides share |
//! | [`negotiate`] | bringing a device up, with bounded waits and checked answers |
//! | [`mmio`], [`pci`] | transports: registers in memory, and on PCI |
//! | [`block`] | block devices, driven without blocking |
//! | [`queue`] | the split virtqueue, seen from the driver |
//! | [`regs`] | windows of device registers |

pub mod block;
pub mod hal;
pub mod mmio;
pub mod negotiate;
pub mod pci;
pub mod queue;
pub mod regs;
pub mod spec;

#[cfg(test)]
mod fake;
