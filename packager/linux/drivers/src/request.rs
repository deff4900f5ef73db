//! From what a command line says of a tree to its catalog.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;

use l4re_files::input;
use l4re_kbuild::Survey;
use l4re_kconfig::{
    Config, Environment, HostShell, Kconfig, NoShell, Preset, Shell, Tools, TreeSource,
};

use super::catalog::Catalog;
use super::tools::{Compilers, Surroundings};
use super::tree::{Architecture, Tree};
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, Report};

/// Which tree is meant, and for which architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The folder of the tree.
    pub folder: PathBuf,
    /// The architecture; [`super::tree::DEFAULT_ARCH`] if not given.
    pub arch: Option<String>,
    /// Prefix of the cross compiler, if it is not to be found out.
    pub cross_compile: Option<String>,
}

/// What a configuration starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseConfig {
    /// `make tinyconfig`.
    Tiny,
    /// `make defconfig`.
    Defconfig,
    /// `make allmodconfig`.
    Allmodconfig,
    /// A `.config` file.
    File(PathBuf),
}

impl FromStr for BaseConfig {
    type Err = &'static str;

    /// A file is what is none of the words; `./tiny` is one.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "" => Err("names neither a configuration nor a file"),
            "tiny" => Ok(Self::Tiny),
            "defconfig" => Ok(Self::Defconfig),
            "allmodconfig" => Ok(Self::Allmodconfig),
            file => Ok(Self::File(file.into())),
        }
    }
}

/// A tree that was found to be one.
#[derive(Debug)]
pub struct Opened {
    /// The tree.
    pub tree: Tree,
    /// The architecture.
    pub arch: Architecture,
    /// The compilers for it.
    pub compilers: Compilers,
}

impl Request {
    /// Looks at the tree.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it is none, or does not have the architecture.
    pub fn open(&self) -> Result<(Opened, Report), Failure> {
        let (tree, report) = Tree::open(&self.folder)?;
        let arch = tree.architecture(self.arch.as_deref())?;
        let around = Surroundings::real(self.cross_compile.as_deref());
        let compilers = Compilers::choose(&arch, &around);
        Ok((Opened { tree, arch, compilers }, report))
    }
}

impl Opened {
    /// Reads the Kconfig files. `executes` says whether commands in them may be run, which values
    /// can need; otherwise nothing is executed at all.
    ///
    /// # Errors
    ///
    /// [`Failure`] with the mistakes in the files.
    pub fn kconfig(&self, executes: bool) -> Result<(Kconfig, Report), Failure> {
        let root = self.tree.root();
        if executes && root.to_string_lossy().contains([' ', '\t', '\n', ':']) {
            // What it names in commands and lists of words would fall apart, as with make.
            let message = "main directory cannot contain spaces nor colons";
            let help = "give the tree a folder without them: make refuses this one, too";
            return Err(Diagnostic::error("tree-name", message).file(root).help(help).into());
        }
        let mut programs = BTreeMap::new();
        if !executes {
            // Programs that would be asked for their versions.
            programs.extend(["CC", "RUSTC"].map(|name| (name.to_owned(), String::new())));
        }
        let tools = Tools { cross_compile: self.compilers.prefix.clone(), programs };
        let mut environment = Environment::linux(root, &self.arch.name, &tools)?;
        if self.arch.source == "um" {
            // Linux as a program of Linux has parts in the folder of the processor, x86 so far.
            environment.set("HEADER_ARCH", "x86");
        }
        let shell: Box<dyn Shell> = match (executes, l4re_kconfig::default_cache_folder()) {
            (false, _) => Box::new(NoShell),
            (true, None) => Box::new(HostShell::new(&environment)),
            (true, Some(cache)) => Box::new(HostShell::new(&environment).with_cache(&cache)),
        };
        Kconfig::load(&TreeSource::new(root), environment, shell)
    }

    /// Reads the Makefiles.
    ///
    /// # Errors
    ///
    /// [`Failure`] if they cannot be read.
    pub fn survey(&self) -> Result<Survey, Failure> {
        let tree = l4re_kbuild::Tree::open(self.tree.root(), &self.arch.name)?;
        Ok(Survey::with(&tree, &self.driver_folders()?))
    }

