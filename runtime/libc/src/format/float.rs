//! `double`: `%f`, `%e`, `%g`. The digits come from Rust's formatting, which rounds exactly, to
//! even on a tie, as C libraries do.

use core::fmt::Write;

use super::Error;
use super::number::Number;
use super::sink::{Buffer, Counted, Sink};
use super::spec::{Spec, Style};

/// From this many fractional digits on every `double` has only zeros: the smallest is 2^-1074.
const EXACT: usize = 1074;

/// Room for the longest number: 309 digits, a point, `EXACT` digits; or with an exponent, a digit,
/// a point, `EXACT` digits and `e-308`.
const ROOM: usize = 309 + 1 + EXACT;

/// The precision if none is given.
const DEFAULT_PRECISION: usize = 6;

/// Writes `value`.
pub fn write(out: &mut Counted<'_>, value: f64, style: Style, spec: &Spec) -> Result<(), Error> {
    let negative = value.is_sign_negative();
    let value = value.abs();
    if !value.is_finite() {
        let word: &[u8] = match (value.is_nan(), spec.upper) {
            (true, false) => b"nan",
            (true, true) => b"NAN",
            (false, false) => b"inf",
            (false, true) => b"INF",
        };
        return Number::word(negative, word, spec).write(out, spec);
    }
    let mut memory = [0; ROOM];
    let mut digits = Digits { memory: &mut memory, used: 0 };
    let precision = spec.precision.or(DEFAULT_PRECISION);
    let mut exponent = None;
    let mut zeros;
    match style {
        Style::Fixed => zeros = digits.fixed(value, precision),
        Style::Exponent => {
            let (value_exponent, value_zeros) = digits.scientific(value, precision);
            exponent = Some(value_exponent);
            zeros = value_zeros;
        }
        Style::General => (exponent, zeros) = digits.general(value, precision),
    }
    if style == Style::General && !spec.alternative {
        digits.strip();
        zeros = 0;
    } else if spec.alternative {
        digits.ensure_point();
    }
    let mut suffix = [0; 5];
    let suffix = exponent.map_or(&[][..], |exponent| suffix_of(&mut suffix, exponent, spec.upper));
    Number::decimal(negative, digits.get(), zeros, suffix, spec).write(out, spec)
}

/// The digits of a number with its point, as they are made.
struct Digits<'a> {
    memory: &'a mut [u8; ROOM],
    used: usize,
}

impl Digits<'_> {
    fn get(&self) -> &[u8] {
        &self.memory[..self.used]
    }

    /// Makes `value` with `precision` digits behind the point. Returns how many zeros are missing.
    fn fixed(&mut self, value: f64, precision: usize) -> usize {
        let exact = precision.min(EXACT);
        self.fill(format_args!("{value:.exact$}"));
        precision - exact
    }

    /// Makes the mantissa with `precision` digits behind the point. Returns the exponent, and how
    /// many zeros are missing.
    fn scientific(&mut self, value: f64, precision: usize) -> (i32, usize) {
        let exact = precision.min(EXACT);
        self.fill(format_args!("{value:.exact$e}"));
        let text = self.get();
        let at = text.iter().position(|&byte| byte == b'e').unwrap_or(text.len());
        let exponent = text
            .get(at + 1..)
            .and_then(|text| core::str::from_utf8(text).ok())
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        self.used = at;
        (exponent, precision - exact)
    }

    /// `%g`: `precision` significant digits in whichever style is shorter (C11 7.21.6.1). The
    /// choice depends on the exponent after rounding, so the number is made once to learn it.
    fn general(&mut self, value: f64, precision: usize) -> (Option<i32>, usize) {
        let significant = precision.max(1);
        let (exponent, zeros) = self.scientific(value, significant - 1);
        match usize::try_from(i64::from(exponent) + 4) {
            // -4 <= exponent < significant
            Ok(above) if above < significant.saturating_add(4) => {
                (None, self.fixed(value, significant + 3 - above))
            }
            _ => (Some(exponent), zeros),
        }
    }

    /// Removes zeros at the end of the fraction, and the point if nothing is left behind it.
    fn strip(&mut self) {
        if !self.get().contains(&b'.') {
            return;
        }
        while let Some((b'0', rest)) = self.get().split_last() {
            self.used = rest.len();
        }
        if let Some((b'.', rest)) = self.get().split_last() {
            self.used = rest.len();
        }
    }

    /// Adds the point that a number without fraction has in the alternative form.
    fn ensure_point(&mut self) {
        if !self.get().contains(&b'.') && self.used < ROOM {
            self.memory[self.used] = b'.';
            self.used += 1;
        }
    }

    fn fill(&mut self, text: core::fmt::Arguments<'_>) {
        let mut buffer = Buffer::over(self.memory);
        // `ROOM` is enough for any double, and the buffer itself does not fail.
        let _ = buffer.write_fmt(text);
        self.used = buffer.stored();
    }
}

/// The exponent as C shows it: sign, and at least two digits.
fn suffix_of(memory: &mut [u8; 5], exponent: i32, upper: bool) -> &[u8] {
    let sign = if exponent < 0 { '-' } else { '+' };
    let mut buffer = Buffer::over(memory);
    buffer.put(if upper { b"E" } else { b"e" });
    // Three digits at most, which fit.
    let _ = write!(buffer, "{sign}{:02}", exponent.unsigned_abs());
    let end = buffer.stored();
    &memory[..end]
}
