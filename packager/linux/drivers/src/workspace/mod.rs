//! `driver.yaml`: what was extracted from a Linux tree, and everything that compiling it needs.
//!
//! The schema is described in `docs/driver-yaml.md`. [`DriverYaml::emit`] writes the same bytes for
//! the same content; [`read`](fn@read) takes nothing that `emit` would not write, but for layout.

use std::collections::BTreeMap;

mod emit;
mod read;
mod rules;

pub use read::{MAX_BYTES, load, read};
pub use rules::refused_flags;

/// The name of the file in a workspace.
pub const FILE: &str = "driver.yaml";

/// The version of the schema that is written and read.
pub const SCHEMA: u32 = 1;

/// The folder of a workspace below which copied files stand at their paths in the tree.
pub const SOURCE_FOLDER: &str = "src";

/// The folder of a workspace below which generated files stand at their paths in Kbuild's output
/// folder (`include/generated/autoconf.h`, …).
pub const GENERATED_FOLDER: &str = "generated";

/// The content of `driver.yaml`. Paths are relative to the Linux tree, with `/` between the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverYaml {
    /// The symbol that turns the driver on, without `CONFIG_`.
    pub driver: String,
    /// The first folder under `drivers/`, or the first folder of the tree for drivers elsewhere.
    pub subsystem: String,
    /// The architecture, as Kbuild's `ARCH`.
    pub arch: String,
    /// The version of the kernel, as `make kernelversion` prints it.
    pub kernel: String,
    /// The Linux tree, absolute; `None` if the workspace holds copies of all headers.
    pub linux_src: Option<String>,
    /// The Kconfig file that defines the symbol.
    pub kconfig: String,
    /// The line of the definition in it.
    pub line: u32,
    /// What the symbol depends on, in Kconfig's syntax, with what the blocks around it ask; empty
    /// for nothing.
    pub depends_on: String,
    /// What the configuration starts from.
    pub base: Base,
    /// The symbols whose value is not that of the base, and their values; strings with quotes.
    pub config: BTreeMap<String, String>,
    /// The compiler and what it gets for every object.
    pub compiler: Compiler,
    /// What the driver's symbol builds.
    pub modules: Vec<Module>,
    /// What the driver's `select`s turn on and linking needs.
    pub providers: Vec<Provider>,
    /// SPDX licence expressions of the copied files.
    pub licenses: Vec<String>,
    /// The arguments of `MODULE_LICENSE`.
    pub module_licenses: Vec<String>,
    /// Names of firmware files that the sources name.
    pub firmware: Vec<String>,
    /// The files copied to [`SOURCE_FOLDER`].
    pub files: Vec<String>,
    /// The headers that are used besides: from the tree, or copied too if `linux_src` is `None`.
    pub headers: Vec<String>,
    /// The headers made of the configuration, in [`GENERATED_FOLDER`].
    pub generated_headers: Vec<String>,
}

/// What a configuration starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// `make tinyconfig`.
    Tiny,
    /// `make defconfig`.
    Defconfig,
    /// `make allmodconfig`.
    Allmodconfig,
    /// A `.config` of the user.
    File,
}

impl Base {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tiny, Self::Defconfig, Self::Allmodconfig, Self::File];

    /// Its name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Defconfig => "defconfig",
            Self::Allmodconfig => "allmodconfig",
            Self::File => "file",
        }
    }
}

/// The compiler's flags for every object of the tree, as Kbuild gives them under this
/// configuration. Paths below the tree, the workspace's sources and its generated files are written
/// with the words of [`Root`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiler {
    /// The prefix that the configuration was evaluated with, as `CROSS_COMPILE`; may be empty.
    pub prefix: String,
    /// What the compiler says of itself, the kernel's `CC_VERSION_TEXT`.
    pub version: String,
    /// For every object: the search path for headers and what is included before anything else.
    pub cppflags: Vec<String>,
    /// For every object from C.
    pub cflags: Vec<String>,
    /// Besides, for objects from C of loadable modules.
    pub cflags_module: Vec<String>,
    /// Besides, for objects from C that are built into the kernel.
    pub cflags_built_in: Vec<String>,
    /// For every object from assembler.
    pub aflags: Vec<String>,
    /// Besides, for objects from assembler of loadable modules.
    pub aflags_module: Vec<String>,
    /// Besides, for objects from assembler that are built into the kernel.
    pub aflags_built_in: Vec<String>,
}

/// A module of a driver, or the same built into the kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    /// The name without `.ko` or `.o`.
    pub name: String,
    /// The folder of the Makefile that lists it.
    pub directory: String,
    /// Whether it is built into the kernel; otherwise it is a loadable module.
    pub built_in: bool,
    /// The objects it is made of, in the order of linking, each once.
    pub objects: Vec<String>,
    /// The C and assembler files of the objects, in the same order.
    pub sources: Vec<String>,
    /// Headers below `directory`.
    pub own_headers: Vec<String>,
    /// Headers of other parts of the tree that are nobody's public interface.
    pub other_driver_headers: Vec<String>,
    /// Headers below `directory` that define trace events.
    pub trace_headers: Vec<String>,
    /// Files that are in the tree in place of generated ones (`x.c_shipped`, `x.h_shipped`); copied
    /// without the suffix.
    pub shipped: Vec<String>,
    /// Flags of objects beyond those that every object gets; objects without are left out.
    pub cflags: BTreeMap<String, Flags>,
    /// What names each object to its source: `-DKBUILD_MODNAME="e1000"` and its kin.
    pub defines: BTreeMap<String, Vec<String>>,
    /// Objects that belong to the module under some configurations only.
    pub conditional_members: Vec<ConditionalMember>,
}

/// Flags of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// Appended to those that every object gets.
    pub add: Vec<String>,
    /// Taken away from those that every object gets.
    pub remove: Vec<String>,
}

/// An object that belongs to a module under some configurations only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionalMember {
    /// What decides, in Kconfig's syntax.
    pub condition: String,
    /// The object.
    pub object: String,
    /// Whether it belongs to the module under this configuration.
    pub included: bool,
}

/// A symbol that the driver's `select`s turn on, and what it builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The symbol.
    pub symbol: String,
    /// The symbols among the driver and its providers that select it.
    pub selected_by: Vec<String>,
    /// The Kconfig file that defines it.
    pub kconfig: String,
    /// The line of the definition in it.
    pub line: u32,
    /// What it builds.
    pub modules: Vec<Module>,
}

/// A folder that is known only where a command is run; flags name it by a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// The Linux tree: `$(srctree)`.
    Tree,
    /// Copied files: `$(src)`.
    Sources,
    /// Generated files: `$(generated)`.
    Generated,
}

impl Root {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tree, Self::Sources, Self::Generated];

    /// The word that stands for it in flags.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tree => "$(srctree)",
            Self::Sources => "$(src)",
            Self::Generated => "$(generated)",
        }
    }
}

impl DriverYaml {
    /// The modules of the driver and of its providers.
    pub fn all_modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().chain(self.providers.iter().flat_map(|provider| &provider.modules))
    }
}
