//! Evaluation for all configurations at once.
//!
//! The value of `CONFIG_X` is a mark (`\u{1}number\u{3}`) that text functions carry along. A
//! conditional that compares marks is followed into both branches; what is assigned there carries a
//! guard, and a word that comes out of a guarded assignment gets it as a prefix
//! (`\u{2}number\u{3}`). Makefiles cannot contain these characters: they are blanked on reading.

use std::cell::RefCell;
use std::hash::Hash;
use std::rc::Rc;

use serde::Serialize;

use crate::hash::NameMap;

/// Index of a set of conditions; 0 is the empty one.
pub(crate) type GuardId = u32;

pub(crate) const SYMBOL: char = '\u{1}';
pub(crate) const GUARD: char = '\u{2}';
pub(crate) const END: char = '\u{3}';

/// A condition on symbols.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Condition {
    /// The symbols, without `CONFIG_`.
    pub symbols: Vec<String>,
    /// Whether all of the symbols are meant, or any of them. (`true` if there is one.)
    pub all: bool,
    /// Whether it must hold or must not hold.
    pub holds: bool,
}

impl Condition {
    pub(crate) fn new(symbols: Vec<String>, all: bool, holds: bool) -> Self {
        let all = all || symbols.len() == 1;
        Self { symbols, all, holds }
    }
}

/// Values by number and numbers by value.
#[derive(Debug)]
struct Interner<T> {
    values: Vec<T>,
    numbers: NameMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: NameMap::default() }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }
}

/// The marks and guards of an evaluation.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// By number: names.
    symbols: RefCell<Interner<Rc<str>>>,
    /// By number less 1: conditions.
    guards: RefCell<Interner<Vec<Condition>>>,
}

impl Table {
    /// The mark of a symbol.
    pub(crate) fn mark(&self, name: &str) -> String {
        let mut symbols = self.symbols.borrow_mut();
        let number = match symbols.numbers.get(name) {
            Some(number) => *number,
            None => symbols.number(name.into()),
        };
        format!("{SYMBOL}{number}{END}")
    }

    /// The symbols marked in a text, in order, each once.
    pub(crate) fn symbols_in(&self, text: &str) -> Vec<String> {
        let symbols = self.symbols.borrow();
        let mut found: Vec<String> = Vec::new();
        for id in marks(text, SYMBOL) {
            if let Some(name) = symbols.values.get(id as usize)
                && !found.iter().any(|known| **known == **name)
            {
                found.push(name.to_string());
            }
        }
        found
    }

    /// The guard for `conditions` in addition to those of `base`.
    pub(crate) fn guard(
        &self,
        base: GuardId,
        more: impl IntoIterator<Item = Condition>,
    ) -> GuardId {
        let mut conditions = self.conditions(base);
        conditions.extend(more);
        if conditions.is_empty() {
            return 0;
        }
        conditions.sort();
        conditions.dedup();
        self.guards.borrow_mut().number(conditions).saturating_add(1)
    }

    /// The conditions of a guard.
    pub(crate) fn conditions(&self, guard: GuardId) -> Vec<Condition> {
        let index = (guard as usize).wrapping_sub(1);
        self.guards.borrow().values.get(index).cloned().unwrap_or_default()
    }

    /// Both guards together.
    pub(crate) fn both(&self, one: GuardId, other: GuardId) -> GuardId {
        match (one, other) {
            (0, only) | (only, 0) => only,
            (one, other) if one == other => one,
            _ => self.guard(one, self.conditions(other)),
        }
    }

    /// Takes guard marks out of a text and says what they amount to.
    pub(crate) fn take_guards(&self, text: &str) -> (String, GuardId) {
        let mut guard = 0;
        for id in marks(text, GUARD) {
            guard = self.both(guard, id);
        }
        (without(text, GUARD), guard)
    }
}

/// Whether a text contains marks of symbols or guards.
pub(crate) fn is_symbolic(text: &str) -> bool {
    text.bytes().any(|byte| byte == SYMBOL as u8 || byte == GUARD as u8)
}

