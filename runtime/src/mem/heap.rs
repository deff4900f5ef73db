//! The heap: grown from dataspaces on demand, counted.
//!
//! A driver allocates while it starts and while clients come and go, never for a request. The
//! counters are there to prove that.

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use linked_list_allocator::Heap;
use spin::mutex::SpinMutex;

use crate::abi::PAGE_SIZE;
use crate::ipc::Yield;

/// The heap grows by at least this many bytes.
const CHUNK: usize = 64 * 1024;
/// Room for the allocator's own list entry and its rounding, added to a request that needs growth.
const SLACK: usize = 4 * size_of::<usize>();

/// Where more memory comes from: pieces that follow each other without a gap.
///
/// # Safety
///
/// The heap hands the pieces out: each must be writable, belong to nobody else for as long as the
/// heap exists, be at least as long as was asked for, and start where the one before ended.
pub unsafe trait Backing {
    /// Makes `bytes` (a multiple of the page size) more bytes usable and returns them, or `None`
    /// if there is no more memory.
    fn more(&mut self, bytes: usize) -> Option<NonNull<[u8]>>;
}

/// A first-fit heap over a [`Backing`].
pub struct GrowingHeap<B> {
    heap: Heap,
    backing: B,
    ready: bool,
}

impl<B: Backing> GrowingHeap<B> {
    /// An empty heap; the first allocation makes it grow.
    pub const fn new(backing: B) -> Self {
        Self { heap: Heap::empty(), backing, ready: false }
    }

    /// Allocates, growing once if that is needed. Null if there is no memory.
    pub fn alloc(&mut self, layout: Layout) -> *mut u8 {
        if let Some(p) = self.try_alloc(layout) {
            return p.as_ptr();
        }
        if self.grow(layout).is_none() {
            return null_mut();
        }
        self.try_alloc(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    fn try_alloc(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if self.ready { self.heap.allocate_first_fit(layout).ok() } else { None }
    }

    fn grow(&mut self, layout: Layout) -> Option<()> {
        let need = layout.size().checked_add(layout.align())?.checked_add(SLACK)?;
        let bytes = need.max(CHUNK).checked_next_multiple_of(PAGE_SIZE)?;
        let piece = self.backing.more(bytes)?;
        if self.ready {
            // SAFETY: by the contract of `Backing` the piece starts where the heap ends.
            unsafe { self.heap.extend(piece.len()) };
        } else {
            // SAFETY: by the contract of `Backing` the piece is ours for ever; initialised once.
            unsafe { self.heap.init(piece.as_ptr().cast(), piece.len()) };
            self.ready = true;
        }
        Some(())
    }

    /// Gives a block back.
    ///
    /// # Safety
    ///
    /// `p` must have come from [`alloc`](Self::alloc) of this heap with the same layout.
    pub unsafe fn dealloc(&mut self, p: NonNull<u8>, layout: Layout) {
        // SAFETY: passed on to the caller.
        unsafe { self.heap.deallocate(p, layout) };
    }

    /// Bytes that were taken from the backing.
    pub fn size(&self) -> usize {
        self.heap.size()
    }
}

impl<B> core::fmt::Debug for GrowingHeap<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "heap of {} bytes, {} used", self.heap.size(), self.heap.used())
    }
}

/// The heap of the program. [`entry!`](crate::entry) makes it the global allocator.
static HEAP: SpinMutex<GrowingHeap<super::heap_area::HeapArea>, Yield> =
    SpinMutex::new(GrowingHeap::new(super::heap_area::HeapArea::new()));

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE_BLOCKS: AtomicUsize = AtomicUsize::new(0);
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Sets how large the heap may become, in bytes, before its first use. Address space is reserved
/// for that much; memory is taken as it is needed.
pub fn set_limit(bytes: usize) {
    HEAP.lock().backing.set_limit(bytes);
}

/// What the heap was used for so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapStats {
    /// Allocations since the start of the program (a reallocation counts as one).
    pub allocations: usize,
    /// Blocks that are allocated now.
    pub live_blocks: usize,
    /// Bytes that are allocated now, without the allocator's overhead.
    pub live_bytes: usize,
    /// Bytes of memory that the heap occupies.
    pub size: usize,
}

