//! Texts with escapes: messages and attributes.

use std::fmt;

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Characters as they are.
    Plain(String),
    /// A new paragraph, `\p`.
    Paragraph,
    /// The text of another message, `\mN`.
    Message(u16),
}

/// A text, its escapes resolved. A reference to a message is never followed by a digit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<Piece>);

impl Text {
    /// A text of these characters. Control characters, line ends and what nobody sees become blanks.
    pub fn plain(text: &str) -> Self {
        let unseen = |c: char| c.is_control() || super::lex::is_invisible(c);
        let text: String = text.chars().map(|c| if unseen(c) { ' ' } else { c }).collect();
        Self(if text.is_empty() { Vec::new() } else { vec![Piece::Plain(text)] })
    }

    /// Its parts; no two plain ones follow each other.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Resolves the escapes of `text`.
    ///
    /// # Errors
    ///
    /// The number of the character, from 0, at which a wrong escape starts, and what is wrong.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut parsed = Self::default();
        let mut characters = text.chars().enumerate().peekable();
        while let Some((at, c)) = characters.next() {
            if c != '\\' {
                parsed.push(c);
                continue;
            }
            match characters.next().map(|(_, c)| c) {
                Some('_') => parsed.push(' '),
                Some('H') => parsed.push('#'),
                Some('\\') => parsed.push('\\'),
                Some('p') => parsed.0.push(Piece::Paragraph),
                Some('m') => {
                    let mut digits = String::new();
                    while let Some((_, c)) = characters.next_if(|(_, c)| c.is_ascii_digit()) {
                        digits.push(c);
                    }
                    match digits.parse() {
                        Ok(number) if number > 0 => parsed.0.push(Piece::Message(number)),
                        _ => return Err((at, "`\\m` wants a message's number behind it".into())),
                    }
                }
                Some(other) => return Err((at, format!("unknown escape `\\{other}`"))),
                None => return Err((at, "a backslash at the end".into())),
            }
        }
        Ok(parsed)
    }

    fn push(&mut self, c: char) {
        if let Some(Piece::Plain(text)) = self.0.last_mut() {
            text.push(c);
        } else {
            self.0.push(Piece::Plain(c.into()));
        }
    }
}

impl fmt::Display for Text {
    /// The text with escapes, such that reading it again gives the same, in as few characters as
    /// possible: what was read from a line fits into one again.
    ///
    /// The reader joins words with one blank. So a blank can stay one if it is neither at the ends
    /// nor beside another one that stayed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blank_may_stay = false;
        for (index, piece) in self.0.iter().enumerate() {
            let is_last = index + 1 == self.0.len();
            match piece {
                Piece::Paragraph => f.write_str("\\p")?,
                Piece::Message(number) => write!(f, "\\m{number}")?,
                Piece::Plain(text) => plain(f, text, &mut blank_may_stay, is_last)?,
            }
            blank_may_stay |= !matches!(piece, Piece::Plain(_));
        }
        Ok(())
    }
}

/// Writes characters; `blank_may_stay` says whether the one before them was no blank that stayed,
/// `is_last` whether nothing follows them.
fn plain(
    f: &mut fmt::Formatter<'_>,
    text: &str,
    blank_may_stay: &mut bool,
    is_last: bool,
) -> fmt::Result {
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let at_the_end = is_last && characters.peek().is_none();
        let stays = c == ' ' && *blank_may_stay && !at_the_end;
        match c {
            ' ' if stays => f.write_str(" ")?,
            ' ' => f.write_str("\\_")?,
            '#' => f.write_str("\\H")?,
            '\\' => f.write_str("\\\\")?,
            other => write!(f, "{other}")?,
        }
        *blank_may_stay = !stays;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_and_written_again() {
        let text = Text::parse(r"a\_\Hb\\\pc\m12 d").unwrap();
        let pieces = [
            Piece::Plain("a #b\\".into()),
            Piece::Paragraph,
            Piece::Plain("c".into()),
            Piece::Message(12),
            Piece::Plain(" d".into()),
        ];
        assert_eq!(text.pieces(), pieces);
        assert_eq!(Text::parse(&text.to_string()), Ok(text));
    }

    #[test]
    fn written_texts_are_not_longer_than_they_can_be() {
        for text in ["a \\_ b", "a \\p \\m1 b", "\\_ a \\_", "a \\_ \\_ \\_ b", "\\_ \\_", "a\\_"] {
            assert_eq!(Text::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn wrong_escapes_are_named_with_their_place() {
        assert_eq!(Text::parse(r"ab\x"), Err((2, r"unknown escape `\x`".into())));
        assert_eq!(Text::parse("\\"), Err((0, "a backslash at the end".into())));
        for text in ["\\m", "\\m0", "\\m65536", "\\mx"] {
            assert!(Text::parse(text).is_err(), "{text}");
        }
    }
}
