//! The part of YAML that `driver.yaml` uses, read strictly and with places.
//!
//! The events of a full YAML parser are taken, and everything that a manifest has no use for is
//! refused by name: anchors and aliases (a few lines of them can stand for gigabytes), tags, keys
//! that are no plain words, several documents, depth. A [`Map`] hands out its keys one by one; what
//! nobody asked for is reported together with the nearest key that somebody did ask for.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use crate::{Diagnostic, Failure, Position, Report, nearest};

/// Levels of nesting that a manifest can have; four are used.
const DEPTH: usize = 16;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it begins.
    pub at: Position,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A scalar; plain ones may be numbers, quoted ones are strings.
    Scalar {
        /// The text.
        text: String,
        /// Whether it stands without quotes.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the text.
    Map(Vec<(String, Position, Node)>),
}

impl Node {
    fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar { text, plain: true } if text.is_empty() || text == "~" => "nothing",
            Kind::Scalar { text, plain: true } if text.parse::<i128>().is_ok() => "another number",
            Kind::Scalar { .. } => "a string",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// A text with findings about it.
#[derive(Debug)]
pub struct Document {
    path: PathBuf,
    report: RefCell<Report>,
}

impl Document {
    /// Parses the text and lets `read` take it apart.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the text is not the YAML that is read here, if anything was reported as an
    /// error, or if `read` gave nothing.
    pub fn read<T>(
        path: &Path,
        text: &str,
        read: impl FnOnce(Map<'_>) -> Option<T>,
    ) -> Result<(T, Report), Failure> {
        let document = Self { path: path.into(), report: RefCell::default() };
        let root = Builder::new(text).document();
        let value = match root {
            Ok(Node { kind: Kind::Map(entries), at }) => {
                read(Map::new(&document, String::new(), entries, at))
            }
            Ok(other) => {
                let message = format!("the file must be a mapping, this is {}", other.name());
                document.error("type", message, other.at);
                None
            }
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

    fn error(&self, code: &'static str, message: impl Into<String>, at: Position) {
        self.push(Diagnostic::error(code, message), at);
    }

    fn push(&self, diagnostic: Diagnostic, at: Position) {
        self.report.borrow_mut().push(diagnostic.file(&self.path).at(at));
    }
}

fn position(marker: Marker) -> Position {
    Position::Text { line: marker.line(), column: marker.col() + 1 }
}

/// Makes nodes of events. It holds its own stack, so depth costs memory and not call frames.
struct Builder<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
}

/// A collection whose end has not come.
enum Open {
    List(Vec<Node>, Position),
    Map(OpenMap, Position),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<(String, Position, Node)>,
    /// The keys so far.
    keys: HashSet<String>,
    /// The key whose value has not come.
    key: Option<(String, Position)>,
}

fn refuse(message: impl Into<String>, at: Position) -> Diagnostic {
    Diagnostic::error("yaml", message).at(at)
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        Self { parser: Parser::new_from_str(text) }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Diagnostic> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                Err(refuse(format!("not YAML: {}", error.info()), position(*error.marker())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(mut self) -> Result<Node, Diagnostic> {
        let mut open: Vec<Open> = Vec::new();
        let mut root: Option<Node> = None;
        loop {
            let (event, span) = self.next()?;
            let at = position(span.start);
            let complete = match event {
                Event::Alias(_) => return Err(refuse("aliases (`*name`) are not read here", at)),
                Event::Scalar(text, style, anchor, tag) => {
                    bare(anchor, tag.is_some(), at)?;
                    let plain = style == ScalarStyle::Plain;
                    Node { kind: Kind::Scalar { text: text.into_owned(), plain }, at }
                }
                Event::SequenceStart(anchor, tag) => {
                    bare(anchor, tag.is_some(), at)?;
                    enter(&mut open, Open::List(Vec::new(), at), at)?;
                    continue;
                }
                Event::MappingStart(anchor, tag) => {
                    bare(anchor, tag.is_some(), at)?;
                    enter(&mut open, Open::Map(OpenMap::default(), at), at)?;
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some(Open::List(items, at)) => Node { kind: Kind::List(items), at },
                    Some(Open::Map(map, at)) => Node { kind: Kind::Map(map.entries), at },
                    None => return Err(refuse("not YAML: an end without a beginning", at)),
                },
                Event::StreamEnd => {
                    return root.ok_or_else(|| refuse("the file is empty", at));
                }
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(refuse("a second document begins here; there can be one", at));
                }
                _ => continue,
            };
            place(&mut open, &mut root, complete)?;
        }
    }
}

fn bare(anchor: usize, tagged: bool, at: Position) -> Result<(), Diagnostic> {
    if anchor != 0 {
        return Err(refuse("anchors (`&name`) are not read here", at));
    }
    if tagged {
        return Err(refuse("tags (`!name`) are not read here", at));
    }
    Ok(())
}

fn enter(open: &mut Vec<Open>, what: Open, at: Position) -> Result<(), Diagnostic> {
    if let Some(Open::Map(OpenMap { key: None, .. }, _)) = open.last() {
        return Err(refuse("a key must be a word, not a list or a mapping", at));
    }
    if open.len() == DEPTH {
        return Err(refuse(format!("nested deeper than {DEPTH} levels"), at));
    }
    open.push(what);
    Ok(())
}

/// Puts a complete node where it belongs.
fn place(open: &mut [Open], root: &mut Option<Node>, node: Node) -> Result<(), Diagnostic> {
    match open.last_mut() {
        None => *root = Some(node),
        Some(Open::List(items, _)) => items.push(node),
        Some(Open::Map(map, _)) => match map.key.take() {
            Some((name, at)) => map.entries.push((name, at, node)),
            None => {
                let Kind::Scalar { text, .. } = node.kind else {
                    return Err(refuse("a key must be a word", node.at));
                };
                if !map.keys.insert(text.clone()) {
                    return Err(refuse(format!("`{text}` stands twice"), node.at));
                }
                map.key = Some((text, node.at));
            }
        },
    }
    Ok(())
}

/// A string and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The string.
    pub text: String,
    /// Where it begins.
    pub at: Position,
}

/// A mapping that is being taken apart.
#[derive(Debug)]
pub struct Map<'d> {
    document: &'d Document,
    /// The way to it from the root, for messages; empty for the root.
    name: String,
    entries: Vec<(String, Position, Node)>,
    known: Vec<&'static str>,
    at: Position,
}

impl<'d> Map<'d> {
    fn new(
        document: &'d Document,
        name: String,
        entries: Vec<(String, Position, Node)>,
        at: Position,
    ) -> Self {
        Self { document, name, entries, known: Vec::new(), at }
    }

