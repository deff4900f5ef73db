//! Putting a program to where it belongs: into a folder that is the root of a system, or into an
//! image.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::diag::Failure;

/// Writes a file whole or not at all, and makes the folders above it: beside its place first, then
/// it changes its name. A failure leaves what was there and nothing else.
///
/// # Errors
///
/// [`Failure`] if it cannot be written.
pub fn place_file(path: &Path, bytes: &[u8], executable: bool) -> Result<(), Failure> {
    let io = |error: io::Error| Failure::io("write", path, &error);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io(io::ErrorKind::InvalidInput.into()));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::create_dir_all(folder).map_err(io)?;
    let prefix = format!(".{}.", name.to_string_lossy());
    // Goes when it is dropped, unless it was given its name.
    let mut draft = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder).map_err(io)?;
    draft.write_all(bytes).map_err(io)?;
    set_mode(draft.as_file(), if executable { 0o755 } else { 0o644 }).map_err(io)?;
    draft.as_file().sync_all().map_err(io)?;
    draft.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// A fixed mode: the umask does not show in what is installed.
fn set_mode(file: &fs::File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}
