//! What a client can do wrong with a queue.

use core::fmt;

/// A part of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The descriptor table.
    Descriptors,
    /// The available ring.
    Available,
    /// The used ring.
    Used,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Descriptors => "descriptor table",
            Part::Available => "available ring",
            Part::Used => "used ring",
        })
    }
}

/// Misbehaviour of a client at its queue. None of these can be answered within the queue, so the
/// device sets `DEVICE_NEEDS_RESET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// The number of entries is not a power of two or is larger than the device allows (2.7).
    BadSize(u16),
    /// The part does not have the alignment that 2.7 demands; with its address.
    Misaligned(Part, u64),
    /// The part is not inside one registered dataspace; with its address.
    NotMapped(Part, u64),
    /// The available index is further ahead than the queue has entries; with the distance.
    AvailableJump(u16),
    /// A chain starts at a descriptor that does not exist.
    HeadRange(u16),
    /// A chain starts at a descriptor whose chain has not been returned yet.
    HeadInUse(u16),
    /// A chain goes on at a descriptor that does not exist (2.7.5).
    NextRange(u16),
    /// A chain is longer than its table or than the device allows: it may be a loop (2.7.5.2).
    ChainTooLong,
    /// The buffers of a chain have more than 2^32 - 1 bytes together (2.7.5.2).
    TooManyBytes,
    /// A buffer has no bytes.
    EmptyBuffer,
    /// A buffer is not inside one registered dataspace; with its address.
    BufferNotMapped(u64),
    /// A buffer for the device to read follows one for the device to write (2.7.4.2).
    ReadableAfterWritable,
    /// An indirect table without the feature being negotiated (2.7.5.3.1).
    IndirectNotNegotiated,
    /// The length of an indirect table is 0 or no multiple of 16 bytes.
    IndirectLength(u32),
    /// An indirect table is not inside one registered dataspace; with its address.
    IndirectNotMapped(u64),
    /// A descriptor for an indirect table has a successor (2.7.5.3.1).
    IndirectWithNext,
    /// An indirect table inside an indirect table (2.7.5.3.1).
    IndirectNested,
    /// The chain has no byte for the status, or not in registered memory: it cannot be answered.
    NoStatus,
    /// Memory that was checked is not accessible any more.
    Lost,
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RingError::BadSize(n) => write!(f, "queue size {n} is not possible"),
            RingError::Misaligned(part, a) => write!(f, "{part} at {a:#x} is not aligned"),
            RingError::NotMapped(part, a) => {
                write!(f, "{part} at {a:#x} is not in registered memory")
            }
            RingError::AvailableJump(n) => write!(f, "available index is {n} entries ahead"),
            RingError::HeadRange(n) => write!(f, "chain starts at descriptor {n}: no such"),
            RingError::HeadInUse(n) => write!(f, "chain at descriptor {n} is in use"),
            RingError::NextRange(n) => write!(f, "chain goes on at descriptor {n}: no such"),
            RingError::ChainTooLong => f.write_str("chain is too long or loops"),
            RingError::TooManyBytes => f.write_str("chain has more than 2^32 - 1 bytes"),
            RingError::BufferNotMapped(a) => {
                write!(f, "buffer at {a:#x} is not in registered memory")
            }
            RingError::EmptyBuffer => f.write_str("buffer without bytes"),
            RingError::ReadableAfterWritable => f.write_str("readable buffer after a writable one"),
            RingError::IndirectNotNegotiated => {
                f.write_str("indirect table without the feature being negotiated")
            }
            RingError::IndirectLength(n) => write!(f, "indirect table of {n} bytes"),
            RingError::IndirectNotMapped(a) => {
                write!(f, "indirect table at {a:#x} is not in registered memory")
            }
            RingError::IndirectWithNext => f.write_str("indirect descriptor with a successor"),
            RingError::IndirectNested => f.write_str("indirect table inside an indirect table"),
            RingError::NoStatus => f.write_str("request without a usable status byte"),
            RingError::Lost => f.write_str("queue memory is gone"),
        }
    }
}

impl core::error::Error for RingError {}
