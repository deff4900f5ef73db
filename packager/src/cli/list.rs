//! `packager list`.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use l4re_linux_drivers::catalog::servers::here;
use l4re_linux_drivers::catalog::{Catalog, Entry, Filter, show};
use l4re_linux_drivers::open::{self, Base, Listed};
use l4re_packager_base::{Failure, Report};

/// List the drivers of a Linux tree, or the project's own driver servers.
///
/// Shows every option under drivers/ that the architecture's Kconfig files source, that a user can
/// choose, and that builds objects. Nothing of the tree is executed unless --config asks for
/// values; nothing is ever written to it.
#[derive(Debug, Args)]
pub struct List {
    /// The Linux source tree [default: none, list the driver servers of this workspace]
    #[arg(long, value_name = "DIR")]
    pub linux_src: Option<PathBuf>,
    /// Architecture, as the kernel's build calls it [default: arm64]
    #[arg(long, value_name = "NAME", requires = "linux_src")]
    pub arch: Option<String>,
    /// Only this subsystem: the first folder under drivers/
    #[arg(long, value_name = "NAME")]
    pub subsystem: Option<String>,
    /// Only what has this word in symbol, prompt, help or module name, in any case
    #[arg(long, value_name = "WORD")]
    pub search: Option<String>,
    /// Also what is no driver: gates, members, helpers, options
    #[arg(long)]
    pub all: bool,
    /// Show values under this configuration: tiny, defconfig, allmodconfig, or a .config file
    #[arg(long, value_name = "CONFIG", requires = "linux_src")]
    pub config: Option<Base>,
    /// Prefix of the cross compiler that --config may have to ask [default: CROSS_COMPILE,
    /// CROSS_COMPILE_ARM or CROSS_COMPILE_ARM64, then the usual one]
    #[arg(long, value_name = "PREFIX", requires = "config")]
    pub cross_compile: Option<String>,
    /// Form of the result; json is the bare array, --json the same inside the usual object
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns that fit the terminal
    Table,
    /// Tab-separated values with a header
    Tsv,
    /// An array of objects
    Json,
}

/// Runs the command.
pub fn run(args: &List, output: &mut Output) -> bool {
    let Listed { catalog, report, doubts } = match load(args, output) {
        Ok(listed) => listed,
        Err(failure) => return finish(output, "list", Err(failure)),
    };
    let filter =
        Filter { all: args.all, subsystem: args.subsystem.clone(), search: args.search.clone() };
    let entries = match catalog.select(&filter) {
        Ok(entries) => entries,
        Err(failure) => return finish(output, "list", Err(failure)),
    };
    if output.is_json() {
        let json = json!({ "drivers": entries });
        return finish(output, "list", Ok(Done { report, lines: Vec::new(), json }));
    }
    output.doubts(&doubts);
    output.report(&report);
    let written = write(args, &entries);
    output.note(&summary(&entries, &catalog, args));
    if let Some(word) = &args.search {
        outside(&catalog.elsewhere(word), entries.is_empty(), output);
    }
    match written {
        // A reader that has gone (`packager list | head`) has what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let failure = Failure::io("write the list", Path::new("standard output"), &error);
            finish(output, "list", Err(failure))
        }
        _ => true,
    }
}

fn load(args: &List, output: &mut Output) -> Result<Listed, Failure> {
    let Some(folder) = &args.linux_src else {
        let (catalog, report) = Catalog::of_workspace(&here()?)?;
        return Ok(Listed { catalog, report, doubts: Report::new() });
    };
    let request = open::Request {
        folder: folder.clone(),
        arch: args.arch.clone(),
        cross_compile: args.cross_compile.clone(),
    };
    match &args.config {
        None => open::catalog(&request, output),
        Some(base) => open::configured_catalog(&request, base, output),
    }
}

fn write(args: &List, entries: &[&Entry]) -> io::Result<()> {
    let stdout = io::stdout();
    let width = terminal_width(&stdout);
    let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
    match args.format {
        Format::Table => show::table(&mut out, entries, args.all, width)?,
        Format::Tsv => show::tsv(&mut out, entries)?,
        Format::Json => show::json(&mut out, entries)?,
    }
    out.flush()
}

/// Columns of the terminal, if it is one.
fn terminal_width(stdout: &io::Stdout) -> Option<usize> {
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(stdout).ok())??;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// Says what a search would find outside of `drivers/`: to a person, and wherever there is no other
/// answer.
fn outside(found: &str, only: bool, output: &mut Output) {
    if found.is_empty() {
        return;
    }
    let text = format!("not under drivers/, but `packager extract --driver` knows them: {found}");
    if only { output.tell(&text) } else { output.note(&text) }
}

/// How many there are, and how to see more.
fn summary(entries: &[&Entry], catalog: &Catalog, args: &List) -> String {
    let hidden = if args.all { 0 } else { catalog.entries.len() - catalog.drivers() };
    let what = if args.all { "entries" } else { "drivers" };
    let of = match entries.len() {
        count if args.subsystem.is_some() || args.search.is_some() => {
            let total = if args.all { catalog.entries.len() } else { catalog.drivers() };
            format!("{count} of {total} {what}")
        }
        count => format!("{count} {what}"),
    };
    match hidden {
        0 => of,
        hidden => format!("{of}; --all shows {hidden} entries more that are no drivers"),
    }
}
