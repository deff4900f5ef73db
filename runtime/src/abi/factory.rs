//! Factories (protocol [`FACTORY`](super::proto::FACTORY)): `MR 0` is the protocol of the object to
//! create, then follow arguments, each a header word and its data padded to words.

use super::{WORD_SIZE, Word};

/// What kinds of objects the kernel's factory makes: the value of `MR 0`.
pub mod kind {
    /// IPC gate.
    pub const GATE: isize = 0;
    /// Task.
    pub const TASK: isize = super::super::proto::TASK;
    /// Thread.
    pub const THREAD: isize = super::super::proto::THREAD;
    /// Factory with its own quota.
    pub const FACTORY: isize = super::super::proto::FACTORY;
    /// IRQ object.
    pub const IRQ: isize = super::super::proto::IRQ_SENDER;
    /// Semaphore.
    pub const SEMAPHORE: isize = super::super::proto::SEMAPHORE;
}

bitflags::bitflags! {
    /// Flags of a dataspace that is created.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct DsFlags: Word {
        /// Physically contiguous.
        const CONTINUOUS = 1;
        /// Never moved or paged out.
        const PINNED = 2;
        /// Made of super pages.
        const SUPER_PAGES = 4;
    }
}

/// Types in the header of an argument (bits 0 to 7).
mod header {
    pub const NIL: u8 = 0x00;
    pub const UNSIGNED: u8 = 0x01;
    pub const SIGNED: u8 = 0x81;
    pub const STRING: u8 = 0x02;
    pub const FPAGE: u8 = 0x03;
}

/// One argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg<'a> {
    /// No value.
    Nil,
    /// An unsigned word.
    Unsigned(Word),
    /// A signed word.
    Signed(isize),
    /// A string, without its terminating NUL.
    Str(&'a [u8]),
    /// A flexpage word.
    Fpage(Word),
}

impl Arg<'_> {
    /// Words that the argument takes in a message, header included.
    pub const fn words(&self) -> usize {
        match self {
            Arg::Nil => 1,
            Arg::Str(s) => 1 + (s.len() + 1).div_ceil(WORD_SIZE),
            _ => 2,
        }
    }

    /// Writes the argument to the start of `out`; `None` if it does not fit or is too long for
    /// its 16-bit length.
    pub fn encode(&self, out: &mut [Word]) -> Option<usize> {
        let n = self.words();
        let out = out.get_mut(..n)?;
        let head = |kind: u8, len: usize| (len << 16) | kind as usize;
        match *self {
            Arg::Nil => out[0] = head(header::NIL, 0),
            Arg::Unsigned(v) => out.copy_from_slice(&[head(header::UNSIGNED, WORD_SIZE), v]),
            Arg::Signed(v) => out.copy_from_slice(&[head(header::SIGNED, WORD_SIZE), v as Word]),
            Arg::Fpage(v) => out.copy_from_slice(&[head(header::FPAGE, WORD_SIZE), v]),
            Arg::Str(s) => {
                if s.len() >= u16::MAX as usize {
                    return None;
                }
                out[0] = head(header::STRING, s.len() + 1);
                let mut bytes = s.iter().copied().chain(core::iter::repeat(0));
                for w in &mut out[1..] {
                    *w = Word::from_le_bytes(core::array::from_fn(|_| bytes.next().unwrap_or(0)));
                }
            }
        }
        Some(n)
    }
}

/// An argument as it lies in a received message: strings are bytes of the given words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawArg<'a> {
    /// No value.
    Nil,
    /// An unsigned word.
    Unsigned(Word),
    /// A signed word.
    Signed(isize),
    /// A string: the words that hold it, and its length without the NUL.
    Str(&'a [Word], usize),
    /// A flexpage word.
    Fpage(Word),
}

impl RawArg<'_> {
    /// Copies a string to `out` and returns the bytes; `None` if it is none or does not fit.
    pub fn str_bytes<'o>(&self, out: &'o mut [u8]) -> Option<&'o [u8]> {
        let RawArg::Str(words, len) = *self else { return None };
        let out = out.get_mut(..len)?;
        for (i, b) in out.iter_mut().enumerate() {
            *b = words.get(i / WORD_SIZE)?.to_le_bytes()[i % WORD_SIZE];
        }
        Some(out)
    }
}

/// An argument list that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Iterates over the arguments in `words`: those after `MR 0`, as many as the tag says.
///
/// After a malformed argument the iterator ends.
pub fn args(words: &[Word]) -> impl Iterator<Item = Result<RawArg<'_>, Malformed>> {
    let mut rest = words;
    core::iter::from_fn(move || {
        let (&head, data) = rest.split_first()?;
        let len = (head >> 16) & 0xffff;
        let (mine, after) = match data.split_at_checked(len.div_ceil(WORD_SIZE)) {
            Some(parts) => parts,
            None => {
                rest = &[];
                return Some(Err(Malformed));
            }
        };
        rest = after;
        let word = (len == WORD_SIZE).then(|| mine.first().copied()).flatten();
        let arg = match ((head & 0xff) as u8, word) {
            (header::NIL, _) if len == 0 => Ok(RawArg::Nil),
            (header::UNSIGNED, Some(v)) => Ok(RawArg::Unsigned(v)),
            (header::SIGNED, Some(v)) => Ok(RawArg::Signed(v as isize)),
            (header::FPAGE, Some(v)) => Ok(RawArg::Fpage(v)),
            (header::STRING, _) if len > 0 && byte(mine, len - 1) == 0 => {
                Ok(RawArg::Str(mine, len - 1))
            }
            _ => Err(Malformed),
        };
        if arg.is_err() {
            rest = &[];
        }
        Some(arg)
    })
}

fn byte(words: &[Word], i: usize) -> u8 {
    words.get(i / WORD_SIZE).map_or(0xff, |w| w.to_le_bytes()[i % WORD_SIZE])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_the_protocol() {
        let mut w = [0; 4];
        assert_eq!(Arg::Unsigned(5).encode(&mut w), Some(2));
        assert_eq!(w[..2], [0x0008_0001, 5]);
        Arg::Signed(-1).encode(&mut w).unwrap();
        assert_eq!(w[..2], [0x0008_0081, !0]);
        assert_eq!(Arg::Str(b"ds-max=5").encode(&mut w), Some(3));
        assert_eq!(w[0], 9 << 16 | 2);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let list = [Arg::Str(b""), Arg::Nil, Arg::Str(b"device=1234:n1"), Arg::Signed(-7)];
        let mut w = [0; 63];
        let mut n = 0;
        for a in &list {
            n += a.encode(&mut w[n..]).unwrap();
        }
        let got: Vec<_> = args(&w[..n]).map(|a| a.unwrap()).collect();
        let mut buf = [0; 32];
        assert_eq!(got[0].str_bytes(&mut buf), Some(&b""[..]));
        assert_eq!(got[1], RawArg::Nil);
        assert_eq!(got[2].str_bytes(&mut buf), Some(&b"device=1234:n1"[..]));
        assert_eq!(got[3], RawArg::Signed(-7));
    }

    #[test]
    fn nonsense_ends_the_list() {
        for bad in [&[0xffff_0002, 0][..], &[9], &[1 << 16 | 2, 0x41], &[4 << 16 | 1, 0]] {
            let got: Vec<_> = args(bad).collect();
            assert_eq!(got, [Err(Malformed)], "{bad:x?}");
        }
    }
}
