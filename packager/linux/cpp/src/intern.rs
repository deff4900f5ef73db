//! Spellings as small numbers.

use std::hash::{BuildHasher, BuildHasherDefault};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// The spelling of a token: equal numbers are equal spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Symbol(u32);

impl Symbol {
    /// As an index of a table by symbol.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// All spellings met so far, one behind the other.
pub(crate) struct Interner {
    bytes: Vec<u8>,
    spans: Vec<(u32, u32)>,
    table: HashTable<Symbol>,
    hasher: BuildHasherDefault<FxHasher>,
}

/// Defines constants for spellings that mean something, numbered in order.
macro_rules! known {
    ($($name:ident = $spelling:literal,)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "only for numbering")]
        enum Known { $($name,)* }

        /// Spellings that mean something.
        pub(crate) mod known {
            use super::{Known, Symbol};
            $(pub(crate) const $name: Symbol = Symbol(Known::$name as u32);)*
        }

        const KNOWN: &[&str] = &[$($spelling,)*];
    };
}

known! {
    EMPTY = "",
    DEFINED = "defined",
    VA_ARGS = "__VA_ARGS__",
    VA_OPT = "__VA_OPT__",
    CHAR_UNSIGNED = "__CHAR_UNSIGNED__",
    FILE = "__FILE__",
    FILE_NAME = "__FILE_NAME__",
    BASE_FILE = "__BASE_FILE__",
    LINE = "__LINE__",
    INCLUDE_LEVEL = "__INCLUDE_LEVEL__",
    COUNTER = "__COUNTER__",
    DATE = "__DATE__",
    TIME = "__TIME__",
    TIMESTAMP = "__TIMESTAMP__",
    HAS_INCLUDE = "__has_include",
    HAS_INCLUDE_NEXT = "__has_include_next",
}

impl Interner {
    pub(crate) fn new() -> Self {
        let mut interner = Self {
            bytes: Vec::with_capacity(1 << 20),
            spans: Vec::with_capacity(1 << 16),
            table: HashTable::with_capacity(1 << 16),
            hasher: BuildHasherDefault::default(),
        };
        for spelling in KNOWN {
            interner.intern(spelling.as_bytes());
        }
        interner
    }

    /// How many symbols there are.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The symbol of a spelling.
    pub(crate) fn intern(&mut self, spelling: &[u8]) -> Symbol {
        let Self { bytes, spans, table, hasher } = self;
        let hash = hasher.hash_one(spelling);
        if let Some(&symbol) = table.find(hash, |&s| Self::span(bytes, spans, s) == spelling) {
            return symbol;
        }
        // Beyond 4 GiB of spellings everything would be the empty one; sources end long before.
        let (Ok(start), Ok(end), Ok(number)) = (
            u32::try_from(bytes.len()),
            u32::try_from(bytes.len() + spelling.len()),
            u32::try_from(spans.len()),
        ) else {
            return known::EMPTY;
        };
        bytes.extend_from_slice(spelling);
        spans.push((start, end));
        let symbol = Symbol(number);
        table.insert_unique(hash, symbol, |&s| hasher.hash_one(Self::span(bytes, spans, s)));
        symbol
    }

    /// The spelling of a symbol.
    pub(crate) fn spelling(&self, symbol: Symbol) -> &[u8] {
        Self::span(&self.bytes, &self.spans, symbol)
    }

    /// The spelling of a symbol, for messages.
    pub(crate) fn text(&self, symbol: Symbol) -> String {
        String::from_utf8_lossy(self.spelling(symbol)).into_owned()
    }

    fn span<'a>(bytes: &'a [u8], spans: &[(u32, u32)], symbol: Symbol) -> &'a [u8] {
        let (start, end) = spans.get(symbol.index()).copied().unwrap_or_default();
        bytes.get(start as usize..end as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_spellings_are_one_symbol_and_others_are_not() {
        let mut interner = Interner::new();
        let a = interner.intern(b"abc");
        assert_eq!(a, interner.intern(b"abc"));
        assert_ne!(a, interner.intern(b"abd"));
        assert_eq!(interner.spelling(a), b"abc");
    }

    #[test]
    fn known_spellings_have_their_numbers() {
        let mut interner = Interner::new();
        assert_eq!(interner.intern(b""), known::EMPTY);
        assert_eq!(interner.intern(b"defined"), known::DEFINED);
        assert_eq!(interner.intern(b"__has_include_next"), known::HAS_INCLUDE_NEXT);
    }
}
