//! The macro language: variables, functions, `$(…)`.
//!
//! `$(info …)` has no effect: standard output belongs to whoever uses this crate.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::environment::Environment;
use crate::lazy::{Check, Probes, Rope};

/// Most arguments of a function, its name included.
const MAX_ARGUMENTS: usize = 16;
/// Deepest nesting of calls within calls.
const MAX_DEPTH: u32 = 1000;
/// Most calls that one `$(…)` in a file may lead to.
const MAX_CALLS: u32 = 100_000;
/// Longest text that a call may result in, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// How a variable is assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignment {
    /// `=`: expanded when used.
    Recursive,
    /// `:=`: expanded at once.
    Simple,
    /// `+=`.
    Append,
}

#[derive(Debug)]
enum Value {
    Recursive(String),
    Simple(Rope),
}

#[derive(Debug)]
struct Variable {
    value: Arc<Value>,
    /// How many of its expansions are under way.
    active: u32,
}

/// Where a call stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
}

/// Why a text cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

fn refuse<T>(message: impl Into<String>, help: &'static str) -> Result<T, Refusal> {
    Err(Refusal { message: message.into(), help })
}

/// The state of the macro language while files are read.
pub(crate) struct Expander<'e> {
    variables: FxHashMap<String, Variable>,
    environment: &'e Environment,
    pub(crate) probes: Probes,
    /// What `warning-if` said since the last look.
    pub(crate) warnings: Vec<(u32, String)>,
    depth: u32,
    calls: u32,
}

impl<'e> Expander<'e> {
    pub(crate) fn new(environment: &'e Environment, probes: Probes) -> Self {
        Self {
            variables: FxHashMap::default(),
            environment,
            probes,
            warnings: Vec::new(),
            depth: 0,
            calls: 0,
        }
    }

    /// Assigns a variable.
    pub(crate) fn assign(
        &mut self,
        name: &str,
        how: Assignment,
        text: &str,
        place: &Place,
    ) -> Result<(), Refusal> {
        let old = self.variables.get(name).map(|variable| Arc::clone(&variable.value));
        let value = match (how, old.as_deref()) {
            (Assignment::Simple, _) => Value::Simple(self.expand(text, place)?),
            (Assignment::Append, Some(Value::Simple(old))) => {
                let mut value = old.clone();
                value.push_str(" ");
                value.push(&self.expand(text, place)?);
                Value::Simple(value)
            }
            (Assignment::Append, Some(Value::Recursive(old))) => {
                Value::Recursive(format!("{old} {text}"))
            }
            _ => Value::Recursive(text.to_owned()),
        };
        let length = match &value {
            Value::Recursive(text) => text.len(),
            Value::Simple(rope) => rope.len(),
        };
        if length > MAX_TEXT {
            let what = format!("the value of `{name}` is longer than 1 MiB");
            return refuse(what, "do not append to the variable in a loop");
        }
        let variable = Variable { value: Arc::new(value), active: 0 };
        self.variables.insert(name.to_owned(), variable);
        Ok(())
    }

    /// Expands a whole text.
    pub(crate) fn expand(&mut self, text: &str, place: &Place) -> Result<Rope, Refusal> {
        self.calls = 0;
        self.all(text, &[], place)
    }

    /// Expands the `$` that `text` follows; also says how many bytes of `text` belong to it.
    pub(crate) fn dollar(&mut self, text: &str, place: &Place) -> Result<(Rope, usize), Refusal> {
        self.calls = 0;
        self.reference(text, &[], place)
    }

