//! Dataspaces (protocol [`DATASPACE`](super::proto::DATASPACE)); opcodes are 32-bit values.

/// Map: u64 offset, u64 spot in the receive window, word flags; one memory item comes back.
pub const MAP: u32 = 0;
/// Clear: u64 offset, u64 size.
pub const CLEAR: u32 = 1;
/// Info: reply u64 size, word flags.
pub const INFO: u32 = 2;
/// Copy in: u64 destination offset, u64 source offset, u64 size; item: the source.
pub const COPY_IN: u32 = 3;
/// Back with memory now: u64 offset, u64 size.
pub const ALLOCATE: u32 = 4;

/// Flag: executable.
pub const F_X: usize = 1;
/// Flag: writable.
pub const F_W: usize = 2;
/// Flag: readable.
pub const F_R: usize = 4;
/// Flag: buffered (write-combining).
pub const F_BUFFERED: usize = 0x10;
/// Flag: uncached.
pub const F_UNCACHED: usize = 0x20;
