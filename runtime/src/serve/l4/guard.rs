//! Memory of others, which they can take away at any moment.
//!
//! Whoever made a dataspace can delete it, or end, while somebody else reads it; the pages are gone
//! then, and the next access is a page fault that nobody can resolve, which ends the program. A
//! program that serves many clients must not end because one of them wants it to. So a thread of
//! its own takes the page faults of the serving thread ([`start`]): those in ranges that were
//! declared ([`Guarded`]) are resolved by the dataspace, or, if it is gone, by a page of zeros, which
//! leaves a mark; all others go on to the region mapper as if nothing stood in between.
//!
//! Kernels that let threads handle their own page faults (since 2026-06) ask no pager where the
//! loader has set that up; there the guard is never called, and faults end the program.

use alloc::boxed::Box;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use spin::Once;

use crate::abi::cap::Sel;
use crate::abi::fpage::{Fpage, mem};
use crate::abi::timeout::Timeout;
use crate::abi::{PAGE_SHIFT, PAGE_SIZE, proto};
use crate::cap::endpoint::{Endpoint, answer};
use crate::cap::{CapRef, Factory, Object, Thread};
use crate::env::thread::Builder;
use crate::ipc::{self, Label, Msg, Window};
use crate::mem::{Backing, Dataspace, Region, fault_handler};
use crate::{Error, Result};

/// Ranges in one piece of the table.
const PLACES: usize = 32;
/// Label of the gate that page faults come through.
const LABEL: usize = 0x10;
/// More than any scheduler allows, which cuts it: the guard is never kept waiting by those whose
/// faults it takes.
const PRIORITY: u8 = u8::MAX;
/// The guard only does calls.
const STACK: usize = 16 * 1024;

/// A range that is declared. The guard reads it while others change it: `start` is set last and
/// cleared first.
#[derive(Debug)]
struct Place {
    taken: AtomicBool,
    start: AtomicUsize,
    end: AtomicUsize,
    /// What is attached there, and from which offset on.
    dataspace: AtomicUsize,
    offset: AtomicU64,
    lost: AtomicBool,
}

/// A piece of the table. It grows and never shrinks, so that it can be read without a lock: who
/// holds a lock can fault.
#[derive(Debug)]
struct Table {
    places: [Place; PLACES],
    more: Once<Box<Table>>,
}

static TABLE: Table = Table::new();
/// Pages that were found missing so far.
static LOSSES: AtomicUsize = AtomicUsize::new(0);

impl Place {
    const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            dataspace: AtomicUsize::new(0),
            offset: AtomicU64::new(0),
            lost: AtomicBool::new(false),
        }
    }

    /// Maps the page of an address from the dataspace.
    fn map(&self, address: usize) -> Result<()> {
        let page = address & !(PAGE_SIZE - 1);
        let within = page.wrapping_sub(self.start.load(Ordering::Relaxed)) as u64;
        let dataspace = Dataspace::at(Sel(self.dataspace.load(Ordering::Relaxed)));
        let offset = self.offset.load(Ordering::Relaxed).wrapping_add(within);
        dataspace.map_at(offset, Fpage::memory(page, PAGE_SHIFT, mem::RW))
    }
}

impl Table {
    const fn new() -> Self {
        Self { places: [const { Place::new() }; PLACES], more: Once::new() }
    }

