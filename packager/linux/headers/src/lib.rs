//! The headers that Linux' make generates before it compiles anything, without make.
//!
//! [`Generated`] knows which headers a tree's `make prepare` would make for a configuration, and
//! makes each when it is asked for, byte for byte as make does. Nothing is written into the tree
//! or beside it: the result is meant to lie over the tree in an [`l4re_cpp::Layers`], see
//! [`Generated::at`].
//!
//! | header | made by |
//! |---|---|
//! | `include/generated/autoconf.h` | the configuration, given |
//! | one-line wrappers of `asm-generic` headers | the lists in `include/**/Kbuild` |
//! | `timeconst.h`, `version.h`, `utsrelease.h` | computed from `HZ` and the tree's version |
//! | `unistd_*.h`, `syscalls_*.h` and their kin | computed from the tables of system calls |
//! | `cpucaps.h`, `cpucap-defs.h`, `sysreg-defs.h`, `kernel-hwcap.h`, `mach-types.h` | the tree's own scripts |
//! | `bounds.h`, `asm-offsets.h`, `rq-offsets.h` | the compiler, which is asked for sizes |
//!
//! To run the tree's scripts is to run what somebody wrote into the tree, as make does. It
//! happens only when a header made by one is asked for, and its result is kept.

mod cache;
mod compiled;
mod config;
mod flags;
mod generated;
mod mounted;
mod recipes;
mod release;
mod script;
mod syscalls;
mod timeconst;
mod wrappers;

pub use generated::{Generated, Inputs};
pub use mounted::Mounted;
