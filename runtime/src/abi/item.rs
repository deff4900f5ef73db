//! Typed items of messages: what is sent, what the receiver offers, and what it finds.

use super::{
    Word,
    cap::Sel,
    fpage::{Fpage, Kind},
};

/// Bit that marks a map item; an item without it is void.
pub const MAP: Word = 8;
/// Bit of a send item: move instead of map.
pub const GRANT: Word = 2;
/// Bit of a send item: the next item goes into the same receive buffer.
pub const COMPOUND: Word = 1;

/// Attributes of a capability that is sent (bits 4 to 7 of the first word).
pub mod attr {
    use super::Word;

    /// Map without counting a reference.
    pub const WEAK: Word = 0x10;
    /// The server right of an IPC gate.
    pub const SERVER: Word = 0x20;
    /// All object rights, the server right among them.
    pub const ALL: Word = 0xe0;
}

/// Cacheability of memory that is sent (bits 4 to 6 of the first word).
pub mod cache {
    use super::Word;

    /// As the sender has it.
    pub const SAME: Word = 0;
    /// Not cached: device registers.
    pub const UNCACHED: Word = 0x10;
    /// Cached.
    pub const CACHED: Word = 0x30;
    /// Buffered (write-combining).
    pub const BUFFERED: Word = 0x50;
}

/// A typed item to send: two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendItem {
    /// Control word: kind, attributes, hot spot.
    pub control: Word,
    /// The flexpage word.
    pub fpage: Fpage,
}

impl SendItem {
    /// An item that carries nothing.
    pub const VOID: SendItem = SendItem { control: 0, fpage: Fpage::NIL };

    /// Maps the capability `sel`; `rights` as in [`super::cap::rights`], `attrs` as in [`attr`].
    pub const fn cap(sel: Sel, rights: Word, attrs: Word) -> SendItem {
        SendItem { control: MAP | (attrs & 0xf0), fpage: Fpage::cap(sel, rights) }
    }

    /// Maps memory with its offset in a larger receive window (`hot_spot`, a page address).
    pub const fn memory(fpage: Fpage, hot_spot: Word, cache: Word) -> SendItem {
        SendItem { control: MAP | (cache & 0x70) | (hot_spot & !0xfff), fpage }
    }

    /// Whether the item carries nothing.
    pub const fn is_void(self) -> bool {
        self.control & MAP == 0
    }
}

/// Buffer items that a receiver puts into its buffer registers.
pub mod buffer {
    use super::{MAP, Sel, Word};

    /// Bit: one capability slot, the item is one word long.
    pub const SMALL: Word = 2;
    /// Bit: deliver the label of a gate of the own threads, or the flexpage word of a sender in the
    /// same task, instead of mapping.
    pub const LOCAL_ID: Word = 4;
    /// Bit: a further word names the task to map into.
    pub const FORWARD: Word = 1;

    /// A buffer for one capability in slot `sel`.
    pub const fn cap(sel: Sel) -> Word {
        (sel.0 & !0xfff) | MAP | SMALL
    }

    /// As [`cap`], but an object of the own task arrives as its label.
    pub const fn cap_or_id(sel: Sel) -> Word {
        cap(sel) | LOCAL_ID
    }

    /// Control word of a window for memory or several capabilities; the flexpage follows.
    pub const WINDOW: Word = MAP;
}

/// What the receiver finds at the place of a typed item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A capability or memory was mapped to where the buffer said.
    Mapped(Kind),
    /// The item was void, or its source was empty.
    Nothing,
    /// A gate or IRQ of the own task: its label (low two bits cleared) and rights.
    Label {
        /// The label of the object.
        label: Word,
        /// Rights of the sender's capability: bit 0 write, bit 1 special.
        rights: Word,
    },
    /// The sender is in the same task: its flexpage word, nothing mapped.
    SameTask(Fpage),
}

impl Received {
    /// Takes the two words of a received item apart.
    pub const fn decode(control: Word, data: Word) -> Received {
        if control & MAP == 0 {
            return Received::Nothing;
        }
        match control & 6 {
            0 => Received::Mapped(Fpage(control).kind()),
            4 => Received::Label { label: data & !3, rights: data & 3 },
            6 => Received::SameTask(Fpage(data)),
            _ => Received::Nothing,
        }
    }

    /// Whether a capability was mapped.
    pub const fn is_cap(self) -> bool {
        matches!(self, Received::Mapped(Kind::Cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_as_the_kernel_writes_them() {
        assert!(Received::decode(0x38, 0).is_cap());
        assert_eq!(Received::decode(0x3c, 0x5553), Received::Label { label: 0x5550, rights: 3 });
        assert_eq!(Received::decode(0x3e, 0x503f), Received::SameTask(Fpage(0x503f)));
        assert_eq!(Received::decode(0, 0), Received::Nothing);
        assert_eq!(Received::decode(0x18 | 12 << 6, 0), Received::Mapped(Kind::Memory));
    }

    #[test]
    fn what_is_sent_and_offered() {
        let i = SendItem::cap(Sel(0x7000), 0xf, attr::SERVER);
        assert_eq!((i.control, i.fpage.0), (0x28, 0x703f));
        assert_eq!(buffer::cap(Sel(0x7000)), 0x700a);
        assert_eq!(buffer::cap_or_id(Sel(0x7000)), 0x700e);
    }
}
