//! A message in ordinary memory.

use crate::abi::Word;
use crate::abi::cap::Sel;
use crate::abi::fpage::Fpage;
use crate::abi::item::{Received, SendItem, buffer};
use crate::abi::tag::{MAX_WORDS, Tag};
use crate::arch::Utcb;
use crate::{Error, Result};

/// Most items of a message that is sent; no protocol here has more than two.
const MAX_ITEMS: usize = 4;

/// A message: words and typed items. The same value carries a request out and its answer in.
#[derive(Clone, Debug)]
pub struct Msg {
    words: [Word; MAX_WORDS],
    /// Words in use; beyond [`MAX_WORDS`] if somebody put too many in.
    len: usize,
    items: [SendItem; MAX_ITEMS],
    item_count: usize,
}

impl Default for Msg {
    fn default() -> Self {
        Self::new()
    }
}

impl Msg {
    /// An empty message.
    pub const fn new() -> Self {
        Self { words: [0; MAX_WORDS], len: 0, items: [SendItem::VOID; MAX_ITEMS], item_count: 0 }
    }

    /// A message of these words. Words beyond the 63rd make sending it fail.
    pub fn of(words: &[Word]) -> Self {
        let mut m = Self::new();
        for w in words {
            m.push(*w);
        }
        m
    }

    /// Appends a word. One too many makes sending fail with [`Error::MSGTOOLONG`].
    pub fn push(&mut self, word: Word) {
        if let Some(place) = self.words.get_mut(self.len) {
            *place = word;
        }
        self.len += 1;
    }

    /// Appends an item. One too many makes sending fail with [`Error::MSGTOOLONG`].
    pub fn push_item(&mut self, item: SendItem) {
        if let Some(place) = self.items.get_mut(self.item_count) {
            *place = item;
        }
        self.item_count += 1;
    }

    /// Item `i` that is to be sent.
    #[cfg(test)]
    pub(crate) fn item(&self, i: usize) -> SendItem {
        self.items[i]
    }

    /// The same message with one more item.
    #[must_use]
    pub fn with_item(mut self, item: SendItem) -> Self {
        self.push_item(item);
        self
    }

    /// The words of the message.
    pub fn words(&self) -> &[Word] {
        &self.words[..self.len.min(MAX_WORDS)]
    }

    /// All words that the message may have, to be written; [`set_len`](Self::set_len) says how
    /// many were.
    pub fn words_mut(&mut self) -> &mut [Word; MAX_WORDS] {
        &mut self.words
    }

    /// Sets the number of words that belong to the message.
    pub fn set_len(&mut self, words: usize) {
        self.len = words;
    }

    /// Word `i` of an answer; 0 if the sender did not send that many.
    pub fn word(&self, i: usize) -> Word {
        self.words().get(i).copied().unwrap_or(0)
    }

    /// Empties the message.
    pub fn clear(&mut self) {
        self.len = 0;
        self.item_count = 0;
    }

    /// What arrived as item `i` of a received message.
    pub fn received(&self, i: usize) -> Received {
        if i >= self.item_count {
            return Received::Nothing;
        }
        self.items
            .get(i)
            .map_or(Received::Nothing, |item| Received::decode(item.control, item.fpage.0))
    }

    /// Number of items of a received message.
    pub fn received_items(&self) -> usize {
        self.item_count
    }

    /// Writes the message to the UTCB and makes its tag.
    pub(crate) fn store(&self, label: isize, utcb: Utcb) -> Result<Tag> {
        if self.len + 2 * self.item_count > MAX_WORDS || self.item_count > MAX_ITEMS {
            return Err(Error::MSGTOOLONG);
        }
        for (i, w) in self.words().iter().enumerate() {
            utcb.set_mr(i, *w);
        }
        for (i, item) in self.items[..self.item_count].iter().enumerate() {
            utcb.set_mr(self.len + 2 * i, item.control);
            utcb.set_mr(self.len + 2 * i + 1, item.fpage.0);
        }
        Ok(Tag::new(label, self.len, self.item_count))
    }

