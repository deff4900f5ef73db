//! Writing of files, whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::Failure;

/// Writes a file whole or not at all, and makes the folders above it: beside its place first, then
/// it changes its name. A failure leaves what was there and nothing else.
///
/// # Errors
///
/// [`Failure`] if it cannot be written.
pub fn place_file(path: &Path, bytes: &[u8], executable: bool) -> Result<(), Failure> {
    let io = |error: io::Error| Failure::io("write", path, &error);
    draft_file(path, bytes, executable)
        .map_err(io)?
        .persist(path)
        .map_err(|error| io(error.error))?;
    Ok(())
}

/// A file beside its place, which goes when it is dropped, unless it is given its name.
///
/// # Errors
///
/// What the system says when the folder or the file cannot be made or written.
pub fn draft_file(
    path: &Path,
    bytes: &[u8],
    executable: bool,
) -> io::Result<tempfile::NamedTempFile> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::create_dir_all(folder)?;
    let prefix = format!(".{}.", name.to_string_lossy());
    let mut draft = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder)?;
    draft.write_all(bytes)?;
    set_mode(draft.as_file(), if executable { 0o755 } else { 0o644 })?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// A fixed mode: the umask does not show in what is installed.
fn set_mode(file: &fs::File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}
