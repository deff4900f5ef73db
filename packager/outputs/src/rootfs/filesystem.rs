//! A root file system as data: what is in it, with owner, mode and time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Component, Path};
use std::time::{Duration, SystemTime};

use l4re_packager_base::{Diagnostic, Failure};

/// Folders that are links into `usr`.
const MERGED: [&str; 6] = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

/// Most bytes of one file, and of all.
const MAX_FILE: u64 = 1 << 30;
const MAX_ALL: u64 = 4 << 30;

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
            new.folder(&format!("usr/{name}"), 0o755);
            new.link(name, &format!("usr/{name}"));
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
        self.nodes.insert(path, node);
        Ok(())
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
    pub fn file(&mut self, path: &str, bytes: Vec<u8>, mode: u32) {
        self.bytes += bytes.len() as u64;
        self.add(path, Kind::File(bytes), mode);
    }

    /// Adds a link that belongs to root.
    pub fn link(&mut self, path: &str, to: &str) {
        self.add(path, Kind::Link(to.into()), 0o777);
    }

    /// Adds a folder that belongs to root.
    pub fn folder(&mut self, path: &str, mode: u32) {
        self.add(path, Kind::Folder, mode);
    }

    fn add(&mut self, path: &str, kind: Kind, mode: u32) {
        let node = Node { kind, mode, user: 0, group: 0, time: self.time };
        let path = merged(path);
        self.parents(&path);
        self.nodes.insert(path, node);
    }

    fn parents(&mut self, path: &str) {
        let ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
        for end in ends {
            let parent = path.get(..end).unwrap_or_default().to_owned();
            let time = self.time;
            self.nodes.entry(parent).or_insert(Node {
                kind: Kind::Folder,
                mode: 0o755,
                user: 0,
                group: 0,
                time,
            });
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
        let mut archive = tar::Archive::new(archive);
        for entry in archive.entries().map_err(broken)? {
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
                if matches!(self.nodes.get(&path), Some(node) if node.kind != Kind::Folder) {
                    return Err(in_the_way(&path));
                }
                Kind::Folder
            } else if kind.is_file() {
                let size = entry.size();
                self.bytes = self.bytes.saturating_add(size);
                if size > MAX_FILE || self.bytes > MAX_ALL {
                    return Err(Diagnostic::error("archive", format!("{path} is too large")));
                }
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
            self.check_parents(&path)?;
            self.parents(&path);
            self.time = self.time.max(time);
            self.nodes.insert(path, Node { kind, mode, user, group, time });
        }
        Ok(())
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

    fn check_parents(&self, path: &str) -> Result<(), Diagnostic> {
        for (end, _) in path.match_indices('/') {
            let parent = path.get(..end).unwrap_or_default();
            if self.nodes.get(parent).is_some_and(|node| node.kind != Kind::Folder) {
                return Err(in_the_way(parent));
            }
        }
        Ok(())
    }

    /// Writes everything into a folder that is not there yet. Owners are set if that is allowed.
    ///
    /// # Errors
    ///
    /// [`Failure`] if something cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let root = rustix::process::geteuid().is_root();
        fs::create_dir_all(folder).map_err(|error| Failure::io("write", folder, &error))?;
        for (path, node) in &self.nodes {
            let place = folder.join(path);
            write_node(&place, node, root).map_err(|error| Failure::io("write", &place, &error))?;
        }
        Ok(())
    }
}

fn write_node(place: &Path, node: &Node, root: bool) -> io::Result<()> {
    match &node.kind {
        Kind::Folder => fs::DirBuilder::new().mode(0o755).create(place)?,
        Kind::Link(to) => return symlink(to, place),
        Kind::File(bytes) => {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(place)?;
            io::Write::write_all(&mut file, bytes)?;
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(node.time))?;
        }
    }
    // Changing the owner takes away the bits that run a program as its owner, so it comes first.
    if root {
        chown(place, Some(node.user), Some(node.group))?;
    }
    fs::set_permissions(place, fs::Permissions::from_mode(node.mode))
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
        system.write(&root).unwrap();
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

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in Just(archive(&[("a/b", FILE, "x"), ("c", LINK, "d")])),
                          at in 0_usize..1536, value: u8) {
            bytes[at] = value;
            let _ = Filesystem::default().unpack(&bytes[..]);
        }
    }
}
