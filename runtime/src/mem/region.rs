//! Parts of the address space that this program owns.

use core::ptr::NonNull;

use super::rm::Rm;
use super::{Dataspace, SharedMem};
use crate::abi::rm::{Attach, flags};
use crate::abi::{PAGE_SHIFT, PAGE_SIZE, page_up};
use crate::cap::{Held, Object};
use crate::{Error, Result};

/// How a dataspace is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachOptions {
    /// First byte of the dataspace that is wanted; rounded down to a page.
    pub offset: u64,
    /// Bytes from there on; rounded up to pages.
    pub size: usize,
    /// Whether the memory is written to.
    pub writable: bool,
    /// Whether the processor must not cache it: device registers.
    pub uncached: bool,
    /// Whether all pages are mapped now instead of on first touch. Not for parts of a vbus, whose
    /// resources need not start at pages.
    pub eager: bool,
    /// log2 of the alignment of the address.
    pub align: u8,
}

impl AttachOptions {
    /// The first `size` bytes, readable and writable, mapped on first touch.
    pub const fn memory(size: usize) -> Self {
        Self {
            offset: 0,
            size,
            writable: true,
            uncached: false,
            eager: false,
            align: PAGE_SHIFT as u8,
        }
    }

    /// Device registers: `size` bytes from `offset` on, uncached.
    pub const fn registers(offset: u64, size: usize) -> Self {
        Self { offset, uncached: true, ..Self::memory(size) }
    }

    /// The same, but read-only.
    pub const fn read_only(self) -> Self {
        Self { writable: false, ..self }
    }

    /// The same, with all pages mapped now.
    pub const fn eager(self) -> Self {
        Self { eager: true, ..self }
    }

    const fn flags(&self) -> u32 {
        let mut f = flags::R | flags::SEARCH_ADDR;
        if self.writable {
            f |= flags::W;
        }
        if self.uncached {
            f |= flags::UNCACHED;
        }
        f | if self.eager { flags::EAGER_MAP } else { flags::NO_EAGER_MAP }
    }
}

/// A dataspace, or a part of one, in the address space. Dropping it detaches and unmaps.
///
/// The windows that [`mem`](Self::mem) yields live no longer than the region:
///
/// ```compile_fail,E0597
/// use l4re_runtime::mem::{AttachOptions, Backing, Dataspace, Region, SharedMem};
///
/// fn window(size: usize) -> l4re_runtime::Result<Option<SharedMem<'static>>> {
///     let memory = Dataspace::create(size, Backing::Plain)?;
///     let region = Region::attach(memory, &AttachOptions::memory(size))?;
///     let window: Option<SharedMem<'static>> = region.mem();
///     Ok(window)
/// }
/// ```
#[derive(Debug)]
pub struct Region {
    /// First wanted byte; the mapping starts at its page.
    base: NonNull<u8>,
    /// Wanted bytes.
    len: usize,
    writable: bool,
    dataspace: Held<Dataspace>,
}

impl Region {
    /// Attaches a dataspace at a free address. The dataspace stays for as long as the region: the
    /// region mapper needs its capability for every page that is touched for the first time.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] for nothing at all or a size that overflows; what the region mapper
    /// answers, for example [`Error::NOMEM`] without a free address range.
    pub fn attach(
        dataspace: impl Into<Held<Dataspace>>,
        options: &AttachOptions,
    ) -> Result<Region> {
        let dataspace = dataspace.into();
        let in_page = (options.offset % PAGE_SIZE as u64) as usize;
        let size = options.size.checked_add(in_page).and_then(page_up).ok_or(Error::INVAL)?;
        if options.size == 0 {
            return Err(Error::INVAL);
        }
        let start = Rm::own().attach(&Attach {
            start: 0,
            size,
            flags: options.flags(),
            offset: options.offset - in_page as u64,
            align: options.align.max(PAGE_SHIFT as u8),
            client_cap: dataspace.sel(),
        })?;
        let base = start.checked_add(in_page).ok_or(Error::FAULT)?;
        let base = NonNull::new(base as *mut u8).ok_or(Error::FAULT)?;
        Ok(Region { base, len: options.size, writable: options.writable, dataspace })
    }

