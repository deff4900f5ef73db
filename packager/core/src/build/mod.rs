//! From a driver's folder to a checked program and its package.

use std::path::PathBuf;

use crate::elf::{self, Expect, Program};
use crate::manifest::{self, Class, Manifest};
use crate::package::{self, Binary, Input};
use crate::target::Target;
use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure, Progress, Report, place_file};

mod backend;
mod c;
mod cargo;
mod hints;
mod plan;
mod toolchain;

pub use backend::{Backend, CodeGenerator};
pub use cargo::Workspace;
pub use plan::plan;
pub use toolchain::Tools;

pub use c::{FREESTANDING, builtin_headers, cross_tool, prefix_map};
pub use toolchain::run as run_tool;

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// The driver's folder.
    pub folder: PathBuf,
    /// Where results go; `out` at the root of the driver's workspace if not given.
    pub out: Option<PathBuf>,
    /// Targets to build for instead of those of `driver.toml`.
    pub targets: Vec<String>,
    /// Only build and check the program, make no package.
    pub elf_only: bool,
    /// Another code generator than that of the project's own toolchain.
    pub backend: Option<Backend>,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// The programs, in the order of their targets.
    pub programs: Vec<BuiltProgram>,
    /// The package, unless only programs were asked for.
    pub package: Option<PathBuf>,
    /// Warnings.
    pub report: Report,
}

/// A program that was built and checked.
#[derive(Debug)]
pub struct BuiltProgram {
    /// Name of its target.
    pub target: String,
    /// The ELF file.
    pub path: PathBuf,
    /// What is known of it.
    pub program: Program,
}

/// Builds a driver's program and, unless told otherwise, its package.
///
/// # Errors
///
/// [`Failure`] with everything that stands in the way. A package that was there is then unchanged.
pub fn build(options: &BuildOptions, progress: &mut dyn Progress) -> Result<Built, Failure> {
    let project = Project::open(options)?;
    let mut report = project.report.clone();
    let mut programs = Vec::new();
    let mut binaries = Vec::new();
    for target in &project.targets {
        let (path, bytes, program) = project.build(target, progress, &mut report)?;
        let info = program.info.clone();
        binaries.push(Binary { target: target.clone(), bytes, info });
        programs.push(BuiltProgram { target: target.name.clone(), path, program });
    }
    let mut package = None;
    if let (Some((manifest, text)), false) = (&project.manifest, options.elf_only) {
        progress.step("writing the package");
        let input =
            Input { manifest, manifest_text: text, program: &project.program, binaries: &binaries };
        let folder = project.out.join("pkg").join(&manifest.driver.name);
        package::emit(&input)?.write(&folder)?;
        package = Some(folder);
    }
    Ok(Built { programs, package, report })
}

/// A driver's folder, read and resolved.
struct Project {
    workspace: Workspace,
    /// `driver.toml` with its text; none for a plain program.
    manifest: Option<(Manifest, String)>,
    program: String,
    targets: Vec<Target>,
    folder: PathBuf,
    out: PathBuf,
    backend: Option<Backend>,
    report: Report,
}

impl Project {
    fn open(options: &BuildOptions) -> Result<Self, Failure> {
        let folder = &options.folder;
        let file = folder.join(manifest::FILE);
        let mut report = Report::new();
        let manifest = if file.is_file() {
            let text = input::read_text(&file, input::TEXT)
                .map_err(|error| Failure::io("read", &file, &error))?;
            let (manifest, warnings) = Manifest::from_toml(&file, &text)?;
            report.extend(warnings);
            Some((manifest, text))
        } else if options.elf_only {
            None
        } else {
            let there = folder.is_dir();
            let message = if there { "no driver.toml in this folder" } else { "no such folder" };
            let help = "name the driver's folder, or build a plain program with --elf-only";
            return Err(Diagnostic::error("no-manifest", message).file(folder).help(help).into());
        };
        let workspace = Workspace::of(folder)?;
        let wanted = manifest.as_ref().and_then(|(manifest, _)| manifest.driver.program.as_deref());
        let program = workspace.program(wanted)?;
        let names = match (&manifest, options.targets.is_empty()) {
            (_, false) => options.targets.clone(),
            (Some((manifest, _)), true) => manifest.targets.clone(),
            (None, true) => vec!["aarch64".into()],
        };
        let targets = names.iter().map(|name| Target::named(name)).collect::<Result<_, _>>()?;
        let out = options.out.clone().unwrap_or_else(|| workspace.root.join("out"));
        Ok(Self {
            workspace,
            manifest,
            program,
            targets,
            folder: folder.clone(),
            out,
            backend: options.backend.clone(),
            report,
        })
    }

    /// Builds the program for one target and checks it.
    fn build(
        &self,
        target: &Target,
        progress: &mut dyn Progress,
        report: &mut Report,
    ) -> Result<(PathBuf, Vec<u8>, Program), Failure> {
        let tools = Tools::find(&self.folder, target, self.backend.as_ref())?;
        tools.check_backend()?;
        let c_code = self.manifest.as_ref().and_then(|(manifest, _)| manifest.c.as_ref());
        let mut link = tools.link_args(&self.workspace)?;
        if let Some(c_code) = c_code {
            progress.step(&format!("building the C library for {}", target.name));
            let library = tools.build_libc(&self.workspace)?;
            progress.step(&format!("compiling C code for {}", target.name));
            link.extend(tools.compile(&self.workspace, &self.folder, c_code, &library)?);
        }
        progress.step(&format!("compiling {} for {}", self.program, target.name));
        let built = tools.build_program(&self.workspace, &self.program, &link)?;
        progress.step(&format!("checking {}", self.program));
        let bytes = input::read(&built, input::PROGRAM)
            .map_err(|error| Failure::io("read", &built, &error))?;
        let class = self.manifest.as_ref().map(|(manifest, _)| manifest.driver.class);
        let expect = Expect {
            target,
            drvinfo: class.is_some_and(|class| class != Class::Test),
            c_code: c_code.is_some(),
        };
        let (program, findings) = elf::verify(&bytes, &expect);
        report.extend_about(&built, findings);
        let Some(program) = program else { return Err(Failure(report.clone())) };
        let path = self.out.join("bin").join(&target.name).join(&self.program);
        place_file(&path, &bytes, true)?;
        Ok((path, bytes, program))
    }
}
