//! `packager wrap`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::pick::stopped;
use super::{Done, finish};
use l4re_linux_drivers::catalog::servers;
use l4re_linux_drivers::driver_conf::DriverConf;
use l4re_linux_drivers::extract::{self, Destination, Extracted};
use l4re_linux_drivers::pick::{self, Choice, Stop, Way};
use l4re_linux_drivers::request::{self, BaseConfig, Listed, Request};
use l4re_linux_drivers::wrap::{Line, Target, WrapPlan, package_name};
use l4re_packager_base::{Diagnostic, Failure, Report};

/// What the command ends with if the driver was extracted and then not built.
const NOT_BUILT: u8 = 3;

/// From a Linux tree to a package: pick, extract, build, package.
///
/// What is not named is asked for, on a terminal as `packager pick` does. The package goes to
/// OUT/pkg/<name>; the name is that of DRIVER in the configuration file, else the driver's. Drivers
/// from Linux trees cannot be built yet: the command extracts, says what is there, and ends with
/// code 3. Other exit codes: 1 if something failed or somebody gave up, 255 for Escape in a menu.
#[derive(Debug, Args)]
pub struct Wrap {
    /// The Linux source tree [default: LINUX_SRC of --config]
    #[arg(long, value_name = "DIR")]
    pub linux_src: Option<PathBuf>,
    /// A driver.conf: lines LINUX_SRC=, DRIVER=, SUBSYSTEM=, ARCH=; read, never run. Options of the
    /// command line win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Subsystem of the driver
    #[arg(long, value_name = "NAME")]
    pub subsystem: Option<String>,
    /// The driver's symbol, in any case [default: DRIVER of --config, or the one that is chosen]
    #[arg(long, value_name = "SYMBOL")]
    pub driver: Option<String>,
    /// Architecture, as the kernel's build calls it [default: ARCH of --config, or arm64]
    #[arg(long, value_name = "NAME")]
    pub arch: Option<String>,
    /// Where the package goes, in pkg/<name> [default: out/ at the root of the workspace, as for
    /// `packager build`; outside of one, out/ in this folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The workspace's folder, empty or not there [default: a fresh l4re-driver.XXXXXX in the
    /// folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Prefix of the cross compiler [default: CROSS_COMPILE, CROSS_COMPILE_ARM or
    /// CROSS_COMPILE_ARM64, then the usual one]
    #[arg(long, value_name = "PREFIX")]
    pub cross_compile: Option<String>,
}

/// Runs the command.
pub fn run(args: Wrap, output: &mut Output) -> ExitCode {
    let out = args.out.clone().unwrap_or_else(default_out);
    let (extracted, report, name) = match wrap(args, output) {
        Ok(done) => done,
        Err(stop) => return stopped(output, "wrap", stop),
    };
    let Extracted { written, workspace } = &extracted;
    output.answer(&format!("Workspace: {}", written.folder.display()));
    output.answer(&format!("Manifest written to {}", written.manifest.display()));
    let files = workspace.files.iter().count();
    let package = out.join("pkg").join(&name);
    let message = format!("{} was extracted, but not built", workspace.manifest.driver);
    let help = format!(
        "building drivers from Linux trees is not part of this version. The workspace has {files} \
         files: sources in {}/, generated headers in {}/, driver.yaml with the flags of each \
         object. Nothing was written to {}",
        l4re_linux_drivers::workspace::SOURCE_FOLDER,
        l4re_linux_drivers::workspace::GENERATED_FOLDER,
        package.display(),
    );
    let mut report = report;
    report.push(Diagnostic::error("not-built", message).file(&written.folder).help(help));
    if output.is_json() {
        let json = json!({
            "workspace": written.folder, "manifest": written.manifest, "package": null,
            "driver": workspace.manifest.driver, "name": name,
        });
        output.result("wrap", false, &report, &[], json);
    } else {
        finish(output, "wrap", Err::<Done, _>(Failure(report)));
    }
    ExitCode::from(NOT_BUILT)
}

/// `out` at the root of the workspace that this is called in, or else in this folder.
fn default_out() -> PathBuf {
    let root = servers::here().and_then(|here| servers::workspace(&here));
    root.map_or_else(|_| "out".into(), |root| root.join("out"))
}

/// Picks and extracts; gives also the package's name.
fn wrap(args: Wrap, output: &mut Output) -> Result<(Extracted, Report, String), Stop> {
    let file = args.config.as_deref();
    let conf = file.map(DriverConf::load).transpose()?.unwrap_or_default();
    let Wrap { linux_src, subsystem, driver, arch, .. } = args;
    let plan = WrapPlan::new(Line { linux_src, arch, subsystem, driver }, conf, file)?;
    let request = Request {
        folder: plan.linux_src.clone(),
        arch: plan.arch.clone(),
        cross_compile: args.cross_compile,
    };
    let (Choice { subsystem, symbol }, name) = choose(&plan, &request, file, output)?;
    let options = extract::Options {
        request,
        driver: symbol.clone(),
        subsystem: Some(subsystem),
        base: BaseConfig::Tiny,
        destination: args.workspace.map_or(Destination::Fresh, Destination::Folder),
        self_contained: false,
    };
    let (extracted, report) = extract::extract(&options, output)?;
    for change in &extracted.workspace.changes {
        output.tell(&change.to_string());
    }
    let name = name.unwrap_or_else(|| extracted.workspace.manifest.driver.clone());
    let name = package_name(&name);
    Ok((extracted, report, name))
}

/// The driver, and the name of the package if the file gives one.
fn choose(
    plan: &WrapPlan,
    request: &Request,
    file: Option<&Path>,
    output: &mut Output,
) -> Result<(Choice, Option<String>), Stop> {
    // Without a name for the driver somebody must be asked. A wrong folder, and that nobody can be
    // asked, are said before the tree is read.
    let way = if plan.names_driver() {
        None
    } else {
        request.open()?;
        Some(Way::here()?)
    };
    let Listed { catalog, report, doubts } = request::catalog(request, output)?;
    output.doubts(&doubts);
    output.report(&report);
    let Target { wanted, name } = plan.target(&catalog);
    let way = match (&wanted.driver, &name, way) {
        (Some(_), ..) => Way::Prompt { hint: false },
        (None, _, Some(way)) => way,
        // DRIVER only names the package, so somebody must be asked after all.
        (None, name, None) => Way::here().map_err(|failure| {
            let name = name.as_deref().unwrap_or_default();
            let unknown = catalog.driver(name, None).err().map(|failure| failure.0);
            let unknown = unknown.into_iter().flatten();
            let about = unknown.map(|error| match file {
                Some(file) => error.file(file),
                None => error,
            });
            let mut report = Report::new();
            report.extend(about.chain(failure.0));
            Failure(report)
        })?,
    };
    let title = format!("Linux {}, {}", catalog.version, catalog.arch);
    output.clear();
    Ok((pick::pick(&catalog, &wanted, &way, &title)?, name))
}
