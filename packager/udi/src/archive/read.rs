//! Reading a package that anybody may have made.

use std::collections::BTreeMap;
use std::io::{self, Read};

use l4re_packager_base::Diagnostic;
use tar::{Archive, Entry, EntryType};

use super::{Component, File, Package, Place, TOP};

/// How much of an archive is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the whole archive.
    pub archive: u64,
    /// Files and folders in it.
    pub entries: usize,
}

impl Default for Limits {
    /// 256 MiB in 10,000 files: hundred times what drivers have.
    fn default() -> Self {
        Self { archive: 256 << 20, entries: 10_000 }
    }
}

/// Size of an archive's blocks.
pub(super) const BLOCK: usize = 512;

impl Package {
    /// Reads a package file.
    ///
    /// Only files and folders with plain names below [`TOP`] are taken; links, devices, sparse
    /// files, absolute paths and `..` are errors, and so is an archive that ends too early.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] with the offset of the first entry that is wrong.
    pub fn from_bytes(bytes: &[u8], limits: Limits) -> Result<Self, Diagnostic> {
        let size = bytes.len() as u64;
        if size > limits.archive {
            let message = format!("{size} bytes, at most {} are read", limits.archive);
            return Err(Diagnostic::error("udi-size", message));
        }
        is_complete(bytes)?;
        let bytes = &*super::headers::normalised(bytes)?;
        let mut archive = Archive::new(bytes);
        let broken = |error: io::Error| {
            let message = format!("not a POSIX archive, or a damaged one: {error}");
            Diagnostic::error("udi-archive", message).offset(0)
        };
        let mut components: BTreeMap<Place, Component> = BTreeMap::new();
        let mut folders = Vec::new();
        let (mut last, mut end) = (0, 0);
        for (count, entry) in archive.entries().map_err(broken)?.enumerate() {
            let entry = entry.map_err(|error| broken(error).offset(last))?;
            last = entry.raw_header_position();
            let offset = |diagnostic: Diagnostic| diagnostic.offset(last);
            if count >= limits.entries {
                let message = format!("more than {} files", limits.entries);
                return Err(offset(Diagnostic::error("udi-size", message)));
            }
            end = entry.raw_file_position().saturating_add(stored(&entry));
            match item(entry).map_err(offset)? {
                Item::Nothing => {}
                Item::Folder(path) => folders.push((path, last)),
                Item::File(place, path, file) => {
                    components.entry(place).or_default().add(&path, file).map_err(offset)?;
                }
            }
        }
        nothing_follows(bytes, end)?;
        let mut package = Self::default();
        for (place, component) in components {
            package.put(place, component)?;
        }
        for (path, at) in folders {
            if package.has_file(&path) {
                let message = format!("`{}` is a file and a folder", super::shown(&path));
                return Err(Diagnostic::error("udi-path", message).offset(at));
            }
        }
        if package.components.is_empty() {
            let message = format!("no driver below {TOP}");
            return Err(Diagnostic::error("udi-archive", message).offset(0));
        }
        Ok(package)
    }

    /// Whether there is a file of that path, from [`TOP`] on.
    fn has_file(&self, path: &str) -> bool {
        let mut parts = path.splitn(5, '/').skip(1).map(String::from);
        let mut next = || parts.next().unwrap_or_default();
        let place = Place { driver: next(), alternate: next(), component: next() };
        self.get(&place).is_some_and(|component| component.get(&next()).is_some())
    }
}

/// What an entry of the archive is.
enum Item {
    /// Nothing that a package has.
    Nothing,
    /// A folder, by its whole path.
    Folder(String),
    /// A file of a component.
    File(Place, String, File),
}

/// An archive ends with two blocks of zeros; what was cut off does not have them.
fn is_complete(bytes: &[u8]) -> Result<(), Diagnostic> {
    let end = bytes.len().checked_sub(2 * BLOCK).and_then(|start| bytes.get(start..));
    if end.is_some_and(|end| end.iter().all(|byte| *byte == 0)) && bytes.len().is_multiple_of(BLOCK)
    {
        return Ok(());
    }
    let compressed = bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(b"BZh");
    let (message, help) = if compressed {
        ("the archive is compressed", "decompress it first; a package is a plain POSIX archive")
    } else {
        ("not a POSIX archive, or one that ends too early", "get the file again")
    };
    Err(Diagnostic::error("udi-archive", message).offset(bytes.len() as u64).help(help))
}

/// How many bytes of the archive an entry's content has.
fn stored(entry: &Entry<'_, &[u8]>) -> u64 {
    // Of other kinds nothing is taken.
    entry.size().checked_next_multiple_of(BLOCK as u64).unwrap_or(u64::MAX)
}

