//! Words and patterns: what the text functions of make are made of.

use std::borrow::Cow;

/// What separates words, inside `define` also the end of a line.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The words of a text.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_ascii() && is_space(c as u8)).filter(|word| !word.is_empty())
}

/// Text without the space around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii() && is_space(c as u8))
}

/// Text without the space in front of it.
pub(crate) fn trim_start(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii() && is_space(c as u8))
}

/// Appends words, separated by one space.
pub(crate) fn join<'w>(out: &mut String, words: impl IntoIterator<Item = impl AsRef<str> + 'w>) {
    let mut first = true;
    for word in words {
        if !first {
            out.push(' ');
        }
        first = false;
        out.push_str(word.as_ref());
    }
}

/// A pattern with at most one `%`. `\%` is an ordinary percent sign; a backslash in front of a
/// backslash that would quote the `%` stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern<'a> {
    before: Cow<'a, str>,
    after: Option<&'a str>,
}

impl<'a> Pattern<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut before: Option<String> = None;
        let mut start = 0;
        let mut from = 0;
        while let Some(found) = text[from..].find('%') {
            let at = from + found;
            let slashes = text[start..at].bytes().rev().take_while(|b| *b == b'\\').count();
            if slashes == 0 {
                let Some(mut unquoted) = before else {
                    let before = Cow::Borrowed(&text[..at]);
                    return Self { before, after: Some(&text[at + 1..]) };
                };
                unquoted.push_str(&text[start..at]);
                return Self { before: Cow::Owned(unquoted), after: Some(&text[at + 1..]) };
            }
            // Half of the backslashes stay; an odd one quotes the percent sign.
            let unquoted = before.get_or_insert_default();
            unquoted.push_str(&text[start..at - slashes]);
            unquoted.extend(std::iter::repeat_n('\\', slashes / 2));
            start = at;
            from = at + 1;
            if slashes.is_multiple_of(2) {
                let before = Cow::Owned(std::mem::take(unquoted));
                return Self { before, after: Some(&text[at + 1..]) };
            }
        }
        match before {
            None => Self { before: Cow::Borrowed(text), after: None },
            Some(mut unquoted) => {
                unquoted.push_str(&text[start..]);
                Self { before: Cow::Owned(unquoted), after: None }
            }
        }
    }

    /// The text for `%` if the word matches; empty for a pattern without `%`.
    pub(crate) fn stem<'w>(&self, word: &'w str) -> Option<&'w str> {
        match self.after {
            None => (*word == *self.before).then_some(""),
            Some(after) => word.strip_prefix(&*self.before)?.strip_suffix(after),
        }
    }

    pub(crate) fn matches(&self, word: &str) -> bool {
        self.stem(word).is_some()
    }

    pub(crate) fn has_percent(&self) -> bool {
        self.after.is_some()
    }

    /// The pattern with a text for `%`.
    pub(crate) fn fill(&self, out: &mut String, stem: &str) {
        out.push_str(&self.before);
        if let Some(after) = self.after {
            out.push_str(stem);
            out.push_str(after);
        }
    }
}

/// Patterns of `$(filter …)`: many words without `%` are looked up, not compared one by one.
pub(crate) struct Filter<'a> {
    exact: std::collections::HashSet<Cow<'a, str>>,
    patterns: Vec<Pattern<'a>>,
}

impl<'a> Filter<'a> {
    pub(crate) fn new(patterns: &'a str) -> Self {
        let mut filter = Self { exact: Default::default(), patterns: Vec::new() };
        for pattern in words(patterns).map(Pattern::new) {
            if pattern.has_percent() {
                filter.patterns.push(pattern);
            } else {
                filter.exact.insert(pattern.before);
            }
        }
        filter
    }

    pub(crate) fn matches(&self, word: &str) -> bool {
        self.exact.contains(word) || self.patterns.iter().any(|pattern| pattern.matches(word))
    }
}

