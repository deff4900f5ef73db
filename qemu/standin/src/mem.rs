//! Physical memory: frames, and access to their content.

use buddy_system_allocator::FrameAllocator;
use core::ptr::NonNull;

/// Size of a page.
pub const PAGE: usize = l4re_runtime::abi::PAGE_SIZE;

/// RAM as the kernel sees it: a window of bytes at physical address `start`.
///
/// Only frames that were handed out are accessed, and always by copying: user programs and devices
/// may write the same memory at any time. Addresses outside the window read as zero and swallow
/// writes, so no physical address, however wrong, reaches memory that is not RAM.
pub struct PhysMem {
    window: NonNull<u8>,
    start: usize,
    len: usize,
    frames: FrameAllocator<32>,
    free: usize,
}

impl PhysMem {
    /// Memory at physical address `start`, `len` bytes long, visible at `window`. No frame is free
    /// yet, see [`add`](Self::add).
    ///
    /// # Safety
    ///
    /// The `len` bytes at `window` must be valid for reads and writes as long as the value lives,
    /// and whatever part of it is given to [`add`](Self::add) must be used by nothing else.
    pub unsafe fn new(window: NonNull<u8>, start: usize, len: usize) -> PhysMem {
        PhysMem { window, start, len, frames: FrameAllocator::new(), free: 0 }
    }

    /// Makes the whole pages of `from..to` available.
    pub fn add(&mut self, from: usize, to: usize) {
        let first = from.max(self.start).div_ceil(PAGE);
        let last = to.min(self.start + self.len) / PAGE;
        if first < last {
            self.frames.add_frame(first, last);
            self.free += last - first;
        }
    }

    /// Free pages.
    pub fn free(&self) -> usize {
        self.free
    }

    /// `pages` consecutive zeroed pages, aligned to `align` pages (a power of two).
    pub fn alloc(&mut self, pages: usize, align: usize) -> Option<usize> {
        // The allocator hands out powers of two, and what is behind the wanted part is given back
        // at once, so that only what is asked for is used.
        let size = pages.max(1).max(align).checked_next_power_of_two()?;
        let frame = self.frames.alloc(size)?;
        if size > pages {
            self.give(frame + pages, frame + size);
        }
        self.free -= pages;
        let pa = frame * PAGE;
        self.zero(pa, pages * PAGE);
        Some(pa)
    }

    /// Gives pages back.
    pub fn release(&mut self, pa: usize, pages: usize) {
        self.give(pa / PAGE, pa / PAGE + pages);
        self.free += pages;
    }

    /// Returns frames in naturally aligned powers of two, the only form in which the allocator
    /// joins neighbours again.
    fn give(&mut self, mut from: usize, to: usize) {
        while from < to {
            let order = from.trailing_zeros().min((to - from).ilog2());
            self.frames.dealloc(from, 1 << order);
            from += 1 << order;
        }
    }

    /// Pointer to `len` bytes at `pa` if all of them are in the window.
    fn at(&self, pa: usize, len: usize) -> Option<*mut u8> {
        let offset = pa.checked_sub(self.start)?;
        if offset.checked_add(len)? > self.len {
            return None;
        }
        Some(self.window.as_ptr().wrapping_add(offset))
    }

    /// Copies bytes out.
    pub fn read(&self, pa: usize, out: &mut [u8]) {
        out.fill(0);
        if let Some(p) = self.at(pa, out.len()) {
            // SAFETY: `at` checked that the source lies in the window, which is valid by the
            // contract of `new`; `out` is a distinct exclusive borrow.
            unsafe { p.copy_to(out.as_mut_ptr(), out.len()) }
        }
    }

    /// Copies bytes in.
    pub fn write(&mut self, pa: usize, data: &[u8]) {
        if let Some(p) = self.at(pa, data.len()) {
            // SAFETY: as in `read`, for the destination.
            unsafe { p.copy_from(data.as_ptr(), data.len()) }
        }
    }

    /// Copies from one physical address to another.
    pub fn copy(&mut self, to: usize, from: usize, len: usize) {
        if let (Some(to), Some(from)) = (self.at(to, len), self.at(from, len)) {
            // SAFETY: both ranges are in the window; `copy_from` allows overlap.
            unsafe { to.copy_from(from, len) }
        }
    }

    /// Fills with zeroes.
    pub fn zero(&mut self, pa: usize, len: usize) {
        if let Some(p) = self.at(pa, len) {
            // SAFETY: the range is in the window.
            unsafe { p.write_bytes(0, len) }
        }
    }

    /// Reads the word number `index` from `pa`.
    pub fn word(&self, pa: usize, index: usize) -> usize {
        let mut bytes = [0; size_of::<usize>()];
        self.read(pa + index * size_of::<usize>(), &mut bytes);
        usize::from_le_bytes(bytes)
    }

    /// Writes the word number `index` from `pa`.
    pub fn set_word(&mut self, pa: usize, index: usize, value: usize) {
        self.write(pa + index * size_of::<usize>(), &value.to_le_bytes());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec;

    /// RAM for tests: `pages` free pages at a plausible address.
    pub(crate) fn ram(pages: usize) -> PhysMem {
        let bytes = Box::leak(vec![0xaa_u8; pages * PAGE].into_boxed_slice());
        let window = NonNull::from(&mut *bytes).cast();
        // SAFETY: the memory is leaked, so valid for ever, and nobody else knows it.
        let mut mem = unsafe { PhysMem::new(window, 0x4000_0000, pages * PAGE) };
        mem.add(0x4000_0000, 0x4000_0000 + pages * PAGE);
        mem
    }

    #[test]
    fn frames_are_zeroed_aligned_and_come_back() {
        let mut mem = ram(64);
        let a = mem.alloc(5, 1).unwrap();
        let b = mem.alloc(4, 16).unwrap();
        assert_eq!(b % (16 * PAGE), 0);
        assert_eq!(mem.free(), 55);
        assert_eq!(mem.word(a, 3), 0);
        mem.release(a, 5);
        mem.release(b, 4);
        assert_eq!(mem.free(), 64);
        assert!(mem.alloc(64, 1).is_some(), "the pieces grow together again");
    }

    #[test]
    fn addresses_outside_ram_are_harmless() {
        let mut mem = ram(1);
        mem.set_word(0x4000_0ff9, 0, 7);
        mem.set_word(0, 0, 7);
        mem.copy(usize::MAX - 4, 0x4000_0000, 16);
        assert_eq!(mem.word(usize::MAX - 3, 0), 0);
        assert_eq!(mem.word(0x4000_0ff9, 0), 0);
    }
}
