//! Builds, checks, packages and boots L4Re driver servers: the library behind the command
//! `packager`.

pub mod diag;
pub mod document;
pub mod drvinfo;
pub mod elf;
pub mod manifest;
pub mod package;
pub mod target;