    /// The folders under `drivers/` that have a Makefile, sorted.
    fn driver_folders(&self) -> Result<Vec<String>, Failure> {
        let drivers = self.tree.root().join("drivers");
        let failed = |error| Failure::io("read", &drivers, &error);
        let mut folders = Vec::new();
        for entry in fs::read_dir(&drivers).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().into_string()
                && entry.path().join("Makefile").is_file()
            {
                folders.push(format!("drivers/{name}"));
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// Reads both at once. The report has what is doubtful in the files.
    ///
    /// # Errors
    ///
    /// As [`Opened::kconfig`] and [`Opened::survey`].
    pub fn read(&self, executes: bool) -> Result<(Kconfig, Survey, Report), Failure> {
        let (kconfig, survey) = thread::scope(|scope| {
            let survey = scope.spawn(|| self.survey());
            let kconfig = self.kconfig(executes);
            let survey = survey.join().unwrap_or_else(|_| {
                let message = "reading the Makefiles ended unexpectedly";
                Err(Diagnostic::error("internal", message).file(self.tree.root()).into())
            });
            (kconfig, survey)
        });
        let (kconfig, mut doubts) = kconfig?;
        let survey = survey?;
        doubts.extend(survey.report().iter().cloned());
        Ok((kconfig, survey, doubts))
    }
}

/// The catalog of a tree and what there is to say about it.
#[derive(Debug)]
pub struct Listed {
    /// The catalog.
    pub catalog: Catalog,
    /// What everybody should know.
    pub report: Report,
    /// What is doubtful in the tree's files, for those who maintain the tree.
    pub doubts: Report,
}

impl Listed {
    /// `found` is what reading the files found. A Makefile that make could not read either makes
    /// the catalog wrong, so it is an error like those of Kconfig files.
    fn new(catalog: Catalog, report: Report, found: Report) -> Result<Self, Failure> {
        let ((), doubts) = found.into_result(())?;
        Ok(Self { catalog, report, doubts })
    }
}

/// The catalog of a tree, without values. Nothing of the tree is executed.
///
/// # Errors
///
/// [`Failure`] if there is no tree, or with the mistakes in its files.
pub fn catalog(request: &Request, progress: &mut dyn Progress) -> Result<Listed, Failure> {
    let (opened, report) = request.open()?;
    progress.step("reading Kconfig files and Makefiles");
    let (kconfig, survey, found) = opened.read(false)?;
    let catalog = Catalog::of(&opened.tree, &opened.arch, &kconfig, &survey);
    Listed::new(catalog, report, found)
}

/// The catalog of a tree with the values that its options have under a configuration.
///
/// # Errors
///
/// As [`catalog`], and if there is no such configuration.
pub fn configured_catalog(
    request: &Request,
    base: &BaseConfig,
    progress: &mut dyn Progress,
) -> Result<Listed, Failure> {
    let (opened, mut report) = request.open()?;
    if !opened.compilers.found() {
        let tool = opened.compilers.tool("gcc");
        let message = format!("{tool} is not installed; values that depend on it will differ");
        let help = opened.compilers.help(&opened.arch);
        report.push(Diagnostic::warning("no-c-compiler", message).help(help));
    }
    progress.step("reading Kconfig files and Makefiles");
    let (kconfig, survey, found) = opened.read(true)?;
    progress.step("evaluating the configuration");
    let mut config = Config::new(&kconfig)?;
    report.extend(base.apply(&mut config, opened.tree.root())?);
    let mut catalog = Catalog::of(&opened.tree, &opened.arch, &kconfig, &survey);
    for entry in &mut catalog.entries {
        if let Some(symbol) = kconfig.find_defined(&entry.symbol) {
            entry.value = Some(config.value(symbol).as_str().to_owned());
            entry.visible = Some(config.visibility(symbol).as_str());
        }
    }
    Listed::new(catalog, report, found)
}

impl BaseConfig {
    /// Gives a configuration the values of this one.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the tree or the disk does not have it.
    pub fn apply(&self, config: &mut Config<'_>, root: &Path) -> Result<Report, Failure> {
        let source = TreeSource::new(root);
        match self {
            Self::Tiny => config.preset(Preset::Tiny, &source),
            Self::Defconfig => config.preset(Preset::Default, &source),
            Self::Allmodconfig => config.preset(Preset::AllModules, &source),
            Self::File(path) => {
                let bytes = input::read(path, input::TEXT)
                    .map_err(|error| Failure::io("read", path, &error))?;
                Ok(config.read(&String::from_utf8_lossy(&bytes), path))
            }
        }
    }
}
