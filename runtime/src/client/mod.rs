//! The client's side of l4virtio: devices that other programs serve.
//!
//! A [`DeviceGate`] is the capability of a device and has the messages of the protocol. A
//! [`Connection`] is a connection: configuration page mapped, interrupts in both directions. It is what
//! [`L4Transport`](crate::virtio::l4::L4Transport) needs, and on top of that every driver works that
//! takes a transport: our own [`BlockDevice`](crate::virtio::block::BlockDevice), which [`Disk`] puts
//! together with memory for its data, and those of the `virtio-drivers` crate.
//!
//! | part | what it is for |
//! |---|---|
//! | [`DeviceGate`] | single messages |
//! | [`create_device`], [`create_statistics`] | asking a server for a device or for its counters |
//! | [`Connection`] | a connection |
//! | [`DriverMemory`] | memory that a server may be told of |
//! | [`StatisticsPage`] | a server's counters |
//! | [`Disk`] | a block device with its memory, ready for requests |

mod create;
mod device;
mod disk;
mod gate;
mod memory;
mod statistics;

pub use create::{create_device, create_statistics};
pub use device::Connection;
pub use disk::{ConnectError, Disk, DiskOptions};
pub use gate::DeviceGate;
pub use memory::DriverMemory;
pub use statistics::StatisticsPage;
