//! The tree's own Kconfig tests (`scripts/kconfig/tests`), with the project's evaluator in place of
//! `conf`.
//!
//! Each test is a Python function in an `__init__.py`: runs of `conf` and checks of what it wrote.
//! [`tests`] reads them, [`Test::run`] does what they say. Nothing of them is kept.

mod conf;
mod script;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::tree::Tree;

use conf::Conf;
use script::{Statement, Stream};

/// A test of the tree.
#[derive(Debug, Clone)]
pub struct Test {
    /// Folder and function: `choice/test_allyes`; only the folder if the function is `test`.
    pub name: String,
    folder: PathBuf,
    statements: Vec<Statement>,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As the tree wants it.
    Passed,
    /// Not so: the statement, and what was there instead.
    Failed(String),
    /// The test asks for what the evaluator has not: the statement.
    Unsupported(String),
}

/// All tests of a tree, sorted by name.
///
/// # Errors
///
/// [`Error::Io`] if the folder or a test cannot be read.
pub fn tests(tree: &Tree) -> Result<Vec<Test>, Error> {
    let top = tree.path.join("scripts/kconfig/tests");
    let mut found = Vec::new();
    collect(&top, &top, &mut found)?;
    found.sort_by(|a: &Test, b: &Test| a.name.cmp(&b.name));
    Ok(found)
}

fn collect(top: &Path, folder: &Path, found: &mut Vec<Test>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if !path.is_dir() {
            continue;
        }
        let script = path.join("__init__.py");
        if script.is_file() {
            let text = fs::read_to_string(&script).map_err(Error::io(&script))?;
            let case = path.strip_prefix(top).unwrap_or(&path).display();
            for (function, statements) in script::functions(&text) {
                let name = match function {
                    "test" => case.to_string(),
                    function => format!("{case}/{function}"),
                };
                found.push(Test { name, folder: path.clone(), statements });
            }
        }
        collect(top, &path, found)?;
    }
    Ok(())
}

impl Test {
    /// Runs the test by the rules of `tree`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a file that the test names cannot be read.
    pub fn run(&self, tree: &Tree) -> Result<Outcome, Error> {
        let mut conf = Conf::new(tree, &self.folder);
        for statement in &self.statements {
            match statement {
                Statement::Unknown(line) => return Ok(Outcome::Unsupported(line.clone())),
                Statement::Run { mode, arguments, succeeds, line } => {
                    let Some(succeeded) = conf.run(mode, arguments)? else {
                        return Ok(Outcome::Unsupported(line.clone()));
                    };
                    if succeeded != *succeeds {
                        let findings = conf.findings.join("\n");
                        return Ok(Outcome::Failed(format!("{line}: {findings}")));
                    }
                }
                Statement::Check { stream, whole, file, line } => {
                    let path = self.folder.join(file);
                    let expected = fs::read_to_string(&path).map_err(Error::io(&path))?;
                    if let Some(found) = conf.differs(*stream, *whole, &expected) {
                        return Ok(Outcome::Failed(format!("{line}: {found}")));
                    }
                }
            }
        }
        Ok(Outcome::Passed)
    }
}

impl Conf<'_> {
    /// What was there instead of what a test expects; `None` if it is as expected.
    fn differs(&self, stream: Stream, whole: bool, expected: &str) -> Option<String> {
        let found = match stream {
            Stream::Config => &self.config,
            Stream::Stdout => &self.stdout,
            Stream::Stderr => return self.missing_finding(expected),
        };
        let same = if whole { found == expected } else { found.contains(expected) };
        (!same).then(|| format!("expected\n{expected}\nfound\n{found}"))
    }
}