/// Behind the last entry there are zeros only. Readers do not agree on what follows two blocks of
/// them: some files would be there for one and not for another.
fn nothing_follows(bytes: &[u8], end: u64) -> Result<(), Diagnostic> {
    let rest = usize::try_from(end).ok().and_then(|end| bytes.get(end..)).unwrap_or_default();
    let Some(at) = rest.iter().position(|byte| *byte != 0) else { return Ok(()) };
    let message = "there is something behind the end of the archive";
    Err(Diagnostic::error("udi-archive", message).offset(end.saturating_add(at as u64)))
}

fn item(mut entry: Entry<'_, &[u8]>) -> Result<Item, Diagnostic> {
    let Ok(path) = String::from_utf8(entry.path_bytes().into_owned()) else {
        return Err(error("a path that is not UTF-8".into()));
    };
    let shown = super::shown(&path);
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        if has_record(&mut entry, &["path", "linkpath", "size", "GNU.sparse."])? {
            return Err(error("a pax header that changes all files behind it".into()));
        }
        return Ok(Item::Nothing);
    }
    is_file_or_folder(kind, &shown)?;
    if has_record(&mut entry, &["GNU.sparse."])? {
        return Err(error(format!("`{shown}` is a sparse file; pack it without --sparse")));
    }
    // As `tar -C folder .` names its members.
    let inside = path.strip_prefix("./").unwrap_or(&path);
    if kind == EntryType::Directory && (inside.is_empty() || inside == ".") {
        return Ok(Item::Nothing);
    }
    let plain = inside.strip_suffix('/').unwrap_or(inside);
    if kind == EntryType::Regular && plain != inside {
        return Err(error(format!("`{shown}` is a file with the name of a folder")));
    }
    is_below_top(plain, &shown)?;
    if kind == EntryType::Directory {
        return Ok(Item::Folder(plain.into()));
    }
    let parts: Vec<&str> = plain.split('/').collect();
    let [_, driver, alternate, component, rest @ ..] = parts.as_slice() else {
        let message =
            format!("`{shown}` belongs to no component: {TOP}/driver/alternate/component");
        return Err(error(message));
    };
    let place = Place {
        driver: (*driver).into(),
        alternate: (*alternate).into(),
        component: (*component).into(),
    };
    // One writer of such packages calls this folder so, the other way round in reading.
    let mut inner = rest.join("/");
    if let Some(file) = inner.strip_prefix("rfiles/") {
        inner = format!("extra/{file}");
    }
    let file = content(&mut entry, &shown)?;
    Ok(Item::File(place, inner, file))
}

fn error(message: String) -> Diagnostic {
    Diagnostic::error("udi-path", message)
}

fn is_file_or_folder(kind: EntryType, shown: &str) -> Result<(), Diagnostic> {
    let what = match kind {
        EntryType::Regular | EntryType::Directory => return Ok(()),
        EntryType::Symlink | EntryType::Link => "a link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "no file and no folder",
    };
    Err(error(format!("`{shown}` is {what}; a package has only files and folders")))
}

fn is_below_top(path: &str, shown: &str) -> Result<(), Diagnostic> {
    if path.starts_with('/') || path.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Err(error(format!("`{shown}` leaves the folder in which the package is")));
    }
    match path.split('/').next() {
        Some(TOP) => Ok(()),
        Some(other) if other.starts_with("udi-pkg.") => {
            let message = format!("layout `{}`; only {TOP} is known", super::shown(other));
            Err(Diagnostic::error("udi-version", message))
        }
        _ => Err(error(format!("`{shown}` is not below {TOP}"))),
    }
}

/// Whether the entry's pax header has a record that begins with one of `keys`. A sparse file in the
/// way of pax looks like any other one but for these.
fn has_record(entry: &mut Entry<'_, &[u8]>, keys: &[&str]) -> Result<bool, Diagnostic> {
    let bad = |error: io::Error| Diagnostic::error("udi-archive", format!("pax header: {error}"));
    let Some(extensions) = entry.pax_extensions().map_err(bad)? else { return Ok(false) };
    for extension in extensions {
        let extension = extension.map_err(bad)?;
        if keys.iter().any(|key| extension.key_bytes().starts_with(key.as_bytes())) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn content(entry: &mut Entry<'_, &[u8]>, shown: &str) -> Result<File, Diagnostic> {
    let bad = |message: String| Diagnostic::error("udi-archive", message);
    let mode = entry.header().mode().map_err(|error| bad(format!("`{shown}`: {error}")))?;
    let size = entry.size();
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| bad(format!("`{shown}`: {error}")))?;
    if bytes.len() as u64 != size {
        return Err(bad(format!("`{shown}` has {} of {size} bytes", bytes.len())));
    }
    Ok(File { bytes, executable: mode & 0o111 != 0 })
}
