//! Clients that reset, give up or end at the worst moment.

use alloc::vec::Vec;

use l4re_runtime::Error;
use l4re_runtime::cap::{Object, Task};
use l4re_runtime::client::DriverMemory;

use crate::hostile::{BASE, DATA, DESC, ENTRIES, HEADER, Hostile, NO_STATUS, SIZE, STATUS};
use crate::rig::{Case, Outcome, Rig, named, refused, same};

pub const CASES: &[Case] = &[
    Case { name: "a reset with requests in flight", run: reset },
    Case { name: "a reset while a reset is under way", run: reset_twice },
    Case { name: "a client that ends with requests in flight", run: death },
    Case { name: "a client that ends in each stage of its start", run: death_early },
    Case { name: "a client that gives up and comes back", run: give_up },
    Case { name: "notifications before anything is set up", run: early_kicks },
    Case { name: "a page full of nonsense", run: page },
    Case { name: "many clients come and go", run: come_and_go },
    Case { name: "memory that is deleted while it is registered", run: take_memory_away },
    Case { name: "data in memory that is deleted before it is used", run: delete_data },
];

/// Chains for the whole queue, each a read of as much as there is room for.
fn fill(client: &mut Hostile) {
    client.header(0, 0);
    let heads: Vec<u16> = (0..ENTRIES / 3).map(|n| n * 3).collect();
    for head in heads {
        client.describe(DESC, head, (HEADER, 16, 1, head + 1));
        client.describe(DESC, head + 1, (DATA, 0x8000, 3, head + 2));
        client.describe(DESC, head + 2, (STATUS, 1, 2, 0));
        client.offer(head, 1);
    }
}

fn reset(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for _ in 0..5 {
        fill(&mut client);
        client.start()?;
    }
    client.read_properly()
}

fn reset_twice(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    fill(&mut client);
    for status in [0, 0, 1, 3, 0xb, 0xf, 0] {
        match client.gate.set_status(status) {
            Ok(()) | Err(Error::AGAIN) => {}
            other => refused("status", other, &[])?,
        }
        // Neither may this take anything that is under way for finished.
        let _ = client.gate.config_queue(0);
    }
    client.start()?;
    client.read_properly()
}

fn death(rig: &mut Rig) -> Outcome {
    for _ in 0..5 {
        let mut client = Hostile::running(rig)?;
        fill(&mut client);
        drop(client);
    }
    Ok(())
}

fn death_early(rig: &mut Rig) -> Outcome {
    drop(Hostile::connect(rig, &["shared"])?);
    let mut client = Hostile::connect(rig, &["shared"])?;
    client.acknowledge()?;
    named("register", client.register(0x20_0000, 0, 0x1_0000))?;
    drop(client);
    let mut client = Hostile::connect(rig, &["shared"])?;
    client.acknowledge()?;
    client.negotiate(client.features())?;
    drop(client);
    drop(Hostile::running(rig)?);
    Ok(())
}

fn give_up(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    fill(&mut client);
    let _ = client.gate.set_status(0x8f);
    client.expect_stopped()?;
    client.offer(0, 1);
    client.start()?;
    client.read_properly()
}

fn early_kicks(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::connect(rig, &["shared"])?;
    for _ in 0..100 {
        named("kick", client.kick.trigger())?;
    }
    client.reset()?;
    for _ in 0..100 {
        named("kick", client.kick.trigger())?;
    }
    client.start()?;
    client.read_properly()
}

fn page(rig: &mut Rig) -> Outcome {
    let client = Hostile::running(rig)?;
    for byte in [0xff, 0, 0x5a] {
        // Overwrites magic, status, command register, queue structures, configuration.
        for at in 0..client.page.len() {
            let _ = client.page.write_u8(at, byte);
        }
        let _ = client.kick.trigger();
        let _ = client.gate.config_queue(0);
        let _ = client.gate.set_status(0xf);
    }
    Ok(())
}

fn come_and_go(rig: &mut Rig) -> Outcome {
    for _ in 0..3 {
        let crowd: Result<Vec<Hostile>, _> = (0..8).map(|_| Hostile::running(rig)).collect();
        for client in &mut crowd? {
            client.read_properly()?;
        }
    }
    Ok(())
}

/// The queue vanishes from under the server, which has to look at it.
fn take_memory_away(rig: &mut Rig) -> Outcome {
    for _ in 0..3 {
        let mut client = Hostile::running(rig)?;
        client.read_properly()?;
        // Nothing is in flight: the device must not write to memory that is somebody else's then.
        named("delete", Task::own().delete(client.memory.dataspace().sel()))?;
        named("kick", client.kick.trigger())?;
        client.expect_stopped()?;
        rig.check_good_client_reads()?;
    }
    Ok(())
}

/// The data of a request are in a dataspace of their own, which the server itself never touches: it
/// finds out all the same that the client does not have it any more, before the device gets it.
fn delete_data(rig: &mut Rig) -> Outcome {
    for kind in [0, 1] {
        let mut client = Hostile::connect(rig, &["shared"])?;
        client.start()?;
        let size = 0x1000;
        let data = named("data", DriverMemory::new(size))?;
        let elsewhere = BASE + SIZE as u64;
        named("register", client.gate.register_ds(elsewhere, data.dataspace(), 0, size as u64))?;
        let chain = [(HEADER, 16, false), (elsewhere, 512, kind == 0), (STATUS, 1, true)];
        if kind == 0 {
            let status = client.request(kind, 0, &chain)?;
            same("a proper request", status, 0)?;
        }
        named("delete", Task::own().delete(data.dataspace().sel()))?;
        client.header(kind, 0);
        client.chain(DESC, &chain);
        client.offer(0, 1);
        client.expect_stopped()?;
        same("status byte", client.status_byte(), NO_STATUS)?;
        rig.check_good_client_reads()?;
    }
    Ok(())
}

/// What `blk-faults die` does: leaves requests in flight, for a task that ends at once.
///
/// # Errors
///
/// If it does not come so far.
pub fn start_and_forget(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    fill(&mut client);
    // The kernel takes everything away, with no destructor run.
    core::mem::forget(client);
    Ok(())
}
