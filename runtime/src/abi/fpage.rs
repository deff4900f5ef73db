//! Flexpages: naturally aligned, power-of-two sized pieces of memory, I/O or capability space.

use super::{Word, cap::Sel};

/// Memory rights of a flexpage.
pub mod mem {
    use super::Word;

    /// Execute.
    pub const X: Word = 1;
    /// Write.
    pub const W: Word = 2;
    /// Read.
    pub const R: Word = 4;
    /// Read and write.
    pub const RW: Word = R | W;
    /// Read and execute.
    pub const RX: Word = R | X;
    /// Read, write and execute.
    pub const RWX: Word = R | W | X;
}

/// What a flexpage is a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing (order 0) or everything (order 63).
    Special = 0,
    /// Memory; order counts bytes.
    Memory = 1,
    /// I/O ports of x86.
    Io = 2,
    /// Capability slots; order counts slots.
    Cap = 3,
}

/// A flexpage word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fpage(pub Word);

impl Fpage {
    /// The invalid flexpage.
    pub const NIL: Fpage = Fpage(0);
    /// All spaces whole; only as a receive window.
    pub const ALL: Fpage = Fpage(63 << 6);

    /// 2^`order` bytes of memory (order 12 at least) at `address`, which is rounded down to its size.
    pub const fn memory(address: Word, order: u32, rights: Word) -> Fpage {
        let base = address & !((1 << order) - 1);
        Fpage(
            (base & !0xfff)
                | ((order as Word) << 6)
                | ((Kind::Memory as Word) << 4)
                | (rights & 0xf),
        )
    }

    /// The one capability in slot `sel`.
    pub const fn cap(sel: Sel, rights: Word) -> Fpage {
        Fpage((sel.0 & !0xfff) | ((Kind::Cap as Word) << 4) | (rights & 0xf))
    }

    /// What it is a piece of.
    pub const fn kind(self) -> Kind {
        match (self.0 >> 4) & 3 {
            0 => Kind::Special,
            1 => Kind::Memory,
            2 => Kind::Io,
            _ => Kind::Cap,
        }
    }

    /// log2 of the size, in bytes (memory) or slots (capabilities).
    pub const fn order(self) -> u32 {
        ((self.0 >> 6) & 0x3f) as u32
    }

    /// Start: an address (memory) or a selector (capabilities).
    pub const fn start(self) -> Word {
        self.0 & !0xfff
    }

    /// The rights.
    pub const fn rights(self) -> Word {
        self.0 & 0xf
    }

    /// The same piece with other rights.
    pub const fn with_rights(self, rights: Word) -> Fpage {
        Fpage((self.0 & !0xf) | (rights & 0xf))
    }
}

/// The flexpages that exactly cover whole pages from `start` to `end` (exclusive), largest first
/// where alignment allows.
pub fn cover(start: Word, end: Word, rights: Word) -> impl Iterator<Item = Fpage> {
    let mut at = start & !0xfff;
    core::iter::from_fn(move || {
        if at >= end || end - at < 0x1000 {
            return None;
        }
        let by_size = (end - at).ilog2();
        let by_align = if at == 0 { by_size } else { at.trailing_zeros() };
        let order = by_size.min(by_align);
        let page = Fpage::memory(at, order, rights);
        at += 1 << order;
        Some(page)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        assert_eq!(Fpage::cap(Sel(0x5000), 0xf).0, 0x503f);
        assert_eq!(Fpage::memory(0x40_1234, 12, mem::RW).0, 0x40_1000 | 12 << 6 | 0x10 | 6);
        let f = Fpage(0xB300_0310);
        assert_eq!((f.kind(), f.order(), f.start()), (Kind::Memory, 12, 0xB300_0000));
        assert_eq!(Fpage::ALL.order(), 63);
    }

    #[test]
    fn cover_is_exact() {
        let mut at = 0x3000;
        for f in cover(0x3000, 0x2_5000, mem::R) {
            assert_eq!(f.start(), at);
            assert_eq!(f.start() & ((1 << f.order()) - 1), 0, "aligned");
            at += 1 << f.order();
        }
        assert_eq!(at, 0x2_5000);
        assert_eq!(cover(0x1000, 0x1000, 0).count(), 0);
    }
}
