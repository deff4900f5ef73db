//! A client's dataspaces, mapped for the server and for the device.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use super::guard::Guarded;
use super::message::Range;
use crate::abi::PAGE_SIZE;
use crate::cap::{Cap, CapRef, Object, Task};
use crate::mem::{
    AttachOptions, Dataspace, DmaDomain, DmaMapping, DmaRun, Region, SharedMem, heap,
};
use crate::serve::memory::MemoryOwner;
use crate::{Error, Result};

/// Bytes that registration needs at most for a piece of a dataspace: a run in the list that is made,
/// in the one that is kept, and in copies of both while they grow.
const ROOM_FOR_PIECE: usize = 6 * size_of::<DmaRun>();
/// Bytes that are left for everything else when memory runs out.
const ROOM_TO_SPARE: usize = 64 * 1024;

/// Which dataspaces clients may register.
///
/// A dataspace can be taken away from under those who use it, by whoever has the right to delete
/// it. We survive that (see `guard`); the device may go on writing where the memory
/// was. Where clients are not trusted that far, the dataspaces that they may use are listed
/// (`--register-ds`).
#[derive(Debug, Default)]
pub struct TrustedDataspaces {
    list: Vec<CapRef<Dataspace>>,
}

impl TrustedDataspaces {
    /// Adds a dataspace to the list. With an empty list all are accepted.
    pub fn add(&mut self, dataspace: CapRef<Dataspace>) {
        self.list.push(dataspace);
    }

    /// Whether a dataspace may be registered.
    ///
    /// # Errors
    ///
    /// [`Error::PERM`] if it may not.
    pub fn check(&self, dataspace: &Dataspace) -> Result<()> {
        let same = |known: &CapRef<Dataspace>| {
            Task::own().cap_equal(known.sel(), dataspace.sel()).unwrap_or(false)
        };
        if self.list.is_empty() || self.list.iter().any(same) { Ok(()) } else { Err(Error::PERM) }
    }
}

/// How many dataspaces were mapped for, and unmapped from, devices.
#[derive(Debug, Default)]
pub(super) struct MapCounters {
    pub maps: Cell<u64>,
    pub unmaps: Cell<u64>,
}

/// A registered dataspace. What it holds goes in this order: the device's access first, then ours,
/// then, with the region, the capability.
#[derive(Debug)]
pub struct Registered {
    _dma: DmaMapping,
    guarded: Guarded,
    region: Region,
    counters: Rc<MapCounters>,
}

impl MemoryOwner for Registered {
    /// A page of it was found missing, or the dataspace is gone: deleted by the client, or with the
    /// task that made it. The kernel empties all slots of an object before anybody can get its
    /// memory, so our own slot tells.
    fn is_lost(&self) -> bool {
        self.guarded.is_lost() || !self.region.dataspace().is_there()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.counters.unmaps.set(self.counters.unmaps.get() + 1);
    }
}

/// What registration needs to know of a dataspace that was mapped.
pub(super) struct Mapped {
    pub window: SharedMem<'static>,
    pub runs: Vec<DmaRun>,
    pub owner: Registered,
}

