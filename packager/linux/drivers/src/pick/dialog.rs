//! Menus of the program `dialog`: the subsystem, then the driver, or a search from either of them.

use std::path::Path;
use std::process::{Command, Stdio};

use super::super::catalog::{Catalog, Entry, Filter};
use super::{Choice, Stop, screen};
use l4re_packager_base::{Diagnostic, plain};

/// Exit codes of `dialog`, set by its environment so that nobody else's settings change them.
const CODES: [(&str, u8); 5] = [
    ("DIALOG_OK", OK),
    ("DIALOG_CANCEL", CANCEL),
    ("DIALOG_EXTRA", SEARCH),
    ("DIALOG_ERROR", 254),
    ("DIALOG_ESC", ESCAPE),
];
const OK: u8 = 0;
const CANCEL: u8 = 1;
/// The additional button, which is the one for the search.
const SEARCH: u8 = 3;
const ESCAPE: u8 = 255;

/// Most drivers found by a search that a menu shows: all items are arguments of one command.
const FOUND_MAX: usize = 1000;

/// Shows menus until a driver is chosen.
pub(super) fn pick(
    catalog: &Catalog,
    subsystem: Option<&str>,
    program: &Path,
    title: &str,
) -> Result<Choice, Stop> {
    let dialog = Dialog { program, title };
    let first = subsystem.map_or(Step::Subsystems, |name| Step::Drivers(name.into()));
    let mut steps = vec![Page { step: first, at: None }];
    // Escape goes back one step, and in the first one gives up.
    while let Some(page) = steps.last_mut() {
        match page.show(catalog, &dialog)? {
            Move::Back => {
                steps.pop();
            }
            Move::To(step) => steps.push(Page { step, at: None }),
            Move::Retry(step) => page.step = step,
            Move::Done(choice) => return Ok(choice),
        }
    }
    Err(Stop::Cancelled(ESCAPE))
}

/// What is asked for.
enum Step {
    Subsystems,
    /// A driver of this subsystem.
    Drivers(String),
    /// A word to search for, in one subsystem or in all; with the word that was not found before.
    Search {
        inside: Option<String>,
        missed: Option<String>,
    },
    /// A driver that mentions the word.
    Found {
        inside: Option<String>,
        word: String,
    },
}

/// A step that is on the screen, or that Escape leads back to.
struct Page {
    step: Step,
    /// The item that was chosen when it was left.
    at: Option<String>,
}

/// What comes next.
enum Move {
    Back,
    To(Step),
    /// The same question again.
    Retry(Step),
    Done(Choice),
}

impl Page {
    fn show(&mut self, catalog: &Catalog, dialog: &Dialog<'_>) -> Result<Move, Stop> {
        match &self.step {
            Step::Subsystems => self.subsystems(catalog, dialog),
            Step::Drivers(name) => {
                let inside = Some(name.clone());
                self.drivers(catalog, dialog, inside, None)
            }
            Step::Search { inside, missed } => {
                search(catalog, dialog, inside.clone(), missed.as_deref())
            }
            Step::Found { inside, word } => {
                let (inside, word) = (inside.clone(), word.clone());
                self.drivers(catalog, dialog, inside, Some(word))
            }
        }
    }

    fn subsystems(&mut self, catalog: &Catalog, dialog: &Dialog<'_>) -> Result<Move, Stop> {
        let items = catalog.subsystems().into_iter().map(|(name, count)| {
            let many = if count == 1 { "driver" } else { "drivers" };
            (name.to_owned(), format!("{count} {many}"))
        });
        let items: Vec<_> = items.collect();
        Ok(match dialog.menu("Subsystem:", &items, self.at.as_deref())? {
            Answer::Escape => Move::Back,
            Answer::Search => Move::To(Step::Search { inside: None, missed: None }),
            Answer::Text(name) => {
                self.at = Some(name.clone());
                Move::To(Step::Drivers(name))
            }
        })
    }

    fn drivers(
        &mut self,
        catalog: &Catalog,
        dialog: &Dialog<'_>,
        inside: Option<String>,
        word: Option<String>,
    ) -> Result<Move, Stop> {
        let filter = Filter { all: false, subsystem: inside.clone(), search: word };
        let mut entries = catalog.select(&filter)?;
        let text = match (&filter.search, &inside) {
            (Some(word), _) if entries.len() > FOUND_MAX => {
                let count = entries.len();
                entries.truncate(FOUND_MAX);
                format!("The first {FOUND_MAX} of {count} drivers that mention {}:", plain(word))
            }
            (Some(word), _) => format!("Drivers that mention {}:", plain(word)),
            (None, inside) => format!("Driver in {}:", inside.as_deref().unwrap_or_default()),
        };
        let searched = filter.search.is_some();
        let items: Vec<_> = entries.iter().map(|entry| item(entry, &entries, searched)).collect();
        Ok(match dialog.menu(&text, &items, self.at.as_deref())? {
            Answer::Escape => Move::Back,
            Answer::Search => Move::To(Step::Search { inside, missed: None }),
            Answer::Text(tag) => {
                let chosen = items.iter().zip(&entries).find(|((own, _), _)| *own == tag);
                let chosen = chosen.map(|(_, entry)| Choice {
                    subsystem: entry.subsystem.clone(),
                    symbol: entry.symbol.clone(),
                });
                // `menu` gives only what it was given.
                chosen.map_or(Move::Back, Move::Done)
            }
        })
    }
}

