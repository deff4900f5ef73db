//! Builds, checks, packages and boots L4Re driver servers: the library behind the command
//! `packager`.
//!
//! | step | from | to |
//! |---|---|---|
//! | [`manifest`] | the text of `driver.toml` | [`manifest::Manifest`], or every mistake with its place |
//! | [`build`] | a driver's folder | a checked program and its package |
//! | [`elf`] | the bytes of a program | [`elf::Program`], or what the loader would trip over |
//! | [`drvinfo`] | the section that describes the driver | [`drvinfo::DriverInfo`] |
//! | [`package`] | manifest, programs, descriptions | [`package::Tree`], written in one step |
//! | [`check`] | a path | the findings about what is there |
//! | [`run`](mod@run) | a package | the verdict of a boot in QEMU |
//!
//! Each step is a function from typed input to typed output. What can go wrong is a
//! [`diag::Failure`]: a list of findings, each with what, where and the way out.

pub mod build;
pub mod buildroot;
pub mod check;
pub mod cli;
pub mod document;
pub mod drvinfo;
pub mod elf;
pub mod emit;
pub mod inject;
pub mod install;
pub mod linux;
pub mod manifest;
pub mod package;
pub mod resolve;
pub mod rootfs;
pub mod run;
pub mod systemd;
pub mod target;
pub mod udi;

pub use l4re_diag as diag;
