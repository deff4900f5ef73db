//! The command `packager`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    l4re_packager::cli::main()
}
