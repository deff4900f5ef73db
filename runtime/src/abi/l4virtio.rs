//! Operations of l4virtio devices (protocol [`NONE`](super::proto::NONE)); opcodes are 32-bit
//! values. In addition a device answers the ICU protocol.

/// Write the device status: u32 status.
pub const SET_STATUS: u32 = 0;
/// A queue's structure in the configuration page has been written: u32 queue.
pub const CONFIG_QUEUE: u32 = 1;
/// Register a dataspace: u64 device address, word offset, word size; item: dataspace.
pub const REGISTER_DS: u32 = 3;
/// Reply: word offset of the configuration page; item: dataspace.
pub const DEVICE_CONFIG: u32 = 4;
/// Notification IRQ: u32 index; reply item: IRQ.
pub const DEVICE_NOTIFICATION_IRQ: u32 = 5;

/// Most dataspaces that a server lets a client register.
pub const DS_MAX: usize = 256;
/// Dataspaces that a client may register when it asks for no number.
pub const DS_DEFAULT: usize = 2;