/// Counts since the start of the program. Two calls around a piece of code that must not allocate
/// show the same number of allocations.
pub fn stats() -> HeapStats {
    HeapStats {
        allocations: ALLOCATIONS.load(Ordering::Relaxed),
        live_blocks: LIVE_BLOCKS.load(Ordering::Relaxed),
        live_bytes: LIVE_BYTES.load(Ordering::Relaxed),
        size: HEAP.lock().size(),
    }
}

/// Whether there is memory for `bytes` more bytes in one piece. The heap grows for the answer and
/// keeps what it got, so nobody else can take it.
///
/// An allocation that fails ends the program. So a server asks this before it allocates for a
/// client, with something to spare for itself.
pub fn has_room(bytes: usize) -> bool {
    Vec::<u8>::new().try_reserve_exact(bytes).is_ok()
}

/// The global allocator that [`entry!`](crate::entry) installs; all values are the same heap.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalHeap;

// SAFETY: blocks come from a heap over memory that belongs to nobody else, under a lock; first fit
// never hands out overlapping blocks and honours the layout; no method unwinds.
unsafe impl GlobalAlloc for GlobalHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let p = HEAP.lock().alloc(layout);
        if !p.is_null() {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
            LIVE_BLOCKS.fetch_add(1, Ordering::Relaxed);
            LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        }
        p
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let Some(p) = NonNull::new(ptr) else { return };
        // SAFETY: the caller vouches that the block came from this allocator with this layout.
        unsafe { HEAP.lock().dealloc(p, layout) };
        LIVE_BLOCKS.fetch_sub(1, Ordering::Relaxed);
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pieces of one vector, one behind the other.
    struct Pieces {
        memory: Vec<u128>,
        given: usize,
        calls: usize,
    }

    impl Pieces {
        fn new(bytes: usize) -> Self {
            Self { memory: vec![0; bytes / 16], given: 0, calls: 0 }
        }
    }

    // SAFETY: disjoint parts of one vector that lives as long as the heap, in order.
    unsafe impl Backing for Pieces {
        fn more(&mut self, bytes: usize) -> Option<NonNull<[u8]>> {
            if self.given + bytes > self.memory.len() * 16 {
                return None;
            }
            self.calls += 1;
            let base: *mut u8 = self.memory.as_mut_ptr().cast();
            // SAFETY: `given` is inside the vector as just checked.
            let start = unsafe { NonNull::new(base.add(self.given))? };
            self.given += bytes;
            Some(NonNull::slice_from_raw_parts(start, bytes))
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn room_is_asked_for_without_taking_it() {
        assert!(has_room(1 << 20));
        assert!(!has_room(usize::MAX));
        assert!(!has_room(isize::MAX as usize));
    }

    #[test]
    fn it_takes_memory_only_when_it_must() {
        let mut h = GrowingHeap::new(Pieces::new(1 << 20));
        assert_eq!(h.backing.calls, 0);
        let l = layout(1000, 8);
        for _ in 0..50 {
            assert!(!h.alloc(l).is_null());
        }
        assert_eq!((h.backing.calls, h.size()), (1, CHUNK));
        assert!(!h.alloc(layout(100_000, 4096)).is_null());
        assert_eq!(h.backing.calls, 2);
    }

    #[test]
    fn exhaustion_is_null_and_not_the_end() {
        let mut h = GrowingHeap::new(Pieces::new(CHUNK));
        assert!(h.alloc(layout(CHUNK * 2, 8)).is_null());
        assert!(h.alloc(layout(usize::MAX / 2 - 4096, 8)).is_null());
        assert!(!h.alloc(layout(64, 8)).is_null());
    }

    proptest! {
        #[test]
        fn blocks_are_aligned_apart_and_reused(ops in prop::collection::vec((1usize..9000, 0u32..8, any::<bool>()), 1..200)) {
            let mut h = GrowingHeap::new(Pieces::new(4 << 20));
            let mut live: Vec<(usize, Layout)> = Vec::new();
            for (size, align, drop_one) in ops {
                if drop_one && !live.is_empty() {
                    let (p, l) = live.swap_remove(size % live.len());
                    // SAFETY: allocated below with this layout and freed once.
                    unsafe { h.dealloc(NonNull::new(p as *mut u8).unwrap(), l) };
                } else {
                    let l = layout(size, 1 << align);
                    let p = h.alloc(l) as usize;
                    prop_assert!(p != 0 && p.is_multiple_of(1 << align));
                    for (q, k) in &live {
                        prop_assert!(p + size <= *q || *q + k.size() <= p);
                    }
                    live.push((p, l));
                }
            }
        }
    }
}
