//! Include directives.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use l4re_packager_base::Failure;

use super::Unit;
use crate::lines::{How, Text};
use crate::result::{Included, Missing, Origin};
use crate::search::{Found, Start};
use crate::token::{Kind, Punctuator};

/// How deep files may include each other: gcc's own limit.
const MAX_INCLUDES: usize = 200;

impl Unit<'_> {
    pub(super) fn include_forced(&mut self, path: &Path) {
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

    pub(super) fn include(&mut self, how: How, text: Text) {
        // A search is dearer than other directives.
        self.spend_many(20);
        let Some((name, angle)) = self.header_name(text) else {
            return self.finding("include", "this names no header".into(), None);
        };
        let found = self.find(&name, angle, how == How::Next);
        let (open, close) = if angle { ('<', '>') } else { ('"', '"') };
        let spelling = format!("{open}{}{close}", String::from_utf8_lossy(&name));
        let (file, line) = self.place();
        let imported = match &found {
            Ok(Some(found)) if how == How::Import => Some(found.file),
            _ => None,
        };
        if imported.is_some_and(|file| self.indices.contains_key(&file)) {
            return;
        }
        self.include_found(found, Origin { file, line, spelling });
        // What was imported once is not included again either.
        self.once.extend(imported);
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
    pub(super) fn header_of_tokens(&mut self) -> Option<(Vec<u8>, bool)> {
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

    pub(super) fn find(
        &mut self,
        name: &[u8],
        angle: bool,
        next: bool,
    ) -> Result<Option<Found>, Failure> {
        let symbol = self.interner.intern(name);
        let Some(frame) = self.frames.last() else { return Ok(None) };
        let start = match (next, frame.found.next) {
            (true, Some(next)) => Start::At(next),
            _ if angle => Start::Angle,
            _ => Start::Beside(frame.found.folder),
        };
        self.search.find(symbol, start, self.files, self.source, self.interner)
    }

    fn include_found(&mut self, found: Result<Option<Found>, Failure>, origin: Origin) {
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

    /// `#pragma once`, and `#import` of what was read before: the file, and any of the same
    /// content, is not read again.
    pub(super) fn once(&mut self) {
        let Some(frame) = self.frames.last() else { return };
        let (file, lines) = (frame.file, Rc::clone(&frame.lines));
        self.once.insert(file);
        self.once_contents.insert(lines.bytes().to_vec());
    }
}
