//! Bytes of a serial line to lines of text.

use std::io::Read;
use std::sync::mpsc::SyncSender;

/// A longer line is cut here: a guest that never ends a line must not fill the host's memory.
pub(crate) const MAX_LINE: usize = 16 * 1024;

/// What the reading thread tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A line, without its end.
    Line(String),
    /// No more lines come.
    End,
}

/// Splits a byte stream into lines. Ends are LF; CR before it is dropped; what is not UTF-8 is
/// replaced.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes bytes, gives each line that is complete with them.
    pub(crate) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(String)) {
        for &byte in bytes {
            if byte == b'\n' || self.partial.len() == MAX_LINE {
                each(self.take());
            }
            if byte != b'\n' {
                self.partial.push(byte);
            }
        }
    }

    /// What is left when the stream ends, if anything.
    pub(crate) fn finish(mut self) -> Option<String> {
        if self.partial.is_empty() { None } else { Some(self.take()) }
    }

    fn take(&mut self) -> String {
        if self.partial.last() == Some(&b'\r') {
            self.partial.pop();
        }
        let line = String::from_utf8_lossy(&self.partial).into_owned();
        self.partial.clear();
        line
    }
}

/// Reads `from` to its end and sends its lines; ends early when nobody listens any more.
pub(crate) fn pump(mut from: impl Read, to: &SyncSender<Event>) {
    let mut lines = Lines::default();
    let mut buffer = [0; 4096];
    let mut listening = true;
    while listening {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                lines.push(bytes, |line| listening &= to.send(Event::Line(line)).is_ok());
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // The line is gone; how the process ended tells the rest.
            Err(_) => break,
        }
    }
    if let Some(line) = lines.finish() {
        let _listener_gone = to.send(Event::Line(line));
    }
    let _listener_gone = to.send(Event::End);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut out = Vec::new();
        let mut lines = Lines::default();
        chunks.iter().for_each(|chunk| lines.push(chunk, |line| out.push(line)));
        out.extend(lines.finish());
        out
    }

    #[test]
    fn ends_and_strange_bytes() {
        assert_eq!(split(&[b"a\r\nb", b"c\n\nd\xff"]), ["a", "bc", "", "d\u{fffd}"]);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let out = split(&[&vec![b'x'; 2 * MAX_LINE + 1]]);
        assert_eq!(out.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE, MAX_LINE, 1]);
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_does_not_matter(
            bytes in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..64),
            at in 0usize..64,
        ) {
            let at = at.min(bytes.len());
            prop_assert_eq!(split(&[&bytes]), split(&[&bytes[..at], &bytes[at..]]));
        }
    }
}
