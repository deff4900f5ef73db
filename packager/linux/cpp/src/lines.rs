//! A file as its directives: what is between them does not matter.

use memchr::{memchr, memchr_iter};

use crate::intern::{Interner, Symbol};
use crate::token::{continues_name, is_blank, name_length};

/// Text of a directive behind its name, without comments and splices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Text {
    start: u32,
    end: u32,
    /// Whether it stands in [`Lines::cleaned`] rather than in the file.
    cleaned: bool,
}

/// How an include directive searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// `#include`
    Include,
    /// `#include_next`
    Next,
    /// `#import`: never a second time.
    Import,
}

/// What a directive does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// `#define`: the macro's name, and the text behind it.
    Define(Symbol, Text),
    Undef(Symbol),
    Include(How, Text),
    If(Text),
    /// `#ifdef` or, if the flag is set, `#ifndef`; without a name it is false either way.
    Ifdef(Option<Symbol>, bool),
    Elif(Text),
    /// `#elifdef` or, if the flag is set, `#elifndef`.
    Elifdef(Option<Symbol>, bool),
    Else,
    Endif,
    Error(Text),
    Pragma(Text),
    /// `#define` or `#undef` of something that is no name, or a directive that does not exist.
    Malformed(Text),
}

/// A directive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Directive {
    /// Counted from 1.
    pub(crate) line: u32,
    /// For a directive that opens a group: the one that ends it, as an index; past the end if
    /// the file ends first.
    pub(crate) next: u32,
    pub(crate) action: Action,
}

/// A file, split.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// Texts of directives that have comments or splices inside, without these.
    cleaned: Vec<u8>,
    pub(crate) directives: Vec<Directive>,
    /// The macro that guards the whole file against being read twice, if one does.
    pub(crate) guard: Option<Symbol>,
}

impl Lines {
    /// Splits a file.
    pub(crate) fn split(bytes: Vec<u8>, interner: &mut Interner) -> Self {
        let mut splitter = Splitter {
            bytes: &bytes,
            at: 0,
            line: 1,
            interner,
            cleaned: Vec::new(),
            directives: Vec::new(),
            open: Vec::new(),
            text_seen_at: None,
            text_first: false,
        };
        splitter.run();
        let Splitter { cleaned, directives, text_seen_at, text_first, .. } = splitter;
        let mut lines = Self { bytes, cleaned, directives, guard: None };
        if !text_first && text_seen_at != Some(lines.directives.len()) {
            lines.guard = lines.find_guard(interner);
        }
        lines
    }

    /// The bytes of a text.
    pub(crate) fn text(&self, text: Text) -> &[u8] {
        let bytes = if text.cleaned { &self.cleaned } else { &self.bytes };
        bytes.get(text.start as usize..text.end as usize).unwrap_or_default()
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The macro of `#ifndef X` or `#if !defined(X)` around all other directives.
    fn find_guard(&self, interner: &mut Interner) -> Option<Symbol> {
        let first = self.directives.first()?;
        let closed_by_last = first.next as usize + 1 == self.directives.len();
        let last = self.directives.last()?;
        if !closed_by_last || last.action != Action::Endif {
            return None;
        }
        match first.action {
            Action::Ifdef(name, true) => name,
            Action::If(text) => {
                let text = self.text(text).trim_ascii().strip_prefix(b"!")?;
                let text = text.trim_ascii_start().strip_prefix(b"defined")?;
                // `definedX` is a name of its own.
                let apart = text.first().is_some_and(|&byte| byte == b'(' || is_blank(byte));
                let text = text.trim_ascii();
                let inner = text.strip_prefix(b"(").and_then(|text| text.strip_suffix(b")"));
                let name = inner.unwrap_or(text).trim_ascii();
                let whole = name_length(name) == name.len() && !name.is_empty();
                (whole && apart).then(|| interner.intern(name))
            }
            _ => None,
        }
    }
}

struct Splitter<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
    interner: &'a mut Interner,
    cleaned: Vec<u8>,
    directives: Vec<Directive>,
    /// Directives whose group is not closed yet.
    open: Vec<usize>,
    /// How many directives there were when text was last met.
    text_seen_at: Option<usize>,
    /// Whether text stands before the first directive.
    text_first: bool,
}