    fn free_place(&'static self) -> &'static Place {
        let mut table = self;
        loop {
            let free = |place: &&Place| !place.taken.swap(true, Ordering::AcqRel);
            if let Some(place) = table.places.iter().find(free) {
                return place;
            }
            table = table.more.call_once(|| Box::new(Table::new()));
        }
    }

    fn place_of(&'static self, address: usize) -> Option<&'static Place> {
        let mut table = Some(self);
        while let Some(piece) = table {
            let inside = |place: &&Place| {
                let start = place.start.load(Ordering::Acquire);
                start != 0 && start <= address && address < place.end.load(Ordering::Relaxed)
            };
            if let Some(place) = piece.places.iter().find(inside) {
                return Some(place);
            }
            table = piece.more.get().map(|more| &**more);
        }
        None
    }
}

/// A range of addresses in which memory of somebody else is mapped, all of it. Dropping it takes the
/// declaration back, before the memory is unmapped.
#[derive(Debug)]
pub struct Guarded(&'static Place);

impl Guarded {
    /// Declares the pages of a region that was attached, writable, with `offset` as the offset into
    /// the dataspace. The dataspace's server must be one that answers: the guard asks it for pages
    /// that are missing. The region must stay longer than what is returned.
    pub fn new(region: &Region, offset: u64) -> Guarded {
        let end = region.address() + region.len();
        Self::over(region.address()..end, region.dataspace().sel(), offset)
    }

    fn over(range: Range<usize>, dataspace: Sel, offset: u64) -> Guarded {
        let place = TABLE.free_place();
        let in_page = (range.start % PAGE_SIZE) as u64;
        place.lost.store(false, Ordering::Relaxed);
        place.dataspace.store(dataspace.0, Ordering::Relaxed);
        place.offset.store(offset.wrapping_sub(in_page), Ordering::Relaxed);
        place.end.store(range.end.next_multiple_of(PAGE_SIZE), Ordering::Relaxed);
        place.start.store(range.start & !(PAGE_SIZE - 1), Ordering::Release);
        Guarded(place)
    }

    /// Whether a page of it was found missing. What was read from it since is nothing that its
    /// owner has written.
    pub fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.0.start.store(0, Ordering::Release);
        self.0.taken.store(false, Ordering::Release);
    }
}

/// How many pages were found missing since the program has started: when the number has not changed,
/// no [`Guarded`] has become [lost](Guarded::is_lost).
#[inline]
pub fn losses() -> usize {
    LOSSES.load(Ordering::Acquire)
}

/// Starts the guard and sends it the page faults of `thread` from now on.
///
/// # Errors
///
/// [`Error::NOMEM`] when memory, quota or slots are used up; what the kernel answers.
pub fn start(thread: &Thread, factory: &Factory) -> Result<()> {
    let zeros = Dataspace::create(PAGE_SIZE, Backing::Plain)?;
    zeros.allocate(0, PAGE_SIZE as u64)?;
    let endpoint = Endpoint::new()?;
    let guard = Builder::default()
        .stack(STACK)
        .priority(PRIORITY)
        .spawn(move || serve(endpoint, &zeros))?;
    let gate = factory.gate(&CapRef::to(guard.thread()?.sel()), LABEL)?;
    thread.set_fault_handler(gate.sel())?;
    // It stays for as long as the program.
    core::mem::forget(gate);
    Ok(())
}

/// The guard's thread.
fn serve(mut endpoint: Endpoint, zeros: &Dataspace) {
    let mut reply = None;
    loop {
        let event = match reply.take() {
            Some(label) => endpoint.reply_and_wait(label, Timeout::NEVER),
            None => endpoint.wait(Timeout::NEVER),
        };
        let Some(event) = event else { continue };
        let (address, pc) = (endpoint.msg().word(0), endpoint.msg().word(1));
        endpoint.msg().clear();
        reply = Some(answer(match event.protocol {
            proto::PAGE_FAULT => resolve(address, pc, zeros),
            _ => Err(Error::BADPROTO),
        }));
    }
}

/// Resolves a page fault; an error makes an exception of it. The low bits of `address` say what
/// kind of access it was.
fn resolve(address: usize, pc: usize, zeros: &Dataspace) -> Result<Label> {
    let Some(place) = TABLE.place_of(address) else {
        let mut msg = Msg::of(&[address, pc]);
        return ipc::call(fault_handler(), proto::PAGE_FAULT, &mut msg, Window::None);
    };
    if place.map(address).is_ok() {
        // It was not missing, only not mapped yet.
        return Ok(0);
    }
    // Whoever sees the page has to see the mark.
    place.lost.store(true, Ordering::Release);
    LOSSES.fetch_add(1, Ordering::Release);
    zeros.map_at(0, Fpage::memory(address, PAGE_SHIFT, mem::RW))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::tag::Tag;
    use crate::arch::Utcb;
    use crate::arch::host::{Call, with_kernel};
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::vec::Vec;

    const DS: Sel = Sel(0x7000);
    const ZEROS: Sel = Sel(0x9000);

    /// Faults at these addresses: what came of them, and what was called for them, as protocol,
    /// object and two words. Calls to `DS` and to the region mapper are answered with `label`.
    #[expect(clippy::type_complexity, reason = "two lists")]
    fn faults(
        label: isize,
        addresses: &[usize],
    ) -> (Vec<Result<Label>>, Vec<(isize, usize, [usize; 2])>) {
        let calls = Rc::new(RefCell::new(Vec::new()));
        let log = calls.clone();
        let kernel = move |call: Call, utcb: Utcb| {
            let (protocol, object) = (Tag(call.tag).label(), call.dest & !0xfff);
            log.borrow_mut().push((protocol, object, [utcb.mr(0), utcb.mr(1)]));
            (Tag::new(if object == ZEROS.0 { 0 } else { label }, 0, 0).0, 0)
        };
        let results = with_kernel(kernel, || {
            let zeros = Dataspace::at(ZEROS);
            addresses.iter().map(|address| resolve(*address, 0x40_0000, &zeros)).collect()
        });
        (results, calls.take())
    }

    fn guarded(range: Range<usize>) -> Guarded {
        Guarded::over(range, DS, 0x5800)
    }

    #[test]
    fn a_page_that_is_not_mapped_yet_comes_from_its_dataspace() {
        let guarded = guarded(0x40_0000_0800..0x40_0000_2000);
        let (results, calls) = faults(0, &[0x40_0000_1007]);
        assert_eq!(results, [Ok(0)]);
        assert_eq!(calls, [(0x4000, DS.0, [0, 0x6000])], "the second page, by its offset");
        assert!(!guarded.is_lost());
    }

    #[test]
    fn a_page_that_is_gone_becomes_zeros_and_leaves_a_mark() {
        let (other, guarded) =
            (guarded(0x10_0000_2000..0x10_0000_3000), guarded(0x10_0000_0800..0x10_0000_1801));
        let before = losses();
        let (results, calls) = faults(-2, &[0x10_0000_0003, 0x10_0000_1fff]);
        assert_eq!(results, [Ok(0), Ok(0)], "both of its pages");
        let asked = |offset| [(0x4000, DS.0, [0, offset]), (0x4000, ZEROS.0, [0, 0])];
        assert_eq!(calls, [asked(0x5000), asked(0x6000)].concat());
        assert!(guarded.is_lost() && !other.is_lost());
        assert!(losses() >= before + 2);
        drop(guarded);
        let again = Guarded::over(0x10_0000_0000..0x10_0000_1000, DS, 0);
        assert!(!again.is_lost(), "a new range has lost nothing");
    }

    #[test]
    fn other_faults_are_the_region_mappers() {
        let guarded = guarded(0x20_0000_1000..0x20_0000_2000);
        let (results, calls) = faults(-14, &[0x20_0000_0fff, 0x20_0000_2000]);
        let words: Vec<_> = calls.iter().map(|(protocol, _, words)| (*protocol, *words)).collect();
        let passed_on = |address| (-2, [address, 0x40_0000]);
        assert_eq!(words, [passed_on(0x20_0000_0fff), passed_on(0x20_0000_2000)]);
        assert!(results.iter().all(Result::is_err), "its refusal is passed on");
        assert!(!guarded.is_lost());
        drop(guarded);
        let (_, calls) = faults(0, &[0x20_0000_1000]);
        assert_eq!(calls[0].0, -2, "no longer guarded");
    }

    #[test]
    fn the_table_grows() {
        let base = 0x30_0000_0000;
        let many: Vec<_> = (0..3 * PLACES)
            .map(|i| guarded(base + 2 * i * PAGE_SIZE..base + (2 * i + 1) * PAGE_SIZE))
            .collect();
        faults(-2, &[base + 2 * (many.len() - 1) * PAGE_SIZE]);
        let lost: Vec<_> = many.iter().map(Guarded::is_lost).collect();
        assert_eq!(lost.iter().filter(|lost| **lost).count(), 1);
        assert_eq!(lost.last(), Some(&true));
    }
}
