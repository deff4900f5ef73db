//! The region mapper of a task.

use alloc::boxed::Box;
use alloc::vec::Vec;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::object::fault;
use l4re_runtime::abi::rm::{self, flags};

use crate::err::{EADDRNOTAVAIL, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSYS, EPERM};
use crate::ipc::{Answer, Call, Item, Out, Reply, Served};
use crate::kernel::Kernel;
use crate::mem::PAGE;
use crate::memory::Access;
use crate::object::{Kind, ObjId};
use crate::region::{Backing, Region};
use crate::task::Task;

/// Flags that attach and reserve understand; others are refused.
const KNOWN: u32 = 0x7
    | flags::BUFFERED
    | flags::UNCACHED
    | flags::KERNEL
    | flags::PAGER
    | flags::RESERVED
    | 0x3000
    | flags::SEARCH_ADDR
    | flags::IN_AREA
    | flags::EAGER_MAP
    | flags::NO_EAGER_MAP;
/// Flags that a region keeps.
const KEPT: u32 = 0x7 | flags::BUFFERED | flags::UNCACHED | flags::RESERVED;

/// Detach label: other regions use the same dataspace, or a part is left.
const KEPT_DS: isize = 1;
/// Detach label: the region was split.
const SPLIT: isize = 2;
/// Entries that fit a reply of get_regions and get_areas.
const ENTRIES: usize = 20;

impl Kernel {
    /// A region map that belongs to no program yet, with an address space of its own.
    pub(super) fn make_region_map(&mut self, account: ObjId) -> Served {
        let task = Task::new("(region map)", self.machine.page_table());
        let space = self.create(Kind::Task(Box::new(task)), None).ok_or(ENOMEM)?;
        self.hold(space);
        let made = self.make(Kind::LooseRegionMap(space), account);
        if made.is_err() {
            self.drop_ref(space);
        }
        made
    }

    /// Gives up what is attached to a region map that is gone.
    pub fn close_region_map(&mut self, space: ObjId) {
        let Some(task) = self.objects.task(space) else { return };
        let attached: Vec<_> = task.regions.from(0).filter_map(|(_, r)| r.object()).collect();
        attached.into_iter().for_each(|object| {
            self.drop_ref(object);
        });
        self.drop_ref(space);
    }

    /// As [`serve_rm`](Self::serve_rm) for a region map that was made: it holds what is attached, and
    /// does not tell what that is, as those of moe (l4re-core, `Region_map::Have_find`).
    pub(super) fn serve_loose_rm(&mut self, c: &Call, space: ObjId) -> Served {
        if c.opcode()? == rm::FIND {
            return Err(EPERM);
        }
        let attached = |k: &Kernel| -> Vec<ObjId> {
            let regions = k.objects.task(space).map(|t| t.regions.from(0));
            regions.into_iter().flatten().filter_map(|(_, r)| r.object()).collect()
        };
        let mut before = attached(self);
        let answer = self.serve_rm(c, space);
        for object in attached(self) {
            match before.iter().position(|o| *o == object) {
                Some(at) => drop(before.swap_remove(at)),
                None => self.hold(object),
            }
        }
        before.into_iter().for_each(|object| {
            self.drop_ref(object);
        });
        answer
    }

    /// A page fault that is sent to such a map: the answer brings the page.
    pub(super) fn serve_loose_fault(&mut self, c: &Call, space: ObjId) -> Served {
        let address = c.word(0)? & !fault::KIND;
        self.serve_page_fault(c, space)?;
        let page = self.objects.task(space).and_then(|t| t.space.get(address)).ok_or(EFAULT)?;
        Ok(Answer::Reply(Reply::item(Item::Page { spot: address & !(PAGE - 1), page })))
    }