/// What ends the fast walk over text, and what a walk over a directive must look at.
const fn special() -> [bool; 256] {
    let mut table = [false; 256];
    table[b'\n' as usize] = true;
    table[b'/' as usize] = true;
    table[b'"' as usize] = true;
    table[b'\'' as usize] = true;
    table[b'\\' as usize] = true;
    table
}

static SPECIAL: [bool; 256] = special();

impl Splitter<'_> {
    fn run(&mut self) {
        while self.at < self.bytes.len() {
            self.skip_blank();
            match self.bytes.get(self.at) {
                Some(b'#') => {
                    self.at += 1;
                    self.directive();
                }
                Some(b'%') if self.bytes.get(self.at + 1) == Some(&b':') => {
                    self.at += 2;
                    self.directive();
                }
                Some(b'\n') => self.newline(),
                Some(_) => {
                    self.text_first |= self.directives.is_empty();
                    self.text_seen_at = Some(self.directives.len());
                    self.skip_line();
                }
                None => {}
            }
        }
    }

    fn newline(&mut self) {
        self.at += 1;
        self.line += 1;
    }

    /// The end of the line splice at `at`, if there is one: a backslash before the end of the
    /// line; gcc allows blanks between.
    fn splice(&self, at: usize) -> Option<usize> {
        if self.bytes.get(at) != Some(&b'\\') {
            return None;
        }
        let rest = self.bytes.get(at + 1..)?;
        let blanks = rest.iter().position(|&byte| !is_blank(byte))?;
        (rest.get(blanks) == Some(&b'\n')).then_some(at + 1 + blanks + 1)
    }

    /// Where the next character stands, behind splices at `at`.
    fn behind_splices(&self, mut at: usize) -> usize {
        while let Some(end) = self.splice(at) {
            at = end;
        }
        at
    }

    /// Moves to `at`, counting lines.
    fn advance(&mut self, at: usize) {
        let passed = self.bytes.get(self.at..at).unwrap_or_default();
        self.line += u32::try_from(memchr_iter(b'\n', passed).count()).unwrap_or(u32::MAX);
        self.at = at;
    }

    /// The end of the comment that starts at `at`, if one does; a line comment ends before the
    /// end of its line.
    fn comment(&self, at: usize) -> Option<usize> {
        if self.bytes.get(at) != Some(&b'/') {
            return None;
        }
        let second = self.behind_splices(at + 1);
        match self.bytes.get(second)? {
            b'*' => Some(self.block_comment_end(second + 1)),
            b'/' => Some(self.line_end(second + 1)),
            _ => None,
        }
    }

    fn block_comment_end(&self, mut at: usize) -> usize {
        while let Some(star) = memchr(b'*', self.bytes.get(at..).unwrap_or_default()) {
            at += star + 1;
            let slash = self.behind_splices(at);
            if self.bytes.get(slash) == Some(&b'/') {
                return slash + 1;
            }
        }
        self.bytes.len()
    }

    /// The end of the logical line, not including its newline.
    fn line_end(&self, mut at: usize) -> usize {
        loop {
            let Some(end) = memchr(b'\n', self.bytes.get(at..).unwrap_or_default()) else {
                return self.bytes.len();
            };
            let newline = at + end;
            let before = self.bytes.get(at..newline).unwrap_or_default();
            let last = before.iter().rposition(|&byte| !is_blank(byte));
            if last.is_none_or(|last| before.get(last) != Some(&b'\\')) {
                return newline;
            }
            at = newline + 1;
        }
    }

    /// Skips blanks, comments and splices.
    fn skip_blank(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            if is_blank(byte) {
                self.at += 1;
            } else if let Some(end) = self.comment(self.at).or_else(|| self.splice(self.at)) {
                self.advance(end);
            } else {
                break;
            }
        }
    }

    /// Skips the rest of a line of text, including its newline.
    fn skip_line(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !SPECIAL.get(usize::from(byte)).copied().unwrap_or_default() {
                self.at += 1;
                continue;
            }
            match byte {
                b'\n' => return self.newline(),
                b'"' if self.is_raw_string() => self.advance(self.raw_string_end()),
                b'"' | b'\'' => self.advance(self.quoted_end(self.at, byte, true)),
                _ => match self.comment(self.at).or_else(|| self.splice(self.at)) {
                    Some(end) => self.advance(end),
                    None => self.at += 1,
                },
            }
        }
    }

    /// The end of what the quote at `at` opens; the end of the line if nothing closes it.
    fn quoted_end(&self, at: usize, close: u8, escapes: bool) -> usize {
        let mut at = at + 1;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b'\n' => return at,
                b'\\' => match self.splice(at) {
                    Some(end) => at = end,
                    // The escaped character may stand behind a splice.
                    None if escapes => {
                        at = self.behind_splices(at + 1);
                        at += usize::from(self.bytes.get(at).is_some_and(|&byte| byte != b'\n'));
                    }
                    None => at += 1,
                },
                _ if byte == close => return at + 1,
                _ => at += 1,
            }
        }
        at
    }

    /// Whether the quote here opens a raw string, which can span lines.
    fn is_raw_string(&self) -> bool {
        let before = self.bytes.get(..self.at).unwrap_or_default();
        if before.last() != Some(&b'R') {
            return false;
        }
        let start = before.iter().rposition(|&byte| !continues_name(byte)).map_or(0, |at| at + 1);
        matches!(before.get(start..), Some(b"R" | b"LR" | b"uR" | b"UR" | b"u8R"))
    }

    /// The end of the raw string whose quote is here.
    fn raw_string_end(&self) -> usize {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        // At most 16 characters of a delimiter; anything else is no raw string.
        let open = rest.iter().take(17).position(|&byte| byte == b'(');
        let delimiter = open.and_then(|open| rest.get(..open));
        let Some(delimiter) = delimiter
            .filter(|text| !text.iter().any(|&byte| is_blank(byte) || b"\\)\n\"".contains(&byte)))
        else {
            return self.quoted_end(self.at, b'"', true);
        };
        let close = [b")", delimiter, b"\""].concat();
        let found = memchr::memmem::find(rest, &close);
        found.map_or(self.bytes.len(), |at| self.at + 1 + at + close.len())
    }

    /// Reads a directive, from behind its `#` to behind its newline.
    fn directive(&mut self) {
        let line = self.line;
        self.skip_blank();
        let name = self.name();
        self.skip_blank();
        let include = matches!(name.as_slice(), b"include" | b"include_next" | b"import");
        let text = self.rest(include);
        if self.bytes.get(self.at) == Some(&b'\n') {
            self.newline();
        }
        if let Some(action) = self.action(&name, text) {
            self.push(line, action);
        }
    }

    /// Reads a name, over splices.
    fn name(&mut self) -> Vec<u8> {
        let mut name = Vec::new();
        loop {
            let at = self.behind_splices(self.at);
            match self.bytes.get(at) {
                Some(&byte) if continues_name(byte) => {
                    name.push(byte);
                    self.advance(at + 1);
                }
                _ => return name,
            }
        }
    }

    /// Reads the rest of a directive, up to its newline, as one line without comments.
    fn rest(&mut self, include: bool) -> Text {
        let start = self.at;
        let cleaned_start = self.cleaned.len();
        // Up to where the file has been copied into `cleaned`; nothing is as long as it need not.
        let mut copied = None;
        while let Some(&byte) = self.bytes.get(self.at) {
            if include && byte == b'<' && self.at == start {
                self.advance(self.quoted_end(self.at, b'>', false));
                continue;
            }
            if !SPECIAL.get(usize::from(byte)).copied().unwrap_or_default() {
                self.at += 1;
                continue;
            }
            match byte {
                b'\n' => break,
                b'"' | b'\'' => {
                    let escapes = !(include && self.at == start);
                    let end = self.quoted_end(self.at, byte, escapes);
                    self.advance_over_splices(end, start, &mut copied);
                }
                _ => {
                    let comment = self.comment(self.at);
                    let Some(end) = comment.or_else(|| self.splice(self.at)) else {
                        self.at += 1;
                        continue;
                    };
                    self.drop_until(end, comment.is_some(), start, &mut copied);
                }
            }
        }
        if let Some(from) = copied {
            self.cleaned.extend_from_slice(self.bytes.get(from..self.at).unwrap_or_default());
            return text(cleaned_start, self.cleaned.len(), true);
        }
        text(start, self.at, false)
    }

    /// Leaves `at..end` out of the text, with a blank instead if it is a comment.
    fn drop_until(&mut self, end: usize, blank: bool, start: usize, copied: &mut Option<usize>) {
        let from = copied.unwrap_or(start);
        self.cleaned.extend_from_slice(self.bytes.get(from..self.at).unwrap_or_default());
        if blank {
            self.cleaned.push(b' ');
        }
        self.advance(end);
        *copied = Some(end);
    }

    /// Moves over a quoted text, leaving out the splices in it.
    fn advance_over_splices(&mut self, end: usize, start: usize, copied: &mut Option<usize>) {
        while self.at < end {
            match self.splice(self.at) {
                Some(behind) => self.drop_until(behind, false, start, copied),
                None => self.at += 1,
            }
        }
    }

    fn action(&mut self, name: &[u8], rest: Text) -> Option<Action> {
        Some(match name {
            b"define" | b"undef" => match self.leading_name(rest) {
                Some((symbol, behind)) if name == b"define" => Action::Define(symbol, behind),
                Some((symbol, _)) => Action::Undef(symbol),
                None => Action::Malformed(rest),
            },
            b"include" => Action::Include(How::Include, rest),
            b"include_next" => Action::Include(How::Next, rest),
            b"import" => Action::Include(How::Import, rest),
            b"if" => Action::If(rest),
            b"ifdef" | b"ifndef" => {
                Action::Ifdef(self.leading_name(rest).map(|(name, _)| name), name == b"ifndef")
            }
            b"elif" => Action::Elif(rest),
            b"elifdef" | b"elifndef" => {
                Action::Elifdef(self.leading_name(rest).map(|(name, _)| name), name == b"elifndef")
            }
            b"else" => Action::Else,
            b"endif" => Action::Endif,
            b"error" => Action::Error(rest),
            b"pragma" => Action::Pragma(rest),
            // The null directive, line markers, and what says nothing about includes.
            b"" | b"warning" | b"line" | b"ident" | b"sccs" | b"assert" | b"unassert" => {
                return None;
            }
            _ if name.first().is_some_and(u8::is_ascii_digit) => return None,
            _ => Action::Malformed(rest),
        })
    }

    /// The name at the start of a text, and what is behind it.
    fn leading_name(&mut self, text: Text) -> Option<(Symbol, Text)> {
        let bytes = if text.cleaned { self.cleaned.as_slice() } else { self.bytes };
        let line = bytes.get(text.start as usize..text.end as usize)?;
        let blanks = line.iter().take_while(|&&byte| is_blank(byte)).count();
        let line = line.get(blanks..)?;
        let length = name_length(line);
        if length == 0 {
            return None;
        }
        let symbol = self.interner.intern(line.get(..length)?);
        let start = text.start.saturating_add(u32::try_from(blanks + length).ok()?);
        Some((symbol, Text { start, ..text }))
    }

    /// Adds a directive, and closes the group that it ends.
    fn push(&mut self, line: u32, action: Action) {
        let index = self.directives.len();
        let opens = match action {
            Action::If(_) | Action::Ifdef(..) => true,
            Action::Elif(_) | Action::Elifdef(..) | Action::Else => self.close(index),
            Action::Endif => {
                self.close(index);
                false
            }
            _ => false,
        };
        if opens {
            self.open.push(index);
        }
        self.directives.push(Directive { line, next: u32::MAX, action });
    }

    /// Says whether there was a group to close.
    fn close(&mut self, index: usize) -> bool {
        let Some(opener) = self.open.pop() else { return false };
        if let Some(opener) = self.directives.get_mut(opener) {
            opener.next = u32::try_from(index).unwrap_or(u32::MAX);
        }
        true
    }
}

fn text(start: usize, end: usize, cleaned: bool) -> Text {
    // A longer file is not read: see `source`.
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Text { start: number(start), end: number(end), cleaned }
}
