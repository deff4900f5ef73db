//! `snprintf` against the host's, with random formats and values, through the trampoline.

#[cfg(test)]
mod common;

use common::{snprintf, text};
use proptest::prelude::*;
use std::ffi::{CString, c_char, c_int};

/// Calls both functions with the same arguments and compares text and result.
macro_rules! same {
    ($format:expr $(, $arg:expr)*) => {{
        let format = CString::new($format).expect("formats have no NUL");
        let (mut ours, mut theirs) = ([0x55_u8; 700], [0x55_u8; 700]);
        // SAFETY: the buffers have that size, and each caller's format fits its arguments.
        let (our_count, their_count) = unsafe {
            (
                snprintf()(ours.as_mut_ptr().cast(), ours.len(), format.as_ptr() $(, $arg)*),
                libc::snprintf(theirs.as_mut_ptr().cast(), theirs.len(), format.as_ptr() $(, $arg)*),
            )
        };
        prop_assert_eq!(
            String::from_utf8_lossy(text(&ours)),
            String::from_utf8_lossy(text(&theirs)),
            "format {:?}", format
        );
        prop_assert_eq!(our_count, their_count, "format {:?}", format);
        prop_assert_eq!(&ours[..], &theirs[..], "the rest of the buffer is untouched");
    }};
}

/// Flags, width and precision of a conversion.
fn layout() -> impl Strategy<Value = String> {
    let number = |limit: u32| proptest::option::of(0..limit);
    ("[-+ #0]{0,3}", number(60), number(40)).prop_map(|(flags, width, precision)| {
        let width = width.map_or(String::new(), |width| width.to_string());
        let precision = precision.map_or(String::new(), |precision| format!(".{precision}"));
        format!("{flags}{width}{precision}")
    })
}

/// Doubles of all magnitudes, and those at which digits and exponents change.
fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("the sign of NaN is not shown alike", |value| !value.is_nan()),
        -1e6..1e6_f64,
        (-40_i32..40, 1_i32..10_000)
            .prop_map(|(power, digits)| f64::from(digits) * 10_f64.powi(power)),
        (-100_i32..100).prop_map(|eighths| f64::from(eighths) / 8.0),
        Just(0.0),
        Just(-0.0),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE),
        Just(5e-324),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(999_999.5),
        Just(0.000_099_999_95),
    ]
}

/// Whether the exponent of `value` grows by rounding to the significant digits of `layout`.
#[expect(clippy::expect_used, reason = "the layouts are made here")]
fn rounding_adds_a_digit(value: f64, layout: &str) -> bool {
    let precision = match layout.split_once('.') {
        Some((_, precision)) => precision.parse().expect("layouts have a number there"),
        None => 6_usize,
    };
    let exponent = |text: String| text.split_once('e').map(|(_, exponent)| exponent.to_owned());
    let digits = precision.max(1) - 1;
    exponent(format!("{value:e}")) != exponent(format!("{value:.digits$e}"))
}

