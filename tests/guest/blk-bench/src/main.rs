//! Benchmark of a block device: counts and guest time of requests, and a long random load.
//!
//! ```text
//! blk-bench [--requests <n>] [--first <sector> --sectors <n>] [--write]
//! blk-bench torture [--requests <n>] [--first <sector> --sectors <n>] [--seed <n>]
//! ```
//!
//! The first form prints one line `cell …` for each size, depth and direction. It writes only with
//! `--write`. The second sends batches of random requests and checks every byte; it writes to the
//! whole region. The disk is the capability `disk`; the server's counters come from `stats`.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

extern crate alloc;

mod matrix;
mod torture;

use alloc::format;
use alloc::string::{String, ToString};

use l4re_runtime::client::{Device, DeviceGate, Disk, DiskOptions};
use l4re_runtime::env::{Env, ExitCode};
use l4re_test_support::options::{Options, Table};
use l4re_test_support::result::conclude;

l4re_runtime::entry!(main, stack = 64 * 1024, heap = 16 * 1024 * 1024);

/// Label of the disk's interrupt; there is no other.
const INTERRUPT: usize = 4;

const OPTIONS: Table = &[
    ("--requests", true),
    ("--first", true),
    ("--sectors", true),
    ("--seed", true),
    ("--write", false),
];

fn main(env: &'static Env) -> ExitCode {
    conclude(|| run(env))
}

fn run(env: &'static Env) -> Result<String, String> {
    let options = Options::parse(env.args().options(), OPTIONS)?;
    match options.word() {
        None => matrix::run(env, &options),
        Some("torture") => torture::run(env, &options),
        Some(other) => Err(format!("`{other}` is nothing that this program does")),
    }
}

/// The part of the disk that is used.
#[derive(Clone, Copy)]
struct Region {
    first: u64,
    sectors: u64,
}

impl Region {
    fn parse(options: &Options, disk: &Disk) -> Result<Region, String> {
        let capacity = disk.info().capacity;
        let first = options.number("--first", 0)?;
        let rest = capacity.saturating_sub(first);
        let sectors = options.number("--sectors", rest)?;
        if sectors == 0 || sectors > rest {
            return Err(format!("sectors {first} + {sectors} are not on a disk of {capacity}"));
        }
        Ok(Region { first, sectors })
    }
}

fn open(env: &Env, data: usize) -> Result<Disk, String> {
    let gate = env.cap::<DeviceGate>("disk").map_err(|e| e.to_string())?;
    let device = Device::connect(gate, &env.factory(), &env.main_thread(), INTERRUPT)
        .map_err(|e| format!("cannot connect: {e}"))?;
    Disk::open(device, DiskOptions::new(data)).map_err(|e| format!("cannot use the device: {e}"))
}