    /// Reports a finding about a place of the text.
    pub fn report(&self, finding: Diagnostic, at: Position) {
        self.document.push(finding, at);
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, ..)| name == key)
    }

    /// Where the value of the key begins, or the mapping if it is not there.
    pub fn place(&self, key: &str) -> Position {
        let entry = self.entries.iter().find(|(name, ..)| name == key);
        entry.map_or(self.at, |(_, _, node)| node.at)
    }

    /// Counts the key among those that can be there.
    pub fn knows(&mut self, key: &'static str) {
        self.known.push(key);
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let index = self.entries.iter().position(|(name, ..)| name == key)?;
        Some(self.entries.remove(index).2)
    }

    fn take_needed(&mut self, key: &'static str) -> Option<Node> {
        let node = self.take(key);
        if node.is_none() {
            let place = if self.name.is_empty() { "the file" } else { &self.name };
            let message = format!("`{key}` is missing in {place}");
            self.document.error("missing-key", message, self.at);
        }
        node
    }

    fn mistyped<T>(&self, key: &str, wanted: &str, found: &Node) -> Option<T> {
        let message = format!("`{key}` must be {wanted}, this is {}", found.name());
        self.document.error("type", message, found.at);
        None
    }

    fn as_string(&self, key: &str, wanted: &str, node: Node) -> Option<Placed> {
        match node {
            Node { kind: Kind::Scalar { text, plain }, at }
                if !(plain && (text.is_empty() || text == "~")) =>
            {
                Some(Placed { text, at })
            }
            other => self.mistyped(key, wanted, &other),
        }
    }

    /// A string that must be there.
    pub fn string(&mut self, key: &'static str) -> Option<Placed> {
        let node = self.take_needed(key)?;
        self.as_string(key, "a string", node)
    }

    /// A number that must be there.
    pub fn number(&mut self, key: &'static str) -> Option<u32> {
        let node = self.take_needed(key)?;
        match &node.kind {
            Kind::Scalar { text, plain: true } => match text.parse::<u32>() {
                // `+1` and `007` are numbers to Rust and something else to other readers.
                Ok(number) if number.to_string() == *text => Some(number),
                _ => self.mistyped(key, &format!("a number from 0 to {}", u32::MAX), &node),
            },
            _ => self.mistyped(key, "a number", &node),
        }
    }

