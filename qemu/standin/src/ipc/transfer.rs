//! Moving a message: words, then items into the receiver's buffers.

use alloc::vec::Vec;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::fpage::{Fpage, Kind as FpageKind};
use l4re_runtime::abi::item::{self, attr, buffer, cache};
use l4re_runtime::abi::tag::Tag;
use l4re_runtime::abi::utcb::{self, error};

use super::Item;
use crate::cap::Cap;
use crate::kernel::Kernel;
use crate::machine::Cache;
use crate::mem::PAGE;
use crate::object::{Kind, ObjId};
use crate::task::Page;

/// Codes for the sender and for the receiver.
type Failure = (usize, usize);

const OVERFLOW: Failure = (error::SEND_OVERFLOW, error::RECV_OVERFLOW);
const MAP_FAILED: Failure = (error::SEND_MAP_FAILED, error::RECV_MAP_FAILED);

/// A buffer of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Where things go.
    pub window: Fpage,
    /// Labels or flexpage words instead of mappings.
    pub local_id: bool,
    /// Selector of the task to map into, if not the own one.
    pub forward: Option<usize>,
}

/// Takes the buffer at `at` apart; also returns where the next one is. `None`: end of the list.
pub fn parse_buffer(br: &[usize], at: usize) -> Option<(Buffer, usize)> {
    let head = *br.get(at)?;
    if head & item::MAP == 0 {
        return None;
    }
    let (window, mut next) = if head & buffer::SMALL != 0 {
        (Fpage(head & !0xfff | (FpageKind::Cap as usize) << 4 | 0xf), at + 1)
    } else {
        (Fpage(*br.get(at + 1)?), at + 2)
    };
    let forward = if head & buffer::FORWARD != 0 {
        next += 1;
        Some(*br.get(next - 1)?)
    } else {
        None
    };
    Some((Buffer { window, local_id: head & buffer::LOCAL_ID != 0, forward }, next))
}

/// Where in a window an item of 2^`order` goes that is sent with a hot spot: the start in units of
/// `unit`, and how much fits, as (window offset, item offset, size).
pub fn place(window: Fpage, order: u32, hot_spot: usize) -> (usize, usize, usize) {
    let size = 1_usize.checked_shl(order).unwrap_or(usize::MAX);
    let room = 1_usize.checked_shl(window.order()).unwrap_or(usize::MAX);
    if room >= size {
        ((hot_spot & (room - 1)) & !(size - 1), 0, size)
    } else {
        (0, (hot_spot & (size - 1)) & !(room - 1), room)
    }
}

/// The buffers of a receiver as they are used up.
struct Buffers {
    br: Vec<usize>,
    memory: usize,
    caps: usize,
}

impl Buffers {
    fn take(&mut self, kind: FpageKind) -> Option<Buffer> {
        let at = match kind {
            FpageKind::Memory => &mut self.memory,
            FpageKind::Cap => &mut self.caps,
            _ => return None,
        };
        // Buffers of all kinds may stand in one list: those of other kinds are passed over.
        loop {
            let (b, next) = parse_buffer(&self.br, *at)?;
            *at = next;
            if b.window.kind() == kind || b.window == Fpage::ALL {
                return Some(b);
            }
        }
    }
}

impl Kernel {
    fn buffers(&self, utcb: usize) -> Buffers {
        let bdr = self.mem.word(utcb, utcb::BDR);
        let br = (0..utcb::BR_COUNT).map(|i| self.mem.word(utcb, utcb::BR + i)).collect();
        Buffers { br, memory: bdr & 0x1f, caps: bdr >> 10 & 0x1f }
    }

    /// Moves a message from one thread to another; the result is the tag that the receiver sees.
    pub(super) fn transfer(
        &mut self,
        from: ObjId,
        to: ObjId,
        tag: Tag,
        special: bool,
    ) -> Result<Tag, Failure> {
        let gone = (error::NO_DESTINATION, error::RECV_ABORTED);
        let source = self.objects.thread(from).ok_or(gone)?.utcb;
        let target = self.objects.thread(to).ok_or(gone)?.utcb;
        self.mem.copy(target, source, tag.words() * size_of::<usize>());
        let mut buffers = self.buffers(target);
        for i in 0..tag.items() {
            let at = tag.words() + 2 * i;
            let (control, fpage) = (self.mem.word(source, at), self.mem.word(source, at + 1));
            if control & item::MAP == 0 {
                self.mem.set_word(target, at, 0);
                continue;
            }
            let fpage = Fpage(fpage);
            let buffer = buffers.take(fpage.kind()).ok_or(OVERFLOW)?;
            let (head, data) = self.move_item(from, to, control, fpage, &buffer, special)?;
            self.mem.set_word(target, at, head);
            if let Some(data) = data {
                self.mem.set_word(target, at + 1, data);
            }
        }
        Ok(Tag(tag.0 & !Tag::ERROR & !Tag::SCHEDULE))
    }

