//! What a system guarantees about shares: of memory, of the processor, and of what is given to
//! several programs. The first word of the command line says what the program does:
//!
//! | word | what it does |
//! |---|---|
//! | `spin` | uses all the processor time that it gets, for ever |
//! | `quota` | makes objects until its quota is used up; is to be told so, and to get all of it again |
//! | `exhaust` | the same without quota, down to the last memory of the kernel |
//! | `die` | takes all that there is, as `exhaust`, and ends without giving anything back |
//! | `panic` | brings up the disks of the bus `vbus` and panics |
//! | `stopped` | expects the virtio-mmio devices of the bus `vbus` to be in reset |
//! | `write` | fills the dataspace `mem` with a pattern, late |
//! | `read` | expects that pattern in the dataspace `mem`, which it may not write |
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

extern crate alloc;

mod greed;
mod share;
mod stop;

use alloc::format;
use alloc::string::String;

use l4re_runtime::env::{Env, ExitCode};
use l4re_test_support::options::Options;
use l4re_test_support::result::{conclude, report};

l4re_runtime::entry!(main, stack = 64 * 1024, heap = 1024 * 1024);

fn main(env: &'static Env) -> ExitCode {
    if env.args().options().next() == Some("panic") {
        stop::panic(env);
    }
    conclude(|| run(env))
}

fn run(env: &'static Env) -> Result<String, String> {
    let options = Options::parse(env.args().options(), &[])?;
    match options.word() {
        Some("spin") => spin(),
        Some("quota") => greed::quota(env),
        Some("exhaust") => greed::exhaust(env),
        Some("die") => greed::die(env),
        Some("stopped") => stop::stopped(env),
        Some("write") => share::write(env),
        Some("read") => share::read(env),
        other => Err(format!("what to do? {other:?}")),
    }
}

fn spin() -> ! {
    report("spinning", 1);
    loop {
        core::hint::spin_loop();
    }
}
