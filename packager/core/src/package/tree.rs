//! A tree of files that appears on disk completely or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use l4re_files::{DraftFolder, input};

use crate::manifest;
use l4re_packager_base::{Diagnostic, Failure};

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it is a program.
    pub executable: bool,
}

/// Files by their path below some folder, with `/` between the parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, Entry>,
    /// Symbolic links and what they say.
    links: BTreeMap<String, String>,
}

impl Tree {
    /// Adds a text.
    pub fn text(&mut self, path: &str, text: impl Into<String>) {
        self.files
            .insert(path.into(), Entry { bytes: text.into().into_bytes(), executable: false });
    }

    /// Adds a file of any content.
    pub fn file(&mut self, path: &str, bytes: Vec<u8>) {
        self.files.insert(path.into(), Entry { bytes, executable: false });
    }

    /// Adds a program.
    pub fn program(&mut self, path: &str, bytes: Vec<u8>) {
        self.files.insert(path.into(), Entry { bytes, executable: true });
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, to: impl Into<String>) {
        self.links.insert(path.into(), to.into());
    }

    /// The links with what they say, sorted by path.
    pub fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        self.links.iter().map(|(path, to)| (path.as_str(), to.as_str()))
    }

    /// The files, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.files.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The file of that path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.files.get(path)
    }

    /// Makes `folder` exactly this tree, replacing a package that is there.
    ///
    /// All files are first written beside it; then the two folders change places in one step. A
    /// reader sees the old or the new package, never a mixture, whatever happens on the way.
    ///
    /// # Errors
    ///
    /// [`Failure`] if something cannot be written, or if `folder` is there and is no package of
    /// this tool: a slip in `--out` must not delete anything.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        self.write_over(folder, &[manifest::FILE, "Control"])
    }

    /// The same for a tree that is not a package: what is replaced must have the files `marks`.
    ///
    /// # Errors
    ///
    /// As [`Tree::write`].
    pub fn write_over(&self, folder: &Path, marks: &[&str]) -> Result<(), Failure> {
        let io = |error: io::Error| Failure::io("write", folder, &error);
        must_be_ours(folder, marks)?;
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(io)?;
        }
        let draft = DraftFolder::beside(folder).map_err(io)?;
        self.write_files(draft.path()).map_err(io)?;
        draft.persist(folder).map_err(io)
    }

    /// Writes everything into an empty folder. Whatever the names say, nothing lands outside: each is
    /// opened below the folder, and the last part of none is followed.
    fn write_files(&self, folder: &Path) -> io::Result<()> {
        let folder = Dir::open_ambient_dir(folder, ambient_authority())?;
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o755);
        let make = |path: &str| match Path::new(path).parent() {
            Some(parent) if !parent.as_os_str().is_empty() => {
                folder.create_dir_with(parent, &builder)
            }
            _ => Ok(()),
        };
        for (path, entry) in self.iter() {
            make(path)?;
            // Fixed modes: neither the umask nor what was there before shows in a package.
            let mode = if entry.executable { 0o755 } else { 0o644 };
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(mode);
            let mut file = folder.open_with(path, &options)?.into_std();
            file.write_all(&entry.bytes)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            // Otherwise the names could survive a power cut, and the bytes not.
            file.sync_all()?;
        }
        for (path, to) in self.links() {
            make(path)?;
            folder.symlink_contents(to, path)?;
        }
        Ok(())
    }

    /// Reads a folder back: every regular file in it.
    ///
    /// # Errors
    ///
    /// [`Failure`] if something cannot be read or is neither file nor folder.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let tree = Self::read_all(folder)?;
        let Some((path, _)) = tree.links().next() else { return Ok(tree) };
        let message = "neither a file nor a folder; a package has nothing else";
        Err(Diagnostic::error("package", message).file(&folder.join(path)).into())
    }

    /// Reads a folder that may have symbolic links.
    ///
    /// # Errors
    ///
    /// [`Failure`] if something cannot be read or is neither file, folder nor link.
    pub fn read_all(folder: &Path) -> Result<Self, Failure> {
        let mut tree = Self::default();
        let mut todo = vec![(folder.to_owned(), String::new())];
        while let Some((path, prefix)) = todo.pop() {
            let failed = |error: io::Error| Failure::io("read", &path, &error);
            for item in fs::read_dir(&path).map_err(failed)? {
                let item = item.map_err(failed)?;
                let name = format!("{prefix}{}", item.file_name().to_string_lossy());
                let kind = item.file_type().map_err(failed)?;
                if kind.is_dir() {
                    todo.push((item.path(), format!("{name}/")));
                } else if kind.is_file() {
                    let bytes = input::read(&item.path(), input::PROGRAM).map_err(failed)?;
                    let mode = item.metadata().map_err(failed)?.permissions().mode();
                    tree.files.insert(name, Entry { bytes, executable: mode & 0o111 != 0 });
                } else if kind.is_symlink() {
                    let to = fs::read_link(item.path()).map_err(failed)?;
                    tree.links.insert(name, to.to_string_lossy().into_owned());
                } else {
                    let message = "neither a file nor a folder; a package has nothing else";
                    return Err(Diagnostic::error("package", message).file(&item.path()).into());
                }
            }
        }
        Ok(tree)
    }
}

fn must_be_ours(folder: &Path, marks: &[&str]) -> Result<(), Failure> {
    let missing = !folder.exists();
    let empty = || folder.read_dir().is_ok_and(|mut items| items.next().is_none());
    let ours = || marks.iter().all(|file| folder.join(file).is_file());
    if missing || ours() || empty() {
        return Ok(());
    }
    let message = "is there and is no package of this tool; it is not replaced";
    let diagnostic = Diagnostic::error("occupied", message).file(folder);
    Err(diagnostic.help("choose another folder with --out, or move this one away").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        let mut tree = Tree::default();
        tree.text(manifest::FILE, text);
        tree.text("Control", "");
        tree.program("server/prebuilt/arm64/x", vec![1, 2]);
        tree
    }

    fn names(folder: &Path) -> Vec<String> {
        let items = folder.read_dir().unwrap();
        items.map(|item| item.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_written_can_be_read_back_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("pkg/x");
        tree("old").write(&folder).unwrap();
        fs::write(folder.join("stray"), "").unwrap();
        tree("new").write(&folder).unwrap();
        assert_eq!(Tree::read(&folder).unwrap(), tree("new"));
        assert_eq!(names(&dir.path().join("pkg")), ["x"]);
    }

    #[test]
    fn links_are_written_and_read_back_but_a_package_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("x");
        let mut linked = tree("x");
        linked.link("etc/wants/a.service", "../../a.service");
        linked.write(&folder).unwrap();
        assert_eq!(Tree::read_all(&folder).unwrap(), linked);
        let message = Tree::read(&folder).unwrap_err().to_string();
        assert!(message.contains("a package has nothing else"), "{message}");
    }

    #[test]
    fn a_folder_that_is_no_package_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "").unwrap();
        let message = tree("x").write(dir.path()).unwrap_err().to_string();
        assert!(message.contains("is no package of this tool; it is not replaced"), "{message}");
        assert_eq!(names(dir.path()), ["thesis.tex"]);
    }

    #[test]
    fn a_failure_on_the_way_leaves_the_old_package() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("x");
        tree("old").write(&folder).unwrap();
        let mut bad = tree("new");
        // A file and a folder of one name cannot both be made.
        bad.text("server", "in the way");
        assert!(bad.write(&folder).is_err());
        assert_eq!(Tree::read(&folder).unwrap(), tree("old"));
        assert_eq!(names(dir.path()), ["x"]);
    }
}
