//! A table that is taken apart key by key.

use super::{Document, Keyed, Language, Node, Placed, Shape};
use crate::{Diagnostic, Position, nearest};

/// A table of TOML or a mapping of YAML that is being taken apart.
///
/// A key of the wrong type, or a needed one that is missing, is reported and then counts as absent.
#[derive(Debug)]
pub struct Table<'d> {
    document: &'d Document,
    /// The way to it from the root, for messages; empty for the root.
    name: String,
    entries: Vec<Keyed<Node>>,
    at: Position,
    /// The keys that were asked for.
    known: Vec<&'static str>,
}

/// The table that the whole text is; reports if it is something else.
pub(super) fn root(document: &Document, root: Node) -> Option<Table<'_>> {
    match root.value {
        Shape::Table(entries) => Some(Table::new(document, String::new(), entries, root.at)),
        other => {
            let wanted = document.language.table();
            let found = name(&other, document.language);
            let message = format!("the file must be {wanted}, this is {found}");
            document.error("type", message, root.at);
            None
        }
    }
}

/// What a value is called in messages.
fn name(shape: &Shape, language: Language) -> &'static str {
    match shape {
        Shape::Plain(text) if text.is_empty() || text == "~" => "nothing",
        Shape::Plain(text) if text.parse::<i128>().is_ok() => "another number",
        Shape::String(_) | Shape::Plain(_) => "a string",
        Shape::Integer(_) => "a whole number",
        Shape::Boolean(_) => "true or false",
        Shape::Other(name) => name,
        Shape::List(_) => "a list",
        Shape::Table(_) => language.table(),
    }
}

/// Every item, also those after a mistake, so that all mistakes are reported.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    items.collect::<Vec<_>>().into_iter().collect()
}

impl<'d> Table<'d> {
    fn new(document: &'d Document, name: String, entries: Vec<Keyed<Node>>, at: Position) -> Self {
        Self { document, name, entries, at, known: Vec::new() }
    }

    /// Where the table begins.
    pub fn at(&self) -> Position {
        self.at
    }

    /// Where the value of the key begins, or the table if it is not there.
    pub fn place(&self, key: &str) -> Position {
        let entry = self.entries.iter().find(|(name, _)| name.value == key);
        entry.map_or(self.at, |(_, node)| node.at)
    }

