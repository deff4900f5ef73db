//! `udimkpkg`: from a driver's folder to its package file.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use l4re_files::input;
use l4re_udi::archive::{Component, ENDING, File, Limits, Package, Place};
use l4re_udi::{exports, props, section};

use super::{Project, modules, write_file};
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::manifest;

/// What a package holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Contents {
    /// Source and modules; source only, if there are no modules.
    #[default]
    Both,
    /// Source only.
    Source,
    /// Modules only.
    Binary,
}

/// What to pack, and where to.
#[derive(Debug, Clone, Default)]
pub struct MkpkgOptions {
    /// The driver's folder.
    pub folder: PathBuf,
    /// File with the properties, if it is not `udiprops.txt` in the folder.
    pub file: Option<PathBuf>,
    /// Folder with `bin/<abi>/`, as `udibuild` makes it.
    pub modules: PathBuf,
    /// Where the package goes.
    pub output: PathBuf,
    /// What it holds.
    pub contents: Contents,
    /// Name of the driver's folder in it, in place of the short name.
    pub driver: Option<String>,
    /// Name of the alternate's folder in it, in place of the release's number.
    pub alternate: Option<String>,
    /// Name of the component's folder in it, in place of the first module.
    pub component: Option<String>,
    /// Name of the processor binding, in place of the target's.
    pub abi: Option<String>,
    /// What happens to a package that is there.
    pub existing: Existing,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What happens to a package that is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Existing {
    /// It is an error.
    #[default]
    Keep,
    /// It is replaced.
    Overwrite,
    /// The new component is added; what it has in common with an old one is replaced.
    Update,
}

/// What was packed.
#[derive(Debug)]
pub struct Packed {
    /// The package.
    pub file: PathBuf,
    /// The paths in it, sorted.
    pub paths: Vec<String>,
    /// Warnings.
    pub report: Report,
}

/// Packs a driver.
///
/// # Errors
///
/// [`Failure`] if something that the package needs is missing or wrong. A package that was there is
/// then unchanged.
pub fn mkpkg(options: &MkpkgOptions) -> Result<Packed, Failure> {
    let project = Project::open(&options.folder, options.file.as_deref())?;
    let mut report = project.report.clone();
    let properties = &project.properties;
    let file = options.output.join(format!("{}.{ENDING}", properties.shortname()));
    let mut package = existing(&file, options.existing)?;
    let place = Place {
        driver: options.driver.clone().unwrap_or_else(|| properties.shortname().into()),
        alternate: options.alternate.clone().unwrap_or_else(|| properties.release().to_string()),
        component: options.component.clone().unwrap_or_else(|| properties.primary_module().into()),
    };
    let mut component = match options.existing {
        Existing::Update => package.get(&place).cloned().unwrap_or_default(),
        _ => Component::default(),
    };
    let mut collect = Collect { project: &project, component: &mut component };
    let modules = match options.contents {
        Contents::Source => None,
        contents => collect.modules(options, contents, &mut report)?,
    };
    let source = match options.contents {
        Contents::Binary => collect.headers()?,
        contents => collect.source(contents, modules.is_some(), &mut report)?,
    };
    if modules.is_none() && !source {
        let message = "nothing to pack: no modules, and no source files are named";
        let help = "build with udibuild, or name the files in `source_files` ([udi] sources)";
        return Err(Diagnostic::error("udi-empty", message)
            .file(&options.folder)
            .help(help)
            .into());
    }
    collect.extra()?;
    package.put(place, component)?;
    let ((), report) = report.into_result(())?;
    let all = package.components().flat_map(|(place, component)| {
        component.files().map(move |(path, _)| format!("{place}/{path}"))
    });
    let paths = all.collect();
    if !options.dry_run {
        let failed = |error| Failure::io("write", &file, &error);
        write_file(&file, &package.to_bytes().map_err(failed)?, false)?;
    }
    Ok(Packed { file, paths, report })
}

/// The package to add to.
fn existing(file: &Path, wanted: Existing) -> Result<Package, Failure> {
    match wanted {
        Existing::Keep if file.exists() => {
            let help = "--overwrite (-O) replaces it, --update (-U) adds to it";
            Err(Diagnostic::error("udi-exists", "is there already").file(file).help(help).into())
        }
        Existing::Update if file.exists() => read(file),
        _ => Ok(Package::default()),
    }
}

/// Reads a package file.
///
/// # Errors
///
/// [`Failure`] if it cannot be read or is not one.
pub fn read(file: &Path) -> Result<Package, Failure> {
    let limits = Limits::default();
    let io = |error| Failure::io("read", file, &error);
    let bytes = input::read(file, limits.archive).map_err(io)?;
    Package::from_bytes(&bytes, limits).map_err(|finding| finding.file(file).into())
}

/// A component being collected.
struct Collect<'a> {
    project: &'a Project,
    component: &'a mut Component,
}