    pub(super) fn serve_rm(&mut self, c: &Call, task: ObjId) -> Served {
        let mut args = c.args();
        match c.opcode()? {
            rm::ATTACH => self.rm_attach(c, task),
            rm::DETACH => {
                let (addr, size, how) = (args.word()?, args.word()?, args.u32()?);
                self.rm_detach(task, addr, size, how)
            }
            rm::FIND => {
                let addr = args.word()?;
                self.rm_find(task, addr)
            }
            rm::RESERVE_AREA => {
                let (start, size) = (args.word()?, args.word()?);
                let (how, align) = (args.u32()?, args.u8()?);
                self.rm_reserve(task, start, size, how, align)
            }
            rm::FREE_AREA => {
                let addr = args.word()?;
                let map = &mut self.objects.task_mut(task).ok_or(EINVAL)?.regions;
                if map.unreserve(addr) { Out::ok() } else { Err(ENOENT) }
            }
            rm::GET_REGIONS => {
                let map = &self.objects.task(task).ok_or(EINVAL)?.regions;
                let list = map.from(args.word()?).map(|(s, r)| [s, r.end - 1, r.flags as usize]);
                list_reply(list)
            }
            rm::GET_AREAS => {
                let map = &self.objects.task(task).ok_or(EINVAL)?.regions;
                list_reply(map.areas_from(args.word()?).map(|(s, e)| [s, e - 1, 0]))
            }
            rm::GET_INFO => {
                let addr = args.word()?;
                let map = &self.objects.task(task).ok_or(EINVAL)?.regions;
                let (_, r) = map.at(addr).ok_or(ENOENT)?;
                Out::bytes(|w| {
                    w.string(b"").u64(r.offset);
                })
            }
            _ => Err(ENOSYS),
        }
    }

    fn rm_attach(&mut self, c: &Call, task: ObjId) -> Served {
        let mut args = c.args();
        let (start, size, how) = (args.word()?, args.word()?, args.u32()?);
        let (offset, align, _client) = (args.u64()?, args.u8()?, args.word()?);
        let size = size.checked_next_multiple_of(PAGE).filter(|s| *s > 0).ok_or(EINVAL)?;
        offset.checked_add(size as u64).ok_or(EINVAL)?;
        let mut region = Region { end: 0, flags: how & KEPT, backing: Backing::None, offset };
        if how & flags::RESERVED == 0 {
            let (fpage, _) = c.item_selector()?;
            // The region can do what the item offers; the capability itself is asked at a fault.
            self.lookup(c.thread, fpage.start()).ok_or(EINVAL)?;
            let target = self.objects.get(c.cap.object).map(|o| &o.kind);
            if matches!(target, Some(Kind::LooseRegionMap(_))) {
                // Such a map has no capabilities; it is given the object.
                let cap = c.item(self)?;
                region.backing = Backing::Object(cap.object);
                if !cap.may(rights::W) {
                    region.flags &= !flags::W;
                }
            } else {
                region.backing = Backing::Selector(fpage.start());
            }
        }
        let at = self.rm_place(task, start, size, how, align)?;
        region.end = at + size;
        let t = self.objects.task_mut(task).ok_or(EINVAL)?;
        t.regions.insert(at, region);
        if how & flags::EAGER_MAP != 0 {
            self.rm_map_all(task, at, size, how);
        }
        Out::bytes(|w| {
            w.word(at);
        })
    }

    fn rm_map_all(&mut self, task: ObjId, at: usize, size: usize, how: u32) {
        let access = if how & flags::W != 0 { Access::Write } else { Access::Read };
        for va in (at..at + size).step_by(PAGE) {
            if self.resolve_fault(task, va, access).is_err() {
                return;
            }
        }
    }

