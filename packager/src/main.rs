//! The command `packager`; everything is in the library.

use std::process::ExitCode;

/// Reading a Linux tree makes a million small things: with the system's allocator that is a quarter
/// of the time.
#[cfg(not(target_env = "musl"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The static program is built without a C compiler.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    if let Err(error) = l4re_files::interrupt::clean_up() {
        // Everything else works as well.
        eprintln!("packager: drafts are not removed on an interrupt: {error}");
    }
    l4re_packager::cli::main()
}
