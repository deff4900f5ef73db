//! References in a text.

use std::rc::Rc;

use l4re_packager_base::Diagnostic;

use super::evaluate::Evaluator;
use super::parse::reference_end;
use super::symbolic::{self, Condition, NameMatch, Table};
use super::variables::Piece;
use super::words::{patsubst, trim, words};
use super::{Stop, functions};

type Outcome<T = ()> = Result<T, Stop>;

/// In a symbolic evaluation: an assignment that can contribute to a variable.
#[derive(Debug, Clone)]
pub(crate) struct Contribution {
    /// The assignment.
    pub(crate) piece: Piece,
    /// What its name (`obj-$(CONFIG_X)`) needs for that.
    pub(crate) name: Option<Condition>,
    /// What must not hold, because another assignment takes its place then.
    pub(crate) replaced: Vec<Condition>,
}

/// `x-y := a.o` is gone where `x-$(CONFIG_B) := b.o`, further down, or `x-y := b.o` in a conditional
/// applies: it depends on that not being so.
fn replace(table: &Table, found: &mut [Contribution]) {
    for later in 1..found.len() {
        let (before, after) = found.split_at_mut(later);
        let Some(Contribution { piece, name, .. }) = after.first() else { continue };
        if !piece.replaces {
            continue;
        }
        let mut conditions = table.conditions(piece.guard);
        conditions.extend(name.clone());
        // The opposite of several conditions together is none that could be written down.
        let [condition] = conditions.as_slice() else { continue };
        let opposite = Condition { holds: !condition.holds, ..condition.clone() };
        for earlier in before.iter_mut().filter(|earlier| earlier.name.is_none()) {
            let known = table.conditions(earlier.piece.guard);
            if !known.contains(&opposite) && !earlier.replaced.contains(&opposite) {
                earlier.replaced.push(opposite.clone());
            }
        }
    }
}