    /// `true` or `false`, which must be there.
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let node = self.take_needed(key)?;
        match &node.kind {
            Kind::Scalar { text, plain: true } if text == "true" => Some(true),
            Kind::Scalar { text, plain: true } if text == "false" => Some(false),
            _ => self.mistyped(key, "true or false", &node),
        }
    }

    fn items(&self, key: &str, wanted: &str, node: Node) -> Option<Vec<Node>> {
        match node {
            Node { kind: Kind::List(items), .. } => Some(items),
            other => self.mistyped(key, wanted, &other),
        }
    }

    /// A list of strings that must be there.
    pub fn strings(&mut self, key: &'static str) -> Option<Vec<Placed>> {
        let node = self.take_needed(key)?;
        self.as_strings(key, node)
    }

    fn as_strings(&self, key: &str, node: Node) -> Option<Vec<Placed>> {
        let wanted = "a list of strings";
        let items = self.items(key, wanted, node)?;
        // Every one is looked at, so that every mistake is reported.
        let strings = items.into_iter().map(|item| self.as_string(key, wanted, item));
        strings.collect::<Vec<_>>().into_iter().collect()
    }

    fn as_map(&self, key: &str, name: String, wanted: &str, node: Node) -> Option<Map<'d>> {
        match node {
            Node { kind: Kind::Map(entries), at } => {
                Some(Map::new(self.document, name, entries, at))
            }
            other => self.mistyped(key, wanted, &other),
        }
    }

    /// A list of mappings that must be there.
    pub fn maps(&mut self, key: &'static str) -> Option<Vec<Map<'d>>> {
        let wanted = "a list of mappings";
        let node = self.take_needed(key)?;
        let items = self.items(key, wanted, node)?;
        let name = |index: usize| format!("{}[{index}]", self.way(key));
        let maps = items.into_iter().enumerate();
        maps.map(|(index, item)| self.as_map(key, name(index), wanted, item)).collect()
    }

    /// A mapping that must be there.
    pub fn map(&mut self, key: &'static str) -> Option<Map<'d>> {
        let node = self.take_needed(key)?;
        self.as_map(key, self.way(key), "a mapping", node)
    }

    /// All keys of a mapping whose keys are data, each with its place and its string.
    pub fn strings_by_key(&self) -> Option<Vec<(Placed, Placed)>> {
        let pair = |(text, at, node): (String, Position, Node)| {
            let value = self.as_string(&text, "a string", node)?;
            Some((Placed { text, at }, value))
        };
        self.by_key(pair)
    }

    /// All keys of a mapping whose keys are data, each with its place and its mapping.
    pub fn maps_by_key(&self) -> Option<Vec<(Placed, Map<'d>)>> {
        let pair = |(text, at, node): (String, Position, Node)| {
            let value = self.as_map(&text, self.way(&text), "a mapping", node)?;
            Some((Placed { text, at }, value))
        };
        self.by_key(pair)
    }

    /// All keys of a mapping whose keys are data, each with its place and its list of strings.
    pub fn lists_by_key(&self) -> Option<Vec<(Placed, Vec<Placed>)>> {
        let pair = |(text, at, node): (String, Position, Node)| {
            let value = self.as_strings(&text, node)?;
            Some((Placed { text, at }, value))
        };
        self.by_key(pair)
    }

    fn by_key<T>(&self, pair: impl FnMut((String, Position, Node)) -> Option<T>) -> Option<Vec<T>> {
        // Every one is looked at, so that every mistake is reported.
        let pairs: Vec<Option<T>> = self.entries.iter().cloned().map(pair).collect();
        pairs.into_iter().collect()
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self) {
        for (key, at, _) in &self.entries {
            let place =
                if self.name.is_empty() { String::new() } else { format!(" in {}", self.name) };
            let finding = Diagnostic::error("unknown-key", format!("unknown key `{key}`{place}"));
            let finding = match nearest(key, self.known.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!("keys here: {}", self.known.join(", "))),
            };
            self.document.push(finding, *at);
        }
    }

    fn way(&self, key: &str) -> String {
        if self.name.is_empty() { key.into() } else { format!("{}.{key}", self.name) }
    }
}
