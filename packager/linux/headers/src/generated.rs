//! Headers, made when they are asked for.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use l4re_cpp::{Define, Options};
use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure};

use crate::cache::Cache;
use crate::config::Config;
use crate::flags;
use crate::mounted::Mounted;
use crate::recipes::{Recipe, Recipes, recipes};
use crate::release::Version;
use crate::script;
use crate::syscalls;
use crate::timeconst;
use crate::wrappers::wrapper;

/// What headers are made of.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The tree. Never written to.
    pub tree: PathBuf,
    /// The architecture's folder below `arch/`: `arm64`, `arm`, `x86`.
    pub arch: String,
    /// The configuration, as `include/generated/autoconf.h`.
    pub autoconf: Vec<u8>,
    /// The C compiler, for the headers that only it can make.
    pub compiler: Option<PathBuf>,
    /// Kbuild's flags for every object, as far as they decide sizes. Without them the flags are
    /// derived from the configuration.
    pub flags: Option<Vec<String>>,
    /// A folder to keep results in that took a program to make.
    pub cache: Option<PathBuf>,
    /// What `make` would be given as `LOCALVERSION`.
    pub local_version: Option<String>,
}

/// The generated headers of a tree under a configuration.
pub struct Generated {
    inputs: Inputs,
    config: Config,
    recipes: Recipes,
    flags: OnceCell<Vec<String>>,
    made: RefCell<BTreeMap<String, Rc<[u8]>>>,
    /// What is being made: some headers are left out of files that make them.
    making: RefCell<BTreeSet<String>>,
}

impl Generated {
    /// Finds out which headers there are. None is made yet.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the lists of headers in the tree cannot be read.
    pub fn new(inputs: Inputs) -> Result<Self, Failure> {
        let config = Config::from_autoconf(&inputs.autoconf);
        let recipes = recipes(&inputs.tree, &inputs.arch, &config)?;
        Ok(Self {
            inputs,
            config,
            recipes,
            flags: OnceCell::new(),
            made: RefCell::default(),
            making: RefCell::default(),
        })
    }

