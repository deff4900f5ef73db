//! The form in which properties are attached to a module: a zero byte, then each declaration with a
//! zero byte behind it; without those that only building needs.

use std::path::Path;

use l4re_packager_base::{Diagnostic, Failure, Report};

use super::{Properties, finish, lex, read};

impl Properties {
    /// What is attached to the primary module.
    pub fn section(&self) -> Vec<u8> {
        let mut bytes = vec![0];
        for declaration in self.declarations().filter(|item| !item.is_build_only()) {
            bytes.extend(declaration.to_string().bytes());
            bytes.push(0);
        }
        bytes
    }

    /// Reads what was attached to a module; `path` is what messages call the module. Lines are
    /// counted by declarations.
    ///
    /// # Errors
    ///
    /// [`Failure`] with all mistakes in it.
    pub fn from_section(path: &Path, bytes: &[u8]) -> Result<(Self, Report), Failure> {
        let mut report = Report::new();
        let text = read::text(bytes, &mut report);
        let body = text.and_then(|text| text.strip_prefix('\0')?.strip_suffix('\0'));
        if text.is_some() && body.is_none() {
            let message = "attached properties start and end with a zero byte; these do not";
            report.push(Diagnostic::error("udi-section", message).offset(0));
        }
        let parsed = body.and_then(|body| {
            let pieces = body.split('\0').zip(1..);
            let lines = pieces.filter_map(|(text, line)| lex::line(text, line, &mut report));
            let lines = lines.collect();
            read::properties(lines, &mut report)
        });
        finish(path, parsed, report)
    }
}
