//! ext2, ext3 and ext4, by `debugfs` and `e2fsck`.

use std::fs;
use std::path::{Path, PathBuf};

use super::tool::{Said, Tool};
use super::{Copy, folders_above};
use crate::install::Medium;
use l4re_packager_base::Failure;

const DEBUGFS: Tool = Tool { name: "debugfs", package: "e2fsprogs" };
const E2FSCK: Tool = Tool { name: "e2fsck", package: "e2fsprogs" };

/// An image of such a file system.
pub(super) struct Ext {
    copy: Copy,
}

impl Ext {
    /// Takes an image that has no errors: debugfs would make them worse.
    pub(super) fn open(copy: Copy) -> Result<Self, Failure> {
        let ext = Self { copy };
        ext.check("the image has errors or was not unmounted; e2fsck -f repairs it")?;
        Ok(ext)
    }

    fn check(&self, what: &str) -> Result<(), Failure> {
        let arguments = ["-f".as_ref(), "-n".as_ref(), self.copy.path.as_os_str()];
        let said = E2FSCK.run(Path::new("."), arguments)?;
        // Also 0 when the journal holds what was not written yet.
        let waiting =
            said.errors.contains("needs_recovery") || said.errors.contains("recovery flag");
        if said.good && !waiting { Ok(()) } else { Err(E2FSCK.failed(what, &said)) }
    }

    /// Runs one command of debugfs, whose exit code says nothing: what it has to complain of stands
    /// behind its version.
    fn debugfs(&self, folder: &Path, command: &str) -> Result<(String, Said), Failure> {
        let image = std::path::absolute(&self.copy.path)
            .map_err(|error| Failure::io("find", &self.copy.path, &error))?;
        let arguments = ["-w".as_ref(), "-R".as_ref(), command.as_ref(), image.as_os_str()];
        let said = DEBUGFS.run(folder, arguments)?;
        if !said.good {
            return Err(DEBUGFS.failed(command, &said));
        }
        let lines = said.errors.lines().filter(|line| !line.starts_with("debugfs "));
        Ok((lines.collect::<Vec<_>>().join(" "), said))
    }

    fn must(&self, folder: &Path, command: &str) -> Result<(), Failure> {
        let (complaint, said) = self.debugfs(folder, command)?;
        if complaint.is_empty() { Ok(()) } else { Err(DEBUGFS.failed(command, &said)) }
    }

    /// What `stat` says of a path; `None` if nothing is there.
    fn stat(&self, path: &str) -> Result<Option<String>, Failure> {
        let (_, said) = self.debugfs(Path::new("."), &format!("stat {path}"))?;
        let text = String::from_utf8_lossy(&said.output).into_owned();
        Ok(text.starts_with("Inode:").then_some(text))
    }
}

impl Medium for Ext {
    fn is_folder(&mut self, path: &str) -> Result<bool, Failure> {
        // With the dot behind it links are followed.
        Ok(self.stat(&format!("{path}/."))?.is_some())
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let scratch = Copy::scratch()?;
        let folder = scratch.path();
        for above in folders_above(path) {
            if !self.is_folder(above)? {
                self.must(folder, &format!("mkdir {above}"))?;
            }
        }
        if self.stat(path)?.is_some() {
            self.must(folder, &format!("rm {path}"))?;
        }
        let file = folder.join("program");
        fs::write(&file, bytes).map_err(|error| Failure::io("write", &file, &error))?;
        // It says on the error channel nothing that is an error only here.
        self.must(folder, &format!("write program {path}"))?;
        for field in ["mode 0100755", "uid 0", "gid 0"] {
            self.must(folder, &format!("set_inode_field {path} {field}"))?;
        }
        Ok(())
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        let scratch = Copy::scratch()?;
        self.must(scratch.path(), &format!("dump {path} program"))?;
        let file = scratch.path().join("program");
        fs::read(&file).map_err(|error| Failure::io("read", &file, &error))
    }

    fn finish(self: Box<Self>) -> Result<PathBuf, Failure> {
        self.check("the changed image has errors and was thrown away")?;
        self.copy.persist()
    }
}
