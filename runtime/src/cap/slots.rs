//! Which capability slots of this task are free.
//!
//! A fixed bitmap without locks: the heap itself needs a slot to grow, so slots must not come
//! from the heap, and a thread that is preempted while it takes one must not stop another.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::{Error, Result};

/// How many slots there are to give out; a driver with the largest number of dataspaces for some
/// dozens of clients stays below half of it. The kernel's table grows with use, not with this.
pub const CAPACITY: usize = 8192;

const WORDS: usize = CAPACITY / 64;

/// Slots from a first index on; a set bit is a slot in use.
#[derive(Debug)]
pub struct SlotMap<const W: usize> {
    first: AtomicUsize,
    /// Word in which the last free slot was found: where the next search starts.
    hint: AtomicUsize,
    words: [AtomicU64; W],
}

impl<const W: usize> SlotMap<W> {
    /// A map that gives nothing out before [`start_at`](Self::start_at).
    pub const fn new() -> Self {
        Self {
            first: AtomicUsize::new(0),
            hint: AtomicUsize::new(0),
            words: [const { AtomicU64::new(0) }; W],
        }
    }

    /// Sets the index of the first slot that may be given out. Index 0 is no capability, so 0
    /// means "not started".
    pub fn start_at(&self, first: usize) {
        self.first.store(first, Ordering::Release);
    }

    /// Takes a free slot and returns its index.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] if all are in use or the map was not started.
    pub fn alloc(&self) -> Result<usize> {
        let first = self.first.load(Ordering::Acquire);
        if first == 0 {
            return Err(Error::NOMEM);
        }
        let hint = self.hint.load(Ordering::Relaxed);
        for step in 0..W {
            let w = (hint + step) % W;
            if let Some(bit) = take_clear_bit(&self.words[w]) {
                self.hint.store(w, Ordering::Relaxed);
                return Ok(first + w * 64 + bit);
            }
        }
        Err(Error::NOMEM)
    }

    /// Gives a slot back. Indices that this map does not manage are ignored: the slots that the
    /// loader filled are never reused.
    pub fn free(&self, index: usize) {
        let Some(n) = index.checked_sub(self.first.load(Ordering::Acquire)) else { return };
        if let Some(word) = self.words.get(n / 64) {
            let before = word.fetch_and(!(1 << (n % 64)), Ordering::AcqRel);
            debug_assert!(before & (1 << (n % 64)) != 0, "slot {index:#x} freed twice");
        }
    }

    /// Number of slots in use.
    pub fn in_use(&self) -> usize {
        self.words.iter().map(|w| w.load(Ordering::Relaxed).count_ones() as usize).sum()
    }
}

impl<const W: usize> Default for SlotMap<W> {
    fn default() -> Self {
        Self::new()
    }
}

/// Sets one bit that was clear and says which, or `None` if all are set.
fn take_clear_bit(word: &AtomicU64) -> Option<usize> {
    let mut seen = word.load(Ordering::Relaxed);
    while seen != u64::MAX {
        let bit = (!seen).trailing_zeros();
        match word.compare_exchange_weak(seen, seen | 1 << bit, Ordering::AcqRel, Ordering::Relaxed)
        {
            Ok(_) => return Some(bit as usize),
            Err(now) => seen = now,
        }
    }
    None
}

/// The slots of this task.
pub(crate) static SLOTS: SlotMap<WORDS> = SlotMap::new();

/// Number of capability slots that this program holds at the moment; for leak tests.
pub fn slots_in_use() -> usize {
    SLOTS.in_use()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn nothing_before_the_start() {
        assert_eq!(SlotMap::<1>::new().alloc(), Err(Error::NOMEM));
    }

    #[test]
    fn all_slots_are_given_out_once_and_then_none() {
        let m = SlotMap::<2>::new();
        m.start_at(0x418);
        let got: BTreeSet<_> = (0..128).map(|_| m.alloc().unwrap()).collect();
        assert_eq!(got, (0x418..0x418 + 128).collect());
        assert_eq!(m.alloc(), Err(Error::NOMEM));
        m.free(0x420);
        assert_eq!(m.alloc(), Ok(0x420));
    }

    #[test]
    fn foreign_slots_are_left_alone() {
        let m = SlotMap::<1>::new();
        m.start_at(100);
        m.free(99);
        m.free(100 + 64);
        m.free(usize::MAX);
        assert_eq!(m.in_use(), 0);
    }

    #[test]
    fn threads_never_get_the_same_slot() {
        let m = SlotMap::<8>::new();
        m.start_at(1);
        let got: Vec<usize> = std::thread::scope(|s| {
            let all: Vec<_> = (0..4)
                .map(|_| s.spawn(|| (0..128).map(|_| m.alloc().unwrap()).collect::<Vec<_>>()))
                .collect();
            all.into_iter().flat_map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(got.iter().collect::<BTreeSet<_>>().len(), 512);
    }

    proptest! {
        #[test]
        fn a_slot_in_use_is_not_given_out(ops in prop::collection::vec(any::<(bool, u8)>(), 1..300)) {
            let m = SlotMap::<2>::new();
            m.start_at(7);
            let mut held = Vec::new();
            for (take, which) in ops {
                if take {
                    match m.alloc() {
                        Ok(i) => { prop_assert!(!held.contains(&i)); held.push(i); }
                        Err(_) => prop_assert_eq!(held.len(), 128),
                    }
                } else if !held.is_empty() {
                    m.free(held.swap_remove(which as usize % held.len()));
                }
                prop_assert_eq!(m.in_use(), held.len());
            }
        }
    }
}
