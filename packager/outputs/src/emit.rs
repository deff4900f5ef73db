//! Packages in another form: from a driver's folder or a finished package to the trees of
//! [`crate::buildroot`] and [`crate::systemd`], or to packages for L4Re's own build.

use std::fs;
use std::path::{Path, PathBuf};

use crate::buildroot;
use crate::systemd::{self, Service, System};
use l4re_files::input;
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::build;
use l4re_packager_core::check::Package;
use l4re_packager_core::manifest;
use l4re_packager_core::package::{self, Tree};

/// A form of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One folder for each, for L4Re's build system.
    L4re,
    /// A tree for `BR2_EXTERNAL`.
    Buildroot,
    /// Units, links, and scripts of ned.
    Systemd,
}

impl Format {
    /// Name of the folder for it in `out`.
    pub fn folder(self) -> &'static str {
        match self {
            Self::L4re => "pkg",
            Self::Buildroot => "buildroot",
            Self::Systemd => "systemd",
        }
    }
}

/// What to emit.
#[derive(Debug, Clone)]
pub struct EmitOptions {
    /// Folders of drivers, which are built first, or packages.
    pub paths: Vec<PathBuf>,
    /// The form.
    pub format: Format,
    /// Where it goes; if not given, [`Format::folder`] in `out` at the root of the first driver's
    /// workspace, or in `out` here for packages.
    pub out: Option<PathBuf>,
    /// For systemd: start it so that it shows what it does.
    pub debug: bool,
}

/// What was written.
#[derive(Debug)]
pub struct Emitted {
    /// The folders, in the order of the packages for L4Re, else one.
    pub folders: Vec<PathBuf>,
    /// Warnings.
    pub report: Report,
}

/// Writes packages in another form, whole or not at all.
///
/// # Errors
///
/// [`Failure`] if a driver cannot be built, a package is not good, or they do not fit together.
pub fn emit(options: &EmitOptions, progress: &mut dyn Progress) -> Result<Emitted, Failure> {
    let mut report = Report::new();
    let mut packages = Vec::new();
    for path in &options.paths {
        packages.push((path.clone(), open(path, progress, &mut report)?));
    }
    progress.step("writing");
    let out = &match &options.out {
        Some(out) => out.clone(),
        None => default_out(&options.paths)?.join(options.format.folder()),
    };
    let folders = match options.format {
        Format::L4re => {
            let mut folders = Vec::new();
            for (_, package) in &packages {
                let folder = out.join(&package.manifest.driver.name);
                package::emit(&package.input())?.write(&folder)?;
                folders.push(folder);
            }
            folders
        }
        Format::Buildroot => {
            for_buildroot(&packages)?.write_over(out, &[buildroot::MARK])?;
            vec![out.clone()]
        }
        Format::Systemd => {
            let services = packages.iter().map(|(_, package)| Service::of(package));
            let services = services.collect::<Result<_, _>>()?;
            let (system, warnings) = System::new(services, options.debug)?;
            report.extend(warnings);
            system.emit().write_over(out, &[systemd::MARK])?;
            vec![out.clone()]
        }
    };
    Ok(Emitted { folders, report })
}

/// Where results of a build go, too.
fn default_out(paths: &[PathBuf]) -> Result<PathBuf, Failure> {
    let mut drivers = paths.iter().filter(|path| !path.join("Control").is_file());
    Ok(match drivers.next() {
        Some(driver) => build::Workspace::of(driver)?.root.join("out"),
        None => "out".into(),
    })
}

/// The package at a path; a driver's folder is built.
fn open(path: &Path, progress: &mut dyn Progress, report: &mut Report) -> Result<Package, Failure> {
    if path.join("Control").is_file() {
        return Package::load(path);
    }
    if !path.join(manifest::FILE).is_file() {
        let there = path.exists();
        let message =
            if there { "neither a driver's folder nor a package" } else { "no such folder" };
        let help = "name a folder with driver.toml, or a package that `packager build` made";
        return Err(Diagnostic::error("no-manifest", message).file(path).help(help).into());
    }
    let options = build::BuildOptions { folder: path.into(), ..build::BuildOptions::default() };
    let built = build::build(&options, progress)?;
    report.extend(built.report);
    match built.package {
        Some(folder) => Package::load(&folder),
        None => {
            Err(Diagnostic::error("no-package", "building it made no package").file(path).into())
        }
    }
}

/// Bytes of a licence at most.
const MAX_LICENCE: u64 = 1 << 20;

fn for_buildroot(packages: &[(PathBuf, Package)]) -> Result<Tree, Failure> {
    let mut inputs = Vec::new();
    for (path, package) in packages {
        let service = Service::of(package)?;
        let unit = (service.unit(), systemd::unit_text(&service));
        let licences = licences(path)?;
        inputs.push(buildroot::Input { package, unit, host: host(path, package)?, licences });
    }
    buildroot::emit(&inputs)
}

/// The texts of the licences: in the folder, or at the root of the workspace that it belongs to.
fn licences(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let found = licences_in(folder)?;
    match build::Workspace::of(folder) {
        Ok(workspace) if found.is_empty() => licences_in(&workspace.root),
        _ => Ok(found),
    }
}

/// The files of a folder that by their names are licences, sorted.
fn licences_in(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let failed = |error| Failure::io("read", folder, &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let about = entry.metadata().map_err(failed)?;
        let Some(name) = entry.file_name().to_str().map(String::from) else { continue };
        let is_licence =
            ["LICENSE", "LICENCE", "COPYING"].iter().any(|word| name.starts_with(word));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if is_licence && name.chars().all(plain) && about.is_file() && about.len() <= MAX_LICENCE {
            let bytes = input::read(&entry.path(), input::TEXT).map_err(failed)?;
            found.push((name, bytes));
        }
    }
    found.sort();
    Ok(found)
}

/// The program for the machine that builds. It lies beside `driver.toml`, not in the package.
fn host(folder: &Path, package: &Package) -> Result<Option<(String, Vec<u8>)>, Failure> {
    let Some(file) = &package.manifest.driver.host_program else { return Ok(None) };
    let path = folder.join(file);
    let bytes = input::read(&path, input::PROGRAM).map_err(|error| {
        let diagnostic = Diagnostic::error("no-host-program", format!("cannot read: {error}"));
        Failure::from(diagnostic.file(&path).help(
            "`host-program` in driver.toml names it; it is in the driver's folder and not in the \
             package, so emit from there",
        ))
    })?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(name.map(|name| (name, bytes)))
}
