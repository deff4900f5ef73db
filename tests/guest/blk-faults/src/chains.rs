//! Chains of descriptors that loop, leave their table, or contradict themselves.

use alloc::format;

use l4re_runtime::virtio::spec::ring::{DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE};

use crate::hostile::{BASE, DATA, DESC, Desc, ENTRIES, HEADER, Hostile, Part, SIZE, STATUS, TABLE};
use crate::rig::{Case, Outcome, Rig};

pub const CASES: &[Case] = &[
    Case { name: "a chain that loops stops the device", run: loops },
    Case { name: "a chain that leaves its table stops the device", run: next_range },
    Case { name: "a head that is not there stops the device", run: head_range },
    Case { name: "an available index that jumps stops the device", run: index_jump },
    Case { name: "indirect tables of impossible length stop the device", run: indirect_length },
    Case { name: "indirect tables inside of indirect tables stop the device", run: nested },
    Case { name: "an indirect descriptor with a successor stops the device", run: indirect_next },
    Case {
        name: "indirect tables outside of registered memory stop the device",
        run: indirect_away,
    },
    Case { name: "buffers without bytes stop the device", run: empty },
    Case { name: "a readable buffer behind a writable one stops the device", run: order },
    Case { name: "a request without a status byte stops the device", run: no_status },
    Case { name: "buffers outside of registered memory are never touched", run: outside },
    Case { name: "the same chain offered twice harms nobody", run: twice },
];

/// A read of one sector.
const READ: [Part; 3] = [(HEADER, 16, false), (DATA, 512, true), (STATUS, 1, true)];
const END: u64 = BASE + SIZE as u64;

/// Starts the device, lets `write` make a chain at descriptor 0, and offers it: the device has to
/// stop. After all of them it can be used again.
fn each_stops<T: core::fmt::Debug>(
    rig: &Rig,
    variants: &[T],
    write: impl Fn(&Hostile, &T),
) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for variant in variants {
        client.start()?;
        client.header(0, 0);
        client.chain(DESC, &READ);
        write(&client, variant);
        client.offer(0, 1);
        client.expect_stopped().map_err(|e| format!("{variant:x?}: {e}"))?;
    }
    client.start()?;
    client.read_properly()
}

fn loops(rig: &mut Rig) -> Outcome {
    // To itself, and back over two and three descriptors.
    each_stops(rig, &[(0u16, 0u16), (1, 0), (1, 1), (2, 0), (2, 1)], |client, &(at, to)| {
        let (addr, len, write) = READ[usize::from(at)];
        let flags = DESC_F_NEXT | if write { DESC_F_WRITE } else { 0 };
        client.describe(DESC, at, (addr, len, flags, to));
    })
}

fn next_range(rig: &mut Rig) -> Outcome {
    each_stops(rig, &[ENTRIES, ENTRIES + 1, 0x8000, 0xffff], |client, &next| {
        client.describe(DESC, 0, (HEADER, 16, DESC_F_NEXT, next));
    })
}

fn head_range(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for head in [ENTRIES, ENTRIES + 1, 0x8000, 0xffff] {
        client.start()?;
        client.offer(head, 1);
        client.expect_stopped().map_err(|e| format!("head {head}: {e}"))?;
    }
    client.start()?;
    client.read_properly()
}

fn index_jump(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for step in [ENTRIES + 1, 0x100, 0x8000, 0xffff] {
        client.start()?;
        client.header(0, 0);
        client.chain(DESC, &READ);
        client.offer(0, step);
        client.expect_stopped().map_err(|e| format!("step {step}: {e}"))?;
    }
    client.start()?;
    client.read_properly()
}

/// Descriptor 0 as an indirect one.
fn indirect(client: &Hostile, (addr, len, flags, next): Desc) {
    client.chain(TABLE, &READ);
    client.describe(DESC, 0, (addr, len, flags | DESC_F_INDIRECT, next));
}

fn indirect_length(rig: &mut Rig) -> Outcome {
    each_stops(rig, &[0, 1, 15, 17, 47, 0xffff_fff0, u32::MAX], |client, &len| {
        indirect(client, (TABLE, len, 0, 0));
    })
}

fn nested(rig: &mut Rig) -> Outcome {
    each_stops(rig, &[0u16, 1, 2], |client, &at| {
        indirect(client, (TABLE, 48, 0, 0));
        let flags = DESC_F_INDIRECT | if at < 2 { DESC_F_NEXT } else { 0 };
        client.describe(TABLE, at, (TABLE, 48, flags, at + 1));
    })
}

fn indirect_next(rig: &mut Rig) -> Outcome {
    each_stops(rig, &[1u16, 0, ENTRIES], |client, &next| {
        indirect(client, (TABLE, 48, DESC_F_NEXT, next));
    })
}

fn indirect_away(rig: &mut Rig) -> Outcome {
    each_stops(rig, &[0, BASE - 48, END - 32, END, u64::MAX - 15], |client, &addr| {
        indirect(client, (addr, 48, 0, 0));
    })
}

fn empty(rig: &mut Rig) -> Outcome {
    each_stops(rig, &[0usize, 1, 2], |client, &at| {
        let mut parts = READ;
        parts[at].1 = 0;
        client.chain(DESC, &parts);
    })
}

fn order(rig: &mut Rig) -> Outcome {
    each_stops(rig, &[(true, false, true), (true, true, false)], |client, &(a, b, c)| {
        let mut parts = READ;
        (parts[0].2, parts[1].2, parts[2].2) = (a, b, c);
        client.chain(DESC, &parts);
    })
}

fn no_status(rig: &mut Rig) -> Outcome {
    let variants: [&[Part]; 4] = [
        &[(HEADER, 16, false)],
        &[(HEADER, 16, false), (DATA, 512, false)],
        &[(HEADER, 16, false), (DATA, 512, true), (0, 1, true)],
        &[(HEADER, 16, false), (DATA, 512, true), (END, 1, true)],
    ];
    each_stops(rig, &variants, |client, parts| client.chain(DESC, parts))
}

/// Data that are not there: the request fails, or the device stops; it must not read or write.
fn outside(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for (addr, len) in [
        (0, 512),
        (BASE - 512, 512),
        (BASE - 256, 512),
        (END - 256, 512),
        (END, 512),
        (DATA, 0x10_0000),
        (DATA, 0x8000_0000),
        (DATA, 0xffff_fe00),
        (u64::MAX - 511, 512),
        (u64::MAX - 255, 512),
    ] {
        for (kind, write) in [(0, true), (1, false)] {
            client.start()?;
            let parts = [(HEADER, 16, false), (addr, len, write), (STATUS, 1, true)];
            let status = client.request(kind, 0, &parts);
            if status == Ok(0) {
                return Err(format!("request with data at {addr:#x}, {len:#x} bytes: done"));
            }
        }
    }
    client.start()?;
    client.read_properly()
}

/// Whether the first is done before the second is seen is a matter of time.
fn twice(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    for _ in 0..8 {
        client.header(0, 0);
        client.chain(DESC, &READ);
        client.offer(0, 1);
        client.offer(0, 1);
        if client.answer().and_then(|_| client.answer()).is_err() {
            client.expect_stopped()?;
            client.start()?;
        }
    }
    client.start()?;
    client.read_properly()
}
