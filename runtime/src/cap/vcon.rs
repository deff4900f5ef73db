//! Consoles and logs.

use super::Icu;
use super::handle::object;
use crate::abi::object::vcon;
use crate::abi::{WORD_SIZE, Word, proto};
use crate::cap::Object;
use crate::ipc::{self, Msg};

object! {
    /// A console: text goes out, and with some servers comes in.
    Vcon
}

impl Vcon {
    /// Writes text, in pieces of [`vcon::WRITE_MAX`] bytes. Servers show it when a line is
    /// complete.
    ///
    /// There is no answer and nothing to do about a log that is not there, so there is no error.
    pub fn write(&self, text: &[u8]) {
        for piece in text.chunks(vcon::WRITE_MAX) {
            let mut msg = Msg::of(&[vcon::WRITE, piece.len()]);
            for bytes in piece.chunks(WORD_SIZE) {
                let mut word = [0; WORD_SIZE];
                word[..bytes.len()].copy_from_slice(bytes);
                msg.push(Word::from_le_bytes(word));
            }
            let _ = ipc::send_and_yield(self.sel(), proto::LOG, &msg);
        }
    }

    /// The side of the console that notifies about input: pin 0.
    pub fn input_icu(&self) -> Icu {
        Icu::at(self.sel())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;

    #[test]
    fn text_is_packed_into_words() {
        with_kernel(
            |call, utcb| {
                assert_eq!(call.dest, 0x5001, "send only");
                assert_eq!(call.tag, Tag::new(-13, 4, 0).0 | 1 << 13);
                assert_eq!([utcb.mr(0), utcb.mr(1)], [0, 9]);
                assert_eq!(utcb.mr(2), usize::from_le_bytes(*b"hello, w"));
                assert_eq!(utcb.mr(3), usize::from(b'\n'));
                (call.tag, 0)
            },
            || Vcon::at(Sel(0x5000)).write(b"hello, w\n"),
        );
    }

    #[test]
    fn long_text_goes_in_pieces() {
        let mut sizes = std::vec![488, 488, 24];
        with_kernel(
            move |call, utcb| {
                assert_eq!(utcb.mr(1), sizes.remove(0));
                (call.tag, 0)
            },
            || Vcon::at(Sel(0x5000)).write(&[b'x'; 1000]),
        );
    }
}
