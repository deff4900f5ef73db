//! Text of a Makefile → [`Makefile`].

use std::borrow::Cow;
use std::rc::Rc;

use super::ast::{Assignment, Branch, Kind, Makefile, Operator, Statement, Test};
use super::words::{is_space, trim, trim_start};

/// What is wrong with the text of a Makefile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

/// Conditionals nest at most this deep; the kernel's Makefiles stop at 4.
const MAX_NESTING: usize = 64;

/// Parses a Makefile.
///
/// # Errors
///
/// A conditional or `define` without an end, an `else` or `endif` without a beginning, a malformed
/// test. Lines that make only rejects when it comes to them are left to the evaluation.
pub fn parse(text: &str) -> Result<Makefile, SyntaxError> {
    let mut parser = Parser { lines: Lines::new(text), in_rule: false, nesting: 0 };
    let mut statements = Vec::new();
    match parser.block(&mut statements)? {
        End::File => Ok(Makefile { statements }),
        End::Endif(line) => Err(SyntaxError { line, message: "extraneous 'endif'".into() }),
        End::Else(line, _) => Err(SyntaxError { line, message: "extraneous 'else'".into() }),
    }
}

/// Lines with continuations joined.
struct Lines<'a> {
    rest: &'a str,
    next: u32,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.strip_prefix('\u{feff}').unwrap_or(text), next: 1 }
    }

    /// The next line with its continuations, still with backslashes and line ends inside.
    fn raw(&mut self) -> Option<(u32, &'a str)> {
        if self.rest.is_empty() {
            return None;
        }
        let line = self.next;
        let mut end = 0;
        loop {
            let Some(found) = self.rest[end..].find('\n') else {
                let text = self.rest;
                self.rest = "";
                return Some((line, text));
            };
            let newline = end + found;
            self.next += 1;
            end = newline + 1;
            let content = self.rest[..newline].strip_suffix('\r').unwrap_or(&self.rest[..newline]);
            if !continues(content) || end == self.rest.len() {
                self.rest = &self.rest[end..];
                return Some((line, content));
            }
        }
    }
}

/// Whether a line ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Joins continued lines: backslash, line end and the space around become one space.
fn join_lines(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\n') {
        return Cow::Borrowed(raw);
    }
    let mut joined = String::with_capacity(raw.len());
    for (index, line) in raw.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let content = if continues(line) { line[..line.len() - 1].trim_end() } else { line };
        if index > 0 {
            joined.push(' ');
            joined.push_str(trim_start(content));
        } else {
            joined.push_str(content);
        }
    }
    Cow::Owned(joined)
}

/// Takes a comment off: `#` outside of references, unless quoted by a backslash.
fn without_comment(line: Cow<'_, str>) -> Cow<'_, str> {
    if !line.contains('#') {
        return line;
    }
    let mut out = String::with_capacity(line.len());
    let bytes = line.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'$' => at = skip_reference(&line, at),
            b'#' => {
                let slashes = bytes[copied..at].iter().rev().take_while(|b| **b == b'\\').count();
                out.push_str(&line[copied..at - slashes]);
                out.extend(std::iter::repeat_n('\\', slashes / 2));
                copied = at;
                if slashes % 2 == 0 {
                    return Cow::Owned(out);
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    out.push_str(&line[copied..]);
    Cow::Owned(out)
}

/// The offset after the reference that begins with the `$` at `start`, the end of the text if it is
/// never closed.
pub(super) fn skip_reference(text: &str, start: usize) -> usize {
    reference_end(text, start).unwrap_or(text.len())
}

/// The offset after the reference that begins with the `$` at `start`: after one character if it
/// has no parentheses. `None` if the parenthesis is never closed.
pub(super) fn reference_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (open, close) = match bytes.get(start + 1) {
        Some(b'(') => (b'(', b')'),
        Some(b'{') => (b'{', b'}'),
        Some(_) => {
            let character = text[start + 1..].chars().next().map_or(0, char::len_utf8);
            return Some(start + 1 + character);
        }
        None => return Some(bytes.len()),
    };
    let mut depth = 0usize;
    for (offset, byte) in bytes.iter().enumerate().skip(start + 1) {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(offset + 1);
            }
        }
    }
    None
}

/// Takes a word off the front if it is `word` and space or the end follows.
fn keyword<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(word)?;
    match rest.bytes().next() {
        None => Some(rest),
        Some(byte) if is_space(byte) => Some(trim_start(rest)),
        // `ifeq(a,b)` is taken, as make does.
        Some(b'(') if word.starts_with("if") => Some(rest),
        Some(_) => None,
    }
}

enum End {
    File,
    Endif(u32),
    /// The rest of an `else` line: empty, or another conditional.
    Else(u32, String),
}

struct Parser<'a> {
    lines: Lines<'a>,
    in_rule: bool,
    nesting: usize,
}

