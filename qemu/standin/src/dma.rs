//! DMA spaces without an I/O MMU: bus addresses are physical addresses.

use alloc::collections::BTreeMap;

use crate::object::ObjId;

/// A DMA space.
#[derive(Default)]
pub struct DmaSpace {
    /// A bus has bound it to a device.
    pub bound: bool,
    maps: BTreeMap<u64, (u64, ObjId, u32)>,
}

impl DmaSpace {
    /// One that is bound from the start.
    pub fn bound() -> DmaSpace {
        DmaSpace { bound: true, ..DmaSpace::default() }
    }

    /// Notes that `size` bytes of a dataspace are visible at `address`.
    pub fn map(&mut self, address: u64, size: u64, ds: ObjId) {
        let entry = self.maps.entry(address).or_insert((size, ds, 0));
        entry.0 = entry.0.max(size);
        entry.2 += 1;
    }

    /// Forgets a mapping; returns its dataspace.
    pub fn unmap(&mut self, address: u64) -> Option<ObjId> {
        let entry = self.maps.get_mut(&address)?;
        let ds = entry.1;
        entry.2 -= 1;
        if entry.2 == 0 {
            self.maps.remove(&address);
        }
        Some(ds)
    }

    /// Number of mappings.
    pub fn len(&self) -> usize {
        self.maps.len()
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }

    /// Drops what belongs to a dataspace; says whether there was something.
    pub fn forget(&mut self, ds: ObjId) -> bool {
        let before = self.maps.len();
        self.maps.retain(|_, m| m.1 != ds);
        before != self.maps.len()
    }
}

/// How much of `size` bytes one request maps.
pub fn piece(size: u64, max_piece: u64) -> u64 {
    if max_piece == 0 { size } else { size.min(max_piece) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_twice_is_unmapped_twice() {
        let mut s = DmaSpace::default();
        s.map(0x1000, 0x1000, ObjId(1));
        s.map(0x1000, 0x1000, ObjId(1));
        assert_eq!(s.unmap(0x1000), Some(ObjId(1)));
        assert_eq!(s.len(), 1);
        s.unmap(0x1000);
        assert_eq!(s.unmap(0x1000), None);
        s.map(0x2000, 0x1000, ObjId(2));
        assert!(s.forget(ObjId(2)) && s.is_empty());
    }
}
