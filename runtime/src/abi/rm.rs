//! Region mappers (protocol [`RM`](super::proto::RM)); opcodes are 32-bit values.

use super::{Word, cap::Sel, rpc::Writer};

/// Attach a dataspace: see [`attach`].
pub const ATTACH: u32 = 0;
/// Detach: word address, word size, u32 flags; reply start, size, dataspace selector.
pub const DETACH: u32 = 1;
/// Find: word address, word size; reply address, size, u32 flags, u64 offset, selector.
pub const FIND: u32 = 2;
/// Reserve an area: word start, word size, u32 flags, u8 alignment; reply start.
pub const RESERVE_AREA: u32 = 3;
/// Free an area: word address.
pub const FREE_AREA: u32 = 4;
/// Regions from an address on: label is the number.
pub const GET_REGIONS: u32 = 5;
/// Areas from an address on: label is the number.
pub const GET_AREAS: u32 = 6;
/// Name and backing offset of the region at an address.
pub const GET_INFO: u32 = 7;

/// Flags of regions and of attaching. Unknown ones are refused by newer region mappers.
pub mod flags {
    /// Executable.
    pub const X: u32 = 1;
    /// Writable.
    pub const W: u32 = 2;
    /// Readable.
    pub const R: u32 = 4;
    /// Readable and writable.
    pub const RW: u32 = R | W;
    /// Buffered (write-combining).
    pub const BUFFERED: u32 = 0x10;
    /// Uncached.
    pub const UNCACHED: u32 = 0x20;
    /// A region of the kernel's.
    pub const KERNEL: u32 = 0x100;
    /// Faults go to a pager.
    pub const PAGER: u32 = 0x400;
    /// Reserved, no dataspace.
    pub const RESERVED: u32 = 0x800;
    /// Search for a free address at or above the given one.
    pub const SEARCH_ADDR: u32 = 0x2_0000;
    /// Attach into an area that was reserved.
    pub const IN_AREA: u32 = 0x4_0000;
    /// Map all pages now.
    pub const EAGER_MAP: u32 = 0x8_0000;
    /// Map pages when they are touched.
    pub const NO_EAGER_MAP: u32 = 0x10_0000;
}

/// Detach flag: the region must match exactly.
pub const DETACH_EXACT: u32 = 1;
/// Detach flag: everything that overlaps goes.
pub const DETACH_OVERLAP: u32 = 2;
/// Bit of detach's label: more regions are there, call again.
pub const DETACH_AGAIN: u64 = 4;
/// Bit of detach's label: the pages have been unmapped already.
pub const DETACH_UNMAPPED: u64 = 8;

/// What is attached where.
#[derive(Clone, Copy, Debug)]
pub struct Attach {
    /// Preferred address; 0 with [`flags::SEARCH_ADDR`] for any.
    pub start: Word,
    /// Size in bytes.
    pub size: Word,
    /// See [`flags`].
    pub flags: u32,
    /// Offset in the dataspace.
    pub offset: u64,
    /// log2 of the alignment of the address.
    pub align: u8,
    /// The selector that the region mapper shall remember.
    pub client_cap: Sel,
}

/// Writes the request for [`ATTACH`] (without its item) and returns the number of words.
///
/// It is the long form with an empty name: region mappers before 2025-04-29 read only its
/// beginning.
pub fn attach(words: &mut [Word], a: &Attach) -> Option<usize> {
    Writer::with_opcode(words, ATTACH)
        .word(a.start)
        .word(a.size)
        .u32(a.flags)
        .u64(a.offset)
        .u8(a.align)
        .word(a.client_cap.0)
        .string(b"")
        .u64(0)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attach_has_the_layout_of_the_protocol() {
        let mut w = [0; 12];
        let a =
            Attach { start: 1, size: 2, flags: 3, offset: 4, align: 12, client_cap: Sel(0x5000) };
        assert_eq!(attach(&mut w, &a), Some(10));
        assert_eq!(w[..10], [0, 1, 2, 3, 4, 12, 0x5000, 1, 0, 0]);
    }
}
