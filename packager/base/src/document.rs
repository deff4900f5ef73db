//! Reading TOML with a position for every complaint, and as many complaints in one go as there are.
//!
//! A [`Table`] hands out its keys one by one; what nobody asked for is reported by
//! [`Table::finish`] together with the nearest key that somebody did ask for.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{Diagnostic, Failure, Position, Report, nearest};

/// A text with findings about it.
#[derive(Debug)]
pub struct Document<'a> {
    path: PathBuf,
    text: &'a str,
    report: RefCell<Report>,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

impl<'a> Document<'a> {
    /// A document of that name. Nothing is read from the path.
    pub fn new(path: &Path, text: &'a str) -> Self {
        Self { path: path.into(), text, report: RefCell::default() }
    }

    /// Parses the text and lets `read` take it apart.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the text is not TOML, if anything was reported as an error, or if `read` gave
    /// nothing.
    pub fn read<T>(
        self,
        read: impl FnOnce(&Self, Table<'_, 'a>) -> Option<T>,
    ) -> Result<(T, Report), Failure> {
        let table = match DeTable::parse(self.text) {
            Ok(table) => table,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                self.error("toml", error.message().replace('\n', "; "), span);
                return Err(Failure(self.report.into_inner()));
            }
        };
        let span = table.span();
        let root = Table::new(&self, "", table.into_inner(), span);
        let value = read(&self, root);
        let mut report = self.report.into_inner();
        report.sort_by_position();
        match value {
            Some(value) => report.into_result(value),
            None => Err(Failure(report)),
        }
    }

    /// Reports an error about a part of the text.
    pub fn error(&self, code: &'static str, message: impl Into<String>, span: Range<usize>) {
        self.report(Diagnostic::error(code, message), span);
    }

    /// Reports a finding about a part of the text.
    pub fn report(&self, diagnostic: Diagnostic, span: Range<usize>) {
        let position = Position::in_text(self.text, span.start);
        self.report.borrow_mut().push(diagnostic.file(&self.path).at(position));
    }
}

/// A table that is being taken apart.
#[derive(Debug)]
pub struct Table<'d, 'a> {
    document: &'d Document<'a>,
    /// Its name as in a header, empty for the root.
    name: String,
    entries: Vec<(Placed<String>, Spanned<DeValue<'a>>)>,
    span: Range<usize>,
    /// The keys that were asked for.
    known: Vec<&'static str>,
}

impl<'d, 'a> Table<'d, 'a> {
    fn new(document: &'d Document<'a>, name: &str, table: DeTable<'a>, span: Range<usize>) -> Self {
        let entries = table.into_iter().map(|(key, value)| {
            let span = key.span();
            (Placed { value: key.into_inner().into_owned(), span }, value)
        });
        Self { document, name: name.into(), entries: entries.collect(), span, known: Vec::new() }
    }

    /// Where the table stands.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'a>>> {
        self.known.push(key);
        let index = self.entries.iter().position(|(name, _)| name.value == key)?;
        Some(self.entries.remove(index).1)
    }

    fn mistyped<T>(&self, key: &str, wanted: &str, found: &Spanned<DeValue<'a>>) -> Option<T> {
        let message = format!("`{key}` must be {wanted}, this is {}", kind_name(found.get_ref()));
        self.document.error("type", message, found.span());
        None
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.value == key)
    }

    /// A string, if the key is there.
    pub fn string(&mut self, key: &'static str) -> Option<Placed<String>> {
        let value = self.take(key)?;
        let span = value.span();
        match value.get_ref() {
            DeValue::String(text) => Some(Placed { value: text.clone().into_owned(), span }),
            _ => self.mistyped(key, "a string", &value),
        }
    }

    /// A string that must be there.
    pub fn needed_string(&mut self, key: &'static str) -> Option<Placed<String>> {
        self.needs(key).then(|| self.string(key))?
    }

    /// A number, if the key is there.
    pub fn number(&mut self, key: &'static str) -> Option<Placed<u64>> {
        let value = self.take(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            return self.mistyped(key, "a whole number", &value);
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Some(Placed { value: number, span: value.span() }),
            Err(_) => {
                let message = format!("`{key}` must be from 0 to {}", u64::MAX);
                self.document.error("range", message, value.span());
                None
            }
        }
    }

    /// A number that must be there.
    pub fn needed_number(&mut self, key: &'static str) -> Option<Placed<u64>> {
        self.needs(key).then(|| self.number(key))?
    }

    /// True or false, if the key is there.
    pub fn boolean(&mut self, key: &'static str) -> Option<Placed<bool>> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::Boolean(truth) => Some(Placed { value: *truth, span: value.span() }),
            _ => self.mistyped(key, "true or false", &value),
        }
    }

    /// A list of strings; nothing is the empty list.
    pub fn strings(&mut self, key: &'static str) -> Vec<Placed<String>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            return self.mistyped(key, "a list of strings", &value).unwrap_or_default();
        };
        let string = |item: &Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::String(text) => {
                Some(Placed { value: text.clone().into_owned(), span: item.span() })
            }
            _ => self.mistyped(key, "a list of strings", item),
        };
        items.iter().filter_map(string).collect()
    }

    /// A table, if the key is there.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'d, 'a>> {
        let value = self.take(key)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(Table::new(self.document, &self.path(key), table, span)),
            other => self.mistyped(key, "a table", &Spanned::new(span, other)),
        }
    }

    /// A table that must be there.
    pub fn needed_table(&mut self, key: &'static str) -> Option<Table<'d, 'a>> {
        self.needs(key).then(|| self.table(key))?
    }

    /// A list of tables (`[[key]]`); nothing is the empty list.
    pub fn tables(&mut self, key: &'static str) -> Vec<Table<'d, 'a>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        let wanted = "a list of tables ([[…]])";
        let items = match value.into_inner() {
            DeValue::Array(items) => items,
            other => {
                let found = Spanned::new(span, other);
                return self.mistyped(key, wanted, &found).unwrap_or_default();
            }
        };
        let name = self.path(key);
        let mut tables = Vec::new();
        for item in items {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(table) => {
                    tables.push(Table::new(self.document, &name, table, span));
                }
                other => {
                    let _reported: Option<()> =
                        self.mistyped(key, wanted, &Spanned::new(span, other));
                }
            }
        }
        tables
    }

    /// Whether the key is there; reports if not.
    fn needs(&mut self, key: &'static str) -> bool {
        let there = self.has(key);
        if !there {
            self.known.push(key);
            let place = if self.name.is_empty() {
                "the file".to_owned()
            } else {
                format!("[{}]", self.name)
            };
            let message = format!("`{key}` is missing in {place}");
            self.document.error("missing-key", message, self.span.clone());
        }
        there
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self) {
        for (key, _) in &self.entries {
            let place =
                if self.name.is_empty() { String::new() } else { format!(" in [{}]", self.name) };
            let mut diagnostic =
                Diagnostic::error("unknown-key", format!("unknown key `{}`{place}", key.value));
            diagnostic = match nearest(&key.value, self.known.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!("keys here: {}", self.known.join(", "))),
            };
            self.document.report(diagnostic, key.span.clone());
        }
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.into() } else { format!("{}.{key}", self.name) }
    }
}

fn kind_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
