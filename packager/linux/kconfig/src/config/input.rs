//! Reading `.config` files and their fragments.

use std::path::Path;
use std::sync::Arc;

use l4re_packager_base::{Diagnostic, Position, Report, nearest};

use super::Config;
use super::eval::Eval;
use crate::dialect::UnsetLines;
use crate::model::{SymbolId, SymbolKind, SymbolType, Tristate};
use crate::number;

/// Most unknown symbols for which a similar name is looked up: each look goes over all names.
const MAX_SUGGESTIONS: usize = 5;

/// What a line of a `.config` says.
enum Line<'t> {
    Nothing,
    Value { name: &'t str, value: &'t str },
    Unexpected(&'t str),
}

fn line_of(line: &str, unset: UnsetLines) -> Line<'_> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if let Some(comment) = line.strip_prefix('#') {
        return match unset_symbol(comment, unset) {
            Some(name) => Line::Value { name, value: "n" },
            None => Line::Nothing,
        };
    }
    if line.is_empty() {
        return Line::Nothing;
    }
    match line.strip_prefix("CONFIG_").and_then(|rest| rest.split_once('=')) {
        Some((name, value)) => Line::Value { name, value },
        None => Line::Unexpected(line),
    }
}

/// The symbol that a comment, without its `#`, says to be n.
fn unset_symbol(comment: &str, unset: UnsetLines) -> Option<&str> {
    let rest = match unset {
        UnsetLines::AnyMark => {
            let mark = comment.chars().next()?;
            &comment[mark.len_utf8()..]
        }
        UnsetLines::Prefix | UnsetLines::Whole => comment.strip_prefix(' ')?,
    };
    let (name, words) = rest.strip_prefix("CONFIG_")?.split_once(' ')?;
    let counts = match unset {
        UnsetLines::Whole => words == "is not set",
        _ => words.starts_with("is not set"),
    };
    counts.then_some(name)
}

impl Config<'_> {
    /// Replaces what the user has said by a `.config`, as `make olddefconfig` does: symbols that it
    /// does not mention get their defaults. Returns what is doubtful about its lines; a line that
    /// makes no sense is passed over.
    ///
    /// `name` is what the findings call the file.
    pub fn read(&mut self, text: &str, name: &Path) -> Report {
        let report = self.read_lines(text, name);
        self.eval(|eval| eval.settle_input());
        report
    }

    /// The lines of a `.config`, without computing any value.
    pub(super) fn read_lines(&mut self, text: &str, name: &Path) -> Report {
        let mut reader =
            Reader { config: self, name, line: 0, report: Report::new(), suggestions: 0 };
        reader.config.eval(|eval| eval.clear_user());
        let unset = reader.config.kconfig.dialect().unset_lines;
        for (index, line) in text.lines().enumerate() {
            reader.line = index + 1;
            match line_of(line, unset) {
                Line::Nothing => {}
                Line::Value { name, value } => reader.value(name, value),
                Line::Unexpected(line) => {
                    let shown: String = line.chars().take(60).collect();
                    let what = format!("unexpected data: {shown}");
                    let help = "lines are `CONFIG_X=value` or `# CONFIG_X is not set`";
                    reader.warn("config-line", what, Some(help.into()));
                }
            }
        }
        reader.report
    }
}

struct Reader<'a, 'k> {
    config: &'a mut Config<'k>,
    name: &'a Path,
    line: usize,
    report: Report,
    suggestions: usize,
}

impl Reader<'_, '_> {
    fn warn(&mut self, code: &'static str, message: String, help: Option<String>) {
        let position = Position::Text { line: self.line, column: 1 };
        let mut diagnostic = Diagnostic::warning(code, message).file(self.name).at(position);
        diagnostic.help = help;
        self.report.push(diagnostic);
    }

    fn value(&mut self, name: &str, value: &str) {
        let Some(symbol) = self.config.kconfig.find(name) else { return self.unknown(name) };
        if self.config.eval(|eval| eval.slot(symbol).user.set) {
            let what = format!("override: reassigning to symbol {name}");
            self.warn("config-twice", what, Some("the last line counts".into()));
        }
        match parse(self.config.type_of(symbol), value) {
            Some(parsed) => {
                if let Some(what) = self.config.eval(|eval| eval.assign(symbol, parsed)) {
                    self.warn("config-choice", what, Some("the last line counts".into()));
                }
            }
            None => {
                let symbol_type = self.config.type_of(symbol).as_str();
                if symbol_type != SymbolType::Unknown.as_str() {
                    let what = format!("symbol value '{value}' invalid for {name}");
                    let help = format!("it is of type {symbol_type}; the line is ignored");
                    self.warn("config-value", what, Some(help));
                }
            }
        }
    }

    fn unknown(&mut self, name: &str) {
        let kconfig = self.config.kconfig;
        let mut help = "the tree defines no such symbol for this architecture".to_owned();
        if self.suggestions < MAX_SUGGESTIONS {
            self.suggestions += 1;
            let names = kconfig.options().map(|symbol| &*kconfig.symbol(symbol).name);
            if let Some(near) = nearest(name, names) {
                help = format!("did you mean `CONFIG_{near}`?");
            }
        }
        self.warn("config-unknown", format!("unknown symbol: {name}"), Some(help));
    }
}

/// A value as a line of a `.config` gives it.
pub(super) enum Parsed {
    Logic(Tristate),
    Text(Arc<str>),
    /// A string without quotes: accepted, and without effect.
    Unquoted,
}