    fn all(&mut self, text: &str, arguments: &[Rope], place: &Place) -> Result<Rope, Refusal> {
        let mut out = Rope::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let (value, used) = self.reference(after, arguments, place)?;
            out.push(&value);
            if out.len() > MAX_TEXT {
                let help = "a macro multiplies its argument; simplify it";
                return refuse("the expansion is longer than 1 MiB", help);
            }
            rest = &after[used..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn reference(
        &mut self,
        text: &str,
        arguments: &[Rope],
        place: &Place,
    ) -> Result<(Rope, usize), Refusal> {
        // Only `$(` is a reference: neither `$A` nor `${A}` mean anything.
        let Some(inner) = text.strip_prefix('(') else {
            return Ok((Rope::text("$"), 0));
        };
        let Some(end) = closing(inner) else {
            let what = format!("unterminated reference to '{inner}': missing ')'");
            return refuse(what, "a reference has to end on the line on which it begins");
        };
        let value = self.call(&inner[..end], arguments, place)?;
        Ok((value, end + 2))
    }

    /// Evaluates what stands between the parentheses.
    fn call(&mut self, clause: &str, outer: &[Rope], place: &Place) -> Result<Rope, Refusal> {
        self.calls += 1;
        if self.calls > MAX_CALLS || self.depth >= MAX_DEPTH {
            return refuse("too deep recursive expansion", "a macro calls itself without end");
        }
        self.depth += 1;
        let value = crate::deep(|| self.evaluate(clause, outer, place));
        self.depth -= 1;
        value
    }

    fn evaluate(&mut self, clause: &str, outer: &[Rope], place: &Place) -> Result<Rope, Refusal> {
        let argument = clause.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some(argument) = argument.and_then(|index| outer.get(index)) {
            return Ok(argument.clone());
        }
        let parts = split_arguments(clause);
        if parts.len() > MAX_ARGUMENTS {
            return refuse("too many function arguments", "a function takes 15 at most");
        }
        let mut values = Vec::with_capacity(parts.len());
        for part in &parts {
            values.push(self.all(part, outer, place)?);
        }
        let name = self.probes.force(&values.remove(0));
        if let Some(value) = self.variable(&name, &values, place)? {
            return Ok(value);
        }
        if let Some(value) = self.builtin(&name, &values, place)? {
            return Ok(value);
        }
        if !values.is_empty() {
            return Ok(Rope::default());
        }
        if let Some(command) = self.environment.command(&name) {
            return Ok(Rope::probe(self.probes.add(Rope::text(command))));
        }
        Ok(Rope::text(self.environment.get(&name).unwrap_or_default()))
    }

    fn variable(
        &mut self,
        name: &str,
        arguments: &[Rope],
        place: &Place,
    ) -> Result<Option<Rope>, Refusal> {
        let Some(variable) = self.variables.get_mut(name) else { return Ok(None) };
        if arguments.is_empty() && variable.active > 0 {
            let what = format!("recursive variable '{name}' references itself (eventually)");
            return refuse(what, "use `:=` to refer to the value so far");
        }
        let value = Arc::clone(&variable.value);
        variable.active += 1;
        let result = match &*value {
            Value::Recursive(text) => self.all(text, arguments, place),
            Value::Simple(rope) => Ok(rope.clone()),
        };
        if let Some(variable) = self.variables.get_mut(name) {
            variable.active -= 1;
        }
        result.map(Some)
    }

    fn builtin(
        &mut self,
        name: &str,
        arguments: &[Rope],
        place: &Place,
    ) -> Result<Option<Rope>, Refusal> {
        let wanted = match name {
            "filename" | "lineno" => 0,
            "info" | "shell" => 1,
            "error-if" | "warning-if" => 2,
            _ => return Ok(None),
        };
        if arguments.len() != wanted {
            let few = if arguments.len() < wanted { "few" } else { "many" };
            let what = format!("too {few} function arguments passed to '{name}'");
            return refuse(what, "arguments are separated by commas without quoting");
        }
        let value = match (name, arguments) {
            ("filename", _) => Rope::text(&*place.file),
            ("lineno", _) => Rope::text(place.line.to_string()),
            ("shell", [command]) => Rope::probe(self.probes.add(command.clone())),
            ("error-if", [condition, message]) => {
                self.error_if(condition, message, place)?;
                Rope::default()
            }
            ("warning-if", [condition, message]) => {
                if self.probes.force(condition) == "y" {
                    let message = self.probes.force(message);
                    self.warnings.push((place.line, message));
                }
                Rope::default()
            }
            _ => Rope::default(),
        };
        Ok(Some(value))
    }

    /// `error-if`: at once if its condition is known, else when values are asked for.
    fn error_if(&mut self, condition: &Rope, message: &Rope, place: &Place) -> Result<(), Refusal> {
        match condition.known() {
            Some("y") => {
                refuse(self.probes.force(message), "the Kconfig files themselves demand this")
            }
            Some(_) => Ok(()),
            None => {
                self.probes.checks.push(Check {
                    condition: condition.clone(),
                    message: message.clone(),
                    file: Arc::clone(&place.file),
                    line: place.line,
                });
                Ok(())
            }
        }
    }
}

/// Where the `)` of a reference is.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => open += 1,
            b')' if open == 0 => return Some(index),
            b')' => open -= 1,
            _ => {}
        }
    }
    None
}

/// Splits at the commas outside parentheses.
fn split_arguments(clause: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut open, mut start) = (0_i64, 0);
    for (index, byte) in clause.bytes().enumerate() {
        match byte {
            b',' if open == 0 => {
                parts.push(&clause[start..index]);
                start = index + 1;
            }
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
    }
    parts.push(&clause[start..]);
    parts
}

#[cfg(test)]
mod tests;
