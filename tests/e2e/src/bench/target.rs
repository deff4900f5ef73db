//! What the block server is to achieve, and whether it does.

use serde::Serialize;

use super::{Measurement, Via};

const OPS: [&str; 2] = ["Read", "Write"];
const SIZES: [u64; 3] = [512, 4096, 65536];
/// The depth at which notifications have to be shared by several requests.
const DEEP: u64 = 32;
/// Requests that share one notification there.
const SHARED_BY: f64 = 8.0;
/// How many times the requests a second of the blocking driver are to be done there.
const FASTER: f64 = 4.0;
/// Most bytes of the server's program that are loaded.
const LOADED_MAX: f64 = 200.0 * 1024.0;
/// Most memory of the server.
const MEMORY_MAX: f64 = 1024.0 * 1024.0;

/// Memory that the server has beside its program, in bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The heap.
    pub heap: u64,
    /// Rings, headers and status bytes.
    pub dma: u64,
}

/// What a target is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A count, the same on every machine.
    Count,
    /// A ratio of times, which depends on the machine that QEMU runs on.
    Time,
}

/// One target, and what was seen.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// What is to hold.
    pub what: String,
    /// Count or time.
    pub kind: Kind,
    /// The value that counts; none if nothing was measured, which is a miss. Of a count it is the
    /// worst cell's, of times that of all cells together.
    pub value: Option<f64>,
    /// The worst cell's value.
    pub worst: Option<f64>,
    /// Which cell that is.
    pub cell: String,
    /// The limit.
    pub limit: f64,
    /// Whether the value has to be at least the limit, not at most.
    pub at_least: bool,
}

impl Target {
    fn at_most(what: &str, kind: Kind, limit: f64) -> Target {
        let (what, cell) = (what.to_owned(), String::new());
        Target { what, kind, value: None, worst: None, cell, limit, at_least: false }
    }

    fn at_least(what: &str, kind: Kind, limit: f64) -> Target {
        Target { at_least: true, ..Self::at_most(what, kind, limit) }
    }

    /// Whether it is met.
    pub fn met(&self) -> bool {
        self.value.is_some_and(|v| if self.at_least { v >= self.limit } else { v <= self.limit })
    }

    /// Takes a value into account.
    fn see(&mut self, value: f64, cell: &str) {
        let worse = |w: f64| if self.at_least { value < w } else { value > w };
        if self.worst.is_none_or(worse) {
            (self.value, self.worst) = (Some(value), Some(value));
            self.cell = cell.to_owned();
        }
    }
}

/// The targets about counts of requests.
pub fn counts(m: &Measurement) -> Vec<Target> {
    let mut all = per_request(m);
    all.extend(notifications(m));
    all
}

/// The targets about the server's program and memory. `loaded` and `own` are what the program
/// has: bytes that are loaded, and bytes of memory with its stack.
pub fn sizes(memory: Memory, loaded: u64, own: u64) -> Vec<Target> {
    let mut program = Target::at_most("loadable bytes of the server", Kind::Count, LOADED_MAX);
    program.see(loaded as f64, "");
    let mut total = Target::at_most("bytes of memory of the server", Kind::Count, MEMORY_MAX);
    total.see((own + memory.heap + memory.dma) as f64, "");
    vec![program, total]
}

fn per_request(m: &Measurement) -> Vec<Target> {
    let names = [
        ("copied", "bytes that the server copies"),
        ("server_allocations", "allocations of the server"),
        ("maps", "map calls of the server"),
        ("allocations", "allocations of driver and load, without and with the server"),
    ];
    names
        .into_iter()
        .map(|(name, what)| {
            let mut target = Target::at_most(what, Kind::Count, 0.0);
            for (key, counts) in &m.cells {
                let ours = matches!(key.via, Via::DirectSpin | Via::Direct | Via::L4virtio);
                if let Some(n) = counts.get(name).filter(|_| ours) {
                    let cell = format!("{} {} {}, {}", key.via.name(), key.op, key.size, key.depth);
                    target.see(*n as f64, &cell);
                }
            }
            target
        })
        .collect()
}

/// At great depth notifications are shared.
fn notifications(m: &Measurement) -> Vec<Target> {
    let names = [
        (Via::Direct, "kicks", "kicks of the device, without a server"),
        (Via::Direct, "interrupts", "interrupts, without a server"),
        (Via::L4virtio, "device_kicks", "kicks of the device by the server"),
        (Via::L4virtio, "device_interrupts", "interrupts that the server takes"),
        (Via::L4virtio, "kicks", "kicks of the server by its client"),
        (Via::L4virtio, "client_interrupts", "interrupts that the server sends"),
    ];
    names
        .into_iter()
        .map(|(via, name, what)| {
            let what = format!("{what}, a request at depth {DEEP}");
            let mut target = Target::at_most(&what, Kind::Count, 1.0 / SHARED_BY);
            for (op, size) in kinds() {
                let count = |name| m.count(via, op, size, DEEP, name);
                if let (Some(n), Some(requests)) = (count(name), count("requests")) {
                    target.see(n as f64 / requests as f64, &format!("{op} {size}"));
                }
            }
            target
        })
        .collect()
}

