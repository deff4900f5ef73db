//! Cuts text into lines and lines into pieces that fit one message.

use core::fmt;

/// Text that fits into one write message to a Vcon, in bytes.
pub const CHUNK: usize = 488;

/// Collects text and hands it on line by line, each with its newline; lines that are longer than
/// [`CHUNK`] go out in several pieces.
///
/// A multi-byte character is never cut in two, so that a terminal shows what was written.
pub struct LineBuffer<S: FnMut(&[u8])> {
    sink: S,
    text: [u8; CHUNK],
    len: usize,
}

impl<S: FnMut(&[u8])> LineBuffer<S> {
    /// An empty buffer before `sink`, which gets 1 to [`CHUNK`] bytes at a time.
    pub const fn new(sink: S) -> Self {
        Self { sink, text: [0; CHUNK], len: 0 }
    }

    /// Hands on what was not ended by a newline, and ends it. Nothing happens at a line's start.
    pub fn finish(&mut self) {
        if self.len != 0 {
            self.push(b'\n');
        }
    }

    fn push(&mut self, byte: u8) {
        self.text[self.len] = byte;
        self.len += 1;
        if byte == b'\n' || self.len == CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        (self.sink)(&self.text[..self.len]);
        self.len = 0;
    }
}

impl<S: FnMut(&[u8])> fmt::Write for LineBuffer<S> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for c in s.chars() {
            if self.len + c.len_utf8() > CHUNK {
                self.flush();
            }
            for b in c.encode_utf8(&mut [0; 4]).bytes() {
                self.push(b);
            }
        }
        Ok(())
    }
}

impl<S: FnMut(&[u8])> fmt::Debug for LineBuffer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line buffer with {} bytes", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;
    use proptest::prelude::*;

    fn pieces(texts: &[&str]) -> Vec<String> {
        let mut out = Vec::new();
        let mut b = LineBuffer::new(|p: &[u8]| out.push(String::from_utf8(p.to_vec()).unwrap()));
        for t in texts {
            b.write_str(t).unwrap();
        }
        b.finish();
        out
    }

    #[test]
    fn a_line_is_one_message_however_it_was_put_together() {
        assert_eq!(pieces(&["one ", "two\nth", "ree"]), ["one two\n", "three\n"]);
        assert_eq!(pieces(&["done\n"]), ["done\n"]);
        assert_eq!(pieces(&[]), [""; 0]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let long = "x".repeat(CHUNK - 1) + "é" + "y";
        let got = pieces(&[&long]);
        assert_eq!(got, ["x".repeat(CHUNK - 1), "éy\n".into()]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_long(texts in prop::collection::vec(".{0,700}", 0..5)) {
            let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
            let got = pieces(&refs);
            prop_assert!(got.iter().all(|p| (1..=CHUNK).contains(&p.len())));
            let all = texts.concat();
            let joined = got.concat();
            prop_assert_eq!(joined.strip_suffix('\n').unwrap_or(&joined), all.as_str());
        }
    }
}
