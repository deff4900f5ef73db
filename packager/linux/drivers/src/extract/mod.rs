//! Taking one driver out of a Linux tree.
//!
//! | step | from | to |
//! |---|---|---|
//! | `configuration` | a base and the driver's symbol | the least configuration with the driver on |
//! | `toplevel` | the top Makefile under it | what the compiler is told for every object |
//! | `modules` | the Makefiles under it | modules: objects, sources, flags |
//! | `closure` | the sources | the headers that they need, and whose these are |
//! | `facts` | the sources | licences, firmware |
//! | [`gather`] | all of it | a [`Workspace`]: `driver.yaml` and the files around it |
//! | [`compile_command`] | `driver.yaml` | the command that compiles an object |
//!
//! The tree is only read; commands that its Kconfig files and top Makefile ask for run in an empty
//! temporary folder.

use std::path::{Path, PathBuf};

use l4re_kbuild::Survey;
use l4re_kconfig::Kconfig;

mod closure;
mod compile;
mod configuration;
mod content;
mod destination;
mod files;
mod flags;
mod minimal;
mod modules;
mod providers;
mod source_info;
mod toplevel;

pub use compile::{CompileCommand, Folders, compile_command, source_of};
pub use content::{Subject, gather};
pub use destination::Destination;
pub use minimal::Change;

use crate::catalog::{Catalog, drivers_folder};
use crate::request::{BaseConfig, Request};
use crate::workspace::DriverYaml;
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::package::Tree;

/// A driver that was taken out of a tree, not yet written anywhere.
#[derive(Debug)]
pub struct Workspace {
    /// The manifest.
    pub manifest: DriverYaml,
    /// All files of the workspace, the manifest among them.
    pub files: Tree,
    /// What was set in the configuration, and why.
    pub changes: Vec<Change>,
}

/// A workspace on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// The manifest in it.
    pub manifest: PathBuf,
}

impl Workspace {
    /// Writes the workspace: completely, or not at all. `tree` is where it comes from, which is
    /// not written to.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the destination is in use, lies in the tree, or cannot
    /// be written.
    pub fn write(&self, destination: &Destination, tree: &Path) -> Result<Written, Failure> {
        destination::write(&self.files, destination, tree)
    }
}

/// What `packager extract` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The tree, the architecture, the compiler.
    pub request: Request,
    /// The driver's symbol, in any case, with or without `CONFIG_`.
    pub driver: String,
    /// The subsystem that defines it, if there are several.
    pub subsystem: Option<String>,
    /// What the configuration starts from.
    pub base: BaseConfig,
    /// Where the workspace goes.
    pub destination: Destination,
    /// Whether all headers are copied.
    pub self_contained: bool,
}

/// What was extracted.
#[derive(Debug)]
pub struct Extracted {
    /// Where it is.
    pub written: Written,
    /// What it is.
    pub workspace: Workspace,
}

/// Takes a driver out of a tree, and writes its workspace.
///
/// # Errors
///
/// [`Failure`] if there is no tree or no such driver, if it cannot be turned on, or if the
/// workspace cannot be written.
pub fn extract(
    options: &Options,
    progress: &mut dyn Progress,
) -> Result<(Extracted, Report), Failure> {
    let (opened, mut report) = options.request.open()?;
    // Asked for its version, for sizes, for what it can do: nothing goes without it.
    opened.compilers.require(&opened.arch, "gcc")?;
    progress.step("reading Kconfig files and Makefiles");
    // What is doubtful in a tree's files is for those who maintain the tree.
    let (kconfig, survey, _doubts) = opened.read(true)?;
    let catalog = Catalog::of(&opened.tree, &opened.arch, &kconfig, &survey);
    let driver = symbol(&catalog, &kconfig, &survey, options)?;
    progress.step("evaluating the configuration and following the headers");
    let subject = Subject {
        root: opened.tree.root(),
        kernel: opened.tree.version().to_string(),
        arch: &opened.arch.name,
        cross_compile: &opened.compilers.prefix,
        kconfig: &kconfig,
        survey: &survey,
        driver: &driver,
        base: &options.base,
        self_contained: options.self_contained,
    };
    let (workspace, found) = gather(&subject)?;
    report.extend(found);
    let written = workspace.write(&options.destination, opened.tree.root())?;
    Ok((Extracted { written, workspace }, report))
}

/// The symbol that is meant: of the catalog, or a driver outside of `drivers/` (`sound/`, `net/`).
fn symbol(
    catalog: &Catalog,
    kconfig: &Kconfig,
    survey: &Survey,
    options: &Options,
) -> Result<String, Failure> {
    let subsystem = options.subsystem.as_deref();
    let name = match options.driver.split_at_checked("CONFIG_".len()) {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case("CONFIG_") => name,
        _ => &options.driver,
    };
    let outside = [name.to_owned(), name.to_uppercase()].into_iter().find_map(|name| {
        let symbol = kconfig.find_defined(&name)?;
        let (file, _) = minimal::place(kconfig, symbol)?;
        let builds = survey.modules(&name).next().is_some();
        let chosen = kconfig.prompts(symbol).next().is_some();
        (drivers_folder(&file).is_none() && builds && chosen).then_some((name, file))
    });
    if let Some((name, file)) = outside
        && catalog.named(&name).is_empty()
    {
        let own = file.split('/').next().unwrap_or_default();
        if subsystem.is_some_and(|wanted| wanted != own) {
            let message = format!("{name} is not in {}", subsystem.unwrap_or_default());
            let help = format!("it is in {own}, {file}");
            return Err(Diagnostic::error("no-driver", message).help(help).into());
        }
        return Ok(name);
    }
    catalog.driver(name, subsystem).map(|entry| entry.symbol.clone())
}
