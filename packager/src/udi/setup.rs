//! `udisetup`: from a package file to the package for L4Re's build system, the same that `build`
//! makes of the driver's folder.

use std::fs;
use std::path::{Path, PathBuf};

use l4re_udi::archive::{Component, Place};
use l4re_udi::props::{self, Properties};
use l4re_udi::section;

use super::choose::Ask;
use super::{abi, map, mkpkg, write_file};
use crate::build::{self, Progress};
use crate::diag::{Diagnostic, Failure, Report};
use crate::elf::{self, Expect};
use crate::manifest::{self, Class, Manifest};
use crate::package::{self, Binary, Input};
use crate::target::Target;

/// What to set up, and where.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Package files.
    pub files: Vec<PathBuf>,
    /// Where results go: packages to `pkg/` in it.
    pub output: PathBuf,
    /// Only drivers of this name.
    pub driver: Option<String>,
    /// Only alternates of this name.
    pub alternate: Option<String>,
    /// Only components of this name.
    pub component: Option<String>,
    /// Name of the processor binding, in place of the target's.
    pub abi: Option<String>,
    /// Ask which packages and components.
    pub ask: bool,
    /// Build from source even where there are modules.
    pub source: bool,
    /// Check everything, write nothing.
    pub dry_run: bool,
}

/// What was set up.
#[derive(Debug)]
pub struct Done {
    /// The packages.
    pub packages: Vec<Installed>,
    /// Warnings.
    pub report: Report,
}

/// A driver that was set up.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its short name.
    pub shortname: String,
    /// Where it was in the package.
    pub place: Place,
    /// The package file.
    pub file: PathBuf,
    /// Name of the package for L4Re's build system.
    pub name: String,
    /// The folder of that.
    pub folder: PathBuf,
    /// Whether it was built from source.
    pub from_source: bool,
}

/// Sets up the chosen drivers of the packages.
///
/// # Errors
///
/// [`Failure`] if there is nothing to set up, a package is no package, a choice is needed and nobody
/// is there to ask, or what a package holds is not good. Drivers before it are then set up.
pub fn setup(
    options: &Options,
    ask: &mut dyn Ask,
    progress: &mut dyn Progress,
) -> Result<Done, Failure> {
    let mut done = Done { packages: Vec::new(), report: Report::new() };
    for (file, place, component) in chosen(options, ask)? {
        progress.step(&format!("setting up {place} of {}", file.display()));
        let setup = Setup { options, file: &file, place, component };
        done.packages.push(setup.run(progress, &mut done.report)?);
    }
    Ok(done)
}

/// The package files of a folder: `*.udi` and `*.UDI`, sorted.
///
/// # Errors
///
/// [`Failure`] if the folder cannot be read or has none.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::io("read", folder, &error);
    let mut files = Vec::new();
    for item in fs::read_dir(folder).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if matches!(ending, Some("udi" | "UDI")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        let message = "no *.udi here";
        let help = "name a package file, or go to the folder with packages";
        return Err(Diagnostic::error("udi-none", message).file(folder).help(help).into());
    }
    Ok(files)
}

/// What is set up in a folder for results: names and folders of packages, sorted.
///
/// # Errors
///
/// [`Failure`] if the folder cannot be read.
pub fn installed(output: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let folder = output.join("pkg");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let failed = |error| Failure::io("read", &folder, &error);
    let mut packages = Vec::new();
    for item in fs::read_dir(&folder).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        if let Ok((manifest, _)) = Manifest::load(&path.join(manifest::FILE)) {
            packages.push((manifest.driver.name, path));
        }
    }
    packages.sort();
    Ok(packages)
}

