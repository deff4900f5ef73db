//! Generated headers as files.

use std::path::{Component, Path, PathBuf};

use l4re_cpp::FileSource;
use l4re_packager_base::Failure;

use crate::generated::Generated;

/// Generated headers that seem to lie below a folder.
pub struct Mounted<'a> {
    headers: &'a Generated,
    folder: PathBuf,
}

impl<'a> Mounted<'a> {
    pub(crate) fn new(headers: &'a Generated, folder: &Path) -> Self {
        Self { headers, folder: folder.to_owned() }
    }

    /// The path of a header below the folder; nothing if `path` is outside.
    fn relative(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.folder).ok()?;
        let mut parts: Vec<&str> = Vec::new();
        for part in below.components() {
            match part {
                Component::Normal(name) => parts.push(name.to_str()?),
                Component::ParentDir => {
                    parts.pop()?;
                }
                _ => {}
            }
        }
        Some(parts.join("/"))
    }
}

impl FileSource for Mounted<'_> {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        let Some(path) = self.relative(path) else { return Ok(None) };
        Ok(self.headers.get(&path)?.map(|bytes| bytes.to_vec()))
    }
}
