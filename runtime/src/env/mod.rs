//! Start-up, arguments, named capabilities and the end of a program.

mod args;
#[cfg(target_os = "none")]
mod c_library;
mod end;
mod entry;
mod error;
mod start;
mod table;
pub mod thread;
mod variables;

pub use crate::clock::{now, since_boot};
pub use args::{Args, AuxVector};
pub use end::{AtEnd, at_end};
pub use end::{ExitCode, Termination, exit, panicked, set_panic_hook};
pub use error::StartError;
#[doc(hidden)]
pub use start::start;
pub use start::{Env, env, stack_high_water};
pub use table::NamedCap;
pub use variables::Variables;

/// What `main` does on a system that is not L4Re: it says what the program is.
#[cfg(not(target_os = "none"))]
#[doc(hidden)]
pub fn not_on_this_system<T: Termination>(
    _main: fn(&'static Env) -> T,
    name: &str,
    description: &str,
) -> core::ffi::c_int {
    std::eprintln!("{name}: {description}");
    std::eprintln!("This is a program for L4Re; build it for its target, for example with");
    std::eprintln!("  cargo build --target aarch64-unknown-none");
    2
}