/// The value that a text of a `.config` stands for.
pub(super) fn parse(symbol_type: SymbolType, text: &str) -> Option<Parsed> {
    match symbol_type {
        SymbolType::Tristate if text.starts_with('m') => Some(Parsed::Logic(Tristate::Mod)),
        SymbolType::Bool | SymbolType::Tristate => match text.as_bytes().first() {
            Some(b'y') => Some(Parsed::Logic(Tristate::Yes)),
            Some(b'n') => Some(Parsed::Logic(Tristate::No)),
            _ => None,
        },
        SymbolType::String => match text.strip_prefix('"') {
            Some(quoted) => Some(Parsed::Text(unescape(quoted)?.into())),
            None => Some(Parsed::Unquoted),
        },
        SymbolType::Int | SymbolType::Hex => {
            number::is_valid(symbol_type, text).then(|| Parsed::Text(text.into()))
        }
        SymbolType::Unknown => None,
    }
}

/// The text up to the closing quote, without backslashes; `None` if it is never closed.
fn unescape(quoted: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.extend(chars.next()),
            other => text.push(other),
        }
    }
}

impl Eval<'_> {
    /// Forgets all that the user has said.
    fn clear_user(&mut self) {
        let valued = self.valued_choices();
        for (symbol, slot) in self.kconfig.symbols.iter().zip(&mut self.state.slots) {
            slot.user = super::eval::User::default();
            // A choice counts as made until a member turns out not to be mentioned.
            slot.user.set = valued && symbol.kind == SymbolKind::Choice;
        }
        self.forget();
    }

    /// Takes a value that the user gives a symbol; says so if it contradicts an earlier one.
    pub(super) fn assign(&mut self, symbol: SymbolId, value: Parsed) -> Option<String> {
        match value {
            Parsed::Logic(value) => {
                let user = &mut self.slot_mut(symbol).user;
                (user.set, user.value) = (true, value);
            }
            Parsed::Text(text) => {
                let user = &mut self.slot_mut(symbol).user;
                (user.set, user.text) = (true, Some(text));
            }
            Parsed::Unquoted => {}
        }
        let choice = self.kconfig.symbol(symbol).choice?;
        if self.valued_choices() {
            return self.assign_member(symbol, choice);
        }
        if let Some(members) = self.state.priorities.get_mut(&choice) {
            members.retain(|member| *member != symbol);
            members.insert(0, symbol);
        }
        None
    }

    fn assign_member(&mut self, member: SymbolId, choice: SymbolId) -> Option<String> {
        let name = &self.kconfig.symbol(member).name;
        let value = self.slot(member).user.value;
        let user = &mut self.slot_mut(choice).user;
        let mut complaint = None;
        match value {
            Tristate::No => {}
            Tristate::Mod => {
                if user.value == Tristate::Yes {
                    complaint = Some(format!("{name} creates inconsistent choice state"));
                    user.set = false;
                }
            }
            Tristate::Yes => {
                if user.value != Tristate::No {
                    complaint = Some(format!("override: {name} changes choice state"));
                }
                user.chosen = Some(member);
            }
        }
        user.value = user.value.max(value);
        complaint
    }

    /// Computes all values after a `.config` was read, and drops from it what does not hold.
    fn settle_input(&mut self) {
        let kconfig = self.kconfig;
        self.calculate(kconfig.modules());
        let mut differs = false;
        for symbol in &kconfig.order {
            self.calculate(*symbol);
            if kconfig.symbol(*symbol).kind != SymbolKind::Choice {
                differs |= self.differs(*symbol);
            }
        }
        if self.valued_choices() {
            for symbol in &kconfig.order {
                differs |= self.drop_stale(*symbol, differs);
            }
        }
    }

    /// Whether a symbol's value is not what the `.config` says.
    fn differs(&self, symbol: SymbolId) -> bool {
        let slot = self.slot(symbol);
        if slot.user.set && slot.write {
            return if self.kconfig.symbol(symbol).symbol_type.is_logic() {
                slot.user.value != slot.value
            } else {
                slot.user.text != slot.text
            };
        }
        slot.user.set || slot.write
    }

    /// Drops a value that cannot hold (up to Linux 6.10); whether it was one out of range.
    fn drop_stale(&mut self, symbol: SymbolId, differs: bool) -> bool {
        let own = self.kconfig.symbol(symbol);
        if !self.slot(symbol).user.set || own.choice.is_some() {
            return false;
        }
        if self.slot(symbol).visible == Tristate::No && !differs {
            self.slot_mut(symbol).user.set = false;
        }
        if own.symbol_type.is_logic() || own.symbol_type == SymbolType::Unknown {
            return false;
        }
        let Some(text) = self.slot(symbol).user.text.clone() else { return false };
        if self.is_in_range(symbol, &text) {
            return false;
        }
        self.slot_mut(symbol).user.set = false;
        self.forget_one(symbol);
        true
    }

    /// Whether a text is a value of the symbol, and within the range that holds at present.
    pub(super) fn is_in_range(&mut self, symbol: SymbolId, text: &str) -> bool {
        let symbol_type = self.kconfig.symbol(symbol).symbol_type;
        if !number::is_valid(symbol_type, text) {
            return false;
        }
        let base = number::base(symbol_type, 0);
        if base == 0 {
            return true;
        }
        let Some((low, high)) = self.range(symbol) else { return true };
        let value = number::value(text, base);
        value >= self.limit(low, base) && value <= self.limit(high, base)
    }
}
