//! What the virtio specification (version 1.2) fixes, as plain data, and the page that L4Re adds; the driver side and the
//! device side both take it from here.

pub mod block;
pub mod l4page;
pub mod ring;

/// Feature bits that belong to no class (6).
pub mod feature {
    /// Any layout of descriptors is accepted; legacy devices only (6.3 of 1.0).
    pub const ANY_LAYOUT: u64 = 1 << 27;
    /// `VIRTIO_F_INDIRECT_DESC`: chains may stand in a table outside of the ring (2.7.5.3).
    pub const INDIRECT_DESC: u64 = 1 << 28;
    /// `VIRTIO_F_EVENT_IDX`: notifications by index instead of by flag (2.7.7, 2.7.10).
    pub const EVENT_IDX: u64 = 1 << 29;
    /// `VIRTIO_F_VERSION_1`: not a legacy device (6.1).
    pub const VERSION_1: u64 = 1 << 32;
    /// `VIRTIO_F_ACCESS_PLATFORM`: addresses are translated by the platform (6.1).
    pub const ACCESS_PLATFORM: u64 = 1 << 33;
    /// `VIRTIO_F_RING_PACKED`: packed virtqueues (2.8).
    pub const RING_PACKED: u64 = 1 << 34;
    /// `VIRTIO_F_IN_ORDER`: buffers are used in the order they were made available (2.7.9).
    pub const IN_ORDER: u64 = 1 << 35;
    /// `VIRTIO_F_ORDER_PLATFORM`: the platform's ordering rules apply to ring memory (6.1).
    pub const ORDER_PLATFORM: u64 = 1 << 36;
}

/// Device status bits (2.1).
pub mod status {
    /// The driver has noticed the device.
    pub const ACKNOWLEDGE: u32 = 1;
    /// The driver knows how to drive the device.
    pub const DRIVER: u32 = 2;
    /// The driver is set up.
    pub const DRIVER_OK: u32 = 4;
    /// Feature negotiation is complete.
    pub const FEATURES_OK: u32 = 8;
    /// The device has met an error that only a reset cures.
    pub const DEVICE_NEEDS_RESET: u32 = 0x40;
    /// The driver has given up.
    pub const FAILED: u32 = 0x80;
}

/// Device identifiers (5).
pub mod device_id {
    /// Network card (5.1).
    pub const NET: u32 = 1;
    /// Block device (5.2).
    pub const BLOCK: u32 = 2;
    /// Console (5.3).
    pub const CONSOLE: u32 = 3;
    /// Entropy source (5.4).
    pub const ENTROPY: u32 = 4;
}
