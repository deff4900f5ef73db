//! A request to an object of the kernel, and what it answers.

use alloc::vec::Vec;

use l4re_runtime::abi::fpage::{Fpage, Kind as FpageKind};
use l4re_runtime::abi::rpc::{Reader, Writer};
use l4re_runtime::abi::tag::{MAX_WORDS, Tag};
use l4re_runtime::abi::timeout::Timeouts;
use l4re_runtime::abi::{item, utcb};

use crate::cap::Cap;
use crate::err::{EINVAL, EMSGMISSARG, EMSGTOOSHORT, EPERM, Errno};
use crate::kernel::Kernel;
use crate::object::ObjId;
use crate::task::Page;

/// A request.
pub struct Call {
    /// Who asks.
    pub thread: ObjId,
    /// The task of that thread.
    pub task: ObjId,
    /// The capability that was invoked.
    pub cap: Cap,
    /// The message tag.
    pub tag: Tag,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// The message registers.
    pub mr: [usize; MAX_WORDS],
}

/// What comes back.
pub enum Answer {
    /// A message.
    Reply(Reply),
    /// Nothing: the operation has no answer.
    Silent,
    /// The caller waits, or exists no more.
    Blocked,
    /// An IPC error.
    Failed(usize),
}

/// What [`Kernel::serve`] returns.
pub type Served = Result<Answer, Errno>;

/// An answer.
#[derive(Default)]
pub struct Reply {
    /// Result.
    pub label: isize,
    /// Untyped words.
    pub words: Vec<usize>,
    /// What is mapped.
    pub items: Vec<Item>,
}

/// Something that the kernel maps to a receiver.
#[derive(Clone, Copy)]
pub enum Item {
    /// A capability.
    Cap(Cap),
    /// Memory: consecutive pages of a dataspace from a page on.
    Memory {
        /// The dataspace.
        ds: ObjId,
        /// Offset of the page that `spot` of the window is to show.
        offset: usize,
        /// Address in the window, modulo its size.
        spot: usize,
        /// What to map; the physical address comes from the dataspace.
        page: Page,
    },
    /// One page as it is.
    Page {
        /// Address in the window, modulo its size.
        spot: usize,
        /// The page.
        page: Page,
    },
}

impl Reply {
    /// Only a result.
    pub fn label(label: isize) -> Reply {
        Reply { label, ..Reply::default() }
    }

    /// A result and words.
    pub fn words(words: &[usize]) -> Reply {
        Reply { words: words.to_vec(), ..Reply::default() }
    }

    /// Success with an item.
    pub fn item(item: Item) -> Reply {
        Reply { items: [item].to_vec(), ..Reply::default() }
    }

    /// Values in the coding of L4Re's interfaces.
    pub fn bytes(write: impl FnOnce(&mut Writer<'_>)) -> Reply {
        let mut words = [0; MAX_WORDS];
        let mut writer = Writer::new(&mut words);
        write(&mut writer);
        let used = writer.finish().unwrap_or(0);
        Reply::words(&words[..used])
    }
}

/// Shorthands for results.
pub struct Out;

impl Out {
    /// Success without data.
    pub fn ok() -> Served {
        Ok(Answer::Reply(Reply::default()))
    }

    /// A result without data.
    pub fn label(label: isize) -> Served {
        Ok(Answer::Reply(Reply::label(label)))
    }

    /// Words.
    pub fn words(words: &[usize]) -> Served {
        Ok(Answer::Reply(Reply::words(words)))
    }

    /// A capability.
    pub fn cap(cap: Cap) -> Served {
        Ok(Answer::Reply(Reply::item(Item::Cap(cap))))
    }

    /// Coded values.
    pub fn bytes(write: impl FnOnce(&mut Writer<'_>)) -> Served {
        Ok(Answer::Reply(Reply::bytes(write)))
    }
}

impl Call {
    /// Takes the request out of the caller's UTCB.
    pub fn read(k: &Kernel, thread: ObjId, cap: Cap, tag: Tag, timeouts: Timeouts) -> Option<Call> {
        let t = k.objects.thread(thread)?;
        let mut mr = [0; MAX_WORDS];
        let mut bytes = [0; MAX_WORDS * size_of::<usize>()];
        k.mem.read(t.utcb, &mut bytes);
        for (w, b) in mr.iter_mut().zip(bytes.as_chunks().0) {
            *w = usize::from_le_bytes(*b);
        }
        Some(Call { thread, task: t.task?, cap, tag, timeouts, mr })
    }

    /// The words that the tag announces.
    pub fn words(&self) -> &[usize] {
        &self.mr[..self.tag.words()]
    }

    /// A word of the message.
    pub fn word(&self, index: usize) -> Result<usize, Errno> {
        self.words().get(index).copied().ok_or(EMSGTOOSHORT)
    }

    /// Reads values behind a 32-bit opcode.
    pub fn args(&self) -> Args<'_> {
        let mut reader = Reader::new(self.words());
        let _opcode = reader.u32();
        Args(reader)
    }

    /// The 32-bit opcode.
    pub fn opcode(&self) -> Result<u32, Errno> {
        Ok(self.word(0)? as u32)
    }

    /// Fails unless the invoked capability has a right.
    pub fn need(&self, right: usize) -> Result<(), Errno> {
        if self.cap.may(right) { Ok(()) } else { Err(EPERM) }
    }

    /// The capability that the first item names, in the caller's table, with the rights of both.
    pub fn item(&self, k: &Kernel) -> Result<Cap, Errno> {
        self.item_selector().and_then(|(fpage, control)| {
            let cap = k.lookup(self.thread, fpage.start()).ok_or(EINVAL)?;
            Ok(cap.derive(fpage.rights(), control & item::attr::ALL))
        })
    }

    /// The first item as it stands: flexpage and control word.
    pub fn item_selector(&self) -> Result<(Fpage, usize), Errno> {
        if self.tag.items() == 0 {
            return Err(EMSGMISSARG);
        }
        let at = self.tag.words();
        let (control, fpage) = (self.mr[at], Fpage(self.mr[at + 1]));
        if control & item::MAP == 0 || fpage.kind() != FpageKind::Cap {
            return Err(EINVAL);
        }
        Ok((fpage, control))
    }
}

/// Reads coded values; a missing one is `EMSGTOOSHORT`.
pub struct Args<'a>(Reader<'a>);

impl Args<'_> {
    /// A byte.
    pub fn u8(&mut self) -> Result<u8, Errno> {
        self.0.u8().ok_or(EMSGTOOSHORT)
    }

    /// A 32-bit value.
    pub fn u32(&mut self) -> Result<u32, Errno> {
        self.0.u32().ok_or(EMSGTOOSHORT)
    }

    /// A 64-bit value.
    pub fn u64(&mut self) -> Result<u64, Errno> {
        self.0.u64().ok_or(EMSGTOOSHORT)
    }

    /// A word.
    pub fn word(&mut self) -> Result<usize, Errno> {
        self.0.word().ok_or(EMSGTOOSHORT)
    }

    /// Characters with their length in front.
    pub fn chars(&mut self) -> Result<Vec<u8>, Errno> {
        let mut buffer = [0; utcb::MR_COUNT * 8];
        self.0.chars(&mut buffer).map(<[u8]>::to_vec).ok_or(EMSGTOOSHORT)
    }
}
