//! The parser of the command line.

use alloc::vec::Vec;
use core::iter::Peekable;

use super::table::{DriverInfo, Flags, Param, ParamKind, find, nearest};
use super::value::Values;
use super::{OptionError, Value};

/// The option that begins a client.
const CLIENT: &str = "client";

/// A command line, checked by the table.
///
/// Accepted are `--name value`, `--name=value`, `-n value`, `-nvalue`, and several letters behind
/// one `-`.
#[derive(Clone, Debug, Default)]
pub struct Parsed<'a> {
    /// Options that are not about a client.
    pub global: Values<'a>,
    /// For each `--client`, in order, that option and those about the client.
    pub clients: Vec<Values<'a>>,
    /// Options that were given and have no effect, each once.
    pub ignored: Vec<&'static str>,
}

impl<'a> Parsed<'a> {
    /// Reads the arguments of a program, without its own name.
    ///
    /// # Errors
    ///
    /// See [`OptionError`].
    pub fn new(
        info: &'static DriverInfo,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, OptionError<'a>> {
        let mut parsed = Self::default();
        let mut args = args.into_iter().peekable();
        while let Some(arg) = args.next() {
            if let Some(long) = arg.strip_prefix("--").filter(|name| !name.is_empty()) {
                parsed.long(info.options, long, &mut args)?;
            } else if let Some(shorts) = arg.strip_prefix('-').filter(|s| !s.is_empty()) {
                if shorts.starts_with('-') {
                    return Err(OptionError::Stray(arg));
                }
                parsed.shorts(info.options, shorts, &mut args)?;
            } else {
                return Err(OptionError::Stray(arg));
            }
        }
        Ok(parsed)
    }

    fn long(
        &mut self,
        table: &'static [Param],
        text: &'a str,
        args: &mut Peekable<impl Iterator<Item = &'a str>>,
    ) -> Result<(), OptionError<'a>> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let param =
            find(table, name).ok_or_else(|| OptionError::Unknown(name, nearest(table, name)))?;
        let value = value.or_else(|| next_value(param, args));
        self.add(param, value)
    }

    fn shorts(
        &mut self,
        table: &'static [Param],
        mut text: &'a str,
        args: &mut Peekable<impl Iterator<Item = &'a str>>,
    ) -> Result<(), OptionError<'a>> {
        while let Some(letter) = text.chars().next() {
            text = text.get(letter.len_utf8()..).unwrap_or("");
            let param = table
                .iter()
                .find(|p| p.short == Some(letter))
                .ok_or(OptionError::UnknownShort(letter))?;
            if param.kind == ParamKind::Flag {
                self.add(param, None)?;
                continue;
            }
            let attached = (!text.is_empty()).then_some(text);
            let value = attached.or_else(|| next_value(param, args));
            return self.add(param, value);
        }
        Ok(())
    }

    fn add(&mut self, param: &'static Param, raw: Option<&'a str>) -> Result<(), OptionError<'a>> {
        let option = param.name;
        let value =
            param.check(raw).map_err(|error| OptionError::Value { option, value: raw, error })?;
        if param.flags.has(Flags::IGNORED) {
            if !self.ignored.contains(&option) {
                self.ignored.push(option);
            }
            return Ok(());
        }
        if option == CLIENT {
            self.clients.push(Values::default());
        }
        let scope = if option == CLIENT || param.flags.has(Flags::CLIENT) {
            self.clients.last_mut().ok_or(OptionError::NoClient(option))?
        } else {
            &mut self.global
        };
        // To say "yes" twice does no harm.
        let once = !param.flags.has(Flags::MULTIPLE) && value != Value::Flag;
        if once && scope.flag(option) {
            return Err(OptionError::Twice(option));
        }
        scope.push(param, value);
        Ok(())
    }
}

/// The next argument, if the option takes a value. Something that looks like an option is none:
/// the value has been forgotten then, and `--name=value` helps those who mean it.
fn next_value<'a>(
    param: &Param,
    args: &mut Peekable<impl Iterator<Item = &'a str>>,
) -> Option<&'a str> {
    args.next_if(|a| param.kind != ParamKind::Flag && !a.starts_with('-'))
}