impl Parser<'_> {
    fn block(&mut self, out: &mut Vec<Statement>) -> Result<End, SyntaxError> {
        while let Some((number, raw)) = self.lines.raw() {
            if raw.starts_with('\t') && self.in_rule {
                out.push(Statement { line: number, kind: Kind::Recipe });
                continue;
            }
            let line = without_comment(join_lines(raw));
            let text = trim_start(&line);
            if text.is_empty() {
                continue;
            }
            if let Some(rest) = keyword(text, "else") {
                return Ok(End::Else(number, trim(rest).to_owned()));
            }
            if keyword(text, "endif").is_some() {
                return Ok(End::Endif(number));
            }
            let kind = match conditional(text) {
                Some(test) => self.conditional(number, test)?,
                None => self.line(number, text)?,
            };
            out.push(Statement { line: number, kind });
        }
        Ok(End::File)
    }

    fn conditional(&mut self, line: u32, first: Option<(Test, bool)>) -> Result<Kind, SyntaxError> {
        let malformed =
            |line| SyntaxError { line, message: "invalid syntax in conditional".into() };
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(SyntaxError { line, message: "conditionals nest too deep".into() });
        }
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        let (test, expected) = first.ok_or_else(|| malformed(line))?;
        let mut next = Some(Branch { line, test, expected, body: Vec::new() });
        loop {
            let body = match &mut next {
                Some(branch) => &mut branch.body,
                None => &mut otherwise,
            };
            let end = self.block(body)?;
            let plain_else = next.is_none();
            branches.extend(next.take());
            match end {
                End::Endif(_) => {
                    self.nesting -= 1;
                    return Ok(Kind::Conditional { branches, otherwise });
                }
                End::File => {
                    return Err(SyntaxError { line, message: "missing 'endif'".into() });
                }
                End::Else(at, _) if plain_else => {
                    let message = "only one 'else' per conditional".into();
                    return Err(SyntaxError { line: at, message });
                }
                End::Else(at, rest) => {
                    if let Some(test) = conditional(&rest) {
                        let (test, expected) = test.ok_or_else(|| malformed(at))?;
                        next = Some(Branch { line: at, test, expected, body: Vec::new() });
                    }
                }
            }
        }
    }

    /// A line that is no conditional and no recipe.
    fn line(&mut self, number: u32, text: &str) -> Result<Kind, SyntaxError> {
        let mut overrides = false;
        let mut private = false;
        let mut exported = false;
        let mut rest = text;
        loop {
            if let Some(assignment) = assignment(rest, overrides, private) {
                self.in_rule = false;
                return Ok(Kind::Assign(assignment));
            }
            if let Some(after) = keyword(rest, "override") {
                overrides = true;
                rest = after;
            } else if let Some(after) = keyword(rest, "private") {
                private = true;
                rest = after;
            } else if let Some(after) = keyword(rest, "export") {
                exported = true;
                rest = after;
            } else if let Some(name) = keyword(rest, "define") {
                self.in_rule = false;
                return self.define(number, name, overrides);
            } else if let Some(name) = keyword(rest, "undefine") {
                self.in_rule = false;
                return Ok(Kind::Undefine(trim(name).into()));
            } else {
                break;
            }
        }
        if exported || keyword(rest, "unexport").is_some() || keyword(rest, "vpath").is_some() {
            self.in_rule = false;
            return Ok(Kind::Ignored);
        }
        for (word, optional) in [("include", false), ("-include", true), ("sinclude", true)] {
            if let Some(files) = keyword(rest, word) {
                self.in_rule = false;
                return Ok(Kind::Include { files: trim(files).into(), optional });
            }
        }
        Ok(self.rule(rest))
    }

    fn rule(&mut self, text: &str) -> Kind {
        let Some(colon) = find_outside(text, |byte| byte == b':') else {
            return Kind::Expression(text.into());
        };
        self.in_rule = true;
        let targets = &text[..colon];
        let rest = text[colon + 1..].strip_prefix(':').unwrap_or(&text[colon + 1..]);
        let mut words = trim_start(rest);
        let mut private = false;
        let mut overrides = false;
        loop {
            if let Some(assignment) = assignment(words, overrides, private) {
                self.in_rule = false;
                let rest = Rc::from("");
                let assignment = Some(assignment);
                return Kind::Rule { targets: targets.into(), rest, assignment, recipe: false };
            }
            if let Some(after) = keyword(words, "private") {
                private = true;
                words = after;
            } else if let Some(after) = keyword(words, "override") {
                overrides = true;
                words = after;
            } else if let Some(after) = keyword(words, "export") {
                words = after;
            } else {
                break;
            }
        }
        let (rest, recipe) = match find_outside(rest, |byte| byte == b';') {
            Some(semicolon) => (&rest[..semicolon], true),
            None => (rest, false),
        };
        Kind::Rule { targets: targets.into(), rest: rest.into(), assignment: None, recipe }
    }

    /// Reads up to the matching `endef`. `head` is the name and perhaps an operator.
    fn define(&mut self, start: u32, head: &str, overrides: bool) -> Result<Kind, SyntaxError> {
        let (name, operator) = define_head(trim(head));
        if name.is_empty() {
            return Err(SyntaxError { line: start, message: "empty variable name".into() });
        }
        let mut body = String::new();
        let mut depth = 1usize;
        let mut first = true;
        while let Some((_, raw)) = self.lines.raw() {
            let word = trim_start(raw);
            if !raw.starts_with('\t') {
                if keyword(&without_comment(Cow::Borrowed(word)), "endef").is_some() {
                    depth -= 1;
                    if depth == 0 {
                        let value = body.into();
                        let name = name.into();
                        let assignment =
                            Assignment { name, operator, value, overrides, private: false };
                        return Ok(Kind::Assign(assignment));
                    }
                } else if keyword(word, "define").is_some() {
                    depth += 1;
                }
            }
            if !first {
                body.push('\n');
            }
            first = false;
            body.push_str(&join_lines(raw));
        }
        Err(SyntaxError { line: start, message: "missing 'endef', unterminated 'define'".into() })
    }
}

