//! The user-level thread control block: where a thread and the kernel meet.

use core::marker::PhantomData;
use core::ptr::NonNull;

#[cfg(target_os = "none")]
use crate::abi::utcb::USER;
use crate::abi::utcb::{BDR, BR, BR_COUNT, ERROR, MR_COUNT, SIZE};
use crate::abi::{WORD_SIZE, Word};

/// The UTCB of the current thread.
///
/// The kernel reads and writes it during system calls, so access is by value and volatile, and no
/// reference to it exists. The value is neither [`Send`] nor [`Sync`]: another thread has another
/// UTCB.
#[derive(Clone, Copy, Debug)]
pub struct Utcb {
    base: NonNull<Word>,
    /// Pointers are not `Send`; this keeps it so whatever becomes of `base`.
    _thread_bound: PhantomData<*mut Word>,
}

impl Utcb {
    /// The UTCB of the calling thread.
    #[inline]
    pub fn current() -> Utcb {
        Utcb { base: super::imp::utcb(), _thread_bound: PhantomData }
    }

    /// Address of the UTCB; tells threads of one task apart.
    #[inline]
    pub fn address(self) -> usize {
        self.base.as_ptr() as usize
    }

    #[inline]
    fn read(self, word: usize) -> Word {
        debug_assert!(word < SIZE / WORD_SIZE);
        // SAFETY: `base` is the UTCB of this thread, which the kernel keeps mapped as long as the
        // thread lives; callers pass indices below its 128 words.
        unsafe { self.base.as_ptr().add(word).read_volatile() }
    }

    #[inline]
    fn write(self, word: usize, value: Word) {
        debug_assert!(word < SIZE / WORD_SIZE);
        // SAFETY: as for `read`; nothing else in this program refers to the UTCB.
        unsafe { self.base.as_ptr().add(word).write_volatile(value) }
    }

    /// Message word `i`; 0 for words that do not exist.
    #[inline]
    pub fn mr(self, i: usize) -> Word {
        if i < MR_COUNT { self.read(i) } else { 0 }
    }

    /// Sets message word `i`; words that do not exist are ignored.
    #[inline]
    pub fn set_mr(self, i: usize, value: Word) {
        if i < MR_COUNT {
            self.write(i, value);
        }
    }

    /// Sets buffer word `i`; words that do not exist are ignored.
    #[inline]
    pub fn set_br(self, i: usize, value: Word) {
        if i < BR_COUNT {
            self.write(BR + i, value);
        }
    }

    /// Sets the buffer descriptor: where the lists of buffers for memory, ports and capabilities
    /// start among the buffer words.
    #[inline]
    pub fn set_bdr(self, value: Word) {
        self.write(BDR, value);
    }

    /// The error word; valid after an operation whose tag has the error bit.
    #[inline]
    pub fn error(self) -> Word {
        self.read(ERROR)
    }

    /// The first of the words that the kernel leaves to the thread. The C library keeps `errno`
    /// there.
    #[cfg(target_os = "none")]
    pub(crate) fn user_word(self) -> *mut Word {
        self.base.as_ptr().wrapping_add(USER)
    }

    /// Fills in the error word, for the kernel that host builds do without.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn set_error(self, code: Word) {
        self.write(ERROR, code);
    }

    /// Reads a buffer word (0) or the descriptor (`None`), for tests that look at what was sent.
    #[cfg(test)]
    pub(crate) fn buffer(self, i: Option<usize>) -> Word {
        self.read(i.map_or(BDR, |i| BR + i))
    }
}
