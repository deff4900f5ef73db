//! A program with a part in C, for the C library and for how the packager links it.
//!
//! Without arguments it runs the cases of `part.c` and ends with the result line. `--end` `assert`,
//! `abort`, or `exit` ends it inside of the C code in that way: the first two have to become a
//! panic, the last one exit code 7.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

// Only bare metal has the C code.
#[cfg(target_os = "none")]
mod part;

use l4re_runtime::env::{Env, ExitCode};

l4re_runtime::entry!(main, stack = 64 * 1024, heap = 1024 * 1024);

#[cfg(target_os = "none")]
fn main(env: &'static Env) -> ExitCode {
    use l4re_runtime::env::set_panic_hook;
    use l4re_runtime::println;

    set_panic_hook(|info| println!("L4RE-RESULT: fail panic: {}", info.message()));
    if let Some(how) = env.args().options().skip_while(|word| *word != "--end").nth(1) {
        part::end(how);
    }
    match part::run() {
        Ok(cases) => {
            println!("L4RE-RESULT: pass {cases} cases in C");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("L4RE-RESULT: fail {why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main(_env: &'static Env) -> ExitCode {
    ExitCode::FAILURE
}
