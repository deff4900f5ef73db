//! Hostile clients of a block server, with a good client looking on.
//!
//! ```text
//! blk-faults --device <id>        every case, then a search for leaks
//! blk-faults --device <id> --only <part of a name>
//! blk-faults flood --device <id>  asks for devices that there are not, until the log has said so
//! blk-faults die --device <id>    ends with requests in flight and says nothing more
//! ```
//!
//! Each case is a line `ok <case>` or `FAIL <case>: <why>`. After each, a client that has been
//! there from the start reads the disk and finds what it found at first. All cases then run a
//! second time, and nothing may be left of it: by the server's counters (`create(1)`) and, on a
//! kernel that has it, by the kernel's (`kdbg`).
//!
//! Capabilities: `svr` with the right to create, `svr_ro` without, `kdbg`.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

extern crate alloc;

mod chains;
mod factory;
mod hostile;
mod leaks;
mod life;
mod memory;
mod messages;
mod queues;
mod requests;
mod rig;

use alloc::format;
use alloc::string::{String, ToString};

use l4re_runtime::env::{Env, ExitCode, exit};
use l4re_runtime::println;
use l4re_test_support::options::{Options, Table};
use l4re_test_support::result::conclude;

use crate::rig::{Case, Rig};

l4re_runtime::entry!(main, stack = 64 * 1024, heap = 16 * 1024 * 1024);

const OPTIONS: Table = &[("--device", true), ("--only", true)];

const GROUPS: [&[Case]; 7] = [
    messages::CASES,
    memory::CASES,
    queues::CASES,
    chains::CASES,
    requests::CASES,
    life::CASES,
    factory::CASES,
];

fn main(env: &'static Env) -> ExitCode {
    conclude(|| run(env))
}

fn run(env: &'static Env) -> Result<String, String> {
    let options = Options::parse(env.args().options(), OPTIONS)?;
    let device = options.text("--device").ok_or("`--device` is missing")?;
    let mut rig = Rig::new(env, device)?;
    if options.word() == Some("die") {
        life::start_and_forget(&mut rig)?;
        exit(ExitCode::SUCCESS);
    }
    if options.word() == Some("flood") {
        return factory::flood(&rig);
    }
    let only = options.text("--only").unwrap_or("");
    let (all, failed) = rounds(&mut rig, only)?;
    if failed > 0 {
        return Err(format!("{failed} of {all} cases"));
    }
    Ok(format!("{all} cases"))
}

/// Runs the cases twice; returns how many there are and how many failed.
fn rounds(rig: &mut Rig, only: &str) -> Result<(usize, usize), String> {
    let (mut all, mut failed) = round(rig, only, true);
    let before = leaks::count(rig)?;
    failed += round(rig, only, false).1;
    let after = leaks::count_until(rig, |after| before.same(after))?;
    for (what, result) in before.compare(&after) {
        all += 1;
        failed += usize::from(result.is_err());
        print(&what, result);
    }
    Ok((all, failed))
}

fn round(rig: &mut Rig, only: &str, verbose: bool) -> (usize, usize) {
    let (mut all, mut failed) = (0, 0);
    for case in GROUPS.into_iter().flatten().filter(|c| c.name.contains(only)) {
        all += 1;
        let result = (case.run)(rig)
            .and_then(|()| rig.check_good_client().map_err(|e| format!("afterwards: {e}")));
        failed += usize::from(result.is_err());
        if verbose || result.is_err() {
            print(case.name, result);
        }
    }
    (all, failed)
}

fn print(what: &str, result: Result<(), impl ToString>) {
    match result {
        Ok(()) => println!("ok {what}"),
        Err(why) => println!("FAIL {what}: {}", why.to_string()),
    }
}
