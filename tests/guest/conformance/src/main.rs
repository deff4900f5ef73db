//! Conformance suite: what the runtime relies on, case by case, on whatever kernel it runs.
//!
//! The same binary runs on the stand-in and on L4Re. It prints one line a case (`ok <name>` or
//! `FAIL <name>: <why>`) and ends with the result line. Argument `--only <part of a name>` runs
//! some of the cases; `--end <how>` ends the program in a way that the loader has to report:
//! `exit`, `panic`, `memory` or `overflow`. Cases about devices look for the capability `vbus` and pass without it.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

extern crate alloc;

mod bus;
mod case;
mod end;
mod ipc;
mod irq;
mod mem;
mod start;

use core::panic::PanicInfo;

use l4re_runtime::env::{self, Env, ExitCode};
use l4re_runtime::println;

l4re_runtime::entry!(main, stack = 64 * 1024, heap = 16 * 1024 * 1024);

fn main(env: &'static Env) -> ExitCode {
    env::set_panic_hook(panicked);
    if let Some(how) = env.args().options().skip_while(|a| *a != "--end").nth(1) {
        return end::how(how);
    }
    let only = env.args().options().skip_while(|a| *a != "--only").nth(1);
    let groups = [start::CASES, mem::CASES, ipc::CASES, irq::CASES, bus::CASES];
    let (mut passed, mut all) = (0, 0);
    for case in groups.into_iter().flatten() {
        if only.is_some_and(|part| !case.name.contains(part)) {
            continue;
        }
        all += 1;
        match (case.run)(env) {
            Ok(()) => {
                passed += 1;
                println!("ok {}", case.name);
            }
            Err(why) => println!("FAIL {}: {why}", case.name),
        }
    }
    let (word, code) = match passed == all && all > 0 {
        true => ("pass", ExitCode::SUCCESS),
        false => ("fail", ExitCode::FAILURE),
    };
    println!("L4RE-RESULT: {word} {passed} of {all}");
    code
}

/// A panic is a result, too.
fn panicked(info: &PanicInfo<'_>) {
    match info.location() {
        Some(place) => println!("L4RE-RESULT: fail panicked at {place}"),
        None => println!("L4RE-RESULT: fail panicked"),
    }
}
