//! Absolute values and division.
//!
//! Where C leaves the result undefined because it does not fit or the divisor is zero, these wrap,
//! or give the quotient 0: a wrong number, but neither a trap nor a panic.

use core::ffi::{c_int, c_long, c_longlong};

macro_rules! arithmetic {
    ($($abs:ident, $div:ident -> $result:ident: $ty:ty;)*) => {$(
        /// The absolute value (C11 7.22.6.1). That of the least number is itself.
        #[cfg_attr(target_os = "none", unsafe(no_mangle))]
        pub extern "C" fn $abs(value: $ty) -> $ty {
            value.wrapping_abs()
        }

        /// Quotient and remainder of one division (C11 7.22.6.2).
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $result {
            /// The quotient, rounded towards zero.
            pub quot: $ty,
            /// The remainder, with the sign of the dividend.
            pub rem: $ty,
        }

        /// Divides (C11 7.22.6.2). By zero the quotient is 0 and the remainder the dividend.
        #[cfg_attr(target_os = "none", unsafe(no_mangle))]
        pub extern "C" fn $div(dividend: $ty, divisor: $ty) -> $result {
            match divisor {
                0 => $result { quot: 0, rem: dividend },
                _ => $result {
                    quot: dividend.wrapping_div(divisor),
                    rem: dividend.wrapping_rem(divisor),
                },
            }
        }
    )*};
}

arithmetic! {
    abs, div -> Div: c_int;
    labs, ldiv -> LDiv: c_long;
    llabs, lldiv -> LLDiv: c_longlong;
}
