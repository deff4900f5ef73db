//! Images of file systems, changed by the tools of those.
//!
//! All work is done on a copy beside the result: of the image, or of the partition that is meant. The
//! file system is checked before and after; only then the changed image takes the place of the old
//! one.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use l4re_files::{Draft, ScratchFolder, input};
use l4re_image::Image;

use super::Medium;
use disk::Partition;
use fat::boot_sector::BootSector;
use l4re_packager_base::{Diagnostic, Failure};

mod disk;
mod ext;
mod fat;
mod tool;

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ext,
    Fat,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Ext => "ext2/3/4",
            Self::Fat => "FAT",
        }
    }
}

/// Opens an image, or a partition of it; `output` is where the changed one goes. `None` for a
/// bootstrap image of L4Re, which has no file system.
pub(super) fn open(
    file: &Path,
    partition: Option<u32>,
    output: Option<&Path>,
) -> Result<Option<Box<dyn Medium>>, Failure> {
    let output = output.unwrap_or(file);
    let (format, range) = match look(file)? {
        Content::System(format) => (format, None),
        Content::Disk(partitions) => {
            let (format, found) = choose(file, &partitions, partition)?;
            (format, Some(found.start..found.start + found.len))
        }
        Content::Boot => {
            return match partition {
                None => Ok(None),
                Some(_) => Err(no_partitions(file, "a boot image of L4Re")),
            };
        }
    };
    if partition.is_some() && range.is_none() {
        return Err(no_partitions(file, &format!("one {} file system", format.name())));
    }
    let copy = Copy::of(file, range, output)?;
    Ok(Some(match format {
        Format::Ext => Box::new(ext::Ext::open(copy)?),
        Format::Fat => Box::new(fat::Fat::open(copy)?),
    }))
}

fn no_partitions(file: &Path, what: &str) -> Failure {
    let message = format!("{what}, without partitions");
    Diagnostic::error("install-image", message).file(file).help("leave --partition out").into()
}

/// What an image is.
enum Content {
    System(Format),
    Disk(Vec<Partition>),
    Boot,
}

/// Tells what an image is by its content.
fn look(path: &Path) -> Result<Content, Failure> {
    let io = |error: io::Error| Failure::io("read", path, &error);
    if !fs::metadata(path).map_err(io)?.is_file() {
        let message = "is no file; a device or a mounted file system is not written to";
        return Err(Diagnostic::error("install-image", message).file(path).into());
    }
    let mut file = input::open(path).map_err(io)?;
    if let Some(format) = file_system(&mut file, 0).map_err(io)? {
        return Ok(Content::System(format));
    }
    if let Some(partitions) = disk::partitions(&mut file).map_err(|finding| finding.file(path))? {
        return Ok(Content::Disk(partitions));
    }
    let unknown = |failure: &Failure| failure.0.iter().any(|finding| finding.code == "no-image");
    match Image::open(path) {
        Err(failure) if unknown(&failure) || file.metadata().map_err(io)?.len() < 4 => {
            let message = "neither ext2, ext3, ext4 nor FAT, nor a disk with these, nor a boot image \
                           of L4Re";
            let help = "make one with mke2fs, mkfs.fat or packager image compose";
            let finding = Diagnostic::error("install-image", message).file(path).offset(0);
            Err(finding.help(help).into())
        }
        // What is wrong with a damaged one is said where it is opened to be changed.
        _ => Ok(Content::Boot),
    }
}

/// The file system at an offset, told by what stands at its start.
fn file_system(file: &mut File, offset: u64) -> io::Result<Option<Format>> {
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(2048).read_to_end(&mut start)?;
    let at = |offset: usize, wanted: &[u8]| {
        start.get(offset..offset + wanted.len()).is_some_and(|found| found == wanted)
    };
    if at(1080, &[0x53, 0xef]) {
        return Ok(Some(Format::Ext));
    }
    let sector = start.first_chunk();
    Ok(sector.and_then(BootSector::parse).map(|_| Format::Fat))
}