/// The targets about time: our driver beside the blocking one, over the same path.
pub fn times(m: &Measurement) -> Vec<Target> {
    let paths = [
        (Via::Blocking, Via::DirectSpin, "without a server, both spinning"),
        (Via::Blocking, Via::Direct, "without a server, ours sleeping"),
        (Via::BlockingL4virtio, Via::L4virtio, "as client of the server"),
    ];
    let mut all = Vec::new();
    for (baseline, ours, path) in paths {
        for (depth, limit) in [(1, 1.0), (DEEP, FASTER)] {
            let what = format!("times the blocking driver's speed at depth {depth}, {path}");
            let mut target = Target::at_least(&what, Kind::Time, limit);
            let (mut theirs, mut own) = (0, 0);
            for (op, size) in kinds() {
                let times =
                    (m.count(baseline, op, size, 1, "us"), m.count(ours, op, size, depth, "us"));
                if let (Some(before), Some(now)) = times {
                    target.see(before as f64 / now.max(1) as f64, &format!("{op} {size}"));
                    (theirs, own) = (theirs + before, own + now);
                }
            }
            target.value = target.worst.map(|_| theirs as f64 / own.max(1) as f64);
            all.push(target);
        }
    }
    all
}

fn kinds() -> impl Iterator<Item = (&'static str, u64)> {
    OPS.into_iter().flat_map(|op| SIZES.into_iter().map(move |size| (op, size)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Counts, Key};

    /// Path, size, depth, counts.
    type Cell<'a> = (Via, u64, u64, &'a [(&'a str, u64)]);

    fn measured(cells: &[Cell<'_>]) -> Measurement {
        let mut m = Measurement::default();
        for &(via, size, depth, counts) in cells {
            let counts: Counts = counts.iter().map(|(name, n)| ((*name).into(), *n)).collect();
            m.cells.insert(Key { via, op: "Read".into(), size, depth }, counts);
        }
        m
    }

    fn find<'a>(targets: &'a [Target], text: &str) -> &'a Target {
        targets.iter().find(|t| t.what.contains(text)).unwrap()
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let m = Measurement::default();
        assert!(counts(&m).iter().chain(&times(&m)).all(|t| !t.met()));
    }

    #[test]
    fn counts_are_judged_by_the_worst_cell_and_only_ours() {
        let copies = |ours, theirs| {
            let cell =
                [(Via::L4virtio, 512, 1, &[("copied", 0)][..]), (Via::L4virtio, 512, 8, ours)];
            let mut cells = cell.to_vec();
            cells.push((Via::BlockingL4virtio, 512, 1, theirs));
            counts(&measured(&cells))
        };
        assert!(find(&copies(&[("copied", 0)], &[("copied", 9)]), "copies").met());
        assert!(!find(&copies(&[("copied", 1)], &[("copied", 0)]), "copies").met());
    }

    #[test]
    fn one_notification_for_eight_requests_is_enough() {
        let kicks = |n| {
            let cell = [("requests", 64), ("device_kicks", n)];
            counts(&measured(&[(Via::L4virtio, 512, 32, &cell)]))
        };
        assert!(find(&kicks(8), "kicks of the device by the server").met());
        assert!(!find(&kicks(9), "kicks of the device by the server").met());
    }

    #[test]
    fn times_are_judged_together_and_the_worst_cell_is_named() {
        let m = measured(&[
            (Via::Blocking, 512, 1, &[("us", 100)]),
            (Via::Blocking, 4096, 1, &[("us", 100)]),
            (Via::Direct, 512, 1, &[("us", 110)]),
            (Via::Direct, 4096, 1, &[("us", 90)]),
        ]);
        let all = times(&m);
        let target = find(&all, "depth 1, without a server, ours sleeping");
        assert!(target.met());
        assert_eq!((target.value, target.cell.as_str()), (Some(1.0), "Read 512"));
    }

    #[test]
    fn memory_of_the_server_is_all_of_it() {
        let sizes = |heap| sizes(Memory { heap, dma: 1 << 18 }, 200 << 10, 1 << 18);
        assert!(sizes(1 << 19).iter().all(Target::met));
        assert!(!find(&sizes((1 << 19) + 1), "memory").met());
    }
}
