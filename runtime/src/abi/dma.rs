//! DMA spaces of the memory allocator (protocol [`DMA_SPACE`](super::proto::DMA_SPACE)); opcodes are
//! 32-bit values.
//!
//! The interface was rewritten on 2026-05-27. The messages made here are understood by both
//! generations: what only one of them reads has a value that the other ignores.

use super::{PAGE_SHIFT, Word, rpc::Writer};

/// Map memory of the dataspace in the item: see [`map`]. Reply: word size, u64 DMA address.
pub const MAP: u32 = 0;
/// Unmap: see [`unmap`].
pub const UNMAP: u32 = 1;
/// Associate (older generation only).
pub const ASSOCIATE: u32 = 2;
/// Disassociate (older generation only).
pub const DISASSOCIATE: u32 = 3;

/// Flag of the newer generation: choose a free DMA address.
const F_SEARCH: u32 = 1;

/// Writes the request for [`MAP`] (without its item): `size` bytes from `offset` of the dataspace
/// on. Less can be mapped; the reply says how much.
pub fn map(words: &mut [Word], offset: u64, size: Word) -> Option<usize> {
    Writer::with_opcode(words, MAP)
        .u64(offset)
        .word(size)
        .u8(PAGE_SHIFT as u8)
        .u32(F_SEARCH)
        .u64(0)
        .u64(!0)
        .finish()
}

/// Writes the request for [`UNMAP`].
pub fn unmap(words: &mut [Word], dma_addr: u64, size: Word) -> Option<usize> {
    Writer::with_opcode(words, UNMAP).u64(dma_addr).word(size).word(0).word(0).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_find_their_fields() {
        let mut w = [0; 8];
        assert_eq!(map(&mut w, 0x3000, 0x8000), Some(6));
        assert_eq!(w[..6], [0, 0x3000, 0x8000, 1 << 32 | 12, 0, !0]);
        let mut w = [0; 8];
        assert_eq!(unmap(&mut w, 0x4000_0000, 0x8000), Some(5));
        assert_eq!(w[..5], [1, 0x4000_0000, 0x8000, 0, 0]);
    }
}
