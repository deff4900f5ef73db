//! The table.

use alloc::vec::Vec;

/// What a driver server can be told, see [`driver_info!`](crate::driver_info).
#[derive(Debug)]
pub struct DriverInfo {
    /// Name of the program.
    pub name: &'static str,
    /// One line on what it is for.
    pub description: &'static str,
    /// Capabilities that it looks for.
    pub caps: &'static [CapInfo],
    /// Options of the command line.
    pub options: &'static [Param],
    /// Arguments of the factory's `create`.
    pub factory: &'static [Param],
    /// Stack in bytes.
    pub stack: usize,
    /// All of it as text: the contents of the section `.l4re.drvinfo`.
    pub text: &'static str,
}

/// A capability that a driver server looks for.
#[derive(Debug)]
pub struct CapInfo {
    /// Name in the initial capability table.
    pub name: &'static str,
    /// Protocol that it must speak.
    pub protocol: &'static str,
    /// [`Flags::MANDATORY`], [`Flags::MULTIPLE`], [`Flags::SERVER`].
    pub flags: Flags,
    /// What it is for.
    pub description: &'static str,
}

/// An option of the command line, or an argument of the factory.
#[derive(Debug, PartialEq, Eq)]
pub struct Param {
    /// Name, on the command line after `--`.
    pub name: &'static str,
    /// Letter after a single `-`.
    pub short: Option<char>,
    /// What its value is.
    pub kind: ParamKind,
    /// Value if it is not given.
    pub default: Option<u64>,
    /// How it may be used.
    pub flags: Flags,
    /// What it is for.
    pub description: &'static str,
}

/// What the value of a [`Param`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// There is no value.
    Flag,
    /// Any text that is not empty.
    String,
    /// Name of a capability.
    Cap,
    /// A number.
    Uint {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
}

/// How an entry of the table may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// Nothing special.
    pub const NONE: Flags = Flags(0);
    /// It must be there.
    pub const MANDATORY: Flags = Flags(1);
    /// There may be several.
    pub const MULTIPLE: Flags = Flags(2);
    /// The capability needs server rights.
    pub const SERVER: Flags = Flags(4);
    /// The option is about the client that the preceding `--client` names.
    pub const CLIENT: Flags = Flags(8);
    /// The option is accepted and has no effect.
    pub const IGNORED: Flags = Flags(16);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all of `other` are in the set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The entry with this name.
pub fn find(table: &'static [Param], name: &str) -> Option<&'static Param> {
    table.iter().find(|p| p.name == name)
}

/// The name in the table that somebody may have meant by `given`: the one that is reached with the
/// fewest changes, if that is at most a third of the letters.
pub fn nearest(table: &'static [Param], given: &str) -> Option<&'static str> {
    let limit = given.chars().count().div_ceil(3).min(4);
    let distances = table.iter().map(|p| (distance(p.name, given), p.name));
    distances.filter(|(d, _)| *d <= limit).min().map(|(_, name)| name)
}

/// Number of letters to insert, delete or replace to get from `a` to `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, y) in cells.zip(b.chars()) {
            let here = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = here;
            left = here;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The bytes of a text, for a static in a section of its own.
#[doc(hidden)]
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(text.as_bytes());
    out
}

/// Whether a text has this many lines and tabs: then no field has one in it.
#[doc(hidden)]
pub const fn well_formed(text: &str, lines: usize, tabs: usize) -> bool {
    let text = text.as_bytes();
    let (mut seen_lines, mut seen_tabs, mut i) = (0, 0, 0);
    while i < text.len() {
        seen_lines += (text[i] == b'\n') as usize;
        seen_tabs += (text[i] == b'\t') as usize;
        i += 1;
    }
    seen_lines == lines && seen_tabs == tabs
}
