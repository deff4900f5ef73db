//! Layout of the configuration page of an l4virtio device.
//!
//! The page is 4 KiB, little endian, readable and writable by the client (the *driver*). It looks
//! like the register block of virtio-mmio (virtio 1.2, 4.2.2), plus an array with one structure
//! per queue and whole feature maps, so that a client needs no selector writes. Server and client
//! take the layout from here.

/// Size of the page in bytes.
pub const SIZE: usize = 4096;

/// u32: [`MAGIC_VALUE`].
pub const MAGIC: usize = 0x00;
/// u32: [`VERSION_VALUE`].
pub const VERSION: usize = 0x04;
/// u32: device class (virtio 1.2, 5), see [`crate::virtio::spec::device_id`].
pub const DEVICE_ID: usize = 0x08;
/// u32: vendor, [`VENDOR_VALUE`] for servers of L4Re.
pub const VENDOR: usize = 0x0c;
/// u32: the word of the device features that [`DEVICE_FEATURES_SEL`] selects, for proxies.
pub const DEVICE_FEATURES: usize = 0x10;
/// u32: selector for [`DEVICE_FEATURES`].
pub const DEVICE_FEATURES_SEL: usize = 0x14;
/// u32: the word of the driver features that [`DRIVER_FEATURES_SEL`] selects, for proxies.
pub const DRIVER_FEATURES: usize = 0x20;
/// u32: selector for [`DRIVER_FEATURES`].
pub const DRIVER_FEATURES_SEL: usize = 0x24;
/// u32: number of queues.
pub const NUM_QUEUES: usize = 0x28;
/// u32: byte offset of the array of queue structures in the page.
pub const QUEUES_OFFSET: usize = 0x2c;
/// u32: interrupt status, bits [`IRQ_VRING`] and [`IRQ_CONFIG`]. Both sides change it.
pub const IRQ_STATUS: usize = 0x60;
/// u32: interrupt acknowledge, for proxies.
pub const IRQ_ACK: usize = 0x64;
/// u32: device status (virtio 1.2, 2.1) as the device sees it.
pub const STATUS: usize = 0x70;
/// u32: index of the notification that tells the driver of a configuration change.
pub const CONFIG_DRIVER_NOTIFY: usize = 0x74;
/// u32: index of the notification that tells the device of a configuration change.
pub const CONFIG_DEVICE_NOTIFY: usize = 0x78;
/// u32: command register, see [`command`].
pub const COMMAND: usize = 0x7c;
/// Six u32: the features that the device offers.
pub const DEVICE_FEATURE_MAP: usize = 0xc0;
/// Six u32: the features that the driver wants.
pub const DRIVER_FEATURE_MAP: usize = 0xe0;
/// u32: generation of the device configuration; changes when anything in it changes.
pub const GENERATION: usize = 0xfc;
/// Start of the configuration of the device class.
pub const DEVICE_CONFIG: usize = 0x100;

/// Value of [`MAGIC`]: "virt".
pub const MAGIC_VALUE: u32 = 0x7472_6976;
/// Value of [`VERSION`].
pub const VERSION_VALUE: u32 = 2;
/// Value of [`VENDOR`] for servers of L4Re.
pub const VENDOR_VALUE: u32 = 0x44;

/// Bit of [`IRQ_STATUS`]: a queue has used entries.
pub const IRQ_VRING: u32 = 1;
/// Bit of [`IRQ_STATUS`]: the configuration or the device's status has changed.
pub const IRQ_CONFIG: u32 = 2;

/// Number of words in a feature map.
pub const FEATURE_WORDS: usize = 6;
/// Feature of the transport: commands may be given through [`COMMAND`]. As (word, bit).
pub const CMD_CONFIG: (usize, u32) = (5, 1 << 0);

/// One structure of the queue array.
pub mod queue {
    /// Size of the structure in bytes.
    pub const SIZE: usize = 40;
    /// u16: largest number of entries; set by the device.
    pub const NUM_MAX: usize = 0;
    /// u16: number of entries; set by the driver.
    pub const NUM: usize = 2;
    /// u16: 1 when the queue may be used; set by the driver.
    pub const READY: usize = 4;
    /// u16: index of the interrupt that the device sends; set by the device.
    pub const DRIVER_NOTIFY: usize = 6;
    /// u64: device address of the descriptor table.
    pub const DESC: usize = 8;
    /// u64: device address of the available ring.
    pub const AVAIL: usize = 16;
    /// u64: device address of the used ring.
    pub const USED: usize = 24;
    /// u16: index of the interrupt that the driver sends; set by the device.
    pub const DEVICE_NOTIFY: usize = 32;
}

/// The command register: `code << 24 | argument`; the device writes 0 when it is done.
pub mod command {
    /// Nothing to do, or done.
    pub const NONE: u32 = 0;
    /// Set the status to the argument.
    pub const SET_STATUS: u32 = 0x01;
    /// Configure the queue whose index is the argument.
    pub const CONFIG_QUEUE: u32 = 0x02;
    /// The driver has changed the device configuration.
    pub const CONFIG_CHANGED: u32 = 0x04;
    /// The queue whose index is the argument has new entries.
    pub const NOTIFY_QUEUE: u32 = 0x08;

    /// Splits the register into code and argument.
    pub const fn split(raw: u32) -> (u32, u32) {
        (raw >> 24, raw & 0x00ff_ffff)
    }

    /// Puts a register value together; bits of `argument` above the 24th are dropped.
    pub const fn join(code: u32, argument: u32) -> u32 {
        code << 24 | argument & 0x00ff_ffff
    }
}