    /// Moves one item; returns the two words that the receiver finds (the second only if it is
    /// written).
    fn move_item(
        &mut self,
        from: ObjId,
        to: ObjId,
        control: usize,
        fpage: Fpage,
        buffer: &Buffer,
        special: bool,
    ) -> Result<(usize, Option<usize>), Failure> {
        let source = self.objects.thread(from).and_then(|t| t.task).ok_or(MAP_FAILED)?;
        let own = self.objects.thread(to).and_then(|t| t.task).ok_or(MAP_FAILED)?;
        let head = item::MAP | (control & item::COMPOUND) | (fpage.0 & 0xff0) | (control & !0xfff);
        if buffer.local_id && source == own {
            return Ok((head | 6, Some(fpage.0)));
        }
        if buffer.local_id
            && let Some(label) = self.local_label(source, own, fpage)
        {
            return Ok((head | 4, Some(label)));
        }
        let target = match buffer.forward {
            None => own,
            Some(sel) => self.lookup(to, sel).map(|c| c.object).ok_or(MAP_FAILED)?,
        };
        let done = match fpage.kind() {
            FpageKind::Cap => {
                let keep = if special { !0 } else { !rights::S };
                self.map_caps(source, target, control, fpage, buffer.window, keep)?
            }
            _ => self.map_memory(source, target, control, fpage, buffer.window)?,
        };
        Ok((if done { head } else { head | 2 }, None))
    }

    /// Label and rights if the flexpage names a gate or IRQ whose receiver is in `own`.
    fn local_label(&self, source: ObjId, own: ObjId, fpage: Fpage) -> Option<usize> {
        let cap = self.objects.task(source)?.caps.get(fpage.start() >> 12)?;
        let (label, thread) = match &self.objects.get(cap.object)?.kind {
            Kind::Gate(g) => (g.label, g.thread?),
            Kind::Irq(i) => (i.label, i.thread?),
            _ => return None,
        };
        let here = self.objects.thread(thread)?.task == Some(own);
        here.then_some(label | (cap.rights & fpage.rights() & 3))
    }

    /// Maps or moves capabilities between tasks; says whether there were any.
    pub fn map_caps(
        &mut self,
        source: ObjId,
        target: ObjId,
        control: usize,
        fpage: Fpage,
        window: Fpage,
        keep: usize,
    ) -> Result<bool, Failure> {
        let (to, from, count) = place(window, fpage.order(), control >> 12);
        let first = (fpage.start() >> 12) + from;
        let base = window.start() >> 12;
        let Some(t) = self.objects.task(source) else { return Err(MAP_FAILED) };
        let used: Vec<_> = t.caps.used_in(first, count).collect();
        for index in &used {
            let Some(cap) = self.objects.task(source).and_then(|t| t.caps.get(*index)) else {
                continue;
            };
            let cap = cap.derive(fpage.rights() & keep, control & (attr::ALL | attr::WEAK));
            let slot = base + to + (index - first);
            if (source, *index) == (target, slot) {
                continue;
            }
            if !self.put_cap(target, slot, cap) {
                return Err(MAP_FAILED);
            }
            if control & item::GRANT != 0 {
                self.take_cap(source, *index);
            }
        }
        Ok(!used.is_empty())
    }

    /// Maps or moves pages between tasks; says whether there were any.
    pub fn map_memory(
        &mut self,
        source: ObjId,
        target: ObjId,
        control: usize,
        fpage: Fpage,
        window: Fpage,
    ) -> Result<bool, Failure> {
        let (to, from, size) = place(window, fpage.order(), control & !0xfff);
        if size < PAGE {
            return Ok(false);
        }
        let first = fpage.start().wrapping_add(from);
        let base = if window == Fpage::ALL { first } else { window.start().wrapping_add(to) };
        let last = first.saturating_add(size);
        let pages =
            self.objects.task(source).map(|t| t.space.mapped(first, last)).unwrap_or_default();
        for va in &pages {
            let Some(page) = self.objects.task(source).and_then(|t| t.space.get(*va)) else {
                continue;
            };
            let mapped = Page {
                rights: page.rights & fpage.rights(),
                cache: recache(page.cache, control),
                parent: Some((source, *va)),
                ..page
            };
            let at = base.wrapping_add(va - first);
            if (source, *va) == (target, at) {
                continue;
            }
            if !self.has_room() {
                return Err(MAP_FAILED);
            }
            let Some(t) = self.objects.task_mut(target) else { return Err(MAP_FAILED) };
            t.space.map(at, mapped);
            if control & item::GRANT != 0 {
                self.unmap_page(source, *va);
            }
        }
        Ok(!pages.is_empty())
    }

