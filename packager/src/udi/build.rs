//! `udibuild`: from a driver's folder to its modules below `bin/<abi>/`.

use std::fs;
use std::path::PathBuf;

use l4re_udi::exports;
use serde::Serialize;

use super::{Project, write_file};
use crate::build::{self, Progress};
use crate::diag::{Failure, Report};
use crate::target::Target;

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The driver's folder.
    pub folder: PathBuf,
    /// File with the properties, if it is not `udiprops.txt` in the folder.
    pub file: Option<PathBuf>,
    /// Where the folder `bin` is made.
    pub output: PathBuf,
    /// Name of the processor binding, in place of the target's.
    pub abi: Option<String>,
    /// Targets to build for instead of those of `driver.toml`.
    pub targets: Vec<String>,
    /// Build only modules that are not there.
    pub update: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// The modules.
    pub modules: Vec<Module>,
    /// Warnings.
    pub report: Report,
}

/// A module.
#[derive(Debug, Clone, Serialize)]
pub struct Module {
    /// Name of its processor binding.
    pub abi: String,
    /// Name of its target.
    pub target: String,
    /// The file.
    pub file: PathBuf,
    /// Whether it was made now.
    pub built: bool,
}

/// Builds a driver's modules.
///
/// # Errors
///
/// [`Failure`] if something is wrong with properties or manifest, if it does not compile, or if a
/// module shows more symbols than it may.
pub fn build(options: &Options, progress: &mut dyn Progress) -> Result<Built, Failure> {
    let mut project = Project::open(&options.folder, options.file.as_deref())?;
    if !options.targets.is_empty() {
        let targets = options.targets.iter().map(|name| Target::named(name));
        project.targets = targets.collect::<Result<_, _>>()?;
    }
    let mut report = project.report.clone();
    let module = project.properties.primary_module().to_owned();
    let mut modules = Vec::new();
    for (abi, target) in project.abis(options.abi.as_deref())? {
        let file = project.module(&options.output, &abi, &module);
        let built = !(options.update && file.is_file());
        if built && !options.dry_run {
            let bytes = compile(&project, &target, progress, &mut report)?;
            write_file(&file, &bytes, true)?;
        }
        modules.push(Module { abi, target: target.name, file, built });
    }
    Ok(Built { modules, report })
}

/// Builds and checks the program for one target.
fn compile(
    project: &Project,
    target: &Target,
    progress: &mut dyn Progress,
    report: &mut Report,
) -> Result<Vec<u8>, Failure> {
    let scratch = tempfile::tempdir()
        .map_err(|error| Failure::io("make a folder in", &std::env::temp_dir(), &error))?;
    let options = build::Options {
        folder: project.folder.clone(),
        out: Some(scratch.path().into()),
        targets: vec![target.name.clone()],
        elf_only: true,
    };
    let built = build::build(&options, progress)?;
    report.extend(built.report);
    let mut bytes = Vec::new();
    for program in &built.programs {
        let path = &program.path;
        bytes = fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
        let findings = exports::check(&bytes, &project.properties.exports())?;
        report.extend_about(path, findings);
    }
    let ((), warnings) = std::mem::take(report).into_result(())?;
    *report = warnings;
    Ok(bytes)
}
