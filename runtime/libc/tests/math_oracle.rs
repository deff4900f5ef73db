//! `math.h` against the host's: that each name stands for its function. How exact the functions are
//! is a matter of the `libm` crate.

use l4re_libc::math;
use proptest::prelude::*;
use std::ffi::{c_int, c_long, c_longlong};

macro_rules! hosts {
    ($($name:ident($($arg:ident: $ty:ty),+) -> $result:ty;)*) => {
        mod host {
            use std::ffi::{c_int, c_long, c_longlong};

            #[link(name = "m")]
            unsafe extern "C" {
                $(pub safe fn $name($($arg: $ty),+) -> $result;)*
            }
        }

        /// Compares all functions with the arguments by name.
        fn compare(x: f64, y: f64, z: f64, n: i32) -> Result<(), TestCaseError> {
            $({
                let ours = math::$name($(Argument::<$ty>::of(x, y, z, n, stringify!($arg))),+);
                let theirs = host::$name($(Argument::<$ty>::of(x, y, z, n, stringify!($arg))),+);
                prop_assert!(
                    near(ours as f64, theirs as f64),
                    "{}: {} and {} for {} {} {} {}", stringify!($name), ours, theirs, x, y, z, n
                );
            })*
            Ok(())
        }
    };
}

/// The argument of a type by its name.
struct Argument<T>(std::marker::PhantomData<T>);

impl Argument<f64> {
    fn of(x: f64, y: f64, z: f64, _: i32, name: &str) -> f64 {
        match name {
            "x" => x,
            "y" => y,
            _ => z,
        }
    }
}

impl Argument<f32> {
    fn of(x: f64, y: f64, z: f64, n: i32, name: &str) -> f32 {
        Argument::<f64>::of(x, y, z, n, name) as f32
    }
}

impl Argument<c_int> {
    fn of(_: f64, _: f64, _: f64, n: i32, _: &str) -> c_int {
        n
    }
}

/// Equal but for rounding, of `float` at most.
fn near(ours: f64, theirs: f64) -> bool {
    ours == theirs
        || ours.is_nan() && theirs.is_nan()
        || (ours - theirs).abs() <= 1e-5 * theirs.abs().max(1e-30)
        || ours.abs().min(theirs.abs()) > f64::from(f32::MAX) * 0.999
}

hosts! {
    fabs(x: f64) -> f64; fabsf(x: f32) -> f32; floor(x: f64) -> f64; floorf(x: f32) -> f32;
    ceil(x: f64) -> f64; ceilf(x: f32) -> f32; trunc(x: f64) -> f64; truncf(x: f32) -> f32;
    round(x: f64) -> f64; roundf(x: f32) -> f32; rint(x: f64) -> f64; rintf(x: f32) -> f32;
    nearbyint(x: f64) -> f64; nearbyintf(x: f32) -> f32;
    sqrt(x: f64) -> f64; sqrtf(x: f32) -> f32; cbrt(x: f64) -> f64; cbrtf(x: f32) -> f32;
    exp(x: f64) -> f64; expf(x: f32) -> f32; exp2(x: f64) -> f64; exp2f(x: f32) -> f32;
    expm1(x: f64) -> f64; expm1f(x: f32) -> f32; log(x: f64) -> f64; logf(x: f32) -> f32;
    log2(x: f64) -> f64; log2f(x: f32) -> f32; log10(x: f64) -> f64; log10f(x: f32) -> f32;
    log1p(x: f64) -> f64; log1pf(x: f32) -> f32;
    sin(x: f64) -> f64; sinf(x: f32) -> f32; cos(x: f64) -> f64; cosf(x: f32) -> f32;
    tan(x: f64) -> f64; tanf(x: f32) -> f32; asin(x: f64) -> f64; asinf(x: f32) -> f32;
    acos(x: f64) -> f64; acosf(x: f32) -> f32; atan(x: f64) -> f64; atanf(x: f32) -> f32;
    sinh(x: f64) -> f64; sinhf(x: f32) -> f32; cosh(x: f64) -> f64; coshf(x: f32) -> f32;
    tanh(x: f64) -> f64; tanhf(x: f32) -> f32;
    fmod(x: f64, y: f64) -> f64; fmodf(x: f32, y: f32) -> f32;
    remainder(x: f64, y: f64) -> f64; remainderf(x: f32, y: f32) -> f32;
    fmin(x: f64, y: f64) -> f64; fminf(x: f32, y: f32) -> f32;
    fmax(x: f64, y: f64) -> f64; fmaxf(x: f32, y: f32) -> f32;
    fdim(x: f64, y: f64) -> f64; fdimf(x: f32, y: f32) -> f32;
    copysign(x: f64, y: f64) -> f64; copysignf(x: f32, y: f32) -> f32;
    pow(x: f64, y: f64) -> f64; powf(x: f32, y: f32) -> f32;
    hypot(x: f64, y: f64) -> f64; hypotf(x: f32, y: f32) -> f32;
    atan2(x: f64, y: f64) -> f64; atan2f(x: f32, y: f32) -> f32;
    fma(x: f64, y: f64, z: f64) -> f64; fmaf(x: f32, y: f32, z: f32) -> f32;
    ldexp(x: f64, n: c_int) -> f64; ldexpf(x: f32, n: c_int) -> f32;
    scalbn(x: f64, n: c_int) -> f64; scalbnf(x: f32, n: c_int) -> f32;
    lround(x: f64) -> c_long; lroundf(x: f32) -> c_long;
    llround(x: f64) -> c_longlong; llroundf(x: f32) -> c_longlong;
    lrint(x: f64) -> c_long; lrintf(x: f32) -> c_long;
    llrint(x: f64) -> c_longlong; llrintf(x: f32) -> c_longlong;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn functions_are_those_of_the_host(
        x in prop_oneof![-4.0..4.0_f64, (-20..20_i32).prop_map(|halves| f64::from(halves) / 2.0)],
        y in -3.0..3.0_f64, z in -5.0..5.0_f64, n in -20..20_i32,
    ) {
        // Values that `float` holds exactly, so that both widths get the same.
        let exact = |value: f64| f64::from((value * 1024.0).round() as f32 / 1024.0);
        compare(exact(x), exact(y), exact(z), n)?;
    }

    #[test]
    fn parts_of_a_number_make_the_number(x in any::<f64>().prop_filter("finite", |x| x.is_finite())) {
        let (mut exponent, mut integer) = (0, 0.0);
        // SAFETY: the places can be written.
        let fraction = unsafe { math::frexp(x, &raw mut exponent) };
        prop_assert!(x == 0.0 || (0.5..1.0).contains(&fraction.abs()));
        prop_assert_eq!(math::ldexp(fraction, exponent), x);
        // SAFETY: the place can be written.
        let rest = unsafe { math::modf(x, &raw mut integer) };
        prop_assert_eq!(integer, x.trunc());
        prop_assert_eq!(integer + rest, x);
    }
}

#[test]
fn rounding_to_an_integer_out_of_range_is_the_limit() {
    assert_eq!(math::lround(1e300), c_long::MAX);
    assert_eq!(math::llrint(f64::NEG_INFINITY), c_longlong::MIN);
    assert_eq!(math::lrint(f64::NAN), 0);
    assert_eq!((math::lround(2.5), math::lrint(2.5)), (3, 2));
}
