//! A folder that is the root of a system.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Medium;
use l4re_packager_base::draft_file;
use l4re_packager_base::{Diagnostic, Failure};

/// The folder, and the file that is not in its place yet.
pub(super) struct Root {
    /// Without links.
    folder: PathBuf,
    draft: Option<(PathBuf, tempfile::NamedTempFile)>,
}

impl Root {
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let io = |error: io::Error| Failure::io("open", folder, &error);
        let resolved = folder.canonicalize().map_err(io)?;
        if !resolved.is_dir() {
            return Err(io(io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { folder: resolved, draft: None })
    }

    /// The path on this machine. Links of the system are followed, as `/lib` → `usr/lib`, but not
    /// out of it: an absolute one means another place here than there.
    fn resolve(&self, path: &str) -> Result<PathBuf, Failure> {
        let mut resolved = self.folder.clone();
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        while let Some(part) = parts.next() {
            let next = resolved.join(part);
            match next.canonicalize() {
                Ok(there) if there.starts_with(&self.folder) => resolved = there,
                Err(error) if error.kind() == io::ErrorKind::NotFound && !next.is_symlink() => {
                    // Nothing is there: nothing below it can be a link.
                    resolved = next;
                    resolved.extend(parts.by_ref());
                }
                Ok(_) | Err(_) => {
                    let message = "is a link that leads out of the system, or nowhere";
                    let help = "make it relative, or name the folder that it means";
                    let finding = Diagnostic::error("install-link", message).file(&next);
                    return Err(finding.help(help).into());
                }
            }
        }
        Ok(resolved)
    }
}

impl Medium for Root {
    fn is_folder(&mut self, path: &str) -> Result<bool, Failure> {
        Ok(self.resolve(path)?.is_dir())
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        // A link in the file's own place is replaced, not followed.
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let file = self.resolve(folder)?.join(name);
        let io = |error: io::Error| Failure::io("write", &file, &error);
        if file.is_dir() {
            return Err(io(io::ErrorKind::IsADirectory.into()));
        }
        let draft = draft_file(&file, bytes, true).map_err(io)?;
        self.draft = Some((file, draft));
        Ok(())
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        let resolved = self.resolve(path)?;
        let path = self.draft.as_ref().map_or(resolved.as_path(), |(_, draft)| draft.path());
        fs::read(path).map_err(|error| Failure::io("read", path, &error))
    }

    fn finish(self: Box<Self>) -> Result<PathBuf, Failure> {
        let Some((file, draft)) = self.draft else { return Ok(self.folder) };
        draft.persist(&file).map_err(|error| Failure::io("write", &file, &error.error))?;
        Ok(file)
    }
}
