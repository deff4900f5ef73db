//! From files to tables: statements, blocks, `source`.

use std::path::Path;
use std::sync::Arc;

use l4re_packager_base::{Diagnostic, Position, nearest};
use rustc_hash::FxHashMap;

use crate::builder::Builder;
use crate::dialect::{Choices, Dialect};
use crate::expand::{Expander, Place, Refusal};
use crate::lazy::Rope;
use crate::lex::{KEYWORDS, Lexer, Oddity, Spot, Statement, Token};
use crate::model::{FileId, Location, MenuId, MenuKind, SymbolType};
use crate::source::Source;

mod blocks;
mod cursor;
mod expression;
mod options;

use blocks::{block_name, end_keyword};
use cursor::{Cursor, Wrong};

/// Deepest nesting of `source`; Linux needs 9.
const MAX_INCLUDES: usize = 100;
/// Most files read in all; Linux needs 1,500.
const MAX_FILES: usize = 50_000;
/// Most bytes read in all; Linux has 7 MB.
const MAX_BYTES: usize = 256 << 20;
/// Deepest nesting of `if`, `menu` and `choice`; Linux needs 10.
const MAX_BLOCKS: usize = 500;
/// Most findings in one file.
const MAX_FINDINGS: usize = 50;
/// Most findings after which no further file is read.
const MAX_FINDINGS_IN_ALL: usize = 1000;

/// A file that is being read.
struct Reading {
    name: Arc<str>,
    id: FileId,
    text: Arc<str>,
    findings: usize,
    /// The line of the `source` that led further.
    line: u32,
}

/// An open `if`, `menu` or `choice`.
struct Block {
    menu: MenuId,
    kind: MenuKind,
    /// How many files were open when it was.
    depth: usize,
}

/// What the option lines that follow belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    None,
    Config,
    MenuConfig,
    Choice,
    Menu,
    Comment,
    /// A definition that could not be read; its options are passed over without a word.
    Broken,
}

