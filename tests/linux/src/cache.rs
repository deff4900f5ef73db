//! Folders that are filled once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::Error;

/// Tests are threads of one process; one at a time fills the cache.
static FILLING: Mutex<()> = Mutex::new(());

/// The folder for everything that takes long to make.
///
/// # Errors
///
/// [`Error::NoCache`] if no variable says where.
pub fn root() -> Result<PathBuf, Error> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = variable("L4RE_TEST_CACHE") {
        return Ok(path.into());
    }
    let base = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
    Ok(base.ok_or(Error::NoCache)?.join("l4re-drivers"))
}

/// The folder `name` of the cache; `fill` is called if it is not there or was not finished. What
/// `key` says must not have changed since.
///
/// # Errors
///
/// Those of `fill`, and [`Error::Io`].
pub fn folder(
    name: &str,
    key: &str,
    fill: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let path = root()?.join(name);
    let marker = path.join(".complete");
    // A test that failed while it filled has left no marker behind.
    let _guard = FILLING.lock().unwrap_or_else(PoisonError::into_inner);
    if fs::read_to_string(&marker).is_ok_and(|text| text == key) {
        return Ok(path);
    }
    if path.exists() {
        fs::remove_dir_all(&path).map_err(Error::io(&path))?;
    }
    fs::create_dir_all(&path).map_err(Error::io(&path))?;
    fill(&path)?;
    fs::write(&marker, key).map_err(Error::io(&marker))?;
    Ok(path)
}
