//! What the packager has to say about its input: what is wrong, where, and the way out.

use std::cmp::Reverse;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

mod place_file;
mod plain;
mod progress;
pub mod reader;

pub use place_file::{draft_file, place_file};
pub use plain::{disturbs, plain, plain_json, spelled};
pub use progress::Progress;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the result is usable.
    Warning,
    /// The result is not usable.
    Error,
}

/// A place inside a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    /// Line and column of a text, both counted from 1, columns in characters.
    Text {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
    /// Byte offset into a binary file.
    Offset(u64),
}

impl Position {
    /// The position of byte `offset` in `text`.
    pub fn in_text(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self::Text {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for the kind of finding, for programs that read the output.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The file it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Where in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            file: None,
            position: None,
            help: None,
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Says which file it is about.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Says where in the file.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// Says where in a binary file.
    #[must_use]
    pub fn offset(self, offset: u64) -> Self {
        self.at(Position::Offset(offset))
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the result is unusable.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Names of files and pieces of texts in it are made harmless for a terminal.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_ref().map(|file| file.to_string_lossy());
        let file = file.as_ref().map(|file| spelled(file, &[]));
        match (file, self.position) {
            (Some(file), Some(Position::Text { line, column })) => {
                write!(f, "{file}:{line}:{column}: ")?;
            }
            (Some(file), Some(Position::Offset(offset))) => {
                write!(f, "{file}: at offset {offset:#x}: ")?;
            }
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some(Position::Text { line, column })) => write!(f, "{line}:{column}: ")?,
            (None, Some(Position::Offset(offset))) => write!(f, "at offset {offset:#x}: ")?,
            (None, None) => {}
        }
        match self.severity {
            Severity::Error => f.write_str("error: ")?,
            Severity::Warning => f.write_str("warning: ")?,
        }
        let lines = ['\n', '\t'];
        f.write_str(&spelled(&self.message, &lines))?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {}", spelled(help, &lines))?;
        }
        Ok(())
    }
}

/// Findings, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Report(Vec<Diagnostic>);

impl Report {
    /// An empty report.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds the findings of another report; those that name no file are about `file`.
    pub fn extend_about(&mut self, file: &Path, other: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in other {
            let about = diagnostic.file.is_some();
            self.0.push(if about { diagnostic } else { diagnostic.file(file) });
        }
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// Puts the findings into the order of their places in the file.
    pub fn sort_by_position(&mut self) {
        self.0.sort_by_key(|diagnostic| diagnostic.position);
    }

    /// The findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// The value if there is no error, otherwise the report as one.
    ///
    /// # Errors
    ///
    /// [`Failure`] with all findings.
    pub fn into_result<T>(self, value: T) -> Result<(T, Report), Failure> {
        if self.has_errors() { Err(Failure(self)) } else { Ok((value, self)) }
    }
}

impl IntoIterator for Report {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Extend<Diagnostic> for Report {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, other: I) {
        self.0.extend(other);
    }
}

/// A report with at least one error: why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub Report);

impl Failure {
    /// The failure of reading or writing `path`.
    pub fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Diagnostic::error("io", format!("cannot {what}: {error}")).file(path).into()
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(Report(vec![diagnostic]))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// ": did you mean `x`?" material: the known word nearest to `word`, if it is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near(word, known).into_iter().next()
}

/// The known words that `word` may have been meant to be, the nearest first: those that few slips
/// (Damerau-Levenshtein) lead to. Of equally near ones that of the same length is first, as a wrong
/// letter is more likely than one left out, and then the one with more of the same beginning.
pub fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let length = word.chars().count();
    let same = |candidate: &str| {
        candidate.chars().zip(word.chars()).take_while(|(own, other)| own == other).count()
    };
    let mut found: Vec<_> = known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(word, candidate);
            let longer = candidate.chars().count().abs_diff(length);
            (distance, longer, Reverse(same(candidate)), candidate)
        })
        .filter(|(distance, .., candidate)| *distance <= candidate.len().div_ceil(3).max(1))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(.., candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let text = "a\nüb\n";
        assert_eq!(Position::in_text(text, 0), Position::Text { line: 1, column: 1 });
        assert_eq!(Position::in_text(text, 4), Position::Text { line: 2, column: 2 });
        assert_eq!(Position::in_text(text, 99), Position::Text { line: 3, column: 1 });
    }

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("nmae", ["name", "class"]), Some("name"));
        assert_eq!(nearest("x", ["name", "class"]), None);
        // A wrong letter is likelier than one too many, whatever the alphabet says.
        assert_eq!(nearest("E1001", ["E100", "E1000", "E1000E"]), Some("E1000"));
        assert_eq!(nearest("abd", ["xbd", "abc"]), Some("abc"));
        assert_eq!(near("nett", ["tty", "net", "nettle", "block"]), ["net", "nettle"]);
    }

    #[test]
    fn a_finding_says_what_where_and_the_way_out() {
        let text = Diagnostic::error("x", "bad").file(Path::new("a.toml"));
        let text = text.at(Position::Text { line: 3, column: 7 }).help("do better").to_string();
        assert_eq!(text, "a.toml:3:7: error: bad\n  help: do better");
    }

    #[test]
    fn a_finding_does_not_hand_control_characters_on() {
        let text = Diagnostic::error("x", "no `\x1b[2J`\nat all").file(Path::new("a\n\u{9b}b"));
        let text = text.help("see\x07").to_string();
        assert_eq!(text, "a\\n\\u{9b}b: error: no `\\u{1b}[2J`\nat all\n  help: see\\u{7}");
    }
}
