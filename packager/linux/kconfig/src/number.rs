//! Numbers as the language reads them: like C's `strtoll`.

use std::cmp::Ordering;

use crate::model::SymbolType;

/// What a text begins with as a number.
struct Parsed {
    negative: bool,
    magnitude: u64,
    /// Bytes read, 0 if there is no number.
    length: usize,
    overflow: bool,
}

fn parse(text: &str, base: u32) -> Parsed {
    let bytes = text.as_bytes();
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let mut at = bytes.iter().take_while(|byte| blank(byte)).count();
    let negative = bytes.get(at) == Some(&b'-');
    if matches!(bytes.get(at), Some(b'-' | b'+')) {
        at += 1;
    }
    let digit = |at: usize, base: u32| (*bytes.get(at)? as char).to_digit(base);
    let prefixed = bytes.get(at) == Some(&b'0')
        && matches!(bytes.get(at + 1), Some(b'x' | b'X'))
        && digit(at + 2, 16).is_some();
    let base = match base {
        0 if prefixed => 16,
        0 if bytes.get(at) == Some(&b'0') => 8,
        0 => 10,
        base => base,
    };
    if base == 16 && prefixed {
        at += 2;
    }
    let mut parsed = Parsed { negative, magnitude: 0, length: 0, overflow: false };
    while let Some(value) = digit(at, base) {
        let next = parsed.magnitude.checked_mul(u64::from(base));
        match next.and_then(|next| next.checked_add(u64::from(value))) {
            Some(next) => parsed.magnitude = next,
            None => parsed.overflow = true,
        }
        at += 1;
        parsed.length = at;
    }
    parsed
}

impl Parsed {
    fn signed(&self) -> Option<i64> {
        if self.overflow {
            return None;
        }
        if self.negative {
            0_i64.checked_sub_unsigned(self.magnitude)
        } else {
            i64::try_from(self.magnitude).ok()
        }
    }

    /// The number, at the limits of 64 bits if it is beyond.
    fn clamped(&self) -> i64 {
        self.signed().unwrap_or(if self.negative { i64::MIN } else { i64::MAX })
    }
}

/// The number that `text` begins with, 0 if none.
pub(crate) fn value(text: &str, base: u32) -> i64 {
    parse(text, base).clamped()
}

/// The base in which values of a type are written; `other` for types that are no numbers.
pub(crate) fn base(symbol_type: SymbolType, other: u32) -> u32 {
    match symbol_type {
        SymbolType::Int => 10,
        SymbolType::Hex => 16,
        _ => other,
    }
}

/// Whether a text is a value of the type.
pub(crate) fn is_valid(symbol_type: SymbolType, text: &str) -> bool {
    match symbol_type {
        SymbolType::String => true,
        SymbolType::Int => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            all && (digits == "0" || !digits.starts_with('0'))
        }
        SymbolType::Hex => {
            let prefix = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            let digits = prefix.unwrap_or(text);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        SymbolType::Bool | SymbolType::Tristate => {
            matches!(text.as_bytes().first(), Some(b'y' | b'Y' | b'm' | b'M' | b'n' | b'N'))
        }
        SymbolType::Unknown => false,
    }
}

enum Comparable {
    Text,
    Signed(i64),
    Unsigned(u64),
}

impl Comparable {
    fn of(text: &str, symbol_type: SymbolType) -> Self {
        if symbol_type.is_logic() {
            return Self::Signed(match text {
                "n" => 0,
                "m" => 1,
                "y" => 2,
                _ => -1,
            });
        }
        let parsed = parse(text, base(symbol_type, 0));
        if parsed.length == 0 || parsed.length != text.len() || parsed.overflow {
            return Self::Text;
        }
        match (symbol_type, parsed.signed()) {
            (SymbolType::Hex, _) if parsed.negative => {
                Self::Unsigned(parsed.magnitude.wrapping_neg())
            }
            (SymbolType::Hex, _) => Self::Unsigned(parsed.magnitude),
            (_, Some(number)) => Self::Signed(number),
            (_, None) => Self::Text,
        }
    }

    fn unsigned(&self) -> u64 {
        match self {
            Self::Signed(number) => number.cast_unsigned(),
            Self::Unsigned(number) => *number,
            Self::Text => 0,
        }
    }
}

/// Compares two values: as numbers if both can be read so and not both are strings.
pub(crate) fn compare(a: (&str, SymbolType), b: (&str, SymbolType)) -> Ordering {
    let texts = || a.0.as_bytes().cmp(b.0.as_bytes());
    if a.1 == SymbolType::String && b.1 == SymbolType::String {
        return texts();
    }
    match (Comparable::of(a.0, a.1), Comparable::of(b.0, b.1)) {
        (Comparable::Text, _) | (_, Comparable::Text) => texts(),
        (Comparable::Signed(a), Comparable::Signed(b)) => a.cmp(&b),
        (a, b) => a.unsigned().cmp(&b.unsigned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SymbolType::{Hex, Int, String, Tristate, Unknown};

    #[test]
    fn values_of_numbers_are_recognised_as_in_c() {
        for good in ["0", "-1", "10"] {
            assert!(is_valid(Int, good), "{good}");
        }
        for bad in ["", "-", "01", "0x1", "1a", " 1"] {
            assert!(!is_valid(Int, bad), "{bad}");
        }
        for good in ["0", "ff", "0xFF", "0X1", "00"] {
            assert!(is_valid(Hex, good), "{good}");
        }
        for bad in ["", "0x", "xyz"] {
            assert!(!is_valid(Hex, bad), "{bad}");
        }
    }

    #[test]
    fn comparison_is_numeric_where_both_sides_are_numbers() {
        assert_eq!(compare(("10", Int), ("9", Int)), Ordering::Greater);
        assert_eq!(compare(("10", String), ("9", String)), Ordering::Less);
        assert_eq!(compare(("0x10", Hex), ("16", Unknown)), Ordering::Equal);
        assert_eq!(compare(("010", Unknown), ("8", Int)), Ordering::Equal);
        assert_eq!(compare(("abc", Unknown), ("abd", Int)), Ordering::Less);
        assert_eq!(compare(("y", Tristate), ("m", Tristate)), Ordering::Greater);
        assert_eq!(
            compare(("99999999999999999999", Int), ("9", Int)),
            Ordering::Equal.then("99999999999999999999".cmp("9"))
        );
    }

    #[test]
    fn a_number_beyond_64_bits_stays_at_the_limit() {
        assert_eq!(value("99999999999999999999", 10), i64::MAX);
        assert_eq!(value("-99999999999999999999", 10), i64::MIN);
        assert_eq!(value("0x", 16), 0);
        assert_eq!(value("junk", 10), 0);
    }
}
