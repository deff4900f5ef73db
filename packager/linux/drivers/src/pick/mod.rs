//! Asking somebody which driver it shall be: menus by `dialog`, or a plain prompt.
//!
//! What is shown goes to the terminal, never to standard output, so that the choice can be read
//! from there by another program.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::Stdio;

use super::catalog::Catalog;
use super::tools::on_path;
use l4re_packager_base::{Diagnostic, Failure};

mod dialog;
mod prompt;

/// The driver that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its subsystem.
    pub subsystem: String,
    /// Its symbol, as the tree spells it.
    pub symbol: String,
}

/// Why there is no choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Somebody gave up; the exit status to end with: that of `dialog`, 1 or 255, or 1.
    Cancelled(u8),
    /// Something is wrong.
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// What was said on the command line already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `--subsystem`.
    pub subsystem: Option<String>,
    /// `--driver`.
    pub driver: Option<String>,
}

/// How somebody can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By menus of this program.
    Dialog(PathBuf),
    /// Line by line. The flag says whether menus are only a matter of installing `dialog`.
    Prompt {
        /// `dialog` is not installed.
        hint: bool,
    },
}

impl Way {
    /// How somebody at this terminal can be asked.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no terminal, with the options that make one unnecessary.
    pub fn here() -> Result<Self, Failure> {
        if !(io::stdin().is_terminal() && screen().is_some()) {
            let message = "there is no terminal to ask on";
            let help = "name the driver: --subsystem NAME --driver SYMBOL, also for `packager \
                        extract`; `packager list` shows what there is";
            return Err(Diagnostic::error("no-terminal", message).help(help).into());
        }
        if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
            return Ok(Self::Prompt { hint: false });
        }
        Ok(on_path("dialog").map_or(Self::Prompt { hint: true }, Self::Dialog))
    }
}

/// An output that is the terminal: standard error before standard output, which may be read by
/// another program.
fn screen() -> Option<Stdio> {
    use std::os::fd::AsFd;
    let clone = if io::stderr().is_terminal() {
        io::stderr().as_fd().try_clone_to_owned()
    } else if io::stdout().is_terminal() {
        io::stdout().as_fd().try_clone_to_owned()
    } else {
        return None;
    };
    clone.ok().map(Stdio::from)
}

/// Finds the driver: the one that is named, or the one that somebody chooses.
///
/// # Errors
///
/// [`Stop`] if what is named does not exist, and if nobody chose.
pub fn pick(catalog: &Catalog, wanted: &Wanted, way: &Way, title: &str) -> Result<Choice, Stop> {
    let subsystem = wanted.subsystem.as_deref();
    if let Some(name) = &wanted.driver {
        let entry = catalog.driver(name, subsystem)?;
        return Ok(Choice { subsystem: entry.subsystem.clone(), symbol: entry.symbol.clone() });
    }
    if let Some(subsystem) = subsystem {
        catalog.check_subsystem(subsystem)?;
    }
    match way {
        Way::Dialog(program) => dialog::pick(catalog, subsystem, program, title),
        Way::Prompt { hint } => prompt::on_terminal(catalog, subsystem, *hint, title),
    }
}
