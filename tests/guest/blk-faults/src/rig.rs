//! What every case needs: the server, and a good client beside it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

use l4re_runtime::Error;
use l4re_runtime::cap::{CapRef, Factory};
use l4re_runtime::client::{Connection, Disk, DiskOptions, StatisticsPage};
use l4re_runtime::client::{create_device, create_statistics};
use l4re_runtime::env::Env;
use l4re_runtime::virtio::spec::block::Op;
use l4re_test_support::transfer::Plan;

use crate::hostile::until;

/// A hostile client, or several.
pub struct Case {
    /// What is shown by it.
    pub name: &'static str,
    /// The case.
    pub run: fn(&mut Rig) -> Outcome,
}

/// The result of a case: why it failed.
pub type Outcome = Result<(), String>;

/// How long a server may look for its devices.
const PATIENCE: Duration = Duration::from_secs(600);
/// Sectors that the good client reads.
const SECTORS: u64 = 64;
const CHUNK: u32 = 4096;
/// Label of the good client's interrupt.
const INTERRUPT: usize = 4;

/// The server and the good client.
pub struct Rig {
    /// The program.
    pub env: &'static Env,
    /// The server, with the right to create devices.
    pub server: CapRef<Factory>,
    /// `device=<id>`.
    pub device: String,
    /// The server's counters.
    pub stats: StatisticsPage,
    good: Disk,
    expected: Vec<u8>,
}

impl Rig {
    /// Connects the good client and notes what it reads.
    ///
    /// # Errors
    ///
    /// A text if the server does not serve it.
    pub fn new(env: &'static Env, device: &str) -> Result<Rig, String> {
        let server = env.cap::<Factory>("svr").map_err(|e| e.to_string())?;
        let device = format!("device={device}");
        let gate = create_device(&server, &[&device, "shared"], PATIENCE)
            .map_err(|e| format!("{device}: {e}"))?;
        let stats = create_statistics(&server).and_then(StatisticsPage::attach);
        let stats = stats.map_err(|e| format!("statistics: {e}"))?;
        let connection = Connection::connect(gate, &env.factory(), &env.main_thread(), INTERRUPT)
            .map_err(|e| format!("cannot connect: {e}"))?;
        let good = Disk::open(connection, DiskOptions::new(8 * CHUNK as usize))
            .map_err(|e| format!("cannot use the device: {e}"))?;
        let mut rig = Rig { env, server, device, stats, good, expected: Vec::new() };
        rig.expected = rig.read()?;
        Ok(rig)
    }

    /// Whether the good client still reads what it read at first, and is alone.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn check_good_client(&mut self) -> Outcome {
        self.check_good_client_reads()?;
        let mut clients = 0;
        let alone = until(|| {
            clients = self.stats.read().map_or(0, |s| s.totals.clients);
            clients == 1
        });
        if alone { Ok(()) } else { Err(format!("the server has {clients} clients and not one")) }
    }

    /// Whether the good client still reads what it read at first.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn check_good_client_reads(&mut self) -> Outcome {
        if self.read()? == self.expected {
            Ok(())
        } else {
            Err("the good client reads something else".into())
        }
    }

    fn read(&mut self) -> Result<Vec<u8>, String> {
        let plan = Plan { op: Op::Read, first: 0, sectors: SECTORS, chunk: CHUNK, depth: 8 };
        let mut all = Vec::new();
        plan.run(&mut self.good, |_, mem| {
            let mut piece = vec![0; mem.len()];
            mem.read_bytes(0, &mut piece).ok_or("memory is gone")?;
            all.extend_from_slice(&piece);
            Ok::<(), &str>(())
        })
        .map_err(|e| e.to_string())?;
        Ok(all)
    }

    /// Capacity of the disk in sectors.
    pub fn capacity(&self) -> u64 {
        self.good.info().capacity
    }
}

/// Checks that a call was refused, and how.
///
/// # Errors
///
/// What it was instead.
pub fn refused<T>(what: &str, result: Result<T, Error>, expected: &[Error]) -> Outcome {
    match result {
        Err(e) if expected.contains(&e) => Ok(()),
        Err(e) => Err(format!("{what}: {e}")),
        Ok(_) => Err(format!("{what}: accepted")),
    }
}

/// Checks that two values are the same.
///
/// # Errors
///
/// Both, if they are not.
pub fn same<T: PartialEq + Debug>(what: &str, got: T, expected: T) -> Outcome {
    if got == expected { Ok(()) } else { Err(format!("{what}: {got:x?} and not {expected:x?}")) }
}

/// Names an error by what was tried.
pub fn named<T>(what: &str, result: Result<T, Error>) -> Result<T, String> {
    result.map_err(|e| format!("{what}: {e}"))
}
