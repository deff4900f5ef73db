//! TOML, by the crate `toml`, as a tree of values with places.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Node, Placed, Shape};
use crate::{Diagnostic, Position};

pub(super) fn parse(text: &str) -> Result<Node, Diagnostic> {
    let lines = Lines::of(text);
    match DeTable::parse(text) {
        Ok(table) => {
            let at = lines.position(table.span().start);
            Ok(Placed { value: lines.table(table.into_inner()), at })
        }
        Err(error) => {
            let at = lines.position(error.span().unwrap_or_default().start);
            Err(Diagnostic::error("toml", error.message().replace('\n', "; ")).at(at))
        }
    }
}

/// The text and where its lines begin, so that a place costs no walk through the text.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let after = text.match_indices('\n').map(|(end, _)| end + 1);
        Self { text, starts: std::iter::once(0).chain(after).collect() }
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        Position::Text { line, column }
    }

    fn node(&self, value: Spanned<DeValue<'_>>) -> Node {
        let at = self.position(value.span().start);
        let value = match value.into_inner() {
            DeValue::String(text) => Shape::String(text.into_owned()),
            DeValue::Integer(number) => {
                Shape::Integer(u64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Boolean(truth) => Shape::Boolean(truth),
            DeValue::Float(_) => Shape::Other("a number with a point"),
            DeValue::Datetime(_) => Shape::Other("a date"),
            DeValue::Array(items) => {
                Shape::List(items.into_iter().map(|item| self.node(item)).collect())
            }
            DeValue::Table(table) => self.table(table),
        };
        Placed { value, at }
    }

    fn table(&self, table: DeTable<'_>) -> Shape {
        let entries = table.into_iter().map(|(key, value)| {
            let at = self.position(key.span().start);
            (Placed { value: key.into_inner().into_owned(), at }, self.node(value))
        });
        Shape::Table(entries.collect())
    }
}