    /// A place for a region or an area.
    fn rm_place(
        &self,
        task: ObjId,
        start: usize,
        size: usize,
        how: u32,
        align: u8,
    ) -> Result<usize, crate::err::Errno> {
        if !self.has_room() {
            return Err(ENOMEM);
        }
        if how & !KNOWN != 0 || align >= 48 {
            return Err(EINVAL);
        }
        let align = 1_usize << align.max(12);
        let in_area = how & flags::IN_AREA != 0;
        let map = &self.objects.task(task).ok_or(EINVAL)?.regions;
        let start = start & !(PAGE - 1);
        if how & flags::SEARCH_ADDR != 0 {
            return map.search(start, size, align, in_area).ok_or(EADDRNOTAVAIL);
        }
        let end = start.checked_add(size).ok_or(EINVAL)?;
        let inside = !in_area || map.area_at(start).is_some_and(|(_, e)| end <= e);
        if inside && map.is_free(start, end, in_area) { Ok(start) } else { Err(EADDRNOTAVAIL) }
    }

    fn rm_reserve(&mut self, t: ObjId, start: usize, size: usize, how: u32, align: u8) -> Served {
        let size = size.checked_next_multiple_of(PAGE).filter(|s| *s > 0).ok_or(EINVAL)?;
        let at = self.rm_place(t, start, size, how & !flags::IN_AREA, align)?;
        self.objects.task_mut(t).ok_or(EINVAL)?.regions.reserve(at, at + size);
        Out::bytes(|w| {
            w.word(at);
        })
    }

    fn rm_detach(&mut self, task: ObjId, addr: usize, size: usize, how: u32) -> Served {
        let room = self.has_room();
        let map = &mut self.objects.task_mut(task).ok_or(EINVAL)?.regions;
        let end = addr.checked_add(size.max(1)).ok_or(EINVAL)?;
        let end = end.checked_next_multiple_of(PAGE).ok_or(EINVAL)?;
        let (start, region) = map.overlap(addr, end).ok_or(ENOENT)?;
        let whole =
            how & (rm::DETACH_EXACT | rm::DETACH_OVERLAP) == 0 || how & rm::DETACH_EXACT != 0;
        let (from, to) = if whole { (start, region.end) } else { (addr & !(PAGE - 1), end) };
        if how & rm::DETACH_EXACT != 0 && (start != addr || region.end != end) {
            return Err(ENOENT);
        }
        // A hole in a region is one region more.
        if from > start && to < region.end && !room {
            return Err(ENOMEM);
        }
        let (from, to, split) = map.cut(start, from, to).ok_or(ENOENT)?;
        let more = !whole && map.overlap(addr, end).is_some();
        let shared = map
            .from(0)
            .any(|(_, r)| r.backing == region.backing && region.backing != Backing::None);
        let mut label = rm::DETACH_UNMAPPED as isize;
        label |= if split {
            SPLIT
        } else if shared {
            KEPT_DS
        } else {
            0
        };
        if more {
            label |= rm::DETACH_AGAIN as isize;
        }
        let t = self.objects.task(task).ok_or(EINVAL)?;
        for va in t.space.mapped(from, to) {
            self.unmap_page(task, va);
        }
        let mut reply = Reply::bytes(|w| {
            w.word(from).word(to - from).word(selector(&region));
        });
        reply.label = label;
        Ok(Answer::Reply(reply))
    }

    fn rm_find(&self, task: ObjId, addr: usize) -> Served {
        let map = &self.objects.task(task).ok_or(EINVAL)?.regions;
        if let Some((start, r)) = map.at(addr) {
            return Out::bytes(|w| {
                w.word(start).word(r.end - start).u32(r.flags).u64(r.offset).word(selector(&r));
            });
        }
        let (start, end) = map.area_at(addr).ok_or(ENOENT)?;
        Out::bytes(|w| {
            w.word(start).word(end - start).u32(flags::RESERVED).u64(0).word(!0 << 11);
        })
    }
}

fn selector(r: &Region) -> usize {
    match r.backing {
        Backing::Selector(s) => s,
        _ => !0 << 11,
    }
}

fn list_reply(list: impl Iterator<Item = [usize; 3]>) -> Served {
    let entries: alloc::vec::Vec<_> = list.take(ENTRIES).collect();
    let mut reply = Reply::words(entries.as_flattened());
    reply.label = entries.len() as isize;
    Ok(Answer::Reply(reply))
}
