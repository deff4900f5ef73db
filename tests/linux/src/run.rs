//! Running the tools that say what is right.

use std::process::{Command, Stdio};

use crate::Error;

/// Runs a command that must succeed; returns its standard output.
///
/// # Errors
///
/// [`Error::Command`] with the end of its output if it does not start or does not succeed.
pub fn output(command: &mut Command) -> Result<Vec<u8>, Error> {
    let line = format!("{command:?}");
    let failed = |output: String| Error::Command { command: line.clone(), output };
    let done = command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.len().saturating_sub(30);
    Err(failed(format!("{}\n{}", done.status, lines[end..].join("\n"))))
}
