//! What can go wrong with a block device, by name.

use core::fmt;

use virtio_drivers::transport::DeviceType;

use crate::virtio::negotiate::InitError;
use crate::virtio::queue::QueueError;

/// Why a block device cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// The device is of another class.
    WrongClass(DeviceType),
    /// The device does not come up.
    Init(InitError),
    /// Its queue cannot be made.
    Queue(QueueError),
    /// Its queue has room for this many descriptors only; a request needs three.
    QueueTooSmall(u16),
    /// No DMA memory for request headers.
    Memory(crate::Error),
    /// A capacity in sectors whose size in bytes does not fit into 64 bits.
    Capacity(u64),
    /// A block size that is no power of two from 512 bytes to 1 MiB.
    BlockSize(u32),
    /// A largest segment that is smaller than a block.
    SizeMax(u32),
    /// After a reset the device offers other features than before.
    FeaturesChanged {
        /// Negotiated at first.
        before: u64,
        /// Negotiated now.
        now: u64,
    },
}

impl From<InitError> for BlockError {
    fn from(e: InitError) -> Self {
        BlockError::Init(e)
    }
}

impl From<QueueError> for BlockError {
    fn from(e: QueueError) -> Self {
        BlockError::Queue(e)
    }
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            BlockError::WrongClass(class) => {
                write!(f, "not a block device, but class {} ({class:?})", class as u8)
            }
            BlockError::Init(e) => e.fmt(f),
            BlockError::Queue(e) => e.fmt(f),
            BlockError::QueueTooSmall(n) => {
                write!(f, "queue of {n} descriptors, a request needs 3")
            }
            BlockError::Memory(e) => write!(f, "no DMA memory for requests: {e}"),
            BlockError::Capacity(n) => write!(f, "capacity of {n} sectors is beyond 2^64 bytes"),
            BlockError::BlockSize(n) => {
                write!(f, "block size {n} is no power of two from 512 to 1048576")
            }
            BlockError::SizeMax(n) => write!(f, "segment limit of {n} bytes is below a block"),
            BlockError::FeaturesChanged { before, now } => {
                write!(f, "features changed over a reset from {before:#x} to {now:#x}")
            }
        }
    }
}

impl core::error::Error for BlockError {}

/// Why a request was not taken. Nothing is staged then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// No room now; there is when a request completes. Also the answer while the device waits
    /// for [`reset_and_recover`](super::BlockDevice::reset_and_recover).
    Busy,
    /// The disk cannot do this: see [`info`](super::BlockDevice::info).
    Invalid,
    /// The device is dead.
    Gone,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubmitError::Busy => "device is busy",
            SubmitError::Invalid => "request is not possible on this disk",
            SubmitError::Gone => "device is dead",
        })
    }
}

impl core::error::Error for SubmitError {}
