//! One object file: where it comes from and what the compiler is told.

use serde::Serialize;

use crate::directory::State;

/// One object file of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Object {
    /// Path of the `.o` file.
    pub path: String,
    /// What it is made from.
    pub source: Source,
    /// Whether it is compiled as a part of a module (`-DMODULE`).
    pub state: State,
    /// The composites that it is a member of, sorted; its own name if there is none. More than one
    /// shows up in `KBUILD_MODNAME` joined by `:`.
    pub modules: Vec<String>,
    /// What the compiler or assembler is told beyond what every object of the tree is told.
    pub flags: Flags,
    /// The definitions that name the object, and `-DMODULE`, ready for an argument vector: no shell
    /// quotes. (`-DKBUILD_MODNAME="e1000"`.)
    pub defines: Vec<String>,
    /// What the directory says about instrumentation, for tools that the configuration turns on.
    pub instrumentation: Vec<Instrumentation>,
}

/// What an object file is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "path", rename_all = "kebab-case")]
pub enum Source {
    /// A C file of the tree.
    C(String),
    /// An assembler file of the tree, preprocessed.
    Assembler(String),
    /// A Rust file of the tree.
    Rust(String),
    /// A `…_shipped` file, copied to the name without the suffix and then compiled.
    Shipped(String),
    /// The object is shipped itself (`x.o_shipped`).
    ShippedObject(String),
    /// A C file that a rule or a tool makes (from `.asn1`, `.dts`, `.l`, `.y`, a script): the path
    /// of the generated file.
    Generated(String),
    /// Another object, changed by a rule (`objcopy`).
    Derived(String),
    /// Nothing in the tree explains it.
    Unknown,
}

impl Source {
    /// The file of the tree that is compiled or copied, if there is one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::C(path)
            | Self::Assembler(path)
            | Self::Rust(path)
            | Self::Shipped(path)
            | Self::ShippedObject(path) => Some(path),
            Self::Generated(_) | Self::Derived(_) | Self::Unknown => None,
        }
    }
}

/// Flags beyond those that every object of the tree gets, in the order in which the compiler sees
/// them. Paths are relative to the root of the tree; one that is not there is in the tree of
/// generated files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Flags {
    /// What comes after the flags of the top Makefile.
    pub additions: Vec<String>,
    /// What is taken out of the flags of the top Makefile: words, or patterns with `%` as
    /// `$(filter-out …)` takes them.
    pub removals: Vec<String>,
    /// The Makefile does not start from the flags of the top Makefile at all: `additions` is
    /// everything.
    pub replaces: bool,
}

/// An instrumentation tool that adds flags to objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// Coverage (`GCOV_PROFILE`, `CFLAGS_GCOV`).
    Gcov,
    /// Address sanitizer (`KASAN_SANITIZE`, `CFLAGS_KASAN`).
    Kasan,
    /// Memory sanitizer (`KMSAN_SANITIZE`, `CFLAGS_KMSAN`).
    Kmsan,
    /// Undefined behaviour sanitizer (`UBSAN_SANITIZE`, `CFLAGS_UBSAN`).
    Ubsan,
    /// Coverage for fuzzing (`KCOV_INSTRUMENT`, `CFLAGS_KCOV`).
    Kcov,
    /// Concurrency sanitizer (`KCSAN_SANITIZE`, `CFLAGS_KCSAN`).
    Kcsan,
    /// Checks of `objtool` (`OBJECT_FILES_NON_STANDARD`); on means that it runs over the object.
    Objtool,
}

/// What happens to one object with one tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Instrumentation {
    /// The tool.
    pub tool: Tool,
    /// Whether the object is instrumented. Objects of which this is said are those that the
    /// configuration instruments, and those that the Makefile has an opinion about.
    pub on: bool,
}