/// The partition of that number, or the only one with a file system that can be written to.
fn choose<'a>(
    path: &Path,
    partitions: &'a [Partition],
    wanted: Option<u32>,
) -> Result<(Format, &'a Partition), Failure> {
    let io = |error: io::Error| Failure::io("read", path, &error);
    let mut file = input::open(path).map_err(io)?;
    let (mut fitting, mut list) = (Vec::new(), Vec::new());
    for partition in partitions {
        let format = file_system(&mut file, partition.start).map_err(io)?;
        let what = format.map_or("neither ext nor FAT", Format::name);
        let label = partition.label.escape_debug();
        let label = if partition.label.is_empty() { String::new() } else { format!(" ({label})") };
        list.push(format!("{}: {what}, {} KiB{label}", partition.number, partition.len >> 10));
        if let Some(format) = format.filter(|_| wanted.is_none_or(|n| n == partition.number)) {
            fitting.push((format, partition));
        }
    }
    if let [one] = fitting.as_slice() {
        return Ok(*one);
    }
    let message = match wanted {
        Some(number) => format!("no partition {number} with ext2, ext3, ext4 or FAT"),
        None if fitting.is_empty() => "no partition with ext2, ext3, ext4 or FAT".into(),
        None => format!("{} partitions could be meant", fitting.len()),
    };
    let help = match list.as_slice() {
        [] => "the table of partitions is empty".into(),
        _ => format!("choose with --partition: {}", list.join("; ")),
    };
    Err(Diagnostic::error("partitions", message).file(path).help(help).into())
}

/// The copy that is worked on; it goes when it is dropped, unless it takes its place.
struct Copy {
    draft: Draft,
    output: PathBuf,
    /// The disk and the range that it is the copy of, if it is one of a partition.
    partition: Option<(PathBuf, Range<u64>)>,
}

impl Copy {
    fn of(file: &Path, range: Option<Range<u64>>, output: &Path) -> Result<Self, Failure> {
        let io = |error: io::Error| Failure::io("copy to", output, &error);
        let mut draft = Draft::beside(output).map_err(io)?;
        match &range {
            None => copy(file, &mut draft),
            Some(range) => take_out(file, range, draft.file()),
        }
        .map_err(io)?;
        let partition = range.map(|range| (file.to_owned(), range));
        Ok(Self { draft, output: output.into(), partition })
    }

    /// A folder for what tools exchange with us, beside nothing that matters.
    fn scratch() -> Result<ScratchFolder, Failure> {
        let folder = std::env::temp_dir();
        ScratchFolder::new().map_err(|error| Failure::io("make a folder in", &folder, &error))
    }

    fn persist(self) -> Result<PathBuf, Failure> {
        let io = |error: io::Error| Failure::io("write", &self.output, &error);
        let draft = match &self.partition {
            None => self.draft,
            Some((disk, range)) => {
                let mut whole = Draft::beside(&self.output).map_err(io)?;
                copy(disk, &mut whole).map_err(io)?;
                put_back(self.draft.path(), range, whole.file()).map_err(io)?;
                whole
            }
        };
        draft.persist(&self.output).map_err(io)?;
        Ok(self.output)
    }
}

/// Copies a file with its access rights. Shares blocks where the file system can.
fn copy(from: &Path, to: &mut Draft) -> io::Result<()> {
    let mut from = input::open(from)?;
    let mode = from.metadata()?.permissions().mode();
    io::copy(&mut from, to.file())?;
    to.set_mode(mode & 0o7777)
}

/// Copies a partition into a file of its own.
fn take_out(disk: &Path, range: &Range<u64>, to: &mut File) -> io::Result<()> {
    let mut disk = input::open(disk)?;
    disk.seek(SeekFrom::Start(range.start))?;
    let mut part = disk.take(range.end - range.start);
    let copied = io::copy(&mut part, to)?;
    if copied == range.end - range.start {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Copies a partition back. The tools must have left it as long as it was.
fn put_back(part: &Path, range: &Range<u64>, disk: &mut File) -> io::Result<()> {
    let mut part = input::open(part)?;
    if part.metadata()?.len() != range.end - range.start {
        return Err(io::Error::other("the partition has another length than before"));
    }
    disk.seek(SeekFrom::Start(range.start))?;
    io::copy(&mut part, disk)?;
    Ok(())
}

/// Every folder above a file, from the top.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').skip(1).filter_map(|(end, _)| path.get(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_from_the_top() {
        assert_eq!(folders_above("/a/b/c").collect::<Vec<_>>(), ["/a", "/a/b"]);
        assert_eq!(folders_above("/c").count(), 0);
    }
}
