//! The benchmark: what requests cost, beside the blocking driver of the `virtio-drivers` crate.
//!
//! One boot measures all over the same disk, which has no storage behind it: first without a
//! server, then, when that program has ended, through ours.

mod target;

use std::collections::BTreeMap;

use l4re_qemu::Disk;
use serde::Serialize;

pub use self::target::{Kind, Memory, Target, counts, sizes, times};
use crate::run::{Platform, Record, Run};
use crate::scenario::{SERIAL, client, server};
use crate::system::{Cap, System, Transport};
use crate::{Context, Error, Result};

/// Size of the disk: none of the cells goes through all of it more often than it must.
const DISK_BYTES: u64 = 256 << 20;

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Requests of a cell.
    pub requests: u64,
    /// Let QEMU count instructions and derive the guest's time from them.
    pub icount: bool,
    /// Show the console.
    pub show: bool,
}

/// Which driver, over which path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// The crate's blocking driver, on the device.
    Blocking,
    /// Our driver, on the device, waiting as the blocking one does: by looking again and again.
    DirectSpin,
    /// Our driver, on the device, sleeping until there is an interrupt.
    Direct,
    /// The crate's blocking driver, as a client of our server.
    BlockingL4virtio,
    /// Our driver, as a client of our server.
    L4virtio,
}

impl Via {
    /// All of them, in the order in which they run.
    pub const ALL: [Via; 5] =
        [Via::Blocking, Via::DirectSpin, Via::Direct, Via::BlockingL4virtio, Via::L4virtio];

    /// The word behind `via=`.
    pub fn name(self) -> &'static str {
        match self {
            Via::Blocking => "blocking",
            Via::DirectSpin => "direct-spin",
            Via::Direct => "direct",
            Via::BlockingL4virtio => "blocking-l4virtio",
            Via::L4virtio => "l4virtio",
        }
    }
}

/// Requests of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Key {
    /// Driver and path.
    pub via: Via,
    /// `Read` or `Write`.
    pub op: String,
    /// Bytes of a request.
    pub size: u64,
    /// Requests in flight.
    pub depth: u64,
}

/// What was counted while the requests of a cell were done, by the names that the guest gives it.
/// `us` is guest time in microseconds.
pub type Counts = BTreeMap<String, u64>;

/// What one boot has shown.
#[derive(Debug, Default)]
pub struct Measurement {
    /// The cells.
    pub cells: BTreeMap<Key, Counts>,
    /// Memory that the server has beside its program.
    pub memory: Memory,
}

impl Measurement {
    /// Several boots in one: of times the median, of counts the largest.
    ///
    /// Not the shortest time: now and then the processors of the host happen to pass a request on
    /// in a sixth of the usual time, and a comparison must not depend on who was lucky.
    pub fn summary(boots: Vec<Measurement>) -> Measurement {
        let mut sum = Measurement::default();
        let mut seen: BTreeMap<Key, BTreeMap<String, Vec<u64>>> = BTreeMap::new();
        for boot in boots {
            for (key, counts) in boot.cells {
                let cell = seen.entry(key).or_default();
                counts.into_iter().for_each(|(name, n)| cell.entry(name).or_default().push(n));
            }
            sum.memory.heap = sum.memory.heap.max(boot.memory.heap);
            sum.memory.dma = sum.memory.dma.max(boot.memory.dma);
        }
        for (key, counts) in seen {
            let one = |(name, values): (String, Vec<u64>)| {
                let value = if name == "us" { median(values) } else { values.into_iter().max() };
                Some((name, value?))
            };
            sum.cells.insert(key, counts.into_iter().filter_map(one).collect());
        }
        sum
    }

    /// A count of a cell; none if there is no such cell, or it has no such count.
    pub fn count(&self, via: Via, op: &str, size: u64, depth: u64, name: &str) -> Option<u64> {
        let key = Key { via, op: op.to_owned(), size, depth };
        self.cells.get(&key)?.get(name).copied()
    }
}

/// The value in the middle; of an even number of them the larger one.
fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// Boots once and measures.
///
/// # Errors
///
/// If the guest does not run to its end, or says what cannot be understood.
pub fn measure(platform: &Platform, transport: Transport, how: Settings) -> Result<Measurement> {
    let requests = how.requests.to_string();
    let args = ["--write", "--requests", &requests];
    let system = System::new(transport)
        .program(
            client("direct", "blk-bench")?.args(&["direct"]).args(&args).cap("vbus", Cap::Vbus),
        )
        .program(server(&[])?.after("direct"))
        .program(
            client("client", "blk-bench")?
                .args(&args)
                .cap("disk", Cap::create("blk", &[&format!("device={SERIAL}"), "ds-max=4"]))
                .cap("stats", Cap::Create { gate: "blk".into(), object: 1, args: Vec::new() })
                .after("direct"),
        )
        .until("client");
    let disk = Disk::null(DISK_BYTES, transport.place(0)).serial(SERIAL);
    let mut run = Run::new(&system).disk(disk).seconds(900).show(how.show);
    run.results = 2;
    if how.icount {
        run = run.qemu("-icount").qemu("shift=0,sleep=off");
    }
    Measurement::of(&run.on(platform)?.passed()?)
}

impl Measurement {
    fn of(record: &Record) -> Result<Measurement> {
        let cells = record.lines.iter().filter_map(|line| Some(line.split_once("cell via=")?.1));
        let cells =
            cells.map(|text| cell(text).ok_or_else(|| Error::new(format!("not a cell: `{text}`"))));
        let memory = Memory {
            heap: record.number("server.heap_bytes")?,
            dma: record.number("server.dma_bytes")?,
        };
        Ok(Measurement { cells: cells.collect::<Result<_>>().context("the guest")?, memory })
    }
}

/// Reads what follows `via=` on the line of a cell.
fn cell(text: &str) -> Option<(Key, Counts)> {
    let (via, rest) = text.split_once(' ')?;
    let via = Via::ALL.into_iter().find(|v| v.name() == via)?;
    let mut words = rest.split_whitespace().map(|word| word.split_once('='));
    let (_, op) = words.next()??;
    let mut counts = Counts::new();
    for word in words {
        let (name, value) = word?;
        counts.insert(name.to_owned(), value.parse().ok()?);
    }
    let (size, depth) = (counts.remove("size")?, counts.remove("depth")?);
    Some((Key { via, op: op.to_owned(), size, depth }, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cells_are_read() {
        let (key, counts) =
            cell("blocking-l4virtio op=Read size=512 depth=1 requests=4 us=10 copied=0").unwrap();
        assert_eq!((key.via, key.size, key.depth), (Via::BlockingL4virtio, 512, 1));
        assert_eq!(key.op, "Read");
        assert_eq!((counts.get("us"), counts.len()), (Some(&10), 3));
        for bad in ["nothing op=Read size=1 depth=1", "direct op=Read size=1", "direct x", "direct"]
        {
            assert_eq!(cell(bad), None, "{bad}");
        }
    }

    #[test]
    fn of_several_boots_the_median_time_and_the_largest_counts_are_kept() {
        let one = |us, kicks| {
            let (key, _) = cell("direct op=Read size=512 depth=1").unwrap();
            let counts = Counts::from([("us".into(), us), ("kicks".into(), kicks)]);
            Measurement { cells: [(key, counts)].into(), ..Measurement::default() }
        };
        let m = Measurement::summary(vec![one(10, 5), one(1, 4), one(9, 7)]);
        let count = |name| m.count(Via::Direct, "Read", 512, 1, name);
        assert_eq!((count("us"), count("kicks"), count("maps")), (Some(9), Some(7), None));
    }
}
