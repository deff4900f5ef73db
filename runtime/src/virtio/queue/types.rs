//! What goes into a queue and what comes out of it, errors included.

use core::fmt;

/// Largest size of a queue that this driver uses, whatever the device offers.
pub const MAX_SIZE: u16 = 1024;

/// What the owner of a queue wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// Number of descriptors, a power of two up to [`MAX_SIZE`]; the device may offer fewer.
    pub size: u16,
    /// Longest chain that goes into an indirect table, in descriptors; 0 for no tables. They are
    /// used only when `VIRTIO_F_INDIRECT_DESC` is negotiated, and take `size` × this × 16 bytes.
    /// Never more than the queue has descriptors (2.7.5.3.1).
    pub table: u16,
    /// Chains up to this length stay out of the tables while more than half of the ring is free:
    /// a device reads them with one access less, and a deep load still finds an entry each.
    pub direct: u16,
}

impl Default for QueueConfig {
    /// 256 descriptors, tables for 34 (a block request with 32 data segments), direct up to 3.
    fn default() -> Self {
        Self { size: 256, table: 34, direct: 3 }
    }
}

/// Why a queue cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueError {
    /// The size asked for is no power of two up to [`MAX_SIZE`].
    Size(u16),
    /// The device has no queue with this index.
    Missing(u16),
    /// The queue with this index is in use already.
    InUse(u16),
    /// No DMA memory.
    Memory(crate::Error),
    /// DMA memory at this address cannot hold a queue for this device.
    Address(u64),
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            QueueError::Size(n) => {
                write!(f, "queue size {n} is no power of two from 1 to {MAX_SIZE}")
            }
            QueueError::Missing(q) => write!(f, "the device has no queue {q}"),
            QueueError::InUse(q) => write!(f, "queue {q} is in use already"),
            QueueError::Memory(e) => write!(f, "no DMA memory for a queue: {e}"),
            QueueError::Address(a) => write!(f, "no queue is possible at DMA address {a:#x}"),
        }
    }
}

impl core::error::Error for QueueError {}

/// Why a chain is not staged. The queue is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageError {
    /// Not enough descriptors are free; some are after the next [`Queue::pop`](super::Queue::pop).
    Full,
    /// The chain is empty, has an empty segment, or does not fit into the queue at all.
    Invalid,
    /// The device broke the ring; only a reset helps.
    Broken,
}

/// A chain that the device has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// The token of [`Queue::stage`](super::Queue::stage).
    pub token: u32,
    /// Bytes that the device says it wrote, at most those that it was allowed to.
    pub len: u32,
}

/// Something in the used ring that a device cannot mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceNonsense {
    /// No chain that the device was given, and still has, starts at this descriptor.
    Id(u32),
    /// The device claims more bytes than it was allowed to write. The chain itself is done.
    Length {
        /// The token of the chain.
        token: u32,
        /// The claimed number of bytes.
        len: u32,
    },
    /// The used index is ahead of what the device was given. The queue is broken.
    Index {
        /// Number of new entries that the index claims.
        claimed: u16,
        /// Number of chains that the device has.
        given: u16,
    },
}

impl fmt::Display for DeviceNonsense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            DeviceNonsense::Id(id) => write!(f, "device returned descriptor {id} that it has not"),
            DeviceNonsense::Length { token, len } => {
                write!(f, "device claims {len} bytes written for request {token}: too many")
            }
            DeviceNonsense::Index { claimed, given } => {
                write!(f, "device claims {claimed} used chains but has only {given}")
            }
        }
    }
}

impl core::error::Error for DeviceNonsense {}

/// What a queue has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounters {
    /// Chains staged.
    pub staged: u64,
    /// Chains that went through an indirect table.
    pub indirect: u64,
    /// Stores of the available index.
    pub batches: u64,
    /// Batches after which the device wanted a notification.
    pub kicks: u64,
    /// Batches after which it did not.
    pub kicks_suppressed: u64,
    /// Chains that came back.
    pub used: u64,
    /// Entries of the used ring that made no sense.
    pub nonsense: u64,
    /// Most chains in flight at a time.
    pub max_in_flight: u16,
}
