//! What one directory builds.

use serde::Serialize;

use crate::object::Object;

/// Part of the kernel image or of a loadable module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// `obj-y`: linked into the kernel image.
    BuiltIn,
    /// `obj-m`: a `.ko` file.
    Module,
}

/// One entry `name.o` of `obj-y` or `obj-m`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Module {
    /// Its name without `.o`, as the Makefile writes it. A module `a-b` is `a_b` to a running kernel.
    pub name: String,
    /// The directory whose Makefile lists it.
    pub directory: String,
    /// Built in, or `.ko`.
    pub state: State,
    /// Whether it is linked from members, and not itself a compiled object.
    pub composite: bool,
    /// Paths of its objects in link order, each once. For a module that is not composite the one
    /// object of its name. Empty if all members of a composite are off.
    pub objects: Vec<String>,
}

/// A directory that Kbuild descends into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subdirectory {
    /// Its path.
    pub path: String,
    /// `obj-y`, `obj-m`: whether what is built in below it is linked into the image at all. Under
    /// `obj-m` (and `subdir-y`) only modules count.
    pub builtin: bool,
    /// Whether its modules count: not if it is visited by `subdir-y` or `subdir-m`.
    pub modules: bool,
}

/// What one directory builds under a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Directory {
    /// Its path; empty for the root of the tree.
    pub path: String,
    /// The `Kbuild` or `Makefile` that was read.
    pub makefile: String,
    /// Other files that it includes.
    pub includes: Vec<String>,
    /// Entries of `obj-y` in order, then of `obj-m`.
    pub modules: Vec<Module>,
    /// Objects of `lib.a`.
    pub library: Vec<String>,
    /// Every object of the modules and the library, each once.
    pub objects: Vec<Object>,
    /// Where Kbuild goes on from here.
    pub subdirectories: Vec<Subdirectory>,
    /// `always-y`, `extra-y`: further files that are made.
    pub extra: Vec<String>,
    /// Programs for the build machine.
    pub host_programs: Vec<String>,
    /// Device tree blobs.
    pub dtbs: Vec<String>,
}
