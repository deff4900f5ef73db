//! Pages: faults, mapping of dataspaces, and what vanishes with what.

use alloc::collections::VecDeque;

use crate::cap::Cap;
use crate::dma::DmaSpace;
use crate::kernel::Kernel;
use crate::machine::Cache;
use crate::mem::PAGE;
use crate::object::{Kind, ObjId};
use crate::region::{Backing, Region};
use crate::task::Page;

use l4re_runtime::abi::{cap::rights, fpage::mem, rm::flags, vbus};

/// What an access needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Write.
    Write,
    /// Instruction fetch.
    Execute,
}

impl Access {
    /// The right of a page that allows it.
    pub fn right(self) -> usize {
        match self {
            Access::Read => mem::R,
            Access::Write => mem::W,
            Access::Execute => mem::X,
        }
    }
}

/// Caching that region flags ask for.
pub fn cache_of(region_flags: u32) -> Cache {
    if region_flags & flags::UNCACHED != 0 {
        Cache::Uncached
    } else if region_flags & flags::BUFFERED != 0 {
        Cache::Buffered
    } else {
        Cache::Normal
    }
}

impl Kernel {
    /// Resolves a page fault by the region that contains the address.
    ///
    /// # Errors
    ///
    /// Why the access is refused.
    pub fn resolve_fault(
        &mut self,
        task: ObjId,
        address: usize,
        access: Access,
    ) -> Result<(), &'static str> {
        let t = self.objects.task(task).ok_or("no task")?;
        let (start, region) = t.regions.at(address).ok_or("nothing is attached there")?;
        if region.flags as usize & access.right() == 0 {
            return Err("the region does not allow it");
        }
        // As the region mapper asks: the fault address rounded to 16 bytes.
        let offset = (region.offset as usize)
            .checked_add((address & !0xf) - start)
            .ok_or("the offset is absurd")?;
        let va = address & !(PAGE - 1);
        let page = match region.backing {
            Backing::None => return Err("nothing is behind the region"),
            Backing::Object(ds) => {
                let cap = Cap::full(ds);
                self.page_of(cap, offset, &region)?
            }
            Backing::Selector(sel) => {
                let cap = t.caps.get(sel >> 12).ok_or("the dataspace is gone")?;
                self.page_of(cap, offset, &region)?
            }
        };
        if page.rights & access.right() == 0 {
            return Err("the dataspace does not allow it");
        }
        if !self.has_small_room() {
            return Err("kernel memory ran out");
        }
        let t = self.objects.task_mut(task).ok_or("no task")?;
        t.space.map(va, page);
        Ok(())
    }

    /// The page at an offset of what a capability names, as a region shows it.
    fn page_of(&mut self, cap: Cap, offset: usize, r: &Region) -> Result<Page, &'static str> {
        let wanted = r.flags as usize & mem::RWX;
        match self.objects.get(cap.object).map(|o| &o.kind) {
            Some(Kind::Dataspace(_)) => self
                .ds_page(cap, offset, wanted, cache_of(r.flags))
                .ok_or("the dataspace has no such page, or memory ran out"),
            Some(Kind::Vbus(bus)) => {
                let res = bus.memory_at(offset).ok_or("no resource of the bus is there")?;
                let cache = match res.flags & (vbus::MEM_CACHEABLE | vbus::MEM_PREFETCHABLE) {
                    0 => Cache::Uncached,
                    _ => cache_of(r.flags),
                };
                let pa = offset & !(PAGE - 1);
                Ok(Page { pa, rights: wanted & mem::RW, cache, ds: None, parent: None })
            }
            Some(Kind::Gate(_)) => {
                self.say("dataspaces of user-level servers cannot be attached here");
                Err("the dataspace is a server's")
            }
            _ => Err("that is no dataspace"),
        }
    }

    /// The page at an offset of a dataspace with the rights that capability and wish allow.
    pub fn ds_page(&mut self, cap: Cap, offset: usize, wanted: usize, c: Cache) -> Option<Page> {
        let Kernel { objects, mem: ram, .. } = self;
        let ds = objects.dataspace_mut(cap.object)?;
        let pa = ds.page(ram, offset)?;
        let mut rights = wanted & mem::RWX;
        if !ds.writable || !cap.may(rights::W) {
            rights &= !mem::W;
        }
        let cache = if ds.cache == Cache::Normal { c } else { ds.cache };
        Some(Page { pa, rights, cache, ds: Some(cap.object), parent: None })
    }

    /// Maps one page of a dataspace, if there is memory for that.
    pub fn map_ds_page(&mut self, task: ObjId, va: usize, ds: ObjId, offset: usize, like: Page) {
        if !self.has_room() {
            return;
        }
        let Kernel { objects, mem, .. } = self;
        let Some(pa) = objects.dataspace_mut(ds).and_then(|d| d.page(mem, offset)) else { return };
        if let Some(t) = objects.task_mut(task) {
            t.space.map(va, Page { pa, ..like });
        }
    }

    /// Removes a page and everything that was mapped from it.
    pub fn unmap_page(&mut self, task: ObjId, va: usize) {
        if let Some(t) = self.objects.task_mut(task)
            && t.space.unmap(va).is_some()
        {
            self.restrict_children(task, va, !0);
        }
    }

    /// Takes rights away from everything that was mapped from a page.
    pub fn restrict_children(&mut self, task: ObjId, va: usize, away: usize) {
        let mut parents = VecDeque::from([(task, va)]);
        while let Some(parent) = parents.pop_front() {
            for t in self.objects.ids(|k| matches!(k, Kind::Task(_))) {
                let Some(t_mut) = self.objects.task_mut(t) else { continue };
                if !t_mut.space.has_derived() {
                    continue;
                }
                for child in t_mut.space.find(|p| p.parent == Some(parent)) {
                    t_mut.space.restrict(child, away);
                    parents.push_back((t, child));
                }
            }
        }
    }

    /// Removes all mappings of a dataspace.
    pub fn unmap_dataspace(&mut self, ds: ObjId) {
        for t in self.objects.ids(|k| matches!(k, Kind::Task(_))) {
            if let Some(t) = self.objects.task_mut(t) {
                t.space.find(|p| p.ds == Some(ds)).into_iter().for_each(|va| {
                    t.space.unmap(va);
                });
            }
        }
    }

    /// Drops DMA mappings of a dataspace that is gone.
    pub fn forget_dma(&mut self, ds: ObjId) {
        for s in self.objects.ids(|k| matches!(k, Kind::DmaSpace(_))) {
            if let Some(s) = self.objects.dma_space_mut(s) {
                s.forget(ds);
            }
        }
    }

    /// A DMA space is gone: its dataspaces count it no more.
    pub fn close_dma_space(&mut self, space: &mut DmaSpace) {
        for ds in self.objects.ids(|k| matches!(k, Kind::Dataspace(_))) {
            if space.forget(ds)
                && let Some(d) = self.objects.dataspace_mut(ds)
            {
                d.dma_mappings = d.dma_mappings.saturating_sub(1);
            }
        }
    }
}
