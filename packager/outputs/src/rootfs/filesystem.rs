//! A root file system as data: what is in it, with owner, mode and time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::{Component, Path};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use l4re_packager_base::{Diagnostic, Failure};

/// Folders that are links into `usr`.
const MERGED: [&str; 6] = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

/// Most bytes of one file, and of all.
const MAX_FILE: u64 = 512 << 20;
const MAX_ALL: u64 = 2 << 30;

/// Most files, folders and links.
const MAX_NODES: usize = 1_000_000;

/// Most bytes of an archive before one entry's content: header, long names, extended records.
const MAX_RECORDS: u64 = 1 << 20;

/// A file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permissions.
    pub mode: u32,
    /// Owner.
    pub user: u32,
    /// Group.
    pub group: u32,
    /// Seconds since 1970.
    pub time: u64,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file with its bytes.
    File(Vec<u8>),
    /// A symbolic link with what it says.
    Link(String),
}

/// A root file system. Paths have no slash at their beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    nodes: BTreeMap<String, Node>,
    /// Time of what is not from a package: that of the newest package.
    time: u64,
    bytes: u64,
}

impl Default for Filesystem {
    /// A file system with the links into `usr`, as distributions have it today.
    fn default() -> Self {
        let mut new = Self::empty();
        for name in MERGED {
            let place = format!("usr/{name}");
            new.parents(&place);
            let link = Kind::Link(place.clone());
            new.nodes.insert(place, Node::of_root(Kind::Folder, 0o755, 0));
            new.nodes.insert(name.into(), Node::of_root(link, 0o777, 0));
        }
        new
    }
}

impl Filesystem {
    /// Nothing at all.
    pub(super) fn empty() -> Self {
        Self { nodes: BTreeMap::new(), time: 0, bytes: 0 }
    }

    /// Puts something at a path of its own, as it is.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if all files together get larger than any real file system's.
    pub(super) fn insert(&mut self, path: String, node: Node) -> Result<(), Diagnostic> {
        if let Kind::File(bytes) = &node.kind {
            self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        }
        if self.bytes > MAX_ALL {
            return Err(Diagnostic::error("archive", format!("with {path} it is too large")));
        }
        self.time = self.time.max(node.time);
        self.put(path, node)
    }

