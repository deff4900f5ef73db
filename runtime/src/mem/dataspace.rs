//! Dataspaces: memory as a capability.

use crate::abi::cap::rights;
use crate::abi::dataspace as op;
use crate::abi::factory::{Arg, DsFlags};
use crate::abi::fpage::Fpage;
use crate::abi::item::SendItem;
use crate::abi::rpc::{Reader, Writer};
use crate::abi::{page_up, proto};
use crate::cap::{Cap, Factory, Object, object};
use crate::ipc::{self, Label, Msg, Window};
use crate::{Error, Result};

object! {
    /// A container of memory, or of device registers. It is used by attaching it to the address
    /// space ([`Region`](super::Region)), by mapping it for DMA ([`DmaDomain`](super::DmaDomain)),
    /// or by handing it to somebody else.
    Dataspace
}

/// What the memory of a new dataspace is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backing {
    /// Pages on first touch.
    #[default]
    Plain,
    /// Allocated at once and never moved, so that devices can use it.
    Pinned,
    /// As pinned, and in one piece.
    Contiguous,
}

/// What a dataspace says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataspaceInfo {
    /// Size in bytes.
    pub size: u64,
    /// Whether this capability allows writing.
    pub writable: bool,
}

impl Dataspace {
    /// Makes a dataspace of `size` bytes (rounded up to pages) of zeroed memory.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] when memory, quota or slots are used up; [`Error::INVAL`] for sizes that
    /// no memory has.
    pub fn create(size: usize, backing: Backing) -> Result<Cap<Dataspace>> {
        // Servers keep the size as it is asked for; what is mapped are pages.
        let size = page_up(size).filter(|s| *s > 0).ok_or(Error::INVAL)?;
        let size = isize::try_from(size).map_err(|_| Error::INVAL)?;
        let flags = match backing {
            Backing::Plain => DsFlags::empty(),
            Backing::Pinned => DsFlags::PINNED,
            Backing::Contiguous => DsFlags::CONTINUOUS | DsFlags::PINNED,
        };
        let args = [Arg::Signed(size), Arg::Unsigned(flags.bits()), Arg::Unsigned(0)];
        Factory::at(crate::cap::initial().mem_alloc).create(proto::DATASPACE, &args)
    }

    /// Size and rights.
    ///
    /// # Errors
    ///
    /// What the dataspace's server answers; [`Error::MSGTOOSHORT`] for a broken answer.
    pub fn info(&self) -> Result<DataspaceInfo> {
        let mut msg = Msg::of(&[op::INFO as usize]);
        ipc::call(self.sel(), proto::DATASPACE, &mut msg, Window::None)?;
        let mut r = Reader::new(msg.words());
        let size = r.u64().ok_or(Error::MSGTOOSHORT)?;
        let flags = r.word().ok_or(Error::MSGTOOSHORT)?;
        Ok(DataspaceInfo { size, writable: flags & op::F_W != 0 })
    }

    /// Fills a part with zeros.
    ///
    /// # Errors
    ///
    /// [`Error::ACCESS`] without the write right, or what the server answers.
    pub fn clear(&self, offset: u64, size: u64) -> Result<()> {
        self.request(op::CLEAR, &[offset, size], None).map(drop)
    }

    /// Backs a part with memory now instead of on first touch.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`], or what the server answers.
    pub fn allocate(&self, offset: u64, size: u64) -> Result<()> {
        self.request(op::ALLOCATE, &[offset, size], None).map(drop)
    }

    /// Maps memory from `offset` on, readable and writable, into a part of the address space: what
    /// was there is gone.
    ///
    /// Crate-private: whoever calls it decides what an address means.
    pub(crate) fn map_at(&self, offset: u64, window: Fpage) -> Result<()> {
        let mut msg = Msg::new();
        let words = Writer::with_opcode(msg.words_mut(), op::MAP)
            .u64(offset)
            .u64(0)
            .word(op::F_R | op::F_W)
            .finish()
            .ok_or(Error::MSGTOOLONG)?;
        msg.set_len(words);
        ipc::call(self.sel(), proto::DATASPACE, &mut msg, Window::Memory(window)).map(drop)
    }

    /// Copies `size` bytes from `source` at `from` to offset `to` of this dataspace; servers copy
    /// lazily where they can.
    ///
    /// # Errors
    ///
    /// [`Error::ACCESS`] without the write right, or what the server answers.
    pub fn copy_in(&self, to: u64, source: &Dataspace, from: u64, size: u64) -> Result<()> {
        let item = SendItem::cap(source.sel(), rights::R, 0);
        self.request(op::COPY_IN, &[to, from, size], Some(item)).map(drop)
    }

    fn request(&self, opcode: u32, args: &[u64], item: Option<SendItem>) -> Result<Label> {
        let mut msg = Msg::new();
        let mut w = Writer::with_opcode(msg.words_mut(), opcode);
        args.iter().for_each(|a| {
            w.u64(*a);
        });
        let words = w.finish().ok_or(Error::MSGTOOLONG)?;
        msg.set_len(words);
        if let Some(item) = item {
            msg.push_item(item);
        }
        ipc::call(self.sel(), proto::DATASPACE, &mut msg, Window::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;
    use crate::cap::SLOTS;

    #[test]
    fn creation_is_size_flags_and_alignment() {
        SLOTS.start_at(0x418);
        with_kernel(
            |call, utcb| {
                if call.dest == 0x1003 {
                    return (Tag::new(0, 0, 0).0, 0);
                }
                assert_eq!(call.tag, Tag::new(-15, 7, 0).0);
                let words: [usize; 7] = core::array::from_fn(|i| utcb.mr(i));
                assert_eq!(words, [0x4000, 0x8_0081, 0x4000, 0x8_0001, 3, 0x8_0001, 0]);
                utcb.set_mr(0, 0x38);
                (Tag::new(0, 0, 1).0, 0)
            },
            || assert!(Dataspace::create(0x4000, Backing::Contiguous).is_ok()),
        );
    }

    #[test]
    fn arguments_stand_where_the_protocol_wants_them() {
        with_kernel(
            |call, utcb| {
                assert_eq!(call.tag, Tag::new(0x4000, 4, 1).0);
                let words: [usize; 6] = core::array::from_fn(|i| utcb.mr(i));
                assert_eq!(words, [3, 0x1000, 0x2000, 0x3000, 8, 0x8034]);
                (Tag::new(0, 0, 0).0, 0)
            },
            || {
                let (ds, src) = (Dataspace::at(Sel(0x7000)), Dataspace::at(Sel(0x8000)));
                ds.copy_in(0x1000, &src, 0x2000, 0x3000).unwrap();
            },
        );
    }
}
