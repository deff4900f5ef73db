//! Words, quoted texts and signs of one line.

use crate::expand::{Assignment, Expander, Place, Refusal};
use crate::expr::Comparison;
use crate::lazy::Rope;

/// A sign or word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    /// A word as it stands in the file.
    Word(&'t str),
    /// A word with `$(…)` in it: its value and how it is written.
    Expanded(Rope, &'t str),
    /// A quoted text: its value and how it is written.
    Quoted(Rope, &'t str),
    /// `=`, `!=`, `<`, …
    Compare(Comparison),
    /// `:=`, `+=`; `=` comes as [`Comparison::Equal`].
    Assign(Assignment),
    And,
    Or,
    Not,
    Open,
    Close,
}

/// A token and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct Spot<'t> {
    pub(crate) token: Token<'t>,
    /// Byte offset in the file.
    pub(crate) offset: usize,
}

/// Something to say about a line that does not keep it from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Oddity {
    Character(char, usize),
    OpenString(usize),
    NoNewline,
}

/// Reads the tokens of a file, one statement at a time.
pub(crate) struct Lexer<'t> {
    text: &'t str,
    pub(crate) position: usize,
    /// The line at `position`, counted from 1.
    pub(crate) line: u32,
    pub(crate) oddities: Vec<Oddity>,
    /// Whether names may have `/` and `.` in them.
    loose: bool,
}

/// What a statement is.
#[derive(Debug)]
pub(crate) enum Statement<'t> {
    /// Tokens, at least one.
    Tokens,
    /// `name = text`: the text is what follows on the line, as it is.
    Assignment { name: Token<'t>, how: Assignment, text: &'t str },
    /// No more.
    End,
}

/// The words that are not names.
pub(crate) const KEYWORDS: &[&str] = &[
    "bool",
    "choice",
    "comment",
    "config",
    "def_bool",
    "def_tristate",
    "default",
    "depends",
    "endchoice",
    "endif",
    "endmenu",
    "help",
    "hex",
    "if",
    "imply",
    "int",
    "mainmenu",
    "menu",
    "menuconfig",
    "modules",
    "on",
    "prompt",
    "range",
    "select",
    "source",
    "string",
    "tristate",
    "visible",
];

