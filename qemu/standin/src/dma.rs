//! DMA spaces without an I/O MMU: bus addresses are physical addresses.

use alloc::collections::BTreeMap;

use crate::object::ObjId;

/// A DMA space.
#[derive(Default)]
pub struct DmaSpace {
    /// A bus has bound it to a device.
    pub bound: bool,
    maps: BTreeMap<u64, (u64, ObjId)>,
}

impl DmaSpace {
    /// One that is bound from the start.
    pub fn bound() -> DmaSpace {
        DmaSpace { bound: true, ..DmaSpace::default() }
    }

    /// Notes that `size` bytes of a dataspace are visible at `address`. Returns whether they were
    /// not: as in moe, memory is mapped once.
    pub fn map(&mut self, address: u64, size: u64, ds: ObjId) -> bool {
        let end = address.saturating_add(size);
        let before = self.maps.range(..end).next_back();
        let free = before.is_none_or(|(start, (size, _))| start.saturating_add(*size) <= address);
        if free {
            self.maps.insert(address, (size, ds));
        }
        free
    }

    /// Forgets a mapping; returns its dataspace.
    pub fn unmap(&mut self, address: u64) -> Option<ObjId> {
        self.maps.remove(&address).map(|(_, ds)| ds)
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
    fn memory_is_mapped_once() {
        let mut s = DmaSpace::default();
        assert!(s.map(0x1000, 0x2000, ObjId(1)));
        for (address, size) in [(0x1000, 0x2000), (0, 0x1001), (0x2000, 0x1000), (0x1800, 8)] {
            assert!(!s.map(address, size, ObjId(2)), "{address:#x}");
        }
        assert!(s.map(0, 0x1000, ObjId(2)) && s.map(0x3000, 0x1000, ObjId(2)));
        assert_eq!(s.unmap(0x1000), Some(ObjId(1)));
        assert_eq!(s.unmap(0x1000), None);
        assert!(s.map(0x2000, 0x1000, ObjId(1)), "free again");
        assert!(s.forget(ObjId(2)));
        assert_eq!(s.len(), 1);
    }
}