    /// Reports a finding about a place of the text.
    pub fn report(&self, finding: Diagnostic, at: Position) {
        self.document.report(finding, at);
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.value == key)
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let index = self.entries.iter().position(|(name, _)| name.value == key)?;
        Some(self.entries.remove(index).1)
    }

    fn take_needed(&mut self, key: &'static str) -> Option<Node> {
        let node = self.take(key);
        if node.is_none() {
            let place = self.called().unwrap_or_else(|| "the file".into());
            let message = format!("`{key}` is missing in {place}");
            self.document.error("missing-key", message, self.at);
        }
        node
    }

    /// What the table is called in messages; none for the root.
    fn called(&self) -> Option<String> {
        match (self.name.as_str(), self.document.language) {
            ("", _) => None,
            (name, Language::Toml) => Some(format!("[{name}]")),
            (name, Language::Yaml) => Some(name.into()),
        }
    }

    fn mistyped<T>(&self, key: &str, wanted: &str, found: &Node) -> Option<T> {
        let found_name = name(&found.value, self.document.language);
        let message = format!("`{key}` must be {wanted}, this is {found_name}");
        self.document.error("type", message, found.at);
        None
    }

    fn as_string(&self, key: &str, wanted: &str, node: Node) -> Option<Placed<String>> {
        match node.value {
            Shape::String(text) => Some(Placed { value: text, at: node.at }),
            Shape::Plain(text) if !(text.is_empty() || text == "~") => {
                Some(Placed { value: text, at: node.at })
            }
            _ => self.mistyped(key, wanted, &node),
        }
    }

    /// A string, if the key is there.
    pub fn string(&mut self, key: &'static str) -> Option<Placed<String>> {
        let node = self.take(key)?;
        self.as_string(key, "a string", node)
    }

    /// A string that must be there.
    pub fn needed_string(&mut self, key: &'static str) -> Option<Placed<String>> {
        let node = self.take_needed(key)?;
        self.as_string(key, "a string", node)
    }

    fn as_number(&self, key: &str, node: &Node, max: u64) -> Option<Placed<u64>> {
        let number = match &node.value {
            Shape::Integer(number) => *number,
            // `+1` and `007` are numbers to Rust and something else to other readers.
            Shape::Plain(text) => {
                text.parse::<u64>().ok().filter(|number| number.to_string() == *text)
            }
            _ => return self.mistyped(key, self.document.language.number(), node),
        };
        match (number.filter(|&number| number <= max), &node.value) {
            (Some(value), _) => Some(Placed { value, at: node.at }),
            (None, Shape::Integer(_)) => {
                self.document.error("range", format!("`{key}` must be from 0 to {max}"), node.at);
                None
            }
            (None, _) => self.mistyped(key, &format!("a number from 0 to {max}"), node),
        }
    }

    /// A whole number, if the key is there.
    pub fn number(&mut self, key: &'static str) -> Option<Placed<u64>> {
        let node = self.take(key)?;
        self.as_number(key, &node, u64::MAX)
    }

    /// A whole number that must be there.
    pub fn needed_number(&mut self, key: &'static str) -> Option<Placed<u64>> {
        let node = self.take_needed(key)?;
        self.as_number(key, &node, u64::MAX)
    }

    /// A whole number of at most 32 bits that must be there.
    pub fn needed_u32(&mut self, key: &'static str) -> Option<u32> {
        let node = self.take_needed(key)?;
        let number = self.as_number(key, &node, u32::MAX.into())?;
        u32::try_from(number.value).ok()
    }

    fn as_boolean(&self, key: &str, node: &Node) -> Option<Placed<bool>> {
        let value = match &node.value {
            Shape::Boolean(truth) => *truth,
            Shape::Plain(text) if text == "true" => true,
            Shape::Plain(text) if text == "false" => false,
            _ => return self.mistyped(key, "true or false", node),
        };
        Some(Placed { value, at: node.at })
    }

    /// True or false, if the key is there.
    pub fn boolean(&mut self, key: &'static str) -> Option<Placed<bool>> {
        let node = self.take(key)?;
        self.as_boolean(key, &node)
    }

    /// True or false, which must be there.
    pub fn needed_boolean(&mut self, key: &'static str) -> Option<Placed<bool>> {
        let node = self.take_needed(key)?;
        self.as_boolean(key, &node)
    }

    fn items(&self, key: &str, wanted: &str, node: Node) -> Option<Vec<Node>> {
        match node.value {
            Shape::List(items) => Some(items),
            _ => self.mistyped(key, wanted, &node),
        }
    }

    fn as_strings(&self, key: &str, node: Node) -> Option<Vec<Placed<String>>> {
        let wanted = "a list of strings";
        let items = self.items(key, wanted, node)?;
        all(items.into_iter().map(|item| self.as_string(key, wanted, item)))
    }

    /// A list of strings without those that are none; a key that is not there is the empty list.
    pub fn strings(&mut self, key: &'static str) -> Vec<Placed<String>> {
        let wanted = "a list of strings";
        let node = self.take(key);
        let items = node.and_then(|node| self.items(key, wanted, node)).unwrap_or_default();
        items.into_iter().filter_map(|item| self.as_string(key, wanted, item)).collect()
    }

    /// A list of strings that must be there.
    pub fn needed_strings(&mut self, key: &'static str) -> Option<Vec<Placed<String>>> {
        let node = self.take_needed(key)?;
        self.as_strings(key, node)
    }

    fn as_table(&self, key: &str, name: String, wanted: &str, node: Node) -> Option<Table<'d>> {
        match node.value {
            Shape::Table(entries) => Some(Table::new(self.document, name, entries, node.at)),
            _ => self.mistyped(key, wanted, &node),
        }
    }

    /// A table, if the key is there.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'d>> {
        let node = self.take(key)?;
        self.as_table(key, self.way(key), self.document.language.table(), node)
    }

    /// A table that must be there.
    pub fn needed_table(&mut self, key: &'static str) -> Option<Table<'d>> {
        let node = self.take_needed(key)?;
        self.as_table(key, self.way(key), self.document.language.table(), node)
    }

    fn as_tables(&self, key: &str, node: Node) -> Vec<Option<Table<'d>>> {
        let wanted = self.document.language.tables();
        let items = self.items(key, wanted, node).unwrap_or_default();
        let name = |index: usize| match self.document.language {
            Language::Toml => self.way(key),
            Language::Yaml => format!("{}[{index}]", self.way(key)),
        };
        let tables = items.into_iter().enumerate();
        tables.map(|(index, item)| self.as_table(key, name(index), wanted, item)).collect()
    }

    /// A list of tables; a key that is not there is the empty list.
    pub fn tables(&mut self, key: &'static str) -> Vec<Table<'d>> {
        let node = self.take(key);
        let tables = node.map(|node| self.as_tables(key, node)).unwrap_or_default();
        tables.into_iter().flatten().collect()
    }

    /// A list of tables that must be there.
    pub fn needed_tables(&mut self, key: &'static str) -> Option<Vec<Table<'d>>> {
        let node = self.take_needed(key)?;
        if !matches!(node.value, Shape::List(_)) {
            return self.mistyped(key, self.document.language.tables(), &node);
        }
        self.as_tables(key, node).into_iter().collect()
    }

    /// All keys of a table whose keys are data, each with its string.
    pub fn strings_by_key(&self) -> Option<Vec<Keyed<Placed<String>>>> {
        self.by_key(|key, node| self.as_string(&key.value, "a string", node))
    }

    /// All keys of a table whose keys are data, each with its table.
    pub fn tables_by_key(&self) -> Option<Vec<Keyed<Table<'d>>>> {
        let wanted = self.document.language.table();
        self.by_key(|key, node| self.as_table(&key.value, self.way(&key.value), wanted, node))
    }

    /// All keys of a table whose keys are data, each with its list of strings.
    pub fn lists_by_key(&self) -> Option<Vec<Keyed<Vec<Placed<String>>>>> {
        self.by_key(|key, node| self.as_strings(&key.value, node))
    }

    fn by_key<T>(
        &self,
        value: impl Fn(&Placed<String>, Node) -> Option<T>,
    ) -> Option<Vec<Keyed<T>>> {
        all(self.entries.iter().cloned().map(|(key, node)| {
            let value = value(&key, node)?;
            Some((key, value))
        }))
    }

    /// Reports every key that was not asked for.
    pub fn finish(self) {
        let place = self.called().map(|name| format!(" in {name}")).unwrap_or_default();
        for (key, _) in &self.entries {
            let message = format!("unknown key `{}`{place}", key.value);
            let finding = Diagnostic::error("unknown-key", message);
            let finding = match nearest(&key.value, self.known.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!("keys here: {}", self.known.join(", "))),
            };
            self.document.report(finding, key.at);
        }
    }

    fn way(&self, key: &str) -> String {
        if self.name.is_empty() { key.into() } else { format!("{}.{key}", self.name) }
    }
}