    /// Puts what a kernel object answers into the caller's buffers.
    pub(super) fn put_items(
        &mut self,
        thread: ObjId,
        words: usize,
        items: &[Item],
    ) -> Result<(), usize> {
        let Some(t) = self.objects.thread(thread) else { return Ok(()) };
        let (utcb, Some(task)) = (t.utcb, t.task) else { return Ok(()) };
        let mut buffers = self.buffers(utcb);
        for (i, item) in items.iter().enumerate() {
            let kind = match item {
                Item::Cap(_) => FpageKind::Cap,
                Item::Memory { .. } | Item::Page { .. } => FpageKind::Memory,
            };
            let Some(buffer) = buffers.take(kind) else {
                self.drop_items(&items[i..]);
                return Err(error::RECV_OVERFLOW);
            };
            let head = match *item {
                Item::Cap(cap) => self.put_reply_cap(task, buffer.window, cap),
                Item::Memory { ds, offset, spot, page } => {
                    self.put_memory(task, buffer.window, ds, offset, spot, page)
                }
                Item::Page { spot, page } => {
                    let room = 1_usize.checked_shl(buffer.window.order()).unwrap_or(0);
                    let spot = spot & room.wrapping_sub(1) & !(PAGE - 1);
                    let va = buffer.window.start().wrapping_add(spot);
                    if self.has_room()
                        && let Some(t) = self.objects.task_mut(task)
                    {
                        t.space.map(va, page);
                    }
                    item::MAP | (FpageKind::Memory as usize) << 4 | 12 << 6
                }
            };
            self.mem.set_word(utcb, words + 2 * i, head);
        }
        Ok(())
    }

    fn put_reply_cap(&mut self, task: ObjId, window: Fpage, cap: Cap) -> usize {
        let done = self.put_cap(task, window.start() >> 12, cap);
        self.drop_unowned(cap);
        if done { 0x38 } else { 0x3a }
    }

    fn drop_items(&mut self, items: &[Item]) {
        for item in items {
            if let Item::Cap(cap) = item {
                self.drop_unowned(*cap);
            }
        }
    }

    /// Ends an object that was made for an answer nobody took.
    fn drop_unowned(&mut self, cap: Cap) {
        if self.objects.get(cap.object).is_some_and(|o| o.refs == 0) {
            self.destroy(cap.object);
        }
    }

    /// Maps the largest aligned piece of a dataspace around `spot` that fits window and dataspace.
    fn put_memory(
        &mut self,
        task: ObjId,
        window: Fpage,
        ds: ObjId,
        offset: usize,
        spot: usize,
        page: Page,
    ) -> usize {
        let room = 1_usize.checked_shl(window.order()).unwrap_or(0);
        let size = self.objects.dataspace(ds).map_or(0, |d| d.size());
        let mut order = PAGE.trailing_zeros();
        let spot = spot & room.wrapping_sub(1) & !(PAGE - 1);
        // Grow while the piece stays inside both and is equally aligned in both.
        while 2 << order <= room {
            let mask = (2_usize << order) - 1;
            if spot & mask != offset & mask || (offset & !mask) + mask >= size {
                break;
            }
            order += 1;
        }
        let mask = (1_usize << order) - 1;
        let (from, to) = (offset & !mask, window.start().wrapping_add(spot & !mask));
        for at in (0..=mask).step_by(PAGE) {
            self.map_ds_page(task, to.wrapping_add(at), ds, from + at, page);
        }
        item::MAP | (FpageKind::Memory as usize) << 4 | (order as usize) << 6 | spot
    }
}

fn recache(now: Cache, control: usize) -> Cache {
    match control & 0x70 {
        cache::UNCACHED => Cache::Uncached,
        cache::BUFFERED => Cache::Buffered,
        cache::CACHED => Cache::Normal,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use l4re_runtime::abi::cap::Sel;

    #[test]
    fn buffers_small_window_and_forward() {
        let window = Fpage::memory(0x40_0000, 16, 7).0;
        let br = [0x5000 | 0xa, 0x6000 | 0xe, 8, window, 9, window, 0x7000, 0];
        let (b, next) = parse_buffer(&br, 0).unwrap();
        assert_eq!((b.window, b.local_id, next), (Fpage::cap(Sel(0x5000), 0xf), false, 1));
        assert!(parse_buffer(&br, 1).unwrap().0.local_id);
        assert_eq!(parse_buffer(&br, 2).unwrap().1, 4);
        let (b, next) = parse_buffer(&br, 4).unwrap();
        assert_eq!((b.forward, next), (Some(0x7000), 7));
        assert_eq!(parse_buffer(&br, 7), None);
        assert_eq!(parse_buffer(&br[..3], 2), None, "cut off");
        assert_eq!(parse_buffer(&br, 99), None);
    }

    #[test]
    fn hot_spot_places_items_in_larger_and_smaller_windows() {
        let window = Fpage::memory(0x10_0000, 16, 7);
        assert_eq!(place(window, 12, 0x12_3000), (0x3000, 0, 0x1000));
        assert_eq!(place(window, 14, 0x7000), (0x4000, 0, 0x4000));
        assert_eq!(place(Fpage::memory(0, 12, 7), 16, 0x5000), (0, 0x5000, 0x1000));
        assert_eq!(place(Fpage::ALL, 12, 0x5000).2, 0x1000);
    }
}
