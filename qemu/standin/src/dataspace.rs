//! Memory objects.

use alloc::vec::Vec;

use crate::machine::Cache;
use crate::mem::{PAGE, PhysMem};

/// Where the pages of a dataspace are.
enum Pages {
    /// Each page on its own, made when it is first touched.
    Lazy(Vec<Option<usize>>),
    /// One piece of RAM, owned.
    Block(usize, usize),
    /// Registers or memory that the dataspace does not own.
    Fixed(usize),
}

/// A dataspace.
pub struct Dataspace {
    size: usize,
    pages: Pages,
    /// Whether it can be written at all.
    pub writable: bool,
    /// Caching of its pages.
    pub cache: Cache,
    /// Mappings in DMA spaces.
    pub dma_mappings: usize,
}

impl Dataspace {
    fn new(size: usize, pages: Pages) -> Dataspace {
        Dataspace { size, pages, writable: true, cache: Cache::Normal, dma_mappings: 0 }
    }

    /// Anonymous memory; the size is rounded up to pages. `None` if it is too large to be noted.
    pub fn anonymous(size: usize) -> Option<Dataspace> {
        let size = size.checked_next_multiple_of(PAGE)?;
        let mut pages = Vec::new();
        pages.try_reserve_exact(size / PAGE).ok()?;
        pages.resize(size / PAGE, None);
        Some(Dataspace::new(size, Pages::Lazy(pages)))
    }

    /// Physically contiguous memory, aligned to `align` pages.
    pub fn contiguous(mem: &mut PhysMem, size: usize, align: usize) -> Option<Dataspace> {
        let pages = size.div_ceil(PAGE);
        let pa = mem.alloc(pages, align)?;
        Some(Dataspace::new(pages * PAGE, Pages::Block(pa, pages)))
    }

    /// Device registers at a physical address.
    pub fn registers(pa: usize, size: usize) -> Dataspace {
        let mut ds = Dataspace::new(size, Pages::Fixed(pa));
        ds.cache = Cache::Uncached;
        ds
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes of RAM it can take.
    pub fn charged(&self) -> u64 {
        match self.pages {
            Pages::Fixed(_) => 0,
            _ => self.size as u64,
        }
    }

    /// Physical address of the page that holds an offset; allocates it if need be.
    pub fn page(&mut self, mem: &mut PhysMem, offset: usize) -> Option<usize> {
        if offset >= self.size {
            return None;
        }
        let index = offset / PAGE;
        match &mut self.pages {
            Pages::Block(pa, _) | Pages::Fixed(pa) => Some(*pa + index * PAGE),
            Pages::Lazy(pages) => {
                let slot = pages.get_mut(index)?;
                if slot.is_none() {
                    *slot = mem.alloc(1, 1);
                }
                *slot
            }
        }
    }

    /// Whether its memory has one stable physical address: its start.
    pub fn contiguous_at(&self) -> Option<usize> {
        match self.pages {
            Pages::Block(pa, _) => Some(pa),
            _ => None,
        }
    }

    /// Copies bytes in; stops at the end. Says whether memory sufficed.
    pub fn write(&mut self, mem: &mut PhysMem, offset: usize, data: &[u8]) -> bool {
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(PAGE - at % PAGE));
            let Some(pa) = self.page(mem, at) else { return false };
            mem.write(pa + at % PAGE, now);
            at += now.len();
            rest = later;
        }
        true
    }

    /// Reads bytes; zero where no memory is.
    pub fn read(&mut self, mem: &mut PhysMem, offset: usize, out: &mut [u8]) {
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let n = rest.len().min(PAGE - at % PAGE);
            let (now, later) = rest.split_at_mut(n);
            match self.page(mem, at) {
                Some(pa) => mem.read(pa + at % PAGE, now),
                None => now.fill(0),
            }
            at += n;
            rest = later;
        }
    }

    /// Zeroes a range that lies inside. Pages that were never touched stay so.
    pub fn clear(&mut self, mem: &mut PhysMem, offset: usize, size: usize) {
        let mut at = offset;
        let end = offset + size;
        while at < end {
            let n = (end - at).min(PAGE - at % PAGE);
            let untouched = matches!(&self.pages, Pages::Lazy(p) if p.get(at / PAGE).is_none_or(Option::is_none));
            if !untouched && let Some(pa) = self.page(mem, at) {
                mem.zero(pa + at % PAGE, n);
            }
            at += n;
        }
    }

    /// Gives the memory back.
    pub fn release(self, mem: &mut PhysMem) {
        match self.pages {
            Pages::Lazy(pages) => pages.into_iter().flatten().for_each(|pa| mem.release(pa, 1)),
            Pages::Block(pa, pages) => mem.release(pa, pages),
            Pages::Fixed(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::tests::ram;

    #[test]
    fn anonymous_memory_is_taken_when_touched_and_given_back() {
        let mut mem = ram(16);
        let mut ds = Dataspace::anonymous(3 * PAGE - 5).unwrap();
        assert_eq!((ds.size(), mem.free()), (3 * PAGE, 16));
        assert!(ds.write(&mut mem, PAGE - 2, b"abcd"));
        assert_eq!(mem.free(), 14);
        let mut out = [0; 6];
        ds.read(&mut mem, PAGE - 3, &mut out);
        assert_eq!(&out, b"\0abcd\0");
        ds.clear(&mut mem, PAGE - 2, 3);
        ds.read(&mut mem, PAGE - 3, &mut out);
        assert_eq!(&out, b"\0\0\0\0d\0");
        assert!(!ds.write(&mut mem, 3 * PAGE - 1, b"xy"), "behind the end");
        ds.release(&mut mem);
        assert_eq!(mem.free(), 16);
    }

    #[test]
    fn contiguous_memory_is_contiguous() {
        let mut mem = ram(16);
        let mut ds = Dataspace::contiguous(&mut mem, 4 * PAGE, 4).unwrap();
        let start = ds.contiguous_at().unwrap();
        assert_eq!(ds.page(&mut mem, 3 * PAGE + 1), Some(start + 3 * PAGE));
        assert_eq!(ds.page(&mut mem, 4 * PAGE), None);
        assert!(Dataspace::contiguous(&mut mem, 64 * PAGE, 1).is_none());
        ds.release(&mut mem);
        assert_eq!(mem.free(), 16);
    }
}