impl Evaluator<'_> {
    /// A text with all references replaced.
    ///
    /// # Errors
    ///
    /// As for [`Evaluator::file`].
    pub fn expand(&mut self, text: &str) -> Outcome<String> {
        if !text.contains('$') {
            return Ok(text.to_owned());
        }
        let mut out = String::with_capacity(text.len() * 2);
        self.expand_into(text, &mut out)?;
        Ok(out)
    }

    pub(super) fn expand_into(&mut self, text: &str, out: &mut String) -> Outcome {
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            self.step()?;
            let Some(end) = reference_end(rest, dollar) else {
                return Err(self.unterminated(&rest[dollar + 1..]));
            };
            let before = out.len();
            self.reference(&rest[dollar + 1..end], out)?;
            // Long values cost time, too.
            self.steps += (out.len().saturating_sub(before) / 256) as u64;
            if out.len() > self.limits.value {
                return Err(self.stop("make-limit", "a value becomes too long"));
            }
            rest = &rest[end..];
        }
        out.push_str(rest);
        Ok(())
    }

    /// What stands after the `$`.
    fn reference(&mut self, reference: &str, out: &mut String) -> Outcome {
        let (close, inner) = match reference.bytes().next() {
            None => return Ok(()),
            Some(b'$') => {
                out.push('$');
                return Ok(());
            }
            Some(b'(') => (b')', &reference[1..]),
            Some(b'{') => (b'}', &reference[1..]),
            Some(_) => return self.expand_variable(reference, out),
        };
        let inner = &inner[..inner.len() - 1];
        self.descend()?;
        match functions::find(inner) {
            Some((function, arguments)) => self.function(function, arguments, close, out)?,
            None if inner.contains('$') => {
                let inner = self.expand(inner)?;
                self.substitution_reference(&inner, out)?;
            }
            None => self.substitution_reference(inner, out)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn unterminated(&self, reference: &str) -> Stop {
        let close = if reference.starts_with('{') { '}' } else { ')' };
        let message = match functions::find(reference.get(1..).unwrap_or_default()) {
            Some((function, _)) => {
                let name = function.name();
                format!("unterminated call to function '{name}': missing '{close}'")
            }
            None => "unterminated variable reference".to_owned(),
        };
        self.stop("make-syntax", message)
    }

    /// `name` or `name:a=b`.
    fn substitution_reference(&mut self, inner: &str, out: &mut String) -> Outcome {
        let substitution = inner.split_once(':').and_then(|(name, substitution)| {
            substitution.split_once('=').map(|(from, to)| (name, from, to))
        });
        let Some((name, from, to)) = substitution else {
            return self.expand_variable(inner, out);
        };
        let value = self.value(name)?;
        if from.contains('%') {
            patsubst(out, from, to, &value);
        } else {
            let (from, to) = (format!("%{from}"), format!("%{to}"));
            patsubst(out, &from, &to, &value);
        }
        Ok(())
    }

    /// The value of a variable: parameters first, then what Makefiles set, then the environment.
    pub(super) fn expand_variable(&mut self, name: &str, out: &mut String) -> Outcome {
        if let Some((_, value)) = self.locals.iter().rev().find(|(local, _)| **local == *name) {
            out.push_str(value);
            return Ok(());
        }
        if self.symbolic.is_some() {
            return self.expand_symbolically(name, out);
        }
        let Some((name, variable)) = self.variables.get_key_value(name) else {
            match self.environment.variable(name) {
                Some(value) => out.push_str(&value),
                None => self.note_unknown(name),
            }
            return Ok(());
        };
        if !variable.recursive {
            out.push_str(&variable.value);
            return Ok(());
        }
        if !variable.value.contains('$') {
            out.push_str(&variable.value);
            return Ok(());
        }
        let (name, value) = (Rc::clone(name), Rc::clone(&variable.value));
        self.enter(&name)?;
        self.expand_into(&value, out)?;
        self.leave();
        Ok(())
    }

    /// In the flags of an object: says that a reference that only a recipe or another make can
    /// expand is taken as empty. A variable that nobody sets is empty for make, too.
    fn note_unknown(&mut self, name: &str) {
        let bare = name.strip_suffix(['D', 'F']).unwrap_or(name);
        let help = if matches!(bare, "^" | "+" | "?" | "|" | "%") {
            "only make itself knows an object's prerequisites; name the files"
        } else if name.contains([' ', '\t']) {
            "there is no such function of make, or not with a blank in front of its arguments"
        } else {
            return;
        };
        self.note_in_flags(format!("cannot expand $({name}) in the flags of an object"), help);
    }

    /// A finding about the flags of an object, where the variable that is expanded got its value;
    /// nothing elsewhere.
    pub(super) fn note_in_flags(&mut self, message: String, help: &str) {
        if !self.locals.iter().any(|(name, _)| &**name == "@") {
            return;
        }
        let place_of = |name: &Rc<str>| self.variables.get(name)?.place.clone();
        let place = self.expanding.iter().rev().find_map(place_of);
        let outer = self.place.clone();
        self.place = place.unwrap_or_else(|| outer.clone());
        self.note(Diagnostic::error("kbuild-flags", message).help(help));
        self.place = outer;
    }

    /// Begins to expand a recursive variable.
    pub(super) fn enter(&mut self, name: &Rc<str>) -> Outcome {
        if self.expanding.contains(name) {
            let message = format!("recursive variable '{name}' references itself (eventually)");
            return Err(self.stop("make-recursion", message));
        }
        self.descend()?;
        self.expanding.push(Rc::clone(name));
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.expanding.pop();
        self.depth -= 1;
    }

    /// All that any configuration puts into a variable, words under their guards.
    fn expand_symbolically(&mut self, name: &str, out: &mut String) -> Outcome {
        let contributions = self.contributions(name);
        if contributions.is_empty() {
            if !self.variables.contains_key(name)
                && let Some(value) = self.environment.variable(name)
            {
                out.push_str(&value);
            }
            return Ok(());
        }
        let name: Rc<str> = name.into();
        self.enter(&name)?;
        let mut first = true;
        for contribution in contributions {
            let text = self.contributed(&contribution)?;
            let guard = match self.symbolic {
                Some(table) => table.guard(
                    contribution.piece.guard,
                    contribution.name.into_iter().chain(contribution.replaced),
                ),
                None => 0,
            };
            if !first {
                out.push(' ');
            }
            first = false;
            if guard == 0 {
                out.push_str(&text);
                continue;
            }
            let mark = symbolic::guard_mark(guard);
            for (index, word) in words(&text).enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(&mark);
                out.push_str(word);
            }
            if out.len() > self.limits.value {
                return Err(self.stop("make-limit", "a value becomes too long"));
            }
        }
        self.leave();
        Ok(())
    }

    /// In a symbolic evaluation: the assignments that can contribute to a variable.
    pub(crate) fn contributions(&self, name: &str) -> Vec<Contribution> {
        let mut found = Vec::new();
        if let Some(variable) = self.variables.get(name) {
            let own = |piece: &Piece| Contribution {
                piece: piece.clone(),
                name: None,
                replaced: Vec::new(),
            };
            found.extend(variable.pieces.iter().map(own));
        }
        let Some(table) = self.symbolic else { return found };
        self.templates.matching(name, |template, NameMatch { on, marks }| {
            let symbols = table.symbols_in(template);
            let condition = match on {
                0 => Condition::new(symbols, false, false),
                on => Condition::new(symbols, on == marks, true),
            };
            if let Some(variable) = self.variables.get(&**template) {
                let by_name = |piece: &Piece| Contribution {
                    piece: piece.clone(),
                    name: Some(condition.clone()),
                    replaced: Vec::new(),
                };
                found.extend(variable.pieces.iter().map(by_name));
            }
        });
        if found.len() > 1 {
            found.sort_by_key(|contribution| contribution.piece.order);
            replace(table, &mut found);
        }
        found
    }

    /// In a symbolic evaluation: whether anything can contribute to a variable.
    pub(crate) fn has_contributions(&self, name: &str) -> bool {
        if self
            .variables
            .get(name)
            .is_some_and(|variable| variable.pieces.iter().any(|piece| !piece.text.is_empty()))
        {
            return true;
        }
        let mut any = false;
        self.templates.matching(name, |_, _| any = true);
        any
    }

    /// What an assignment contributes, expanded.
    ///
    /// # Errors
    ///
    /// As for [`Evaluator::file`].
    pub(crate) fn contributed(&mut self, contribution: &Contribution) -> Outcome<String> {
        match contribution.piece.recursive {
            true => self.expand(&contribution.piece.text),
            false => Ok((*contribution.piece.text).into()),
        }
    }

    /// Runs a command of `$(shell …)` or `!=`, or says that it was not run.
    pub(super) fn shell(&mut self, command: &str) -> String {
        match self.environment.shell(trim(command)) {
            Ok(output) => {
                output.trim_end_matches(['\n', '\r']).replace("\r\n", " ").replace('\n', " ")
            }
            Err(finding) => {
                self.note(finding);
                String::new()
            }
        }
    }
}
