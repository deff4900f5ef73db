//! Reading the tables of capabilities out of a script of ned, as far as that goes without running it.

use std::path::Path;

use l4re_packager_base::{Diagnostic, Position, Report};

/// An entry of a table `caps = { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Line, counted from 1.
    pub line: usize,
    /// The names that its value takes from `L4.Env`.
    pub env: Vec<String>,
}

/// A table `caps = { … }` of a script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Its entries with a name; computed names are not seen.
    pub entries: Vec<Entry>,
    /// The program that is started with it: the first string behind it that starts with `rom/`, up
    /// to a blank.
    pub program: Option<String>,
}

/// Longest script that is read, in bytes.
const MAX: usize = 1 << 20;

/// The tables of a script. A text that is no Lua gives what could be made of it, and a warning.
pub fn tables(path: &Path, text: &str, report: &mut Report) -> Vec<Table> {
    let text = text.get(..MAX).unwrap_or(text);
    let tokens = match tokens(text) {
        Ok(tokens) => tokens,
        Err(line) => {
            let message = "a string or comment without end; what follows is not read";
            let diagnostic = Diagnostic::warning("ned-text", message).file(path);
            report.push(diagnostic.at(Position::Text { line, column: 1 }));
            return Vec::new();
        }
    };
    let mut tables = Vec::new();
    for (at, window) in tokens.windows(3).enumerate() {
        let [word, equals, open] = window else { continue };
        if word.is_name("caps") && equals.is_sign('=') && open.is_sign('{') {
            let (entries, end) = entries(&tokens, at + 3);
            let behind = tokens.get(end..).unwrap_or_default().iter();
            let program = behind.take(64).find_map(|token| match &token.kind {
                Kind::Text(text) if text.starts_with("rom/") => {
                    text.split_whitespace().next().map(str::to_owned)
                }
                _ => None,
            });
            tables.push(Table { entries, program });
        }
    }
    tables
}

/// The entries of a table whose first token is `start`, and the token behind its end.
fn entries(tokens: &[Token], start: usize) -> (Vec<Entry>, usize) {
    let mut entries: Vec<Entry> = Vec::new();
    let mut depth = 0_usize;
    let mut at = start;
    let mut fresh = true;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Sign('{' | '(') => depth += 1,
            Kind::Sign('}' | ')') if depth == 0 => return (entries, at + 1),
            Kind::Sign('}' | ')') => depth -= 1,
            Kind::Sign(',' | ';') if depth == 0 => {
                fresh = true;
                at += 1;
                continue;
            }
            _ => {}
        }
        if fresh && let Some((entry, length)) = key(tokens.get(at..).unwrap_or_default()) {
            entries.push(entry);
            fresh = false;
            at += length;
            continue;
        }
        fresh = false;
        if let Some(name) = env(tokens.get(at..).unwrap_or_default())
            && let Some(entry) = entries.last_mut()
        {
            entry.env.push(name);
        }
        at += 1;
    }
    (entries, at)
}

