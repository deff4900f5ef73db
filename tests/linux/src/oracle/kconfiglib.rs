//! What kconfiglib says: names, types, prompts, places, visibility and values.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Deserialize;

use super::make::Configured;
use crate::{Error, run};

/// A symbol of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Symbol {
    /// `bool`, `tristate`, `string`, `int`, `hex` or `unknown`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its definitions: file relative to the tree, line, and prompt if there is one.
    pub definitions: Vec<(String, u32, Option<String>)>,
    /// Per configuration: value, and visibility `n`, `m` or `y`.
    pub states: BTreeMap<String, (String, String)>,
}

/// All symbols of the configuration's tree and architecture, with their states under
/// `allnoconfig`, `defconfig` and `allmodconfig`.
///
/// # Errors
///
/// [`Error::Command`] with Python's message, and [`Error::Json`].
pub fn symbols(configured: &Configured) -> Result<BTreeMap<String, Symbol>, Error> {
    let cached = configured.out.join(".kconfiglib.json");
    let text = match fs::read(&cached) {
        Ok(text) => text,
        Err(_) => {
            let text =
                run::output(&mut command(configured, &["dump", configured.arch.defconfig])?)?;
            fs::write(&cached, &text).map_err(Error::io(&cached))?;
            text
        }
    };
    let what = format!("kconfiglib for {}", configured.arch.name);
    serde_json::from_slice(&text).map_err(|source| Error::Json { what, source })
}

/// The command that runs kconfiglib on the configuration's tree; `load` only loads it.
///
/// # Errors
///
/// [`Error::Io`] if the configuration has no environment.
pub fn command(configured: &Configured, args: &[&str]) -> Result<Command, Error> {
    // Debian's Python has Debian's kconfiglib; another one that is first in the path may not.
    let debian = std::path::Path::new("/usr/bin/python3");
    let mut command =
        Command::new(if debian.exists() { debian.as_os_str() } else { "python3".as_ref() });
    command.arg("-c").arg(include_str!("kconfiglib.py")).args(args);
    command.current_dir(&configured.tree.path).env_clear();
    command.envs(configured.kconfig_env()?).env("srctree", &configured.tree.path);
    // Nothing is written below the tree, not even Python's own cache.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
