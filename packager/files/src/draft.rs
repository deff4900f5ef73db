//! Files and folders on their way: written beside their destination, then renamed.
//!
//! A draft has a name that nobody can guess, and is made only if nothing has that name. It goes when
//! it is dropped, and when the program is [interrupted](crate::interrupt).

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::{Builder, NamedTempFile, TempDir};

use crate::interrupt::{Pending, pending};

/// Most bytes of the destination's name in that of its draft, so that the whole is not too long.
const PREFIX: usize = 100;

/// A file on its way.
#[derive(Debug)]
pub struct Draft {
    // Before the entry in the list: what is removed need not be listed any more.
    file: NamedTempFile,
    pending: Pending,
}

impl Draft {
    /// An empty file in the folder of `to`, which must be there. Only this user can read it.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or `to` names no file.
    pub fn beside(to: &Path) -> io::Result<Self> {
        let (folder, prefix) = place(to)?;
        let (file, pending) = pending(|| {
            let file = Builder::new().prefix(&prefix).tempfile_in(folder)?;
            let path = file.path().to_owned();
            Ok((file, path))
        })?;
        Ok(Self { file, pending })
    }

    /// Where it is now.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The open file.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Gives it these access rights, whatever the umask says.
    ///
    /// # Errors
    ///
    /// If that is not possible.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.file.as_file().set_permissions(Permissions::from_mode(mode))
    }

    /// Gives it its name; a file that had the name is replaced, and so is a link.
    ///
    /// # Errors
    ///
    /// If that is not possible. The draft is then gone.
    pub fn persist(self, to: &Path) -> io::Result<()> {
        // Otherwise the name could survive a power cut, and the bytes not.
        self.file.as_file().sync_all()?;
        let Self { file, pending } = self;
        pending.done(|| file.persist(to).map(drop).map_err(|error| error.error))
    }
}

/// A folder on its way.
#[derive(Debug)]
pub struct DraftFolder {
    folder: TempDir,
    pending: Pending,
}

impl DraftFolder {
    /// An empty folder in the folder of `to`, which must be there.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or `to` names nothing.
    pub fn beside(to: &Path) -> io::Result<Self> {
        let (parent, prefix) = place(to)?;
        let (folder, pending) = pending(|| {
            let mut builder = Builder::new();
            let folder = builder.prefix(&prefix).tempdir_in(parent)?;
            let path = folder.path().to_owned();
            Ok((folder, path))
        })?;
        Ok(Self { folder, pending })
    }

    /// Where it is now.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Opens it to others and gives it its name. A folder that has the name changes places with it
    /// in one step, and is then removed.
    ///
    /// # Errors
    ///
    /// If that is not possible. The draft is then gone, and what was there stays.
    pub fn persist(self, to: &Path) -> io::Result<()> {
        std::fs::set_permissions(self.path(), Permissions::from_mode(0o755))?;
        let flags = match to.symlink_metadata() {
            Ok(_) => RenameFlags::EXCHANGE,
            Err(_) => RenameFlags::NOREPLACE,
        };
        let Self { folder, pending } = self;
        pending.done(|| {
            renameat_with(CWD, folder.path(), CWD, to, flags)?;
            // Either the old folder or, if there was none, nothing.
            drop(folder);
            Ok(())
        })
    }
}

/// A folder for files that nobody needs later.
#[derive(Debug)]
pub struct ScratchFolder {
    folder: TempDir,
    pending: Pending,
}

impl ScratchFolder {
    /// A folder where the system has such. Only this user can look into it.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn new() -> io::Result<Self> {
        Self::named("l4re-")
    }

    /// The same, with a name that begins so.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn named(prefix: &str) -> io::Result<Self> {
        Self::made(prefix, &std::env::temp_dir())
    }

    /// A folder in `parent`.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn within(parent: &Path) -> io::Result<Self> {
        Self::made("l4re-", parent)
    }

    fn made(prefix: &str, parent: &Path) -> io::Result<Self> {
        let (folder, pending) = pending(|| {
            let folder = Builder::new().prefix(prefix).tempdir_in(parent)?;
            let path = folder.path().to_owned();
            Ok((folder, path))
        })?;
        Ok(Self { folder, pending })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Lets it stay.
    pub fn keep(self) -> PathBuf {
        let Self { folder, pending } = self;
        pending.done(|| folder.keep())
    }
}

/// The folder of a path, and how the name of its draft begins.
fn place(to: &Path) -> io::Result<(&Path, String)> {
    let name = to.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let mut end = name.len().min(PREFIX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok((folder.unwrap_or(Path::new(".")), format!(".{}.", name.get(..end).unwrap_or_default())))
}
