//! What a build would run, without running it.

use std::ffi::OsStr;
use std::fmt::Write;
use std::process::Command;

use super::{BuildOptions, Project, Tools};
use l4re_packager_base::Failure;

/// The commands that [`build`](super::build) would run, each as a line for a POSIX shell. `HASH`
/// stands for the checksum in names of files that only the build makes.
///
/// # Errors
///
/// [`Failure`] if the folder or the toolchain is not in order.
pub fn plan(options: &BuildOptions) -> Result<Vec<String>, Failure> {
    let project = Project::open(options)?;
    let mut lines = Vec::new();
    for target in &project.targets {
        let tools = Tools::find(&project.folder, target, project.backend.as_ref())?;
        let workspace = &project.workspace;
        let mut link = tools.planned_link_args(workspace);
        if let Some(c) = project.manifest.as_ref().and_then(|(manifest, _)| manifest.c.as_ref()) {
            let library = tools.planned_libc(workspace)?;
            lines.push(line(&tools.libc_command(workspace)));
            let (commands, more) = tools.planned_c(workspace, &project.folder, c, &library)?;
            lines.extend(commands.iter().map(line));
            link.extend(more);
        }
        lines.push(line(&tools.program_command(workspace, &project.program, &link)));
    }
    Ok(lines)
}

/// A command as a line for a POSIX shell.
fn line(command: &Command) -> String {
    let mut text = String::new();
    if let Some(folder) = command.get_current_dir() {
        // The lines may be run anywhere.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
        let _ = write!(text, "cd {} && ", quoted(folder.as_os_str()));
    }
    // Variables that are taken away can only be named to `env`.
    let mut variables = String::new();
    let mut changes: Vec<_> = command.get_envs().collect();
    changes.sort_by_key(|(_, value)| value.is_some());
    for (name, value) in changes {
        let name = name.to_string_lossy();
        let _ = match value {
            None => write!(variables, "-u {name} "),
            Some(value) => write!(variables, "{name}={} ", quoted(value)),
        };
    }
    if !variables.is_empty() {
        let _ = write!(text, "env {variables}");
    }
    text.push_str(&quoted(command.get_program()));
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&quoted(argument));
    }
    text
}

/// A word as the shell takes it. The separator of `CARGO_ENCODED_RUSTFLAGS`, a control character,
/// is made by `printf`, which every POSIX shell has.
fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=./:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    if text.contains(char::is_control) {
        let escaped = |c: char| match c {
            '%' => String::from("%%"),
            '\\' => String::from("\\\\"),
            '\'' => String::from("\\047"),
            c if c.is_ascii_control() => format!("\\{:03o}", u32::from(c)),
            c => c.into(),
        };
        return format!("\"$(printf -- '{}')\"", text.chars().map(escaped).collect::<String>());
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use l4re_programs::Program;

    use super::*;

    #[test]
    fn a_shell_reads_back_what_the_command_is() {
        let odd = ["a b", "it's", "", "$HOME", "x\u{1f}-C y=%s\\n'z'", "plain-1"];
        let mut command = Program::declared("printf").command();
        command.current_dir("/").env("ODD", odd[4]).env_remove("GONE").arg("%s|").args(odd);
        let text = line(&command);
        assert!(text.starts_with("cd / && env -u GONE ODD="), "{text}");
        let output = Program::declared("sh").command().args(["-c", &text]).output().unwrap();
        let expected: String = odd.iter().map(|word| format!("{word}|")).collect();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
}
