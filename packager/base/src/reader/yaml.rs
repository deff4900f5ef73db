//! The part of YAML that `driver.yaml` uses, as a tree of values with places.
//!
//! The events of a full YAML parser are taken, and everything that a manifest has no use for is
//! refused by name: anchors and aliases (a few lines of them can stand for gigabytes), tags, keys
//! that are not plain words, several documents, depth.

use std::collections::HashSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::{Keyed, Node, Placed, Shape};
use crate::{Diagnostic, Position};

/// Levels of nesting that a manifest can have; four are used.
const DEPTH: usize = 16;

pub(super) fn parse(text: &str) -> Result<Node, Diagnostic> {
    Builder::new(text).document()
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
    entries: Vec<Keyed<Node>>,
    /// The keys so far.
    keys: HashSet<String>,
    /// The key whose value has not come.
    key: Option<Placed<String>>,
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
                    let text = text.into_owned();
                    let value = if plain { Shape::Plain(text) } else { Shape::String(text) };
                    Placed { value, at }
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
                    Some(Open::List(items, at)) => Placed { value: Shape::List(items), at },
                    Some(Open::Map(map, at)) => Placed { value: Shape::Table(map.entries), at },
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
            Some(key) => map.entries.push((key, node)),
            None => {
                let (Shape::String(text) | Shape::Plain(text)) = node.value else {
                    return Err(refuse("a key must be a word", node.at));
                };
                if !map.keys.insert(text.clone()) {
                    return Err(refuse(format!("`{text}` stands twice"), node.at));
                }
                map.key = Some(Placed { value: text, at: node.at });
            }
        },
    }
    Ok(())
}
