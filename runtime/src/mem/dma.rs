//! DMA spaces: memory as devices see it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use log::Level;
use spin::Mutex;

use super::{AttachOptions, Backing, Dataspace, DmaAllocator, DmaBuffer, Region, SharedMem};
use crate::abi::cap::{Sel, rights};
use crate::abi::dma as op;
use crate::abi::item::SendItem;
use crate::abi::rpc::Reader;
use crate::abi::{page_up, proto};
use crate::cap::{Cap, Factory, Object, Task, object};
use crate::ipc::{self, Msg, Window};
use crate::log::{Source, limited};
use crate::{Error, Result};

object! {
    /// An address space of one or several devices.
    DmaSpace
}

/// Most pieces that one mapping may consist of. Servers map what is contiguous in one piece, so
/// only a server that answers nonsense comes near.
const MAX_RUNS: usize = 1 << 16;

/// A part of a mapping that is contiguous for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaRun {
    /// Where it starts, in bytes from the start of the mapping.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Its DMA address.
    pub addr: u64,
}

/// One map request as it was answered; unmapped the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    addr: u64,
    len: usize,
}

impl DmaSpace {
    /// Makes a DMA space. Before it can map anything it has to be bound to a device (see
    /// [`crate::bus`]).
    ///
    /// # Errors
    ///
    /// What the memory allocator answers.
    pub fn create() -> Result<Cap<DmaSpace>> {
        Factory::at(crate::cap::initial().mem_alloc).create(proto::DMA_SPACE, &[])
    }

    /// Maps memory of `dataspace` from `offset` on and returns DMA address and length of what is
    /// mapped contiguously, which can be less than `size`.
    fn map(&self, dataspace: &Dataspace, offset: u64, size: usize) -> Result<Piece> {
        let mut msg = Msg::new();
        let words = op::map(msg.words_mut(), offset, size).ok_or(Error::MSGTOOLONG)?;
        msg.set_len(words);
        msg.push_item(SendItem::cap(dataspace.sel(), rights::RWS, 0));
        ipc::call(self.sel(), proto::DMA_SPACE, &mut msg, Window::None)?;
        let mut r = Reader::new(msg.words());
        let (len, addr) = r.word().zip(r.u64()).ok_or(Error::MSGTOOSHORT)?;
        Ok(Piece { addr, len })
    }

    fn unmap(&self, piece: Piece) -> Result<()> {
        let mut msg = Msg::new();
        let words = op::unmap(msg.words_mut(), piece.addr, piece.len).ok_or(Error::MSGTOOLONG)?;
        msg.set_len(words);
        ipc::call(self.sel(), proto::DMA_SPACE, &mut msg, Window::None).map(drop)
    }
}

/// The DMA address space of a device (or of several that share one), from which drivers get memory
/// and into which dataspaces of clients are mapped. Copies are the same domain.
#[derive(Clone, Debug)]
pub struct DmaDomain {
    space: Arc<Cap<DmaSpace>>,
    coherent: bool,
    mappings: Arc<Mutex<Mappings>>,
}

/// What is mapped in a domain, by the dataspaces' slots.
type Mappings = Vec<(Sel, Arc<Mapped>)>;

/// A part of a dataspace in a DMA space; unmapped when nobody uses it any more.
#[derive(Debug)]
struct Mapped {
    space: Arc<Cap<DmaSpace>>,
    /// Where in the dataspace it starts.
    offset: u64,
    /// Its size in bytes, whole pages.
    size: usize,
    pieces: Vec<Piece>,
}

impl Drop for Mapped {
    fn drop(&mut self) {
        for piece in &self.pieces {
            if let Err(e) = self.space.unmap(*piece) {
                let text = format_args!("cannot unmap DMA address {:#x}: {e}", piece.addr);
                limited(Source::Client, Level::Warn, text);
            }
        }
    }
}

