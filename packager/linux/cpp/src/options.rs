//! What a command line says to the preprocessor.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::compiler::{Compiler, Language};

/// A definition on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Define {
    /// `-D`: the macro with its parameters, if any, and its text (`1` if the option had no `=`).
    Define(String, String),
    /// `-U`.
    Undefine(String),
}

/// Under which search path and definitions a file is scanned.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What relative paths, also those of files to scan, are relative to. Empty: used as they are.
    pub directory: PathBuf,
    /// `-iquote`: searched for `#include "…"` after the folder of the including file.
    pub quote: Vec<PathBuf>,
    /// `-I`.
    pub include: Vec<PathBuf>,
    /// `-isystem`.
    pub system: Vec<PathBuf>,
    /// `-idirafter`.
    pub after: Vec<PathBuf>,
    /// `-include`: files read before the C file, in order.
    pub forced: Vec<PathBuf>,
    /// `-imacros`: the same, before all of `-include`.
    pub forced_macros: Vec<PathBuf>,
    /// `-D` and `-U`, in order.
    pub defines: Vec<Define>,
    /// What the compiler knows by itself.
    pub compiler: Arc<Compiler>,
    /// In assembler an unknown directive is a comment.
    pub language: Language,
}

impl Options {
    /// Reads compiler arguments. The second result are the arguments that are not for the
    /// preprocessor, in order: those among them that choose a target, a language or an
    /// optimisation decide what the compiler predefines.
    pub fn from_args<S: AsRef<str>>(args: &[S]) -> (Self, Vec<String>) {
        let mut options = Self::default();
        let mut rest = Vec::new();
        let mut args = args.iter().map(AsRef::as_ref);
        while let Some(arg) = args.next() {
            let mut value = |prefix: &str| -> Option<String> {
                let attached = arg.strip_prefix(prefix)?;
                match attached {
                    "" => args.next().map(str::to_owned),
                    value => Some(value.to_owned()),
                }
            };
            // Longer names first: `-I` is no prefix of `-include`, but `-i…` names are of each
            // other.
            if let Some(path) = value("-imacros") {
                options.forced_macros.push(path.into());
            } else if let Some(path) = value("-include") {
                options.forced.push(path.into());
            } else if let Some(path) = value("-isystem") {
                options.system.push(path.into());
            } else if let Some(path) = value("-idirafter") {
                options.after.push(path.into());
            } else if let Some(path) = value("-iquote") {
                options.quote.push(path.into());
            } else if let Some(path) = value("-I") {
                options.include.push(path.into());
            } else if let Some(definition) = value("-D") {
                options.define(&definition);
            } else if let Some(name) = value("-U") {
                options.defines.push(Define::Undefine(name));
            } else {
                rest.push(arg.to_owned());
            }
        }
        (options, rest)
    }

    /// Adds what follows `-D`.
    pub fn define(&mut self, definition: &str) {
        let (name, text) = definition.split_once('=').unwrap_or((definition, "1"));
        self.defines.push(Define::Define(name.into(), text.into()));
    }

    /// The definitions as directives.
    pub(crate) fn command_line(&self) -> String {
        let mut lines = String::new();
        for define in &self.defines {
            // What follows a line break is not part of a definition.
            let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
            let _ = match define {
                Define::Define(name, text) => {
                    writeln!(lines, "#define {} {}", first(name), first(text))
                }
                Define::Undefine(name) => writeln!(lines, "#undef {}", first(name)),
            };
        }
        lines
    }
}
