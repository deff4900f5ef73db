//! Where Kconfig files come from.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use l4re_files::input;

/// Files by name. Names are relative to the tree, with `/` between the parts.
pub trait Source {
    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// Those of reading it.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
}

/// Larger files are refused: no Kconfig file comes near, and a device file never ends.
const MAX_FILE: u64 = 16 << 20;

/// The files below a folder.
#[derive(Debug, Clone)]
pub struct TreeSource {
    root: PathBuf,
}

impl TreeSource {
    /// The files below `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.into() }
    }
}

impl Source for TreeSource {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        input::read(&self.root.join(name), MAX_FILE)
    }
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemorySource {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more file.
    #[must_use]
    pub fn with(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name.into(), bytes.into());
        self
    }
}

impl Source for MemorySource {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let file = self.files.get(name).cloned();
        file.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }
}
