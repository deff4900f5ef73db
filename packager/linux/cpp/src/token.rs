//! Tokens of a directive (ISO C11 6.4), once comments and line splices are gone.

use crate::intern::{Interner, Symbol};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name.
    Identifier,
    /// A preprocessing number (6.4.8).
    Number,
    /// A character constant with its quotes.
    Character,
    /// A string with its quotes.
    String,
    /// An operator or other punctuation.
    Punctuator(Punctuator),
    /// Anything else.
    Other,
    /// Nothing, as an operand of `##` (6.10.3.3).
    Placemarker,
    /// The end of what there is.
    End,
}

/// The punctuation that means something to a preprocessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Punctuator {
    Open,
    Close,
    Comma,
    Hash,
    HashHash,
    Ellipsis,
    Not,
    Complement,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    ShiftLeft,
    ShiftRight,
    Less,
    Greater,
    LessEqual,
    GreaterEqual,
    Equal,
    NotEqual,
    And,
    Xor,
    Or,
    AndAnd,
    OrOr,
    Question,
    Colon,
    /// What C knows, but no condition.
    Else,
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// Whether white space stands before it.
    pub(crate) space: bool,
    /// Whether it is a macro's name met during that macro's own expansion, which stays as it is
    /// for ever (6.10.3.4).
    pub(crate) painted: bool,
    /// How it is spelled.
    pub(crate) text: Symbol,
}

impl Token {
    /// Whether it is this punctuation.
    pub(crate) fn is(self, punctuator: Punctuator) -> bool {
        self.kind == Kind::Punctuator(punctuator)
    }
}

/// All punctuation, longer before shorter.
const PUNCTUATION: &[(&[u8], Punctuator)] = &[
    (b"%:%:", Punctuator::HashHash),
    (b"...", Punctuator::Ellipsis),
    (b"<<=", Punctuator::Else),
    (b">>=", Punctuator::Else),
    (b"##", Punctuator::HashHash),
    (b"%:", Punctuator::Hash),
    (b"<<", Punctuator::ShiftLeft),
    (b">>", Punctuator::ShiftRight),
    (b"<=", Punctuator::LessEqual),
    (b">=", Punctuator::GreaterEqual),
    (b"==", Punctuator::Equal),
    (b"!=", Punctuator::NotEqual),
    (b"&&", Punctuator::AndAnd),
    (b"||", Punctuator::OrOr),
    (b"->", Punctuator::Else),
    (b"++", Punctuator::Else),
    (b"--", Punctuator::Else),
    (b"+=", Punctuator::Else),
    (b"-=", Punctuator::Else),
    (b"*=", Punctuator::Else),
    (b"/=", Punctuator::Else),
    (b"%=", Punctuator::Else),
    (b"&=", Punctuator::Else),
    (b"^=", Punctuator::Else),
    (b"|=", Punctuator::Else),
    (b"<:", Punctuator::Else),
    (b":>", Punctuator::Else),
    (b"<%", Punctuator::Else),
    (b"%>", Punctuator::Else),
    (b"(", Punctuator::Open),
    (b")", Punctuator::Close),
    (b",", Punctuator::Comma),
    (b"#", Punctuator::Hash),
    (b"!", Punctuator::Not),
    (b"~", Punctuator::Complement),
    (b"+", Punctuator::Plus),
    (b"-", Punctuator::Minus),
    (b"*", Punctuator::Star),
    (b"/", Punctuator::Slash),
    (b"%", Punctuator::Percent),
    (b"<", Punctuator::Less),
    (b">", Punctuator::Greater),
    (b"&", Punctuator::And),
    (b"^", Punctuator::Xor),
    (b"|", Punctuator::Or),
    (b"?", Punctuator::Question),
    (b":", Punctuator::Colon),
    (b"=", Punctuator::Else),
    (b"[", Punctuator::Else),
    (b"]", Punctuator::Else),
    (b"{", Punctuator::Else),
    (b"}", Punctuator::Else),
    (b";", Punctuator::Else),
    (b".", Punctuator::Else),
];

