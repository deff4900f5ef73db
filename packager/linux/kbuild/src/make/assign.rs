//! Assignments: of variables, of variables for some targets, and for all configurations at once.

use std::rc::Rc;

use super::Stop;
use super::ast::{Assignment, Operator};
use super::evaluate::{Evaluator, TargetVariable};
use super::variables::{Piece, Variable};
use super::words::{Pattern, normalize, trim, words};

type Outcome<T = ()> = Result<T, Stop>;

impl Evaluator<'_> {
    /// Whether some variables have other values for some targets.
    pub fn has_target_variables(&self) -> bool {
        !self.target_variables.is_empty()
    }

    /// Does something while the variables have the values that they have for a target, make's
    /// automatic ones included. `stem` is the target's name in its directory without its suffix,
    /// `source` what it is made from.
    ///
    /// # Errors
    ///
    /// As for [`Evaluator::file`], and those of `action`.
    pub fn with_target<T>(
        &mut self,
        target: &str,
        stem: &str,
        source: &str,
        action: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        let locals = self.locals.len();
        self.locals.extend(automatic(target, stem, source));
        let outcome = self.with_target_variables(target, action);
        self.locals.truncate(locals);
        outcome
    }

    fn with_target_variables<T>(
        &mut self,
        target: &str,
        action: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        let fits = |variable: &&TargetVariable| {
            let wanted = normalize(&variable.target);
            Pattern::new(&wanted).matches(target)
        };
        let specific: Vec<_> = self.target_variables.iter().filter(fits).cloned().collect();
        if specific.is_empty() {
            return action(self);
        }
        let outer = self.place.clone();
        let mut saved: Vec<(Rc<str>, Option<Variable>)> = Vec::new();
        let mut outcome = Ok(());
        for TargetVariable { assignment, place, .. } in specific {
            saved
                .push((Rc::clone(&assignment.name), self.variables.get(&assignment.name).cloned()));
            self.place = place;
            outcome = outcome.and_then(|()| self.assign(&assignment));
        }
        self.place = outer;
        let result = outcome.and_then(|()| action(self));
        for (name, variable) in saved.into_iter().rev() {
            match variable {
                Some(variable) => self.variables.insert(name, variable),
                None => self.variables.remove(&name),
            };
        }
        result
    }

    pub(super) fn target_variable(&mut self, targets: &str, assignment: &Assignment) -> Outcome {
        let targets = self.expand(targets)?;
        let name = self.expand(&assignment.name)?;
        let mut assignment = Assignment { name: name.into(), ..assignment.clone() };
        if assignment.operator == Operator::Simple {
            let value = self.expand(&assignment.value)?;
            assignment.value = value.replace('$', "$$").into();
        }
        for target in words(&targets) {
            let target = target.to_owned();
            let place = self.place.clone();
            let assignment = assignment.clone();
            self.target_variables.push(TargetVariable { target, assignment, place });
        }
        Ok(())
    }

    pub(super) fn assign(&mut self, assignment: &Assignment) -> Outcome {
        let name = self.expand(&assignment.name)?;
        let mut name = trim(&name);
        if name.is_empty() {
            return Err(self.stop("make-syntax", "empty variable name"));
        }
        if self.symbolic.is_some() {
            return self.assign_symbolically(name, assignment);
        }
        // Characters that only marks consist of do not occur here.
        name = name.trim_end();
        let protected = self.variables.get(name).is_some_and(|variable| variable.overridden);
        if protected && !assignment.overrides {
            return Ok(());
        }
        let value = &assignment.value;
        match assignment.operator {
            Operator::Default if self.is_known(name) => return Ok(()),
            Operator::Recursive | Operator::Default => {
                self.variables.insert(name.into(), Variable::new(Rc::clone(value), true));
            }
            Operator::Simple => {
                let value = self.expand(value)?;
                self.variables.insert(name.into(), Variable::new(value.into(), false));
            }
            Operator::Shell => {
                let command = self.expand(value)?;
                let output = self.shell(&command);
                self.variables.insert(name.into(), Variable::new(output.into(), false));
            }
            Operator::Append => self.append(name, value)?,
        }
        let place = self.place.clone();
        if let Some(variable) = self.variables.get_mut(name) {
            variable.overridden |= assignment.overrides;
            variable.place = Some(place);
        }
        Ok(())
    }

    fn is_known(&self, name: &str) -> bool {
        self.variables.contains_key(name) || self.environment.variable(name).is_some()
    }

    fn append(&mut self, name: &str, value: &Rc<str>) -> Outcome {
        let simple = self.variables.get(name).is_some_and(|variable| !variable.recursive);
        let text = if simple { self.expand(value)?.into() } else { Rc::clone(value) };
        if let Some(variable) = self.variables.get_mut(name) {
            if !text.is_empty() {
                variable.append(&text);
            }
            return Ok(());
        }
        let mut variable = Variable::new(Rc::clone(&text), true);
        if let Some(inherited) = self.environment.variable(name) {
            variable.value = inherited.replace('$', "$$").into();
            if !text.is_empty() {
                variable.append(&text);
            }
        }
        self.variables.insert(name.into(), variable);
        Ok(())
    }

    fn assign_symbolically(&mut self, name: &str, assignment: &Assignment) -> Outcome {
        let Some(table) = self.symbolic else { return Ok(()) };
        let (name, guard) = table.take_guards(name);
        let guard = table.both(self.guard, guard);
        let simple = match assignment.operator {
            Operator::Simple | Operator::Shell => true,
            Operator::Append => self.variables.get(&*name).is_some_and(|known| !known.recursive),
            Operator::Default if self.variables.contains_key(&*name) => return Ok(()),
            Operator::Recursive | Operator::Default => false,
        };
        let text = match assignment.operator {
            Operator::Shell => "".into(),
            _ if simple => self.expand(&assignment.value)?.into(),
            _ => Rc::clone(&assignment.value),
        };
        let name: Rc<str> = name.into();
        if !self.variables.contains_key(&name) {
            self.templates.add(&name);
        }
        let variable =
            self.variables.entry(name).or_insert_with(|| Variable::new("".into(), !simple));
        // What replaces a value for certain makes it forgotten; in one branch it does not.
        if guard == 0 && assignment.operator != Operator::Append {
            variable.pieces.clear();
            variable.recursive = !simple;
        }
        let place = self.place.clone();
        let replaces = assignment.operator != Operator::Append;
        let (recursive, order) = (!simple, self.steps);
        variable.pieces.push(Piece { text, recursive, replaces, order, guard, place });
        Ok(())
    }
}

/// The variables of a recipe (GNU make, 10.5.3), and what Kbuild derives from them.
fn automatic(target: &str, stem: &str, source: &str) -> impl Iterator<Item = (Rc<str>, Rc<str>)> {
    let mut found: Vec<(Rc<str>, Rc<str>)> = Vec::new();
    for (name, path) in [("@", target), ("*", stem), ("<", source)] {
        let (folder, file) = path.rsplit_once('/').unwrap_or((".", path));
        found.push((name.into(), path.into()));
        found.push((format!("{name}D").into(), folder.into()));
        found.push((format!("{name}F").into(), file.into()));
    }
    let base = stem.rsplit('/').next().unwrap_or(stem);
    found.push(("basetarget".into(), base.into()));
    found.push(("target-stem".into(), stem.into()));
    found.into_iter()
}
