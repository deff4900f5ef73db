//! Sizes, depths and directions, a line each.

use alloc::format;
use alloc::string::{String, ToString};

use l4re_runtime::client::StatisticsPage;
use l4re_runtime::env;
use l4re_runtime::mem::heap;
use l4re_runtime::println;
use l4re_runtime::serve::stats::Totals;
use l4re_runtime::virtio::spec::block::{Op, SECTOR_SIZE};
use l4re_test_support::options::Options;

use crate::Region;

const SIZES: [u32; 3] = [512, 4096, 64 * 1024];
const DEPTHS: [usize; 3] = [1, 8, 32];
/// Bytes of the largest request.
pub const LARGEST: usize = SIZES[SIZES.len() - 1] as usize;
/// Bytes of data that are in flight at most.
pub const MOST_DATA: usize = LARGEST * DEPTHS[DEPTHS.len() - 1];
/// Requests of a cell.
const REQUESTS: u64 = 1024;

/// Requests of the same kind. They go through the region from its start, again and again.
#[derive(Clone, Copy)]
pub struct Job {
    /// [`Op::Read`] or [`Op::Write`].
    pub op: Op,
    /// Bytes of a request.
    pub size: u32,
    /// Requests in flight.
    pub depth: usize,
    /// Requests in all.
    pub requests: u64,
    region: Region,
}

impl Job {
    /// First sector of request `n`.
    pub fn sector(&self, n: u64) -> u64 {
        let per_request = u64::from(self.size) / SECTOR_SIZE;
        let places = (self.region.sectors / per_request).max(1);
        self.region.first + n % places * per_request
    }
}

/// What a driver says of itself.
#[derive(Clone, Copy)]
pub struct Events {
    /// Notifications of the device.
    pub kicks: u64,
    /// Interrupts that it waited for and got.
    pub interrupts: u64,
}

/// A driver with its device.
pub trait Path {
    /// The word behind `via=`.
    fn name(&self) -> &'static str;

    /// Most requests in flight.
    fn depth(&self) -> usize;

    /// Kicks and interrupts so far, if they are counted.
    fn events(&self) -> Option<Events>;

    /// Does the requests.
    ///
    /// # Errors
    ///
    /// A text about the first request that fails.
    fn perform(&mut self, job: &Job) -> Result<(), String>;
}

/// What is done, and who counts.
pub struct Matrix<'a> {
    requests: u64,
    region: Region,
    ops: &'static [Op],
    stats: Option<&'a StatisticsPage>,
}

impl<'a> Matrix<'a> {
    /// As the command line says, on a disk of `capacity` sectors. `stats` are the counters of the
    /// server, if there is one.
    ///
    /// # Errors
    ///
    /// A text about the option that is wrong.
    pub fn new(
        options: &Options,
        capacity: u64,
        stats: Option<&'a StatisticsPage>,
    ) -> Result<Matrix<'a>, String> {
        let region = Region::parse(options, capacity)?;
        if region.sectors * SECTOR_SIZE < LARGEST as u64 {
            return Err(format!("the region is smaller than {LARGEST} bytes"));
        }
        let requests = options.number("--requests", REQUESTS)?;
        let ops = if options.has("--write") { &[Op::Read, Op::Write][..] } else { &[Op::Read] };
        Ok(Matrix { requests, region, ops, stats })
    }

    /// Does all cells that `path` can do, and returns how many.
    ///
    /// # Errors
    ///
    /// A text that names the cell.
    pub fn run<P: Path>(&self, path: &mut P) -> Result<usize, String> {
        let (mut cells, most) = (0, path.depth());
        for &op in self.ops {
            for size in SIZES {
                for depth in DEPTHS.into_iter().filter(|d| *d <= most) {
                    self.cell(path, op, size, depth)?;
                    cells += 1;
                }
            }
        }
        Ok(cells)
    }

    fn cell<P: Path>(&self, path: &mut P, op: Op, size: u32, depth: usize) -> Result<(), String> {
        let name = format!("via={} op={op:?} size={size} depth={depth}", path.name());
        let job = Job { op, size, depth, requests: self.requests, region: self.region };
        let begin = self.read(path)?;
        path.perform(&job).map_err(|e| format!("{name}: {e}"))?;
        let end = self.read(path)?;
        println!("cell {name} requests={} {}", self.requests, begin.line(&end));
        Ok(())
    }

    fn read(&self, path: &impl Path) -> Result<Reading, String> {
        let server = self.stats.map(StatisticsPage::read).transpose().map_err(|e| e.to_string())?;
        Ok(Reading {
            events: path.events(),
            server: server.map(|s| s.totals),
            allocations: heap::stats().allocations,
            time: env::now(),
        })
    }
}

/// What is counted, at one moment.
struct Reading {
    events: Option<Events>,
    server: Option<Totals>,
    allocations: usize,
    time: u64,
}

impl Reading {
    /// What was counted between this reading and a later one.
    fn line(&self, end: &Reading) -> String {
        let allocations = end.allocations - self.allocations;
        let mut line = format!("us={} allocations={allocations}", end.time - self.time);
        if let (Some(a), Some(b)) = (&self.events, &end.events) {
            line +=
                &format!(" kicks={} interrupts={}", b.kicks - a.kicks, b.interrupts - a.interrupts);
        }
        if let (Some(a), Some(b)) = (&self.server, &end.server) {
            line += &format!(
                " server_requests={} device_kicks={} device_interrupts={} client_interrupts={} \
                 copied={} maps={} server_allocations={}",
                b.requests - a.requests,
                b.device_kicks - a.device_kicks,
                b.device_interrupts - a.device_interrupts,
                b.client_interrupts - a.client_interrupts,
                b.bytes_copied - a.bytes_copied,
                b.dma_maps - a.dma_maps,
                b.allocations - a.allocations
            );
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_stay_inside_of_the_region() {
        let region = Region { first: 100, sectors: 257 };
        let job = Job { op: Op::Read, size: 65536, depth: 1, requests: 9, region };
        let sectors: Vec<u64> = (0..4).map(|n| job.sector(n)).collect();
        assert_eq!(sectors, [100, 228, 100, 228]);
    }
}
