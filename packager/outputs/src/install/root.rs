//! A folder that is the root of a system.

use std::io;
use std::path::{Path, PathBuf};

use l4re_files::{Draft, input};

use super::Medium;
use super::links::Entry;
use l4re_packager_base::{Failure, draft_file};

/// The folder, and the file that is not in its place yet.
pub(super) struct Root {
    /// Without links.
    folder: PathBuf,
    draft: Option<(PathBuf, Draft)>,
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

    /// The path on this machine.
    fn host(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }
}

impl Medium for Root {
    fn entry(&mut self, path: &str) -> Result<Entry, Failure> {
        let host = self.host(path);
        let io = |error: io::Error| Failure::io("look at", &host, &error);
        let kind = match host.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entry::Nothing),
            found => found.map_err(io)?.file_type(),
        };
        if kind.is_symlink() {
            let target = host.read_link().map_err(io)?.into_os_string().into_string();
            let not_utf8 = |_| io(io::Error::other("a link whose target is not UTF-8"));
            return Ok(Entry::Link(target.map_err(not_utf8)?));
        }
        Ok(if kind.is_dir() { Entry::Folder } else { Entry::File })
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let file = self.host(path);
        let draft =
            draft_file(&file, bytes, true).map_err(|error| Failure::io("write", &file, &error))?;
        self.draft = Some((file, draft));
        Ok(())
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        let host = self.host(path);
        let path = self.draft.as_ref().map_or(host.as_path(), |(_, draft)| draft.path());
        input::read(path, input::PROGRAM).map_err(|error| Failure::io("read", path, &error))
    }

    fn finish(self: Box<Self>) -> Result<PathBuf, Failure> {
        let Some((file, draft)) = self.draft else { return Ok(self.folder) };
        draft.persist(&file).map_err(|error| Failure::io("write", &file, &error))?;
        Ok(file)
    }
}
