//! What can be wrong with a command line.

use core::fmt;

use super::value::ValueError;

/// Why a command line was not accepted. The text names the option, its value, and what would be
/// right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionError<'a> {
    /// There is no such long option; with what may have been meant.
    Unknown(&'a str, Option<&'static str>),
    /// There is no such short option.
    UnknownShort(char),
    /// An argument that is no option.
    Stray(&'a str),
    /// The value is missing or wrong.
    Value {
        /// The option.
        option: &'static str,
        /// What was given.
        value: Option<&'a str>,
        /// What is wrong with it.
        error: ValueError,
    },
    /// The option was given twice, and may be given once.
    Twice(&'static str),
    /// The option is about a client, and no client was named before it.
    NoClient(&'static str),
    /// The client of this name lacks this option.
    Incomplete(&'a str, &'static str),
}

impl fmt::Display for OptionError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            OptionError::Unknown(given, None) => write!(f, "unknown option --{given}"),
            OptionError::Unknown(given, Some(meant)) => {
                write!(f, "unknown option --{given} (did you mean --{meant}?)")
            }
            OptionError::UnknownShort(c) => write!(f, "unknown option -{c}"),
            OptionError::Stray(text) => write!(f, "argument '{text}' belongs to no option"),
            OptionError::Value { option, value: None, error } => {
                write!(f, "option --{option} {error}")
            }
            OptionError::Value { option, value: Some(value), error } => {
                write!(f, "option --{option}: '{value}': {error}")
            }
            OptionError::Twice(option) => write!(f, "option --{option} is given twice"),
            OptionError::NoClient(option) => {
                write!(f, "option --{option} must follow the --client that it is about")
            }
            OptionError::Incomplete(client, option) => {
                write!(f, "option --{option} is missing for --client {client}")
            }
        }
    }
}

impl core::error::Error for OptionError<'_> {}

impl From<OptionError<'_>> for crate::Error {
    fn from(_: OptionError<'_>) -> Self {
        crate::Error::INVAL
    }
}
