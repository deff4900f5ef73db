//! UDI packages (Uniform Driver Interface, core specification 1.01, chapters 30 to 32): the file
//! `udiprops.txt`, the archive, the section in the module, the rule on exports.
//!
//! | module | from | to |
//! |---|---|---|
//! | [`props`] | the text of `udiprops.txt` | [`props::Properties`], or every mistake with its place |
//! | [`archive`] | the bytes of a package | [`archive::Package`] in memory, and back |
//! | [`section`] | a module | the same with its properties attached, and back |
//! | [`exports`] | a module | the symbols that it must not show |
//!
//! Nothing here touches the file system, but for [`props::Properties::load`], and nothing in a file
//! makes any of it panic.

pub mod archive;
pub mod exports;
pub mod props;
pub mod section;
