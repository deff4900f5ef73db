//! Requests that are sent properly and ask for something impossible.

use alloc::format;
use alloc::string::String;

use l4re_runtime::virtio::spec::block::feature;

use crate::hostile::{DATA, HEADER, Hostile, NO_STATUS, Part, STATUS, until};
use crate::rig::{Case, Outcome, Rig, same};

pub const CASES: &[Case] = &[
    Case { name: "unknown request types are unsupported", run: unknown },
    Case { name: "a header that is too short is an error", run: short_header },
    Case { name: "lengths that are no whole sectors are an error", run: unaligned },
    Case { name: "sectors outside of the disk are an error", run: outside },
    Case { name: "a request without data is an error", run: no_data },
    Case { name: "data in the wrong direction are an error", run: wrong_direction },
    Case { name: "discards with bad ranges are refused", run: discard },
    Case { name: "a read-only client cannot change the disk", run: read_only },
    Case { name: "a header in pieces is read as one", run: pieces },
    Case { name: "requests that fail leave the queue usable", run: many },
    Case { name: "a client without FLUSH gets its writes flushed", run: write_through },
];

const OK: u8 = 0;
const IOERR: u8 = 1;
const UNSUPP: u8 = 2;

const READ: u32 = 0;
const WRITE: u32 = 1;
const DISCARD: u32 = 11;
const WRITE_ZEROES: u32 = 13;

const HEAD: Part = (HEADER, 16, false);
const TAIL: Part = (STATUS, 1, true);

fn unknown(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for kind in [2, 3, 5, 7, 9, 10, 12, 14, 0x100, 0x8000_0000, u32::MAX] {
        let status = client.request(kind, 0, &[HEAD, (DATA, 512, true), TAIL])?;
        same(&format!("type {kind:#x}"), status, UNSUPP)?;
    }
    Ok(())
}

fn short_header(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for len in [1, 8, 15] {
        let status = client.request(READ, 0, &[(HEADER, len, false), (DATA, 512, true), TAIL])?;
        same(&format!("{len} bytes"), status, IOERR)?;
    }
    Ok(())
}

fn unaligned(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for len in [1, 511, 513, 4095] {
        for (kind, write) in [(READ, true), (WRITE, false)] {
            let status = client.request(kind, 0, &[HEAD, (DATA, len, write), TAIL])?;
            same(&format!("type {kind}, {len} bytes"), status, IOERR)?;
        }
    }
    Ok(())
}

fn outside(rig: &mut Rig) -> Outcome {
    let capacity = rig.capacity();
    let mut client = Hostile::running(rig)?;
    for sector in [capacity, capacity - 1, capacity + 1, 1 << 55, u64::MAX - 1, u64::MAX] {
        for (kind, write) in [(READ, true), (WRITE, false)] {
            let status = client.request(kind, sector, &[HEAD, (DATA, 1024, write), TAIL])?;
            same(&format!("type {kind}, sector {sector}"), status, IOERR)?;
        }
    }
    let status = client.request(READ, capacity - 1, &[HEAD, (DATA, 512, true), TAIL])?;
    same("the last sector", status, OK)
}

fn no_data(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for kind in [READ, WRITE] {
        let status = client.request(kind, 0, &[HEAD, TAIL])?;
        same(&format!("type {kind}"), status, IOERR)?;
    }
    Ok(())
}

fn wrong_direction(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for (kind, write) in [(READ, false), (WRITE, true)] {
        let status = client.request(kind, 0, &[HEAD, (DATA, 512, write), TAIL])?;
        same(&format!("type {kind}"), status, IOERR)?;
    }
    Ok(())
}

/// One range as the specification lays it out.
fn range(client: &Hostile, sector: u64, sectors: u32, flags: u32) {
    client.write(DATA, &sector.to_le_bytes());
    client.write(DATA + 8, &sectors.to_le_bytes());
    client.write(DATA + 12, &flags.to_le_bytes());
}

/// No request here may change the disk: each has something wrong with it.
fn discard(rig: &mut Rig) -> Outcome {
    let capacity = rig.capacity();
    let mut client = Hostile::running(rig)?;
    for (kind, bit) in [(DISCARD, feature::DISCARD), (WRITE_ZEROES, feature::WRITE_ZEROES)] {
        if client.features() & bit == 0 {
            let status = client.request(kind, 0, &[HEAD, (DATA, 16, false), TAIL])?;
            same("not offered", status, UNSUPP)?;
            continue;
        }
        for (sector, sectors) in [(0, 0), (capacity, 1), (capacity - 1, 2), (u64::MAX, 1)] {
            range(&client, sector, sectors, 0);
            let status = client.request(kind, 0, &[HEAD, (DATA, 16, false), TAIL])?;
            same(&format!("type {kind}, {sectors} sectors at {sector}"), status, IOERR)?;
        }
        range(&client, capacity, 1, 0xffff_fffe);
        let status = client.request(kind, 0, &[HEAD, (DATA, 16, false), TAIL])?;
        same("unknown flags", status, UNSUPP)?;
        range(&client, capacity, 1, 0);
        for len in [1, 15, 17, 16 * 512] {
            let status = client.request(kind, 0, &[HEAD, (DATA, len, false), TAIL])?;
            same(&format!("ranges of {len} bytes"), status, IOERR)?;
        }
    }
    Ok(())
}

fn read_only(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running_with(rig, &["shared", "read-only"])?;
    same("feature RO", client.features() & feature::RO, feature::RO)?;
    client.write(DATA, &[0xa5; 512]);
    let status = client.request(WRITE, 0, &[HEAD, (DATA, 512, false), TAIL])?;
    same("write", status, IOERR)?;
    range(&client, 0, 8, 0);
    for kind in [DISCARD, WRITE_ZEROES] {
        let status = client.request(kind, 0, &[HEAD, (DATA, 16, false), TAIL])?;
        same(&format!("type {kind}"), status == IOERR || status == UNSUPP, true)?;
    }
    client.read_properly()
}

fn pieces(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    let parts = [
        (HEADER, 3, false),
        (HEADER + 3, 6, false),
        (HEADER + 9, 7, false),
        (DATA, 200, true),
        (DATA + 200, 312, true),
        TAIL,
    ];
    same("status", client.request(READ, 0, &parts)?, OK)
}

fn many(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for i in 0..300 {
        let status = client.request(READ, u64::MAX - i, &[HEAD, (DATA, 512, true), TAIL])?;
        if status == OK || status == NO_STATUS {
            return Err(format!("request {i} ends with status {status:#x}"));
        }
    }
    client.read_properly()
}

/// What the disk holds is written back to it, so that it is the same afterwards.
fn write_through(rig: &mut Rig) -> Outcome {
    let flushes = |rig: &Rig| rig.stats.read().map_or(0, |s| s.totals.flushes);
    let writes = |mask: u64| {
        let mut client = Hostile::connect(rig, &["shared"])?;
        let offered = client.features() & feature::FLUSH != 0;
        client.start_with(client.features() & mask)?;
        client.read_properly()?;
        let before = flushes(rig);
        let status = client.request(WRITE, 0, &[HEAD, (DATA, 512, false), TAIL])?;
        same("write", status, OK)?;
        let after = || flushes(rig) - before;
        until(|| after() > 0 || mask == u64::MAX);
        Ok::<_, String>((after(), offered))
    };
    let (sent, _) = writes(u64::MAX)?;
    same("flushes for a client that sends them itself", sent, 0)?;
    let (sent, offered) = writes(!feature::FLUSH)?;
    same("flushes for one that does not", sent, u64::from(offered))
}
