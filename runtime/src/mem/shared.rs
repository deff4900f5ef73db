//! Memory that somebody else reads and writes at the same time: a client, or a device.
//!
//! No Rust reference to such memory is ever made. All access is by value, volatile or atomic, at
//! an offset that is checked against the size of the window, so that code on top of it (rings,
//! configuration pages, request headers) needs no `unsafe`.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use volatile::VolatilePtr;

/// A window of memory that is shared with somebody who is not trusted.
///
/// The value is a plain pointer and a length; it owns nothing and is as cheap to copy as a slice. It
/// lives no longer than what keeps the memory mapped: a [`Region`](super::Region), a
/// [`DmaBuffer`](super::DmaBuffer).
/// Offsets are in bytes from the start of the window. Reads and writes outside of the window
/// yield `None`, reads of multi-byte values need natural alignment of the *address* and yield
/// `None` otherwise: both are things that a peer can cause and that a server must survive.
///
/// All values are little endian, as virtio 1.2 section 1.4 demands.
#[derive(Clone, Copy, Debug)]
pub struct SharedMem<'a> {
    base: NonNull<u8>,
    len: usize,
    owner: PhantomData<&'a ()>,
}

// SAFETY: the window is only accessed by volatile and atomic operations that tolerate concurrent
// access from anywhere, which includes other threads of this program.
unsafe impl Send for SharedMem<'_> {}
// SAFETY: as for `Send`.
unsafe impl Sync for SharedMem<'_> {}

macro_rules! scalar {
    ($read:ident, $write:ident, $t:ty) => {
        #[doc = concat!("Reads a little-endian `", stringify!($t), "` at `offset`, or `None` if it is outside or not aligned.")]
        #[inline]
        pub fn $read(&self, offset: usize) -> Option<$t> {
            Some(<$t>::from_le(self.cell::<$t>(offset)?.read()))
        }

        #[doc = concat!("Writes a little-endian `", stringify!($t), "` at `offset`; `None` if it is outside or not aligned.")]
        #[inline]
        #[must_use]
        pub fn $write(&self, offset: usize, value: $t) -> Option<()> {
            self.cell::<$t>(offset)?.write(value.to_le());
            Some(())
        }
    };
}

