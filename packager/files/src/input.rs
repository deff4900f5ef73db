//! Reading files that others made or named.
//!
//! A name can lead to a pipe that nobody writes to, to a device that never ends, or to a file of any
//! size. So a file is looked at before it is opened, opened without waiting, looked at again, and
//! read up to a bound.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Bytes of a text that people write: a manifest, a list, a configuration, a unit.
pub const TEXT: u64 = 4 << 20;

/// Bytes of a source file, of a generated header, or of an answer that was kept.
pub const SOURCE: u64 = 64 << 20;

/// Bytes of a program, an object, or another file that is handed on as it is.
pub const PROGRAM: u64 = 512 << 20;

/// Opens a regular file for reading. Symbolic links are followed; whoever must not leave a folder
/// checks that before.
///
/// # Errors
///
/// As [`File::open`], and for everything that is no regular file. Never waits for another process.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a device can do something, so that is not the way to find out.
    is_regular(&fs::metadata(path)?)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    is_regular(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of a regular file.
///
/// # Errors
///
/// As [`open`], and [`io::ErrorKind::FileTooLarge`] for a file with more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > limit {
        return Err(too_large(limit));
    }
    // One more, so that the end shows without another allocation.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
    // What is written to meanwhile can be longer than it was.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

/// The text of a regular file.
///
/// # Errors
///
/// As [`read`], and [`io::ErrorKind::InvalidData`] for one that is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn is_regular(metadata: &Metadata) -> io::Result<()> {
    match what(metadata.file_type()) {
        None => Ok(()),
        Some("a folder") => Err(rustix::io::Errno::ISDIR.into()),
        Some(what) => Err(io::Error::other(format!("it is {what}, not a regular file"))),
    }
}

/// What something is that is no regular file.
fn what(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

fn too_large(limit: u64) -> io::Error {
    let message = format!("it is larger than the {limit} bytes that such a file may have");
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType};

    use super::*;

    #[test]
    fn a_regular_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        fs::write(&file, "four").unwrap();
        assert_eq!(read(&file, 4).unwrap(), b"four");
        assert_eq!(read_text(&file, 4).unwrap(), "four");
        let error = read(&file, 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("larger than the 3 bytes"), "{error}");
        fs::write(&file, b"\xff").unwrap();
        assert_eq!(read_text(&file, 4).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        rustix::fs::mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("pipe", path("link")).unwrap();
        for (path, wanted) in [
            (path("pipe"), "it is a pipe"),
            (path("link"), "it is a pipe"),
            (path("socket"), "it is a socket"),
            ("/dev/zero".into(), "it is a device"),
            (folder.path().into(), "directory"),
            (path("none"), "No such file"),
        ] {
            let text = read(&path, TEXT).unwrap_err().to_string();
            assert!(text.contains(wanted), "{}: {text}", path.display());
        }
    }

    #[test]
    fn a_file_that_says_it_is_empty_and_is_not_ends_at_the_bound() {
        // Files of the kernel have no size before they are read.
        let maps = Path::new("/proc/self/maps");
        if !maps.exists() {
            return;
        }
        assert_eq!(fs::metadata(maps).unwrap().len(), 0);
        assert_eq!(read(maps, 10).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
