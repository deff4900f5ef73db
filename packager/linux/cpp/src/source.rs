//! Where files come from.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure};

/// No header is that long; what is longer is not read.
const MAX_FILE: u64 = 64 << 20;

/// Something that has files.
pub trait FileSource {
    /// The bytes of `path`, or nothing if there is no such file. A directory is no file.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is one, but it cannot be had: unreadable, or not to be generated.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure>;
}

impl<S: FileSource + ?Sized> FileSource for &S {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        (**self).read(path)
    }
}

impl<S: FileSource + ?Sized> FileSource for Box<S> {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        (**self).read(path)
    }
}

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl FileSource for RealFiles {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        // Asked before opening: to open a named pipe would wait for its writer.
        let length = match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => return Ok(None),
            Err(error) if absent(error.kind()) => return Ok(None),
            Err(error) => return Err(Failure::io("read", path, &error)),
        };
        if length > MAX_FILE {
            let message = format!("is {length} bytes long, which no C source is");
            return Err(Diagnostic::error("too-large", message).file(path).into());
        }
        match input::read(path, MAX_FILE) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if absent(error.kind()) => Ok(None),
            Err(error) => Err(Failure::io("read", path, &error)),
        }
    }
}

/// Whether an error says that there is no file, rather than that it cannot be had.
fn absent(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename
    )
}

/// Files in memory. Paths are compared with `.` and `..` resolved.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(BTreeMap<PathBuf, Vec<u8>>);

impl MemoryFiles {
    /// Adds a file, or replaces it.
    pub fn insert(&mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(resolved(&path.into()), bytes.into());
    }
}

impl FileSource for MemoryFiles {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.0.get(&resolved(path)).cloned())
    }
}

/// A path without `.` and `..`, as if there were no links to folders.
fn resolved(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.file_name().is_some() => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts
}

/// Several sources on top of each other: the first that has a file wins.
#[derive(Default)]
pub struct Layers<'a>(Vec<&'a dyn FileSource>);

impl<'a> Layers<'a> {
    /// No layer yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a layer below those that are there.
    #[must_use]
    pub fn below(mut self, source: &'a dyn FileSource) -> Self {
        self.0.push(source);
        self
    }
}

impl FileSource for Layers<'_> {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        for layer in &self.0 {
            if let Some(bytes) = layer.read(path)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}
