//! The command `packager`; everything is in the library.
fn main() {}
