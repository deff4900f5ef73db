//! Tasks: map, unmap, questions, kernel-user memory.

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::fpage::{Fpage, Kind as FpageKind};
use l4re_runtime::abi::item;
use l4re_runtime::abi::object::task;

use crate::err::{EINVAL, EMSGTOOSHORT, ENOSYS, EPERM};
use crate::ipc::{Call, Out, Served};
use crate::kernel::Kernel;
use crate::object::ObjId;

const DELETE: usize = task::UNMAP_DELETE & !task::UNMAP_ALL;

impl Kernel {
    pub(super) fn serve_task(&mut self, c: &Call) -> Served {
        let target = c.cap.object;
        // A task says "invalid" to a message without words, other objects say "too short".
        match c.word(0).map_err(|_| EINVAL)? {
            task::MAP => self.task_map(c, target),
            task::UNMAP => self.task_unmap(c, target),
            task::CAP_INFO => self.task_cap_info(c, target),
            task::ADD_KU_MEM => self.task_add_ku_mem(c, target),
            _ => Err(ENOSYS),
        }
    }

    fn task_map(&mut self, c: &Call, target: ObjId) -> Served {
        c.need(rights::W)?;
        if c.tag.words() < 3 {
            return Err(EINVAL);
        }
        let (control, fpage) = (c.word(1)?, Fpage(c.word(2)?));
        let source = c.item(self)?.object;
        if self.objects.task(source).is_none() || control & item::MAP == 0 {
            return Err(EINVAL);
        }
        let mapped = match fpage.kind() {
            FpageKind::Cap => {
                // The hot spot is the target slot itself.
                let window = Fpage(control & !0xfff | 0x30 | (fpage.order() as usize) << 6);
                self.map_caps(source, target, control, fpage, window, !0)
            }
            FpageKind::Memory => {
                let base = control & !0xfff;
                let window = Fpage(base | 0x10 | (fpage.order() as usize) << 6);
                self.map_memory(source, target, control & 0xfff, fpage, window)
            }
            _ => return Err(EINVAL),
        };
        match mapped {
            Ok(_) => Out::ok(),
            Err((code, _)) => Ok(crate::ipc::Answer::Failed(code)),
        }
    }

    fn task_unmap(&mut self, c: &Call, target: ObjId) -> Served {
        let mask = c.word(1).map_err(|_| EINVAL)?;
        let mut words = c.words().to_vec();
        for w in &mut words[2..] {
            let fpage = Fpage(*w);
            let flushed = match fpage.kind() {
                FpageKind::Cap => self.unmap_caps(target, mask, fpage),
                FpageKind::Memory => self.unmap_memory(target, mask, fpage),
                _ => 0,
            };
            *w = fpage.with_rights(flushed).0;
        }
        // The caller may have unmapped itself.
        if self.objects.thread(c.thread).is_none() {
            return Ok(crate::ipc::Answer::Blocked);
        }
        Out::words(&words)
    }

    fn unmap_caps(&mut self, target: ObjId, mask: usize, fpage: Fpage) -> usize {
        // Capabilities are kept in a flat list: nothing is known of who got one from whom.
        if mask & task::UNMAP_ALL == 0 {
            return 0;
        }
        let first = fpage.start() >> 12;
        let count = 1_usize.checked_shl(fpage.order()).unwrap_or(usize::MAX);
        let Some(t) = self.objects.task(target) else { return 0 };
        let used: alloc::vec::Vec<_> = t.caps.used_in(first, count).collect();
        let mut flushed = 0;
        for index in used {
            let Some(cap) = self.objects.task(target).and_then(|t| t.caps.get(index)) else {
                continue;
            };
            if mask & DELETE != 0 && cap.may(rights::D) {
                flushed |= cap.rights;
                self.destroy(cap.object);
            } else if fpage.rights() & rights::R != 0 || mask & DELETE != 0 {
                flushed |= cap.rights;
                self.take_cap(target, index);
            } else if let Some(t) = self.objects.task_mut(target) {
                flushed |= t.caps.restrict(index, fpage.rights());
            }
        }
        flushed
    }

    fn unmap_memory(&mut self, target: ObjId, mask: usize, fpage: Fpage) -> usize {
        let size = 1_usize.checked_shl(fpage.order()).unwrap_or(usize::MAX);
        let (start, end) = (fpage.start(), fpage.start().saturating_add(size));
        let Some(t) = self.objects.task(target) else { return 0 };
        let ku = t.ku_mem.clone();
        let pages = t.space.mapped(start, end);
        let mut flushed = 0;
        for va in pages {
            if ku.iter().any(|k| va >= k.va && va < k.va + k.size) {
                continue;
            }
            self.restrict_children(target, va, fpage.rights());
            if mask & task::UNMAP_ALL != 0
                && let Some(t) = self.objects.task_mut(target)
            {
                flushed |= t.space.restrict(va, fpage.rights());
            }
        }
        flushed
    }

    fn task_cap_info(&self, c: &Call, target: ObjId) -> Served {
        let caps = &self.objects.task(target).ok_or(EINVAL)?.caps;
        let get = |w: usize| caps.get(w >> 12);
        match c.tag.words() {
            2 => Out::label(get(c.word(1)?).is_some().into()),
            3 => {
                let (a, b) = (get(c.word(1)?), get(c.word(2)?));
                Out::label((a.map(|c| c.object) == b.map(|c| c.object)).into())
            }
            _ => Err(EINVAL),
        }
    }

    fn task_add_ku_mem(&mut self, c: &Call, target: ObjId) -> Served {
        c.need(rights::W)?;
        let pages = c.words().get(1..).filter(|p| !p.is_empty()).ok_or(EMSGTOOSHORT)?;
        for p in pages {
            let fpage = Fpage(*p);
            if fpage.kind() != FpageKind::Memory || !(12..=17).contains(&fpage.order()) {
                return Err(EINVAL);
            }
            self.add_ku_mem(target, fpage.start(), 1 << fpage.order())?;
        }
        Out::words(pages)
    }

    /// Operations of any object: dropping references.
    pub(super) fn serve_kobject(&mut self, c: &Call) -> Served {
        match c.word(0).map_err(|_| EINVAL)? {
            0 => {
                let count = c.word(1)?;
                let id = c.cap.object;
                // What the kernel itself holds is not for programs to end.
                if self.objects.get(id).is_none_or(|o| o.charge.is_none()) {
                    return Err(EPERM);
                }
                let held = self.objects.get(id).map_or(0, |o| o.refs);
                let mut left = held;
                for _ in 0..count.min(held) {
                    left = self.drop_ref(id);
                }
                Out::words(&[left])
            }
            _ => Err(ENOSYS),
        }
    }
}

impl Call {
    /// For operations that a capability without the right must not do.
    pub(crate) fn need_special(&self) -> Result<(), crate::err::Errno> {
        if self.cap.may(rights::S) { Ok(()) } else { Err(EPERM) }
    }
}
