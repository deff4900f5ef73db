//! Headers that the tree's own awk scripts make of its own tables.

use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_diag::{Diagnostic, Failure};

use crate::cache::{Cache, Key};

/// What `script` makes of `tables`, all of them paths below `tree`.
pub(crate) fn run(
    tree: &Path,
    script: &str,
    tables: &[&str],
    cache: &Cache,
) -> Result<Vec<u8>, Failure> {
    let program = Path::new("awk");
    let script = tree.join(script);
    let tables: Vec<PathBuf> = tables.iter().map(|table| tree.join(table)).collect();
    let key = tables.iter().fold(
        Key::new("awk").with_program(program).with(script.as_os_str().as_encoded_bytes()),
        |key, table| key.with(table.as_os_str().as_encoded_bytes()),
    );
    if let Some(kept) = cache.load(&key) {
        return Ok(kept);
    }
    let output = Command::new(program)
        // As Linux' Makefile does: the scripts sort and compare by bytes.
        .env("LC_ALL", "C")
        .arg("-f")
        .arg(&script)
        .args(&tables)
        .output()
        .map_err(|error| {
            Diagnostic::error("awk", format!("cannot run awk: {error}"))
                .file(&script)
                .help("install awk (Debian: mawk or gawk); a header is made by this script")
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("no reason given");
        let message = format!("awk fails ({}): {said}", output.status);
        return Err(Diagnostic::error("awk", message).file(&script).into());
    }
    let mut inputs = tables;
    inputs.push(script);
    cache.store(&key, &inputs, &output.stdout);
    Ok(output.stdout)
}
