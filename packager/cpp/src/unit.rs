//! One C file being scanned: macros, files that are open, what was found.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use l4re_diag::{Diagnostic, Position};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::compiler::Language;
use crate::expand::Expansion;
use crate::files::{FileId, Files};
use crate::intern::{Interner, Symbol, known};
use crate::lines::{Action, Directive, How, Lines, Text};
use crate::macros::Definition;
use crate::options::Options;
use crate::result::{Included, Missing, Origin, Scan};
use crate::search::{Found, SearchPath, Start};
use crate::source::FileSource;
use crate::token::{Kind, Punctuator, Token, tokenize};

/// How deep files may include each other: gcc's own limit.
const MAX_INCLUDES: usize = 200;
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

    fn include_forced(&mut self, path: &Path) {
        let name = path.to_string_lossy();
        // Searched for like `#include "…"`, from the compiler's folder.
        let folder = self.files.folder(self.search.directory());
        let symbol = self.interner.intern(name.as_bytes());
        let start = Start::Beside(folder);
        let found = self.search.find(symbol, start, self.files, self.source, self.interner);
        let origin = Origin { file: 0, line: 0, spelling: format!("\"{name}\"") };
        self.include_found(found, origin);
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

    fn pragma(&mut self, text: Text) {
        let tokens = self.tokens(text);
        let spelling = |at: usize| {
            tokens.get(at).map(|token| self.interner.spelling(token.text)).unwrap_or_default()
        };
        let skip = usize::from(spelling(0) == b"GCC");
        match (spelling(skip), spelling(skip + 2)) {
            (b"once", _) if skip == 0 => self.once(),
            (b"push_macro", name) => {
                let symbol = name.get(1..name.len().saturating_sub(1)).unwrap_or_default().to_vec();
                let symbol = self.interner.intern(&symbol);
                let value = self.value(symbol);
                self.pushed.entry(symbol).or_default().push(value);
            }
            (b"pop_macro", name) => {
                let symbol = name.get(1..name.len().saturating_sub(1)).unwrap_or_default().to_vec();
                let symbol = self.interner.intern(&symbol);
                if let Some(value) = self.pushed.get_mut(&symbol).and_then(Vec::pop) {
                    self.set(symbol, value);
                }
            }
            _ => {}
        }
    }

    /// `#pragma once`, and `#import` of what was read before: the file, and any of the same
    /// content, is not read again.
    fn once(&mut self) {
        let Some(frame) = self.frames.last() else { return };
        let (file, lines) = (frame.file, Rc::clone(&frame.lines));
        self.once.insert(file);
        self.once_contents.insert(lines.bytes().to_vec());
    }

    fn include(&mut self, how: How, text: Text) {
        // A search is dearer than other directives.
        self.spend_many(20);
        let Some((name, angle)) = self.header_name(text) else {
            return self.finding("include", "this names no header".into(), None);
        };
        let found = self.find(&name, angle, how == How::Next);
        let (open, close) = if angle { ('<', '>') } else { ('"', '"') };
        let spelling = format!("{open}{}{close}", String::from_utf8_lossy(&name));
        let (file, line) = self.place();
        if how == How::Import
            && let Ok(Some(found)) = &found
            && self.indices.contains_key(&found.file)
        {
            return;
        }
        self.include_found(found, Origin { file, line, spelling });
    }

    /// The name that an include directive gives, and whether it stands in angle brackets.
    fn header_name(&mut self, text: Text) -> Option<(Vec<u8>, bool)> {
        let line = self.text(text);
        let direct = |close: u8| {
            let rest = line.get(1..)?;
            let end = rest.iter().position(|&byte| byte == close)?;
            Some(rest.get(..end)?.to_vec())
        };
        match line.first()? {
            b'"' => direct(b'"').map(|name| (name, false)),
            b'<' => direct(b'>').map(|name| (name, true)),
            _ => {
                let tokens = self.tokens(text);
                self.begin(tokens);
                self.header_of_tokens()
            }
        }
        .filter(|(name, _)| !name.is_empty())
    }

    /// The header that the tokens name which come next (6.10.2.4). What follows the name is not
    /// expanded.
    fn header_of_tokens(&mut self) -> Option<(Vec<u8>, bool)> {
        let first = self.next_token();
        if first.kind == Kind::String {
            let spelling = self.interner.spelling(first.text);
            let inner = spelling.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
            return Some((inner.to_vec(), false));
        }
        if !first.is(Punctuator::Less) {
            return None;
        }
        let mut name = Vec::new();
        loop {
            let token = self.next_token();
            match token.kind {
                Kind::Punctuator(Punctuator::Greater) => return Some((name, true)),
                Kind::End => return None,
                _ if token.space => name.push(b' '),
                _ => {}
            }
            name.extend_from_slice(self.interner.spelling(token.text));
        }
    }

    fn find(
        &mut self,
        name: &[u8],
        angle: bool,
        next: bool,
    ) -> Result<Option<Found>, l4re_diag::Failure> {
        let symbol = self.interner.intern(name);
        let Some(frame) = self.frames.last() else { return Ok(None) };
        let start = match (next, frame.found.next) {
            (true, Some(next)) => Start::At(next),
            _ if angle => Start::Angle,
            _ => Start::Beside(frame.found.folder),
        };
        self.search.find(symbol, start, self.files, self.source, self.interner)
    }

    fn include_found(&mut self, found: Result<Option<Found>, l4re_diag::Failure>, origin: Origin) {
        match found {
            Ok(Some(found)) => self.include_file(found, origin),
            other => {
                let by = self.scan.files.get(origin.file).map(|file| Arc::clone(&file.path));
                self.scan.missing.extend(by.map(|by| Missing { origin, by }));
                self.scan.findings.extend(other.err().map(|failure| failure.0).unwrap_or_default());
            }
        }
    }

    fn include_file(&mut self, found: Found, origin: Origin) {
        let file = found.file;
        if self.frames.len() >= MAX_INCLUDES {
            let text = format!("files include each other more than {MAX_INCLUDES} deep");
            return self.finding("include", text, None);
        }
        let files = &mut self.scan.files;
        let index = *self.indices.entry(file).or_insert_with(|| {
            files.push(Included { path: self.files.path(file), origin: Some(origin) });
            files.len() - 1
        });
        if self.once.contains(&file) {
            return;
        }
        if !self.once_contents.is_empty()
            && self.once_contents.contains(self.files.lines(file, self.interner).bytes())
        {
            return;
        }
        self.enter(file, index, found);
    }

    /// The value of a name that only the preprocessor knows.
    pub(crate) fn builtin(&mut self, name: Token) -> Token {
        let (file, line) = self.place();
        let string =
            |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let path_of = |scan: &Scan, index: usize| {
            scan.files.get(index).map(|file| file.path.to_string_lossy().into_owned())
        };
        let (kind, text) = match name.text {
            known::FILE => (Kind::String, string(&path_of(&self.scan, file).unwrap_or_default())),
            known::BASE_FILE => (Kind::String, string(&path_of(&self.scan, 0).unwrap_or_default())),
            known::FILE_NAME => {
                let path = path_of(&self.scan, file).unwrap_or_default();
                (Kind::String, string(path.rsplit('/').next().unwrap_or_default()))
            }
            known::DATE => (Kind::String, string("Jan  1 1970")),
            known::TIME => (Kind::String, string("00:00:00")),
            known::TIMESTAMP => (Kind::String, string("Thu Jan  1 00:00:00 1970")),
            known::LINE => (Kind::Number, line.to_string()),
            known::INCLUDE_LEVEL => (Kind::Number, self.frames.len().saturating_sub(1).to_string()),
            known::COUNTER => {
                self.counter += 1;
                (Kind::Number, (self.counter - 1).to_string())
            }
            known::HAS_INCLUDE => (Kind::Number, self.has_include(false)),
            known::HAS_INCLUDE_NEXT => (Kind::Number, self.has_include(true)),
            operator => (Kind::Number, self.ask_compiler(operator)),
        };
        Token { kind, text: self.interner.intern(text.as_bytes()), ..name }
    }

    /// `__has_include(…)`, behind the name.
    fn has_include(&mut self, next: bool) -> String {
        let found = self.operand_header().is_some_and(|(name, angle)| {
            // A file that is there but cannot be read is one.
            !matches!(self.find(&name, angle, next), Ok(None))
        });
        u8::from(found).to_string()
    }

    fn operand_header(&mut self) -> Option<(Vec<u8>, bool)> {
        let tokens = self.parenthesized()?;
        let outer = std::mem::take(&mut self.expansion);
        self.begin(tokens);
        let header = self.header_of_tokens();
        self.expansion = outer;
        if header.is_none() {
            self.problem("condition", "`__has_include` names no header", known::EMPTY);
        }
        header
    }

    /// `__has_attribute(…)` and its kin, behind the name.
    fn ask_compiler(&mut self, operator: Symbol) -> String {
        let Some(tokens) = self.parenthesized() else {
            self.problem("condition", "this needs an operand in parentheses", operator);
            return "0".into();
        };
        let name: Vec<u8> =
            tokens.iter().flat_map(|token| self.interner.spelling(token.text)).copied().collect();
        let operator = self.interner.text(operator);
        let answer = self.options.compiler.answer(&operator, &String::from_utf8_lossy(&name));
        u8::from(answer).to_string()
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
