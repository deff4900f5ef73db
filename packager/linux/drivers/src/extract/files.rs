//! Files of the tree, and only of the tree: a symbolic link that leads out of it is refused.
//!
//! What is shipped in place of something generated (`x_shipped`) is seen as `x`, as it is in a tree
//! that was built in: Kbuild's rule `$(obj)/%: $(src)/%_shipped` copies it there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use l4re_cpp::FileSource;
use l4re_files::input;

use l4re_packager_base::{Diagnostic, Failure};

/// No source file is that long.
const MAX_FILE: u64 = 64 << 20;

/// The suffix of files that stand in the tree for generated ones.
const SHIPPED: &str = "_shipped";

/// The name of a file in a tree that was built in: without the suffix of shipped ones.
pub fn built(path: &str) -> &str {
    path.strip_suffix(SHIPPED).unwrap_or(path)
}

/// Reads below one folder. Nothing is kept: who reads a driver with hundreds of megabytes of headers
/// has them in memory once as it is.
#[derive(Debug)]
pub struct TreeFiles {
    root: PathBuf,
    /// Folders that were looked at, and whether they lie below the root.
    inside: RefCell<HashMap<PathBuf, bool>>,
}

impl TreeFiles {
    /// The files below `root`, which is absolute and without symbolic links.
    pub fn new(root: &Path) -> Self {
        Self { root: root.into(), inside: RefCell::default() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes of the file at a path relative to the root; nothing if there is none.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be read, is too large, or really lies outside.
    pub fn get(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.fetch(&self.root.join(path))
    }

    /// The same for a path that must lead to a file.
    ///
    /// # Errors
    ///
    /// As [`TreeFiles::get`], or if there is no such file.
    pub fn need(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.get(path)?.ok_or_else(|| {
            let message = "the tree's Makefiles name this file, and it is not there";
            let help = "is the tree complete? Unpack it again";
            Diagnostic::error("no-file", message).file(&self.root.join(path)).help(help).into()
        })
    }

    /// The file that is shipped for the one at a path relative to the root, if that is not there
    /// itself.
    pub fn shipped(&self, path: &str) -> Option<String> {
        let name = format!("{path}{SHIPPED}");
        let there = |path: &str| self.root.join(path).symlink_metadata().is_ok();
        (!there(path) && there(&name)).then_some(name)
    }

    fn fetch(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        let failed = |error: io::Error| Failure::io("read", path, &error);
        // Without following the last link, which is looked at only if there is one.
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if absent(&error) => return self.fetch_shipped(path),
            Err(error) => return Err(failed(error)),
        };
        let folder = path.parent().unwrap_or(path);
        if !self.is_inside(folder, path)? {
            return Err(outside(path));
        }
        let metadata = if metadata.is_symlink() {
            let real = match fs::canonicalize(path) {
                Err(error) if absent(&error) => return Ok(None),
                real => real.map_err(failed)?,
            };
            if !real.starts_with(&self.root) {
                return Err(outside(path));
            }
            fs::metadata(path).map_err(failed)?
        } else {
            metadata
        };
        if !metadata.is_file() {
            return Ok(None);
        }
        if metadata.len() > MAX_FILE {
            let message = format!("is {} bytes long, which no source is", metadata.len());
            return Err(Diagnostic::error("too-large", message).file(path).into());
        }
        input::read(path, MAX_FILE).map(Some).map_err(failed)
    }

    /// The bytes of `<path>_shipped`, if there is such a file.
    fn fetch_shipped(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        let shipped = match path.as_os_str().to_str() {
            Some(text) if !text.ends_with(SHIPPED) => PathBuf::from(format!("{text}{SHIPPED}")),
            _ => return Ok(None),
        };
        match shipped.symlink_metadata() {
            Ok(_) => self.fetch(&shipped),
            Err(_) => Ok(None),
        }
    }

    /// Whether a folder lies below the root with all links followed.
    fn is_inside(&self, folder: &Path, of: &Path) -> Result<bool, Failure> {
        if let Some(known) = self.inside.borrow().get(folder) {
            return Ok(*known);
        }
        let real = fs::canonicalize(folder).map_err(|error| Failure::io("read", of, &error))?;
        let inside = real.starts_with(&self.root);
        self.inside.borrow_mut().insert(folder.into(), inside);
        Ok(inside)
    }

    /// A path below the root as one relative to it, without `.` and `..`; nothing for others.
    pub fn relative(&self, path: &Path) -> Option<String> {
        let path = normal(path)?;
        let relative = path.strip_prefix(&self.root).ok()?;
        relative.to_str().map(str::to_owned)
    }
}

impl FileSource for TreeFiles {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        // What lies elsewhere – headers of the compiler – is for another layer.
        if !path.starts_with(&self.root) {
            return Ok(None);
        }
        self.fetch(path)
    }
}

/// An absolute path without `.` and `..`, by its letters alone.
pub fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    Some(out)
}

fn absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput
    )
}

fn outside(path: &Path) -> Failure {
    let message = "a symbolic link leads out of the Linux tree here; nothing is taken from there";
    let help = "replace the link by what it points to, or take a tree without it";
    Diagnostic::error("outside", message).file(path).help(help).into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_inside_are_followed_and_links_outside_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("tree");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(dir.path().join("secret"), "s").unwrap();
        fs::write(root.join("a/x"), "x").unwrap();
        symlink("a/x", root.join("y")).unwrap();
        symlink("../../secret", root.join("a/z")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let files = TreeFiles::new(&root);
        assert_eq!(files.get("a/x").unwrap().as_deref(), Some(&b"x"[..]));
        assert_eq!(files.get("y").unwrap().as_deref(), Some(&b"x"[..]));
        assert_eq!(files.get("none").unwrap(), None);
        assert_eq!(files.get("a").unwrap(), None);
        for path in ["a/z", "up/secret", "a/../../secret"] {
            let message = files.get(path).unwrap_err().to_string();
            assert!(message.contains("leads out of the Linux tree"), "{message}");
        }
        assert!(files.get("loop").is_err());
    }

    #[test]
    fn shipped_files_stand_for_generated_ones_that_are_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("tree");
        fs::create_dir_all(&root).unwrap();
        for (name, text) in [("a.h_shipped", "a"), ("b.h_shipped", "old"), ("b.h", "new")] {
            fs::write(root.join(name), text).unwrap();
        }
        fs::write(dir.path().join("secret"), "s").unwrap();
        symlink("../secret", root.join("c.h_shipped")).unwrap();
        let files = TreeFiles::new(&root);
        assert_eq!(files.get("a.h").unwrap().as_deref(), Some(&b"a"[..]));
        assert_eq!(files.shipped("a.h").as_deref(), Some("a.h_shipped"));
        assert_eq!(files.get("b.h").unwrap().as_deref(), Some(&b"new"[..]));
        assert_eq!(files.shipped("b.h"), None);
        assert_eq!(files.get("d.h").unwrap(), None);
        let message = files.get("c.h").unwrap_err().to_string();
        assert!(message.contains("leads out of the Linux tree"), "{message}");
    }
}
