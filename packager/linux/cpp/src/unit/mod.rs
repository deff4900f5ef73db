//! One C file being scanned: macros, files that are open, what was found.

mod builtin;
mod include;

use std::rc::Rc;

use l4re_packager_base::{Diagnostic, Position};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::compiler::Language;
use crate::expand::Expansion;
use crate::files::{FileId, Files};
use crate::intern::{Interner, Symbol, known};
use crate::lines::{Action, Directive, Lines, Text};
use crate::macros::Definition;
use crate::options::Options;
use crate::result::{Included, Scan};
use crate::search::{Found, SearchPath};
use crate::source::FileSource;
use crate::token::{Token, tokenize};

/// How much may be done for one C file, in directives and tokens: a driver needs some 100,000.
const MAX_WORK: u64 = 20_000_000;
/// How many findings are kept of one C file.
const MAX_FINDINGS: usize = 100;

/// A macro: its file, and the index of its directive there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct MacroId(FileId, u32);

/// A macro that has been read, or why it cannot be used.
type Read = Result<Rc<Definition>, &'static str>;

/// The macros that have been used: only these are read.
pub(crate) type Macros = FxHashMap<MacroId, Read>;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Value {
    /// Itself.
    #[default]
    Undefined,
    /// Something that only the preprocessor knows.
    Builtin,
    /// A macro.
    Macro(MacroId),
}

/// A file that is being read.
struct Frame {
    file: FileId,
    /// Its index in the result.
    index: usize,
    /// Where `#include_next` goes on.
    found: Found,
    lines: Rc<Lines>,
    at: usize,
    groups: Vec<Group>,
}

/// A conditional group.
struct Group {
    /// Whether one of its branches was taken.
    taken: bool,
    /// Whether its `#else` was met.
    closed: bool,
    line: u32,
}

/// One C file being scanned.
pub(crate) struct Unit<'a> {
    pub(crate) interner: &'a mut Interner,
    pub(crate) expansion: Expansion,
    /// How much more may be done.
    pub(crate) work: u64,
    files: &'a mut Files,
    source: &'a dyn FileSource,
    macros: &'a mut Macros,
    options: &'a Options,
    search: SearchPath,
    values: Vec<Value>,
    pushed: FxHashMap<Symbol, Vec<Value>>,
    frames: Vec<Frame>,
    /// Index in the result by file.
    indices: FxHashMap<FileId, usize>,
    /// Files and contents never to be read again.
    once: FxHashSet<FileId>,
    once_contents: FxHashSet<Vec<u8>>,
    counter: i64,
    scan: Scan,
}

impl<'a> Unit<'a> {
    pub(crate) fn new(
        interner: &'a mut Interner,
        files: &'a mut Files,
        source: &'a dyn FileSource,
        macros: &'a mut Macros,
        options: &'a Options,
    ) -> Self {
        let search = SearchPath::new(options, files);
        Self {
            expansion: Expansion::default(),
            work: MAX_WORK,
            values: vec![Value::Undefined; interner.len()],
            interner,
            files,
            source,
            macros,
            options,
            search,
            pushed: FxHashMap::default(),
            frames: Vec::new(),
            indices: FxHashMap::default(),
            once: FxHashSet::default(),
            once_contents: FxHashSet::default(),
            counter: 0,
            scan: Scan::default(),
        }
    }

    /// Scans `main`, with all that the options put before it.
    pub(crate) fn run(mut self, main: FileId) -> Scan {
        for name in self.options.compiler.builtins() {
            let symbol = self.interner.intern(name.as_bytes());
            self.set(symbol, Value::Builtin);
        }
        let path = self.files.path(main);
        self.indices.insert(main, 0);
        self.scan.files.push(Included { path, origin: None });

        let predefined = self.files.text_of(&self.options.compiler.predefined);
        self.read_text(predefined);
        let command_line = self.options.command_line();
        let command_line = self.files.text_of(&command_line);
        self.read_text(command_line);
        let options = self.options;
        for forced in &options.forced_macros {
            self.include_forced(forced);
        }
        for forced in &options.forced {
            self.include_forced(forced);
        }
        let found = Found::unsearched(self.files, main);
        self.enter(main, 0, found);
        self.run_frames();
        self.scan
    }