    /// What is in it, sorted by path: a folder comes before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// What is at a path.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(&merged(path))
    }

    /// The bytes of the file at a path.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        match &self.get(path)?.kind {
            Kind::File(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.bytes
    }

    /// Time of the newest package.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Adds a file that belongs to root.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if a package has a folder in its place, or something else in that of a folder
    /// above it.
    pub fn file(&mut self, path: &str, bytes: Vec<u8>, mode: u32) -> Result<(), Diagnostic> {
        self.bytes += bytes.len() as u64;
        self.put(merged(path), Node::of_root(Kind::File(bytes), mode, self.time))
    }

    /// Adds a link that belongs to root.
    ///
    /// # Errors
    ///
    /// As [`Filesystem::file`].
    pub fn link(&mut self, path: &str, to: &str) -> Result<(), Diagnostic> {
        self.put(merged(path), Node::of_root(Kind::Link(to.into()), 0o777, self.time))
    }

    /// Adds a folder that belongs to root.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if a package has something else in its place.
    pub fn folder(&mut self, path: &str, mode: u32) -> Result<(), Diagnostic> {
        self.put(merged(path), Node::of_root(Kind::Folder, mode, self.time))
    }

    /// Puts something in its place. A folder and something else never take each other's: what is in
    /// the folder would be reached through a link, which can lead anywhere.
    fn put(&mut self, path: String, node: Node) -> Result<(), Diagnostic> {
        let folder = |node: &Node| node.kind == Kind::Folder;
        if self.nodes.get(&path).is_some_and(|there| folder(there) != folder(&node)) {
            return Err(in_the_way(&path));
        }
        for (end, _) in path.match_indices('/') {
            let parent = path.get(..end).unwrap_or_default();
            if self.nodes.get(parent).is_some_and(|there| !folder(there)) {
                return Err(in_the_way(parent));
            }
        }
        self.parents(&path);
        self.nodes.insert(path, node);
        if self.nodes.len() > MAX_NODES {
            return Err(Diagnostic::error("archive", format!("more than {MAX_NODES} files")));
        }
        Ok(())
    }

    fn parents(&mut self, path: &str) {
        for (end, _) in path.match_indices('/') {
            let parent = path.get(..end).unwrap_or_default();
            if !self.nodes.contains_key(parent) {
                let node = Node::of_root(Kind::Folder, 0o755, self.time);
                self.nodes.insert(parent.to_owned(), node);
            }
        }
    }

    /// Adds what a package's archive holds.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if the archive is broken, has a path that leaves it or goes through a link or
    /// a file, or is larger than any real one.
    pub fn unpack(&mut self, archive: impl Read) -> Result<(), Diagnostic> {
        let broken = |error: io::Error| Diagnostic::error("archive", format!("broken: {error}"));
        let left = Rc::new(Cell::new(0));
        let mut archive = tar::Archive::new(Bounded { inner: archive, left: Rc::clone(&left) });
        left.set(MAX_RECORDS);
        let mut entries = archive.entries().map_err(broken)?;
        loop {
            left.set(MAX_RECORDS);
            let Some(entry) = entries.next() else { return Ok(()) };
            let mut entry = entry.map_err(broken)?;
            let Some(path) = inside(&entry.path().map_err(broken)?)? else { continue };
            let header = entry.header();
            let mode = header.mode().map_err(broken)? & 0o7777;
            let user = u32::try_from(header.uid().map_err(broken)?).unwrap_or(0);
            let group = u32::try_from(header.gid().map_err(broken)?).unwrap_or(0);
            let time = header.mtime().map_err(broken)?;
            let kind = header.entry_type();
            let target = entry.link_name().map_err(broken)?;
            let target = target.map(|target| target.to_string_lossy().into_owned());
            let path = merged(&path);
            let kind = if kind.is_dir() {
                if MERGED.contains(&path.as_str()) {
                    continue;
                }
                Kind::Folder
            } else if kind.is_file() {
                let size = entry.size();
                self.bytes = self.bytes.saturating_add(size);
                if size > MAX_FILE || self.bytes > MAX_ALL {
                    return Err(Diagnostic::error("archive", format!("{path} is too large")));
                }
                left.set(size);
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(broken)?;
                Kind::File(bytes)
            } else if kind.is_symlink() {
                Kind::Link(target.unwrap_or_default())
            } else if kind.is_hard_link() {
                self.hard_link(&path, target.unwrap_or_default())?
            } else {
                // Devices are made when the system runs.
                continue;
            };
            self.time = self.time.max(time);
            self.put(path, Node { kind, mode, user, group, time })?;
        }
    }

    /// A second name of a file becomes a second file.
    fn hard_link(&mut self, path: &str, target: String) -> Result<Kind, Diagnostic> {
        let target = inside(Path::new(&target))?.unwrap_or_default();
        match self.get(&target).map(|node| node.kind.clone()) {
            Some(Kind::File(bytes)) => {
                self.bytes = self.bytes.saturating_add(bytes.len() as u64);
                if self.bytes > MAX_ALL {
                    return Err(Diagnostic::error("archive", format!("{path} is too large")));
                }
                Ok(Kind::File(bytes))
            }
            _ => {
                let message = format!("{path} is another name of {target}, which is no file");
                Err(Diagnostic::error("archive", message))
            }
        }
    }

    /// Writes everything into an empty folder. Owners are set if that is allowed.
    ///
    /// Each name is opened below the folder, so nothing lands outside of it, whatever names and
    /// links say.
    ///
    /// # Errors
    ///
    /// [`Failure`] if something cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let owners = rustix::process::geteuid().is_root();
        let root = Dir::open_ambient_dir(folder, ambient_authority())
            .map_err(|error| Failure::io("write", folder, &error))?;
        for (path, node) in &self.nodes {
            write_node(&root, path, node, owners)
                .map_err(|error| Failure::io("write", &folder.join(path), &error))?;
        }
        Ok(())
    }
}

impl Node {
    fn of_root(kind: Kind, mode: u32, time: u64) -> Self {
        Self { kind, mode, user: 0, group: 0, time }
    }
}

/// An archive of which only a certain number of bytes is read until more are granted.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(io::Error::other("names and records before a file are too long"));
        }
        let read = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left.set(left.saturating_sub(read as u64));
        Ok(read)
    }
}

