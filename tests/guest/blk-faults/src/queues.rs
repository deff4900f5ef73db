//! Status, features and queues in ways that the specification forbids.

use alloc::format;

use l4re_runtime::Error;
use l4re_runtime::virtio::spec::feature;

use crate::hostile::{AVAIL, BASE, DESC, ENTRIES, Hostile, SIZE, USED};
use crate::rig::{Case, Outcome, Rig, named, refused};

pub const CASES: &[Case] = &[
    Case { name: "a queue before the status DRIVER is refused", run: too_early },
    Case { name: "a queue that is not there is refused", run: no_such_queue },
    Case { name: "steps of the status cannot be left out", run: steps },
    Case { name: "status bits cannot be cleared one by one", run: backwards },
    Case { name: "unknown status bits harm nobody", run: unknown_bits },
    Case { name: "features that are not offered are refused", run: features },
    Case { name: "impossible queue sizes are refused", run: sizes },
    Case { name: "misaligned queues are refused", run: misaligned },
    Case { name: "queues outside of registered memory are refused", run: outside },
    Case { name: "a queue is not moved while it is in use", run: moved },
];

fn too_early(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::connect(rig, &["shared"])?;
    client.reset()?;
    refused("status 0", client.gate.config_queue(0), &[Error::IO])?;
    named("acknowledge", client.gate.set_status(1))?;
    refused("status 1", client.gate.config_queue(0), &[Error::IO])
}

fn no_such_queue(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::connect(rig, &["shared"])?;
    client.acknowledge()?;
    for queue in [1, 2, 0xffff, u32::MAX] {
        refused("queue", client.gate.config_queue(queue), &[Error::RANGE, Error::INVAL])?;
    }
    Ok(())
}

fn steps(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::connect(rig, &["shared"])?;
    for status in [2, 8, 4, 9, 5, 0xc, 7, 0xd] {
        client.reset()?;
        // The answer is the server's business, what the page shows is the specification's.
        let _ = client.gate.set_status(status);
        client.expect_stopped().map_err(|e| format!("{status:#x}: {e}"))?;
        refused("queue", client.gate.config_queue(0), &[Error::IO])?;
    }
    client.start()?;
    client.read_properly()
}

fn backwards(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    let _ = client.gate.set_status(3);
    client.expect_stopped()?;
    let _ = client.gate.set_status(0xf);
    client.expect_stopped()?;
    client.start()?;
    client.read_properly()
}

fn unknown_bits(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::connect(rig, &["shared"])?;
    for status in [0x10, 0x40, 0x100, 0xffff_ff00, 0x8000_0000, 0x80, u32::MAX] {
        client.reset()?;
        let _ = client.gate.set_status(status);
    }
    client.start()?;
    client.read_properly()
}

fn features(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::connect(rig, &["shared"])?;
    client.acknowledge()?;
    let offered = client.features();
    for bit in (0..64).map(|n| 1 << n).filter(|bit| offered & bit == 0) {
        if client.try_features(offered | bit)? {
            return Err(format!("feature {bit:#x} is taken, offered are {offered:#x}"));
        }
    }
    if client.try_features(offered & !feature::VERSION_1)? {
        return Err("a device without VERSION_1 is accepted".into());
    }
    client.start()?;
    client.read_properly()
}

/// Configures queue 0 and starts; one of the two has to be refused.
fn unusable(client: &mut Hostile, queue: (u16, u64, u64, u64)) -> Outcome {
    client.acknowledge()?;
    named("register", client.register(BASE, 0, SIZE as u64))?;
    client.negotiate(client.features())?;
    let (entries, desc, avail, used) = queue;
    client.write_queue(entries, desc, avail, used, 1);
    if client.gate.config_queue(0).is_err() {
        return Ok(());
    }
    let _ = client.gate.set_status(0xf);
    client.expect_stopped().map_err(|e| format!("queue {queue:x?}: {e}"))
}

fn check_all(rig: &mut Rig, queues: &[(u16, u64, u64, u64)]) -> Outcome {
    let mut client = Hostile::connect(rig, &["shared"])?;
    for queue in queues {
        unusable(&mut client, *queue)?;
    }
    client.start()?;
    client.read_properly()
}

fn sizes(rig: &mut Rig) -> Outcome {
    check_all(rig, &[0, 3, 15, 17, 512, 0x8000, 0xffff].map(|n| (n, DESC, AVAIL, USED)))
}

fn misaligned(rig: &mut Rig) -> Outcome {
    let n = ENTRIES;
    check_all(
        rig,
        &[(n, DESC + 8, AVAIL, USED), (n, DESC, AVAIL + 1, USED), (n, DESC, AVAIL, USED + 2)],
    )
}

fn outside(rig: &mut Rig) -> Outcome {
    let (n, end) = (ENTRIES, BASE + SIZE as u64);
    check_all(
        rig,
        &[
            (n, 0, AVAIL, USED),
            (n, DESC, 0, USED),
            (n, DESC, AVAIL, 0),
            (n, end, AVAIL, USED),
            (n, end - 16, AVAIL, USED),
            (n, DESC, end - 4, USED),
            (n, DESC, AVAIL, end - 8),
            (n, u64::MAX - 15, AVAIL, USED),
            (n, DESC, u64::MAX - 1, USED),
            (n, DESC, AVAIL, u64::MAX - 3),
        ],
    )
}

/// Whatever the server answers, requests go where the queue was when it was configured, or nowhere.
fn moved(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    client.read_properly()?;
    client.write_queue(ENTRIES, 0, u64::MAX, 1, 1);
    client.read_properly()?;
    let _ = client.gate.config_queue(0);
    client.start()?;
    client.read_properly()
}
