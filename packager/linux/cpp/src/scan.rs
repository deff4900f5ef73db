//! One C file after the other.

use std::path::Path;

use l4re_packager_base::{Diagnostic, Failure};

use crate::files::Files;
use crate::intern::Interner;
use crate::options::Options;
use crate::result::Scan;
use crate::search::in_directory;
use crate::source::FileSource;
use crate::unit::{Macros, Unit};

/// Scans C files, and remembers the headers between them.
pub struct Preprocessor<S> {
    source: S,
    interner: Interner,
    files: Files,
    macros: Macros,
}

impl<S: FileSource> Preprocessor<S> {
    /// Reads files from `source`, each at most once: the source must not change meanwhile.
    pub fn new(source: S) -> Self {
        Self {
            source,
            interner: Interner::new(),
            files: Files::default(),
            macros: Macros::default(),
        }
    }

    /// What `file` includes under `options`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if `file` itself is not there or cannot be read. Whatever is wrong inside, or
    /// with a header, is part of the result.
    pub fn scan(&mut self, file: &Path, options: &Options) -> Result<Scan, Failure> {
        let path = in_directory(&options.directory, file);
        let Some(main) = self.files.open(path, &self.source)? else {
            return Err(Diagnostic::error("no-source", "there is no such file").file(file).into());
        };
        let Self { source, interner, files, macros } = self;
        Ok(Unit::new(interner, files, source, macros, options).run(main))
    }
}