    /// The memory, if it was attached writable.
    pub fn mem(&self) -> Option<SharedMem<'_>> {
        // SAFETY: the region mapper attached these bytes, readable and writable, at an address
        // range that was free, and nothing but this window and its copies refers to them. They
        // stay attached until the region is dropped, which it cannot be while it is borrowed.
        self.writable.then(|| unsafe { SharedMem::new(self.base, self.len) })
    }

    /// The memory, if it was attached writable, for the rest of the program: the region is never
    /// detached.
    pub fn leak(self) -> Option<SharedMem<'static>> {
        let region = core::mem::ManuallyDrop::new(self);
        // SAFETY: the region is not dropped any more.
        region.mem().map(|mem| unsafe { mem.unbounded() })
    }

    /// Reads bytes. `None` if they are not all inside.
    pub fn read_bytes(&self, offset: usize, out: &mut [u8]) -> Option<()> {
        if offset.checked_add(out.len())? > self.len {
            return None;
        }
        for (i, b) in out.iter_mut().enumerate() {
            // SAFETY: inside of the region as just checked; it is attached readable for as long
            // as `self` lives.
            *b = unsafe { self.base.as_ptr().add(offset + i).read_volatile() };
        }
        Some(())
    }

    /// Address of the first byte.
    pub fn address(&self) -> usize {
        self.base.as_ptr() as usize
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it; never the case.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is attached here.
    pub fn dataspace(&self) -> &Dataspace {
        &self.dataspace
    }
}

// SAFETY: the region is a range of addresses of the task, which all threads share; it has no
// interior that a thread could own.
unsafe impl Send for Region {}
// SAFETY: as for `Send`; `read_bytes` reads volatile.
unsafe impl Sync for Region {}

impl Drop for Region {
    fn drop(&mut self) {
        let start = self.address() & !(PAGE_SIZE - 1);
        let size = page_up(self.address() - start + self.len).unwrap_or(self.len);
        if let Err(e) = Rm::own().detach(start, size) {
            // Nothing uses the range any more; all that is lost is address space.
            log::warn!("cannot detach the region at {start:#x}: {e}");
        }
    }
}

/// A range of addresses that is kept free of everything that does not ask for it. Dropping it
/// gives the range back.
#[derive(Debug)]
pub struct Area {
    start: usize,
    size: usize,
}

impl Area {
    /// Reserves `size` bytes (rounded up to pages) somewhere.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] or what else the region mapper answers.
    pub fn anywhere(size: usize) -> Result<Area> {
        let size = page_up(size).filter(|s| *s > 0).ok_or(Error::INVAL)?;
        let start = Rm::own().reserve(0, size, flags::SEARCH_ADDR)?;
        Ok(Area { start, size })
    }

    /// Reserves the range from `start` on, which must be free.
    ///
    /// # Errors
    ///
    /// What the region mapper answers if it is not.
    pub fn at(start: usize, size: usize) -> Result<Area> {
        let start = Rm::own().reserve(start, size, 0)?;
        Ok(Area { start, size })
    }

    /// First address.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Attaches `size` bytes of memory at an address inside, for the rest of the program or until
    /// [`detach`](Self::detach).
    ///
    /// # Errors
    ///
    /// [`Error::RANGE`] if they are not inside, or what the region mapper answers.
    pub(crate) fn attach(&self, at: usize, dataspace: &Dataspace, size: usize) -> Result<()> {
        let end = at.checked_add(size).ok_or(Error::RANGE)?;
        if at < self.start || end > self.start + self.size {
            return Err(Error::RANGE);
        }
        let attach = Attach {
            start: at,
            size,
            flags: flags::RW | flags::IN_AREA | flags::NO_EAGER_MAP,
            offset: 0,
            align: PAGE_SHIFT as u8,
            client_cap: dataspace.sel(),
        };
        let got = Rm::own().attach(&attach)?;
        if got == at { Ok(()) } else { Err(Error::ADDRNOTAVAIL) }
    }

