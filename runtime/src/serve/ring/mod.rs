//! The device side of a split virtqueue (virtio 1.2, 2.7) in a client's memory.
//!
//! The client is not trusted: it can change descriptors and indices at any moment, make chains
//! that loop, and give addresses that are not its own. So everything is read exactly once, checked,
//! and then used from our copy; and whatever the client does ends in a [`RingError`], after which
//! the device asks to be reset.

mod chain;
mod error;

pub use chain::{Buffer, Chain};
pub use error::{Part, RingError};

use core::sync::atomic::{Ordering, fence};

use super::memory::ClientMemory;
use crate::mem::SharedMem;
use crate::virtio::spec::ring as spec;

/// Where a client has put a queue; addresses are device addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLayout {
    /// Number of entries: a power of two.
    pub size: u16,
    /// Address of the descriptor table.
    pub desc: u64,
    /// Address of the available ring.
    pub avail: u64,
    /// Address of the used ring.
    pub used: u64,
}

/// What the device allows in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest number of entries.
    pub size: u16,
    /// Most buffers of a chain with an indirect table; a direct chain has at most as many as the
    /// queue has entries.
    pub chain: u16,
    /// Whether indirect tables were negotiated (2.7.5.3).
    pub indirect: bool,
}

/// A queue whose memory has been checked and translated.
#[derive(Debug)]
pub struct Ring {
    desc: SharedMem<'static>,
    avail: SharedMem<'static>,
    used: SharedMem<'static>,
    size: u16,
    limits: Limits,
    /// The next entry of the available ring that we take.
    next_avail: u16,
    /// The client's index as of the last look.
    seen_avail: u16,
    /// The next entry of the used ring that we fill.
    next_used: u16,
    /// The index that the client knows.
    published: u16,
    /// Whether we have asked the client not to notify us.
    quiet: bool,
}

impl Ring {
    /// Checks `layout` and translates its parts.
    ///
    /// The ring must be dropped before `memory` is cleared.
    ///
    /// # Errors
    ///
    /// [`RingError::BadSize`], [`RingError::Misaligned`] or [`RingError::NotMapped`].
    pub fn new<R>(
        layout: &QueueLayout,
        limits: Limits,
        memory: &ClientMemory<R>,
    ) -> Result<Self, RingError> {
        let QueueLayout { size, .. } = *layout;
        if !size.is_power_of_two() || size > limits.size.min(spec::MAX_SIZE) {
            return Err(RingError::BadSize(size));
        }
        // Both the device address and our own must be aligned: the former is what 2.7 asks for,
        // the latter is what makes our accesses whole.
        let part = |which, addr: u64, len, align: usize| {
            let window =
                memory.translate(addr, len).map_err(|_| RingError::NotMapped(which, addr))?;
            let aligned = addr.is_multiple_of(align as u64)
                && (window.base().as_ptr() as usize).is_multiple_of(align);
            if aligned { Ok(window) } else { Err(RingError::Misaligned(which, addr)) }
        };
        let ring = Self {
            desc: part(Part::Descriptors, layout.desc, spec::desc_bytes(size), 16)?,
            avail: part(Part::Available, layout.avail, spec::avail_bytes(size) - 2, 2)?,
            used: part(Part::Used, layout.used, spec::used_bytes(size) - 2, 4)?,
            size,
            limits,
            next_avail: 0,
            seen_avail: 0,
            next_used: 0,
            published: 0,
            quiet: false,
        };
        ring.write_used_flags(0);
        Ok(ring)
    }

    /// Number of entries.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Takes the next available chain and returns the index of its first descriptor.
    ///
    /// The client's index is only read when all entries known so far have been taken.
    ///
    /// # Errors
    ///
    /// [`RingError::AvailableJump`] or [`RingError::HeadRange`].
    pub fn pop(&mut self) -> Result<Option<u16>, RingError> {
        if self.next_avail == self.seen_avail && !self.look()? {
            return Ok(None);
        }
        let slot = usize::from(self.next_avail & (self.size - 1));
        let head = self.avail.read_u16(spec::AVAIL_RING + 2 * slot).ok_or(RingError::Lost)?;
        if head >= self.size {
            return Err(RingError::HeadRange(head));
        }
        self.next_avail = self.next_avail.wrapping_add(1);
        Ok(Some(head))
    }

