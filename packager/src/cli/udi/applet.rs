//! The three tools as commands of their own: `udibuild`, `udimkpkg`, `udisetup`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Args, Parser};

use super::super::output::Output;
use super::{Tool, Udi, work};
use l4re_packager_base::{Failure, Severity};

/// Exit codes of the reference implementation, which are error numbers of POSIX.
const NO_SUCH_FILE: u8 = 2;
const FILE_EXISTS: u8 = 17;

/// One of the three as a command of its own.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_flag = true)]
struct Applet<T: Args> {
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Say what is being done
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    tool: T,
}

/// Runs one of the three with a command line that begins with its name; its exit code.
pub fn applet(name: &str, args: &[OsString]) -> Option<ExitCode> {
    let (tool, mut output) = match name {
        "udibuild" => {
            let (tool, output) = parse("udibuild", args);
            (Tool::Build(tool), output)
        }
        "udimkpkg" => {
            let (tool, output) = parse("udimkpkg", args);
            (Tool::Mkpkg(tool), output)
        }
        "udisetup" => {
            let (tool, output) = parse("udisetup", args);
            (Tool::Setup(tool), output)
        }
        _ => return None,
    };
    Some(match work(Udi { tool }, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => code(&failure),
    })
}

fn parse<T: Args>(name: &'static str, args: &[OsString]) -> (T, Output) {
    let tool = T::augment_args(clap::Command::new(name));
    let short = Arg::new("usage").short('h').short_alias('?').action(ArgAction::HelpShort);
    let long = Arg::new("help").short('H').long("help").action(ArgAction::HelpLong);
    let mut command = <Applet<T> as clap::CommandFactory>::command()
        .name(name)
        .bin_name(name)
        .about(tool.get_about().cloned().unwrap_or_default())
        .long_about(tool.get_long_about().cloned().unwrap_or_default())
        .arg(short.help("Print usage"))
        .arg(long.help("Print usage and what it is about"))
        .after_help(
            "Exit codes: 0 all well; 2 wrong usage, or something is not there; 17 the package is \
             there already; 1 everything else.",
        );
    let matches = command.try_get_matches_from_mut(args).unwrap_or_else(|error| error.exit());
    match <Applet<T> as clap::FromArgMatches>::from_arg_matches(&matches) {
        Ok(Applet { json, quiet, verbose, tool }) => (tool, Output::new(json, quiet, verbose)),
        Err(error) => error.format(&mut command).exit(),
    }
}

/// The exit code of a failure: its first error decides.
fn code(failure: &Failure) -> ExitCode {
    let mut errors = failure.0.iter().filter(|finding| finding.severity == Severity::Error);
    match errors.next().map(|finding| finding.code) {
        Some("udi-exists") => ExitCode::from(FILE_EXISTS),
        Some("udi-no-module" | "udi-no-file" | "udi-none") => ExitCode::from(NO_SUCH_FILE),
        _ => ExitCode::FAILURE,
    }
}
