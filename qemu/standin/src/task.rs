//! Tasks: a capability table, an address space, kernel-user memory.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use l4re_runtime::abi::utcb;

use crate::cap::CapTable;
use crate::machine::{Cache, PageTable};
use crate::mem::PAGE;
use crate::object::ObjId;
use crate::region::{END, FIRST, RegionMap};
use crate::thread::ReplyCap;

/// A mapped page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Physical address.
    pub pa: usize,
    /// 1 X, 2 W, 4 R.
    pub rights: usize,
    /// Caching.
    pub cache: Cache,
    /// The dataspace it belongs to; it vanishes with it.
    pub ds: Option<ObjId>,
    /// The task and address it was mapped from; it vanishes with that.
    pub parent: Option<(ObjId, usize)>,
}

/// An address space: the page table, and what is known of each mapped page.
pub struct Space {
    table: Box<dyn PageTable>,
    pages: BTreeMap<usize, Page>,
    /// Pages that were mapped from elsewhere.
    derived: usize,
}

impl Space {
    /// An empty one.
    pub fn new(table: Box<dyn PageTable>) -> Space {
        Space { table, pages: BTreeMap::new(), derived: 0 }
    }

    /// Maps a page, over one that is there already. Outside of user memory nothing happens.
    pub fn map(&mut self, va: usize, page: Page) {
        if self.pages.get(&va) == Some(&page) || !(FIRST..END).contains(&va) {
            return;
        }
        self.unmap(va);
        self.pages.insert(va, page);
        self.derived += usize::from(page.parent.is_some());
        self.table.map(va, page.pa, page.rights, page.cache);
    }

    /// Removes a page.
    pub fn unmap(&mut self, va: usize) -> Option<Page> {
        let page = self.pages.remove(&va)?;
        self.derived -= usize::from(page.parent.is_some());
        self.table.unmap(va);
        Some(page)
    }

    /// Takes rights of a page away; without the right to read nothing is left of it.
    pub fn restrict(&mut self, va: usize, away: usize) -> usize {
        let Some(page) = self.pages.get(&va).copied() else { return 0 };
        let left = page.rights & !away;
        if away & 4 != 0 || left == 0 {
            self.unmap(va);
        } else if left != page.rights {
            self.table.unmap(va);
            self.table.map(va, page.pa, left, page.cache);
            self.pages.insert(va, Page { rights: left, ..page });
        }
        page.rights & away
    }

    /// The page at an address.
    pub fn get(&self, va: usize) -> Option<Page> {
        self.pages.get(&(va & !(PAGE - 1))).copied()
    }

    /// Whether there are pages that were mapped from elsewhere.
    pub fn has_derived(&self) -> bool {
        self.derived > 0
    }

    /// Mapped addresses in a range.
    pub fn mapped(&self, start: usize, end: usize) -> Vec<usize> {
        self.pages.range(start..end.max(start)).map(|(va, _)| *va).collect()
    }

    /// Addresses of pages that fit.
    pub fn find(&self, fits: impl Fn(&Page) -> bool) -> Vec<usize> {
        self.pages.iter().filter(|(_, p)| fits(p)).map(|(va, _)| *va).collect()
    }

    /// Number of mapped pages.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Makes it the current one.
    pub fn activate(&self) {
        self.table.activate();
    }
}

/// Kernel-user memory: mapped for good, holds UTCBs.
#[derive(Clone, Copy, Debug)]
pub struct KuMem {
    /// Address in the task.
    pub va: usize,
    /// Physical address.
    pub pa: usize,
    /// Bytes.
    pub size: usize,
}

/// A task.
pub struct Task {
    /// For messages.
    pub name: String,
    /// Capabilities.
    pub caps: CapTable,
    /// Explicit reply capabilities.
    pub replies: BTreeMap<usize, ReplyCap>,
    /// Address space.
    pub space: Space,
    /// What is attached in it.
    pub regions: RegionMap,
    /// Kernel-user memory.
    pub ku_mem: Vec<KuMem>,
    /// Objects that the kernel holds for it.
    pub held: Vec<ObjId>,
    /// Its account, if the stand-in started it.
    pub account: Option<ObjId>,
    /// Number in the list of programs, if it is one.
    pub program: Option<usize>,
}

impl Task {
    /// An empty task.
    pub fn new(name: &str, table: Box<dyn PageTable>) -> Task {
        Task {
            name: name.into(),
            caps: CapTable::default(),
            replies: BTreeMap::new(),
            space: Space::new(table),
            regions: RegionMap::default(),
            ku_mem: Vec::new(),
            held: Vec::new(),
            account: None,
            program: None,
        }
    }

    /// Physical address of the UTCB at `va`, if that is a whole UTCB in kernel-user memory with
    /// the alignment that the kernel asks for.
    pub fn utcb_at(&self, va: usize) -> Option<usize> {
        let area = self.ku_mem.iter().find(|k| {
            va >= k.va && va.checked_add(utcb::SIZE).is_some_and(|end| end <= k.va + k.size)
        })?;
        va.is_multiple_of(16).then(|| area.pa + (va - area.va))
    }
}
