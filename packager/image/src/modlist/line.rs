//! The lines of a module list.

use std::fmt;

use l4re_packager_base::{Diagnostic, Position, nearest};

/// The kinds of lines.
pub const WORDS: [&str; 23] = [
    "entry",
    "title",
    "kernel",
    "sigma0",
    "roottask",
    "bootstrap",
    "moe",
    "module",
    "bin",
    "data",
    "bin-nostrip",
    "data-nostrip",
    "group",
    "module-group",
    "default-kernel",
    "default-sigma0",
    "default-roottask",
    "default-bootstrap",
    "modaddr",
    "searchpath",
    "include",
    "set",
    "initrd",
];

/// Options that have a meaning, besides `attr:…`.
const OPTIONS: [&str; 11] = [
    "arch",
    "bits",
    "fname",
    "uncompress",
    "nostrip",
    "compress",
    "no-shlib-scan",
    "glob",
    "shell",
    "perl",
    "no-defaults",
];

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, counted from 1.
    pub number: usize,
    /// The column of its first word, counted from 1.
    pub column: usize,
    /// The first word, in small letters.
    pub word: String,
    /// What stands in brackets behind it: keys, some with a value.
    pub options: Vec<(String, Option<String>)>,
    /// The rest.
    pub rest: String,
}

impl Line {
    /// Where it is.
    pub fn position(&self) -> Position {
        Position::Text { line: self.number, column: self.column }
    }

    /// The value of an option; the inner one is empty for an option without a value.
    pub fn option(&self, key: &str) -> Option<Option<&str>> {
        // Of several the last one counts.
        let found = self.options.iter().rev().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_deref())
    }

    /// Whether an option is there.
    pub fn has(&self, key: &str) -> bool {
        self.option(key).is_some()
    }

    /// What is wrong with the first word, the options, or their form.
    pub fn check(&self) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        let mut unknown = |what: String, help: Option<&str>, error: bool| {
            let make = if error { Diagnostic::error } else { Diagnostic::warning };
            let finding = make("modlist", what).at(self.position());
            findings.push(match help {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding,
            });
        };
        if !WORDS.contains(&self.word.as_str()) {
            let near = nearest(&self.word, WORDS);
            unknown(format!("`{}` is no kind of line", self.word), near, true);
        }
        let words = self.rest.split_whitespace().count();
        if words == 0 {
            unknown(format!("`{}` of nothing is left out", self.word), None, false);
        } else if words > 1 && ["group", "modaddr"].contains(&self.word.as_str()) {
            let message = format!("`{}` takes one word; what follows is left out", self.word);
            unknown(message, None, false);
        }
        for (key, _) in &self.options {
            if !OPTIONS.contains(&key.as_str()) && !key.starts_with("attr:") {
                let near = nearest(key, OPTIONS);
                unknown(format!("the option `{key}` has no meaning"), near, false);
            }
        }
        findings
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.word, self.rest)
    }
}

/// The lines of a list that say something.
pub fn lines(text: &str) -> impl Iterator<Item = Line> {
    text.lines().enumerate().filter_map(|(index, line)| {
        // A comment starts anywhere, even inside of a word.
        let line = line.split('#').next().unwrap_or_default();
        let text = line.trim_start();
        let column = line.chars().count() - text.chars().count() + 1;
        let text = text.trim_end();
        (!text.is_empty()).then(|| split(text, index + 1, column))
    })
}

fn split(text: &str, number: usize, column: usize) -> Line {
    let end = text.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(text.len());
    let (word, mut rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let mut options = Vec::new();
    // The options end at the last bracket of the line, whatever stands between.
    if let Some((inside, behind)) = rest.strip_prefix('[').and_then(|text| text.rsplit_once(']')) {
        options =
            inside.split(',').map(str::trim).filter(|text| !text.is_empty()).map(option).collect();
        rest = behind;
    }
    let (word, rest) = (word.to_ascii_lowercase(), rest.trim().to_owned());
    Line { number, column, word, options, rest }
}

/// A key with a value: they are separated by the last `=` of the first word.
fn option(text: &str) -> (String, Option<String>) {
    let word = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, _) = text.split_at_checked(word).unwrap_or((text, ""));
    let place = word.rfind('=').or_else(|| text.find('='));
    match place.and_then(|place| text.split_at_checked(place)) {
        Some((key, value)) => {
            let value = value.trim_start_matches('=').trim();
            (key.trim().into(), (!value.is_empty()).then(|| value.into()))
        }
        None => (text.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> Line {
        lines(text).next().unwrap()
    }

    #[test]
    fn a_line_is_split_into_word_options_and_rest() {
        let line = one("\n  Module[ nostrip, fname=bus.io,attr:a=b=c ]  io/x.io -v # bus");
        assert_eq!((line.number, line.column), (2, 3));
        assert_eq!((line.word.as_str(), line.rest.as_str()), ("module", "io/x.io -v"));
        assert_eq!(line.option("fname"), Some(Some("bus.io")));
        assert_eq!(line.option("nostrip"), Some(None));
        assert_eq!(line.option("attr:a=b"), Some(Some("c")));
    }

    #[test]
    fn brackets_in_the_rest_belong_to_the_options_only_behind_options() {
        assert_eq!(one("module x [y]").rest, "x [y]");
        assert_eq!(one("module[nostrip] x [y] z").rest, "z");
        assert_eq!(one("module[nostrip x").rest, "[nostrip x");
    }

    #[test]
    fn unknown_words_are_errors_and_unknown_options_warnings() {
        let findings = one("modul[nostripp] x").check();
        let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            [
                "1:1: error: `modul` is no kind of line\n  help: did you mean `module`?",
                "1:1: warning: the option `nostripp` has no meaning\n  help: did you mean `nostrip`?"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}", more in "[a-z\\[\\]=, \\n#é]{0,80}") {
            lines(&text).chain(lines(&more)).for_each(|line| drop(line.check()));
        }
    }
}
