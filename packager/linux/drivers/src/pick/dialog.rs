//! Two menus of the program `dialog`: the subsystem, then the driver.

use std::path::Path;
use std::process::{Command, Stdio};

use super::super::catalog::{Catalog, Filter};
use super::{Choice, Stop, screen};
use l4re_packager_base::{Diagnostic, plain};

/// What `dialog` ends with if something is wrong with it, and if somebody presses Escape.
const ESCAPE_OR_ERROR: u8 = 255;

/// Shows the menus.
pub(super) fn pick(
    catalog: &Catalog,
    subsystem: Option<&str>,
    program: &Path,
    title: &str,
) -> Result<Choice, Stop> {
    let subsystem = match subsystem {
        Some(subsystem) => subsystem.to_owned(),
        None => {
            let subsystems = catalog.subsystems().into_iter();
            let items = subsystems.map(|(name, count)| {
                let many = if count == 1 { "driver" } else { "drivers" };
                (name.to_owned(), format!("{count} {many}"))
            });
            menu(program, title, "Subsystem:", items.collect())?
        }
    };
    let filter = Filter { subsystem: Some(subsystem.clone()), ..Filter::default() };
    let entries = catalog.select(&filter)?;
    let items = entries.iter().map(|entry| (entry.symbol.clone(), plain(&entry.prompt)));
    let symbol = menu(program, title, &format!("Driver in {subsystem}:"), items.collect())?;
    Ok(Choice { subsystem, symbol })
}

/// Shows one menu and gives the tag that was chosen.
fn menu(
    program: &Path,
    title: &str,
    text: &str,
    items: Vec<(String, String)>,
) -> Result<String, Stop> {
    let failed = |message: String| {
        let help = "without `dialog` on PATH there is a plain prompt";
        Stop::Failure(Diagnostic::error("dialog", message).help(help).into())
    };
    let mut command = Command::new(program);
    // Zeros let the program take what the screen has.
    command.args(["--title", title, "--menu", text, "0", "0", "0"]);
    for (tag, item) in &items {
        // An item that begins with dashes would be taken for an option.
        command.arg(tag).arg(if item.starts_with('-') { format!(" {item}") } else { item.clone() });
    }
    // The menu is drawn on the program's standard output, the choice comes from standard error.
    command.stdout(screen().unwrap_or_else(Stdio::null)).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| failed(format!("cannot start dialog: {error}")))?;
    let output = child.wait_with_output();
    let output = output.map_err(|error| failed(format!("cannot wait for dialog: {error}")))?;
    let answer = String::from_utf8_lossy(&output.stderr);
    let answer = answer.trim();
    let code = output.status.code().and_then(|code| u8::try_from(code).ok());
    match code.unwrap_or(ESCAPE_OR_ERROR) {
        0 if items.iter().any(|(tag, _)| tag == answer) => Ok(answer.into()),
        0 => Err(failed(format!("dialog answers `{}`, which is not in the menu", plain(answer)))),
        ESCAPE_OR_ERROR if !answer.is_empty() => {
            Err(failed(format!("dialog does not work: {}", plain(answer))))
        }
        code => Err(Stop::Cancelled(code)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn items() -> Vec<(String, String)> {
        vec![("E1000".into(), "One".into()), ("E1000E".into(), "--another".into())]
    }

    /// A program that runs this shell text in place of `dialog`.
    fn fake(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dialog");
        // Another process writes it: if this one had it open, a child that another thread starts
        // meanwhile would have it open for writing too, and it could not be executed ("text file
        // busy").
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$0" && chmod 755 "$0""#;
        let mut shell = Command::new("sh");
        assert!(shell.arg("-c").arg(write).arg(&path).arg(text).status().unwrap().success());
        (dir, path)
    }

    fn answer(text: &str) -> Result<String, Stop> {
        let (_dir, program) = fake(text);
        menu(&program, "Title", "Driver:", items())
    }

    fn message(text: &str) -> String {
        match answer(text).unwrap_err() {
            Stop::Failure(failure) => failure.to_string(),
            Stop::Cancelled(code) => panic!("cancelled with {code}"),
        }
    }

    #[test]
    fn the_tag_on_standard_error_is_the_choice() {
        assert_eq!(answer("echo E1000E >&2"), Ok("E1000E".into()));
        let (dir, program) = fake("printf '%s|' \"$@\" >\"$0.args\"; printf E1000 >&2");
        menu(&program, "Title", "Driver:", items()).unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("dialog.args")).unwrap(),
            "--title|Title|--menu|Driver:|0|0|0|E1000|One|E1000E| --another|"
        );
    }

    #[test]
    fn giving_up_keeps_the_status() {
        assert_eq!(answer("exit 1"), Err(Stop::Cancelled(1)));
        assert_eq!(answer("exit 255"), Err(Stop::Cancelled(255)));
        assert_eq!(answer("kill -9 $$"), Err(Stop::Cancelled(255)));
    }

    #[test]
    fn what_is_wrong_with_the_program_is_said() {
        let text = message("echo 'Error opening terminal: unknown.' >&2; exit 255");
        assert!(text.contains("dialog does not work: Error opening terminal"), "{text}");
        let text = message("echo reboot >&2");
        assert!(text.contains("dialog answers `reboot`, which is not in the menu"), "{text}");
    }
}
