//! Compiler probes that run only when something needs their answer.
//!
//! The kernel's own tool runs each `$(shell …)` where it stands. Here a text with such a call in it
//! is a [`Rope`], and the command runs when the text is needed: at once where the language has to
//! know it (names, `source`), with the first value that depends on it everywhere else.
//!
//! The values are the same. Two things can only be seen later than the kernel's tool sees them: an
//! `error-if` whose condition is a command's output is reported before the first value, and an
//! unquoted word whose command writes nothing, which that tool takes for a missing word, is an
//! undefined symbol without a name, hence n.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use l4re_packager_base::{Diagnostic, Position, Report};
use rustc_hash::FxHashMap;

use crate::model::SymbolId;
use crate::shell::{self, Shell};

/// A command whose output is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ProbeId(u32);

/// Part of a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    Text(String),
    Probe(ProbeId),
}

/// A text with outputs of commands in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rope(Vec<Piece>);

impl Rope {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let mut rope = Self::default();
        rope.push_str(&text.into());
        rope
    }

    pub(crate) fn probe(probe: ProbeId) -> Self {
        Self(vec![Piece::Probe(probe)])
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.0.push(Piece::Text(text.to_owned())),
        }
    }

    pub(crate) fn push(&mut self, other: &Self) {
        for piece in &other.0 {
            match piece {
                Piece::Text(text) => self.push_str(text),
                Piece::Probe(_) => self.0.push(piece.clone()),
            }
        }
    }

    /// The text, if no command is part of it.
    pub(crate) fn known(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Bytes of known text, and one for each command.
    pub(crate) fn len(&self) -> usize {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Probe(_) => 1,
        };
        self.0.iter().map(piece).sum()
    }
}

#[derive(Debug)]
struct Probe {
    command: Rope,
    output: OnceLock<String>,
}

/// An `error-if` whose condition is not known yet.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) condition: Rope,
    pub(crate) message: Rope,
    pub(crate) file: std::sync::Arc<str>,
    pub(crate) line: u32,
}

/// All commands of a [`crate::Kconfig`], with the shell that runs them.
pub(crate) struct Probes {
    shell: Box<dyn Shell>,
    probes: Vec<Probe>,
    index: FxHashMap<Rope, ProbeId>,
    /// The words and quoted texts that stand for symbols and have commands in them.
    leaves: FxHashMap<SymbolId, (Rope, bool)>,
    pub(crate) checks: Vec<Check>,
    /// Commands that could not be run at all.
    failures: Mutex<Report>,
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes").field("probes", &self.probes).finish_non_exhaustive()
    }
}

impl Probes {
    pub(crate) fn new(shell: Box<dyn Shell>) -> Self {
        Self {
            shell,
            probes: Vec::new(),
            index: FxHashMap::default(),
            leaves: FxHashMap::default(),
            checks: Vec::new(),
            failures: Mutex::new(Report::new()),
        }
    }

    /// The output of `command`, not run yet.
    pub(crate) fn add(&mut self, command: Rope) -> ProbeId {
        if let Some(id) = self.index.get(&command) {
            return *id;
        }
        let id = ProbeId(u32::try_from(self.probes.len()).unwrap_or(u32::MAX));
        self.probes.push(Probe { command: command.clone(), output: OnceLock::new() });
        self.index.insert(command, id);
        id
    }

    pub(crate) fn add_leaf(&mut self, symbol: SymbolId, text: Rope, quoted: bool) {
        self.leaves.insert(symbol, (text, quoted));
    }

    /// The text of a leaf, running what has to be run, and whether it is quoted.
    pub(crate) fn leaf(&self, symbol: SymbolId) -> (String, bool) {
        let leaf = self.leaves.get(&symbol).map(|(rope, quoted)| (self.force(rope), *quoted));
        leaf.unwrap_or_default()
    }

    /// The text of a rope, running what has to be run.
    pub(crate) fn force(&self, rope: &Rope) -> String {
        let mut text = String::new();
        for piece in &rope.0 {
            match piece {
                Piece::Text(known) => text.push_str(known),
                Piece::Probe(id) => text.push_str(self.output(*id)),
            }
        }
        text
    }

    fn output(&self, id: ProbeId) -> &str {
        let probe = &self.probes[id.0 as usize];
        if let Some(output) = probe.output.get() {
            return output;
        }
        // A command can only name commands added before it, so this ends.
        let command = crate::deep(|| self.force(&probe.command));
        let output = match self.shell.run(&command) {
            Ok(output) => shell::as_macro_text(&output),
            Err(error) => {
                let what = format!("cannot run `{}`: {error}", abridged(&command));
                let diagnostic = Diagnostic::error("kconfig-shell", what);
                self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(diagnostic);
                String::new()
            }
        };
        probe.output.get_or_init(|| output)
    }

    /// The first deferred `error-if` call that applies (the others are mostly consequences of it),
    /// and the commands that could not be run.
    pub(crate) fn verify(&self) -> Report {
        let mut report = Report::new();
        if let Some(check) = self.checks.iter().find(|check| self.force(&check.condition) == "y") {
            let line = check.line as usize;
            let diagnostic = Diagnostic::error("kconfig-error-if", self.force(&check.message))
                .file(Path::new(&*check.file))
                .at(Position::Text { line, column: 1 });
            let help = "the Kconfig files demand this; are the programs right that CC, LD and \
                        CROSS_COMPILE name?";
            report.push(diagnostic.help(help));
        }
        report.extend(self.failures());
        report
    }

    pub(crate) fn failures(&self) -> Report {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A command short enough for a message.
fn abridged(command: &str) -> String {
    match command.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &command[..end]),
        None => command.to_owned(),
    }
}
