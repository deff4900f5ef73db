//! `driver_picker`: a list of a tree's drivers, or one of them chosen and extracted.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::code;
use super::extract::{self, Extract};
use super::list::{self, Format, List};
use super::output::Output;
use super::pick::{choose, stopped};
use l4re_linux_drivers::pick::Wanted;
use l4re_linux_drivers::request::{BaseConfig, Request};

/// List the drivers of a Linux tree, or choose one and take it out of the tree.
///
/// With --list what `packager list` does, otherwise `packager pick` and then `packager extract`. What
/// --subsystem and --driver do not say is asked for, on a terminal.
#[derive(Debug, Parser)]
#[command(
    name = "driver_picker",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 all well, or the list printed; 1 something failed, or nothing was \
                  chosen; 2 wrong usage; 255 Escape in a menu."
)]
struct DriverPicker {
    /// The Linux source tree
    #[arg(long, value_name = "DIR")]
    linux_src: PathBuf,
    /// List drivers and extract none
    #[arg(long, conflicts_with_all = ["driver", "out"])]
    list: bool,
    /// Form of the list
    #[arg(long, value_enum, default_value = "table", requires = "list")]
    format: Format,
    /// With --list: only what has this word in symbol, prompt, help or module name
    #[arg(long, value_name = "WORD", requires = "list")]
    search: Option<String>,
    /// Subsystem: the first folder under drivers/
    #[arg(long, value_name = "NAME")]
    subsystem: Option<String>,
    /// The driver's symbol, in any case, with or without CONFIG_
    #[arg(long, value_name = "SYMBOL")]
    driver: Option<String>,
    /// Architecture, as the kernel's build calls it [default: arm64]
    #[arg(long, value_name = "NAME")]
    arch: Option<String>,
    /// The workspace's folder, empty or not there [default: a fresh l4re-driver.XXXXXX in the
    /// folder for temporary files]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Prefix of the cross compiler [default: CROSS_COMPILE, CROSS_COMPILE_ARM or
    /// CROSS_COMPILE_ARM64, then the usual one]
    #[arg(long, value_name = "PREFIX")]
    cross_compile: Option<String>,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

/// The command `driver_picker`.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    run(&args)
}

/// Runs it with a command line that begins with its name.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    let args = DriverPicker::parse_from(args);
    let mut output = Output::new(false, args.quiet, 0);
    if args.list {
        let good = list::run(&args.list(), &mut output);
        return code(good, &output);
    }
    let request = Request {
        folder: args.linux_src.clone(),
        arch: args.arch.clone(),
        cross_compile: args.cross_compile.clone(),
    };
    let wanted = Wanted { subsystem: args.subsystem.clone(), driver: args.driver.clone() };
    let choice = match choose(&request, &wanted, &mut output) {
        // `extract` reports the same of the tree.
        Ok((choice, _)) => choice,
        Err(stop) => return stopped(&mut output, "driver_picker", stop),
    };
    let good = extract::run(args.extract(choice.subsystem, choice.symbol), &mut output);
    code(good, &output)
}

impl DriverPicker {
    fn list(self) -> List {
        List {
            linux_src: Some(self.linux_src),
            arch: self.arch,
            subsystem: self.subsystem,
            subsystems: false,
            search: self.search,
            all: false,
            base_config: None,
            cross_compile: None,
            format: self.format,
        }
    }

    fn extract(self, subsystem: String, driver: String) -> Extract {
        Extract {
            linux_src: self.linux_src,
            driver,
            subsystem: Some(subsystem),
            arch: self.arch,
            base_config: BaseConfig::Tiny,
            out: self.out,
            force: false,
            self_contained: false,
            cross_compile: self.cross_compile,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        DriverPicker::command().debug_assert();
    }
}
