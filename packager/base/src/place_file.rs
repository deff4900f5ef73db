//! Writing of files, whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use l4re_files::Draft;

use crate::Failure;

/// Writes a file whole or not at all, and makes the folders above it: beside its place first, then
/// it changes its name. A failure leaves what was there and nothing else.
///
/// # Errors
///
/// [`Failure`] if it cannot be written.
pub fn place_file(path: &Path, bytes: &[u8], executable: bool) -> Result<(), Failure> {
    let io = |error: io::Error| Failure::io("write", path, &error);
    draft_file(path, bytes, executable).and_then(|draft| draft.persist(path)).map_err(io)
}

/// A file beside its place, which goes when it is dropped, unless it is given its name.
///
/// # Errors
///
/// What the system says when the folder or the file cannot be made or written.
pub fn draft_file(path: &Path, bytes: &[u8], executable: bool) -> io::Result<Draft> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut draft = Draft::beside(path)?;
    draft.file().write_all(bytes)?;
    // A fixed mode: the umask does not show in what is installed.
    draft.set_mode(if executable { 0o755 } else { 0o644 })?;
    Ok(draft)
}
