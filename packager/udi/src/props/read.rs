//! From lines to [`Properties`].

use std::collections::BTreeMap;

use l4re_packager_base::{Diagnostic, Report};

use super::lex::Line;
use super::{Declaration, Item, Properties, parse, rules};

/// Longest file that is read, in bytes. Real ones have a few kilobytes.
pub(super) const FILE_MAX: usize = 1 << 20;

/// Findings after which reading ends: nobody reads more, and a file that is none has one a line.
pub(super) const FINDINGS_MAX: usize = 100;

/// The bytes as text.
pub(super) fn text<'a>(bytes: &'a [u8], report: &mut Report) -> Option<&'a str> {
    if bytes.len() > FILE_MAX {
        let message = format!("{} bytes, at most {FILE_MAX} are read", bytes.len());
        report.push(Diagnostic::error("udi-size", message));
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let message = "the text is not UTF-8";
            let diagnostic = Diagnostic::error("udi-text", message);
            report.push(diagnostic.offset(error.valid_up_to() as u64));
            None
        }
    }
}

/// Reads and checks the declarations. `None` if something is missing that every file has.
pub(super) fn properties(lines: Vec<Line>, report: &mut Report) -> Option<Properties> {
    let mut items = Vec::new();
    let mut keywords = Vec::new();
    for line in lines {
        let at = line.at();
        // A keyword whose arguments are wrong is there all the same: no need to call it missing.
        keywords.extend(line.words.first().map(|word| word.text.clone()));
        if line.is_cut {
            continue;
        }
        if let Some(declaration) = parse::declaration(line, report) {
            items.push(Item { declaration, at });
        }
        if report.iter().count() >= FINDINGS_MAX {
            return None;
        }
    }
    rules::check(&items, &keywords, report);

    let mut shortname = None;
    let mut number = None;
    let mut modules = Vec::new();
    let mut messages = BTreeMap::new();
    let mut of_a_language = false;
    for (index, item) in items.iter().enumerate() {
        match &item.declaration {
            Declaration::Shortname(name) => shortname = Some(name.clone()),
            Declaration::Release { number: own, .. } => number = Some(*own),
            Declaration::Module(file) => modules.push(file.clone()),
            Declaration::Locale(_) => of_a_language = true,
            Declaration::Message { number, .. } | Declaration::DisasterMessage { number, .. }
                if !of_a_language =>
            {
                messages.entry(*number).or_insert(index);
            }
            _ => {}
        }
    }
    Some(Properties { items, shortname: shortname?, release: number?, modules, messages })
}
