//! From `driver.toml` to a package that boots.
//!
//! | step | from | to |
//! |---|---|---|
//! | [`manifest`] | the text of `driver.toml` | [`manifest::Manifest`], or every mistake with its place |
//! | [`target`] | the name of a target | [`target::Target`]: triple, linker script, machine |
//! | [`build`](mod@build) | a driver's folder | a checked program and its package |
//! | [`elf`] | the bytes of a program | [`elf::Program`], or what the loader would trip over |
//! | [`drvinfo`] | the section that describes the driver | [`drvinfo::DriverInfo`] |
//! | [`package`] | manifest, programs, descriptions | [`package::Tree`], written in one step |
//! | [`check`](mod@check) | a path | the findings about what is there |
//! | [`run`](mod@run) | a package | the verdict of a boot in QEMU |
//!
//! Each step is a function from typed input to typed output. What can go wrong is a
//! [`Failure`](l4re_packager_base::Failure): a list of findings, each with what, where and what to do.

pub mod build;
pub mod check;
pub mod drvinfo;
pub mod elf;
pub mod manifest;
pub mod package;
pub mod run;
pub mod target;