/// Asks for a word; one that nothing mentions is asked for again.
fn search(
    catalog: &Catalog,
    dialog: &Dialog<'_>,
    inside: Option<String>,
    missed: Option<&str>,
) -> Result<Move, Stop> {
    let place = inside.as_ref().map_or_else(String::new, |name| format!(" in {name}"));
    let mut text = format!("Word to search for{place}:");
    if let Some(missed) = missed {
        // `dialog` makes the two characters a new line.
        text = format!("No driver{place} mentions {}.\\n{text}", plain(missed));
    }
    Ok(match dialog.input(&text)? {
        Answer::Escape | Answer::Search => Move::Back,
        Answer::Text(word) if word.is_empty() => Move::Back,
        Answer::Text(word) => {
            let search = Some(word.clone());
            let filter = Filter { all: false, subsystem: inside.clone(), search };
            if catalog.select(&filter)?.is_empty() {
                Move::Retry(Step::Search { inside, missed: Some(word) })
            } else {
                Move::To(Step::Found { inside, word })
            }
        }
    })
}

/// Tag and text of a driver in a menu. A symbol that several subsystems define has that of its own
/// in front.
fn item(entry: &Entry, all: &[&Entry], searched: bool) -> (String, String) {
    let mut same = all.iter().filter(|other| other.symbol == entry.symbol);
    let tag = match (same.next(), same.next()) {
        (Some(_), Some(_)) => format!("{}/{}", entry.subsystem, entry.symbol),
        _ => entry.symbol.clone(),
    };
    let text = plain(&entry.prompt);
    (tag, if searched { format!("{text} [{}]", plain(&entry.subsystem)) } else { text })
}

/// What somebody did.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// The tag that was chosen, or the text that was typed.
    Text(String),
    Search,
    Escape,
}

/// The program.
struct Dialog<'a> {
    program: &'a Path,
    title: &'a str,
}

impl Dialog<'_> {
    /// Shows a menu of tags and texts, the cursor at the tag `at`.
    fn menu(
        &self,
        text: &str,
        items: &[(String, String)],
        at: Option<&str>,
    ) -> Result<Answer, Stop> {
        let mut command = self.command();
        command.args(["--hline", "Escape: back", "--extra-button", "--extra-label", "Search"]);
        if let Some(at) = at {
            command.args(["--default-item", at]);
        }
        // Zeros let the program take what the screen has.
        command.args(["--menu", text, "0", "0", "0"]);
        for (tag, item) in items {
            // An item that begins with dashes would be taken for an option.
            let dash = if item.starts_with('-') { " " } else { "" };
            command.arg(tag).arg(format!("{dash}{item}"));
        }
        match run(command)? {
            Answer::Text(tag) if !items.iter().any(|(own, _)| *own == tag) => {
                Err(failed(&format!("dialog answers `{}`, which is not in the menu", plain(&tag))))
            }
            answer => Ok(answer),
        }
    }

    /// Asks for a line of text.
    fn input(&self, text: &str) -> Result<Answer, Stop> {
        let mut command = self.command();
        command.args(["--ok-label", "Search", "--inputbox", text, "0", "0"]);
        run(command)
    }

    /// What all widgets have in common: they are gone from the screen when the program ends. The
    /// first option brings back what was there before on terminals that can, the second clears all
    /// others.
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.args(["--keep-tite", "--erase-on-exit", "--title", self.title]);
        command.envs(CODES.map(|(name, code)| (name, code.to_string())));
        command
    }
}

/// Runs the program. The widget is drawn on its standard output, the answer comes from standard
/// error.
fn run(mut command: Command) -> Result<Answer, Stop> {
    command.stdout(screen().unwrap_or_else(Stdio::null)).stderr(Stdio::piped());
    let child =
        command.spawn().map_err(|error| failed(&format!("cannot start dialog: {error}")))?;
    let output = child.wait_with_output();
    let output = output.map_err(|error| failed(&format!("cannot wait for dialog: {error}")))?;
    let answer = String::from_utf8_lossy(&output.stderr);
    let answer = answer.trim();
    // A signal leaves no code.
    let code = output.status.code().and_then(|code| u8::try_from(code).ok());
    match code.unwrap_or(ESCAPE) {
        OK => Ok(Answer::Text(answer.into())),
        // The answer is where the cursor was.
        SEARCH => Ok(Answer::Search),
        _ if !answer.is_empty() => Err(failed(&format!("dialog does not work: {}", plain(answer)))),
        ESCAPE if code.is_some() => Ok(Answer::Escape),
        code => Err(Stop::Cancelled(code)),
    }
}

fn failed(message: &str) -> Stop {
    let help = "without `dialog` on PATH there is a plain prompt, and with TERM=dumb";
    Stop::Failure(Diagnostic::error("dialog", message).help(help).into())
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
        let mut shell = l4re_programs::Program::declared("sh").command();
        assert!(shell.arg("-c").arg(write).arg(&path).arg(text).status().unwrap().success());
        (dir, path)
    }

    fn answer(text: &str) -> Result<String, Stop> {
        let (_dir, program) = fake(text);
        let dialog = Dialog { program: &program, title: "Title" };
        match dialog.menu("Driver:", &items(), None)? {
            Answer::Text(tag) => Ok(tag),
            other => Ok(format!("{other:?}")),
        }
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
        let dialog = Dialog { program: &program, title: "Title" };
        dialog.menu("Driver:", &items(), Some("E1000E")).unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("dialog.args")).unwrap(),
            "--keep-tite|--erase-on-exit|--title|Title|--hline|Escape: back|--extra-button|\
             --extra-label|Search|--default-item|E1000E|--menu|Driver:|0|0|0|E1000|One|E1000E| \
             --another|"
        );
    }

    #[test]
    fn every_button_and_escape_are_told_apart() {
        assert_eq!(answer("exit 1"), Err(Stop::Cancelled(1)));
        assert_eq!(answer("exit 255").as_deref(), Ok("Escape"));
        // The real one prints the item under the cursor.
        assert_eq!(answer("echo E1000 >&2; exit 3").as_deref(), Ok("Search"));
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
