//! Module lists and the lists they include, as one sequence of lines.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure, Report, Severity};

use super::line::{Line, lines};

/// Bytes of one list.
const MAX_LIST: u64 = 4 << 20;
/// Lists that one list may lead to.
const MAX_LISTS: usize = 1000;

/// What a list is read for.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// L4Re's name of the architecture.
    pub arch: String,
    /// Width of an address: 32 or 64.
    pub bits: u8,
    /// Folders in which files are looked for, in this order.
    pub search: Vec<PathBuf>,
}

impl Context {
    /// Whether a line with these conditions counts.
    pub(super) fn holds(&self, line: &Line) -> bool {
        let matches = |key, word: &str| match line.option(key) {
            None => true,
            Some(value) => value.unwrap_or_default().split('|').any(|one| one.trim() == word),
        };
        matches("arch", &self.arch) && matches("bits", &self.bits.to_string())
    }

    /// Looks for a file: an absolute name as it is, any other one in the folders.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] with the folders if it is in none of them.
    pub fn find(&self, file: &str) -> Result<PathBuf, Diagnostic> {
        if file.contains("://") {
            let message = format!("`{file}` is somewhere else; nothing is fetched");
            let help = "fetch the file, and name the copy";
            return Err(Diagnostic::error("remote", message).help(help));
        }
        let path = Path::new(file);
        let mut candidates = self.search.iter().map(|folder| folder.join(path));
        let found = if path.is_absolute() {
            path.is_file().then(|| path.to_owned())
        } else {
            candidates.find(|path| path.is_file())
        };
        found.ok_or_else(|| {
            let folders: Vec<_> =
                self.search.iter().map(|folder| folder.display().to_string()).collect();
            let help = match folders.as_slice() {
                [] => String::from("name folders to look in with --search-path"),
                _ => format!("looked in: {}", folders.join(", ")),
            };
            Diagnostic::error("no-file", format!("there is no file `{file}`")).help(help)
        })
    }
}

/// A line and the list it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub file: Arc<PathBuf>,
    pub line: Line,
}

impl Placed {
    /// A finding about this line.
    pub fn about(&self, diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.at(self.line.position()).file(&self.file)
    }

    /// An error in this line.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        self.about(Diagnostic::error("modlist", message))
    }
}

/// A list with everything it includes.
#[derive(Debug, Clone)]
pub struct List {
    pub(crate) lines: Vec<Placed>,
    /// What is odd about it.
    pub report: Report,
}

/// Reads a list.
///
/// # Errors
///
/// [`Failure`] with every line that cannot be understood, with its place.
pub fn load(path: &Path, context: &Context) -> Result<List, Failure> {
    let mut reader =
        Reader { context, seen: BTreeSet::new(), lines: Vec::new(), report: Report::new() };
    reader.list(path, None)?;
    let (lines, report) = reader.report.into_result(reader.lines)?;
    Ok(List { lines, report })
}

/// The names of a list's entries that count.
pub fn entries(list: &List, context: &Context) -> Vec<String> {
    let lines = list.lines.iter().map(|placed| &placed.line);
    lines
        .filter(|line| matches!(line.word.as_str(), "entry" | "title") && context.holds(line))
        .map(|line| line.rest.clone())
        .filter(|name| !name.is_empty())
        .collect()
}

struct Reader<'a> {
    context: &'a Context,
    seen: BTreeSet<PathBuf>,
    lines: Vec<Placed>,
    report: Report,
}

impl Reader<'_> {
    /// Reads one list; `from` is the line that includes it.
    fn list(&mut self, path: &Path, from: Option<&Placed>) -> Result<(), Failure> {
        let place = |diagnostic: Diagnostic| match from {
            Some(line) => line.about(diagnostic),
            None => diagnostic.file(path),
        };
        let known = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        if !self.seen.insert(known) {
            let message = format!("{} was included before; left out", path.display());
            self.report.push(place(Diagnostic::warning("modlist", message)));
            return Ok(());
        }
        if self.seen.len() > MAX_LISTS {
            let message = format!("more than {MAX_LISTS} lists");
            return Err(place(Diagnostic::error("too-large", message)).into());
        }
        let text = read(path).map_err(|message| {
            place(Diagnostic::error("io", format!("cannot read {}: {message}", path.display())))
        })?;
        let file = Arc::new(path.to_owned());
        for line in lines(&text) {
            for mut finding in line.check() {
                // Only an entry that has such a line cannot be used.
                finding.severity = Severity::Warning;
                self.report.push(finding.file(path));
            }
            let placed = Placed { file: Arc::clone(&file), line };
            if placed.line.word == "include" {
                self.include(&placed)?;
            } else {
                self.lines.push(placed);
            }
        }
        Ok(())
    }

    fn include(&mut self, placed: &Placed) -> Result<(), Failure> {
        let line = &placed.line;
        if !self.context.holds(line) {
            return Ok(());
        }
        if let Some(option) = ["glob", "perl", "shell"].into_iter().find(|key| line.has(key)) {
            self.report.push(placed.error(format!("`include` with the option `{option}`")));
            return Ok(());
        }
        let folder = placed.file.parent().unwrap_or(Path::new(""));
        for word in line.rest.split_whitespace() {
            let word = match expand(word) {
                Ok(word) => word,
                Err(message) => {
                    self.report.push(placed.error(message));
                    continue;
                }
            };
            for path in wildcards(&folder.join(word)).map_err(|message| placed.error(message))? {
                self.list(&path, Some(placed))?;
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, String> {
    input::read_text(path, MAX_LIST).map_err(|error| error.to_string())
}

/// The text with `${NAME}` replaced by what the environment says.
fn expand(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, name, behind)) = rest.split_once("${").and_then(|(before, rest)| {
        rest.split_once('}').map(|(name, behind)| (before, name, behind))
    }) {
        let value =
            std::env::var(name).map_err(|_| format!("the environment has no variable {name}"))?;
        out = out + before + &value;
        rest = behind;
    }
    Ok(out + rest)
}

/// The files that a name with wildcards stands for, sorted; a name without them stands for itself.
pub(super) fn wildcards(path: &Path) -> Result<Vec<PathBuf>, String> {
    let text = path.to_str().ok_or("a name that is not UTF-8")?;
    if !text.contains(['*', '?', '[']) {
        return Ok(vec![path.into()]);
    }
    let found = glob::glob(text).map_err(|error| format!("bad pattern `{text}`: {error}"))?;
    Ok(found.filter_map(Result::ok).filter(|path| path.is_file()).collect())
}
