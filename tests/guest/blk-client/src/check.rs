//! Reading, hashing, writing, comparing.

use alloc::format;
use alloc::string::{String, ToString};

use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::client::Disk;
use l4re_runtime::mem::SharedMem;
use l4re_runtime::virtio::spec::block::{Op, SECTOR_SIZE, Status};
use l4re_test_support::pattern;
use l4re_test_support::result::report;
use l4re_test_support::transfer::Plan;
use sha2::{Digest, Sha256};

use crate::Job;

/// Bytes that are looked at together.
const STEP: usize = 4096;
/// How long the server may take to make the data durable.
const FLUSH: Timeout = Timeout::from_micros(600_000_000);

/// Reads the disk from its first sector to its last and reports the hash of the data.
pub fn read_all(disk: &mut Disk, job: &Job) -> Result<(), String> {
    let sectors = disk.info().capacity;
    let plan = Plan { op: Op::Read, first: 0, sectors, chunk: job.chunk, depth: job.depth };
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    plan.run(disk, |_, mem| {
        bytes += mem.len() as u64;
        pieces(&mem, |_, piece| {
            hash.update(&*piece);
            Ok(())
        })
    })
    .map_err(|e| e.to_string())?;
    report("bytes_read", bytes);
    let digest = hash.finalize();
    report("sha256", digest.iter().map(|b| format!("{b:02x}")).collect::<String>());
    Ok(())
}

/// Writes the region, makes it durable, reads it back and compares.
pub fn write_and_verify(disk: &mut Disk, job: &Job) -> Result<(), String> {
    let region =
        Plan { op: Op::Write, first: job.write_at, sectors: job.write_sectors, ..plan(job) };
    region
        .run(disk, |position, mem| {
            let mut piece = [0; STEP];
            for at in (0..mem.len()).step_by(STEP) {
                let piece = &mut piece[..STEP.min(mem.len() - at)];
                pattern::fill(job.seed, position + at as u64, piece);
                mem.write_bytes(at, piece).ok_or("memory is gone")?;
            }
            Ok::<(), &str>(())
        })
        .map_err(|e| format!("writing: {e}"))?;
    flush(disk)?;
    Plan { op: Op::Read, ..region }
        .run(disk, |position, mem| {
            pieces(&mem, |at, piece| {
                match pattern::difference(job.seed, position + at as u64, piece) {
                    None => Ok(()),
                    Some(p) => Err(format!("byte {p} of sector {} is wrong", p / SECTOR_SIZE)),
                }
            })
        })
        .map_err(|e| format!("reading back: {e}"))?;
    report("write_ok", 1);
    report("bytes_written", job.write_sectors * SECTOR_SIZE);
    Ok(())
}

fn plan(job: &Job) -> Plan {
    Plan { op: Op::Read, first: 0, sectors: 0, chunk: job.chunk, depth: job.depth }
}

/// Hands memory over piece by piece, each with its offset.
fn pieces(
    mem: &SharedMem,
    mut visit: impl FnMut(usize, &mut [u8]) -> Result<(), String>,
) -> Result<(), String> {
    let mut piece = [0; STEP];
    for at in (0..mem.len()).step_by(STEP) {
        let piece = &mut piece[..STEP.min(mem.len() - at)];
        mem.read_bytes(at, piece).ok_or("memory is gone")?;
        visit(at, piece)?;
    }
    Ok(())
}

/// A disk without the command has nothing to make durable.
fn flush(disk: &mut Disk) -> Result<(), String> {
    if !disk.info().flush {
        return Ok(());
    }
    disk.submit(Op::Flush, 0, 0, 0, 0).map_err(|e| format!("flush is refused: {e:?}"))?;
    disk.publish();
    let mut status = None;
    loop {
        disk.complete(&mut |c| status = Some(c.status));
        match status {
            Some(Status::Ok) => return Ok(()),
            Some(other) => return Err(format!("flush: {other}")),
            None => disk.wait(FLUSH).map_err(|e| format!("no answer to a flush: {e}"))?,
        }
    }
}