impl<'a> SharedMem<'a> {
    /// Describes `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// The bytes must be mapped readable and writable for the lifetime `'a`, and no Rust reference to any of them may exist during that time. Others (another
    /// task, a device) may read and write them at any moment.
    pub const unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        Self { base, len, owner: PhantomData }
    }

    /// The same window without a limit of its life: for those who keep it together with what keeps
    /// it mapped.
    ///
    /// # Safety
    ///
    /// The memory must stay mapped for as long as the result or a copy of it is used.
    pub const unsafe fn unbounded(self) -> SharedMem<'static> {
        SharedMem { base: self.base, len: self.len, owner: PhantomData }
    }

    /// Size of the window in bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the window has no bytes at all.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address of the first byte in this address space.
    pub const fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// A part of the window, or `None` if it is not completely inside.
    pub fn slice(&self, offset: usize, len: usize) -> Option<SharedMem<'a>> {
        if offset.checked_add(len)? > self.len {
            return None;
        }
        // SAFETY: `offset` is at most `self.len`, so the result is within or one past the window.
        let base = unsafe { self.base.add(offset) };
        // SAFETY: a part of a valid window is a valid window.
        Some(unsafe { SharedMem::new(base, len) })
    }

    /// The value at `offset` for volatile access, if it is inside and aligned.
    #[inline]
    fn cell<T: Copy>(&self, offset: usize) -> Option<VolatilePtr<'_, T>> {
        let p = NonNull::new(self.at(offset, size_of::<T>())?.cast::<T>())?;
        // SAFETY: `at` checked that the value is inside the window and aligned; the window is
        // valid for reads and writes by the contract of `new`, and no reference to it exists.
        // Every bit pattern is a value of the integer types that this is used with.
        Some(unsafe { VolatilePtr::new(p) })
    }

    /// Pointer to `size` bytes at `offset`, if they are inside and aligned to `size`.
    #[inline]
    fn at(&self, offset: usize, size: usize) -> Option<*mut u8> {
        if offset.checked_add(size)? > self.len {
            return None;
        }
        let p = self.base.as_ptr().wrapping_add(offset);
        (p as usize).is_multiple_of(size).then_some(p)
    }

    scalar!(read_u8, write_u8, u8);
    scalar!(read_u16, write_u16, u16);
    scalar!(read_u32, write_u32, u32);
    scalar!(read_u64, write_u64, u64);

    /// Reads a little-endian `u16` with acquire ordering: what the peer wrote before it released
    /// this value is visible afterwards. For ring indices.
    #[inline]
    pub fn load_acquire_u16(&self, offset: usize) -> Option<u16> {
        Some(u16::from_le(self.atomic_u16(offset)?.load(Ordering::Acquire)))
    }

    /// Writes a little-endian `u16` with release ordering: what was written before it is visible
    /// to a peer that acquires it. For ring indices.
    #[inline]
    #[must_use]
    pub fn store_release_u16(&self, offset: usize, value: u16) -> Option<()> {
        self.atomic_u16(offset)?.store(value.to_le(), Ordering::Release);
        Some(())
    }

    /// Sets bits of a little-endian `u32` atomically and returns the value before.
    #[inline]
    pub fn fetch_or_u32(&self, offset: usize, bits: u32) -> Option<u32> {
        let p = self.at(offset, 4)?.cast::<u32>();
        // SAFETY: inside the window, aligned, valid by the contract of `new`.
        let a = unsafe { AtomicU32::from_ptr(p) };
        Some(u32::from_le(a.fetch_or(bits.to_le(), Ordering::AcqRel)))
    }

    /// Keeps only the given bits of a little-endian `u32`, atomically, and returns the value before.
    #[inline]
    pub fn fetch_and_u32(&self, offset: usize, bits: u32) -> Option<u32> {
        let p = self.at(offset, 4)?.cast::<u32>();
        // SAFETY: inside the window, aligned, valid by the contract of `new`.
        let a = unsafe { AtomicU32::from_ptr(p) };
        Some(u32::from_le(a.fetch_and(bits.to_le(), Ordering::AcqRel)))
    }

    #[inline]
    fn atomic_u16(&self, offset: usize) -> Option<&AtomicU16> {
        let p = self.at(offset, 2)?.cast::<u16>();
        // SAFETY: inside the window, aligned, valid by the contract of `new`.
        Some(unsafe { AtomicU16::from_ptr(p) })
    }

    /// Copies bytes out of the window. `None` (and nothing copied) if they are not all inside.
    pub fn read_bytes(&self, offset: usize, out: &mut [u8]) -> Option<()> {
        let src = self.slice(offset, out.len())?;
        for (i, b) in out.iter_mut().enumerate() {
            *b = src.cell::<u8>(i)?.read();
        }
        Some(())
    }

    /// Copies bytes into the window. `None` (and nothing written) if they do not all fit.
    #[must_use]
    pub fn write_bytes(&self, offset: usize, data: &[u8]) -> Option<()> {
        let dst = self.slice(offset, data.len())?;
        for (i, b) in data.iter().enumerate() {
            dst.cell::<u8>(i)?.write(*b);
        }
        Some(())
    }

    /// Writes zeros over the whole window.
    pub fn zero(&self) {
        for i in 0..self.len {
            if let Some(cell) = self.cell::<u8>(i) {
                cell.write(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(buf: &mut [u64]) -> SharedMem<'_> {
        let base = NonNull::new(buf.as_mut_ptr().cast()).unwrap();
        // SAFETY: the buffer outlives the window in every test and is not used meanwhile.
        unsafe { SharedMem::new(base, size_of_val(buf)) }
    }

    #[test]
    fn access_is_checked() {
        let mut buf = [0u64; 2];
        let w = window(&mut buf);
        assert_eq!(w.write_u32(12, 0x1122_3344), Some(()));
        assert_eq!(w.read_u8(12), Some(0x44));
        assert_eq!(w.read_u32(13), None, "not inside");
        assert_eq!(w.read_u32(2), None, "not aligned");
        assert_eq!(w.read_u64(usize::MAX), None, "no overflow");
        assert!(w.slice(8, 9).is_none());
        assert_eq!(w.slice(16, 0).map(|s| s.len()), Some(0));
    }

    #[test]
    fn bytes_are_all_or_nothing() {
        let mut buf = [0u64; 1];
        let w = window(&mut buf);
        assert_eq!(w.write_bytes(6, &[1, 2, 3]), None);
        assert_eq!(w.read_u64(0), Some(0));
        assert_eq!(w.write_bytes(5, &[1, 2, 3]), Some(()));
        let mut out = [0; 3];
        assert_eq!(w.read_bytes(5, &mut out), Some(()));
        assert_eq!(out, [1, 2, 3]);
    }
}
