//! The files of the repository, for tests that check its own rules.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files below a folder with an extension, sorted, without what is built and what is hidden.
///
/// # Errors
///
/// What the system says when a folder cannot be read.
pub fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(folder, extension, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let hidden = name.as_encoded_bytes().starts_with(b".");
        if entry.file_type()?.is_dir() {
            if !hidden && name != "target" && name != "out" {
                collect(&path, extension, found)?;
            }
        } else if path.extension() == Some(OsStr::new(extension)) {
            found.push(path);
        }
    }
    Ok(())
}

/// The folders of all crates: those with a `Cargo.toml` that has a `[package]`.
///
/// # Errors
///
/// What the system says when a folder or file cannot be read.
pub fn crates() -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for manifest in files(&root(), "toml")? {
        if manifest.file_name() == Some(OsStr::new("Cargo.toml"))
            && fs::read_to_string(&manifest)?.lines().any(|line| line == "[package]")
        {
            folders.extend(manifest.parent().map(Path::to_path_buf));
        }
    }
    Ok(folders)
}
