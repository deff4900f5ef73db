//! `udibuild`: from a driver's folder to its modules below `bin/<abi>/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use l4re_files::input;
use l4re_udi::exports;
use serde::Serialize;

use super::modules::{self, CompileSettings, Modules};
use super::{Project, scratch, write_file};
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::build;
use l4re_packager_core::target::Target;

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct UdibuildOptions {
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
    /// Build only what changed.
    pub update: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Folder for scratch files, in place of the system's.
    pub scratch: Option<PathBuf>,
    /// What is wished of compiler and linker.
    pub settings: CompileSettings,
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
/// module shows more symbols than it may. Modules that were there are then unchanged.
pub fn build(options: &UdibuildOptions, progress: &mut dyn Progress) -> Result<Built, Failure> {
    let mut project = Project::open(&options.folder, options.file.as_deref())?;
    if !options.targets.is_empty() {
        let targets = options.targets.iter().map(|name| Target::named(name));
        project.targets = targets.collect::<Result<_, _>>()?;
    }
    let mut built = Built { modules: Vec::new(), report: project.report.clone() };
    for (abi, target) in project.abis(options.abi.as_deref())? {
        let work = Work { options, project: &project, abi: &abi, target: &target };
        match project.server {
            Some(_) => work.server(progress, &mut built)?,
            None => work.modules(progress, &mut built)?,
        }
    }
    Ok(built)
}

/// What is to be done for one processor binding.
struct Work<'a> {
    options: &'a UdibuildOptions,
    project: &'a Project,
    abi: &'a str,
    target: &'a Target,
}

impl Work<'_> {
    /// Where a module goes.
    fn file(&self, module: &str) -> PathBuf {
        self.project.module(&self.options.output, self.abi, module)
    }

    fn done(&self, file: PathBuf, was_built: bool, built: &mut Built) {
        let (abi, target) = (self.abi.into(), self.target.name.clone());
        built.modules.push(Module { abi, target, file, built: was_built });
    }

    /// Builds the program of a server.
    fn server(&self, progress: &mut dyn Progress, built: &mut Built) -> Result<(), Failure> {
        if self.options.settings.debug {
            let message = "a driver with driver.toml is built one way only";
            let help = "leave out -D; debug information is a matter of the profile in Cargo.toml";
            return Err(Diagnostic::error("udi-options", message).help(help).into());
        }
        let file = self.file(self.project.properties.primary_module());
        let mut changed = true;
        if !self.options.dry_run {
            let bytes = self.program(progress, &mut built.report)?;
            // What has to be compiled for that, cargo knows.
            changed = !(self.options.update
                && input::read(&file, input::PROGRAM).is_ok_and(|there| there == bytes));
            if changed {
                write_file(&file, &bytes, true)?;
            }
        }
        self.done(file, changed, built);
        Ok(())
    }

    /// Builds and checks the program.
    fn program(
        &self,
        progress: &mut dyn Progress,
        report: &mut Report,
    ) -> Result<Vec<u8>, Failure> {
        let scratch = scratch(self.options.scratch.as_deref())?;
        let options = build::BuildOptions {
            folder: self.project.folder.clone(),
            out: Some(scratch.path().into()),
            targets: vec![self.target.name.clone()],
            elf_only: true,
            backend: None,
        };
        let built = build::build(&options, progress)?;
        report.extend(built.report);
        let mut bytes = Vec::new();
        for program in &built.programs {
            let path = &program.path;
            bytes = input::read(path, input::PROGRAM)
                .map_err(|error| Failure::io("read", path, &error))?;
            let findings = exports::check(&bytes, &self.project.properties.exports())?;
            report.extend_about(path, findings);
        }
        let ((), warnings) = std::mem::take(report).into_result(())?;
        *report = warnings;
        Ok(bytes)
    }

    /// Builds modules from C; they are written when all are good.
    fn modules(&self, progress: &mut dyn Progress, built: &mut Built) -> Result<(), Failure> {
        let Project { properties, folder, file, .. } = self.project;
        let modules = Modules::open(properties, self.target, folder, &self.options.settings)?;
        let mut made = BTreeMap::new();
        for name in properties.modules() {
            let path = self.file(name);
            let current = self.options.update && modules.is_current(&path, file.as_deref());
            match (current, self.options.dry_run) {
                (true, _) => {}
                (false, true) => modules.explain(name, progress),
                (false, false) => {
                    let scratch = scratch(self.options.scratch.as_deref())?;
                    let bytes = modules.build(name, scratch.path(), progress)?;
                    made.insert(name.clone(), bytes);
                }
            }
            self.done(path, !current, built);
        }
        if made.len() == properties.modules().len() {
            let about = file.as_deref().unwrap_or(Path::new(l4re_udi::props::FILE));
            let mut report = Report::new();
            report.extend_about(about, modules::missing_symbols(properties, &made)?);
            report.into_result(())?;
        }
        made.iter().try_for_each(|(name, bytes)| write_file(&self.file(name), bytes, false))
    }
}
