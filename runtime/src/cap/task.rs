//! Tasks: the own one, in which capabilities and memory are mapped and unmapped.

use super::handle::object;
use crate::abi::cap::{OWN_TASK, Sel, rights};
use crate::abi::fpage::Fpage;
use crate::abi::item::{SendItem, attr};
use crate::abi::object::task;
use crate::abi::proto;
use crate::abi::{WORD_SIZE, Word};
use crate::cap::Object;
use crate::ipc::{self, Msg, Window};
use crate::{Error, Result};

object! {
    /// An address space and a capability table.
    Task
}

/// Flexpages that one unmap message takes.
const UNMAP_MAX: usize = 61;

impl Task {
    /// The task that this program runs in.
    pub fn own() -> Task {
        Task(OWN_TASK)
    }

    /// Unmaps capabilities or memory from this task; memory also from everybody who has it from
    /// here. Where copies of a capability went the kernel does not know.
    ///
    /// # Errors
    ///
    /// What the kernel answers; slots and pages that are empty already are no error.
    pub fn unmap(&self, fpages: &[Fpage]) -> Result<()> {
        for part in fpages.chunks(UNMAP_MAX) {
            let mut msg = Msg::of(&[task::UNMAP, task::UNMAP_ALL]);
            part.iter().for_each(|f| msg.push(f.0));
            ipc::call(self.sel(), proto::TASK, &mut msg, Window::None)?;
        }
        Ok(())
    }

    /// Deletes the object in slot `sel`, if the capability has the right to, whoever else has one:
    /// for what was given to others and shall end, and for threads, which do not end with their last
    /// capability as long as they run.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn delete(&self, sel: Sel) -> Result<()> {
        let mut msg = Msg::of(&[task::UNMAP, task::UNMAP_DELETE, Fpage::cap(sel, rights::RWSD).0]);
        ipc::call(self.sel(), proto::TASK, &mut msg, Window::None).map(drop)
    }

    /// Whether there is an object in slot `sel` of this task that still exists.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn cap_valid(&self, sel: Sel) -> Result<bool> {
        let mut msg = Msg::of(&[task::CAP_INFO, sel.0]);
        ipc::call(self.sel(), proto::TASK, &mut msg, Window::None).map(|label| label > 0)
    }

    /// Whether two slots of this task hold the same object.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn cap_equal(&self, a: Sel, b: Sel) -> Result<bool> {
        let mut msg = Msg::of(&[task::CAP_INFO, a.0, b.0]);
        ipc::call(self.sel(), proto::TASK, &mut msg, Window::None).map(|label| label > 0)
    }

    /// Copies a capability of this program into slot `to` of this task with at most `rights`;
    /// a gate keeps its server right.
    ///
    /// # Errors
    ///
    /// What the kernel answers; [`Error::NOENT`] if there is nothing in `from`.
    pub fn map_cap(&self, from: Sel, to: Sel, rights: usize) -> Result<()> {
        let base = to.0 | SendItem::cap(from, rights, attr::ALL).control;
        let mut msg = Msg::of(&[task::MAP, base, Fpage::cap(from, rights).0])
            .with_item(SendItem::cap(OWN_TASK, rights::RWS, 0));
        ipc::call(self.sel(), proto::TASK, &mut msg, Window::None)?;
        if self.cap_valid(to)? { Ok(()) } else { Err(Error::NOENT) }
    }

    /// Adds memory that kernel and user share, for UTCBs, and returns what was really used.
    ///
    /// # Errors
    ///
    /// What the kernel answers, for example when the range is in use.
    pub fn add_ku_mem(&self, fpage: Fpage) -> Result<Fpage> {
        let mut msg = Msg::of(&[task::ADD_KU_MEM, fpage.0]);
        ipc::call(self.sel(), proto::TASK, &mut msg, Window::None)?;
        Ok(Fpage(msg.word(0)))
    }
}

/// Reads a 64-bit value that starts at word `at` of an answer.
pub(super) fn u64_at(msg: &Msg, at: usize) -> u64 {
    let low = msg.word(at) as u64;
    if WORD_SIZE == 8 { low } else { low | (msg.word(at + 1) as u64) << 32 }
}

/// Words for a CPU set: CPUs `offset`.. in steps of 2^`granularity`, those in `map`.
pub(super) const fn cpu_set(granularity: u8, offset: u32, map: Word) -> [Word; 2] {
    [(granularity as Word) << 24 | (offset as Word & 0xff_ffff), map]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;

    #[test]
    fn mapping_a_capability_names_source_and_target() {
        with_kernel(
            |call, utcb| {
                assert_eq!(call.dest, 0x1003);
                if utcb.mr(0) == 2 {
                    return (Tag::new(1, 0, 0).0, 0);
                }
                assert_eq!(call.tag, Tag::new(-11, 3, 1).0);
                let words: [usize; 5] = core::array::from_fn(|i| utcb.mr(i));
                assert_eq!(words, [0, 0x41_90e8, 0x7034 | 1, 8, 0x1037]);
                (Tag::new(0, 0, 0).0, 0)
            },
            || Task::own().map_cap(Sel(0x7000), Sel(0x41_9000), 5).unwrap(),
        );
    }

    #[test]
    fn long_lists_are_unmapped_in_pieces() {
        let mut left = 100;
        with_kernel(
            move |call, _| {
                let n = (Tag(call.tag).words() - 2).min(left);
                left -= n;
                assert!(n == 61 || n == 39);
                (Tag::new(0, 0, 0).0, 0)
            },
            || Task::own().unmap(&[Fpage::memory(0x1000, 12, 7); 100]).unwrap(),
        );
    }
}
