//! `udisetup`: from a package file to what is used of it. A server for L4Re becomes the package for
//! L4Re's build system that `build` makes of the driver's folder (`server`); a driver of UDI's own
//! kind becomes a folder with its modules (`plain`).

use std::fs;
use std::path::{Path, PathBuf};

use l4re_udi::archive::{Component, Place};

use super::choose::{Ask, shown};
use super::mkpkg;
use super::modules::CompileSettings;
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::manifest::{self, Manifest};

mod part;
mod plain;
mod server;

use part::Part;

/// Folder of a folder for results in which drivers of UDI's own kind are set up, each in
/// `<driver>/<component>/`.
pub const FOLDER: &str = "udi";

/// What to set up, and where.
#[derive(Debug, Clone, Default)]
pub struct SetupOptions {
    /// Package files.
    pub files: Vec<PathBuf>,
    /// Where results go: packages to `pkg/` in it, drivers of UDI's own kind to [`FOLDER`].
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
    /// Targets to set modules up for, in place of those that there are modules for.
    pub targets: Vec<String>,
    /// Check everything, write nothing.
    pub dry_run: bool,
    /// Folder for scratch files, in place of the system's.
    pub scratch: Option<PathBuf>,
    /// What is wished of compiler and linker.
    pub settings: CompileSettings,
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
    /// Name of the package for L4Re's build system, or the short name.
    pub name: String,
    /// The folder that was made.
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
    options: &SetupOptions,
    ask: &mut dyn Ask,
    progress: &mut dyn Progress,
) -> Result<Done, Failure> {
    let mut done = Done { packages: Vec::new(), report: Report::new() };
    for (file, place, component) in chosen(options, ask, progress)? {
        progress.step(&format!("setting up {place} of {}", file.display()));
        let part = Part { options, file: &file, place, component };
        let report = &mut done.report;
        let installed = match part.is_server()? {
            true => server::set_up(&part, progress, report)?,
            false => plain::set_up(&part, progress, report)?,
        };
        done.packages.push(installed);
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

/// What is set up in a folder for results: names and folders, sorted.
///
/// # Errors
///
/// [`Failure`] if the folder cannot be read.
pub fn installed(output: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut found = Vec::new();
    for path in folders(&output.join("pkg"))? {
        if let Ok((manifest, _)) = Manifest::load(&path.join(manifest::FILE)) {
            found.push((manifest.driver.name, path));
        }
    }
    for driver in folders(&output.join(FOLDER))? {
        for path in folders(&driver)? {
            if let Some(name) = plain::installed(&path) {
                found.push((name, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The folders in a folder, which need not be there.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let failed = |error| Failure::io("read", folder, &error);
    let mut found = Vec::new();
    for item in fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        // What is on its way has a name with a dot.
        if item.path().is_dir() && !item.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(item.path());
        }
    }
    Ok(found)
}

/// The components to set up, at most one alternate a driver.
fn chosen(
    options: &SetupOptions,
    ask: &mut dyn Ask,
    progress: &mut dyn Progress,
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
        found.iter().map(|(file, place, _)| format!("{place} ({})", shown(file))).collect();
    let same = |one: &Place, other: &Place| {
        (&one.driver, &one.component) == (&other.driver, &other.component)
    };
    let several = found.iter().enumerate().any(|(index, (_, place, _))| {
        found.iter().take(index).any(|(_, other, _)| same(place, other))
    });
    if options.ask || several {
        let question = if several { "several alternates of one driver" } else { "what to set up" };
        let mut numbers = Ok(Vec::new());
        progress.still(&mut || numbers = ask.choose(question, &names));
        let numbers = numbers?;
        let keep = |(index, item)| numbers.contains(&index).then_some(item);
        found = found.into_iter().enumerate().filter_map(keep).collect();
    }
    if let Some((_, place, _)) = found.iter().enumerate().find_map(|(index, item)| {
        found.iter().take(index).any(|other| same(&other.1, &item.1)).then_some(item)
    }) {
        let message = format!(
            "{}/…/{} was chosen twice; one would replace the other",
            place.driver, place.component
        );
        return Err(Diagnostic::error("udi-choice", message).into());
    }
    Ok(found)
}