/// The components to set up, at most one alternate a driver.
fn chosen(
    options: &Options,
    ask: &mut dyn Ask,
) -> Result<Vec<(PathBuf, Place, Component)>, Failure> {
    let mut found = Vec::new();
    for file in &options.files {
        let package = mkpkg::read(file)?;
        let fits = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|w| w == name);
        let components = package.components().filter(|(place, _)| {
            fits(&options.driver, &place.driver)
                && fits(&options.alternate, &place.alternate)
                && fits(&options.component, &place.component)
        });
        found.extend(components.map(|(place, part)| (file.clone(), place.clone(), part.clone())));
    }
    if found.is_empty() {
        let message = "no driver in the packages is called so";
        return Err(Diagnostic::error("udi-none", message).into());
    }
    let names: Vec<String> =
        found.iter().map(|(file, place, _)| format!("{place} ({})", file.display())).collect();
    let several = found.iter().enumerate().any(|(index, (_, place, _))| {
        let same =
            |other: &Place| other.driver == place.driver && other.component == place.component;
        found.iter().take(index).any(|(_, other, _)| same(other))
    });
    if options.ask || several {
        let question = if several { "several alternates of one driver" } else { "what to set up" };
        let numbers = ask.choose(question, &names)?;
        let keep = |(index, item)| numbers.contains(&index).then_some(item);
        found = found.into_iter().enumerate().filter_map(keep).collect();
    }
    Ok(found)
}

/// A component on its way.
struct Setup<'a> {
    options: &'a Options,
    file: &'a Path,
    place: Place,
    component: Component,
}

