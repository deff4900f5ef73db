//! Memory that a client must not be able to register.

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::item::SendItem;
use l4re_runtime::abi::timeout::{Timeout, Timeouts};
use l4re_runtime::abi::{l4virtio as op, proto};
use l4re_runtime::cap::Object;
use l4re_runtime::ipc::{self, Msg, Window};
use l4re_runtime::{Error, Result};

use crate::hostile::{BASE, Hostile, SIZE};
use crate::rig::{Case, Outcome, Rig, named, refused};

pub const CASES: &[Case] = &[
    Case { name: "dataspaces smaller than claimed are refused", run: too_small },
    Case { name: "read-only dataspaces are refused", run: read_only },
    Case { name: "device addresses that overlap are refused", run: overlap },
    Case { name: "the same memory under two device addresses", run: same_memory },
    Case { name: "empty and overflowing ranges are refused", run: overflow },
    Case { name: "no more dataspaces than ds-max", run: limit },
    Case { name: "what is no dataspace is refused, and never called", run: impostor },
    Case { name: "a refused dataspace leaves the client usable", run: goes_on },
];

const PAGE: u64 = 0x1000;
const LENGTH: u64 = SIZE as u64;

fn acknowledged(
    rig: &Rig,
    options: &[&str],
) -> core::result::Result<Hostile, alloc::string::String> {
    let mut client = Hostile::connect(rig, options)?;
    client.acknowledge()?;
    Ok(client)
}

fn too_small(rig: &mut Rig) -> Outcome {
    let client = acknowledged(rig, &["shared"])?;
    for (offset, size) in [(0, LENGTH + PAGE), (PAGE, LENGTH), (LENGTH, PAGE), (1 << 40, PAGE)] {
        refused("size", client.register(BASE, offset, size), &[Error::RANGE, Error::INVAL])?;
    }
    Ok(())
}

/// Registers whatever `item` is, giving a server that hangs ten minutes.
fn register_item(client: &Hostile, item: SendItem) -> Result<usize> {
    let limit = Timeout::from_micros(600_000_000);
    let mut msg = Msg::of(&[op::REGISTER_DS as usize, BASE as usize, 0, SIZE]).with_item(item);
    let timeouts = Timeouts { send: limit, recv: limit };
    ipc::call_within(client.gate.sel(), proto::NONE, &mut msg, Window::None, timeouts)
}

fn read_only(rig: &mut Rig) -> Outcome {
    let client = acknowledged(rig, &["shared"])?;
    let item = SendItem::cap(client.memory.dataspace().sel(), rights::R, 0);
    refused("right", register_item(&client, item), &[Error::ACCESS, Error::PERM, Error::INVAL])
}

fn overlap(rig: &mut Rig) -> Outcome {
    let client = acknowledged(rig, &["shared", "ds-max=8"])?;
    let half = LENGTH / 2;
    named("first", client.register(BASE, 0, half))?;
    for base in [BASE, BASE + PAGE, BASE - PAGE, BASE + half - PAGE, BASE - half + PAGE] {
        refused("overlap", client.register(base, half, half), &[Error::EXIST, Error::INVAL])?;
    }
    named("behind", client.register(BASE + half, half, PAGE))?;
    named("in front", client.register(BASE - PAGE, half + PAGE, PAGE))
}

/// DMA spaces of L4Re do not take the same memory twice, so a server may refuse it.
fn same_memory(rig: &mut Rig) -> Outcome {
    let mut client = acknowledged(rig, &["shared", "ds-max=8"])?;
    named("first", client.register(BASE, 0, LENGTH))?;
    match client.register(BASE + LENGTH, 0, LENGTH) {
        Ok(()) | Err(Error::EXIST) => {}
        other => refused("the same again", other, &[])?,
    }
    client.start()?;
    client.read_properly()
}

fn overflow(rig: &mut Rig) -> Outcome {
    let client = acknowledged(rig, &["shared"])?;
    let expected = [Error::INVAL, Error::RANGE];
    refused("empty", client.register(BASE, 0, 0), &expected)?;
    for base in [u64::MAX, u64::MAX - PAGE + 1, u64::MAX - LENGTH + 2] {
        refused("address", client.register(base, 0, LENGTH), &expected)?;
    }
    for (offset, size) in [(u64::MAX, PAGE), (u64::MAX - PAGE + 1, PAGE), (0, u64::MAX)] {
        refused("range", client.register(BASE, offset, size), &expected)?;
    }
    refused("both", client.register(u64::MAX - 7, 8, u64::MAX), &expected)
}

fn limit(rig: &mut Rig) -> Outcome {
    let mut client = acknowledged(rig, &["shared", "ds-max=3"])?;
    let fill = |client: &Hostile| {
        for i in 0..3 {
            named("within", client.register(BASE + i * PAGE, i * PAGE, PAGE))?;
        }
        refused("one more", client.register(BASE + 3 * PAGE, 3 * PAGE, PAGE), &[Error::NOMEM])
    };
    fill(&client)?;
    // A reset gives all of them back.
    client.acknowledge()?;
    fill(&client)
}

/// An own gate in place of a dataspace: a server that calls it waits for its own client.
fn impostor(rig: &mut Rig) -> Outcome {
    let client = acknowledged(rig, &["shared"])?;
    let thread = rig.env.main_thread();
    let gate = named("gate", rig.env.factory().gate(&thread, 0x40))?;
    let irq = named("irq", rig.env.factory().irq())?;
    let expected = [Error::INVAL, Error::PERM, Error::BADPROTO];
    let item = SendItem::cap(gate.sel(), rights::RWS, 0);
    refused("gate", register_item(&client, item), &expected)?;
    let item = SendItem::cap(irq.sel(), rights::RWS, 0);
    refused("irq", register_item(&client, item), &expected)?;
    let item = SendItem::cap(client.gate.sel(), rights::RWS, 0);
    // The server's own object arrives there as no capability at all.
    let expected = [Error::INVAL, Error::PERM, Error::BADPROTO, Error::MSGMISSARG];
    refused("the device itself", register_item(&client, item), &expected)
}

fn goes_on(rig: &mut Rig) -> Outcome {
    let mut client = acknowledged(rig, &["shared"])?;
    refused("empty", client.register(BASE, 0, 0), &[Error::INVAL, Error::RANGE])?;
    client.start()?;
    client.read_properly()
}
