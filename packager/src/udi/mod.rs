//! UDI packages of drivers: building, packing, setting up.
//!
//! The formats are in the crate `l4re-udi`; here they meet `driver.toml`, cargo and the package for
//! L4Re's build system. Without a `udiprops.txt` the properties are made of `driver.toml` ([`map`]).

use std::fs;
use std::path::{Path, PathBuf};

use l4re_udi::props::{self, Properties};

use crate::diag::{Diagnostic, Failure, Report};
use crate::manifest::{self, Manifest};
use crate::target::Target;

pub mod abi;
pub mod build;
pub mod choose;
pub mod map;
pub mod mkpkg;
pub mod setup;

pub use build::build;
pub use mkpkg::mkpkg;
pub use setup::setup;

/// A driver's folder, as the tools of UDI see it.
#[derive(Debug)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// Its properties, read or made.
    pub properties: Properties,
    /// The file with the properties; none if they were made of `driver.toml`.
    pub file: Option<PathBuf>,
    /// Its `driver.toml`.
    pub manifest: Manifest,
    /// The text of it.
    pub manifest_text: String,
    /// The targets it is for.
    pub targets: Vec<Target>,
    /// Warnings.
    pub report: Report,
}

impl Project {
    /// Opens a driver's folder; `file` names the properties if they are not in `udiprops.txt`.
    ///
    /// # Errors
    ///
    /// [`Failure`] with everything that is wrong in properties and manifest.
    pub fn open(folder: &Path, file: Option<&Path>) -> Result<Self, Failure> {
        let path = folder.join(manifest::FILE);
        if !path.is_file() {
            let message = "no driver.toml in this folder";
            let help = "name a driver's folder; driver.toml says how a driver is built for L4Re";
            return Err(Diagnostic::error("no-manifest", message).file(folder).help(help).into());
        }
        let text = fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
        let (manifest, mut report) = Manifest::from_toml(&path, &text)?;
        let targets = manifest.targets.iter().map(|name| Target::named(name));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let default = folder.join(props::FILE);
        let file = match file {
            Some(file) => Some(file.to_owned()),
            None => default.is_file().then_some(default),
        };
        let properties = match &file {
            Some(file) => {
                let (properties, warnings) = Properties::load(file)?;
                report.extend(warnings);
                report.extend(compare(file, &properties, &manifest));
                properties
            }
            None => map::properties(&manifest, &program(folder, &manifest)?)?,
        };
        let ((), report) = report.into_result(())?;
        let folder = folder.to_owned();
        Ok(Self { folder, properties, file, manifest, manifest_text: text, targets, report })
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

    /// The file of a module.
    fn module(&self, bin: &Path, abi: &str, module: &str) -> PathBuf {
        debug_assert!(self.properties.modules().iter().any(|known| known == module));
        bin.join("bin").join(abi).join(module)
    }
}

/// The name of the program.
fn program(folder: &Path, manifest: &Manifest) -> Result<String, Failure> {
    if let Some(program) = &manifest.driver.program {
        return Ok(program.clone());
    }
    crate::build::Workspace::of(folder)?.program(None)
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

/// Writes a file whole or not at all.
fn write_file(path: &Path, bytes: &[u8], executable: bool) -> Result<(), Failure> {
    crate::install::place_file(path, bytes, executable)
}
