//! One C file after the other.

use std::path::Path;

use l4re_diag::Failure;

use crate::options::Options;
use crate::result::Scan;
use crate::source::FileSource;

/// Scans C files, and remembers the headers between them.
pub struct Preprocessor<S> {
    source: S,
}

impl<S: FileSource> Preprocessor<S> {
    /// Reads files from `source`, each at most once: the source must not change meanwhile.
    pub fn new(source: S) -> Self {
        Self { source }
    }

    /// What `file` includes under `options`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if `file` itself is not there or cannot be read. Whatever is wrong inside, or
    /// with a header, is part of the result.
    pub fn scan(&mut self, file: &Path, options: &Options) -> Result<Scan, Failure> {
        let _ = (&options, self.source.read(file)?);
        Ok(Scan::default())
    }
}