/// Makes a file, folder or link that is not there yet.
fn write_node(root: &Dir, path: &str, node: &Node, owners: bool) -> io::Result<()> {
    let made = match &node.kind {
        Kind::Link(to) => return root.symlink_contents(to, path),
        Kind::Folder => {
            root.create_dir_with(path, DirBuilder::new().mode(0o755))?;
            // Not `open_dir`: what that gives cannot change the folder.
            root.open(path)?.into_std()
        }
        Kind::File(bytes) => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            let mut file = root.open_with(path, &options)?.into_std();
            io::Write::write_all(&mut file, bytes)?;
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(node.time))?;
            file
        }
    };
    // Changing the owner takes away the bits that run a program as its owner, so it comes first.
    if owners {
        fchown(&made, Some(node.user), Some(node.group))?;
    }
    made.set_permissions(fs::Permissions::from_mode(node.mode))
}

/// The path without a slash or dot at its beginning; nothing for the root itself.
fn inside(path: &Path) -> Result<Option<String>, Diagnostic> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => match part.to_str() {
                Some(part) if !part.contains(['\n', '"']) => parts.push(part),
                _ => return Err(Diagnostic::error("archive", "a name that is no plain text")),
            },
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                let message = format!("{} leads out of the archive", path.display());
                return Err(Diagnostic::error("archive", message));
            }
        }
    }
    Ok((!parts.is_empty()).then(|| parts.join("/")))
}

/// The path with `bin` and so on where they are.
fn merged(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    if MERGED.contains(&first) && path.len() > first.len() {
        format!("usr/{path}")
    } else {
        path.into()
    }
}