/// `$(patsubst pattern,replacement,text)`.
pub(crate) fn patsubst(out: &mut String, pattern: &str, replacement: &str, text: &str) {
    let pattern = Pattern::new(pattern);
    if !pattern.has_percent() {
        return subst_words(out, &pattern.before, replacement, text);
    }
    let replacement_pattern = Pattern::new(replacement);
    let mut separated = false;
    for word in words(text) {
        match pattern.stem(word) {
            None => out.push_str(word),
            // Only a word that is replaced by nothing at all leaves no space behind.
            Some(_) if replacement.is_empty() => continue,
            Some(stem) => replacement_pattern.fill(out, stem),
        }
        out.push(' ');
        separated = true;
    }
    if separated {
        out.pop();
    }
}

/// `$(patsubst …)` without a `%`: replaces whole words and leaves the space between them alone.
fn subst_words(out: &mut String, from: &str, to: &str, text: &str) {
    if from.is_empty() {
        // The empty word is where no other one ends.
        out.push_str(text);
        if text.bytes().last().is_none_or(is_space) {
            out.push_str(to);
        }
        return;
    }
    let boundary = |byte: Option<&u8>| byte.is_none_or(|byte| is_space(*byte));
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = text[at..].find(from) {
        let (start, end) = (at + found, at + found + from.len());
        out.push_str(&text[at..start]);
        let before = start.checked_sub(1).and_then(|previous| bytes.get(previous));
        let whole = boundary(before) && boundary(bytes.get(end));
        out.push_str(if whole { to } else { from });
        at = end;
    }
    out.push_str(&text[at..]);
}

/// `$(subst from,to,text)`: nothing to look for means the end of the text.
pub(crate) fn subst(out: &mut String, from: &str, to: &str, text: &str) {
    if from.is_empty() {
        out.push_str(text);
        out.push_str(to);
        return;
    }
    let mut pieces = text.split(from);
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        out.push_str(to);
        out.push_str(piece);
    }
}

/// `$(dir word)`.
pub(crate) fn dir(word: &str) -> &str {
    word.rfind('/').map_or("./", |slash| &word[..=slash])
}

/// `$(notdir word)`.
pub(crate) fn notdir(word: &str) -> &str {
    word.rfind('/').map_or(word, |slash| &word[slash + 1..])
}

/// `$(basename word)` and `$(suffix word)`.
pub(crate) fn split_suffix(word: &str) -> (&str, &str) {
    let name = word.len() - notdir(word).len();
    match word[name..].rfind('.') {
        Some(dot) => word.split_at(name + dot),
        None => (word, ""),
    }
}

/// `$(abspath word)` for a word that is absolute already: `.`, `..` and double slashes resolved.
pub(crate) fn normalize(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patsubst_of(pattern: &str, replacement: &str, text: &str) -> String {
        let mut out = String::new();
        patsubst(&mut out, pattern, replacement, text);
        out
    }

    #[test]
    fn a_quoted_percent_sign_is_ordinary() {
        assert!(Pattern::new("a\\%b").matches("a%b"));
        assert!(!Pattern::new("a\\%b").matches("axb"));
        assert_eq!(Pattern::new("a\\\\%b").stem("a\\xb"), Some("x"));
        assert_eq!(Pattern::new("%.o").stem("x/y.o"), Some("x/y"));
    }

    #[test]
    fn replacements_keep_words_that_do_not_match() {
        assert_eq!(patsubst_of("%.o", "%.c", " a.o  b.c\tc.o "), "a.c b.c c.c");
        assert_eq!(patsubst_of("a", "%", "a b"), "% b");
        assert_eq!(patsubst_of("%", "x", "a b"), "x x");
    }

    #[test]
    fn names_split_like_make_does() {
        assert_eq!((dir("a/b.c"), dir("b")), ("a/", "./"));
        assert_eq!((notdir("a/b.c"), notdir("a/")), ("b.c", ""));
        assert_eq!(split_suffix("a.d/b"), ("a.d/b", ""));
        assert_eq!(split_suffix("a.d/b.tar.gz"), ("a.d/b.tar", ".gz"));
        assert_eq!(normalize("/a/./b//../c/"), "/a/c");
        assert_eq!(normalize("../a/../b"), "../b");
    }
}