pub(crate) struct Parser<'a> {
    source: &'a dyn Source,
    dialect: Dialect,
    pub(crate) expander: Expander<'a>,
    pub(crate) build: Builder,
    files: Vec<Reading>,
    /// Where each file was read first, if that matters.
    sourced: FxHashMap<String, (Arc<str>, u32)>,
    files_read: usize,
    bytes_read: usize,
    findings: usize,
    blocks: Vec<Block>,
    entry: Entry,
    /// The line of the current statement.
    line: u32,
    statements: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(
        source: &'a dyn Source,
        dialect: Dialect,
        expander: Expander<'a>,
        root: &str,
    ) -> Self {
        Self {
            source,
            dialect,
            expander,
            build: Builder::new(root),
            files: Vec::new(),
            sourced: FxHashMap::default(),
            files_read: 0,
            bytes_read: 0,
            findings: 0,
            blocks: Vec::new(),
            entry: Entry::None,
            line: 1,
            statements: 0,
        }
    }

    /// Reads a file and all that it sources.
    pub(crate) fn file(&mut self, name: &str) {
        let Some(text) = self.open(name) else { return };
        let id = self.build.file(name);
        let shown = Arc::clone(&self.build.files[id.0 as usize]);
        self.files.push(Reading { name: shown, id, text: text.clone(), findings: 0, line: 1 });
        self.statements_of(&text);
        self.finish_entry();
        self.close_unfinished();
        self.files.pop();
        if let Some(file) = self.files.last() {
            self.line = file.line;
        }
    }

    /// The text of a file, unless something speaks against reading it.
    fn open(&mut self, name: &str) -> Option<Arc<str>> {
        if self.files.iter().any(|file| *file.name == *name) {
            let chain: Vec<String> = self
                .files
                .iter()
                .rev()
                .map(|file| format!("{}:{}", file.name, file.line))
                .collect();
            let what = format!("recursive inclusion of \"{name}\"");
            let help = format!("it is being read already: included from {}", chain.join(", from "));
            self.error(None, "kconfig-source-cycle", what, help);
            return None;
        }
        if self.findings >= MAX_FINDINGS_IN_ALL {
            return None;
        }
        if self.files.len() >= MAX_INCLUDES
            || self.files_read >= MAX_FILES
            || self.bytes_read >= MAX_BYTES
        {
            let what = format!("too many files, or too deeply nested, at \"{name}\"");
            let megabytes = MAX_BYTES >> 20;
            let help =
                format!("limits: {MAX_INCLUDES} deep, {MAX_FILES} in all, {megabytes} MiB in all");
            self.error(None, "kconfig-source-depth", what, help);
            return None;
        }
        if !self.dialect.repeated_source {
            let here = self.files.last().map(|file| (Arc::clone(&file.name), file.line));
            if let Some((first, line)) = self.sourced.get(name) {
                let what = format!("repeated inclusion of \"{name}\"");
                let help =
                    format!("it was first included at {first}:{line}; remove one of the two");
                self.error(None, "kconfig-source-twice", what, help);
                return None;
            }
            if let Some(here) = here {
                self.sourced.insert(name.to_owned(), here);
            }
        }
        self.files_read += 1;
        let bytes = match self.source.read(name) {
            Ok(bytes) => bytes,
            Err(error) => {
                let what = format!("cannot open \"{name}\": {error}");
                let help = "names are relative to the top folder of the tree; is it complete, and \
                            are the variables in the name (SRCARCH, …) set?";
                self.error(None, "kconfig-source-missing", what, help);
                return None;
            }
        };
        self.bytes_read += bytes.len();
        if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
            let what = "this is a binary file, or a damaged one";
            let diagnostic = Diagnostic::error("kconfig-binary", what).file(Path::new(name));
            let help = "Kconfig files are text; restore the file from the source package";
            self.build.report.push(diagnostic.offset(offset as u64).help(help));
            return None;
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let what = "this is not UTF-8; what cannot be read is replaced";
                let diagnostic = Diagnostic::warning("kconfig-encoding", what);
                let position = Position::in_text(&text, good);
                self.build.report.push(diagnostic.file(Path::new(name)).at(position));
                text
            }
        };
        Some(text.into())
    }

    fn statements_of(&mut self, text: &str) {
        let mut lexer = Lexer::new(text, self.dialect.loose_words);
        let mut tokens = Vec::new();
        let file = self.files.last().map(|file| Arc::clone(&file.name)).unwrap_or_default();
        let mut place = Place { file, line: 1 };
        loop {
            let start = lexer.position;
            let statement = lexer.statement(&mut tokens, &mut self.expander, &mut place);
            self.line = place.line;
            if let Some(file) = self.files.last_mut() {
                file.line = place.line;
            }
            self.odd(&mut lexer);
            match statement {
                Ok(Statement::End) => return,
                Ok(Statement::Tokens) => self.statement(&tokens, &mut lexer),
                Ok(Statement::Assignment { name, how, text }) => {
                    self.finish_entry();
                    let name = self.plain(&name);
                    if let Err(refusal) = self.expander.assign(&name, how, text, &place) {
                        self.refused(start, refusal);
                    }
                }
                Err(refusal) => {
                    self.refused(lexer.position, refusal);
                    lexer.skip_line();
                }
            }
            self.statements += 1;
            if self.files.last().is_some_and(|file| file.findings >= MAX_FINDINGS) {
                return;
            }
        }
    }

    fn refused(&mut self, offset: usize, refusal: Refusal) {
        self.error(Some(offset), "kconfig-macro", refusal.message, refusal.help);
    }

    /// Reports what was odd about a statement but does not keep it from being used.
    fn odd(&mut self, lexer: &mut Lexer<'_>) {
        for oddity in std::mem::take(&mut lexer.oddities) {
            match oddity {
                Oddity::Character(odd, at) => {
                    let what = format!("ignoring unsupported character {odd:?}");
                    self.warning(Some(at), "kconfig-character", what);
                }
                Oddity::OpenString(at) => {
                    let what = "multi-line strings not supported";
                    self.warning(Some(at), "kconfig-string", what);
                }
                Oddity::NoNewline => {
                    self.warning(None, "kconfig-newline", "no newline at end of file");
                }
            }
        }
        // Lines of macros without a value may have gone before the statement.
        let line = self.line;
        for (own, warning) in std::mem::take(&mut self.expander.warnings) {
            self.line = own;
            self.warning(None, "kconfig-warning-if", warning);
        }
        self.line = line;
    }

    fn statement<'t>(&mut self, tokens: &[Spot<'t>], lexer: &mut Lexer<'t>) {
        let mut cursor = Cursor::new(tokens, lexer.position, self.dialect.loose_words);
        let word = match cursor.peek() {
            Some(Token::Word(word)) => *word,
            _ => "",
        };
        let result = match word {
            "config" | "menuconfig" => self.config(&mut cursor, word == "menuconfig"),
            "choice" => self.choice(&mut cursor),
            "if" => self.if_block(&mut cursor),
            "menu" => self.menu(&mut cursor),
            "comment" => self.comment(&mut cursor),
            "source" => self.source(&mut cursor),
            "mainmenu" => self.mainmenu(&mut cursor),
            "endif" => self.end(&mut cursor, MenuKind::If),
            "endmenu" => self.end(&mut cursor, MenuKind::Menu),
            "endchoice" => self.end(&mut cursor, MenuKind::Choice),
            _ => self.option(&mut cursor, word, lexer),
        };
        if let Err(wrong) = result {
            let begins = |word: &str| {
                matches!(word, "config" | "menuconfig" | "choice" | "comment" | "menu")
            };
            if begins(word) || nearest_keyword(word).is_some_and(begins) {
                self.finish_entry();
                self.entry = Entry::Broken;
            }
            self.error(Some(wrong.offset), "kconfig-syntax", wrong.message, wrong.help);
        }
    }

    fn location(&self) -> Location {
        let file = self.files.last().map_or(FileId(0), |file| file.id);
        Location { file, line: self.line }
    }

    /// Whether the innermost block other than `if` is a choice.
    fn in_choice(&self) -> Option<MenuId> {
        let block = self.blocks.iter().rev().find(|block| block.kind != MenuKind::If)?;
        (block.kind == MenuKind::Choice).then_some(block.menu)
    }

    /// Ends the option lines of the current entry.
    fn finish_entry(&mut self) {
        let entry = std::mem::replace(&mut self.entry, Entry::None);
        let menu = &self.build.menus[self.build.entry.index()];
        let (location, symbol, prompt) = (menu.location, menu.symbol, menu.prompt.is_some());
        match entry {
            Entry::MenuConfig if !prompt => {
                let what = "menuconfig statement without prompt";
                let diagnostic = if self.dialect.strict {
                    Diagnostic::error("kconfig-no-prompt", what).help("write `bool \"…\"`")
                } else {
                    Diagnostic::warning("kconfig-no-prompt", what)
                };
                self.build.push(location, diagnostic);
            }
            Entry::Choice if !prompt && self.dialect.choices == Choices::Exclusive => {
                let diagnostic = Diagnostic::error("kconfig-choice", "choice must have a prompt");
                self.build.push(location, diagnostic.help("write `prompt \"…\"` below `choice`"));
            }
            _ => {}
        }
        let (Entry::Config | Entry::MenuConfig, Some(symbol), Some(choice)) =
            (entry, symbol, self.in_choice())
        else {
            return;
        };
        if self.dialect.choices == Choices::Valued {
            return;
        }
        let name = Arc::clone(&self.build.symbols[symbol.index()].name);
        if !prompt {
            let what = format!("choice member '{name}' must have a prompt");
            let diagnostic = Diagnostic::error("kconfig-choice", what);
            self.build.push(location, diagnostic.help("write `bool \"…\"`"));
        }
        if self.build.symbols[symbol.index()].symbol_type != SymbolType::Bool {
            let what = format!("choice member '{name}' must be bool");
            let diagnostic = Diagnostic::error("kconfig-choice", what);
            self.build.push(location, diagnostic.help("write `bool \"…\"`"));
        }
        if self.build.symbols[symbol.index()].choice.is_none() {
            let choice = self.build.menus[choice.index()].symbol;
            self.build.symbols[symbol.index()].choice = choice;
            if let Some(choice) = choice {
                self.build.symbols[choice.index()].members.push(symbol);
            }
        }
    }

    /// Reports and closes the blocks that the file that ends has left open.
    fn close_unfinished(&mut self) {
        let depth = self.files.len();
        while let Some(block) = self.blocks.pop_if(|block| block.depth == depth) {
            let location = self.build.menus[block.menu.index()].location;
            let what = format!("this {} is never ended", block_name(block.kind));
            let help = format!("write `{}` at the end of the file", end_keyword(block.kind));
            self.build.push(location, Diagnostic::error("kconfig-block", what).help(help));
            self.build.close(block.menu);
        }
    }

    /// A word that names something.
    fn name(&mut self, cursor: &mut Cursor<'_, '_>, what: &str) -> Result<String, Wrong> {
        match cursor.next_word() {
            Some(token) => Ok(self.plain(&token)),
            None => Err(cursor.expected(what)),
        }
    }

    /// A quoted text, or a word where the tree's rules take one for it.
    fn quoted(&mut self, cursor: &mut Cursor<'_, '_>, what: &str) -> Result<String, Wrong> {
        let token = match cursor.next_quoted() {
            None if self.dialect.bare_prompts => cursor.next_word(),
            token => token,
        };
        match token {
            Some(token) => Ok(self.plain(&token)),
            None => Err(cursor.expected(what)),
        }
    }

    /// The text of a token, running the commands in it.
    fn plain(&self, token: &Token<'_>) -> String {
        let force = |rope: &Rope| self.expander.probes.force(rope);
        match token {
            Token::Word(word) => (*word).to_owned(),
            Token::Expanded(rope, _) | Token::Quoted(rope, _) => force(rope),
            _ => String::new(),
        }
    }

    fn error(
        &mut self,
        offset: Option<usize>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.find(offset, Diagnostic::error(code, message).help(help));
    }

    fn warning(&mut self, offset: Option<usize>, code: &'static str, message: impl Into<String>) {
        self.find(offset, Diagnostic::warning(code, message));
    }

    fn find(&mut self, offset: Option<usize>, diagnostic: Diagnostic) {
        let line = self.line as usize;
        let Some(file) = self.files.last_mut() else {
            self.build.report.push(diagnostic);
            return;
        };
        if file.findings >= MAX_FINDINGS {
            return;
        }
        file.findings += 1;
        self.findings += 1;
        let position = match offset {
            Some(offset) => Position::in_text(&file.text, offset),
            None => Position::Text { line, column: 1 },
        };
        self.build.report.push(diagnostic.file(Path::new(&*file.name)).at(position));
        if file.findings == MAX_FINDINGS {
            let what = "too many findings; the rest of the file is not read";
            let diagnostic = Diagnostic::error("kconfig-damaged", what);
            let help = "is this a Kconfig file?";
            self.build.report.push(diagnostic.file(Path::new(&*file.name)).help(help));
        }
    }
}

/// The word nearest to an unknown statement.
fn nearest_keyword(word: &str) -> Option<&'static str> {
    nearest(word, KEYWORDS.iter().copied())
}
