//! Benchmark of a block device: counts and guest time of requests, and a long random load.
//!
//! ```text
//! blk-bench [--requests <n>] [--first <sector> --sectors <n>] [--write]
//! blk-bench direct [--requests <n>] [--first <sector> --sectors <n>] [--write]
//! blk-bench torture [--requests <n>] [--first <sector> --sectors <n>] [--seed <n>]
//! ```
//!
//! The first two print one line `cell …` for each driver, size, depth and direction. They write
//! only with `--write`. Without a word the disk is the capability `disk`, a device of our server,
//! whose counters come from `stats`; with `direct` it is the first disk on the bus `vbus`, and no
//! server has a part in it. Both compare our driver with the blocking one of the `virtio-drivers`
//! crate, over the same path.
//!
//! The third sends batches of random requests to `disk` and checks every byte; it writes to the
//! whole region.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

extern crate alloc;

mod blocking;
mod direct;
mod matrix;
mod queued;
mod served;
mod torture;

use alloc::format;
use alloc::string::{String, ToString};

use l4re_runtime::client::{Connection, DeviceGate, Disk, DiskOptions};
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
        None => served::run(env, &options),
        Some("direct") => direct::run(env, &options),
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
    /// The region that the command line names of a disk of `capacity` sectors; all of it if it
    /// names none.
    fn parse(options: &Options, capacity: u64) -> Result<Region, String> {
        let first = options.number("--first", 0)?;
        let rest = capacity.saturating_sub(first);
        let sectors = options.number("--sectors", rest)?;
        if sectors == 0 || sectors > rest {
            return Err(format!("sectors {first} + {sectors} are not on a disk of {capacity}"));
        }
        Ok(Region { first, sectors })
    }
}

fn connect(env: &Env) -> Result<Connection, String> {
    let gate = env.cap::<DeviceGate>("disk").map_err(|e| e.to_string())?;
    Connection::connect(gate, &env.factory(), &env.main_thread(), INTERRUPT)
        .map_err(|e| format!("cannot connect: {e}"))
}

fn open(env: &Env, data: usize) -> Result<Disk, String> {
    Disk::open(connect(env)?, DiskOptions::new(data))
        .map_err(|e| format!("cannot use the device: {e}"))
}