impl DmaDomain {
    /// Uses a space that is bound to its device.
    ///
    /// `coherent` says whether the device sees what the processor has in its caches, as PCI
    /// devices and the virtual devices of an emulator do. Otherwise the driver's own memory is
    /// mapped uncached.
    pub fn new(space: Cap<DmaSpace>, coherent: bool) -> Self {
        Self { space: Arc::new(space), coherent, mappings: Arc::default() }
    }

    /// The space.
    pub fn space(&self) -> &DmaSpace {
        &self.space
    }

    /// Makes `size` bytes (rounded up to pages) of `dataspace` from `offset` on accessible to the
    /// device, in as many pieces as it takes. The memory must be pinned, and `dataspace` must stay
    /// for as long as the mapping.
    ///
    /// DMA spaces of L4Re refuse to map memory that is mapped already, as when a guest uses its
    /// memory with two disks of one server. The mapping that is there is then used by both.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] for an empty or overflowing range or a space without a device;
    /// [`Error::NOMEM`] if the server makes no progress or needs absurdly many pieces;
    /// [`Error::EXIST`] if a part of the memory is mapped already, and no mapping has all of it;
    /// what the server answers. Nothing stays mapped after an error.
    pub fn map(&self, dataspace: &Dataspace, offset: u64, size: usize) -> Result<DmaMapping> {
        let size = page_up(size).filter(|s| *s > 0).ok_or(Error::INVAL)?;
        offset.checked_add(size as u64).ok_or(Error::INVAL)?;
        let mapped = match self.map_new(dataspace, offset, size) {
            Err(Error::EXIST) => self.mapped(dataspace, offset, size).ok_or(Error::EXIST)?,
            new => Arc::new(new?),
        };
        let skip = offset.saturating_sub(mapped.offset);
        self.mappings.lock().push((dataspace.sel(), mapped.clone()));
        Ok(DmaMapping { domain: self.clone(), dataspace: dataspace.sel(), mapped, skip })
    }

    fn map_new(&self, dataspace: &Dataspace, offset: u64, size: usize) -> Result<Mapped> {
        let space = self.space.clone();
        let mut mapped = Mapped { space, offset, size, pieces: Vec::new() };
        let mut done = 0;
        while done < size {
            // Room first: what is mapped must be noted, or it stays mapped.
            if mapped.pieces.len() == MAX_RUNS || mapped.pieces.try_reserve(1).is_err() {
                return Err(Error::NOMEM);
            }
            let piece = self.space.map(dataspace, offset + done as u64, size - done)?;
            if piece.len == 0 {
                return Err(Error::NOMEM);
            }
            // Servers round up to what they have; what is behind our range is none of our runs.
            done = done.saturating_add(piece.len);
            mapped.pieces.push(piece);
        }
        mapped.check_addresses()?;
        Ok(mapped)
    }

    /// The mapping that has these bytes of the dataspace, which may be known by another capability.
    fn mapped(&self, dataspace: &Dataspace, offset: u64, size: usize) -> Option<Arc<Mapped>> {
        let mappings = self.mappings.lock();
        let found = mappings.iter().find(|(sel, mapped)| {
            let inside = offset
                .checked_sub(mapped.offset)
                .is_some_and(|skip| skip.saturating_add(size as u64) <= mapped.size as u64);
            inside && Task::own().cap_equal(*sel, dataspace.sel()).unwrap_or(false)
        });
        found.map(|(_, mapped)| mapped.clone())
    }
}

impl Mapped {
    /// Refuses answers that wrap around the end of the device's address space.
    fn check_addresses(&self) -> Result<()> {
        let sane = |p: &Piece| p.addr.checked_add(p.len.min(self.size) as u64).is_some();
        if self.pieces.iter().all(sane) { Ok(()) } else { Err(Error::RANGE) }
    }
}

/// Memory that is mapped for a device; unmapped when this is dropped, and every other mapping of
/// the same memory.
#[derive(Debug)]
pub struct DmaMapping {
    domain: DmaDomain,
    dataspace: Sel,
    mapped: Arc<Mapped>,
    /// Bytes of `mapped` in front of this one.
    skip: u64,
}