/// Integers of all sizes.
fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -300..300_i64,
        any::<i32>().prop_map(i64::from),
        Just(0),
        Just(i64::MIN)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    #[test]
    fn integers_look_as_on_the_host(
        layout in layout(),
        length in prop::sample::select(vec!["hh", "h", "", "l", "ll", "j", "z", "t"]),
        conversion in prop::sample::select(vec!["d", "i", "u", "o", "x", "X"]),
        value in integer(),
    ) {
        same!(format!("[%{layout}{length}{conversion}]"), value);
    }

    #[test]
    fn doubles_look_as_on_the_host(
        layout in layout(),
        conversion in prop::sample::select(vec!["f", "F", "e", "E", "g", "G", "lf"]),
        value in double(),
    ) {
        // Where rounding adds a digit (999999.5), glibc loses zeros that `%#g` keeps by C11
        // 7.21.6.1; that case has a test of its own.
        let keeps_zeros = layout.contains('#') && conversion.eq_ignore_ascii_case("g");
        prop_assume!(!(keeps_zeros && rounding_adds_a_digit(value, &layout)));
        same!(format!("[%{layout}{conversion}]"), value);
    }

    #[test]
    fn strings_and_characters_look_as_on_the_host(
        left in any::<bool>(),
        width in 0..40_u32,
        precision in proptest::option::of(0..20_u32),
        string in proptest::collection::vec(1..=255_u8, 0..30),
        character in 1..=255_i32,
    ) {
        let string = common::c(&string);
        let flag = if left { "-" } else { "" };
        let precision = precision.map_or(String::new(), |precision| format!(".{precision}"));
        same!(format!("%{flag}{width}{precision}s|%{flag}{width}c"), string.as_ptr(), character);
    }

    #[test]
    fn width_and_precision_may_be_arguments(
        width in -50..50_i32, precision in -5..20_i32, value in any::<i32>(), number in double(),
    ) {
        same!("%*.*d|%0*x|%-*.*g", width, precision, value, width, value, width, precision, number);
    }

    #[test]
    fn pointers_look_as_on_the_host(value in 1..usize::MAX, width in 0..30) {
        same!(format!("%{width}p|%-{width}p"), value as *const u8, value as *const u8);
    }

    #[test]
    fn arguments_beyond_the_registers_are_found(
        a in any::<[i64; 9]>(), b in proptest::array::uniform10(-1e9..1e9_f64), last in any::<i32>(),
    ) {
        same!(
            "%ld %f %ld %f %ld %f %ld %f %ld %f %ld %f %ld %f %ld %f %ld %f %f %d %%",
            a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3], a[4], b[4], a[5], b[5], a[6], b[6],
            a[7], b[7], a[8], b[8], b[9], last
        );
    }

    #[test]
    fn a_buffer_that_is_too_small_is_never_overrun(size in 0..64_usize, value in any::<i64>()) {
        let format = c"value %20ld, %s, %5.2f";
        let (mut ours, mut theirs) = ([0x55_u8; 80], [0x55_u8; 80]);
        let word = c"word";
        // SAFETY: the buffers are larger than `size`, and the format fits.
        let (our_count, their_count) = unsafe {
            (
                snprintf()(ours.as_mut_ptr().cast(), size, format.as_ptr(), value, word.as_ptr(), 1.5_f64),
                libc::snprintf(theirs.as_mut_ptr().cast::<c_char>(), size, format.as_ptr(), value, word.as_ptr(), 1.5_f64),
            )
        };
        prop_assert_eq!(our_count, their_count);
        prop_assert_eq!(&ours[..], &theirs[..]);
    }
}

#[test]
fn the_alternative_general_form_keeps_zeros_when_rounding_adds_a_digit() {
    for (value, expected) in
        [(999_999.5, "1.00000e+06"), (99_999.96, "100000."), (9.999_999_9, "10.0000")]
    {
        let mut buffer = [0_u8; 32];
        // SAFETY: the buffer has that size, and the argument is a double.
        unsafe { snprintf()(buffer.as_mut_ptr().cast(), 32, c"%#g".as_ptr(), value) };
        assert_eq!(text(&buffer), expected.as_bytes());
    }
}

#[test]
fn any_format_text_is_survived() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(20_000)
    });
    runner
        .run(&"[%#0 +.*hljztdiuoxXfeEgGcp1-9n$a]{0,12}", |format| {
            // `*` would need an argument of its own for each; they are all words of 42.
            let format = CString::new(format).expect("the alphabet has no NUL");
            let mut buffer = [0_u8; 64];
            let count: c_int =
                // SAFETY: 24 words and 8 doubles serve any twelve characters of this alphabet,
                // which has no conversion that reads memory.
                unsafe {
                    snprintf()(
                        buffer.as_mut_ptr().cast(), buffer.len(), format.as_ptr(),
                        42_i64, 42_i64, 42_i64, 42_i64, 42_i64, 42_i64, 42_i64, 42_i64,
                        42_i64, 42_i64, 42_i64, 42_i64, 42_i64, 42_i64, 42_i64, 42_i64,
                        1.5_f64, 1.5_f64, 1.5_f64, 1.5_f64, 1.5_f64, 1.5_f64, 1.5_f64, 1.5_f64
                    )
                };
            prop_assert!(count >= -1);
            prop_assert!(buffer.contains(&0));
            Ok(())
        })
        .expect("no format panics");
}
