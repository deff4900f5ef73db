//! Headers that the tree's own scripts for awk and the shell make of its own tables.

use std::path::{Path, PathBuf};

use l4re_packager_base::{Diagnostic, Failure};
use l4re_programs::Program;

use crate::cache::{Cache, Key};

const SH: Program = Program::declared("sh");
const AWK: Program = Program::declared("awk");

/// What `script` makes of `tables`, all of them paths below `tree`. A name with `.sh` at its end is
/// that of a script for the shell.
pub(crate) fn run(
    tree: &Path,
    script: &str,
    tables: &[&str],
    cache: &Cache,
) -> Result<Vec<u8>, Failure> {
    let shell = script.ends_with(".sh");
    let (program, option) = if shell { (SH, "-e") } else { (AWK, "-f") };
    let name = program.name();
    let script = tree.join(script);
    let tables: Vec<PathBuf> = tables.iter().map(|table| tree.join(table)).collect();
    let key = tables.iter().fold(
        Key::new(name).with_program(Path::new(name)).with(script.as_os_str().as_encoded_bytes()),
        |key, table| key.with(table.as_os_str().as_encoded_bytes()),
    );
    if let Some(kept) = cache.load(&key) {
        return Ok(kept);
    }
    let output = program
        .command()
        // As Linux' Makefile does: the scripts sort and compare by bytes.
        .env("LC_ALL", "C")
        .arg(option)
        .arg(&script)
        .args(&tables)
        .output()
        .map_err(|error| {
            let help = format!("{}; a header is made by this script", program.help());
            Diagnostic::error(name, format!("cannot run {name}: {error}")).file(&script).help(help)
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("no reason given");
        let message = format!("{name} fails ({}): {said}", output.status);
        return Err(Diagnostic::error(name, message).file(&script).into());
    }
    let mut inputs = tables;
    inputs.push(script);
    cache.store(&key, &inputs, &output.stdout);
    Ok(output.stdout)
}
