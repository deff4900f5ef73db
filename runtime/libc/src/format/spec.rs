//! One conversion specification: `%` flags width `.`precision length conversion.

use super::Error;

/// A width or a precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Not given.
    Missing,
    /// The next argument says it.
    Argument,
    /// Given; at most `INT_MAX`.
    Given(usize),
}

impl Count {
    /// The number, or `default` if it is not known.
    pub fn or(self, default: usize) -> usize {
        match self {
            Self::Given(count) => count,
            Self::Missing | Self::Argument => default,
        }
    }
}

/// The size of an integer argument. `long`, `long long`, `intmax_t`, `size_t` and `ptrdiff_t` are
/// the same 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// `hh`
    Char,
    /// `h`
    Short,
    /// none
    Int,
    /// `l`, `ll`, `j`, `z`, `t`
    Long,
}

/// How a `double` is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `%f`
    Fixed,
    /// `%e`
    Exponent,
    /// `%g`
    General,
}

/// The conversions that are supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// `%d`, `%i`
    Signed,
    /// `%u`, `%o`, `%x`, `%X`
    Unsigned {
        /// 8, 10 or 16
        base: u64,
    },
    /// `%p`
    Pointer,
    /// `%f`, `%e`, `%g` and their capitals
    Float(Style),
    /// `%c`
    Character,
    /// `%s`
    String,
    /// `%%`
    Percent,
}

/// A parsed specification.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// `-`: flush left.
    pub left: bool,
    /// `+`: a sign always.
    pub plus: bool,
    /// space: a space where the sign would be.
    pub space: bool,
    /// `#`: the alternative form.
    pub alternative: bool,
    /// `0`: zeros fill the width.
    pub zero: bool,
    /// Least number of characters.
    pub width: Count,
    /// Digits, or most characters of a string.
    pub precision: Count,
    /// Size of an integer argument.
    pub length: Length,
    /// What is converted.
    pub conversion: Conversion,
    /// Capital letters in the result.
    pub upper: bool,
}

impl Spec {
    /// Parses what follows the `%`. Returns also the rest of the format behind it.
    pub fn parse(text: &[u8]) -> Result<(Self, &[u8]), Error> {
        let mut spec = Self {
            left: false,
            plus: false,
            space: false,
            alternative: false,
            zero: false,
            width: Count::Missing,
            precision: Count::Missing,
            length: Length::Int,
            conversion: Conversion::Percent,
            upper: false,
        };
        let text = spec.flags(text);
        let (width, mut text) = count(text)?;
        spec.width = width;
        if let [b'.', rest @ ..] = text {
            let (precision, rest) = count(rest)?;
            // A point alone is a precision of zero.
            spec.precision = if precision == Count::Missing { Count::Given(0) } else { precision };
            text = rest;
        }
        let (length, text) = length(text);
        spec.length = length.unwrap_or(Length::Int);
        let (&letter, rest) = text.split_first().ok_or(Error::Invalid)?;
        spec.upper = letter.is_ascii_uppercase();
        spec.conversion = conversion(letter, length)?;
        Ok((spec, rest))
    }

    fn flags<'a>(&mut self, mut text: &'a [u8]) -> &'a [u8] {
        while let [flag, rest @ ..] = text {
            match flag {
                b'-' => self.left = true,
                b'+' => self.plus = true,
                b' ' => self.space = true,
                b'#' => self.alternative = true,
                b'0' => self.zero = true,
                _ => break,
            }
            text = rest;
        }
        text
    }
}

/// A number or `*`, if there is one.
fn count(text: &[u8]) -> Result<(Count, &[u8]), Error> {
    if let [b'*', rest @ ..] = text {
        return Ok((Count::Argument, rest));
    }
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return Ok((Count::Missing, text));
    }
    let (digits, rest) = text.split_at(digits);
    let number = digits.iter().try_fold(0_i32, |number, digit| {
        number.checked_mul(10)?.checked_add(i32::from(digit - b'0'))
    });
    Ok((Count::Given(number.ok_or(Error::Overflow)? as usize), rest))
}

/// The length modifier, if there is one. `L` is none: it belongs to `long double` only.
fn length(text: &[u8]) -> (Option<Length>, &[u8]) {
    match text {
        [b'h', b'h', rest @ ..] => (Some(Length::Char), rest),
        [b'h', rest @ ..] => (Some(Length::Short), rest),
        [b'l', b'l', rest @ ..] | [b'l' | b'j' | b'z' | b't', rest @ ..] => {
            (Some(Length::Long), rest)
        }
        _ => (None, text),
    }
}

fn conversion(letter: u8, length: Option<Length>) -> Result<Conversion, Error> {
    Ok(match (letter, length) {
        (b'd' | b'i', _) => Conversion::Signed,
        (b'u', _) => Conversion::Unsigned { base: 10 },
        (b'o', _) => Conversion::Unsigned { base: 8 },
        (b'x' | b'X', _) => Conversion::Unsigned { base: 16 },
        // `l` has no effect on these (C11 7.21.6.1, paragraph 7).
        (b'f' | b'F', None | Some(Length::Long)) => Conversion::Float(Style::Fixed),
        (b'e' | b'E', None | Some(Length::Long)) => Conversion::Float(Style::Exponent),
        (b'g' | b'G', None | Some(Length::Long)) => Conversion::Float(Style::General),
        (b'p', None) => Conversion::Pointer,
        (b'c', None) => Conversion::Character,
        (b's', None) => Conversion::String,
        (b'%', None) => Conversion::Percent,
        _ => return Err(Error::Invalid),
    })
}
