//! What a scan finds.

use std::path::Path;
use std::sync::Arc;

use l4re_packager_base::Report;

/// What one C file includes.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// The files that are read, each once, in the order in which they are first reached. The
    /// first is the C file itself; then come the forced includes and what they include.
    pub files: Vec<Included>,
    /// The includes that led to no file, in the same order.
    pub missing: Vec<Missing>,
    /// What else is wrong: `#error` in an active branch, a condition that is none, a file that
    /// cannot be read. A scan with such findings is complete all the same.
    pub findings: Report,
}

/// A file that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// Its path, as it was put together from the search path and the spelling.
    pub path: Arc<Path>,
    /// Where it was first included; nothing for the C file itself.
    pub origin: Option<Origin>,
}

/// An include directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file that includes: its index in [`Scan::files`]. The C file itself (0) for what the
    /// command line includes.
    pub file: usize,
    /// The line of the directive, counted from 1; 0 for what the command line includes.
    pub line: u32,
    /// What is included, with its quotes or angle brackets, after macros were expanded.
    pub spelling: String,
}

/// An include that led to no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The directive.
    pub origin: Origin,
    /// The file that includes.
    pub by: Arc<Path>,
}

impl Missing {
    /// The name without quotes or angle brackets.
    pub fn name(&self) -> &str {
        let spelling = &self.origin.spelling;
        spelling.get(1..spelling.len().saturating_sub(1)).unwrap_or_default()
    }
}

impl Scan {
    /// The paths of all files, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_ref())
    }

    /// The chain of includes that leads to file `index`, from it up to the C file.
    pub fn chain(&self, index: usize) -> impl Iterator<Item = &Included> {
        let mut next = self.files.get(index);
        std::iter::from_fn(move || {
            let this = next?;
            // An includer always stands before what it includes first.
            next = this.origin.as_ref().and_then(|origin| self.files.get(origin.file));
            Some(this)
        })
    }
}
