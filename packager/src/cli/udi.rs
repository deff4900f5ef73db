//! `packager udi`, and the three commands of their own: `udibuild`, `udimkpkg`, `udisetup`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use crate::diag::{Failure, Report};
use crate::udi::choose::Terminal;
use crate::udi::mkpkg::{Contents, Existing};
use crate::udi::setup::files_in;
use crate::udi::{build, mkpkg, setup};

/// Build, pack and set up drivers as UDI packages.
///
/// The three are also commands of their own: call the packager udibuild, udimkpkg or udisetup, by a
/// link.
#[derive(Debug, Args)]
pub struct Udi {
    /// Which of the three
    #[command(subcommand)]
    pub tool: Tool,
}

/// Which of the three.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Build a driver's modules to bin/<abi>/ (udibuild)
    Build(Build),
    /// Pack a driver into <shortname>.udi (udimkpkg)
    Mkpkg(Mkpkg),
    /// Set drivers up from package files (udisetup)
    Setup(Setup),
}

/// Build a driver's modules to bin/<abi>/.
///
/// Reads udiprops.txt, or driver.toml where there is none, in the driver's folder.
#[derive(Debug, Args)]
pub struct Build {
    /// The driver's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// File with the properties [default: udiprops.txt in the driver's folder]
    #[arg(short = 's', long = "properties", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where bin/ is made [default: the driver's folder]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Name of the processor binding [default: <arch>_<cpu>-<api> of the target]
    #[arg(long, value_name = "NAME")]
    abi: Option<String>,
    /// Build for this target instead of those of driver.toml; can be repeated
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Build only modules that are not there
    #[arg(short, long)]
    update: bool,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Pack a driver into <shortname>.udi.
///
/// Takes what udiprops.txt names, or driver.toml where there is none, and the modules below bin/.
/// Environment: UDI_DRV, UDI_ALT and UDI_COMP stand for -d, -a and -c.
#[derive(Debug, Args)]
pub struct Mkpkg {
    /// The driver's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// File with the properties [default: udiprops.txt in the driver's folder]
    #[arg(short = 's', long = "properties", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where the package goes
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// Folder with bin/<abi>/ [default: the driver's folder]
    #[arg(short, long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// What the package holds; `both` is source only where modules are missing
    #[arg(short = 't', long, value_enum, default_value = "both")]
    contents: ContentsArg,
    /// Name of the driver's folder in it [default: the shortname]
    #[arg(short, long, value_name = "NAME")]
    driver: Option<String>,
    /// Name of the alternate's folder in it [default: the number of the release]
    #[arg(short, long, value_name = "NAME")]
    alternate: Option<String>,
    /// Name of the component's folder in it [default: the first module]
    #[arg(short, long, value_name = "NAME")]
    component: Option<String>,
    /// Name of the processor binding [default: <arch>_<cpu>-<api> of the target]
    #[arg(long, value_name = "NAME")]
    abi: Option<String>,
    /// Replace a package that is there
    #[arg(short = 'O', long, conflicts_with = "update")]
    overwrite: bool,
    /// Add to a package that is there
    #[arg(short = 'U', long)]
    update: bool,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// What a package holds.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ContentsArg {
    /// Source and modules
    Both,
    /// Source only
    Source,
    /// Modules only
    Binary,
}

/// Set drivers up from package files.
///
/// Each becomes a package for L4Re's build system in OUT/pkg/<name>, the same that `packager build`
/// makes. Takes modules where there are some, and builds from source otherwise.
#[derive(Debug, Args)]
pub struct Setup {
    /// Package files [default: every *.udi and *.UDI in the current folder]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where results go
    #[arg(short, long, value_name = "DIR", default_value = "out")]
    output: PathBuf,
    /// Only the driver of this name
    #[arg(short, long, value_name = "NAME")]
    driver: Option<String>,
    /// Only the alternate of this name
    #[arg(short, long, value_name = "NAME")]
    alternate: Option<String>,
    /// Only the component of this name
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Take the modules of this processor binding
    #[arg(long, value_name = "NAME")]
    abi: Option<String>,
    /// Ask which drivers
    #[arg(short = 'c', long)]
    choose: bool,
    /// Build from source even where there are modules
    #[arg(long)]
    source: bool,
    /// Check everything and stop before anything is written
    #[arg(short = 's', long, visible_short_alias = 'n')]
    dry_run: bool,
    /// Only say what is set up already
    #[arg(short = 'S', long, conflicts_with = "files")]
    show: bool,
    /// Print the short names only
    #[arg(short = 'i', long, conflicts_with = "names")]
    shortnames: bool,
    /// Print the names of the packages for L4Re only
    #[arg(short = 'p', long)]
    names: bool,
}

/// One of the three as a command of its own.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Applet<T: Args> {
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Say what is being done
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    tool: T,
}

