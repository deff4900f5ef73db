//! The engine behind `printf`: C11 7.21.6.1 for the "C" locale.
//!
//! | file | what it does |
//! |---|---|
//! | `spec` | reads one conversion specification from the format string |
//! | `number` | lays out a number: width, sign, zeros, digits |
//! | `float` | the digits of `double`, by Rust's exact conversion |
//! | `sink` | where the text goes: memory or log |
//!
//! The format string is the program's own, but widths, precisions and strings are often data. So:
//! no conversion needs memory in proportion to its width, the count of characters is checked, and
//! `%n`, which writes to memory, is refused. Also refused, because nothing here has a use for
//! them: `%a`, `long double`, wide characters and numbered arguments. What is refused ends the
//! output there, and the result is -1 with `EINVAL`: the arguments behind it are of unknown type.

mod float;
mod number;
mod sink;
mod spec;

pub use sink::{Buffer, LogSink, Sink, Text};

use core::ffi::{CStr, c_char, c_int};

use crate::arch::VaList;
use crate::errno;
use number::Number;
use sink::Counted;
use spec::{Conversion, Count, Length, Spec};

/// Why a call could not be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The format has a conversion that is unknown or refused.
    Invalid,
    /// The output, a width or a precision exceeds the range of `int`.
    Overflow,
}

impl Error {
    /// The value for `errno`.
    pub fn errno(self) -> c_int {
        match self {
            Self::Invalid => errno::EINVAL,
            Self::Overflow => errno::EOVERFLOW,
        }
    }
}

/// Writes `format` with its arguments to `sink`. Returns the number of characters.
///
/// # Errors
///
/// See [`Error`]; what stands before the offending conversion has been written.
///
/// # Safety
///
/// `format` is a string, `args` has an argument of the right type for each conversion, and the
/// argument of `%s` is null, or a string, or an array of at least as many characters as the
/// precision says.
pub unsafe fn format(
    sink: &mut dyn Sink,
    format: *const c_char,
    args: &mut VaList,
) -> Result<c_int, Error> {
    let mut out = Counted::new(sink);
    // SAFETY: a string by the caller's promise.
    let mut rest = unsafe { CStr::from_ptr(format) }.to_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        out.put(&rest[..at])?;
        let (spec, tail) = Spec::parse(&rest[at + 1..])?;
        rest = tail;
        // SAFETY: the caller promises arguments that fit the format.
        unsafe { convert(&mut out, spec, args)? };
    }
    out.put(rest)?;
    Ok(out.count())
}

/// Writes one conversion.
///
/// # Safety
///
/// As for [`format`].
unsafe fn convert(out: &mut Counted<'_>, mut spec: Spec, args: &mut VaList) -> Result<(), Error> {
    // SAFETY: `*` stands for an argument of type int, which the caller has passed.
    unsafe { resolve(&mut spec, args)? };
    match spec.conversion {
        Conversion::Percent => out.put(b"%"),
        Conversion::Signed => {
            // SAFETY: the conversion says that the argument is an integer.
            let value = spec.length.signed(unsafe { args.word() });
            Number::integer(value.unsigned_abs(), value < 0, &spec).write(out, &spec)
        }
        Conversion::Unsigned { .. } => {
            // SAFETY: the conversion says that the argument is an integer.
            let value = spec.length.unsigned(unsafe { args.word() });
            Number::integer(value, false, &spec).write(out, &spec)
        }
        Conversion::Pointer => {
            // SAFETY: the conversion says that the argument is a pointer.
            let value = unsafe { args.word() };
            Number::integer(value, false, &spec).write(out, &spec)
        }
        Conversion::Float(style) => {
            // SAFETY: the conversion says that the argument is a double.
            float::write(out, unsafe { args.double() }, style, &spec)
        }
        Conversion::Character => {
            // SAFETY: the conversion says that the argument is an int.
            out.field(&[unsafe { args.word() } as u8], &spec)
        }
        Conversion::String => {
            // SAFETY: the conversion says that the argument is a pointer to characters.
            let text = unsafe { string(args.word() as *const c_char, spec.precision) };
            out.field(text, &spec)
        }
    }
}

/// Replaces `*` for width and precision by the arguments.
///
/// # Safety
///
/// `args` has an `int` for each.
unsafe fn resolve(spec: &mut Spec, args: &mut VaList) -> Result<(), Error> {
    if spec.width == Count::Argument {
        // SAFETY: the caller promises an int.
        let width = unsafe { args.word() } as i32;
        spec.left |= width < 0;
        spec.width = Count::Given(
            i32::try_from(width.unsigned_abs()).map_err(|_| Error::Overflow)? as usize,
        );
    }
    if spec.precision == Count::Argument {
        // SAFETY: the caller promises an int.
        let precision = unsafe { args.word() } as i32;
        spec.precision = usize::try_from(precision).map_or(Count::Missing, Count::Given);
    }
    Ok(())
}

/// The text that `%s` prints: at most `precision` characters of `pointer`.
///
/// # Safety
///
/// `pointer` is null, or a string, or has at least `precision` characters.
unsafe fn string<'a>(pointer: *const c_char, precision: Count) -> &'a [u8] {
    if pointer.is_null() {
        return match precision {
            Count::Given(limit) if limit < 6 => b"",
            _ => b"(null)",
        };
    }
    match precision {
        Count::Given(limit) => {
            // SAFETY: by the caller's promise the string ends, or has `limit` characters.
            let length = unsafe { crate::string::strnlen(pointer, limit) };
            // SAFETY: `strnlen` has just read that many characters.
            unsafe { core::slice::from_raw_parts(pointer.cast(), length) }
        }
        // SAFETY: without a precision it is a string.
        _ => unsafe { CStr::from_ptr(pointer) }.to_bytes(),
    }
}

impl Length {
    /// The argument as the signed type that this length modifier stands for.
    fn signed(self, word: u64) -> i64 {
        match self {
            Self::Char => i64::from(word as i8),
            Self::Short => i64::from(word as i16),
            Self::Int => i64::from(word as i32),
            Self::Long => word as i64,
        }
    }

    /// The argument as the unsigned type that this length modifier stands for.
    fn unsigned(self, word: u64) -> u64 {
        match self {
            Self::Char => u64::from(word as u8),
            Self::Short => u64::from(word as u16),
            Self::Int => u64::from(word as u32),
            Self::Long => word,
        }
    }
}
