//! Where a workspace goes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use l4re_files::ScratchFolder;

use super::Written;
use super::files::normal;
use crate::workspace::FILE;
use l4re_packager_base::{Diagnostic, Failure};
use l4re_packager_core::package::Tree;

/// Where a workspace goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A fresh folder `l4re-driver.XXXXXX` in the folder for temporary files.
    Fresh,
    /// This folder, which must be empty or not there.
    Folder(PathBuf),
    /// This folder; a workspace in it is replaced.
    Replace(PathBuf),
}

/// Writes `files` to the destination.
pub fn write(files: &Tree, destination: &Destination, tree: &Path) -> Result<Written, Failure> {
    match destination {
        Destination::Fresh => {
            let folder = ScratchFolder::named("l4re-driver.")
                .map_err(|error| Failure::io("make", &std::env::temp_dir(), &error))?;
            outside_of(tree, folder.path())?;
            files.write_over(folder.path(), &[FILE])?;
            Ok(written(folder.keep()))
        }
        Destination::Folder(folder) => {
            let folder = outside_of(tree, folder)?;
            must_be_free(&folder)?;
            files.write_over(&folder, &[FILE])?;
            Ok(written(folder))
        }
        Destination::Replace(folder) => {
            let folder = outside_of(tree, folder)?;
            files.write_over(&folder, &[FILE])?;
            Ok(written(folder))
        }
    }
}

fn written(folder: PathBuf) -> Written {
    Written { manifest: folder.join(FILE), folder }
}

/// The absolute path of a folder that need not be there, with links followed as far as it is;
/// refused below `tree`.
fn outside_of(tree: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let io = |error: io::Error| Failure::io("use", folder, &error);
    let absolute = std::path::absolute(folder).map_err(io)?;
    let mut there = absolute.as_path();
    while !there.exists() {
        there = match there.parent() {
            Some(parent) => parent,
            None => break,
        };
    }
    let rest = absolute.strip_prefix(there).unwrap_or(Path::new(""));
    let real = fs::canonicalize(there).map_err(io)?.join(rest);
    let real = normal(&real).unwrap_or(real);
    if real.starts_with(tree) {
        let message = "lies in the Linux tree, which is never written to";
        let help = "choose a folder outside with --out, or none for a fresh temporary one";
        return Err(Diagnostic::error("in-tree", message).file(folder).help(help).into());
    }
    Ok(real)
}

fn must_be_free(folder: &Path) -> Result<(), Failure> {
    let empty = match fs::read_dir(folder) {
        Ok(mut items) => items.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(Failure::io("use", folder, &error)),
    };
    if empty {
        return Ok(());
    }
    let error = Diagnostic::error("occupied", "is there and is not empty").file(folder);
    let help = match folder.join(FILE).is_file() {
        true => "choose another folder with --out, or replace the workspace in it with --force",
        false => "choose another folder with --out",
    };
    Err(error.help(help).into())
}
