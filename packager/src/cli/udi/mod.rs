//! `packager udi`, and the three commands of their own: `udibuild`, `udimkpkg`, `udisetup`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use l4re_packager_base::{Failure, Report};
use l4re_udi_tools::choose::Terminal;
use l4re_udi_tools::mkpkg::{Contents, Existing};
use l4re_udi_tools::modules::CompileSettings;
use l4re_udi_tools::setup::files_in;
use l4re_udi_tools::{mkpkg, setup, udibuild};

mod applet;
mod args;

pub(super) use applet::applet;
pub use args::Udi;
use args::{ContentsArg, Mkpkg, Setup, Tool, UdiBuild};

/// Runs one of the three; whether it was good.
pub fn run(args: Udi, output: &mut Output) -> bool {
    work(args, output).is_ok()
}

/// Runs one of the three, and says what came of it.
fn work(args: Udi, output: &mut Output) -> Result<(), Failure> {
    match args.tool {
        Tool::Build(args) => run_build(args, output),
        Tool::Mkpkg(args) => run_mkpkg(args, output),
        Tool::Setup(args) => run_setup(args, output),
    }
}

fn run_build(args: UdiBuild, output: &mut Output) -> Result<(), Failure> {
    let options = udibuild::UdibuildOptions {
        output: args.output.unwrap_or_else(|| args.folder.clone()),
        folder: args.folder,
        file: args.file,
        abi: args.abi,
        targets: args.target,
        update: args.update,
        dry_run: args.dry_run,
        scratch: args.compile.scratch_folder(),
        settings: CompileSettings::of_environment(args.compile.debug),
    };
    let result = udibuild::build(&options, output).map(|built| {
        let lines = built.modules.iter().map(|module| {
            let what = match (module.built, options.dry_run) {
                (false, _) => "is current",
                (true, true) => "would be built",
                (true, false) => "built",
            };
            format!("{}: {what} for {}", module.file.display(), module.target)
        });
        let lines = lines.collect();
        Done { report: built.report, lines, json: json!({ "modules": built.modules }) }
    });
    conclude(output, "udi build", result)
}

fn run_mkpkg(args: Mkpkg, output: &mut Output) -> Result<(), Failure> {
    let or_variable = |given: Option<String>, name| given.or_else(|| std::env::var(name).ok());
    let options = mkpkg::MkpkgOptions {
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
    conclude(output, "udi mkpkg", result)
}

fn run_setup(args: Setup, output: &mut Output) -> Result<(), Failure> {
    let Setup { shortnames, names, .. } = args;
    if args.show {
        return conclude(output, "udi setup", setup::installed(&args.output).map(shown));
    }
    let options = setup::SetupOptions {
        files: args.files,
        output: args.output,
        driver: args.driver,
        alternate: args.alternate,
        component: args.component,
        abi: args.abi,
        ask: args.choose,
        source: args.source,
        targets: args.target,
        scratch: args.compile.scratch_folder(),
        settings: CompileSettings::of_environment(args.compile.debug),
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
    conclude(output, "udi setup", result)
}

/// Without files those of the current folder are meant.
fn with_files(mut options: setup::SetupOptions) -> Result<setup::SetupOptions, Failure> {
    if options.files.is_empty() {
        options.files = files_in(Path::new("."))?;
    }
    Ok(options)
}

/// Says what came of it, and hands on what went wrong.
fn conclude(output: &mut Output, verb: &str, result: Result<Done, Failure>) -> Result<(), Failure> {
    let failure = result.as_ref().err().cloned();
    finish(output, verb, result);
    failure.map_or(Ok(()), Err)
}

fn shown(packages: Vec<(String, PathBuf)>) -> Done {
    let lines = packages.iter().map(|(name, folder)| format!("{name}: {}", folder.display()));
    let lines = lines.collect();
    let json = packages.iter().map(|(name, folder)| json!({ "name": name, "package": folder }));
    Done { report: Report::new(), lines, json: json!({ "drivers": json.collect::<Vec<_>>() }) }
}
