//! Report lines, and the one line that decides whether a program has passed.

use core::fmt::Display;
use core::panic::PanicInfo;

use l4re_runtime::env::{ExitCode, set_panic_hook};
use l4re_runtime::println;

/// Prints `report <key>=<value>`, for the host's side of a test.
pub fn report(key: &str, value: impl Display) {
    println!("report {key}={value}");
}

/// Runs a test program: its result becomes the deciding line and the exit code. A panic prints
/// the line, too.
pub fn conclude<T: Display, E: Display>(program: impl FnOnce() -> Result<T, E>) -> ExitCode {
    set_panic_hook(panicked);
    match program() {
        Ok(text) => {
            println!("L4RE-RESULT: pass {text}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            println!("L4RE-RESULT: fail {reason}");
            ExitCode::FAILURE
        }
    }
}

fn panicked(info: &PanicInfo<'_>) {
    println!("L4RE-RESULT: fail panic: {}", info.message());
}
