//! A position among the tokens of a statement.

use crate::lex::{Spot, Token, is_keyword};

/// Why a statement cannot be read.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Where, as a byte offset in the file.
    pub(super) offset: usize,
    pub(super) message: String,
    pub(super) help: String,
}

impl Wrong {
    pub(super) fn at(offset: usize, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { offset, message: message.into(), help: help.into() }
    }
}

/// The tokens of a statement that are still to be read.
pub(super) struct Cursor<'s, 't> {
    tokens: &'s [Spot<'t>],
    /// Where the statement ends in the file.
    end: usize,
    /// Whether only `if` and `on` are keywords here.
    loose: bool,
}

impl<'s, 't> Cursor<'s, 't> {
    /// `after` is where the next line begins.
    pub(super) fn new(tokens: &'s [Spot<'t>], after: usize, loose: bool) -> Self {
        Self { tokens, end: after.saturating_sub(1), loose }
    }

    pub(super) fn peek(&self) -> Option<&'s Token<'t>> {
        self.tokens.first().map(|spot| &spot.token)
    }

    /// Where the next token is, or the end of the line.
    pub(super) fn offset(&self) -> usize {
        self.tokens.first().map_or(self.end, |spot| spot.offset)
    }

    pub(super) fn skip(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    /// Passes the keyword if it is next.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if *word == keyword);
        if found {
            self.skip();
        }
        found
    }

    /// Passes the token if it is next.
    pub(super) fn sign(&mut self, sign: &Token<'_>) -> bool {
        let found = self.peek().is_some_and(|token| token == sign);
        if found {
            self.skip();
        }
        found
    }

    /// The next token if it is a name.
    pub(super) fn next_word(&mut self) -> Option<Token<'t>> {
        match self.peek() {
            Some(Token::Word("if" | "on")) if self.loose => None,
            Some(Token::Word(word)) if is_keyword(word) && !self.loose => None,
            Some(token @ (Token::Word(_) | Token::Expanded(..))) => {
                self.skip();
                Some(token.clone())
            }
            _ => None,
        }
    }

    /// The next token if it is a quoted text.
    pub(super) fn next_quoted(&mut self) -> Option<Token<'t>> {
        let token = self.peek().filter(|token| matches!(token, Token::Quoted(..)))?;
        self.skip();
        Some(token.clone())
    }

    /// That nothing follows.
    pub(super) fn end(&self) -> Result<(), Wrong> {
        if self.tokens.is_empty() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }

    /// The error that `what` should stand here.
    pub(super) fn expected(&self, what: &str) -> Wrong {
        let found = match self.peek() {
            None => "the end of the line".to_owned(),
            Some(token) => format!("`{}`", written(token)),
        };
        let help = "the statement is ignored";
        Wrong::at(self.offset(), format!("expected {what}, found {found}"), help)
    }
}

/// A token as it stands in the file.
fn written<'t>(token: &Token<'t>) -> &'t str {
    use crate::expand::Assignment;
    match token {
        Token::Word(text) | Token::Expanded(_, text) | Token::Quoted(_, text) => text,
        Token::Compare(how) => how.as_str(),
        Token::Assign(Assignment::Append) => "+=",
        Token::Assign(_) => ":=",
        Token::And => "&&",
        Token::Or => "||",
        Token::Not => "!",
        Token::Open => "(",
        Token::Close => ")",
    }
}
