//! A long random load whose every byte is checked.
//!
//! The region is divided into blocks. Each has a generation that says with which seed it was
//! written last; a request writes the next generation to a run of blocks, or reads a run and
//! compares. Requests of a batch never overlap, so each block has one right content at any time.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::client::Disk;
use l4re_runtime::env::Env;
use l4re_runtime::virtio::block::SubmitError;
use l4re_runtime::virtio::spec::block::{Op, SECTOR_SIZE, Status};
use l4re_test_support::options::Options;
use l4re_test_support::pattern;

use crate::{Region, open};

/// Bytes of a block.
const BLOCK: usize = 4096;
const SECTORS: u64 = BLOCK as u64 / SECTOR_SIZE;
/// Most blocks of a request.
const RUN: u64 = 8;
/// Most requests of a batch.
const BATCH: u64 = 64;
/// Requests, unless the command line says otherwise.
const REQUESTS: u64 = 1 << 17;
const PATIENCE: Timeout = Timeout::from_micros(600_000_000);

/// Numbers without a pattern (xorshift64*), the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }
}

/// A request of a batch.
#[derive(Clone, Copy)]
struct Request {
    write: bool,
    first: u64,
    blocks: u64,
    /// Where its data are.
    offset: usize,
}

impl Request {
    fn overlaps(&self, other: &Request) -> bool {
        self.first < other.first + other.blocks && other.first < self.first + self.blocks
    }
}

struct Torture {
    disk: Disk,
    region: Region,
    random: Random,
    /// How often each block was written.
    generations: Vec<u32>,
}

/// Runs the load.
pub fn run(env: &Env, options: &Options) -> Result<String, String> {
    let disk = open(env, (BATCH * RUN) as usize * BLOCK)?;
    let region = Region::parse(options, disk.info().capacity)?;
    let blocks = (region.sectors / SECTORS).min(1 << 16);
    if blocks < RUN {
        return Err(format!("the region has less than {RUN} blocks of {BLOCK} bytes"));
    }
    let seed = options.number("--seed", 1u64)?;
    let generations = vec![0; blocks as usize];
    let mut torture = Torture { disk, region, random: Random(seed | 1), generations };
    torture.write_everything()?;
    let wanted = options.number("--requests", REQUESTS)?;
    let mut done = 0;
    while done < wanted {
        let batch = torture.batch();
        torture.perform(&batch)?;
        done += batch.len() as u64;
    }
    let c = torture.disk.counters();
    Ok(format!("{done} requests, at most {} in flight, {} kicks", c.max_in_flight, c.kicks))
}

impl Torture {
    fn blocks(&self) -> u64 {
        self.generations.len() as u64
    }

    /// Gives every block its first content.
    fn write_everything(&mut self) -> Result<(), String> {
        let mut first = 0;
        while first < self.blocks() {
            let mut batch = Vec::new();
            while first < self.blocks() && batch.len() < BATCH as usize {
                let blocks = RUN.min(self.blocks() - first);
                let offset = batch.len() * RUN as usize * BLOCK;
                batch.push(Request { write: true, first, blocks, offset });
                first += blocks;
            }
            self.perform(&batch)?;
        }
        Ok(())
    }

    /// Requests at random places that do not overlap.
    fn batch(&mut self) -> Vec<Request> {
        let wanted = 1 + self.random.below(BATCH);
        let mut batch: Vec<Request> = Vec::new();
        for i in 0..wanted {
            let blocks = 1 + self.random.below(RUN);
            let first = self.random.below(self.blocks() - blocks + 1);
            let write = self.random.below(2) == 0;
            let offset = i as usize * RUN as usize * BLOCK;
            let request = Request { write, first, blocks, offset };
            if !batch.iter().any(|r| r.overlaps(&request)) {
                batch.push(request);
            }
        }
        batch
    }

    /// Sends a batch, waits for all of it, and checks what was read.
    fn perform(&mut self, batch: &[Request]) -> Result<(), String> {
        let mut open = 0;
        for (tag, request) in (0..).zip(batch) {
            if request.write {
                self.prepare(request)?;
            }
            let sector = self.region.first + request.first * SECTORS;
            let len = request.blocks as u32 * BLOCK as u32;
            let op = if request.write { Op::Write } else { Op::Read };
            loop {
                match self.disk.submit(op, sector, request.offset, len, tag) {
                    Ok(()) => break,
                    Err(SubmitError::Busy) if open > 0 => self.reap(&mut open)?,
                    Err(e) => return Err(format!("request for sector {sector}: {e:?}")),
                }
            }
            open += 1;
        }
        while open > 0 {
            self.reap(&mut open)?;
        }
        batch.iter().filter(|r| !r.write).try_for_each(|r| self.check(r))
    }

    /// Waits until something completes.
    fn reap(&mut self, open: &mut usize) -> Result<(), String> {
        self.disk.publish();
        loop {
            let (mut count, mut failed) = (0, None);
            self.disk.complete(&mut |c| {
                count += 1;
                failed = failed.or((c.status != Status::Ok).then_some(c));
            });
            *open -= count;
            match failed {
                Some(c) => return Err(format!("request {}: {}", c.tag, c.status)),
                None if count > 0 => return Ok(()),
                None => self.disk.wait(PATIENCE).map_err(|e| e.to_string())?,
            }
        }
    }

    /// Puts the next generation of the blocks into the request's memory.
    fn prepare(&mut self, request: &Request) -> Result<(), String> {
        let mut data = [0; BLOCK];
        for i in 0..request.blocks {
            let block = request.first + i;
            let generation = self.generations.get_mut(block as usize).ok_or("no such block")?;
            *generation += 1;
            pattern::fill(u64::from(*generation), block * BLOCK as u64, &mut data);
            let at = request.offset + i as usize * BLOCK;
            self.disk.data().write_bytes(at, &data).ok_or("memory is gone")?;
        }
        Ok(())
    }

    fn check(&self, request: &Request) -> Result<(), String> {
        let mut data = [0; BLOCK];
        for i in 0..request.blocks {
            let block = request.first + i;
            let generation = *self.generations.get(block as usize).ok_or("no such block")?;
            let at = request.offset + i as usize * BLOCK;
            self.disk.data().read_bytes(at, &mut data).ok_or("memory is gone")?;
            let start = block * BLOCK as u64;
            if let Some(p) = pattern::difference(u64::from(generation), start, &data) {
                let byte = data[(p - start) as usize];
                return Err(format!(
                    "block {block}, generation {generation}: byte {} is {byte:#04x}",
                    p - start
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_symmetric_and_neighbours_do_not() {
        let r = |first, blocks| Request { write: false, first, blocks, offset: 0 };
        for (a, b, expected) in [(r(0, 4), r(3, 1), true), (r(0, 4), r(4, 1), false)] {
            assert_eq!((a.overlaps(&b), b.overlaps(&a)), (expected, expected));
        }
    }

    #[test]
    fn random_numbers_stay_below_their_limit_and_cover_it() {
        let mut random = Random(1);
        let mut seen = [false; 8];
        for _ in 0..1000 {
            seen[random.below(8) as usize] = true;
        }
        assert!(seen.iter().all(|s| *s));
    }
}
