//! Reading a package that anybody may have made.

use std::collections::BTreeMap;
use std::io::{self, Read};

use l4re_diag::Diagnostic;
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
const BLOCK: usize = 512;

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
        let mut archive = Archive::new(bytes);
        let broken = |error: io::Error| {
            let message = format!("not a POSIX archive, or a damaged one: {error}");
            Diagnostic::error("udi-archive", message).offset(0)
        };
        let mut components: BTreeMap<Place, Component> = BTreeMap::new();
        let mut last = 0;
        for (count, entry) in archive.entries().map_err(broken)?.enumerate() {
            let entry = entry.map_err(|error| broken(error).offset(last))?;
            last = entry.raw_header_position();
            let offset = |diagnostic: Diagnostic| diagnostic.offset(last);
            if count >= limits.entries {
                let message = format!("more than {} files", limits.entries);
                return Err(offset(Diagnostic::error("udi-size", message)));
            }
            if let Some((place, path, file)) = item(entry).map_err(offset)? {
                components.entry(place).or_default().add(&path, file).map_err(offset)?;
            }
        }
        let mut package = Self::default();
        for (place, component) in components {
            package.put(place, component)?;
        }
        if package.0.is_empty() {
            let message = format!("no driver below {TOP}");
            return Err(Diagnostic::error("udi-archive", message).offset(0));
        }
        Ok(package)
    }
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

fn item(mut entry: Entry<'_, &[u8]>) -> Result<Option<(Place, String, File)>, Diagnostic> {
    let error = |message: String| Diagnostic::error("udi-path", message);
    let path = entry.path_bytes().into_owned();
    let Ok(path) = String::from_utf8(path) else {
        return Err(error("a path that is not UTF-8".into()));
    };
    let shown = path.escape_debug().to_string();
    let kind = entry.header().entry_type();
    if matches!(kind, EntryType::XGlobalHeader) {
        return Ok(None);
    }
    if !matches!(kind, EntryType::Regular | EntryType::Directory) {
        let what = match kind {
            EntryType::Symlink | EntryType::Link => "a link",
            EntryType::Char | EntryType::Block => "a device",
            EntryType::Fifo => "a pipe",
            EntryType::GNUSparse => "a sparse file",
            _ => "no file and no folder",
        };
        return Err(error(format!("`{shown}` is {what}; a package has only files and folders")));
    }
    let plain = path.strip_suffix('/').unwrap_or(&path);
    let parts: Vec<&str> = plain.split('/').collect();
    if plain.starts_with('/') || parts.iter().any(|part| ["", ".", ".."].contains(part)) {
        return Err(error(format!("`{shown}` leaves the folder in which the package is")));
    }
    match parts.first() {
        Some(&TOP) => {}
        Some(other) if other.starts_with("udi-pkg.") => {
            let message = format!("layout `{}`; only {TOP} is known", other.escape_debug());
            return Err(Diagnostic::error("udi-version", message));
        }
        _ => return Err(error(format!("`{shown}` is not below {TOP}"))),
    }
    if kind == EntryType::Directory {
        return Ok(None);
    }
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
    Ok(Some((place, inner, file)))
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