    /// Detaches what [`attach`](Self::attach) attached.
    ///
    /// # Errors
    ///
    /// What the region mapper answers.
    pub(crate) fn detach(&self, at: usize, size: usize) -> Result<()> {
        Rm::own().detach(at, size)
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // All that is lost when this fails is address space.
        let _ = Rm::own().free(self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::Utcb;
    use crate::arch::host::{Call, Kernel, with_kernel};
    use crate::cap::CapRef;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::vec::Vec;

    /// A region mapper that attaches everything at one address and keeps what it was asked.
    fn mapper(detach_label: isize) -> (Rc<RefCell<Vec<Vec<usize>>>>, impl Kernel) {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = seen.clone();
        (seen, move |call: Call, utcb: Utcb| {
            let tag = Tag(call.tag);
            let words: Vec<usize> =
                (0..tag.words() + 2 * tag.items()).map(|i| utcb.mr(i)).collect();
            log.borrow_mut().push(words);
            utcb.set_mr(0, 0x80_0000);
            (Tag::new(if tag.label() == 0x4005 { detach_label } else { 0 }, 1, 0).0, 0)
        })
    }

    #[test]
    fn registers_inside_of_a_page_are_attached_by_their_page() {
        let (seen, kernel) = mapper(8);
        with_kernel(kernel, || {
            let ds = CapRef::<Dataspace>::to(Sel(0x9000));
            let r = Region::attach(ds, &AttachOptions::registers(0xa00_3e00, 0x200)).unwrap();
            assert_eq!((r.address(), r.len()), (0x80_0e00, 0x200));
        });
        let flags = 0x20 | 6 | 0x2_0000 | 0x10_0000;
        let seen = seen.borrow();
        let attach = [0, 0, 0x1000, flags, 0xa00_3000, 12, 0x9000, 1, 0, 0, 8, 0x9035];
        assert_eq!(seen[0], attach);
        assert_eq!(seen[1], [1, 0x80_0000, 0x1000, 1], "detached by its pages");
        assert_eq!(seen.len(), 2, "and unmapped by the region mapper");
    }

    #[test]
    fn pages_that_the_region_mapper_leaves_are_unmapped() {
        let (seen, kernel) = mapper(0);
        with_kernel(kernel, || {
            let ds = CapRef::<Dataspace>::to(Sel(0x9000));
            drop(Region::attach(ds, &AttachOptions::memory(0x3000)).unwrap());
        });
        let unmapped: Vec<usize> = seen.borrow()[2..].iter().map(|w| w[2]).collect();
        assert_eq!(unmapped, [0x80_0000 | 13 << 6 | 0x17, 0x80_2000 | 12 << 6 | 0x17]);
    }

    #[test]
    fn nonsense_sizes_are_refused_without_a_call() {
        for (offset, size) in [(0, 0), (1, usize::MAX), (u64::MAX, usize::MAX - 10)] {
            let ds = CapRef::<Dataspace>::to(Sel(0x9000));
            let options = AttachOptions { offset, ..AttachOptions::memory(size) };
            assert_eq!(Region::attach(ds, &options).map(drop), Err(Error::INVAL));
        }
    }

    #[test]
    fn read_only_regions_offer_no_window() {
        let (_, kernel) = mapper(8);
        with_kernel(kernel, || {
            let ds = CapRef::<Dataspace>::to(Sel(0x9000));
            let r = Region::attach(ds, &AttachOptions::memory(8).read_only()).unwrap();
            assert!(r.mem().is_none());
            assert_eq!(r.read_bytes(1, &mut [0; 8]), None, "behind the end");
        });
    }
}