impl Collect<'_> {
    /// Adds the modules; `None` if there are none and none are needed.
    fn modules(
        &mut self,
        options: &MkpkgOptions,
        contents: Contents,
        report: &mut Report,
    ) -> Result<Option<()>, Failure> {
        let properties = &self.project.properties;
        let mut kept = self.component.without("bin");
        std::mem::swap(self.component, &mut kept);
        let mut found = None;
        let abis = self.project.packed_abis(&options.modules, options.abi.as_deref())?;
        for abi in abis {
            for module in properties.modules() {
                let path = self.project.module(&options.modules, &abi, module);
                if !path.is_file() {
                    let message = "there is no such module";
                    let help = "build it first: packager udi build (udibuild)";
                    let missing = |severity: fn(&'static str, &'static str) -> Diagnostic| {
                        severity("udi-no-module", message).file(&path).help(help)
                    };
                    if contents == Contents::Binary {
                        return Err(missing(Diagnostic::error).into());
                    }
                    report.push(missing(Diagnostic::warning));
                    self.component.clone_from(&self.component.without("bin"));
                    return Ok(None);
                }
                let bytes = self.module(&path, module, report)?;
                self.add(&format!("bin/{abi}/{module}"), bytes, true)?;
                found = Some(());
            }
        }
        // Bindings that an update does not touch stay.
        for (path, file) in kept.files().filter(|(path, _)| path.starts_with("bin/")) {
            if self.component.get(path).is_none() {
                self.component.add(path, file.clone())?;
            }
        }
        Ok(found)
    }

    /// Reads a module, judges what it shows, and attaches the properties to the primary one.
    fn module(&self, path: &Path, module: &str, report: &mut Report) -> Result<Vec<u8>, Failure> {
        let properties = &self.project.properties;
        let about = |finding: Diagnostic| Failure::from(finding.file(path));
        let bytes =
            input::read(path, input::PROGRAM).map_err(|error| Failure::io("read", path, &error))?;
        let findings = match self.project.server {
            Some(_) => exports::check(&bytes, &properties.exports()),
            None => modules::judge(&bytes, properties),
        };
        report.extend_about(path, findings.map_err(about)?);
        if module != properties.primary_module() {
            return Ok(bytes);
        }
        section::attach(&bytes, &properties.section()).map_err(about)
    }

    /// Adds the source; whether there is any.
    fn source(
        &mut self,
        contents: Contents,
        modules: bool,
        report: &mut Report,
    ) -> Result<bool, Failure> {
        let properties = &self.project.properties;
        if properties.source_files().next().is_none() {
            if contents == Contents::Source || !modules {
                let message = "no source files are named";
                let help = "name them in `source_files`, or in driver.toml: [udi] sources = […]";
                let finding = Diagnostic::error("udi-source", message);
                report.push(finding.file(&self.project.folder).help(help));
            }
            return Ok(false);
        }
        self.component.clone_from(&self.component.without("src"));
        // Several modules can have a file in common.
        let files: BTreeSet<String> = properties.source_files().map(String::from).collect();
        self.add(&format!("src/{}", props::FILE), properties.to_string().into_bytes(), false)?;
        for file in files {
            let bytes = self.read(&file)?;
            self.add(&format!("src/{file}"), bytes, false)?;
        }
        Ok(true)
    }

    /// Adds the headers that a library provides: who uses its modules needs them. There is no source.
    fn headers(&mut self) -> Result<bool, Failure> {
        let headers: BTreeSet<&str> = self.project.properties.provided_headers().collect();
        for name in headers {
            let path = format!("src/{name}");
            if self.component.get(&path).is_none() {
                let bytes = self.read(name)?;
                self.add(&path, bytes, false)?;
            }
        }
        Ok(false)
    }

    /// Adds what is neither module nor source.
    fn extra(&mut self) -> Result<(), Failure> {
        let properties = &self.project.properties;
        let readable = properties.readable_files().map(|name| ("extra", name.to_owned()));
        let messages = properties.message_files().map(|name| ("msg", name.to_owned()));
        let files: BTreeSet<_> = readable.chain(messages).collect();
        self.component.clone_from(&self.component.without("extra").without("msg"));
        for (folder, name) in files {
            let bytes = match &self.project.server {
                // The text that was checked.
                Some(server) if name == manifest::FILE => server.text.clone().into_bytes(),
                _ => self.read(&name)?,
            };
            self.add(&format!("{folder}/{name}"), bytes, false)?;
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let path = self.project.folder.join(name);
        input::read(&path, input::PROGRAM).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                let message = "no such file; the properties name it";
                Diagnostic::error("udi-no-file", message).file(&path).into()
            }
            _ => Failure::io("read", &path, &error),
        })
    }

    fn add(&mut self, path: &str, bytes: Vec<u8>, executable: bool) -> Result<(), Failure> {
        Ok(self.component.add(path, File { bytes, executable })?)
    }
}
