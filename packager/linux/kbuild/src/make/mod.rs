//! Parser and evaluator of the part of GNU make's language that decides what Kbuild builds.
//!
//! Rules are read for their targets and prerequisites; no recipe is expanded or run. What a
//! Makefile can find out about the machine (`$(shell …)`, compiler probes) goes through
//! [`Environment`], what it can find out about files through [`Files`].
//!
//! The language is that of GNU make 4.3. Not there, because no Kbuild file uses it: `$(file >…)`,
//! `$(guile …)`, `load`, `.ONESHELL`, `vpath` search.

mod assign;
mod ast;
mod evaluate;
mod expand;
mod functions;
mod parse;
pub(crate) mod symbolic;
mod variables;
pub(crate) mod words;

use std::borrow::Cow;
use std::rc::Rc;

use l4re_packager_base::Diagnostic;

pub use ast::{Assignment, Branch, Kind, Makefile, Operator, Statement, Test};
pub use evaluate::{Evaluator, Limits, Rule};
pub(crate) use expand::Contribution;
pub use parse::{SyntaxError, parse};

/// The files that Makefiles can see.
pub trait Files {
    /// A Makefile, parsed. `None` if there is no such file.
    ///
    /// # Errors
    ///
    /// It cannot be read or parsed.
    fn makefile(&self, path: &str) -> Option<Result<Rc<Makefile>, Diagnostic>>;

    /// The existing files that a pattern of the shell matches, sorted.
    fn wildcard(&self, pattern: &str) -> Vec<String>;

    /// The text of a file, for `$(file <name)`.
    fn read(&self, path: &str) -> Option<String>;

    /// The canonical absolute name of an existing file, for `$(realpath …)`.
    fn realpath(&self, path: &str) -> Option<String>;

    /// The current directory, for `$(abspath …)`.
    fn directory(&self) -> Cow<'_, str>;

    /// Where `include` looks for files that are not in the current directory (`-I`).
    fn include_path(&self) -> &[String] {
        &[]
    }
}

/// What Makefiles can know besides files and their own variables.
pub trait Environment {
    /// The value of a variable that no Makefile has set.
    fn variable(&self, name: &str) -> Option<Cow<'_, str>>;

    /// The value of `$(call name,arguments…)` if the environment defines this function and no
    /// Makefile does. `arguments` do not contain the name.
    ///
    /// # Errors
    ///
    /// A finding about the call, to which the evaluation adds file and line. The value is empty then.
    fn call(&self, name: &str, arguments: &[String]) -> Option<Result<String, Diagnostic>>;

    /// The output of `$(shell command)`.
    ///
    /// # Errors
    ///
    /// A finding that the command was not run. The value is empty then.
    fn shell(&self, command: &str) -> Result<String, Diagnostic>;
}

/// Why an evaluation stopped: an error in a Makefile, with file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop(pub Box<Diagnostic>);

impl From<Stop> for l4re_packager_base::Failure {
    fn from(stop: Stop) -> Self {
        (*stop.0).into()
    }
}
