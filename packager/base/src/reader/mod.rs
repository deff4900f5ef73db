//! Strict reading of TOML and YAML, with a place for every finding and all findings in one go.
//!
//! A text becomes a tree of values with places, and a [`Table`] hands out its keys one by one; a key
//! that the reader did not ask for is reported by [`Table::finish`] together with the nearest one
//! that it did ask for.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::{Diagnostic, Failure, Position, Report};

mod table;
mod toml;
mod yaml;

pub use table::Table;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Its place in the text.
    pub at: Position,
}

/// What the text holds at one place.
type Node = Placed<Shape>;

/// A key and what belongs to it.
pub type Keyed<T> = (Placed<String>, T);

/// What a value of the text is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// A string.
    String(String),
    /// A word of YAML without quotes: a string, a number, true, false or nothing.
    Plain(String),
    /// A whole number; none if it is negative or larger than 64 bits.
    Integer(Option<u64>),
    /// True or false.
    Boolean(bool),
    /// What is read nowhere, by its name.
    Other(&'static str),
    /// A list.
    List(Vec<Node>),
    /// A table (TOML) or mapping (YAML), in the order of the text.
    Table(Vec<Keyed<Node>>),
}

/// The language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Toml,
    Yaml,
}

impl Language {
    /// What a [`Shape::Table`] is called.
    fn table(self) -> &'static str {
        match self {
            Self::Toml => "a table",
            Self::Yaml => "a mapping",
        }
    }

    /// What a list of them is called.
    fn tables(self) -> &'static str {
        match self {
            Self::Toml => "a list of tables ([[…]])",
            Self::Yaml => "a list of mappings",
        }
    }

    /// A number of 64 bits.
    fn number(self) -> &'static str {
        match self {
            Self::Toml => "a whole number",
            Self::Yaml => "a number",
        }
    }
}

/// A text with findings about it.
#[derive(Debug)]
pub struct Document {
    path: PathBuf,
    language: Language,
    report: RefCell<Report>,
}

impl Document {
    /// Parses a TOML text and lets `read` take it apart. `path` is only what findings name.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the text is not TOML, if anything was reported as an error, or if `read` gave
    /// nothing.
    pub fn toml<T>(
        path: &Path,
        text: &str,
        read: impl FnOnce(&Self, Table<'_>) -> Option<T>,
    ) -> Result<(T, Report), Failure> {
        Self::read(path, Language::Toml, toml::parse(text), read)
    }

    /// Parses a YAML text and lets `read` take it apart. `path` is only what findings name.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the text is not the YAML that is read here, if anything was reported as an
    /// error, or if `read` gave nothing.
    pub fn yaml<T>(
        path: &Path,
        text: &str,
        read: impl FnOnce(&Self, Table<'_>) -> Option<T>,
    ) -> Result<(T, Report), Failure> {
        Self::read(path, Language::Yaml, yaml::parse(text), read)
    }

    fn read<T>(
        path: &Path,
        language: Language,
        root: Result<Node, Diagnostic>,
        read: impl FnOnce(&Self, Table<'_>) -> Option<T>,
    ) -> Result<(T, Report), Failure> {
        let document = Self { path: path.into(), language, report: RefCell::default() };
        let value = match root {
            Ok(root) => table::root(&document, root).and_then(|root| read(&document, root)),
            Err(finding) => {
                document.report.borrow_mut().push(finding.file(path));
                None
            }
        };
        let mut report = document.report.into_inner();
        report.sort_by_position();
        match value {
            Some(value) => report.into_result(value),
            None => Err(Failure(report)),
        }
    }

    /// Reports an error about a place of the text.
    pub fn error(&self, code: &'static str, message: impl Into<String>, at: Position) {
        self.report(Diagnostic::error(code, message), at);
    }

    /// Reports a finding about a place of the text.
    pub fn report(&self, diagnostic: Diagnostic, at: Position) {
        self.report.borrow_mut().push(diagnostic.file(&self.path).at(at));
    }
}
