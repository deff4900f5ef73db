//! C text as words, without comments, with directives apart.

/// A word of C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'t> {
    /// An identifier or keyword.
    Name(&'t str),
    /// A number, as it is written.
    Number(&'t str),
    /// What stands between double quotes, escapes as written.
    Text(&'t str),
    /// Anything else: one character.
    Sign(char),
}

/// A `#define`: its name, its parameters if it takes any, and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Define<'t> {
    /// The name.
    pub name: &'t str,
    /// The names of the parameters; `None` if it is no function.
    pub parameters: Option<Vec<&'t str>>,
    /// What it stands for.
    pub body: Vec<Token<'t>>,
}

/// A file taken apart. Both branches of conditionals are in it.
#[derive(Debug, Default)]
pub struct Parts<'t> {
    /// The definitions of macros, in order.
    pub defines: Vec<Define<'t>>,
    /// The words outside of directives.
    pub code: Vec<Token<'t>>,
    /// The names of `#include <…>` and `#include "…"`.
    pub includes: Vec<&'t str>,
}

/// Takes a text apart. `text` is without line splices ([`join_lines`]).
pub fn parts(text: &str) -> Parts<'_> {
    let mut parts = Parts::default();
    let mut scanner = Scanner { rest: text, fresh: true };
    while let Some((token, begins_line)) = scanner.next() {
        if token == Token::Sign('#') && begins_line {
            directive(&mut scanner, &mut parts);
        } else {
            parts.code.push(token);
        }
    }
    parts
}

/// The text with each backslash at the end of a line taken away together with the end.
pub fn join_lines(text: &str) -> String {
    text.replace("\\\r\n", "").replace("\\\n", "")
}

fn directive<'t>(scanner: &mut Scanner<'t>, parts: &mut Parts<'t>) {
    let line = scanner.line();
    let trimmed = line.trim_start_matches([' ', '\t']);
    let end = trimmed.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(trimmed.len());
    let (word, rest) = trimmed.split_at(end);
    match word {
        "define" => parts.defines.extend(define(rest.trim_start_matches([' ', '\t']))),
        "include" => {
            let name = rest.trim();
            let name = name.strip_prefix(['<', '"']);
            parts.includes.extend(name.and_then(|name| name.split(['>', '"']).next()));
        }
        _ => {}
    }
}

fn define(text: &str) -> Option<Define<'_>> {
    let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let mut parameters = None;
    // Parameters follow at once; after a blank the parenthesis belongs to the body.
    if let Some(list) = rest.strip_prefix('(') {
        let (list, after) = list.split_once(')')?;
        parameters = Some(list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect());
        rest = after;
    }
    let mut scanner = Scanner { rest, fresh: false };
    let body = std::iter::from_fn(|| scanner.next()).map(|(token, _)| token).collect();
    (!name.is_empty()).then_some(Define { name, parameters, body })
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

struct Scanner<'t> {
    rest: &'t str,
    /// Whether nothing but blanks has come since the line began.
    fresh: bool,
}

impl<'t> Scanner<'t> {
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// The rest of the line without comments at its end. Consumes it, and a comment that begins in
    /// it and goes on.
    fn line(&mut self) -> &'t str {
        let text = self.rest;
        let mut quoted = None;
        let mut escaped = false;
        for (at, character) in text.char_indices() {
            let here = text.get(at..).unwrap_or_default();
            if escaped {
                escaped = false;
            } else if character == '\n' {
                self.skip(at);
                return text.get(..at).unwrap_or_default();
            } else if let Some(quote) = quoted {
                escaped = character == '\\';
                quoted = (character != quote).then_some(quote);
            } else if here.starts_with("//") || here.starts_with("/*") {
                self.skip(at);
                let line = text.get(..at).unwrap_or_default();
                return self.after_comment(line);
            } else if character == '"' {
                quoted = Some('"');
            }
        }
        self.rest = "";
        text
    }

    /// A line of a directive that has a comment: what is before it, if the rest is nothing but
    /// comment. What follows a comment in the middle is rare and of no use here.
    fn after_comment(&mut self, line: &'t str) -> &'t str {
        if self.rest.starts_with("/*") {
            self.comment();
        }
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.skip(end);
        line
    }

    fn comment(&mut self) {
        let end = match self.rest.get(2..).and_then(|inner| inner.find("*/")) {
            Some(end) => end + 4,
            None => self.rest.len(),
        };
        self.skip(end);
    }

    /// The next word, and whether it is the first of its line.
    fn next(&mut self) -> Option<(Token<'t>, bool)> {
        loop {
            let first = self.rest.chars().next()?;
            if first.is_whitespace() {
                self.fresh |= first == '\n';
                self.skip(first.len_utf8());
            } else if self.rest.starts_with("//") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.skip(end);
            } else if self.rest.starts_with("/*") {
                self.comment();
            } else {
                let fresh = std::mem::replace(&mut self.fresh, false);
                return Some((self.word(first), fresh));
            }
        }
    }

    fn word(&mut self, first: char) -> Token<'t> {
        let text = self.rest;
        if first == '"' || first == '\'' {
            let end = closing(text, first);
            self.skip(end);
            let inner = text.get(1..end).unwrap_or_default();
            let inner = inner.strip_suffix(first).unwrap_or(inner);
            return if first == '"' { Token::Text(inner) } else { Token::Number("0") };
        }
        if is_word(first) {
            let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
            self.skip(end);
            let word = text.get(..end).unwrap_or_default();
            return if first.is_ascii_digit() { Token::Number(word) } else { Token::Name(word) };
        }
        self.skip(first.len_utf8());
        Token::Sign(first)
    }
}

/// Where the literal that begins the text ends: after its closing quote, or at the end of the line.
fn closing(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_do_not_mix() {
        let text = "a /* \" */ \"b /* c */ \\\" d\" // \"e\nf '\"' g";
        let expected = [
            Token::Name("a"),
            Token::Text("b /* c */ \\\" d"),
            Token::Name("f"),
            Token::Number("0"),
            Token::Name("g"),
        ];
        assert_eq!(parts(text).code, expected);
    }

    #[test]
    fn directives_are_taken_apart() {
        let text = join_lines(
            "# include <linux/a.h> // x\n#define A(x, y) x \\\n #y /* two\n lines */\n#define B (1)\nint c;\n",
        );
        let parts = parts(&text);
        assert_eq!(parts.includes, ["linux/a.h"]);
        assert_eq!(parts.defines[0].parameters, Some(vec!["x", "y"]));
        assert_eq!(parts.defines[0].body, [Token::Name("x"), Token::Sign('#'), Token::Name("y")]);
        assert_eq!(parts.defines[1].parameters, None);
        assert_eq!(parts.code, [Token::Name("int"), Token::Name("c"), Token::Sign(';')]);
    }
}
