//! `packager list`.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use l4re_linux_drivers::catalog::servers::here;
use l4re_linux_drivers::catalog::{Catalog, Entry, Filter, show};
use l4re_linux_drivers::request::{self, BaseConfig, Listed};
use l4re_packager_base::{Diagnostic, Failure, Report};

/// List the drivers of a Linux tree, or the project's own driver servers.
///
/// Shows every option under drivers/ that the architecture's Kconfig files source, that a user can
/// choose, and that builds objects. Nothing of the tree is executed unless --base-config asks for
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
    /// Only the names of the subsystems, with the number of their drivers
    #[arg(long, conflicts_with_all = ["subsystem", "search", "all", "base_config"])]
    pub subsystems: bool,
    /// Only what has this word in symbol, prompt, help or module name, in any case
    #[arg(long, value_name = "WORD")]
    pub search: Option<String>,
    /// Also what is no driver: gates, members, helpers, options
    #[arg(long)]
    pub all: bool,
    /// Show values under this configuration: tiny, defconfig, allmodconfig, or a .config file
    #[arg(long, alias = "config", value_name = "CONFIG", requires = "linux_src")]
    pub base_config: Option<BaseConfig>,
    /// Prefix of the cross compiler that --base-config may have to ask [default: CROSS_COMPILE,
    /// CROSS_COMPILE_ARM or CROSS_COMPILE_ARM64, then the usual one]
    #[arg(long, value_name = "PREFIX", requires = "base_config")]
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
    let mut report = report;
    if let (Some(word), true) = (&args.search, entries.is_empty()) {
        report.push(nothing(word, args, &catalog));
    }
    if output.is_json() {
        let json = match args.subsystems {
            true => json!({ "subsystems": show::counts(&catalog.subsystems()) }),
            false => json!({ "drivers": entries }),
        };
        return finish(output, "list", Ok(Done { report, lines: Vec::new(), json }));
    }
    output.doubts(&doubts);
    output.report(&report);
    let written = write(args, &catalog, &entries);
    output.note(&summary(&entries, &catalog, args));
    let found = args.search.as_ref().filter(|_| !entries.is_empty());
    if let Some(text) = found.and_then(|word| outside(word, &catalog)) {
        output.note(&text);
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
    let request = request::Request {
        folder: folder.clone(),
        arch: args.arch.clone(),
        cross_compile: args.cross_compile.clone(),
    };
    match &args.base_config {
        None => request::catalog(&request, output),
        Some(base) => request::configured_catalog(&request, base, output),
    }
}

fn write(args: &List, catalog: &Catalog, entries: &[&Entry]) -> io::Result<()> {
    let stdout = io::stdout();
    let width = terminal_width(&stdout);
    let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
    let counts = catalog.subsystems();
    match args.format {
        Format::Table if args.subsystems => show::subsystems(&mut out, &counts, true)?,
        Format::Tsv if args.subsystems => show::subsystems(&mut out, &counts, false)?,
        Format::Json if args.subsystems => show::subsystems_json(&mut out, &counts)?,
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

/// What a search would find outside of `drivers/`.
fn outside(word: &str, catalog: &Catalog) -> Option<String> {
    let found = catalog.elsewhere(word);
    let text =
        || format!("not under drivers/, but `packager extract --driver` knows them: {found}");
    (!found.is_empty()).then(text)
}

/// That a search found nothing, and where else to look.
fn nothing(word: &str, args: &List, catalog: &Catalog) -> Diagnostic {
    let what = if args.all { "entry" } else { "driver" };
    let place = args.subsystem.as_ref().map_or_else(String::new, |name| format!(" in {name}"));
    let warning = Diagnostic::warning("no-hit", format!("no {what}{place} mentions `{word}`"));
    let hidden = || {
        let filter =
            Filter { all: true, subsystem: args.subsystem.clone(), search: args.search.clone() };
        catalog.select(&filter).map_or(0, |found| found.len())
    };
    let elsewhere = || {
        let filter = Filter { all: args.all, subsystem: None, search: args.search.clone() };
        catalog.select(&filter).map_or(0, |found| found.len())
    };
    if let Some(text) = outside(word, catalog) {
        return warning.help(text);
    }
    match (args.subsystem.as_ref().map_or(0, |_| elsewhere()), hidden()) {
        (0, 0) => warning.help("symbol, prompt, help and module names were searched, in any case"),
        (0, count) => warning.help(format!("--all finds {count}, which are no drivers")),
        (count, _) => warning.help(format!("{count} in other subsystems: leave out --subsystem")),
    }
}

/// How many there are, and how to see more.
fn summary(entries: &[&Entry], catalog: &Catalog, args: &List) -> String {
    if args.subsystems {
        let count = catalog.subsystems().len();
        return format!("{count} subsystems; --subsystem NAME lists the drivers of one");
    }
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
