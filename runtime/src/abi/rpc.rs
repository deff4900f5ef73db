//! Marshalling of L4Re's user-level interfaces: values follow each other at the next multiple of
//! their own alignment, a 32-bit opcode first in requests, none in replies.

use super::{WORD_SIZE, Word};

/// Writes values into message words.
#[derive(Debug)]
pub struct Writer<'a> {
    words: &'a mut [Word],
    at: usize,
    overflow: bool,
}

impl<'a> Writer<'a> {
    /// Starts at the first byte of `words`.
    pub fn new(words: &'a mut [Word]) -> Self {
        Self { words, at: 0, overflow: false }
    }

    /// Starts with the opcode of a user-level interface.
    pub fn with_opcode(words: &'a mut [Word], opcode: u32) -> Self {
        let mut w = Self::new(words);
        w.u32(opcode);
        w
    }

    fn put(&mut self, align: usize, bytes: &[u8]) -> &mut Self {
        let start = self.at.next_multiple_of(align);
        if start + bytes.len() > self.words.len() * WORD_SIZE {
            self.overflow = true;
            return self;
        }
        for (i, &b) in (start..).zip(bytes) {
            let shift = 8 * (i % WORD_SIZE);
            let w = &mut self.words[i / WORD_SIZE];
            *w = (*w & !(0xff << shift)) | (b as Word) << shift;
        }
        self.at = start + bytes.len();
        self
    }

    /// A byte.
    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.put(1, &v.to_le_bytes())
    }

    /// A 32-bit value.
    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.put(4, &v.to_le_bytes())
    }

    /// A 64-bit value.
    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.put(8, &v.to_le_bytes())
    }

    /// A word.
    pub fn word(&mut self, v: Word) -> &mut Self {
        self.put(WORD_SIZE, &v.to_le_bytes())
    }

    /// Characters with their length in front as a word; the length does not count a NUL.
    pub fn chars(&mut self, s: &[u8]) -> &mut Self {
        self.word(s.len());
        self.put(1, s)
    }

    /// A string: as [`chars`](Self::chars), but with a NUL that the length counts.
    pub fn string(&mut self, s: &[u8]) -> &mut Self {
        self.word(s.len() + 1);
        self.put(1, s);
        self.put(1, &[0])
    }

    /// Number of words used; `None` if something did not fit.
    pub fn finish(&self) -> Option<usize> {
        (!self.overflow).then(|| self.at.div_ceil(WORD_SIZE))
    }
}

/// Reads values from message words; every method yields `None` behind the end.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    words: &'a [Word],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `words`: as many as the tag says.
    pub fn new(words: &'a [Word]) -> Self {
        Self { words, at: 0 }
    }

    fn take<const N: usize>(&mut self, align: usize) -> Option<[u8; N]> {
        let start = self.at.next_multiple_of(align);
        if start + N > self.words.len() * WORD_SIZE {
            return None;
        }
        self.at = start + N;
        Some(core::array::from_fn(|i| self.byte(start + i)))
    }

    fn byte(&self, i: usize) -> u8 {
        self.words[i / WORD_SIZE].to_le_bytes()[i % WORD_SIZE]
    }

    /// A byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.take(1).map(u8::from_le_bytes)
    }

    /// A 16-bit value.
    pub fn u16(&mut self) -> Option<u16> {
        self.take(2).map(u16::from_le_bytes)
    }

    /// A 32-bit value.
    pub fn u32(&mut self) -> Option<u32> {
        self.take(4).map(u32::from_le_bytes)
    }

    /// A 64-bit value.
    pub fn u64(&mut self) -> Option<u64> {
        self.take(8).map(u64::from_le_bytes)
    }

    /// A word.
    pub fn word(&mut self) -> Option<Word> {
        self.take(WORD_SIZE).map(Word::from_le_bytes)
    }

    /// Characters with a word length in front, copied to `out`; `None` if they do not fit or are
    /// not all there.
    pub fn chars<'o>(&mut self, out: &'o mut [u8]) -> Option<&'o [u8]> {
        let len = self.word()?;
        let out = out.get_mut(..len)?;
        if len > self.words.len() * WORD_SIZE - self.at {
            return None;
        }
        for (i, b) in out.iter_mut().enumerate() {
            *b = self.byte(self.at + i);
        }
        self.at += len;
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_at_their_alignment() {
        let mut w = [!0; 12];
        let n = Writer::with_opcode(&mut w, 0)
            .word(0x1000)
            .word(0x2000)
            .u32(7)
            .u64(9)
            .u8(12)
            .word(5)
            .finish();
        assert_eq!(n, Some(7));
        let mut r = Reader::new(&w[..7]);
        assert_eq!(r.u32(), Some(0));
        assert_eq!((r.word(), r.word()), (Some(0x1000), Some(0x2000)));
        assert_eq!((r.u32(), r.u64(), r.u8(), r.word()), (Some(7), Some(9), Some(12), Some(5)));
        assert_eq!(w[4], 9, "the u64 after a u32 starts a new word");
        assert_eq!(r.u8(), None);
    }

    #[test]
    fn strings_and_overflow() {
        let mut w = [0; 4];
        assert_eq!(Writer::new(&mut w).chars(b"rom").finish(), Some(2));
        let mut buf = [0; 8];
        assert_eq!(Reader::new(&w).chars(&mut buf), Some(&b"rom"[..]));
        w[0] = usize::MAX;
        assert_eq!(Reader::new(&w).chars(&mut buf), None);
        assert_eq!(Writer::new(&mut w[..1]).word(1).u8(1).finish(), None);
    }
}