    /// Executes definitions that come from no file.
    fn read_text(&mut self, file: FileId) {
        self.enter(file, 0, Found::unsearched(self.files, file));
        self.run_frames();
    }

    /// Executes directives until all files that are open have been read.
    fn run_frames(&mut self) {
        while let Some(frame) = self.frames.last_mut() {
            let at = frame.at;
            match frame.lines.directives.get(at).copied() {
                Some(directive) if self.work > 0 => {
                    frame.at += 1;
                    self.work -= 1;
                    self.execute(at, directive);
                }
                Some(_) => {
                    self.give_up("there is more to do than a C file can ask for");
                    self.frames.clear();
                }
                None => self.leave(),
            }
        }
    }

    fn enter(&mut self, file: FileId, index: usize, found: Found) {
        let lines = self.files.lines(file, self.interner);
        if !lines.guard.is_some_and(|guard| self.is_defined(guard)) {
            self.frames.push(Frame { file, index, found, lines, at: 0, groups: Vec::new() });
        }
    }

    fn leave(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        let open = frame.groups.pop();
        if let Some(group) = open {
            self.finding("condition", "a conditional group does not end".into(), Some(group.line));
        }
        self.frames.pop();
    }

    fn execute(&mut self, at: usize, directive: Directive) {
        match directive.action {
            Action::Define(name, _) => self.define(at, name),
            Action::Undef(name) => self.set(name, Value::Undefined),
            Action::Include(how, text) => self.include(how, text),
            Action::If(text) => {
                let value = self.evaluate(text);
                self.open_group(directive, value);
            }
            Action::Ifdef(name, not) => {
                let value = name.is_some_and(|name| self.is_defined(name) != not);
                self.open_group(directive, value);
            }
            Action::Elif(_) | Action::Elifdef(..) | Action::Else => self.next_branch(directive),
            Action::Endif => {
                let open = self.frames.last_mut().and_then(|frame| frame.groups.pop());
                if open.is_none() {
                    self.finding("condition", "#endif without #if".into(), None);
                }
            }
            Action::Error(text) => {
                let text = self.text(text);
                let text = format!("#error {}", String::from_utf8_lossy(text.trim_ascii()));
                self.finding("error-directive", text, None);
            }
            Action::Pragma(text) => self.pragma(text),
            Action::Malformed(_) if self.options.language == Language::Assembler => {}
            Action::Malformed(_) => {
                self.finding("directive", "this is no preprocessor directive".into(), None);
            }
        }
    }

    /// The bytes of a text of the current file.
    fn text(&self, text: Text) -> Vec<u8> {
        self.frames.last().map(|frame| frame.lines.text(text).to_vec()).unwrap_or_default()
    }

    fn tokens(&mut self, text: Text) -> Vec<Token> {
        let Some(frame) = self.frames.last() else { return Vec::new() };
        let lines = Rc::clone(&frame.lines);
        tokenize(lines.text(text), self.interner)
    }

    fn evaluate(&mut self, text: Text) -> bool {
        let tokens = self.tokens(text);
        self.condition(tokens)
    }

    fn open_group(&mut self, directive: Directive, taken: bool) {
        if let Some(frame) = self.frames.last_mut() {
            frame.groups.push(Group { taken, closed: false, line: directive.line });
            if !taken {
                frame.at = directive.next as usize;
            }
        }
    }

    /// `#elif`, `#else` and their kin: come to at the end of a branch that was taken, or from the
    /// head of one that was not.
    fn next_branch(&mut self, directive: Directive) {
        let Some(group) = self.frames.last_mut().and_then(|frame| frame.groups.last_mut()) else {
            return self.finding("condition", "this belongs to no #if".into(), None);
        };
        let (taken, closed) = (group.taken, group.closed);
        let last = directive.action == Action::Else;
        group.closed |= last;
        if closed {
            self.finding("condition", "this stands behind #else".into(), None);
        }
        let take = !taken
            && match directive.action {
                Action::Elif(text) => self.evaluate(text),
                Action::Elifdef(name, not) => name.is_some_and(|name| self.is_defined(name) != not),
                _ => true,
            };
        if let Some(frame) = self.frames.last_mut() {
            if let Some(group) = frame.groups.last_mut() {
                group.taken |= take;
            }
            if !take {
                frame.at = directive.next as usize;
            }
        }
    }

