//! Conditions and values.

use super::Parser;
use super::cursor::{Cursor, Wrong};
use crate::expr::ExprId;
use crate::lazy::Rope;
use crate::lex::Token;
use crate::model::SymbolId;

/// Deepest nesting of parentheses and negations.
const MAX_DEPTH: usize = 200;
/// Most operands of one expression.
const MAX_OPERANDS: u32 = 10_000;

impl Parser<'_> {
    /// A whole expression: `||` binds least, then `&&`, `!`, comparisons.
    pub(super) fn expression(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<ExprId, Wrong> {
        self.or(cursor, 0)
    }

    /// `if` and an expression, or nothing.
    pub(super) fn condition(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<ExprId, Wrong> {
        if cursor.keyword("if") { self.expression(cursor) } else { Ok(ExprId::YES) }
    }

    fn or(&mut self, cursor: &mut Cursor<'_, '_>, depth: usize) -> Result<ExprId, Wrong> {
        let mut left = self.and(cursor, depth)?;
        while cursor.sign(&Token::Or) {
            let right = self.and(cursor, depth)?;
            left = self.build.exprs.or(left, right);
            self.bounded(cursor, left)?;
        }
        Ok(left)
    }

    fn and(&mut self, cursor: &mut Cursor<'_, '_>, depth: usize) -> Result<ExprId, Wrong> {
        let mut left = self.operand(cursor, depth)?;
        while cursor.sign(&Token::And) {
            let right = self.operand(cursor, depth)?;
            left = self.build.exprs.and(left, right);
            self.bounded(cursor, left)?;
        }
        Ok(left)
    }

    fn bounded(&self, cursor: &Cursor<'_, '_>, expr: ExprId) -> Result<(), Wrong> {
        if self.build.exprs.leaves(expr) <= MAX_OPERANDS {
            return Ok(());
        }
        let what = format!("an expression of more than {MAX_OPERANDS} operands");
        Err(Wrong::at(cursor.offset(), what, "split it over several symbols"))
    }

    fn operand(&mut self, cursor: &mut Cursor<'_, '_>, depth: usize) -> Result<ExprId, Wrong> {
        if depth >= MAX_DEPTH {
            let what = format!("an expression nested more than {MAX_DEPTH} deep");
            return Err(Wrong::at(cursor.offset(), what, "split it over several symbols"));
        }
        if cursor.sign(&Token::Not) {
            let negated = self.operand(cursor, depth + 1)?;
            return Ok(self.build.exprs.not(negated));
        }
        if cursor.sign(&Token::Open) {
            let inner = self.or(cursor, depth + 1)?;
            if !cursor.sign(&Token::Close) {
                return Err(cursor.expected("`)`"));
            }
            return Ok(inner);
        }
        let left = self.symbol(cursor)?;
        if let Some(Token::Compare(how)) = cursor.peek() {
            cursor.skip();
            let right = self.symbol(cursor)?;
            return Ok(self.build.exprs.compare(*how, left, right));
        }
        Ok(self.build.exprs.symbol(left))
    }

    /// A symbol or constant.
    pub(super) fn symbol(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<SymbolId, Wrong> {
        if let Some(token) = cursor.next_word() {
            return Ok(match token {
                Token::Expanded(value, written) => self.leaf(&value, written, false),
                Token::Word(word) => self.build.named(word),
                _ => SymbolId::NO,
            });
        }
        match cursor.next_quoted() {
            Some(Token::Quoted(value, written)) => Ok(self.leaf(&value, written, true)),
            _ => Err(cursor.expected("a symbol or a quoted text")),
        }
    }

    fn leaf(&mut self, value: &Rope, written: &str, quoted: bool) -> SymbolId {
        match value.known() {
            Some(text) if quoted => self.build.constant(text),
            Some(text) => self.build.named(text),
            None => {
                let written = written.trim_matches(['"', '\'']);
                let (symbol, new) = self.build.probe(value, quoted, written);
                if new {
                    self.expander.probes.add_leaf(symbol, value.clone(), quoted);
                }
                symbol
            }
        }
    }
}