/// Maps a part of a client's dataspace for reading and writing by us and by the device.
///
/// # Errors
///
/// [`Error::RANGE`] if the dataspace does not have these bytes, [`Error::ACCESS`] if it is
/// read-only, or what its server, the region mapper or the DMA space answer. Whatever the
/// capability is, it is given up then.
pub(super) fn map(
    dataspace: Cap<Dataspace>,
    range: &Range,
    domain: &DmaDomain,
    counters: &Rc<MapCounters>,
) -> Result<Mapped> {
    let end = range.offset.checked_add(range.size).ok_or(Error::RANGE)?;
    let size = usize::try_from(range.size).map_err(|_| Error::RANGE)?;
    // Memory is mapped by pages; what is in front of the range in its first page is nobody's
    // business but the client's, who cannot name it by a device address.
    let before = (range.offset % PAGE_SIZE as u64) as usize;
    let whole = size.checked_add(before).ok_or(Error::RANGE)?;
    // A capability may lead anywhere, for example to a client that never answers. The DMA space
    // takes only dataspaces of its own server, so after this it leads there.
    let dma = domain.map(&dataspace, range.offset - before as u64, whole)?;
    let info = dataspace.info()?;
    if end > info.size {
        return Err(Error::RANGE);
    }
    if !info.writable {
        return Err(Error::ACCESS);
    }
    // Whoever has a dataspace in small pieces can register it many times.
    if !heap::has_room(dma.pieces() * ROOM_FOR_PIECE + ROOM_TO_SPARE) {
        return Err(Error::NOMEM);
    }
    let runs = runs_from(&dma, before as u64, whole as u64);
    let options = AttachOptions { offset: range.offset, ..AttachOptions::memory(size) };
    let region = Region::attach(dataspace, &options.eager())?;
    // SAFETY: the owner below has the region, and stays as long as the entry of the window in the
    // client's table, out of which everybody takes parts of it: rings and requests are given up
    // before the table is cleared.
    let window = unsafe { region.mem().ok_or(Error::ACCESS)?.unbounded() };
    counters.maps.set(counters.maps.get() + 1);
    // Its server was asked for its size and has answered, so the guard may ask it as well.
    let guarded = Guarded::new(&region, range.offset);
    let owner = Registered { _dma: dma, guarded, region, counters: counters.clone() };
    Ok(Mapped { window, runs, owner })
}

