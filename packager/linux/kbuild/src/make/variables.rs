//! Variables.

use std::rc::Rc;

use super::symbolic::GuardId;

/// A file and a line in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file.
    pub(crate) file: Rc<str>,
    /// The line, counted from 1.
    pub(crate) line: u32,
}

/// A variable that a Makefile has set.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    /// Whether the value is expanded when it is used.
    pub(crate) recursive: bool,
    /// Whether `override` set it.
    pub(crate) overridden: bool,
    /// The value; empty in a symbolic evaluation.
    pub(crate) value: Rc<str>,
    /// Where it got its value last, if a Makefile gave it.
    pub(crate) place: Option<Place>,
    /// The value in a symbolic evaluation: what every assignment added.
    pub(crate) pieces: Vec<Piece>,
}

/// What one assignment added to a variable, in a symbolic evaluation.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) text: Rc<str>,
    pub(crate) recursive: bool,
    /// Whether it takes the place of what was there (`=`, `:=`).
    pub(crate) replaces: bool,
    /// Its number among all assignments of the evaluation.
    pub(crate) order: u64,
    /// Under which conditions.
    pub(crate) guard: GuardId,
    pub(crate) place: Place,
}

impl Variable {
    pub(crate) fn new(value: Rc<str>, recursive: bool) -> Self {
        Self { recursive, overridden: false, value, place: None, pieces: Vec::new() }
    }

    /// `+=` with a text that is expanded already if the variable is simple.
    pub(crate) fn append(&mut self, text: &str) {
        self.value = if self.value.is_empty() {
            text.into()
        } else {
            format!("{} {text}", self.value).into()
        };
    }
}