impl DmaMapping {
    /// The contiguous parts of the first `size` bytes in order, neighbours joined.
    pub fn runs(&self, size: u64) -> Vec<DmaRun> {
        let all = merge(&self.mapped.pieces, size.saturating_add(self.skip));
        let runs = all.into_iter().map(|run| run.without_first(self.skip));
        runs.filter(|run| run.len > 0).collect()
    }

    /// Number of pieces in which the memory was mapped; there are at most as many runs.
    pub fn pieces(&self) -> usize {
        self.mapped.pieces.len()
    }
}

impl Drop for DmaMapping {
    fn drop(&mut self) {
        let mut mappings = self.domain.mappings.lock();
        let this = |(sel, mapped): &(Sel, Arc<Mapped>)| {
            *sel == self.dataspace && Arc::ptr_eq(mapped, &self.mapped)
        };
        if let Some(at) = mappings.iter().position(this) {
            mappings.swap_remove(at);
        }
    }
}

impl DmaRun {
    /// What is left of the run when the first `bytes` bytes of the whole mapping are not counted.
    pub(crate) fn without_first(self, bytes: u64) -> DmaRun {
        let skip = bytes.saturating_sub(self.offset).min(self.len);
        let offset = (self.offset + skip).saturating_sub(bytes);
        DmaRun { offset, len: self.len - skip, addr: self.addr + skip }
    }
}

/// Joins pieces that follow each other for the device as well, and cuts at `size`.
fn merge(pieces: &[Piece], size: u64) -> Vec<DmaRun> {
    let mut runs: Vec<DmaRun> = Vec::new();
    let mut offset = 0;
    for piece in pieces {
        let len = (piece.len as u64).min(size - offset);
        if len == 0 {
            break;
        }
        match runs.last_mut() {
            Some(last) if last.addr + last.len == piece.addr => last.len += len,
            _ => runs.push(DmaRun { offset, len, addr: piece.addr }),
        }
        offset += len;
    }
    runs
}

/// What an allocated buffer consists of, behind the number in its [`DmaBuffer`]. The fields are
/// dropped in this order: first the device loses access, then the memory goes.
struct Allocation {
    _mapping: DmaMapping,
    _region: Region,
}

/// Bytes that all domains of the program have given out and not got back.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

/// Bytes of memory that drivers of this program have from its DMA domains now, in whole pages.
/// Dataspaces that were only mapped for a device do not count.
pub fn dma_bytes() -> usize {
    ALLOCATED.load(Ordering::Relaxed)
}

impl DmaAllocator for DmaDomain {
    fn alloc(&self, bytes: usize) -> Result<DmaBuffer> {
        let size = page_up(bytes).filter(|s| *s > 0).ok_or(Error::INVAL)?;
        let memory = Dataspace::create(size, Backing::Contiguous)?;
        let mapping = self.map(&memory, 0, size)?;
        let [run] = mapping.runs(size as u64)[..] else { return Err(Error::NOMEM) };
        let options = AttachOptions { uncached: !self.coherent, ..AttachOptions::memory(size) };
        let region = Region::attach(memory, &options.eager())?;
        // SAFETY: the region goes into the parts of the buffer, which are kept until it is freed.
        let mem = unsafe { region.mem().ok_or(Error::ACCESS)?.unbounded() };
        mem.zero();
        ALLOCATED.fetch_add(mem.len(), Ordering::Relaxed);
        let parts = Box::new(Allocation { _mapping: mapping, _region: region });
        // SAFETY: the region and the mapping are in `parts`, which `free` gets.
        Ok(unsafe { DmaBuffer::from_parts(mem, run.addr, free, Box::into_raw(parts) as usize) })
    }
}

