//! Layout of a thread's UTCB, in words; the same on all architectures.

use super::WORD_SIZE;

/// Size of a UTCB in bytes: 1024 on 64-bit targets, 512 on 32-bit ones.
pub const SIZE: usize = 128 * WORD_SIZE;

/// Word index of the first message register; there are 63.
pub const MR: usize = 0;
/// Number of message registers.
pub const MR_COUNT: usize = 63;
/// Word index of the kernel-written address of the UTCB itself.
pub const SELF: usize = 63;
/// Word index of the buffer descriptor.
pub const BDR: usize = 64;
/// Word index of the first buffer register; there are 58.
pub const BR: usize = 65;
/// Number of buffer registers.
pub const BR_COUNT: usize = 58;
/// Word index of the error word of the last IPC.
pub const ERROR: usize = 123;
/// Word index of the marker that the kernel clears when the owning thread is killed.
pub const FREE_MARKER: usize = 124;
/// Word index of the first of three words that the kernel does not touch.
pub const USER: usize = 125;

/// Codes in the error word. Bit 0 tells the phase: 0 send, 1 receive.
pub mod error {
    /// Timeout in the send phase.
    pub const SEND_TIMEOUT: usize = 2;
    /// Timeout in the receive phase.
    pub const RECV_TIMEOUT: usize = 3;
    /// The destination does not exist.
    pub const NO_DESTINATION: usize = 4;
    /// Cancelled in the send phase.
    pub const SEND_CANCELED: usize = 6;
    /// Cancelled in the receive phase.
    pub const RECV_CANCELED: usize = 7;
    /// An item does not fit the receiver's buffers: the sender's view.
    pub const SEND_OVERFLOW: usize = 8;
    /// An item does not fit the own buffers: the receiver's view.
    pub const RECV_OVERFLOW: usize = 9;
    /// Aborted in the send phase.
    pub const SEND_ABORTED: usize = 14;
    /// Aborted in the receive phase.
    pub const RECV_ABORTED: usize = 15;
    /// A mapping failed: the sender's view.
    pub const SEND_MAP_FAILED: usize = 0x10;
    /// A mapping failed: the receiver's view.
    pub const RECV_MAP_FAILED: usize = 0x11;
    /// No reply capability.
    pub const NO_REPLY_CAP: usize = 0x13;
    /// The bits that hold the code.
    pub const MASK: usize = 0x1f;
}
