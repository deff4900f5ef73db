//! UDI packages of drivers: building, packing, setting up.
//!
//! The formats are in the crate `l4re-udi`; here they meet compilers and the rest of the packager.
//! There are two kinds of drivers. A server for L4Re has a `driver.toml`: its module is the program
//! that `build` makes, and it is set up as the package for L4Re's build system. Without `udiprops.txt`
//! its properties are made of `driver.toml` ([`convert`]). A driver or library of UDI's own kind has
//! `udiprops.txt` and C sources only: its modules are relocatable objects ([`modules`]).

use std::fs;
use std::path::{Path, PathBuf};

use l4re_files::{ScratchFolder, input};
use l4re_udi::props::{self, Properties};

use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::manifest::{self, Manifest};
use l4re_packager_core::target::Target;

pub mod abi;
pub mod choose;
pub mod convert;
pub mod mkpkg;
pub mod modules;
pub mod setup;
pub mod udibuild;

pub use mkpkg::mkpkg;
pub use setup::setup;
pub use udibuild::build;

/// A driver's folder, as the tools of UDI see it.
#[derive(Debug)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// Its properties, read or made.
    pub properties: Properties,
    /// The file with the properties; none if they were made of `driver.toml`.
    pub file: Option<PathBuf>,
    /// What makes it a server for L4Re; without, it is a driver or library of UDI's own kind.
    pub server: Option<Server>,
    /// The targets it is for.
    pub targets: Vec<Target>,
    /// Warnings.
    pub report: Report,
}

/// What a driver's folder has if the driver is a server for L4Re.
#[derive(Debug)]
pub struct Server {
    /// Its `driver.toml`.
    pub manifest: Manifest,
    /// The text of it.
    pub text: String,
}

/// What a driver without `driver.toml` is built for, if nobody says.
const DEFAULT_TARGET: &str = "aarch64";

impl Project {
    /// Opens a driver's folder; `file` names the properties if they are not in `udiprops.txt`.
    ///
    /// # Errors
    ///
    /// [`Failure`] with everything that is wrong in properties and manifest.
    pub fn open(folder: &Path, file: Option<&Path>) -> Result<Self, Failure> {
        let default = folder.join(props::FILE);
        let file = match file {
            Some(file) => Some(file.to_owned()),
            None => default.is_file().then_some(default),
        };
        let mut report = Report::new();
        let server = Server::open(folder, &mut report)?;
        let properties = match (&file, &server) {
            (Some(file), _) => {
                let (properties, warnings) = Properties::load(file)?;
                report.extend(warnings);
                if let Some(server) = &server {
                    report.extend(compare(file, &properties, &server.manifest));
                }
                properties
            }
            (None, Some(server)) => {
                convert::properties(&server.manifest, &program(folder, &server.manifest)?)?
            }
            (None, None) => {
                let message = match folder.is_dir() {
                    true => "neither udiprops.txt nor driver.toml in this folder",
                    false => "no such folder",
                };
                let help = "go to a driver's folder or name it; -s names another file with the \
                            properties";
                let finding = Diagnostic::error("udi-no-file", message);
                return Err(finding.file(folder).help(help).into());
            }
        };
        let targets = match &server {
            Some(server) => {
                server.manifest.targets.iter().map(|name| Target::named(name)).collect()
            }
            None => Target::named(DEFAULT_TARGET).map(|target| vec![target]),
        };
        let ((), report) = report.into_result(())?;
        Ok(Self { folder: folder.to_owned(), properties, file, server, targets: targets?, report })
    }

    /// Names of the processor bindings for which modules are made, with their targets. `name` stands
    /// for the name of the only one.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is one name for several targets.
    pub fn abis(&self, name: Option<&str>) -> Result<Vec<(String, Target)>, Failure> {
        match (name, self.targets.as_slice()) {
            (Some(name), [target]) => Ok(vec![(name.into(), target.clone())]),
            (Some(name), targets) => {
                let message = format!("one name `{name}` for {} targets", targets.len());
                let help = "each binding has a name of its own; leave out --abi";
                Err(Diagnostic::error("udi-abi", message).help(help).into())
            }
            (None, targets) => {
                Ok(targets.iter().map(|target| (abi::name(target), target.clone())).collect())
            }
        }
    }

    /// Names of the processor bindings to pack modules for: those that the driver is for or, without
    /// `driver.toml`, those below `bin` in the folder `modules`.
    ///
    /// # Errors
    ///
    /// As [`Project::abis`], and [`Failure`] if the folder cannot be read.
    fn packed_abis(&self, modules: &Path, name: Option<&str>) -> Result<Vec<String>, Failure> {
        let folder = modules.join("bin");
        if self.server.is_some() || name.is_some() || !folder.is_dir() {
            return Ok(self.abis(name)?.into_iter().map(|(abi, _)| abi).collect());
        }
        let failed = |error| Failure::io("read", &folder, &error);
        let mut names = Vec::new();
        for item in fs::read_dir(&folder).map_err(failed)? {
            let item = item.map_err(failed)?;
            if item.path().is_dir() {
                names.push(item.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The file of a module.
    fn module(&self, bin: &Path, abi: &str, module: &str) -> PathBuf {
        debug_assert!(self.properties.modules().iter().any(|known| known == module));
        bin.join("bin").join(abi).join(module)
    }
}

impl Server {
    /// Reads `driver.toml`, if the folder has one.
    fn open(folder: &Path, report: &mut Report) -> Result<Option<Self>, Failure> {
        let path = folder.join(manifest::FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let text = input::read_text(&path, input::TEXT)
            .map_err(|error| Failure::io("read", &path, &error))?;
        let (manifest, warnings) = Manifest::from_toml(&path, &text)?;
        report.extend(warnings);
        Ok(Some(Self { manifest, text }))
    }
}

/// The name of the program.
fn program(folder: &Path, manifest: &Manifest) -> Result<String, Failure> {
    if let Some(program) = &manifest.driver.program {
        return Ok(program.clone());
    }
    l4re_packager_core::build::Workspace::of(folder)?.program(None)
}

/// What properties and manifest of one driver must agree on.
fn compare(file: &Path, properties: &Properties, manifest: &Manifest) -> Report {
    let mut report = Report::new();
    let [module] = properties.modules() else {
        let message = "several modules; a driver for L4Re is one program";
        report.push(Diagnostic::error("udi-modules", message).file(file));
        return report;
    };
    if let Some(program) = &manifest.driver.program
        && program != module
    {
        let message = format!("the module is `{module}`, the program in driver.toml `{program}`");
        report.push(Diagnostic::error("udi-modules", message).file(file));
    }
    if !properties.readable_files().any(|name| name == manifest::FILE) {
        let message = "driver.toml is not packaged; setting up has to guess from the properties";
        let help = "add `readable_file driver.toml`";
        report.push(Diagnostic::warning("udi-manifest", message).file(file).help(help));
    }
    report
}

/// A folder for scratch files, in `parent` or where the system has them.
fn scratch(parent: Option<&Path>) -> Result<ScratchFolder, Failure> {
    let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
    if !parent.is_dir() {
        let message = "there is no such folder for scratch files";
        let help = "name one with -T or UDI_BLDTMPDIR";
        return Err(Diagnostic::error("udi-no-file", message).file(&parent).help(help).into());
    }
    ScratchFolder::within(&parent).map_err(|error| Failure::io("make a folder in", &parent, &error))
}

/// Writes a file whole or not at all.
fn write_file(path: &Path, bytes: &[u8], executable: bool) -> Result<(), Failure> {
    l4re_packager_base::place_file(path, bytes, executable)
}
