//! A client of a block server: reads the whole disk, writes a region and reads it back, and
//! reports what the host can check.
//!
//! ```text
//! blk-client [--device <id>] [--depth <n>] [--chunk <bytes>] [--skip-read]
//!            [--write-at <sector> --write-sectors <n> [--seed <n>]]
//! ```
//!
//! The disk is the capability `disk`; with `--device` it is asked for at the capability `svr`. If
//! there is a capability `stats`, the server's counters are reported too.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

extern crate alloc;

mod check;
mod report;

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use l4re_runtime::cap::{Factory, Held};
use l4re_runtime::client::{Connection, DeviceGate, Disk, DiskOptions, create_device};
use l4re_runtime::env::{self, Env, ExitCode, StartError};
use l4re_test_support::options::{Options, Table};
use l4re_test_support::result::{conclude, report};

l4re_runtime::entry!(main, stack = 64 * 1024, heap = 4 * 1024 * 1024);

/// How long a server may look for its devices.
const PATIENCE: Duration = Duration::from_secs(600);
/// Label of the disk's interrupt; there is no other.
const INTERRUPT: usize = 4;

const OPTIONS: Table = &[
    ("--device", true),
    ("--depth", true),
    ("--chunk", true),
    ("--skip-read", false),
    ("--write-at", true),
    ("--write-sectors", true),
    ("--seed", true),
];

/// What the command line asks for.
struct Job {
    device: Option<&'static str>,
    depth: usize,
    chunk: u32,
    read: bool,
    write_at: u64,
    write_sectors: u64,
    seed: u64,
}

impl Job {
    fn parse(options: &Options) -> Result<Job, String> {
        let job = Job {
            device: options.text("--device"),
            depth: options.number("--depth", 32)?,
            chunk: options.number("--chunk", 64 * 1024)?,
            read: !options.has("--skip-read"),
            write_at: options.number("--write-at", 0)?,
            write_sectors: options.number("--write-sectors", 0)?,
            seed: options.number("--seed", 0)?,
        };
        match job {
            Job { depth: 1..=256, chunk: 512..=0x10_0000, .. } => Ok(job),
            _ => Err("`--depth` is 1 to 256, `--chunk` 512 to 1048576".into()),
        }
    }
}

fn main(env: &'static Env) -> ExitCode {
    conclude(|| run(env))
}

fn run(env: &Env) -> Result<String, String> {
    let mut job = Job::parse(&Options::parse(env.args().options(), OPTIONS)?)?;
    let begin = env::now();
    let mut disk = open(env, &job)?;
    job.fit(&disk)?;
    report::properties(&disk);
    if job.read {
        check::read_all(&mut disk, &job)?;
    }
    if job.write_sectors > 0 {
        check::write_and_verify(&mut disk, &job)?;
    }
    report("guest_time_us", env::now() - begin);
    report::client(&disk);
    let requests = disk.counters().used;
    drop(disk);
    report::server(env)?;
    Ok(format!("{requests} requests"))
}

impl Job {
    /// Brings chunk and depth to what the disk takes.
    fn fit(&mut self, disk: &Disk) -> Result<(), String> {
        let block = disk.info().block_size;
        let largest = u32::try_from(disk.largest_request()).unwrap_or(u32::MAX);
        self.chunk = self.chunk.min(largest) / block * block;
        if self.chunk == 0 { Err(format!("`--chunk` is less than {block}")) } else { Ok(()) }
    }
}

/// The device, granted or asked for.
fn gate(env: &Env, job: &Job) -> Result<Held<DeviceGate>, StartError> {
    let Some(device) = job.device else {
        return env.cap("disk").map(Held::Granted);
    };
    let server = env.cap::<Factory>("svr")?;
    let option = format!("device={device}");
    create_device(&server, &[&option], PATIENCE)
        .map(Held::Owned)
        .map_err(StartError::when("create device", device))
}

fn open(env: &Env, job: &Job) -> Result<Disk, String> {
    let gate = gate(env, job).map_err(|e| e.to_string())?;
    let device = Connection::connect(gate, &env.factory(), &env.main_thread(), INTERRUPT)
        .map_err(|e| format!("cannot connect: {e}"))?;
    let options = DiskOptions::new(job.depth * job.chunk as usize);
    Disk::open(device, options).map_err(|e| format!("cannot use the device: {e}"))
}
