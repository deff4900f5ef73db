//! What is attached where in an address space.

use alloc::collections::BTreeMap;

use crate::object::ObjId;

/// Lowest address that is ever given out: nothing is mapped at 0.
pub const FIRST: usize = 0x1000;
/// First address behind what programs can use, as with Fiasco at EL1.
pub const END: usize = 0xff80_0000_0000;

/// Where the memory of a region comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// The dataspace behind a selector of the task, looked up at each fault.
    Selector(usize),
    /// A dataspace that the kernel holds for the task.
    Object(ObjId),
    /// Nothing: mapped by the kernel, or reserved.
    None,
}

/// A piece of address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First address behind it.
    pub end: usize,
    /// Rights and caching as in the region mapper's flags.
    pub flags: u32,
    /// Where its memory comes from.
    pub backing: Backing,
    /// Offset of its first byte in the dataspace.
    pub offset: u64,
}

impl Region {
    /// The object that the kernel holds for the region.
    pub fn object(&self) -> Option<ObjId> {
        match self.backing {
            Backing::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// Regions and reserved areas, each keyed by start address.
#[derive(Default)]
pub struct RegionMap {
    regions: BTreeMap<usize, Region>,
    areas: BTreeMap<usize, usize>,
}

fn overlaps<T>(
    map: &BTreeMap<usize, T>,
    end_of: impl Fn(&T) -> usize,
    start: usize,
    end: usize,
) -> Option<usize> {
    let (s, t) = map.range(..end).next_back()?;
    (end_of(t) > start).then_some(*s)
}

impl RegionMap {
    /// The region that contains an address, with its start.
    pub fn at(&self, addr: usize) -> Option<(usize, Region)> {
        let (start, r) = self.regions.range(..=addr).next_back()?;
        (addr < r.end).then_some((*start, *r))
    }

    /// The first region that ends behind an address.
    pub fn from(&self, addr: usize) -> impl Iterator<Item = (usize, Region)> {
        self.regions.iter().filter(move |(_, r)| r.end > addr).map(|(s, r)| (*s, *r))
    }

    /// Reserved areas that end behind an address: start and end (exclusive).
    pub fn areas_from(&self, addr: usize) -> impl Iterator<Item = (usize, usize)> {
        self.areas.iter().filter(move |(_, e)| **e > addr).map(|(s, e)| (*s, *e))
    }

    /// A region that overlaps `start..end`, with its start.
    pub fn overlap(&self, start: usize, end: usize) -> Option<(usize, Region)> {
        let s = overlaps(&self.regions, |r| r.end, start, end)?;
        self.regions.get(&s).map(|r| (s, *r))
    }

    /// The area that contains an address.
    pub fn area_at(&self, addr: usize) -> Option<(usize, usize)> {
        let (s, e) = self.areas.range(..=addr).next_back()?;
        (addr < *e).then_some((*s, *e))
    }

    /// Whether `start..end` is in the user's address space and holds neither region nor (unless
    /// `in_area`) reserved area.
    pub fn is_free(&self, start: usize, end: usize, in_area: bool) -> bool {
        start >= FIRST
            && end <= END
            && start < end
            && overlaps(&self.regions, |r| r.end, start, end).is_none()
            && (in_area || overlaps(&self.areas, |e| *e, start, end).is_none())
    }

    /// The first free place at or above `hint`, aligned to a power of two; below the end of an
    /// area if it is to be in one.
    pub fn search(&self, hint: usize, size: usize, align: usize, in_area: bool) -> Option<usize> {
        let limit = if in_area { self.area_at(hint)?.1 } else { END };
        let mut at = hint.max(FIRST).checked_next_multiple_of(align)?;
        loop {
            let end = at.checked_add(size).filter(|e| *e <= limit)?;
            let block = overlaps(&self.regions, |r| r.end, at, end)
                .and_then(|s| self.regions.get(&s))
                .map(|r| r.end);
            let area = (!in_area).then(|| overlaps(&self.areas, |e| *e, at, end)).flatten();
            let area = area.and_then(|s| self.areas.get(&s)).copied();
            match block.max(area) {
                None => return Some(at),
                Some(next) => at = next.checked_next_multiple_of(align)?,
            }
        }
    }

    /// Adds a region; the place must be free.
    pub fn insert(&mut self, start: usize, region: Region) {
        self.regions.insert(start, region);
    }

    /// Takes out the region that starts at an address.
    pub fn remove(&mut self, start: usize) -> Option<Region> {
        self.regions.remove(&start)
    }

    /// Reserves an area; the place must be free.
    pub fn reserve(&mut self, start: usize, end: usize) {
        self.areas.insert(start, end);
    }

    /// Frees the area that contains an address.
    pub fn unreserve(&mut self, addr: usize) -> bool {
        match self.area_at(addr) {
            Some((start, _)) => self.areas.remove(&start).is_some(),
            None => false,
        }
    }

    /// Number of regions.
    pub fn len(&self) -> usize {
        self.regions.len()
    }

    /// Whether there is no region.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Cuts `start..end` out of the region that begins at `at`: keeps what is left and right of
    /// it. Returns the cut's bounds and whether something was kept.
    pub fn cut(&mut self, at: usize, start: usize, end: usize) -> Option<(usize, usize, bool)> {
        let r = self.regions.remove(&at)?;
        let (from, to) = (start.max(at), end.min(r.end));
        if from > at {
            self.regions.insert(at, Region { end: from, ..r });
        }
        if to < r.end {
            let offset = r.offset + (to - at) as u64;
            self.regions.insert(to, Region { offset, ..r });
        }
        Some((from, to, from > at || to < r.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(end: usize) -> Region {
        Region { end, flags: 6, backing: Backing::None, offset: 0 }
    }

    #[test]
    fn search_steps_over_regions_and_areas() {
        let mut m = RegionMap::default();
        assert_eq!(m.search(0, 0x1000, 0x1000, false), Some(0x1000));
        m.insert(0x1000, region(0x3000));
        m.reserve(0x3000, 0x5000);
        assert_eq!(m.search(0, 0x1000, 0x1000, false), Some(0x5000));
        assert_eq!(m.search(0x3000, 0x1000, 0x1000, true), Some(0x3000));
        assert_eq!(m.search(0x3000, 0x3000, 0x1000, true), None, "does not fit the area");
        assert_eq!(m.search(0, 0x1000, 0x20_0000, false), Some(0x20_0000));
        assert_eq!(m.search(END - 0x1000, 0x2000, 0x1000, false), None);
    }

    #[test]
    fn bounds_are_exact() {
        let mut m = RegionMap::default();
        m.insert(0x2000, region(0x4000));
        assert!(m.at(0x1fff).is_none() && m.at(0x4000).is_none());
        assert_eq!(m.at(0x3fff).map(|(s, _)| s), Some(0x2000));
        assert!(m.is_free(0x4000, 0x5000, false) && m.is_free(0x1000, 0x2000, false));
        assert!(!m.is_free(0x3fff, 0x5000, false) && !m.is_free(0, 0x1000, false));
    }

    #[test]
    fn a_cut_in_the_middle_leaves_two_with_their_offsets() {
        let mut m = RegionMap::default();
        m.insert(0x10000, region(0x20000));
        assert_eq!(m.cut(0x10000, 0x14000, 0x16000), Some((0x14000, 0x16000, true)));
        assert_eq!(m.at(0x10000).unwrap().1.end, 0x14000);
        let (start, right) = m.at(0x16000).unwrap();
        assert_eq!((start, right.offset, right.end), (0x16000, 0x6000, 0x20000));
        assert!(m.at(0x14000).is_none());
    }
}
