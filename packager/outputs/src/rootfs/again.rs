//! The image again, out of the folder that an earlier run made and that its user changed since.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use l4re_files::input;

use super::filesystem::{Filesystem, Kind, Node};
use super::{Arch, image};
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, place_file};

/// Makes the image of each architecture's folder; folders and images.
///
/// A plain user cannot give files to others, so the owners are noted beside the folder when it is
/// made; what is not noted belongs to root, as does what root finds as its own.
///
/// # Errors
///
/// [`Failure`] if there is no such folder, if it has something else than files, folders and links, or
/// if the image cannot be made.
pub fn image_again(
    out: &Path,
    arches: &[Arch],
    size: Option<u64>,
    progress: &mut dyn Progress,
) -> Result<Vec<(PathBuf, Option<PathBuf>)>, Failure> {
    let mut made = Vec::new();
    for arch in arches {
        let root = out.join(arch.name());
        if !root.is_dir() {
            let message = "no root file system to make an image of";
            let help = "make it first: packager rootfs, or make systemd-image";
            return Err(Diagnostic::error("no-root", message).file(&root).help(help).into());
        }
        progress.step(&format!("reading {}", root.display()));
        let owners = read_owners(&owners_file(out, *arch))?;
        let system = Filesystem::read(&root, &owners)?;
        progress.step(&format!("making the image for {}", arch.name()));
        let file = out.join(format!("systemd-{}.ext4", arch.name()));
        image::make(&system, &root, &file, size)?;
        made.push((root, Some(file)));
    }
    Ok(made)
}

fn owners_file(out: &Path, arch: Arch) -> PathBuf {
    out.join(format!(".owners-{}", arch.name()))
}

/// Notes who owns what does not belong to root, one line for each: user, group, path.
pub(super) fn note_owners(out: &Path, arch: Arch, system: &Filesystem) -> Result<(), Failure> {
    let mut text = String::new();
    for (path, node) in system.iter().filter(|(_, node)| (node.user, node.group) != (0, 0)) {
        let _ = writeln!(text, "{} {} {path}", node.user, node.group);
    }
    let file = owners_file(out, arch);
    place_file(&file, text.as_bytes(), false)
}

fn read_owners(file: &Path) -> Result<BTreeMap<String, (u32, u32)>, Failure> {
    let text = match input::read_text(file, input::SOURCE) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::io("read", file, &error)),
    };
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (user, group) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((words.next()?.to_owned(), (user, group)))
    };
    Ok(text.lines().filter_map(line).collect())
}

impl Filesystem {
    /// What is in a folder, without following links.
    fn read(root: &Path, owners: &BTreeMap<String, (u32, u32)>) -> Result<Self, Failure> {
        let mut system = Self::empty();
        let mut folders = vec![(root.to_owned(), String::new())];
        let as_root = rustix::process::geteuid().is_root();
        while let Some((folder, prefix)) = folders.pop() {
            let failed = |error| Failure::io("read", &folder, &error);
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let place = entry.map_err(failed)?.path();
                let name = place.file_name().and_then(|name| name.to_str());
                let name = name.filter(|name| !name.contains(['\n', '"']));
                let Some(name) = name else {
                    return Err(odd(&place, "has a name that is no plain text"));
                };
                let path = format!("{prefix}{name}");
                let about = fs::symlink_metadata(&place)
                    .map_err(|error| Failure::io("read", &place, &error))?;
                let kind = kind(&place, &about)?;
                if kind == Kind::Folder {
                    folders.push((place.clone(), format!("{path}/")));
                }
                let own = if as_root { (about.uid(), about.gid()) } else { (0, 0) };
                let (user, group) = owners.get(&path).copied().unwrap_or(own);
                let time = u64::try_from(about.mtime()).unwrap_or(0);
                let mode = about.mode() & 0o7777;
                system
                    .insert(path, Node { kind, mode, user, group, time })
                    .map_err(|diagnostic| diagnostic.file(&place))?;
            }
        }
        Ok(system)
    }
}

fn kind(place: &Path, about: &fs::Metadata) -> Result<Kind, Failure> {
    let failed = |error| Failure::io("read", place, &error);
    if about.is_dir() {
        Ok(Kind::Folder)
    } else if about.is_symlink() {
        let to = fs::read_link(place).map_err(failed)?;
        match to.to_str() {
            Some(to) => Ok(Kind::Link(to.into())),
            None => Err(odd(place, "is a link to a name that is no plain text")),
        }
    } else if about.is_file() {
        input::read(place, input::PROGRAM).map(Kind::File).map_err(failed)
    } else {
        Err(odd(place, "is neither a file nor a folder nor a link"))
    }
}

fn odd(place: &Path, what: &str) -> Failure {
    Diagnostic::error("odd-file", what)
        .file(place)
        .help("remove it, and make the image again")
        .into()
}
