//! `math.h`: the `libm` crate under its C names.
//!
//! `errno` and the floating-point exceptions are not used (`math_errhandling` is 0): what has no
//! result is NaN or infinity.

use core::ffi::{c_int, c_long, c_longlong};

macro_rules! forward {
    ($($name:ident($($arg:ident: $ty:ty),+) -> $result:ty;)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of `math.h` (C11 7.12).")]
        #[cfg_attr(target_os = "none", unsafe(no_mangle))]
        pub extern "C" fn $name($($arg: $ty),+) -> $result {
            libm::$name($($arg),+)
        }
    )*};
}

/// Pairs of functions for `double` and, with the suffix `f`, for `float`.
macro_rules! unary {
    ($($double:ident $single:ident,)*) => {
        forward! { $($double(x: f64) -> f64; $single(x: f32) -> f32;)* }
    };
}

macro_rules! binary {
    ($($double:ident $single:ident,)*) => {
        forward! { $($double(x: f64, y: f64) -> f64; $single(x: f32, y: f32) -> f32;)* }
    };
}

unary! {
    fabs fabsf, floor floorf, ceil ceilf, trunc truncf, round roundf, rint rintf,
    sqrt sqrtf, cbrt cbrtf,
    exp expf, exp2 exp2f, expm1 expm1f, log logf, log2 log2f, log10 log10f, log1p log1pf,
    sin sinf, cos cosf, tan tanf, asin asinf, acos acosf, atan atanf,
    sinh sinhf, cosh coshf, tanh tanhf,
}

binary! {
    fmod fmodf, remainder remainderf, fmin fminf, fmax fmaxf, fdim fdimf, copysign copysignf,
    pow powf, hypot hypotf, atan2 atan2f,
}

forward! {
    fma(x: f64, y: f64, z: f64) -> f64;
    fmaf(x: f32, y: f32, z: f32) -> f32;
    ldexp(x: f64, exponent: c_int) -> f64;
    ldexpf(x: f32, exponent: c_int) -> f32;
    scalbn(x: f64, exponent: c_int) -> f64;
    scalbnf(x: f32, exponent: c_int) -> f32;
}

/// Fraction and exponent (C11 7.12.6.4).
///
/// # Safety
///
/// `exponent` can be written.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn frexp(x: f64, exponent: *mut c_int) -> f64 {
    let (fraction, power) = libm::frexp(x);
    // SAFETY: the caller's promise.
    unsafe { exponent.write(power) };
    fraction
}

/// Fraction and integer part, both with the sign of `x` (C11 7.12.6.12).
///
/// # Safety
///
/// `integer` can be written.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn modf(x: f64, integer: *mut f64) -> f64 {
    let (fraction, whole) = libm::modf(x);
    // SAFETY: the caller's promise.
    unsafe { integer.write(whole) };
    fraction
}

macro_rules! rounded {
    ($($name:ident = $round:ident($from:ty) -> $to:ty, $section:literal;)*) => {$(
        #[doc = concat!("`x` rounded to an integer (C11 ", $section, "). Out of range it is the")]
        /// limit of the type, and 0 for NaN; C leaves these undefined.
        #[cfg_attr(target_os = "none", unsafe(no_mangle))]
        pub extern "C" fn $name(x: $from) -> $to {
            libm::$round(x) as $to
        }
    )*};
}

rounded! {
    lround = round(f64) -> c_long, "7.12.9.7";
    lroundf = roundf(f32) -> c_long, "7.12.9.7";
    llround = round(f64) -> c_longlong, "7.12.9.7";
    llroundf = roundf(f32) -> c_longlong, "7.12.9.7";
    lrint = rint(f64) -> c_long, "7.12.9.5";
    lrintf = rintf(f32) -> c_long, "7.12.9.5";
    llrint = rint(f64) -> c_longlong, "7.12.9.5";
    llrintf = rintf(f32) -> c_longlong, "7.12.9.5";
}

/// `x` rounded to an integer as [`rint`] (C11 7.12.9.3).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn nearbyint(x: f64) -> f64 {
    libm::rint(x)
}

/// `x` rounded to an integer as [`rintf`] (C11 7.12.9.3).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn nearbyintf(x: f32) -> f32 {
    libm::rintf(x)
}
