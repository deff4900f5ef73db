//! Variable arguments, one file an architecture.
//!
//! Stable Rust can call a C function with `...` but not define one. What such a function needs is
//! small and fixed by the procedure call standard: save the argument registers to memory, describe
//! that memory in a `va_list`, hand it to a function with a fixed number of arguments. Each file
//! here has the trampolines that do so, and [`VaList`] with the standard's layout, so that C code
//! may also pass a `va_list` of its own to the `v…` functions.
//!
//! The `va_list` of both architectures reaches the callee as a pointer: on AArch64 because it is a
//! structure of more than 16 bytes (AAPCS64, 6.8.2, rule B.4), on x86-64 because it is an array.

#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod imp;

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
compile_error!("l4re-libc knows the variable arguments of aarch64 and x86_64 only");

pub use imp::VaList;
#[cfg(target_arch = "x86_64")]
pub(crate) use imp::register;
pub(crate) use imp::variadic;

// Every argument then takes one 8-byte slot, and `long`, `size_t` and pointers are 64 bits wide.
const _: () = assert!(size_of::<usize>() == 8);
const _: () = assert!(size_of::<core::ffi::c_long>() == 8);