/// Whether a name can start with it. Bytes of other alphabets are taken for letters.
pub(crate) fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Whether a name can go on with it.
pub(crate) fn continues_name(byte: u8) -> bool {
    starts_name(byte) || byte.is_ascii_digit()
}

/// Whether it is white space inside a line. So is a NUL, which gcc only warns of.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c' | b'\0')
}

/// The length of the name at the start of `line`.
pub(crate) fn name_length(line: &[u8]) -> usize {
    match line.first() {
        Some(&first) if starts_name(first) => {
            line.iter().position(|&byte| !continues_name(byte)).unwrap_or(line.len())
        }
        _ => 0,
    }
}

/// The tokens of a line without comments and splices.
pub(crate) fn tokenize(line: &[u8], interner: &mut Interner) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = line;
    let mut space = false;
    while let Some(&first) = rest.first() {
        if is_blank(first) || first == b'\n' {
            space = true;
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let (kind, length) = first_token(rest);
        // A token is at least one byte long, so this ends.
        let (spelling, after) = rest.split_at(length.clamp(1, rest.len()));
        tokens.push(Token { kind, space, painted: false, text: interner.intern(spelling) });
        rest = after;
        space = false;
    }
    tokens
}

/// Kind and length of the token at the start of `rest`, which is not empty.
fn first_token(rest: &[u8]) -> (Kind, usize) {
    let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
    let first = byte(0);
    if first.is_ascii_digit() || (first == b'.' && byte(1).is_ascii_digit()) {
        return (Kind::Number, number_length(rest));
    }
    let name = name_length(rest);
    let prefixed = matches!(rest.get(..name), Some(b"" | b"L" | b"u" | b"U" | b"u8"));
    if prefixed && matches!(byte(name), b'"' | b'\'') {
        let kind = if byte(name) == b'"' { Kind::String } else { Kind::Character };
        return match quoted_length(rest.get(name..).unwrap_or_default()) {
            Some(length) => (kind, name + length),
            // gcc takes all of the line for the token, and complains.
            None => (Kind::Other, rest.len()),
        };
    }
    if name > 0 {
        return (Kind::Identifier, name);
    }
    PUNCTUATION
        .iter()
        .find(|(spelling, _)| rest.starts_with(spelling))
        .map_or((Kind::Other, 1), |&(spelling, punctuator)| {
            (Kind::Punctuator(punctuator), spelling.len())
        })
}

/// The length of the preprocessing number at the start of `rest` (6.4.8).
fn number_length(rest: &[u8]) -> usize {
    let mut previous = 0;
    rest.iter()
        .position(|&byte| {
            let sign = matches!(byte, b'+' | b'-') && matches!(previous, b'e' | b'E' | b'p' | b'P');
            previous = byte;
            !(continues_name(byte) || byte == b'.' || sign)
        })
        .unwrap_or(rest.len())
}

/// The length of the string or character constant at the start of `rest`; nothing if it does not
/// end.
fn quoted_length(rest: &[u8]) -> Option<usize> {
    let quote = *rest.first()?;
    let mut at = 1;
    loop {
        match *rest.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(line: &str) -> Vec<String> {
        let mut interner = Interner::new();
        let tokens = tokenize(line.as_bytes(), &mut interner);
        tokens.iter().map(|token| interner.text(token.text)).collect()
    }

    #[test]
    fn punctuation_is_taken_greedily() {
        assert_eq!(
            spellings("a>>=b>>c...%:%:%:##"),
            ["a", ">>=", "b", ">>", "c", "...", "%:%:", "%:", "##"]
        );
    }

    #[test]
    fn numbers_go_on_over_signs_of_exponents_only() {
        assert_eq!(
            spellings("0x1p-2 1e+5 0xe+1 .5.x 1+2"),
            ["0x1p-2", "1e+5", "0xe+1", ".5.x", "1", "+", "2"]
        );
    }

    #[test]
    fn quotes_keep_together_what_is_between_them() {
        assert_eq!(spellings(r#"L"a \" b"'\''x"open"#), [r#"L"a \" b""#, r"'\''", "x", r#""open"#]);
    }
}