/// Whether a word is not a name.
pub(crate) fn is_keyword(word: &str) -> bool {
    word.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && KEYWORDS.contains(&word)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str, loose: bool) -> Self {
        Self { text, position: 0, line: 1, oddities: Vec::new(), loose }
    }

    fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.position).copied()
    }

    /// The rest of the current line, without its end.
    fn rest_of_line(&self) -> &'t str {
        let rest = &self.text[self.position..];
        rest.find('\n').map_or(rest, |end| &rest[..end])
    }

    /// Goes to the start of the next line.
    pub(crate) fn skip_line(&mut self) {
        self.position += self.rest_of_line().len();
        if self.peek() == Some(b'\n') {
            self.position += 1;
            self.line += 1;
        }
    }

    /// Passes blank lines and comments; then `line` is that of the next statement.
    pub(crate) fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' => self.position += 1,
                b'\n' => {
                    self.position += 1;
                    self.line += 1;
                }
                b'#' => self.position += self.rest_of_line().len(),
                b'\\' if self.bytes().get(self.position + 1) == Some(&b'\n') => {
                    self.position += 2;
                    self.line += 1;
                }
                _ => return,
            }
        }
    }

    /// Reads one statement into `tokens`.
    pub(crate) fn statement(
        &mut self,
        tokens: &mut Vec<Spot<'t>>,
        expander: &mut Expander<'_>,
        place: &mut Place,
    ) -> Result<Statement<'t>, Refusal> {
        tokens.clear();
        self.skip_blank();
        place.line = self.line;
        loop {
            match self.peek() {
                None if tokens.is_empty() => return Ok(Statement::End),
                None => {
                    self.oddities.push(Oddity::NoNewline);
                    return Ok(Statement::Tokens);
                }
                Some(b'\n') => {
                    self.position += 1;
                    self.line += 1;
                    if !tokens.is_empty() {
                        return Ok(Statement::Tokens);
                    }
                    // The line held nothing but macros without a value.
                    self.skip_blank();
                    place.line = self.line;
                }
                Some(_) => {
                    let inner = Place { line: self.line, ..place.clone() };
                    self.token(tokens, expander, &inner)?;
                }
            }
            if let [Spot { token: Token::Word(_) | Token::Expanded(..), .. }, Spot { token, .. }] =
                tokens.as_slice()
            {
                if matches!(tokens[0].token, Token::Word(word) if is_keyword(word)) {
                    continue;
                }
                let how = match token {
                    Token::Compare(Comparison::Equal) => Assignment::Recursive,
                    Token::Assign(how) => *how,
                    _ => continue,
                };
                let name = tokens.swap_remove(0).token;
                return Ok(Statement::Assignment { name, how, text: self.assigned() });
            }
        }
    }

    /// The text of an assignment: what follows on the line, without blanks in front.
    fn assigned(&mut self) -> &'t str {
        let text = self.rest_of_line().trim_start_matches([' ', '\t']);
        self.skip_line();
        text
    }

    /// Reads one token, or passes what is between tokens.
    fn token(
        &mut self,
        tokens: &mut Vec<Spot<'t>>,
        expander: &mut Expander<'_>,
        place: &Place,
    ) -> Result<(), Refusal> {
        let offset = self.position;
        let rest = &self.bytes()[offset..];
        let sign = match *rest {
            [b'|', b'|', ..] => Some((Token::Or, 2)),
            [b'&', b'&', ..] => Some((Token::And, 2)),
            [b'!', b'=', ..] => Some((Token::Compare(Comparison::Unequal), 2)),
            [b'<', b'=', ..] => Some((Token::Compare(Comparison::LessEqual), 2)),
            [b'>', b'=', ..] => Some((Token::Compare(Comparison::GreaterEqual), 2)),
            [b':', b'=', ..] => Some((Token::Assign(Assignment::Simple), 2)),
            [b'+', b'=', ..] => Some((Token::Assign(Assignment::Append), 2)),
            [b'=', ..] => Some((Token::Compare(Comparison::Equal), 1)),
            [b'<', ..] => Some((Token::Compare(Comparison::Less), 1)),
            [b'>', ..] => Some((Token::Compare(Comparison::Greater), 1)),
            [b'!', ..] => Some((Token::Not, 1)),
            [b'(', ..] => Some((Token::Open, 1)),
            [b')', ..] => Some((Token::Close, 1)),
            _ => None,
        };
        if let Some((token, length)) = sign {
            self.position += length;
            tokens.push(Spot { token, offset });
            return Ok(());
        }
        match rest.first() {
            Some(b' ' | b'\t') => self.position += 1,
            Some(b'#') => self.position += self.rest_of_line().len(),
            Some(b'\\') if rest.get(1) == Some(&b'\n') => {
                self.position += 2;
                self.line += 1;
            }
            Some(b'"' | b'\'') => tokens.push(self.quoted(expander, place)?),
            // The first word of a line is a keyword or a variable.
            Some(byte) if self.is_name(*byte, !tokens.is_empty()) || *byte == b'$' => {
                if let Some(token) = self.word(expander, place, !tokens.is_empty())? {
                    tokens.push(Spot { token, offset });
                }
            }
            _ => {
                let odd = self.text[offset..].chars().next().unwrap_or('\0');
                self.position += odd.len_utf8();
                self.oddities.push(Oddity::Character(odd, offset));
            }
        }
        Ok(())
    }

    fn is_name(&self, byte: u8, operand: bool) -> bool {
        is_word(byte) || self.loose && operand && matches!(byte, b'/' | b'.')
    }

    fn word(
        &mut self,
        expander: &mut Expander<'_>,
        place: &Place,
        operand: bool,
    ) -> Result<Option<Token<'t>>, Refusal> {
        let start = self.position;
        let rest = &self.bytes()[start..];
        let end = rest.iter().position(|byte| !self.is_name(*byte, operand));
        let length = end.unwrap_or(rest.len());
        if rest.get(length) != Some(&b'$') {
            self.position += length;
            return Ok(Some(Token::Word(&self.text[start..start + length])));
        }
        let line = self.rest_of_line();
        let mut value = Rope::default();
        let mut at = 0;
        while let Some(byte) = line.as_bytes().get(at) {
            if *byte == b'$' {
                let (expansion, used) = expander.dollar(&line[at + 1..], place)?;
                value.push(&expansion);
                at += 1 + used;
            } else if self.is_name(*byte, operand) {
                value.push_str(&line[at..=at]);
                at += 1;
            } else {
                break;
            }
        }
        self.position += at;
        let empty = value.known() == Some("");
        Ok((!empty).then(|| Token::Expanded(value, &line[..at])))
    }

    fn quoted(&mut self, expander: &mut Expander<'_>, place: &Place) -> Result<Spot<'t>, Refusal> {
        let offset = self.position;
        let line = self.rest_of_line();
        let quote = line.as_bytes().first().copied();
        let mut value = Rope::default();
        let mut at = 1;
        loop {
            let rest = &line[at..];
            let plain = rest.find(['$', '"', '\'', '\\']).unwrap_or(rest.len());
            value.push_str(&rest[..plain]);
            at += plain;
            match line.as_bytes().get(at) {
                None => {
                    self.oddities.push(Oddity::OpenString(offset));
                    break;
                }
                Some(b'$') => {
                    let (expansion, used) = expander.dollar(&line[at + 1..], place)?;
                    value.push(&expansion);
                    at += 1 + used;
                }
                Some(b'\\') => {
                    // The next character, whatever it is, stands for itself.
                    let next = line[at + 1..].chars().next();
                    let length = next.map_or(0, char::len_utf8);
                    value.push_str(&line[at + 1..at + 1 + length]);
                    at += 1 + length;
                }
                Some(byte) if Some(*byte) == quote => {
                    at += 1;
                    break;
                }
                Some(_) => {
                    value.push_str(&line[at..=at]);
                    at += 1;
                }
            }
        }
        self.position += at;
        Ok(Spot { token: Token::Quoted(value, &line[..at]), offset })
    }

    /// The help text that begins at the current line: its span. Afterwards the lexer is behind it.
    ///
    /// It ends before the first line that is less indented than its first line, or not at all.
    pub(crate) fn help(&mut self) -> (usize, usize) {
        let start = self.position;
        let mut end = start;
        let mut indent = None;
        while self.position < self.text.len() {
            let line = self.rest_of_line();
            if line.trim_matches([' ', '\t']).is_empty() {
                self.skip_line();
                continue;
            }
            let own = columns(line);
            match indent {
                // An unindented line is help only directly after the keyword.
                None if own == 0 && self.position > start => break,
                None => indent = Some(own),
                Some(indent) if own < indent || own == 0 => break,
                Some(_) => {}
            }
            self.skip_line();
            end = self.position;
        }
        (start, end)
    }
}

/// How far a line is indented, with tab stops at each eighth column.
pub(crate) fn columns(line: &str) -> usize {
    let mut column = 0;
    for byte in line.bytes() {
        match byte {
            b' ' => column += 1,
            b'\t' => column = (column & !7) + 8,
            _ => break,
        }
    }
    column
}

/// A help text without its indentation, its trailing blanks and its blank lines at the end.
pub(crate) fn dedent(text: &str) -> String {
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty()).peekable();
    let indent = lines.peek().map_or(0, |line| columns(line));
    let mut out = String::new();
    for line in lines {
        let body = line.trim_matches([' ', '\t']);
        if !body.is_empty() {
            out.extend(std::iter::repeat_n(' ', columns(line).saturating_sub(indent)));
            out.push_str(body);
        }
        out.push('\n');
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}
