//! The region mapper of this task: what is at which address.

use crate::abi::cap::{Sel, rights};
use crate::abi::fpage::{self, mem};
use crate::abi::item::SendItem;
use crate::abi::proto;
use crate::abi::rm as op;
use crate::abi::rpc::{Reader, Writer};
use crate::cap::{Object, Task, object};
use crate::ipc::{self, Label, Msg, Window};
use crate::{Error, Result};

object! {
    /// A region mapper.
    Rm
}

/// What is mapped at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// First address of the region.
    pub start: usize,
    /// Size in bytes.
    pub size: usize,
    /// See [`op::flags`].
    pub flags: u32,
}

impl Rm {
    /// The region mapper of this task.
    pub fn own() -> Rm {
        Rm::at(crate::cap::initial().rm)
    }

    /// Attaches a dataspace as [`op::Attach`] says and returns the address.
    ///
    /// Crate-private: whoever calls it decides what an address means.
    pub(crate) fn attach(&self, attach: &op::Attach) -> Result<usize> {
        let rights = if attach.flags & op::flags::W != 0 { rights::RW } else { rights::R };
        let mut msg = Msg::new();
        let words = op::attach(msg.words_mut(), attach).ok_or(Error::MSGTOOLONG)?;
        msg.set_len(words);
        msg.push_item(SendItem::cap(attach.client_cap, rights, 0));
        self.call_for_address(&mut msg)
    }

    /// Detaches the region of exactly this range, and unmaps its pages if the region mapper left
    /// that to us.
    pub(crate) fn detach(&self, start: usize, size: usize) -> Result<()> {
        let mut msg = Msg::new();
        let words = Writer::with_opcode(msg.words_mut(), op::DETACH)
            .word(start)
            .word(size)
            .u32(op::DETACH_EXACT)
            .finish()
            .ok_or(Error::MSGTOOLONG)?;
        msg.set_len(words);
        let done = self.call(&mut msg)?;
        if done as u64 & op::DETACH_UNMAPPED == 0 {
            for page in fpage::cover(start, start.saturating_add(size), mem::RWX) {
                Task::own().unmap(&[page])?;
            }
        }
        Ok(())
    }

    /// Keeps a range free: attaching with a search does not use it.
    pub(crate) fn reserve(&self, start: usize, size: usize, flags: u32) -> Result<usize> {
        let mut msg = Msg::new();
        let words = Writer::with_opcode(msg.words_mut(), op::RESERVE_AREA)
            .word(start)
            .word(size)
            .u32(flags)
            .u8(crate::abi::PAGE_SHIFT as u8)
            .finish()
            .ok_or(Error::MSGTOOLONG)?;
        msg.set_len(words);
        self.call_for_address(&mut msg)
    }

    /// Undoes [`reserve`](Self::reserve).
    pub(crate) fn free(&self, start: usize) -> Result<()> {
        let mut msg = Msg::of(&[op::FREE_AREA as usize, start]);
        self.call(&mut msg).map(drop)
    }

    /// The region that has an address in `start .. start + size`.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is none.
    pub fn find(&self, start: usize, size: usize) -> Result<Found> {
        let mut msg = Msg::of(&[op::FIND as usize, start, size]);
        self.call(&mut msg)?;
        let mut r = Reader::new(msg.words());
        let found = r.word().zip(r.word()).zip(r.u32());
        let ((start, size), flags) = found.ok_or(Error::MSGTOOSHORT)?;
        Ok(Found { start, size, flags })
    }

    fn call(&self, msg: &mut Msg) -> Result<Label> {
        ipc::call(self.sel(), proto::RM, msg, Window::None)
    }

    fn call_for_address(&self, msg: &mut Msg) -> Result<usize> {
        self.call(msg)?;
        Reader::new(msg.words()).word().ok_or(Error::MSGTOOSHORT)
    }
}

/// The selector of the region mapper, as the fault handler of new threads.
pub(crate) fn fault_handler() -> Sel {
    crate::cap::initial().rm
}