impl Setup<'_> {
    fn run(self, progress: &mut dyn Progress, report: &mut Report) -> Result<Installed, Failure> {
        let properties = self.properties(report)?;
        let (text, manifest) = self.manifest(&properties, report)?;
        let binaries = match self.options.source {
            true => None,
            false => self.binaries(&properties, &manifest, report)?,
        };
        let folder = self.options.output.join("pkg").join(&manifest.driver.name);
        let from_source = binaries.is_none();
        match binaries {
            Some(binaries) => {
                let program = properties.primary_module();
                let input = Input {
                    manifest: &manifest,
                    manifest_text: &text,
                    program,
                    binaries: &binaries,
                };
                let tree = package::emit(&input).map_err(|failure| self.about(failure))?;
                if !self.options.dry_run {
                    tree.write(&folder)?;
                }
            }
            None => self.build(&text, progress, report)?,
        }
        Ok(Installed {
            shortname: properties.shortname().into(),
            place: self.place.clone(),
            file: self.file.into(),
            name: manifest.driver.name,
            folder,
            from_source,
        })
    }

    /// Findings are about a file in the package.
    fn inside(&self, path: &str) -> PathBuf {
        self.file.join(self.place.to_string()).join(path)
    }

    fn about(&self, failure: Failure) -> Failure {
        let mut report = Report::new();
        report.extend_about(self.file, failure.0);
        Failure(report)
    }

    /// The module of a component: its name and the bytes for each binding.
    fn module(&self) -> Option<(&str, &str, &[u8])> {
        let (path, file) = self.component.below("bin").next()?;
        let (abi, name) = path.split_once('/')?;
        Some((abi, name, &file.bytes))
    }

    /// The properties: those that are attached to a module, or those of the source.
    fn properties(&self, report: &mut Report) -> Result<Properties, Failure> {
        let source = format!("src/{}", props::FILE);
        let mut of_source = None;
        if let Some(file) = self.component.get(&source) {
            let (properties, warnings) = Properties::parse(&self.inside(&source), &file.bytes)?;
            report.extend(warnings);
            of_source = Some(properties);
        }
        let mut of_module = None;
        for (path, file) in self.component.below("bin") {
            let about = self.inside(&format!("bin/{path}"));
            let content = section::content_of(&file.bytes);
            let Some(content) = content.map_err(|finding| finding.file(&about))? else { continue };
            let (properties, warnings) = Properties::from_section(&about, content)?;
            report.extend(warnings);
            let differs = |other: &Properties| other.section() != content;
            if of_source.as_ref().is_some_and(differs) || of_module.as_ref().is_some_and(differs) {
                let message = "the attached properties are not those of the rest of the package";
                let help = "pack the driver again";
                return Err(Diagnostic::error("udi-differs", message)
                    .file(&about)
                    .help(help)
                    .into());
            }
            of_module = Some(properties);
        }
        of_source.or(of_module).ok_or_else(|| {
            let message = format!("{}: neither properties at a module nor source", self.place);
            Diagnostic::error("udi-empty", message).file(self.file).into()
        })
    }

    fn manifest(
        &self,
        properties: &Properties,
        report: &mut Report,
    ) -> Result<(String, Manifest), Failure> {
        let packed = ["extra", "src"].map(|folder| format!("{folder}/{}", manifest::FILE));
        let packed = packed.iter().find_map(|path| Some((path, self.component.get(path)?)));
        let (path, text) = match packed {
            Some((path, file)) => {
                let path = self.inside(path);
                let text = String::from_utf8(file.bytes.clone()).map_err(|error| {
                    let offset = error.utf8_error().valid_up_to() as u64;
                    let finding = Diagnostic::error("udi-text", "the text is not UTF-8");
                    finding.file(&path).offset(offset)
                })?;
                (path, text)
            }
            None => {
                let targets = self.targets()?;
                let (text, warnings) = map::manifest(self.file, properties, &targets)?;
                report.extend(warnings);
                (self.inside(manifest::FILE), text)
            }
        };
        let (manifest, warnings) = Manifest::from_toml(&path, &text)?;
        report.extend(warnings);
        Ok((text, manifest))
    }

    /// The targets that the package has modules for.
    fn targets(&self) -> Result<Vec<Target>, Failure> {
        if let (Some(_), Some((_, _, bytes))) = (&self.options.abi, self.module()) {
            return Ok(vec![elf::target_of(bytes).map_err(|finding| finding.file(self.file))?]);
        }
        let targets: Vec<Target> =
            self.component.abis().iter().filter_map(|name| abi::target(name)).collect();
        if targets.is_empty() {
            let message = "neither driver.toml nor a module for a known processor binding";
            return Err(Diagnostic::error("udi-abi", message).file(self.file).into());
        }
        Ok(targets)
    }

    /// The programs for all targets of the manifest, as they were built; `None` if there are not all
    /// of them, and source to build them from.
    fn binaries(
        &self,
        properties: &Properties,
        manifest: &Manifest,
        report: &mut Report,
    ) -> Result<Option<Vec<Binary>>, Failure> {
        let mut binaries = Vec::new();
        for name in &manifest.targets {
            let target = Target::named(name)?;
            let abi = self.options.abi.clone().unwrap_or_else(|| abi::name(&target));
            let path = format!("bin/{abi}/{}", properties.primary_module());
            let Some(file) = self.component.get(&path) else {
                if self.component.has_source() {
                    return Ok(None);
                }
                let message = format!("no module for {name} and no source; it would be `{path}`");
                let there = self.component.abis().join(", ");
                let help = format!("there are modules for: {there}; --abi takes one of them");
                let finding = Diagnostic::error("udi-abi", message).file(self.file);
                return Err(finding.help(help).into());
            };
            let about = self.inside(&path);
            let bytes = section::detach(&file.bytes).map_err(|finding| finding.file(&about))?;
            let expect = Expect {
                target: &target,
                drvinfo: manifest.driver.class != Class::Test,
                c_code: manifest.c.is_some(),
            };
            let (program, findings) = elf::verify(&bytes, &expect);
            let mut more = Report::new();
            more.extend_about(&about, findings);
            let ((), more) = more.into_result(())?;
            report.extend(more);
            let info = program.and_then(|program| program.info);
            binaries.push(Binary { target, bytes, info });
        }
        Ok(Some(binaries))
    }

    /// Builds the driver from the source in the package.
    fn build(
        &self,
        manifest_text: &str,
        progress: &mut dyn Progress,
        report: &mut Report,
    ) -> Result<(), Failure> {
        if !self.component.has_source() {
            let message = format!("{}: the package has no source", self.place);
            return Err(Diagnostic::error("udi-source", message).file(self.file).into());
        }
        if self.options.dry_run {
            return Ok(());
        }
        let scratch = tempfile::tempdir()
            .map_err(|error| Failure::io("make a folder in", &std::env::temp_dir(), &error))?;
        let folder = scratch.path().join(&self.place.driver);
        for (path, file) in self.component.below("src") {
            write_file(&folder.join(path), &file.bytes, false)?;
        }
        write_file(&folder.join(manifest::FILE), manifest_text.as_bytes(), false)?;
        let options = build::Options {
            folder,
            out: Some(self.options.output.clone()),
            ..build::Options::default()
        };
        let built = build::build(&options, progress)?;
        report.extend(built.report);
        Ok(())
    }
}
