//! The C library for C code that is linked into an L4Re driver server.
//!
//! A driver that was written in C, or has a part in C, expects a handful of the standard functions:
//! strings, `malloc`, `printf`, `strtol`, `qsort`, some mathematics. This crate has them, and no
//! operating system behind them: no files, no locale, no environment, no signals.
//!
//! | module | header | what it holds |
//! |---|---|---|
//! | [`string`] | `string.h`, `strings.h` | strings and memory blocks |
//! | [`stdlib`] | `stdlib.h` | allocation, number parsing, sorting, ending the program |
//! | [`stdio`] | `stdio.h` | formatted output to the log and to memory |
//! | [`ctype`] | `ctype.h` | character classes of the "C" locale |
//! | [`math`] | `math.h` | the `libm` crate under its C names |
//! | [`errno`] | `errno.h` | error numbers and their texts |
//! | [`assert`](mod@assert) | `assert.h` | what a failed `assert` calls |
//!
//! `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp` and `strlen` are declared by the headers and
//! defined by `compiler_builtins`, which every Rust program contains; a second definition here
//! could only compete with it.
//!
//! # How it reaches the driver
//!
//! In one of two forms, with the same symbols:
//!
//! - **archive** – `libc.a`, for a C link line. It is one object without a Rust symbol: link time
//!   optimisation has made everything but the C functions local. So it carries no panic handler,
//!   allocator or copy of `core` that the driver could see, and it links whatever the driver's own
//!   optimisation settings are. The README has the command.
//! - **Rust library** – `use l4re_libc as _;` in the driver. It is optimised together with the
//!   driver.
//!
//! In both forms the surroundings come through six functions, see [`hooks`], that the linker
//! resolves. Nothing is registered at run time, so the order of start-up does not matter, and a
//! program without them fails to link instead of failing to run.
//!
//! # On the host
//!
//! The functions compile on the host with Rust's mangled names, never in the way of the host's own
//! C library, which the tests use as the oracle.
#![cfg_attr(target_os = "none", no_std)]

mod arch;
pub mod assert;
pub mod ctype;
pub mod errno;
pub mod format;
pub mod hooks;
pub mod math;
#[cfg(all(feature = "archive", target_os = "none"))]
mod panic;
pub mod stdio;
pub mod stdlib;
pub mod string;

pub use arch::VaList;