fn define_head(head: &str) -> (&str, Operator) {
    for (sign, operator) in OPERATORS {
        if let Some(name) = head.strip_suffix(sign) {
            return (trim(name), operator);
        }
    }
    (head, Operator::Recursive)
}

/// Longest first: each is also the end of one before it.
const OPERATORS: [(&str, Operator); 6] = [
    ("::=", Operator::Simple),
    (":=", Operator::Simple),
    ("+=", Operator::Append),
    ("?=", Operator::Default),
    ("!=", Operator::Shell),
    ("=", Operator::Recursive),
];

/// The offset of the first byte outside of references that is looked for.
fn find_outside(text: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'$' => at = skip_reference(text, at),
            byte if wanted(byte) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Reads `name operator value`; the name is one word, in which references may contain anything.
fn assignment(text: &str, overrides: bool, private: bool) -> Option<Assignment> {
    let end = find_outside(text, |byte| is_space(byte) || matches!(byte, b'=' | b':'))?;
    let mut name = &text[..end];
    let mut after = trim_start(&text[end..]);
    let spaced = after.len() != text.len() - end;
    if !spaced && after.starts_with('=') {
        // `a+=b`: the sign in front of `=` belongs to the operator.
        if let Some(sign) = name.bytes().last().filter(|byte| b"+?!".contains(byte)) {
            name = &name[..name.len() - 1];
            after = &text[end - 1..];
            debug_assert_eq!(after.as_bytes().first(), Some(&sign));
        }
    }
    let (sign, operator) = OPERATORS.iter().find(|(sign, _)| after.starts_with(sign))?;
    if name.is_empty() {
        return None;
    }
    let value = trim_start(&after[sign.len()..]).into();
    Some(Assignment { name: name.into(), operator: *operator, value, overrides, private })
}

/// The test of an `if…` line: `None` if it is none, `Some(None)` if it is malformed.
#[expect(clippy::option_option, reason = "not a conditional, or a malformed one")]
fn conditional(text: &str) -> Option<Option<(Test, bool)>> {
    for (word, expected) in [("ifeq", true), ("ifneq", false)] {
        if let Some(rest) = keyword(text, word) {
            return Some(equality(rest).map(|(a, b)| (Test::Equal(a.into(), b.into()), expected)));
        }
    }
    for (word, expected) in [("ifdef", true), ("ifndef", false)] {
        if let Some(rest) = keyword(text, word) {
            let name = trim(rest);
            let test = (Test::Defined(name.into()), expected);
            return Some((!name.is_empty()).then_some(test));
        }
    }
    None
}

/// `(a,b)`, `"a" "b"`, `'a' 'b'` in any mixture. Parentheses are counted, references are not
/// understood, as in make itself.
fn equality(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = match text.bytes().next()? {
        b'(' => {
            let inner = &text[1..];
            let comma = find_counting(inner, b',')?;
            (inner[..comma].trim_end_matches([' ', '\t']), &inner[comma + 1..])
        }
        quote @ (b'"' | b'\'') => {
            let end = text[1..].find(char::from(quote))? + 1;
            (&text[1..end], &text[end + 1..])
        }
        _ => return None,
    };
    let rest = trim_start(rest);
    if text.starts_with('(') {
        let end = find_counting(rest, b')')?;
        return Some((first, &rest[..end]));
    }
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let end = rest[1..].find(quote)? + 1;
    Some((first, &rest[1..end]))
}

/// The first `wanted` that is in no parentheses.
fn find_counting(text: &str, wanted: u8) -> Option<usize> {
    let mut depth = 0i32;
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            byte if byte == wanted && depth <= 0 => return Some(offset),
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}
