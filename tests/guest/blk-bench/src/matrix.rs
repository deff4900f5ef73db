//! Sizes, depths and directions, a line each.

use alloc::format;
use alloc::string::{String, ToString};

use l4re_runtime::client::{Disk, StatisticsPage};
use l4re_runtime::env::{self, Env};
use l4re_runtime::mem::Dataspace;
use l4re_runtime::println;
use l4re_runtime::serve::stats::Totals;
use l4re_runtime::virtio::spec::block::{Op, SECTOR_SIZE};
use l4re_test_support::options::Options;
use l4re_test_support::transfer::Plan;

use crate::{Region, open};

const SIZES: [u32; 3] = [512, 4096, 64 * 1024];
const DEPTHS: [usize; 3] = [1, 8, 32];
/// Requests of a cell, unless the region is too small for as many.
const REQUESTS: u64 = 1024;

/// What is counted, at one moment.
struct Reading {
    time: u64,
    requests: u64,
    kicks: u64,
    interrupts: u64,
    server: Option<Totals>,
}

impl Reading {
    fn take(disk: &Disk, stats: Option<&StatisticsPage>) -> Result<Reading, String> {
        let counters = disk.counters();
        let server = stats.map(StatisticsPage::read).transpose().map_err(|e| e.to_string())?;
        Ok(Reading {
            time: env::now(),
            requests: counters.used,
            kicks: counters.kicks,
            interrupts: disk.interrupts(),
            server: server.map(|s| s.totals),
        })
    }

    /// The line of a cell that began with this reading.
    fn line(&self, end: &Reading) -> String {
        let requests = end.requests - self.requests;
        let (kicks, interrupts) = (end.kicks - self.kicks, end.interrupts - self.interrupts);
        let us = end.time - self.time;
        let mut line = format!(
            "requests={requests} us={us} ns_per_request={} kicks={kicks} interrupts={interrupts} \
             notifications_per_1000={}",
            us * 1000 / requests.max(1),
            (kicks + interrupts) * 1000 / requests.max(1)
        );
        if let (Some(a), Some(b)) = (&self.server, &end.server) {
            line += &format!(
                " device_kicks={} device_interrupts={} copied={} maps={} allocations={}",
                b.device_kicks - a.device_kicks,
                b.device_interrupts - a.device_interrupts,
                b.bytes_copied - a.bytes_copied,
                b.dma_maps - a.dma_maps,
                b.allocations - a.allocations
            );
        }
        line
    }
}

/// Runs all cells.
pub fn run(env: &Env, options: &Options) -> Result<String, String> {
    let stats = env.cap::<Dataspace>("stats").ok().map(StatisticsPage::attach).transpose();
    let stats = stats.map_err(|e| format!("statistics: {e}"))?;
    let most = SIZES[SIZES.len() - 1] as usize * DEPTHS[DEPTHS.len() - 1];
    let mut disk = open(env, most)?;
    let region = Region::parse(options, &disk)?;
    let requests = options.number("--requests", REQUESTS)?;
    let ops: &[Op] = if options.has("--write") { &[Op::Read, Op::Write] } else { &[Op::Read] };
    let mut cells = 0;
    for op in ops {
        for size in SIZES {
            for depth in DEPTHS {
                cell(&mut disk, stats.as_ref(), region, (*op, size, depth), requests)?;
                cells += 1;
            }
        }
    }
    Ok(format!("{cells} cells"))
}

fn cell(
    disk: &mut Disk,
    stats: Option<&StatisticsPage>,
    region: Region,
    (op, size, depth): (Op, u32, usize),
    requests: u64,
) -> Result<(), String> {
    let per_request = u64::from(size) / SECTOR_SIZE;
    let sectors = (requests * per_request).min(region.sectors / per_request * per_request);
    if !size.is_multiple_of(disk.info().block_size) || sectors == 0 {
        println!("cell via=l4virtio op={op:?} size={size} depth={depth} skipped");
        return Ok(());
    }
    let plan = Plan { op, first: region.first, sectors, chunk: size, depth };
    let begin = Reading::take(disk, stats)?;
    plan.run(disk, |_, _| Ok::<(), &str>(())).map_err(|e| e.to_string())?;
    let end = Reading::take(disk, stats)?;
    println!("cell via=l4virtio op={op:?} size={size} depth={depth} {}", begin.line(&end));
    Ok(())
}
