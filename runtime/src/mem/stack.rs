//! Stacks with a guard page below them, and how deep they were ever used.

use core::cell::UnsafeCell;
use core::ops::Range;

use crate::abi::PAGE_SIZE;

/// The stack of the first thread, made by [`entry!`](crate::entry): `BYTES` bytes of zeros.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Stack<const BYTES: usize>(UnsafeCell<[u8; BYTES]>);

// SAFETY: nothing in this program accesses the bytes through the static; the processor does, as
// the stack of one thread, and `high_water` reads them volatile.
unsafe impl<const BYTES: usize> Sync for Stack<BYTES> {}

impl<const BYTES: usize> Stack<BYTES> {
    /// A stack that was never used.
    pub const fn new() -> Self {
        assert!(BYTES > 0 && BYTES.is_multiple_of(PAGE_SIZE), "stacks consist of whole pages");
        assert!(BYTES / PAGE_SIZE < 1 << 16, "stacks are smaller than 256 MiB");
        Self(UnsafeCell::new([0; BYTES]))
    }

    /// The addresses of the stack; it grows down from the end.
    pub fn range(&self) -> Range<usize> {
        let start = self.0.get() as usize;
        start..start + BYTES
    }
}

impl<const BYTES: usize> Default for Stack<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

/// How many bytes of a stack were ever used: from its end down to the lowest byte that is not
/// zero any more.
///
/// Stacks start as zeros, so no painting is needed. A frame whose lowest bytes were only ever
/// zero is not seen; take the result as exact to a few dozen bytes.
///
/// # Safety
///
/// The range must be a mapped stack.
pub(crate) unsafe fn high_water(stack: Range<usize>) -> usize {
    let words = stack.clone().step_by(size_of::<usize>());
    for at in words {
        // SAFETY: inside the stack by contract, aligned because stacks start at pages. Volatile,
        // because the running thread writes to it outside of what the compiler knows.
        if unsafe { (at as *const usize).read_volatile() } != 0 {
            return stack.end - at;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_the_lowest_used_word() {
        let s = Stack::<8192>::new();
        let r = s.range();
        // SAFETY: the test's own memory, mapped, which nothing else uses.
        unsafe {
            assert_eq!(high_water(r.clone()), 0);
            ((r.end - 640) as *mut u64).write(1);
            ((r.end - 8) as *mut u64).write(1);
            assert_eq!(high_water(r), 640);
        }
    }
}
