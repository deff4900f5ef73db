//! The command `driver_picker` of the original workflow, so that
//! `cargo run -p driver_picker -- --linux-src DIR --list --format json` works as it is written. The
//! work is done by the packager's library.

use std::process::ExitCode;

fn main() -> ExitCode {
    l4re_packager::cli::driver_picker()
}