    /// Reads a message that arrived with `tag`, whatever its label says.
    pub(crate) fn load_words(&mut self, tag: Tag, utcb: Utcb) {
        self.len = tag.words();
        for i in 0..self.len {
            self.words[i] = utcb.mr(i);
        }
        self.item_count = tag.items().min(MAX_ITEMS);
        for i in 0..self.item_count {
            let at = self.len + 2 * i;
            self.items[i] = SendItem { control: utcb.mr(at), fpage: Fpage(utcb.mr(at + 1)) };
        }
    }

    /// Reads the answer to a call and takes its label apart.
    pub(super) fn load(&mut self, tag: Tag, utcb: Utcb) -> Result<usize> {
        self.clear();
        super::check(tag)?;
        self.load_words(tag, utcb);
        Error::from_label(tag.label() as i64).map(|label| label as usize)
    }
}

/// Where a capability or memory that comes with an answer goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// Nothing is expected; a sender that tries fails with an overflow.
    #[default]
    None,
    /// One capability, into this slot.
    Cap(Sel),
    /// One capability, into this slot, unless it is an object of this task, which arrives as its
    /// label.
    CapOrLabel(Sel),
    /// Memory, into this part of the address space.
    Memory(Fpage),
}

impl Window {
    /// Writes the buffer registers.
    pub(crate) fn store(self, utcb: Utcb) {
        utcb.set_bdr(0);
        match self {
            Window::None => utcb.set_br(0, 0),
            Window::Cap(slot) => {
                utcb.set_br(0, buffer::cap(slot));
                utcb.set_br(1, 0);
            }
            Window::CapOrLabel(slot) => {
                utcb.set_br(0, buffer::cap_or_id(slot));
                utcb.set_br(1, 0);
            }
            Window::Memory(fpage) => {
                utcb.set_br(0, buffer::WINDOW);
                utcb.set_br(1, fpage.0);
                utcb.set_br(2, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::item::attr;

    #[test]
    fn items_follow_the_words() {
        let m = Msg::of(&[1, 2]).with_item(SendItem::cap(Sel(0x5000), 0xf, attr::SERVER));
        let u = Utcb::current();
        let tag = m.store(-15, u).unwrap();
        assert_eq!((tag.label(), tag.words(), tag.items()), (-15, 2, 1));
        assert_eq!([u.mr(0), u.mr(1), u.mr(2), u.mr(3)], [1, 2, 0x28, 0x503f]);
    }

    #[test]
    fn what_does_not_fit_is_not_sent() {
        let long = Msg::of(&[0; 64]);
        assert_eq!(long.store(0, Utcb::current()), Err(Error::MSGTOOLONG));
        let full = Msg::of(&[0; 62]).with_item(SendItem::VOID);
        assert_eq!(full.store(0, Utcb::current()), Err(Error::MSGTOOLONG));
        assert!(Msg::of(&[0; 63]).store(0, Utcb::current()).is_ok());
    }

    #[test]
    fn any_tag_of_a_peer_is_read_within_bounds() {
        let u = Utcb::current();
        u.set_mr(62, 7);
        let mut m = Msg::new();
        m.load_words(Tag(0xfff), u);
        assert_eq!((m.words().len(), m.word(62), m.received_items()), (63, 7, MAX_ITEMS));
        assert_eq!(m.received(0), Received::Nothing, "items behind the last word are empty");
        assert_eq!(m.word(1000), 0);
    }

    #[test]
    fn windows_are_buffer_registers() {
        let u = Utcb::current();
        Window::Cap(Sel(0x41_8000)).store(u);
        assert_eq!([u.buffer(None), u.buffer(Some(0)), u.buffer(Some(1))], [0, 0x41_800a, 0]);
        Window::Memory(Fpage::memory(0x40_0000, 12, 4)).store(u);
        assert_eq!([u.buffer(Some(0)), u.buffer(Some(1)), u.buffer(Some(2))], [8, 0x40_0314, 0]);
    }
}
