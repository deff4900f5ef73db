//! Statements.

use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;

use l4re_packager_base::{Diagnostic, Position};

use crate::hash::NameMap;

use super::ast::{Assignment, Branch, Kind, Makefile, Statement, Test};
use super::symbolic::{self, GuardId, Table, Templates};
use super::variables::{Piece, Place, Variable};
use super::words::{trim, words};
use super::{Environment, Files, Stop, parse};

/// Bounds on what a Makefile can make the evaluation do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Depth of nested references, function calls and includes.
    pub depth: usize,
    /// Bytes that one expansion may produce.
    pub value: usize,
    /// Expansions and statements of one evaluation; 256 bytes of a value count like one.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 150, value: 8 << 20, steps: 5_000_000 }
    }
}

/// A rule: what is made from what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The targets.
    pub targets: Vec<String>,
    /// The pattern of the targets if it is a static pattern rule.
    pub pattern: Option<String>,
    /// The prerequisites.
    pub prerequisites: Vec<String>,
    /// Whether it has a recipe.
    pub recipe: bool,
}

/// `targets: name = value`.
#[derive(Debug, Clone)]
pub(crate) struct TargetVariable {
    /// The target, or a pattern.
    pub(crate) target: String,
    pub(crate) assignment: Assignment,
    pub(crate) place: Place,
}

/// The state of an evaluation.
pub struct Evaluator<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) environment: &'a dyn Environment,
    pub(super) variables: NameMap<Rc<str>, Variable>,
    /// Parameters of `call` and the variables of `foreach`, innermost last.
    pub(super) locals: Vec<(Rc<str>, Rc<str>)>,
    /// The recursive variables that are being expanded.
    pub(super) expanding: Vec<Rc<str>>,
    pub(super) depth: usize,
    pub(super) steps: u64,
    pub(super) limits: Limits,
    pub(super) place: Place,
    pub(super) symbolic: Option<&'a Table>,
    pub(super) guard: GuardId,
    pub(super) templates: Templates,
    rules: Vec<Rule>,
    pub(super) target_variables: Vec<TargetVariable>,
    read: Vec<Rc<str>>,
    findings: Vec<Diagnostic>,
    said: HashSet<(Rc<str>, u32, String)>,
}

type Outcome<T = ()> = Result<T, Stop>;

impl<'a> Evaluator<'a> {
    /// An evaluation without any variable.
    pub fn new(files: &'a dyn Files, environment: &'a dyn Environment, limits: Limits) -> Self {
        Self {
            files,
            environment,
            variables: NameMap::default(),
            locals: Vec::new(),
            expanding: Vec::new(),
            depth: 0,
            steps: 0,
            limits,
            place: Place { file: "".into(), line: 0 },
            symbolic: None,
            guard: 0,
            templates: Templates::default(),
            rules: Vec::new(),
            target_variables: Vec::new(),
            read: Vec::new(),
            findings: Vec::new(),
            said: HashSet::new(),
        }
    }

    /// An evaluation for all configurations at once.
    pub(crate) fn symbolic(
        files: &'a dyn Files,
        environment: &'a dyn Environment,
        table: &'a Table,
        limits: Limits,
    ) -> Self {
        Self { symbolic: Some(table), ..Self::new(files, environment, limits) }
    }

    /// Reads and evaluates a Makefile.
    ///
    /// # Errors
    ///
    /// Whatever make would stop at, and what exceeds the limits.
    pub fn file(&mut self, path: &str) -> Outcome {
        if !self.include(path)? {
            let message = format!("there is no `{path}`");
            return Err(self.stop("make-missing-file", message));
        }
        Ok(())
    }

    /// Evaluates a text as if it stood at the current place.
    ///
    /// # Errors
    ///
    /// As for [`Evaluator::file`].
    pub fn text(&mut self, text: &str) -> Outcome {
        match parse(text) {
            Ok(makefile) => self.block(&makefile.statements, false),
            Err(error) => Err(self.stop("make-syntax", error.message)),
        }
    }

    /// Sets a simple variable.
    pub fn set(&mut self, name: &str, value: &str) {
        let value: Rc<str> = value.into();
        let mut variable = Variable::new(Rc::clone(&value), false);
        if self.symbolic.is_some() {
            let place = self.place.clone();
            let order = self.steps;
            let (recursive, replaces, guard) = (false, true, 0);
            variable.pieces.push(Piece { text: value, recursive, replaces, order, guard, place });
        }
        self.variables.insert(name.into(), variable);
    }

