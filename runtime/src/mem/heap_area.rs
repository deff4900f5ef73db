//! Where the heap of the program lives: a reserved range of addresses that is filled from its
//! start, one dataspace behind the other.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::heap::Backing;
use super::region::Area;
use super::{Dataspace, dataspace};

/// The range and how far it is filled.
#[derive(Debug)]
pub struct HeapArea {
    limit: usize,
    area: Option<Area>,
    used: usize,
}

impl HeapArea {
    /// Nothing is reserved before the first use.
    pub(super) const fn new() -> Self {
        Self { limit: 64 * 1024 * 1024, area: None, used: 0 }
    }

    /// Sets how many bytes are reserved; without effect after the first use.
    pub(super) fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }
}

// SAFETY: each piece is a dataspace of its own that nobody else knows, attached writable for the
// rest of the program at the address behind the piece before, inside of a range that the region
// mapper gives to nobody else.
unsafe impl Backing for HeapArea {
    fn more(&mut self, bytes: usize) -> Option<NonNull<[u8]>> {
        let area = match &mut self.area {
            Some(area) => area,
            none => none.insert(Area::anywhere(self.limit).ok()?),
        };
        let at = area.start() + self.used;
        let memory = Dataspace::create(bytes, dataspace::Backing::Plain).ok()?;
        area.attach(at, &memory, bytes).ok()?;
        // The heap never shrinks, and the region mapper needs the capability for ever.
        let _stays = ManuallyDrop::new(memory);
        self.used += bytes;
        Some(NonNull::slice_from_raw_parts(NonNull::new(at as *mut u8)?, bytes))
    }
}