/// Frees an allocation when its [`DmaBuffer`] is dropped.
fn free(mem: SharedMem<'static>, _addr: u64, parts: usize) {
    ALLOCATED.fetch_sub(mem.len(), Ordering::Relaxed);
    // SAFETY: `alloc` made the number from a box, and a `DmaBuffer` calls this once.
    drop(unsafe { Box::from_raw(parts as *mut Allocation) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::tag::Tag;
    use crate::arch::Utcb;
    use crate::arch::host::{Call, Kernel, with_kernel};
    use crate::cap::Slot;
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    fn piece(addr: u64, len: usize) -> Piece {
        Piece { addr, len }
    }

    #[test]
    fn neighbours_become_one_run() {
        let p = [piece(0x1000, 0x1000), piece(0x2000, 0x2000), piece(0x9000, 0x4000)];
        let run = |offset, len, addr| DmaRun { offset, len, addr };
        assert_eq!(merge(&p, 0x5800), [run(0, 0x3000, 0x1000), run(0x3000, 0x2800, 0x9000)]);
        assert_eq!(merge(&p, 0x800), [run(0, 0x800, 0x1000)]);
        assert_eq!(merge(&p, 0), []);
    }

    proptest! {
        #[test]
        fn runs_cover_everything_once(lens in prop::collection::vec((1usize..9, 0u64..3), 1..40)) {
            let mut next = 0x10_0000;
            let pieces: Vec<Piece> = lens.iter().map(|&(pages, gap)| {
                let p = piece(next + gap * 0x1000, pages * 0x1000);
                next = p.addr + p.len as u64;
                p
            }).collect();
            let size: u64 = pieces.iter().map(|p| p.len as u64).sum();
            let runs = merge(&pieces, size);
            let mut at = 0;
            for r in &runs {
                prop_assert_eq!(r.offset, at);
                at += r.len;
            }
            prop_assert_eq!(at, size);
            for w in runs.windows(2) {
                prop_assert_ne!(w[0].addr + w[0].len, w[1].addr);
            }
        }
    }

    /// A server that maps at most `most` bytes at a time, and counts what is mapped.
    fn space(most: usize, mapped: Rc<RefCell<Vec<(usize, usize)>>>) -> impl Kernel {
        let mut next = 0x4000_0000;
        move |call: Call, utcb: Utcb| {
            if call.dest == 0x1003 {
                return (Tag::new(0, 0, 0).0, 0);
            }
            assert_eq!(Tag(call.tag).label(), 0x4008);
            if utcb.mr(0) == 0 {
                let len = utcb.mr(2).min(most);
                utcb.set_mr(0, len);
                utcb.set_mr(1, next);
                mapped.borrow_mut().push((next, len));
                next += len + 0x1000;
                (Tag::new(0, 2, 0).0, 0)
            } else {
                let what = (utcb.mr(1), utcb.mr(2));
                let mut mapped = mapped.borrow_mut();
                let at = mapped.iter().position(|m| *m == what).expect("mapped before");
                mapped.remove(at);
                (Tag::new(0, 0, 0).0, 0)
            }
        }
    }

    fn domain() -> DmaDomain {
        crate::cap::SLOTS.start_at(0x418);
        DmaDomain::new(Slot::alloc().unwrap().into_cap(), true)
    }

    #[test]
    fn memory_that_comes_in_pieces_is_mapped_and_unmapped_in_pieces() {
        let mapped = Rc::new(RefCell::new(Vec::new()));
        with_kernel(space(0x3000, mapped.clone()), || {
            let d = domain();
            let m = d.map(&Dataspace::at(Sel(0x9000)), 0x2000, 0x8000).unwrap();
            let lens: Vec<u64> = m.runs(0x8000).iter().map(|r| r.len).collect();
            assert_eq!(lens, [0x3000, 0x3000, 0x2000]);
            assert_eq!(mapped.borrow().len(), 3);
            drop(m);
            assert!(mapped.borrow().is_empty());
        });
    }

    /// A server that maps each byte once. Selectors with the same low digit are one dataspace.
    fn strict(mapped: Rc<RefCell<Vec<(usize, usize)>>>) -> impl Kernel {
        move |call: Call, utcb: Utcb| {
            let mut mapped = mapped.borrow_mut();
            match (Tag(call.tag).label(), utcb.mr(0)) {
                (0x4008, 0) => {
                    let (offset, len) = (utcb.mr(1), utcb.mr(2));
                    let addr = 0x4000_0000 + offset;
                    if mapped.iter().any(|(a, l)| addr < a + l && *a < addr + len) {
                        return (Tag::new(-17, 0, 0).0, 0);
                    }
                    mapped.push((addr, len));
                    utcb.set_mr(0, len);
                    utcb.set_mr(1, addr);
                    (Tag::new(0, 2, 0).0, 0)
                }
                (0x4008, _) => {
                    let what = (utcb.mr(1), utcb.mr(2));
                    let at = mapped.iter().position(|m| *m == what).expect("mapped before");
                    mapped.remove(at);
                    (Tag::new(0, 0, 0).0, 0)
                }
                (-11, 2) => {
                    let same = utcb.mr(1) >> 16 == utcb.mr(2) >> 16;
                    (Tag::new(same.into(), 0, 0).0, 0)
                }
                _ => (Tag::new(0, 0, 0).0, 0),
            }
        }
    }

    #[test]
    fn memory_that_is_mapped_already_is_used_by_both() {
        let mapped = Rc::new(RefCell::new(Vec::new()));
        with_kernel(strict(mapped.clone()), || {
            let d = domain();
            let [one, copy, other] = [0x9_0000, 0x9_1000, 0xa_0000].map(|s| Dataspace::at(Sel(s)));
            let first = d.map(&one, 0x2000, 0x4000).unwrap();
            let second = d.clone().map(&copy, 0x2000, 0x4000).unwrap();
            assert_eq!(first.runs(0x4000), second.runs(0x4000));
            let part = d.map(&copy, 0x3000, 0x2000).unwrap();
            let run = DmaRun { offset: 0, len: 0x1800, addr: 0x4000_3000 };
            assert_eq!(part.runs(0x1800), [run]);
            assert_eq!(mapped.borrow().len(), 1);
            for (ds, offset, size) in
                [(&copy, 0x5000, 0x2000), (&copy, 0, 0x3000), (&other, 0x2000, 8)]
            {
                let refused = d.map(ds, offset, size).map(drop);
                assert_eq!(refused, Err(Error::EXIST), "{offset:#x}");
            }
            drop(first);
            assert_eq!(mapped.borrow().len(), 1, "the others still use it");
            drop((second, part));
            assert!(mapped.borrow().is_empty());
            drop(d.map(&other, 0x2000, 8).unwrap());
        });
    }

    #[test]
    fn too_many_pieces_leave_nothing_mapped() {
        let mapped = Rc::new(RefCell::new(0));
        let count = mapped.clone();
        let kernel = move |call: Call, utcb: Utcb| {
            if Tag(call.tag).label() == 0x4008 {
                *count.borrow_mut() += if utcb.mr(0) == 0 { 1 } else { -1 };
                utcb.set_mr(0, 0x1000);
                utcb.set_mr(1, 0x4000_0000);
            }
            (Tag::new(0, 2, 0).0, 0)
        };
        with_kernel(kernel, || {
            let r = domain().map(&Dataspace::at(Sel(0x9000)), 0, (MAX_RUNS + 1) * 0x1000);
            assert_eq!(r.map(drop), Err(Error::NOMEM));
        });
        assert_eq!(*mapped.borrow(), 0);
    }

    #[test]
    fn a_server_without_progress_is_left() {
        let mapped = Rc::new(RefCell::new(Vec::new()));
        with_kernel(space(0, mapped), || {
            let r = domain().map(&Dataspace::at(Sel(0x9000)), 0, 0x1000);
            assert_eq!(r.map(drop).map_err(|e| e.number()), Err(Error::NOMEM.number()));
        });
    }
}
