//! ext2, ext3 and ext4: judged by the superblock and `e2fsck`, read by `ext4-view`, changed by
//! `debugfs`. What `debugfs` says decides nothing: what is in the image afterwards does.

use std::fs::{self};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use l4re_programs::Program;

use ext4_view::{Ext4, Ext4Error, Metadata};
use l4re_files::input;

use super::tool::{Tool, ToolOutput};
use super::{Copy, folders_above};
use crate::install::links::Entry;
use crate::install::{Medium, place};
use l4re_packager_base::{Diagnostic, Failure};
use superblock::Superblock;

mod superblock;

const DEBUGFS: Tool = Tool(Program::declared("debugfs"));
const E2FSCK: Tool = Tool(Program::declared("e2fsck"));

/// Mode of installed programs: `rwxr-xr-x`.
const MODE: u16 = 0o755;
/// A regular file: `S_IFREG`.
const REGULAR: u16 = 0o100_000;
/// Exit codes of e2fsck: nothing to repair, or all repaired (e2fsck(8)).
const REPAIRED: [i32; 2] = [0, 1];

/// An image of such a file system.
pub(super) struct Ext {
    copy: Copy,
    quota: bool,
}

impl Ext {
    /// Takes an image that is in order, and of a kind that can be changed.
    pub(super) fn open(copy: Copy) -> Result<Self, Failure> {
        let superblock = superblock(&copy)?;
        let ext = Self { copy, quota: superblock.has_quota() };
        ext.check("the file system has errors; e2fsck -f repairs it")?;
        ext.view()?;
        Ok(ext)
    }

    /// Judges the file system as it stands in the copy.
    fn check(&self, what: &str) -> Result<(), Failure> {
        let said = self.e2fsck("-n")?;
        if said.code == Some(0) { Ok(()) } else { Err(E2FSCK.failed(what, &said)) }
    }

    fn e2fsck(&self, answer: &str) -> Result<ToolOutput, Failure> {
        let arguments = ["-f".as_ref(), answer.as_ref(), self.copy.draft.path().as_os_str()];
        E2FSCK.run(Path::new("."), arguments)
    }

    /// The file system as it stands in the copy now.
    fn view(&self) -> Result<Ext4, Failure> {
        Ext4::load_from_path(self.copy.draft.path()).map_err(|error| self.unreadable("/", &error))
    }

    fn unreadable(&self, path: &str, error: &Ext4Error) -> Failure {
        let message = format!("{path}: {error}");
        Diagnostic::error("install-image", message).file(&self.copy.output).into()
    }

    /// Runs one command of debugfs, whose exit code says nothing.
    fn debugfs(&self, folder: &Path, command: &str) -> Result<ToolOutput, Failure> {
        let image = std::path::absolute(self.copy.draft.path())
            .map_err(|error| Failure::io("find", self.copy.draft.path(), &error))?;
        let arguments = ["-w".as_ref(), "-R".as_ref(), command.as_ref(), image.as_os_str()];
        let said = DEBUGFS.run(folder, arguments)?;
        if said.code == Some(0) { Ok(said) } else { Err(DEBUGFS.failed(command, &said)) }
    }

    /// Type, owner and mode of what is at a path.
    fn metadata(&self, path: &str) -> Result<Option<Metadata>, Failure> {
        match self.view()?.symlink_metadata(path) {
            Err(Ext4Error::NotFound) => Ok(None),
            Err(error) => Err(self.unreadable(path, &error)),
            Ok(found) => Ok(Some(found)),
        }
    }

    /// Runs a command after which `done` must hold.
    fn must(
        &self,
        folder: &Path,
        command: &str,
        done: impl FnOnce() -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let said = self.debugfs(folder, command)?;
        if done()? { Ok(()) } else { Err(DEBUGFS.failed(command, &said)) }
    }
}

/// The superblock of the copy, which is in order.
fn superblock(copy: &Copy) -> Result<Superblock, Failure> {
    let mut bytes = [0; superblock::SIZE];
    let read = |bytes: &mut [u8]| {
        let mut file = input::open(copy.draft.path())?;
        file.seek(SeekFrom::Start(superblock::OFFSET))?;
        file.read_exact(bytes)?;
        Ok(file.metadata()?.len())
    };
    let len = read(&mut bytes).map_err(|error| Failure::io("read", &copy.output, &error))?;
    let superblock = Superblock::parse(&bytes);
    superblock.check(len).map_err(|finding| finding.file(&copy.output))?;
    Ok(superblock)
}

impl Medium for Ext {
    fn entry(&mut self, path: &str) -> Result<Entry, Failure> {
        let unreadable = |error: Ext4Error| self.unreadable(path, &error);
        let Some(found) = self.metadata(path)? else { return Ok(Entry::Nothing) };
        Ok(if found.is_dir() {
            // Names in an encrypted one can be neither read nor written.
            self.view()?.read_dir(path).map_err(unreadable)?;
            Entry::Folder
        } else if found.is_symlink() {
            let target = self.view()?.read_link(path).map_err(unreadable)?;
            Entry::Link(target.to_str().map_err(|_| unreadable(Ext4Error::NotUtf8))?.into())
        } else {
            Entry::File
        })
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        // A link can have led to a name that debugfs would take for two words.
        place::check(path)?;
        let scratch = Copy::scratch()?;
        let folder = scratch.path();
        for above in folders_above(path) {
            if self.metadata(above)?.is_none() {
                let done = || Ok(self.metadata(above)?.is_some_and(|found| found.is_dir()));
                self.must(folder, &format!("mkdir {above}"), done)?;
            }
        }
        if self.metadata(path)?.is_some() {
            self.must(folder, &format!("rm {path}"), || Ok(self.metadata(path)?.is_none()))?;
        }
        let file = folder.join("program");
        fs::write(&file, bytes).map_err(|error| Failure::io("write", &file, &error))?;
        let whole = || match self.view()?.read(path) {
            Err(Ext4Error::NotFound) => Ok(false),
            read => Ok(read.map_err(|error| self.unreadable(path, &error))? == bytes),
        };
        self.must(folder, &format!("write program {path}"), whole)?;
        let set = |field: &str, done: fn(&Metadata) -> bool| {
            let command = format!("set_inode_field {path} {field}");
            self.must(folder, &command, || Ok(self.metadata(path)?.as_ref().is_some_and(done)))
        };
        set(&format!("mode 0{:o}", REGULAR | MODE), |found| {
            found.file_type().is_regular_file() && found.mode() == MODE
        })?;
        set("uid 0", |found| found.uid() == 0)?;
        set("gid 0", |found| found.gid() == 0)
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        self.view()?.read(path).map_err(|error| self.unreadable(path, &error))
    }

    fn finish(self: Box<Self>) -> Result<PathBuf, Failure> {
        let what = "the changed image has errors and was thrown away";
        if self.quota {
            // debugfs does not count usage. `-p` repairs nothing that a person would have to decide.
            let said = self.e2fsck("-p")?;
            if !said.code.is_some_and(|code| REPAIRED.contains(&code)) {
                return Err(E2FSCK.failed(what, &said));
            }
        }
        self.check(what)?;
        superblock(&self.copy)?;
        self.copy.persist()
    }
}
