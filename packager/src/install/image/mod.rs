//! Images of file systems, changed by the tools of those.
//!
//! All work is done on a copy beside the result. The file system is checked before and after; only
//! then the copy takes the place of the image.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::Medium;
use crate::diag::{Diagnostic, Failure};

mod ext;
mod fat;
mod tool;

/// What an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ext,
    Fat,
}

/// Opens an image; `output` is where the changed one goes.
pub(super) fn open(file: &Path, output: Option<&Path>) -> Result<Box<dyn Medium>, Failure> {
    let format = format(file)?;
    let output = output.unwrap_or(file);
    let copy = Copy::of(file, output)?;
    Ok(match format {
        Format::Ext => Box::new(ext::Ext::open(copy)?),
        Format::Fat => Box::new(fat::Fat::open(copy)?),
    })
}

/// Tells the format by what stands at the start.
fn format(path: &Path) -> Result<Format, Failure> {
    let io = |error: io::Error| Failure::io("read", path, &error);
    let mut file = fs::File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        let message = "is no file; a device or a mounted file system is not written to";
        return Err(Diagnostic::error("install-image", message).file(path).into());
    }
    let mut start = Vec::new();
    file.by_ref().take(2048).read_to_end(&mut start).map_err(io)?;
    let at = |offset: usize, wanted: &[u8]| {
        start.get(offset..offset + wanted.len()).is_some_and(|found| found == wanted)
    };
    let error = |message: &str, help: &str| {
        Err(Diagnostic::error("install-image", message).file(path).offset(0).help(help).into())
    };
    if at(1080, &[0x53, 0xef]) {
        return Ok(Format::Ext);
    }
    let boot_sector = at(510, &[0x55, 0xaa]);
    let fat_jump = start.first().is_some_and(|byte| [0xeb, 0xe9].contains(byte));
    if boot_sector && fat_jump && (at(54, b"FAT") || at(82, b"FAT32")) {
        return Ok(Format::Fat);
    }
    if at(512, b"EFI PART") || boot_sector {
        let help = "copy the partition out (dd), install into it, and copy it back";
        return error("a disk with partitions, not a file system", help);
    }
    if at(0, b"\x7fELF") || is_boot_image(&mut file).map_err(io)? {
        let help = "packager inject adds a driver to it, with what starts the driver";
        return error("a boot image of L4Re, not a file system", help);
    }
    error("neither ext2, ext3, ext4 nor FAT", "make one with mke2fs or mkfs.fat")
}

/// Whether the mark of L4Re's bootstrap stands somewhere in the first part of the file.
fn is_boot_image(file: &mut fs::File) -> io::Result<bool> {
    const MARK: &[u8] = b"<< L4Re Bootstrap Image Info >>";
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(4 << 20).read_to_end(&mut start)?;
    Ok(start.windows(MARK.len()).any(|window| window == MARK))
}

/// The copy that is worked on; it goes when it is dropped, unless it takes its place.
struct Copy {
    path: TempPath,
    output: PathBuf,
}

impl Copy {
    fn of(file: &Path, output: &Path) -> Result<Self, Failure> {
        let io = |error: io::Error| Failure::io("copy to", output, &error);
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let name = output.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let prefix = format!(".{name}.");
        let draft = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder).map_err(io)?;
        let path = draft.into_temp_path();
        // Copies holes as holes and shares blocks where the file system can; keeps the mode.
        fs::copy(file, &path).map_err(io)?;
        Ok(Self { path, output: output.into() })
    }

    /// A folder for what tools exchange with us, beside nothing that matters.
    fn scratch() -> Result<tempfile::TempDir, Failure> {
        let folder = std::env::temp_dir();
        tempfile::tempdir().map_err(|error| Failure::io("make a folder in", &folder, &error))
    }

    fn persist(self) -> Result<PathBuf, Failure> {
        let io = |error: io::Error| Failure::io("write", &self.output, &error);
        fs::File::open(&self.path).and_then(|file| file.sync_all()).map_err(io)?;
        self.path.persist(&self.output).map_err(|error| io(error.error))?;
        Ok(self.output)
    }
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
