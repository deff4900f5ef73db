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
    /// A text of these characters. Control characters and line ends become blanks.
    pub fn plain(text: &str) -> Self {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
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
    /// The text with escapes, such that reading it again gives the same. A blank stays one only
    /// between two other characters: the reader drops it elsewhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Paragraph => f.write_str("\\p")?,
                Piece::Message(number) => write!(f, "\\m{number}")?,
                Piece::Plain(text) => plain(f, text)?,
            }
        }
        Ok(())
    }
}

fn plain(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let alone = before != ' ' && characters.peek().is_some_and(|next| *next != ' ');
        match c {
            ' ' if alone => f.write_str(" ")?,
            ' ' => f.write_str("\\_")?,
            '#' => f.write_str("\\H")?,
            '\\' => f.write_str("\\\\")?,
            other => write!(f, "{other}")?,
        }
        before = c;
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
    fn wrong_escapes_are_named_with_their_place() {
        assert_eq!(Text::parse(r"ab\x"), Err((2, r"unknown escape `\x`".into())));
        assert_eq!(Text::parse("\\"), Err((0, "a backslash at the end".into())));
        for text in ["\\m", "\\m0", "\\m65536", "\\mx"] {
            assert!(Text::parse(text).is_err(), "{text}");
        }
    }
}
