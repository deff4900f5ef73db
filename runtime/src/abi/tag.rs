//! Message tags.

use super::Word;

/// Number of message registers.
pub const MAX_WORDS: usize = 63;

/// The tag of a message: what it is about, and how many words and items it carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tag(pub Word);

impl Tag {
    /// Flag: the rest of the time slice goes to the receiver.
    pub const SCHEDULE: Word = 1 << 13;
    /// Flag: transfer the FPU state.
    pub const FPU: Word = 1 << 12;
    /// Flag of returned tags: the IPC failed, the code is in the UTCB.
    pub const ERROR: Word = 1 << 15;

    /// A tag. `label` is the protocol of a request or the result in a reply; `words` (at most 63)
    /// untyped words are followed by `items` typed items of two words each.
    pub const fn new(label: isize, words: usize, items: usize) -> Tag {
        Tag(((label as Word) << 16) | (words & 0x3f) | ((items & 0x3f) << 6))
    }

    /// The same tag with flag bits set.
    pub const fn with_flags(self, flags: Word) -> Tag {
        Tag(self.0 | flags)
    }

    /// The label: protocol (request) or result (reply).
    pub const fn label(self) -> isize {
        self.0 as isize >> 16
    }

    /// Number of untyped words.
    pub const fn words(self) -> usize {
        self.0 & 0x3f
    }

    /// Number of typed items.
    pub const fn items(self) -> usize {
        (self.0 >> 6) & 0x3f
    }

    /// Whether the IPC failed.
    pub const fn has_error(self) -> bool {
        self.0 & Tag::ERROR != 0
    }
}

impl core::fmt::Debug for Tag {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "tag(label {}, {} words, {} items", self.label(), self.words(), self.items())?;
        f.write_str(if self.has_error() { ", error)" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let t = Tag::new(-15, 63, 2);
        assert_eq!((t.label(), t.words(), t.items()), (-15, 63, 2));
        assert_eq!(Tag::new(0x4005, 10, 1).0, 0x4005_0000 | 1 << 6 | 10);
        assert!(!t.has_error() && t.with_flags(Tag::ERROR).has_error());
    }
}