/// The numbers of the marks of one kind.
fn marks(text: &str, kind: char) -> impl Iterator<Item = u32> {
    text.split(kind).skip(1).filter_map(|rest| rest.split(END).next()?.parse().ok())
}

/// A text without the marks of one kind.
pub(crate) fn without(text: &str, kind: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split(kind);
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        out.push_str(piece.split_once(END).map_or("", |(_, rest)| rest));
    }
    out
}

/// The prefix that puts a word under a guard.
pub(crate) fn guard_mark(guard: GuardId) -> String {
    format!("{GUARD}{guard}{END}")
}

/// What a name with marks (`objs-␁A␃␁B␃`) says about the symbols if it is to be `name`.
/// `None` if it cannot be.
pub(crate) fn match_name(template: &str, name: &str) -> Option<NameMatch> {
    let mut found = NameMatch { on: 0, marks: 0 };
    fits(template, name, &mut found).then_some(found)
}

/// How many of the marks of a template are `y` or `m` in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameMatch {
    pub(crate) on: usize,
    pub(crate) marks: usize,
}

fn fits(template: &str, name: &str, found: &mut NameMatch) -> bool {
    let Some((literal, rest)) = template.split_once(SYMBOL) else {
        return template == name;
    };
    let Some(name) = name.strip_prefix(literal) else {
        return false;
    };
    let Some((_, rest)) = rest.split_once(END) else {
        return false;
    };
    let before = *found;
    // A mark is nothing, `y` or `m`. On first: that is what the Makefile is about.
    if let Some(shorter) = name.strip_prefix(['y', 'm']) {
        *found = NameMatch { on: before.on + 1, marks: before.marks + 1 };
        if fits(rest, shorter, found) {
            return true;
        }
    }
    *found = NameMatch { on: before.on, marks: before.marks + 1 };
    fits(rest, name, found)
}

/// Names of variables with marks.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    /// Those that end in marks (`x-␁A␃`), by what stands in front of the first mark.
    ending: NameMap<Rc<str>, Vec<Rc<str>>>,
    /// The few others.
    others: Vec<Rc<str>>,
}

impl Templates {
    /// Adds a name if it has marks.
    pub(crate) fn add(&mut self, name: &Rc<str>) {
        let Some(mark) = name.find(SYMBOL) else { return };
        if without(&name[mark..], SYMBOL).is_empty() {
            self.ending.entry(name[..mark].into()).or_default().push(Rc::clone(name));
        } else {
            self.others.push(Rc::clone(name));
        }
    }

    /// The names that can become `name`.
    pub(crate) fn matching(&self, name: &str, mut found: impl FnMut(&Rc<str>, NameMatch)) {
        let mut candidate = |template: &Rc<str>| {
            if let Some(matched) = match_name(template, name) {
                found(template, matched);
            }
        };
        // Marks become nothing, `y` or `m`.
        let mut beginning = name;
        loop {
            self.ending.get(beginning).into_iter().flatten().for_each(&mut candidate);
            match beginning.strip_suffix(['y', 'm']) {
                Some(shorter) => beginning = shorter,
                None => break,
            }
        }
        self.others.iter().for_each(candidate);
    }
}

/// What it means that a text with marks is equal to another text.
pub(crate) fn condition(table: &Table, one: &str, other: &str, equal: bool) -> Vec<Condition> {
    let text = [one, other].concat();
    let symbols = table.symbols_in(&text);
    if symbols.is_empty() {
        return Vec::new();
    }
    // The side without marks says what is asked for: letters mean "on", nothing means "off".
    let plain = if is_symbolic(one) { other } else { one };
    let letters = plain.bytes().filter(u8::is_ascii_alphanumeric).count();
    let off = letters == 0 || plain == "n";
    let all = !off && letters >= symbols.len();
    vec![Condition::new(symbols, all, equal != off)]
}
