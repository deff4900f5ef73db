//! Values that somebody has given, checked by the table.

use alloc::vec::Vec;
use core::fmt;

use super::table::{Param, ParamKind};

/// Most bytes of the name of a capability in L4Re's initial capability table.
pub const CAP_NAME_MAX: usize = 15;

/// A checked value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// The flag was given.
    Flag,
    /// A string, or the name of a capability.
    Text(&'a str),
    /// A number in its range.
    Uint(u64),
}

/// Why a value was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueError {
    /// There is no value, and there must be one.
    Missing,
    /// There is a value, and there must not be one.
    Unwanted,
    /// The name of a capability is longer than [`CAP_NAME_MAX`] bytes.
    CapName,
    /// It is no number.
    NotANumber,
    /// The number is not in its range.
    Range {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::Missing => f.write_str("needs a value"),
            ValueError::Unwanted => f.write_str("takes no value"),
            ValueError::CapName => {
                write!(f, "names of capabilities have at most {CAP_NAME_MAX} bytes")
            }
            ValueError::NotANumber => f.write_str("is not a number"),
            ValueError::Range { min, max } => write!(f, "must be between {min} and {max}"),
        }
    }
}

impl Param {
    /// Checks a value for this entry; `None` is none given.
    ///
    /// Numbers are decimal, or hexadecimal after `0x`.
    ///
    /// # Errors
    ///
    /// See [`ValueError`].
    pub fn check<'a>(&self, raw: Option<&'a str>) -> Result<Value<'a>, ValueError> {
        let raw = match (self.kind, raw) {
            (ParamKind::Flag, None) => return Ok(Value::Flag),
            (ParamKind::Flag, Some(_)) => return Err(ValueError::Unwanted),
            (_, None | Some("")) => return Err(ValueError::Missing),
            (_, Some(raw)) => raw,
        };
        match self.kind {
            ParamKind::Cap if raw.len() > CAP_NAME_MAX => Err(ValueError::CapName),
            ParamKind::Uint { min, max } => {
                let n = number(raw)?.filter(|n| (min..=max).contains(n));
                n.map(Value::Uint).ok_or(ValueError::Range { min, max })
            }
            _ => Ok(Value::Text(raw)),
        }
    }
}

/// The number that `raw` stands for; `None` if it is too large for any range.
fn number(raw: &str) -> Result<Option<u64>, ValueError> {
    let (digits, radix) = match raw.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (raw, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(ValueError::NotANumber);
    }
    Ok(u64::from_str_radix(digits, radix).ok())
}

/// What was given, by name. Names that are not in the table count as not given.
#[derive(Clone, Debug, Default)]
pub struct Values<'a> {
    list: Vec<(&'static Param, Value<'a>)>,
}

impl<'a> Values<'a> {
    pub(in crate::serve) fn push(&mut self, param: &'static Param, value: Value<'a>) {
        self.list.push((param, value));
    }

    /// How often it was given.
    pub fn count(&self, name: &str) -> usize {
        self.of(name).count()
    }

    /// Whether it was given.
    pub fn flag(&self, name: &str) -> bool {
        self.count(name) > 0
    }

    /// The text that was given last.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.texts(name).last()
    }

    /// All texts that were given, in order.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.of(name).filter_map(|v| match v {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    /// The number that was given last.
    pub fn uint(&self, name: &str) -> Option<u64> {
        let numbers = self.of(name).filter_map(|v| match v {
            Value::Uint(n) => Some(n),
            _ => None,
        });
        numbers.last()
    }

    fn of(&self, name: &str) -> impl Iterator<Item = Value<'a>> {
        self.list.iter().filter(move |(p, _)| p.name == name).map(|(_, v)| *v)
    }
}