    /// The value of a variable, expanded; empty if there is none.
    ///
    /// # Errors
    ///
    /// As for [`Evaluator::file`].
    pub fn value(&mut self, name: &str) -> Outcome<String> {
        let mut out = String::new();
        self.expand_variable(name, &mut out)?;
        Ok(out)
    }

    /// The words of a variable.
    ///
    /// # Errors
    ///
    /// As for [`Evaluator::file`].
    pub fn list(&mut self, name: &str) -> Outcome<Vec<String>> {
        Ok(words(&self.value(name)?).map(str::to_owned).collect())
    }

    /// Whether a Makefile has set a variable, even to nothing.
    pub fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The rules read, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The files read, in order, each once.
    pub fn read_files(&self) -> &[Rc<str>] {
        &self.read
    }

    /// What was found on the way; the evaluation went on.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// Takes the findings out.
    pub fn take_findings(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.findings)
    }

    /// An error at the current place.
    pub(super) fn stop(&self, code: &'static str, message: impl Into<String>) -> Stop {
        Stop(Box::new(self.here(Diagnostic::error(code, message))))
    }

    fn here(&self, diagnostic: Diagnostic) -> Diagnostic {
        if self.place.line == 0 {
            return diagnostic;
        }
        let position = Position::Text { line: self.place.line as usize, column: 1 };
        diagnostic.file(Path::new(&*self.place.file)).at(position)
    }

    /// A finding at the current place, said once.
    pub(super) fn note(&mut self, diagnostic: Diagnostic) {
        let key = (Rc::clone(&self.place.file), self.place.line, diagnostic.message.clone());
        if self.said.insert(key) {
            let diagnostic = self.here(diagnostic);
            self.findings.push(diagnostic);
        }
    }

    pub(super) fn step(&mut self) -> Outcome {
        self.steps += 1;
        if self.steps > self.limits.steps {
            return Err(self.stop("make-limit", "evaluation takes too long"));
        }
        Ok(())
    }

    /// One level deeper; the caller goes up again by `self.depth -= 1`, unless it fails.
    pub(super) fn descend(&mut self) -> Outcome {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(self.stop("make-limit", "references or includes nest too deep"));
        }
        Ok(())
    }

    fn include(&mut self, path: &str) -> Outcome<bool> {
        let path = path.strip_prefix("./").unwrap_or(path);
        let makefile = match self.files.makefile(path) {
            Some(makefile) => makefile.map_err(|error| Stop(Box::new(error)))?,
            None => return Ok(false),
        };
        let file: Rc<str> = path.into();
        if !self.read.contains(&file) {
            self.read.push(Rc::clone(&file));
        }
        self.descend()?;
        let place = std::mem::replace(&mut self.place, Place { file, line: 1 });
        self.run(&makefile)?;
        self.depth -= 1;
        self.place = place;
        Ok(true)
    }

    fn run(&mut self, makefile: &Rc<Makefile>) -> Outcome {
        let makefile = Rc::clone(makefile);
        self.block(&makefile.statements, true)
    }

    fn block(&mut self, statements: &[Statement], lines: bool) -> Outcome {
        for statement in statements {
            self.step()?;
            if lines {
                self.place.line = statement.line;
            }
            self.statement(statement, lines)?;
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Statement, lines: bool) -> Outcome {
        match &statement.kind {
            Kind::Assign(assignment) => self.assign(assignment),
            Kind::Undefine(name) => {
                let name = self.expand(name)?;
                self.variables.remove(trim(&name));
                Ok(())
            }
            Kind::Conditional { branches, otherwise } => {
                self.conditional(branches, otherwise, lines)
            }
            Kind::Include { files, optional } => self.include_all(files, *optional),
            Kind::Rule { targets, rest, assignment, recipe } => match assignment {
                Some(assignment) => self.target_variable(targets, assignment),
                None => self.rule(targets, rest, *recipe),
            },
            Kind::Recipe => {
                if let Some(rule) = self.rules.last_mut() {
                    rule.recipe = true;
                }
                Ok(())
            }
            Kind::Expression(text) => self.expression(text),
            Kind::Ignored => Ok(()),
        }
    }

    fn include_all(&mut self, files: &str, optional: bool) -> Outcome {
        let files = self.expand(files)?;
        let (files, _) = match self.symbolic {
            Some(table) => table.take_guards(&files),
            None => (files, 0),
        };
        for name in words(&files) {
            let mut names = vec![name.to_owned()];
            if name.contains(['*', '?', '[']) {
                names = self.files.wildcard(name);
            }
            for name in names {
                if !self.include_searched(&name)? && !optional {
                    if self.symbolic.is_some() {
                        // Under another configuration it may exist.
                        let message = format!("included file `{name}` is not there");
                        self.note(Diagnostic::warning("make-missing-include", message));
                        continue;
                    }
                    let message = format!("included file `{name}` is not there");
                    return Err(self.stop("make-missing-include", message));
                }
            }
        }
        Ok(())
    }

    fn include_searched(&mut self, name: &str) -> Outcome<bool> {
        if self.include(name)? {
            return Ok(true);
        }
        if !name.starts_with('/') {
            let files = self.files;
            for directory in files.include_path() {
                if self.include(&format!("{directory}/{name}"))? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn conditional(
        &mut self,
        branches: &[Branch],
        otherwise: &[Statement],
        lines: bool,
    ) -> Outcome {
        let outer = self.guard;
        for branch in branches {
            if lines {
                self.place.line = branch.line;
            }
            let verdict = match &branch.test {
                Test::Equal(one, other) => {
                    let one = self.expand(one)?;
                    let other = self.expand(other)?;
                    self.compare(&one, &other, branch.expected)
                }
                Test::Defined(name) => self.defined(name, branch.expected)?,
            };
            match verdict {
                Verdict::Yes => {
                    let outcome = self.block(&branch.body, lines);
                    self.guard = outer;
                    return outcome;
                }
                Verdict::No => {}
                Verdict::Depends { yes, no } => {
                    let before = self.guard;
                    self.guard = yes;
                    self.block(&branch.body, lines)?;
                    self.guard = self.symbolic.map_or(before, |table| table.both(before, no));
                }
            }
        }
        let outcome = self.block(otherwise, lines);
        self.guard = outer;
        outcome
    }

    fn compare(&self, one: &str, other: &str, expected: bool) -> Verdict {
        if let Some(table) = self.symbolic
            && (symbolic::is_symbolic(one) || symbolic::is_symbolic(other))
        {
            let (one, guard) = table.take_guards(one);
            let (other, more) = table.take_guards(other);
            let yes = symbolic::condition(table, &one, &other, expected);
            let no = symbolic::condition(table, &one, &other, !expected);
            let guard = table.both(self.guard, table.both(guard, more));
            let yes = table.guard(guard, yes);
            return Verdict::Depends { yes, no: table.guard(self.guard, no) };
        }
        Verdict::of((one == other) == expected)
    }

    fn defined(&mut self, name: &str, expected: bool) -> Outcome<Verdict> {
        let name = self.expand(name)?;
        let name = trim(&name);
        if self.symbolic.is_some() {
            let value = self.value(name)?;
            return Ok(self.compare(if value.is_empty() { "" } else { &value }, "", !expected));
        }
        // Only the text counts: a variable whose value expands to nothing is defined.
        let defined = match self.variables.get(name) {
            Some(variable) => !variable.value.is_empty(),
            None => self.environment.variable(name).is_some_and(|value| !value.is_empty()),
        };
        Ok(Verdict::of(defined == expected))
    }

    fn expression(&mut self, text: &str) -> Outcome {
        let expanded = self.expand(text)?;
        let expanded = trim(&expanded);
        if expanded.is_empty() {
            return Ok(());
        }
        if expanded.contains(':') {
            return self.text(expanded);
        }
        if self.symbolic.is_some() && symbolic::is_symbolic(expanded) {
            return Ok(());
        }
        Err(self.stop("make-syntax", "missing separator: neither an assignment nor a rule"))
    }

    fn rule(&mut self, targets: &str, rest: &str, recipe: bool) -> Outcome {
        let targets = self.expand(targets)?;
        let rest = self.expand(rest)?;
        if trim(&targets).is_empty() {
            return Ok(());
        }
        // `targets: pattern: prerequisites`; a colon inside of a word is no separator.
        let (pattern, prerequisites) = match rest.split_once(": ") {
            Some((pattern, prerequisites)) => (Some(trim(pattern).to_owned()), prerequisites),
            None => (None, &*rest),
        };
        let (normal, order_only) = prerequisites.split_once('|').unwrap_or((prerequisites, ""));
        let prerequisites = words(normal).chain(words(order_only)).map(str::to_owned).collect();
        let targets = words(&targets).map(str::to_owned).collect();
        self.rules.push(Rule { targets, pattern, prerequisites, recipe });
        Ok(())
    }
}

/// What a test amounts to.
enum Verdict {
    Yes,
    No,
    /// On symbols: the guards of the two ways on.
    Depends {
        yes: GuardId,
        no: GuardId,
    },
}

impl Verdict {
    fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}