    fn define(&mut self, at: usize, name: Symbol) {
        if name == known::DEFINED {
            return self.finding("macro", "`defined` cannot be a macro".into(), None);
        }
        let Some(frame) = self.frames.last() else { return };
        let id = MacroId(frame.file, u32::try_from(at).unwrap_or(u32::MAX));
        self.set(name, Value::Macro(id));
    }

    fn set(&mut self, name: Symbol, value: Value) {
        if name.index() >= self.values.len() {
            let length = self.interner.len().max(name.index() + 1);
            self.values.resize(length, Value::Undefined);
        }
        if let Some(slot) = self.values.get_mut(name.index()) {
            *slot = value;
        }
    }

    /// What a name stands for.
    pub(crate) fn value(&self, name: Symbol) -> Value {
        self.values.get(name.index()).copied().unwrap_or_default()
    }

    pub(crate) fn is_defined(&self, name: Symbol) -> bool {
        self.value(name) != Value::Undefined
    }

    /// What a macro stands for; nothing if its definition is wrong.
    pub(crate) fn definition(&mut self, id: MacroId) -> Option<Rc<Definition>> {
        let read = match self.macros.get(&id) {
            Some(read) => read.clone(),
            None => {
                let lines = self.files.lines(id.0, self.interner);
                let Action::Define(_, text) = lines.directives.get(id.1 as usize)?.action else {
                    return None;
                };
                let read = Definition::read(lines.text(text), self.interner);
                self.macros.insert(id, read.clone());
                read
            }
        };
        match read {
            Ok(definition) => Some(definition),
            Err(reason) => {
                self.finding("macro", format!("a macro cannot be used: {reason}"), None);
                None
            }
        }
    }

    /// The file and line of the directive that is being executed.
    fn place(&self) -> (usize, u32) {
        self.frames.last().map_or((0, 0), |frame| {
            let directive = frame.lines.directives.get(frame.at.saturating_sub(1));
            (frame.index, directive.map_or(0, |directive| directive.line))
        })
    }

    /// Takes one step; false if no more may be taken.
    pub(crate) fn spend(&mut self) -> bool {
        self.spend_many(1)
    }

    pub(crate) fn spend_many(&mut self, steps: usize) -> bool {
        self.work = self.work.saturating_sub(steps as u64);
        self.work > 0
    }

    /// Ends the scan: what the files ask for is out of all proportion.
    pub(crate) fn give_up(&mut self, reason: &str) {
        if self.work > 0 || self.scan.findings.iter().all(|finding| finding.code != "limit") {
            self.finding("limit", format!("the scan ends here: {reason}"), None);
        }
        self.work = 0;
    }

    /// Records what is wrong with `token` in the current directive.
    pub(crate) fn problem(&mut self, code: &'static str, reason: &str, token: Symbol) {
        let message = if token == known::EMPTY {
            reason.to_owned()
        } else {
            format!("{reason}, at `{}`", self.interner.text(token))
        };
        self.finding(code, message, None);
    }

    fn finding(&mut self, code: &'static str, message: String, line: Option<u32>) {
        let (file, current) = self.place();
        let mut finding = Diagnostic::error(code, message);
        if let Some(file) = self.scan.files.get(file) {
            finding = finding.file(&file.path);
        }
        let line = line.unwrap_or(current) as usize;
        let finding = finding.at(Position::Text { line, column: 1 });
        // A file that is read twice says everything twice; that the scan ended must be said.
        let full = self.scan.findings.iter().len() >= MAX_FINDINGS && code != "limit";
        if !full && self.scan.findings.iter().all(|other| *other != finding) {
            self.scan.findings.push(finding);
        }
    }
}
