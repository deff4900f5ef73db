//! The layout of a number: padding, sign or prefix, zeros, digits, zeros, exponent.

use super::Error;
use super::sink::Counted;
use super::spec::{Conversion, Count, Spec};

/// Digits of the longest integer: 64 bits in octal.
const MOST_DIGITS: usize = 22;

/// The parts of a number in their order. Zeros are counted, not stored, so no precision is too
/// large.
pub struct Number<'a> {
    prefix: &'static [u8],
    leading_zeros: usize,
    digits: Digits<'a>,
    trailing_zeros: usize,
    suffix: &'a [u8],
    /// Whether zeros may fill the width.
    zero_fill: bool,
}

/// Digits of their own, or somebody's.
enum Digits<'a> {
    Own([u8; MOST_DIGITS], usize),
    Borrowed(&'a [u8]),
}

impl<'a> Number<'a> {
    /// An integer by its magnitude and sign.
    pub fn integer(value: u64, negative: bool, spec: &Spec) -> Self {
        let base = match spec.conversion {
            Conversion::Unsigned { base } => base,
            Conversion::Pointer => 16,
            _ => 10,
        };
        let mut digits = [0; MOST_DIGITS];
        let mut first = MOST_DIGITS;
        let mut rest = value;
        while rest > 0 {
            first -= 1;
            let digit = (rest % base) as u8;
            digits[first] = match digit {
                0..=9 => b'0' + digit,
                _ if spec.upper => b'A' + digit - 10,
                _ => b'a' + digit - 10,
            };
            rest /= base;
        }
        let count = MOST_DIGITS - first;
        let mut leading_zeros = spec.precision.or(1).saturating_sub(count);
        let mut prefix: &[u8] = b"";
        match spec.conversion {
            Conversion::Signed => prefix = sign(negative, spec),
            Conversion::Pointer => prefix = b"0x",
            Conversion::Unsigned { base: 16 } if spec.alternative && value > 0 => {
                prefix = if spec.upper { b"0X" } else { b"0x" };
            }
            // The alternative form of octal is a first digit that is zero (C11 7.21.6.1).
            Conversion::Unsigned { base: 8 } if spec.alternative && leading_zeros == 0 => {
                leading_zeros = 1;
            }
            _ => {}
        }
        Self {
            prefix,
            leading_zeros,
            digits: Digits::Own(digits, first),
            trailing_zeros: 0,
            suffix: b"",
            // A precision says how many zeros there are, then the flag is ignored.
            zero_fill: spec.zero && spec.precision == Count::Missing,
        }
    }

    /// A number with a fraction: its digits with the point, zeros to add, and the exponent.
    pub fn decimal(
        negative: bool,
        digits: &'a [u8],
        trailing_zeros: usize,
        suffix: &'a [u8],
        spec: &Spec,
    ) -> Self {
        Self {
            prefix: sign(negative, spec),
            leading_zeros: 0,
            digits: Digits::Borrowed(digits),
            trailing_zeros,
            suffix,
            zero_fill: spec.zero,
        }
    }

    /// Infinity or not a number: never filled with zeros.
    pub fn word(negative: bool, word: &'a [u8], spec: &Spec) -> Self {
        Self { zero_fill: false, ..Self::decimal(negative, word, 0, b"", spec) }
    }

    /// Writes the number in its field.
    pub fn write(&self, out: &mut Counted<'_>, spec: &Spec) -> Result<(), Error> {
        let digits = match &self.digits {
            Digits::Own(digits, first) => &digits[*first..],
            Digits::Borrowed(digits) => digits,
        };
        let length = [
            self.prefix.len(),
            self.leading_zeros,
            digits.len(),
            self.trailing_zeros,
            self.suffix.len(),
        ]
        .iter()
        .sum();
        let padding = spec.width.or(0).saturating_sub(length);
        let (left, zeros, right) = if spec.left {
            (0, 0, padding)
        } else if self.zero_fill {
            (0, padding, 0)
        } else {
            (padding, 0, 0)
        };
        out.fill(b' ', left)?;
        out.put(self.prefix)?;
        out.fill(b'0', zeros)?;
        out.fill(b'0', self.leading_zeros)?;
        out.put(digits)?;
        out.fill(b'0', self.trailing_zeros)?;
        out.put(self.suffix)?;
        out.fill(b' ', right)
    }
}

/// The sign of a signed conversion.
fn sign(negative: bool, spec: &Spec) -> &'static [u8] {
    match (negative, spec.plus, spec.space) {
        (true, _, _) => b"-",
        (false, true, _) => b"+",
        (false, false, true) => b" ",
        (false, false, false) => b"",
    }
}