fn in_the_way(path: &str) -> Diagnostic {
    Diagnostic::error("archive", format!("{path} is a folder here and something else there"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn archive(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            // Written by hand: the builder refuses what a hostile archive has.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o4755);
            header.set_uid(3);
            header.set_gid(4);
            header.set_mtime(1000);
            let link = kind.is_symlink() || kind.is_hard_link();
            if link {
                header.set_link_name_literal(content).unwrap();
            }
            let bytes = if link { &[][..] } else { content.as_bytes() };
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            builder.append(&header, bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    const FILE: tar::EntryType = tar::EntryType::Regular;
    const DIR: tar::EntryType = tar::EntryType::Directory;
    const LINK: tar::EntryType = tar::EntryType::Symlink;
    const HARD: tar::EntryType = tar::EntryType::Link;

    #[test]
    fn what_a_package_has_below_lib_lands_in_usr() {
        let mut system = Filesystem::default();
        let bytes = archive(&[
            ("./", DIR, ""),
            ("./lib/", DIR, ""),
            ("./lib/x/a", FILE, "A"),
            ("./bin/b", HARD, "./lib/x/a"),
            ("./sbin/init", LINK, "/lib/systemd/systemd"),
        ]);
        system.unpack(&bytes[..]).unwrap();
        assert_eq!(system.get("lib").unwrap().kind, Kind::Link("usr/lib".into()));
        assert_eq!(system.bytes("lib/x/a").unwrap(), b"A");
        assert_eq!(system.bytes("usr/bin/b").unwrap(), b"A");
        let node = system.get("usr/lib/x/a").unwrap();
        assert_eq!((node.mode, node.user, node.group, node.time), (0o4755, 3, 4, 1000));
        assert_eq!(system.time(), 1000);
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        system.folder("tmp", 0o1777).unwrap();
        system.write(&root).unwrap();
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode();
        assert_eq!(mode("tmp") & 0o7777, 0o1777);
        assert_eq!(fs::read(root.join("bin/b")).unwrap(), b"A");
        assert_eq!(
            fs::metadata(root.join("lib/x/a")).unwrap().permissions().mode() & 0o7777,
            0o4755
        );
    }

    #[test]
    fn what_leads_out_or_through_something_else_is_refused() {
        for (bytes, wanted) in [
            (archive(&[("../x", FILE, "")]), "../x leads out of the archive"),
            (archive(&[("a/../../x", FILE, "")]), "leads out of the archive"),
            (archive(&[("a", LINK, "/etc"), ("a/x", FILE, "")]), "a is a folder here"),
            (archive(&[("a", FILE, ""), ("a/x", FILE, "")]), "a is a folder here"),
            (archive(&[("a", LINK, "/etc"), ("a/", DIR, "")]), "a is a folder here"),
            (archive(&[("a", HARD, "../../etc/shadow")]), "leads out of the archive"),
            (archive(&[("a", HARD, "missing")]), "another name of missing"),
            (archive(&[("a\"b", FILE, "")]), "no plain text"),
            // A link takes the place of a folder with content, which would then be elsewhere.
            (archive(&[("d/", DIR, ""), ("d/x", FILE, ""), ("d", LINK, "/etc")]), "d is a folder"),
            (archive(&[("d/x", FILE, ""), ("d", HARD, "d/x")]), "d is a folder"),
            (archive(&[("d/", DIR, ""), ("d", FILE, "")]), "d is a folder"),
            (archive(&[("bin/x", FILE, ""), ("usr/bin", LINK, "/etc")]), "usr/bin is a folder"),
            (archive(&[("usr", LINK, "/etc")]), "usr is a folder"),
            (archive(&[("long", tar::EntryType::GNULongName, &"a".repeat(2 << 20))]), "too long"),
            (archive(&[("abc", FILE, "x")])[..600].to_vec(), "broken"),
        ] {
            let message = Filesystem::default().unpack(&bytes[..]).unwrap_err().to_string();
            assert!(message.contains(wanted), "{message}");
        }
    }

    #[test]
    fn an_absolute_path_stays_inside() {
        let mut system = Filesystem::default();
        system.unpack(&archive(&[("/etc/x", FILE, "1")])[..]).unwrap();
        assert_eq!(system.bytes("etc/x").unwrap(), b"1");
    }

    #[test]
    fn what_is_added_does_not_go_through_a_link_of_a_package() {
        let mut system = Filesystem::default();
        system.unpack(&archive(&[("etc", LINK, "/tmp"), ("opt/x/", DIR, "")])[..]).unwrap();
        let message = system.file("etc/passwd", Vec::new(), 0o644).unwrap_err().to_string();
        assert!(message.contains("etc is a folder here"), "{message}");
        assert!(system.link("etc/wants/x", "x").is_err());
        assert!(system.folder("etc", 0o755).is_err());
        assert!(system.file("opt", Vec::new(), 0o644).is_err());
    }

    #[test]
    fn devices_pipes_and_later_members_of_one_name() {
        use tar::EntryType::{Block, Char, Fifo};
        let mut system = Filesystem::default();
        let bytes =
            archive(&[("c", Char, ""), ("b", Block, ""), ("f", Fifo, ""), ("x", FILE, "1")]);
        system.unpack(&bytes[..]).unwrap();
        system.unpack(&archive(&[("x", LINK, "/etc/shadow"), ("x", FILE, "2")])[..]).unwrap();
        assert_eq!(system.bytes("x").unwrap(), b"2");
        assert!(["b", "c", "f"].iter().all(|path| system.get(path).is_none()));
    }

    /// The wall behind the model: names that no archive can bring in any more.
    #[test]
    fn nothing_is_written_outside_of_the_folder_whatever_is_in_the_model() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let file = || Node::of_root(Kind::File(b"x".to_vec()), 0o4755, 0);
        let link = Node::of_root(Kind::Link(outside.to_string_lossy().into_owned()), 0o777, 0);
        let absolute = outside.join("x").to_string_lossy().into_owned();
        for nodes in [
            vec![("d", link.clone()), ("d/x", file())],
            vec![("d", link.clone()), ("d/x", Node::of_root(Kind::Folder, 0o755, 0))],
            vec![("../outside/x", file())],
            vec![(absolute.as_str(), file())],
        ] {
            let root = tempfile::tempdir_in(dir.path()).unwrap();
            let nodes = nodes.into_iter().map(|(path, node)| (path.to_owned(), node));
            let system = Filesystem { nodes: nodes.collect(), time: 0, bytes: 0 };
            assert!(system.write(root.path()).is_err());
            assert_eq!(outside.read_dir().unwrap().count(), 0);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in Just(archive(&[("a/b", FILE, "x"), ("c", LINK, "d")])),
                          at in 0_usize..1536, value: u8) {
            bytes[at] = value;
            let _ = Filesystem::default().unpack(&bytes[..]);
        }
    }
}