    /// The paths of all headers, below the folder that make would build in, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths_where(|recipe| !matches!(recipe, Recipe::Unknown { .. }))
    }

    /// The paths of headers that the tree lists, but for which only its make has the rule. On
    /// `arm64` and `arm` there is none, on `x86` only the kernel's own code includes them.
    pub fn paths_not_made(&self) -> impl Iterator<Item = &str> {
        self.paths_where(|recipe| matches!(recipe, Recipe::Unknown { .. }))
    }

    fn paths_where(&self, wanted: fn(&Recipe) -> bool) -> impl Iterator<Item = &str> {
        self.recipes.iter().filter(move |(_, how)| wanted(how)).map(|(path, _)| path.as_str())
    }

    /// The header at `path`, such as `include/generated/bounds.h`; nothing if there is none.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be made: no compiler, a table that is missing or damaged, or a
    /// header for which only the tree's make has the rule.
    pub fn get(&self, path: &str) -> Result<Option<Rc<[u8]>>, Failure> {
        if let Some(made) = self.made.borrow().get(path) {
            return Ok(Some(Rc::clone(made)));
        }
        let Some(recipe) = self.recipes.get(path) else { return Ok(None) };
        if !self.making.borrow_mut().insert(path.to_owned()) {
            return Ok(None);
        }
        let made = self.make(path, recipe);
        self.making.borrow_mut().remove(path);
        let made: Rc<[u8]> = made?.into();
        self.made.borrow_mut().insert(path.to_owned(), Rc::clone(&made));
        Ok(Some(made))
    }

    /// All headers that [`Self::paths`] names.
    ///
    /// # Errors
    ///
    /// As for [`Self::get`], of the first that cannot be made.
    pub fn all(&self) -> Result<BTreeMap<String, Rc<[u8]>>, Failure> {
        let get = |path: &str| Ok((path.to_owned(), self.get(path)?.unwrap_or_default()));
        self.paths().map(get).collect()
    }

    /// The headers as files below `folder`, to be laid over the tree.
    pub fn at(&self, folder: &Path) -> Mounted<'_> {
        Mounted::new(self, folder)
    }

    /// How Kbuild includes headers if it builds in `folder`: search path, forced includes, and
    /// `__KERNEL__`. The compiler and the flags of the configuration are left to the caller.
    pub fn options(&self, folder: &Path) -> Options {
        let Inputs { tree, arch, .. } = &self.inputs;
        let include = [
            tree.join(format!("arch/{arch}/include")),
            folder.join(format!("arch/{arch}/include/generated")),
            tree.join("include"),
            folder.join("include"),
            tree.join(format!("arch/{arch}/include/uapi")),
            folder.join(format!("arch/{arch}/include/generated/uapi")),
            tree.join("include/uapi"),
            folder.join("include/generated/uapi"),
        ];
        let forced = ["compiler-version.h", "kconfig.h", "compiler_types.h"];
        let forced = forced.map(|name| tree.join("include/linux").join(name));
        Options {
            directory: folder.to_owned(),
            include: include.into(),
            // Before 5.14 there was no compiler-version.h.
            forced: forced.into_iter().filter(|path| path.exists()).collect(),
            defines: vec![Define::Define("__KERNEL__".into(), "1".into())],
            ..Options::default()
        }
    }

    pub(crate) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The flags that decide sizes.
    pub(crate) fn flags(&self) -> &[String] {
        self.flags.get_or_init(|| match &self.inputs.flags {
            Some(flags) => flags.clone(),
            None => flags::flags(&self.inputs.arch, &self.config),
        })
    }

    /// The files of the tree that a header is made of.
    pub(crate) fn sources_of(&self, path: &str) -> Vec<PathBuf> {
        let sources = self.recipes.get(path).map(Recipe::sources).unwrap_or_default();
        sources.iter().map(|source| self.inputs.tree.join(source)).collect()
    }

    fn make(&self, path: &str, recipe: &Recipe) -> Result<Vec<u8>, Failure> {
        let tree = &self.inputs.tree;
        match recipe {
            Recipe::Text(text) => Ok(text.as_bytes().to_vec()),
            Recipe::Autoconf => Ok(self.inputs.autoconf.clone()),
            Recipe::Wrapper(name) => Ok(wrapper(name).into_bytes()),
            Recipe::Script { script, tables } => {
                let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
                script::run(tree, script, &tables, &Cache(self.inputs.cache.clone()))
            }
            Recipe::Numbers { table, abis, how } => {
                Ok(syscalls::numbers(path, &self.table(table)?, abis, how).into_bytes())
            }
            Recipe::Entries { table, abis } => {
                let made = syscalls::table(&self.table(table)?, abis);
                made.map(String::into_bytes).ok_or_else(|| self.damaged(table))
            }
            Recipe::ArmCount { table } => {
                let made = syscalls::arm_count(path, &self.table(table)?);
                made.map(String::into_bytes).ok_or_else(|| self.damaged(table))
            }
            Recipe::TimeConst => {
                let hz = self.config.text("HZ").unwrap_or_default();
                timeconst::header(hz).map(String::into_bytes).ok_or_else(|| {
                    let message = format!("CONFIG_HZ is `{hz}`, which is no frequency");
                    let help = "evaluate the configuration for this architecture";
                    Diagnostic::error("timeconst", message).help(help).into()
                })
            }
            Recipe::Version => Ok(Version::read(tree)?.header().into_bytes()),
            Recipe::Release => {
                let local = self.inputs.local_version.as_deref();
                let made = Version::read(tree)?.release_header(tree, &self.config, local)?;
                Ok(made.into_bytes())
            }
            Recipe::Compiled(compiled) => compiled.make(self, &tree.join(compiled.source)),
            Recipe::Unknown { list } => {
                let message = format!("{path} is made by a rule that only the tree's make knows");
                let help = "choose a driver that does not include it, or another architecture";
                let error = Diagnostic::error("generated-header", message);
                Err(error.file(&tree.join(list)).help(help).into())
            }
        }
    }

    /// The text of a table of system calls.
    fn table(&self, table: &str) -> Result<String, Failure> {
        let path = self.inputs.tree.join(table);
        let bytes =
            input::read(&path, input::TEXT).map_err(|error| Failure::io("read", &path, &error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn damaged(&self, table: &str) -> Failure {
        let message = "the numbers of the system calls are not in order";
        Diagnostic::error("syscalls", message).file(&self.inputs.tree.join(table)).into()
    }
}
