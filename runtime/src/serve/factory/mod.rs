//! The arguments with which a client asks a server for a device.
//!
//! The message has the number of the object to create, 0 for a device, and after it strings:
//! `device=<id>`, and as the driver's table permits `ds-max=<n>` and what the device's class
//! understands. Whether the device is there, in use or still looked for is not decided here.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::options::{Flags, Param, ValueError, Values, find, nearest};
use crate::abi::Word;
use crate::abi::factory::{self as abi, RawArg};

/// Most arguments.
pub const ARGS_MAX: usize = 16;

/// Most bytes of an argument.
pub const ARG_BYTES_MAX: usize = 256;

/// The number of the object that a device is.
pub const DEVICE: Word = 0;

/// Why a request was refused. The text is for the log; the client gets
/// [`Error::INVAL`](crate::Error::INVAL).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactoryError {
    /// Not even the number of the object is there.
    Empty,
    /// Objects with this number are not made here.
    Object(Word),
    /// The arguments are not coded as they should be.
    Malformed,
    /// More than [`ARGS_MAX`] arguments.
    TooMany,
    /// An argument is not a string.
    NotAString,
    /// An argument is longer than [`ARG_BYTES_MAX`] bytes.
    TooLong(usize),
    /// An argument is not UTF-8, or has a NUL in it.
    NotText,
    /// There is no such argument; with what may have been meant.
    Unknown(String, Option<&'static str>),
    /// The argument was given twice.
    Twice(&'static str),
    /// The value of the argument is missing or wrong.
    Value(&'static str, ValueError),
    /// The argument must be there.
    Missing(&'static str),
}

impl fmt::Display for FactoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FactoryError::Empty => f.write_str("no object named"),
            FactoryError::Object(n) => write!(f, "objects of type {n:#x} are not made here"),
            FactoryError::Malformed => f.write_str("malformed argument"),
            FactoryError::TooMany => write!(f, "more than {ARGS_MAX} arguments"),
            FactoryError::NotAString => f.write_str("argument is not a string"),
            FactoryError::TooLong(n) => {
                write!(f, "argument of {n} bytes, at most {ARG_BYTES_MAX} are possible")
            }
            FactoryError::NotText => f.write_str("argument is not text"),
            FactoryError::Unknown(key, None) => write!(f, "unknown argument {key:?}"),
            FactoryError::Unknown(key, Some(meant)) => {
                write!(f, "unknown argument {key:?} (did you mean \"{meant}\"?)")
            }
            FactoryError::Twice(key) => write!(f, "argument \"{key}\" is given twice"),
            FactoryError::Value(key, e) => write!(f, "argument \"{key}\" {e}"),
            FactoryError::Missing(key) => write!(f, "argument \"{key}\" is missing"),
        }
    }
}

impl core::error::Error for FactoryError {}

impl From<FactoryError> for crate::Error {
    fn from(_: FactoryError) -> Self {
        crate::Error::INVAL
    }
}

/// A client's request for a device.
#[derive(Clone, Debug)]
pub struct CreateRequest<'a> {
    /// Identifier of the device.
    pub device: &'a str,
    /// How many dataspaces the client may register.
    pub ds_max: usize,
    /// Everything that it says; what is for the device's class to read.
    pub values: Values<'a>,
}

impl<'a> CreateRequest<'a> {
    /// Reads the [strings] of a `create` message by the table of the driver.
    ///
    /// # Errors
    ///
    /// See [`FactoryError`].
    pub fn parse(strings: &'a [String], table: &'static [Param]) -> Result<Self, FactoryError> {
        let values = values(strings, table)?;
        let ds_max = values.uint("ds-max").or(find(table, "ds-max").and_then(|p| p.default));
        Ok(Self {
            device: values.text("device").ok_or(FactoryError::Missing("device"))?,
            ds_max: ds_max.unwrap_or(super::options::DS_MAX_DEFAULT) as usize,
            values,
        })
    }
}

/// The strings of a `create` message. The number of words is that of the tag.
///
/// # Errors
///
/// See [`FactoryError`].
pub fn strings(words: &[Word]) -> Result<Vec<String>, FactoryError> {
    let (object, arguments) = words.split_first().ok_or(FactoryError::Empty)?;
    if *object != DEVICE {
        return Err(FactoryError::Object(*object));
    }
    let mut list = Vec::new();
    for argument in abi::args(arguments) {
        if list.len() == ARGS_MAX {
            return Err(FactoryError::TooMany);
        }
        list.push(string(&argument.map_err(|_| FactoryError::Malformed)?)?);
    }
    Ok(list)
}

fn string(argument: &RawArg<'_>) -> Result<String, FactoryError> {
    let RawArg::Str(_, len) = *argument else {
        return Err(FactoryError::NotAString);
    };
    let mut buffer = [0; ARG_BYTES_MAX];
    let bytes = argument.str_bytes(&mut buffer).ok_or(FactoryError::TooLong(len))?;
    match core::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text.into()),
        _ => Err(FactoryError::NotText),
    }
}

/// Checks `key` and `key=value` strings by a table.
fn values<'a>(strings: &'a [String], table: &'static [Param]) -> Result<Values<'a>, FactoryError> {
    let mut values = Values::default();
    for string in strings {
        let (key, value) = match string.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (string.as_str(), None),
        };
        let param = find(table, key)
            .ok_or_else(|| FactoryError::Unknown(key.into(), nearest(table, key)))?;
        if values.flag(param.name) && !param.flags.has(Flags::MULTIPLE) {
            return Err(FactoryError::Twice(param.name));
        }
        let value = param.check(value).map_err(|e| FactoryError::Value(param.name, e))?;
        values.push(param, value);
    }
    let missing = |p: &&Param| p.flags.has(Flags::MANDATORY) && !values.flag(p.name);
    match table.iter().find(missing) {
        Some(param) => Err(FactoryError::Missing(param.name)),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests;