    /// Whether a chain is available. After [`set_quiet(false)`](Self::set_quiet) this is the
    /// re-check that catches what the client added without notifying us (2.7.7).
    ///
    /// # Errors
    ///
    /// [`RingError::AvailableJump`].
    pub fn has_available(&mut self) -> Result<bool, RingError> {
        Ok(self.next_avail != self.seen_avail || self.look()?)
    }

    /// Reads the client's index; acquires, so that the entries up to it can be read.
    fn look(&mut self) -> Result<bool, RingError> {
        let index = self.avail.load_acquire_u16(spec::AVAIL_IDX).ok_or(RingError::Lost)?;
        let ahead = index.wrapping_sub(self.next_avail);
        if ahead > self.size {
            return Err(RingError::AvailableJump(ahead));
        }
        self.seen_avail = index;
        Ok(ahead != 0)
    }

    /// Walks the chain that starts at `head`, which [`pop`](Self::pop) returned.
    pub fn chain<'m, R>(&self, head: u16, memory: &'m ClientMemory<R>) -> Chain<'m, R> {
        Chain::new(self.desc, self.size, head, self.limits, memory)
    }

    /// Notes that the chain at `head` is done and `written` bytes were written to it. The client
    /// sees it after [`publish`](Self::publish).
    ///
    /// At most [`size`](Self::size) chains may be noted between two calls of `publish`; that holds
    /// by itself if each was popped before and no head is taken twice.
    pub fn push_used(&mut self, head: u16, written: u32) {
        let slot = usize::from(self.next_used & (self.size - 1));
        let at = spec::USED_RING + spec::USED_ELEM_SIZE * slot;
        // Inside by the check in `new`; a failed write could only lose the client's own answer.
        let _ = self.used.write_u32(at, u32::from(head));
        let _ = self.used.write_u32(at + 4, written);
        self.next_used = self.next_used.wrapping_add(1);
    }

    /// Shows all noted chains to the client, with one store of the index that releases everything
    /// written before (2.7.8.2). Returns how many there were.
    pub fn publish(&mut self) -> u16 {
        let new = self.next_used.wrapping_sub(self.published);
        if new != 0 {
            let _ = self.used.store_release_u16(spec::USED_IDX, self.next_used);
            self.published = self.next_used;
        }
        new
    }

    /// Whether the client wants an interrupt for what was published (2.7.7).
    ///
    /// The full fence between our store of the index and this load is what makes the protocol
    /// work: either we see that the client wants an interrupt, or the client, which sets the flag
    /// and then looks at the index once more, sees the index.
    pub fn needs_interrupt(&self) -> bool {
        fence(Ordering::SeqCst);
        let flags = self.avail.read_u16(spec::AVAIL_FLAGS).unwrap_or(0);
        flags & spec::AVAIL_F_NO_INTERRUPT == 0
    }

    /// Asks the client not to notify us (`true`), or to do so again (2.7.8). Returns whether that
    /// is a change.
    ///
    /// After `false` a full fence and [`has_available`](Self::has_available) are needed, else a
    /// chain that the client added meanwhile is lost; the fence is here.
    pub fn set_quiet(&mut self, quiet: bool) -> bool {
        if self.quiet == quiet {
            return false;
        }
        self.quiet = quiet;
        self.write_used_flags(if quiet { spec::USED_F_NO_NOTIFY } else { 0 });
        if !quiet {
            fence(Ordering::SeqCst);
        }
        true
    }

    /// Whether the client has been asked not to notify.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    fn write_used_flags(&self, flags: u16) {
        // Inside by the check in `new`.
        let _ = self.used.write_u16(spec::USED_FLAGS, flags);
    }
}

#[cfg(test)]
mod tests;
