//! `packager pick`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use l4re_linux_drivers::pick::{self, Stop, Wanted, Way};
use l4re_linux_drivers::request::{self, Listed};
use l4re_packager_base::{Diagnostic, Report};

/// Choose a driver of a Linux tree: the subsystem, then the driver.
///
/// On a terminal, by menus if the program `dialog` is installed, otherwise by a prompt that takes
/// names, numbers and words to search for. Prints one line to standard output: the subsystem, a
/// tab, the symbol. With --driver nobody is asked, only checked. Exit codes: 1 also if somebody
/// gave up; 255 for Escape in a menu.
#[derive(Debug, Args)]
pub struct Pick {
    /// The Linux source tree
    #[arg(long, value_name = "DIR")]
    pub linux_src: PathBuf,
    /// Architecture, as the kernel's build calls it [default: arm64]
    #[arg(long, value_name = "NAME")]
    pub arch: Option<String>,
    /// Ask only for a driver of this subsystem
    #[arg(long, value_name = "NAME")]
    pub subsystem: Option<String>,
    /// Do not ask: take this symbol, in any case
    #[arg(long, value_name = "SYMBOL")]
    pub driver: Option<String>,
}

/// Runs the command.
pub fn run(args: Pick, output: &mut Output) -> ExitCode {
    let request = request::Request { folder: args.linux_src, arch: args.arch, cross_compile: None };
    let wanted = Wanted { subsystem: args.subsystem, driver: args.driver };
    match choose(&request, &wanted, output) {
        Ok((choice, report)) => {
            output.answer(&format!("{}\t{}", choice.subsystem, choice.symbol));
            let json = json!({ "subsystem": choice.subsystem, "symbol": choice.symbol });
            code(finish(output, "pick", Ok(Done { report, lines: Vec::new(), json })))
        }
        Err(stop) => stopped(output, "pick", stop),
    }
}

/// Finds the driver that is wanted, asking if need be.
pub(super) fn choose(
    request: &request::Request,
    wanted: &Wanted,
    output: &mut Output,
) -> Result<(pick::Choice, Report), Stop> {
    // A wrong folder, and that nobody can be asked, are said before the tree is read.
    let way = match wanted.driver {
        Some(_) => Way::Prompt { hint: false },
        None => {
            request.open()?;
            Way::here()?
        }
    };
    let Listed { catalog, report, doubts } = request::catalog(request, output)?;
    output.doubts(&doubts);
    let title = format!("Linux {}, {}", catalog.version, catalog.arch);
    output.clear();
    Ok((pick::pick(&catalog, wanted, &way, &title)?, report))
}

/// Says why nothing was chosen; the exit code of `dialog` is handed on.
pub(super) fn stopped(output: &mut Output, verb: &str, stop: Stop) -> ExitCode {
    match stop {
        Stop::Failure(failure) => code(finish(output, verb, Err(failure))),
        Stop::Cancelled(status) => {
            let cancelled = Diagnostic::error("cancelled", "cancelled: no driver was chosen");
            finish(output, verb, Err(cancelled.into()));
            ExitCode::from(status.max(1))
        }
    }
}

pub(super) fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