/// The runs of a mapping without its first `before` bytes, which are less than a page.
fn runs_from(dma: &DmaMapping, before: u64, whole: u64) -> Vec<DmaRun> {
    let runs = dma.runs(whole).into_iter();
    runs.map(|run| run.without_first(before)).filter(|r| r.len > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::Utcb;
    use crate::arch::host::{Call, Kernel, with_kernel};
    use crate::cap::{SLOTS, Slot};
    use crate::mem::DmaSpace;
    use std::cell::RefCell;

    #[test]
    fn runs_start_where_the_range_does() {
        let first = DmaRun { offset: 0, len: 0x1000, addr: 0x9000 };
        let cut = DmaRun { offset: 0, len: 0xff0, addr: 0x9010 };
        assert_eq!((first.without_first(0x10), first.without_first(0)), (cut, first));
        let second = DmaRun { offset: 0x1000, len: 0x2000, addr: 0x4000 };
        assert_eq!(second.without_first(0x10), DmaRun { offset: 0xff0, ..second });
    }

    /// What was called: the protocol, and the opcode.
    type Seen = Rc<RefCell<Vec<(isize, usize)>>>;

    /// Servers of a dataspace of `size` bytes with `flags`, of a region mapper, and of a DMA space
    /// that answers with `dma`.
    fn servers(size: usize, flags: usize, dma: isize) -> (Seen, impl Kernel) {
        let seen = Seen::default();
        let log = seen.clone();
        (seen, move |call: Call, utcb: Utcb| {
            let protocol = Tag(call.tag).label();
            log.borrow_mut().push((protocol, utcb.mr(0)));
            match (protocol, utcb.mr(0)) {
                // Everything is contiguous from 1 GiB on.
                (0x4008, 0) => {
                    let (offset, len) = (utcb.mr(1), utcb.mr(2));
                    utcb.set_mr(0, len);
                    utcb.set_mr(1, 0x4000_0000 + offset);
                    (Tag::new(dma, 2, 0).0, 0)
                }
                (0x4000, 2) => {
                    utcb.set_mr(0, size);
                    utcb.set_mr(1, flags);
                    (Tag::new(0, 2, 0).0, 0)
                }
                (0x4005, 0) => {
                    utcb.set_mr(0, 0x80_0000);
                    (Tag::new(0, 1, 0).0, 0)
                }
                (0x4005, 1) => (Tag::new(8, 3, 0).0, 0),
                _ => (Tag::new(0, 0, 0).0, 0),
            }
        })
    }

    fn map_with(kernel: impl Kernel + 'static, range: Range) -> Result<Vec<DmaRun>> {
        SLOTS.start_at(0x418);
        with_kernel(kernel, || {
            let slot = || Slot::alloc().unwrap();
            let domain = DmaDomain::new(slot().into_cap::<DmaSpace>(), true);
            let counters = Rc::new(MapCounters::default());
            let mapped = map(slot().into_cap(), &range, &domain, &counters)?;
            assert_eq!(mapped.window.len() as u64, range.size);
            assert_eq!((counters.maps.get(), counters.unmaps.get()), (1, 0));
            let runs = mapped.runs.clone();
            drop(mapped);
            assert_eq!(counters.unmaps.get(), 1);
            Ok(runs)
        })
    }

    const RW: usize = 6;

    #[test]
    fn what_was_mapped_is_unmapped_in_the_right_order() {
        let (seen, kernel) = servers(0x8000, RW, 0);
        let range = Range { base: 0, offset: 0x1010, size: 0x2000 };
        let runs = map_with(kernel, range).unwrap();
        assert_eq!(runs, [DmaRun { offset: 0, len: 0x2000, addr: 0x4000_1010 }]);
        let seen = seen.borrow();
        let at = |what| seen.iter().position(|s| *s == what);
        assert_eq!(at((0x4008, 0)), Some(0), "the DMA space says whose dataspace it is");
        assert!(at((0x4008, 1)) < at((0x4005, 1)), "first the device loses access");
        assert!(at((0x4005, 1)).unwrap() < seen.len() - 1, "the capability goes last");
        assert_eq!(seen.last(), Some(&(-11, 1)));
    }

    #[test]
    fn a_dataspace_of_somebody_else_is_never_called() {
        let (seen, kernel) = servers(0x8000, RW, -22);
        let range = Range { base: 0, offset: 0, size: 0x1000 };
        assert_eq!(map_with(kernel, range), Err(Error::INVAL));
        assert!(seen.borrow().iter().all(|(protocol, _)| *protocol != 0x4000));
    }

    #[test]
    fn claims_beyond_the_end_and_read_only_memory_are_refused_without_a_trace() {
        let end = Range { base: 0, offset: 0x7000, size: 0x1001 };
        let wrap = Range { base: 0, offset: u64::MAX - 4, size: 8 };
        let small = Range { base: 0, offset: 0, size: 0x1000 };
        for (range, flags, error) in
            [(end, RW, Error::RANGE), (wrap, RW, Error::RANGE), (small, 4, Error::ACCESS)]
        {
            let (seen, kernel) = servers(0x8000, flags, 0);
            assert_eq!(map_with(kernel, range), Err(error));
            let seen = seen.borrow();
            let count = |what| seen.iter().filter(|s| **s == what).count();
            assert_eq!(count((0x4008, 0)), count((0x4008, 1)), "mapped as often as unmapped");
            assert_eq!(count((0x4005, 0)), 0, "never in our address space");
        }
    }

    #[test]
    fn only_listed_dataspaces_are_trusted() {
        let kernel = |_: Call, utcb: Utcb| {
            let same = utcb.mr(1) == utcb.mr(2);
            (Tag::new(same.into(), 0, 0).0, 0)
        };
        with_kernel(kernel, || {
            let mut trust = TrustedDataspaces::default();
            let (listed, other) = (Dataspace::at(Sel(0x7000)), Dataspace::at(Sel(0x8000)));
            assert_eq!(trust.check(&other), Ok(()), "without a list all are");
            trust.add(CapRef::to(Sel(0x7000)));
            assert_eq!(trust.check(&listed), Ok(()));
            assert_eq!(trust.check(&other), Err(Error::PERM));
        });
    }
}