/// Runs the command that the program was called by, if it is one of the three; whether it was good.
pub fn applet(name: Option<&OsStr>) -> Option<bool> {
    fn parse<T: Args>(name: &'static str) -> (T, Output) {
        let tool = T::augment_args(clap::Command::new(name));
        let mut command = <Applet<T> as clap::CommandFactory>::command()
            .name(name)
            .bin_name(name)
            .about(tool.get_about().cloned().unwrap_or_default())
            .long_about(tool.get_long_about().cloned().unwrap_or_default());
        let matches = command.get_matches_mut();
        match <Applet<T> as clap::FromArgMatches>::from_arg_matches(&matches) {
            Ok(Applet { json, quiet, verbose, tool }) => (tool, Output::new(json, quiet, verbose)),
            Err(error) => error.format(&mut command).exit(),
        }
    }
    let (tool, mut output) = match Path::new(name?).file_name()?.to_str()? {
        "udibuild" => {
            let (tool, output) = parse("udibuild");
            (Tool::Build(tool), output)
        }
        "udimkpkg" => {
            let (tool, output) = parse("udimkpkg");
            (Tool::Mkpkg(tool), output)
        }
        "udisetup" => {
            let (tool, output) = parse("udisetup");
            (Tool::Setup(tool), output)
        }
        _ => return None,
    };
    Some(run(Udi { tool }, &mut output))
}

/// Runs one of the three.
pub fn run(args: Udi, output: &mut Output) -> bool {
    match args.tool {
        Tool::Build(args) => run_build(args, output),
        Tool::Mkpkg(args) => run_mkpkg(args, output),
        Tool::Setup(args) => run_setup(args, output),
    }
}

fn run_build(args: Build, output: &mut Output) -> bool {
    let options = build::Options {
        output: args.output.unwrap_or_else(|| args.folder.clone()),
        folder: args.folder,
        file: args.file,
        abi: args.abi,
        targets: args.target,
        update: args.update,
        dry_run: args.dry_run,
    };
    let result = build::build(&options, output).map(|built| {
        let lines = built.modules.iter().map(|module| {
            let what = match (module.built, options.dry_run) {
                (false, _) => "is there",
                (true, true) => "would be built",
                (true, false) => "built",
            };
            format!("{}: {what} for {}", module.file.display(), module.target)
        });
        let lines = lines.collect();
        Done { report: built.report, lines, json: json!({ "modules": built.modules }) }
    });
    finish(output, "udi build", result)
}

fn run_mkpkg(args: Mkpkg, output: &mut Output) -> bool {
    let or_variable = |given: Option<String>, name| given.or_else(|| std::env::var(name).ok());
    let options = mkpkg::Options {
        modules: args.modules.unwrap_or_else(|| args.folder.clone()),
        folder: args.folder,
        file: args.file,
        output: args.output,
        contents: match args.contents {
            ContentsArg::Both => Contents::Both,
            ContentsArg::Source => Contents::Source,
            ContentsArg::Binary => Contents::Binary,
        },
        driver: or_variable(args.driver, "UDI_DRV"),
        alternate: or_variable(args.alternate, "UDI_ALT"),
        component: or_variable(args.component, "UDI_COMP"),
        abi: args.abi,
        existing: match (args.overwrite, args.update) {
            (true, _) => Existing::Overwrite,
            (_, true) => Existing::Update,
            _ => Existing::Keep,
        },
        dry_run: args.dry_run,
    };
    let result = mkpkg::mkpkg(&options).map(|packed| {
        let what = if options.dry_run { "would have" } else { "package with" };
        let count = packed.paths.len();
        let mut lines = vec![format!("{}: {what} {count} files", packed.file.display())];
        lines.extend(packed.paths.iter().map(|path| format!("  {path}")));
        let json = json!({ "file": packed.file, "paths": packed.paths });
        Done { report: packed.report, lines, json }
    });
    finish(output, "udi mkpkg", result)
}

fn run_setup(args: Setup, output: &mut Output) -> bool {
    let Setup { shortnames, names, .. } = args;
    if args.show {
        return finish(output, "udi setup", setup::installed(&args.output).map(shown));
    }
    let options = setup::Options {
        files: args.files,
        output: args.output,
        driver: args.driver,
        alternate: args.alternate,
        component: args.component,
        abi: args.abi,
        ask: args.choose,
        source: args.source,
        dry_run: args.dry_run || shortnames || names,
    };
    let result = with_files(options).and_then(|options| {
        let done = setup::setup(&options, &mut Terminal, output)?;
        let lines = done.packages.iter().map(|driver| {
            let what = if options.dry_run { "would be" } else { "set up" };
            let way = if driver.from_source { "built from source" } else { "as it was built" };
            match (shortnames, names) {
                (true, _) => driver.shortname.clone(),
                (_, true) => driver.name.clone(),
                _ => format!("{}: {} {what}, {way}", driver.folder.display(), driver.name),
            }
        });
        let lines = lines.collect();
        let drivers = done.packages.iter().map(|driver| {
            json!({
                "name": driver.name, "shortname": driver.shortname, "file": driver.file,
                "place": driver.place.to_string(), "package": driver.folder,
                "from_source": driver.from_source,
            })
        });
        let json = json!({ "drivers": drivers.collect::<Vec<_>>() });
        Ok(Done { report: done.report, lines, json })
    });
    finish(output, "udi setup", result)
}

/// Without files those of the current folder are meant.
fn with_files(mut options: setup::Options) -> Result<setup::Options, Failure> {
    if options.files.is_empty() {
        options.files = files_in(Path::new("."))?;
    }
    Ok(options)
}

fn shown(packages: Vec<(String, PathBuf)>) -> Done {
    let lines = packages.iter().map(|(name, folder)| format!("{name}: {}", folder.display()));
    let lines = lines.collect();
    let json = packages.iter().map(|(name, folder)| json!({ "name": name, "package": folder }));
    Done { report: Report::new(), lines, json: json!({ "drivers": json.collect::<Vec<_>>() }) }
}