/// `name =` or `["name"] =`, and its number of tokens.
fn key(tokens: &[Token]) -> Option<(Entry, usize)> {
    let entry =
        |name: &str, token: &Token| Entry { name: name.into(), line: token.line, env: Vec::new() };
    match tokens {
        [name, equals, ..] if equals.is_sign('=') => match &name.kind {
            Kind::Name(text) => Some((entry(text, name), 2)),
            _ => None,
        },
        [open, name, close, equals, ..]
            if open.is_sign('[') && close.is_sign(']') && equals.is_sign('=') =>
        {
            match &name.kind {
                Kind::Text(text) => Some((entry(text, name), 4)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// `L4.Env.name`.
fn env(tokens: &[Token]) -> Option<String> {
    match tokens {
        [l4, dot, env, dot2, name, ..]
            if l4.is_name("L4") && dot.is_sign('.') && env.is_name("Env") && dot2.is_sign('.') =>
        {
            match &name.kind {
                Kind::Name(name) => Some(name.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

#[derive(Debug)]
struct Token {
    kind: Kind,
    line: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Name(String),
    Text(String),
    Sign(char),
}

impl Token {
    fn is_name(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Name(text) if text == name)
    }

    fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

/// The tokens, or the line of something that has no end.
fn tokens(text: &str) -> Result<Vec<Token>, usize> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(c) = rest.chars().next() {
        let (kind, length) = if let Some(comment) = rest.strip_prefix("--") {
            let length = match long(comment) {
                Some(end) => 2 + end.ok_or(line)?.1,
                None => rest.find('\n').unwrap_or(rest.len()),
            };
            (None, length)
        } else if let Some(end) = long(rest) {
            let (content, length) = end.ok_or(line)?;
            (Some(Kind::Text(content.into())), length)
        } else if c == '"' || c == '\'' {
            let (content, length) = quoted(rest, c).ok_or(line)?;
            (Some(Kind::Text(content)), length)
        } else if c.is_ascii_alphanumeric() || c == '_' {
            let other = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            let length = rest.find(other).unwrap_or(rest.len());
            (Some(Kind::Name(rest.get(..length).unwrap_or_default().into())), length)
        } else {
            ((!c.is_whitespace()).then_some(Kind::Sign(c)), c.len_utf8())
        };
        tokens.extend(kind.map(|kind| Token { kind, line }));
        let (taken, left) = rest.split_at_checked(length).unwrap_or((rest, ""));
        line += taken.matches('\n').count();
        rest = left;
    }
    Ok(tokens)
}

/// `[[…]]` or `[==[…]==]`: nothing if the text starts with none, else content and length, or nothing
/// if it has no end.
#[expect(clippy::option_option, reason = "no long bracket, and one without end, are different")]
fn long(text: &str) -> Option<Option<(&str, usize)>> {
    let rest = text.strip_prefix('[')?;
    let level = rest.len() - rest.trim_start_matches('=').len();
    let content = rest.get(level..)?.strip_prefix('[')?;
    let close = format!("]{}]", "=".repeat(level));
    Some(
        content
            .find(&close)
            .map(|end| (content.get(..end).unwrap_or_default(), 2 * (level + 2) + end)),
    )
}

/// A quoted string: content with simple escapes undone, and length with the quotes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut content = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => return None,
            '\\' => content.push(chars.next()?.1),
            c if c == quote => return Some((content, at + 1)),
            c => content.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<Table> {
        tables(Path::new("x.ned"), text, &mut Report::new())
    }

    #[test]
    fn names_are_found_in_both_spellings_and_not_in_comments_or_strings() {
        let text = "-- caps = { no = 1 }\n--[[ caps = { no = 1 } ]]\nlocal s = \"caps = { no = 1 }\"\n\
                    ld:start({ log = { \"x\", \"g\" },\n  caps = {\n    vbus = bus:svr(),\n    \
                    ['a b'] = f(x, { y = 1 }),\n    sched = L4.Env.sched; [computed] = 1,\n    last \
                    = L4.Env.icu } },\n \"rom/systemd -v\")\n";
        let tables = read(text);
        let [table] = &tables[..] else { panic!("{tables:?}") };
        let entries: Vec<_> =
            table.entries.iter().map(|e| (&e.name[..], e.line, e.env.join(" "))).collect();
        let none = String::new;
        assert_eq!(
            entries,
            [
                ("vbus", 6, none()),
                ("a b", 7, none()),
                ("sched", 8, "sched".into()),
                ("last", 9, "icu".into()),
            ]
        );
        assert_eq!(table.program.as_deref(), Some("rom/systemd"));
    }

    #[test]
    fn a_string_without_end_is_told() {
        let mut report = Report::new();
        assert!(tables(Path::new("x"), "a\n\"b\ncaps = { x = 1 }", &mut report).is_empty());
        assert!(report.iter().next().unwrap().to_string().starts_with("x:2:1: warning: a string"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(caps=\\{)?[\\[\\]=\\\\\"' \n\\-{}(),.a-cL4Env]{0,80}|\\PC{0,40}") {
            read(&text);
        }
    }
}
