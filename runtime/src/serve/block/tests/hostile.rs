//! Clients that do what they must not. Each is told to reset, or gets what it asked for; the
//! others, the server and the disk are not concerned.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::disk::{Disk, DmaMemory, info};
use super::rig::{BASE, QUEUE, Rig};
use crate::serve::ring::RingError;
use crate::serve::testing::Random;
use crate::serve::transport::Failure;
use crate::virtio::spec::block::{Info, Status};
use crate::virtio::spec::l4page as page;

const READ: u32 = 0;
const OK: u8 = Status::Ok as u8;

/// Client 0 does `wrong`: it must end with `error`, and client 1 must still be served.
fn fails(wrong: impl FnOnce(&mut Rig), error: RingError) {
    let mut rig = Rig::new(Disk::new(info(), 16), 2);
    wrong(&mut rig);
    rig.run();
    let id = rig.clients[0].id;
    assert_eq!(rig.failure(id), Some(Failure::Ring(error)));
    assert!(rig.needs_reset(0));
    assert_eq!(rig.events().interrupts.iter().filter(|i| **i == id).count(), 1, "it is told");
    assert_ne!(rig.clients[0].page_u32(page::IRQ_STATUS) & page::IRQ_CONFIG, 0);
    assert_eq!(rig.request(1, READ, 0, 512), OK);
    assert_eq!(rig.server.in_flight(), 0);

    rig.set_status(0, 0).unwrap();
    rig.clients[0].guest.restart();
    rig.server.class_mut().backend().memory.remove(0);
    rig.start(0, u64::MAX);
    assert_eq!(rig.request(0, READ, 0, 512), OK, "a reset cures it");
}

#[test]
fn a_request_that_cannot_be_answered_needs_a_reset() {
    let header = (BASE + 0x4000, 16, false);
    for status in [None, Some((u64::MAX, 1, true)), Some((u64::MAX, 2, true)), Some((0, 1, true))] {
        let chain: Vec<_> = [Some(header), status].into_iter().flatten().collect();
        fails(
            |rig| {
                rig.clients[0].guest.chain(0, &chain);
                rig.clients[0].guest.offer(0);
            },
            RingError::NoStatus,
        );
    }
}

#[test]
fn a_head_in_flight_cannot_be_offered_again() {
    let again = |rig: &mut Rig| {
        rig.clients[0].send(2, READ, 0, 512);
        rig.clients[0].guest.offer(6);
    };
    fails(again, RingError::HeadInUse(6));
}

#[test]
fn an_index_that_jumps_is_seen_while_working_and_before_waiting() {
    let jump = |rig: &mut Rig| rig.clients[0].guest.set_avail_idx(QUEUE + 1);
    fails(jump, RingError::AvailableJump(QUEUE + 1));
    let mut rig = Rig::new(Disk::new(info(), 16), 1);
    rig.run();
    rig.clients[0].guest.set_avail_idx(0x8000);
    assert_ne!(rig.server.settle(), crate::serve::scheduler::NextStep::Wait);
    rig.run();
    assert!(rig.needs_reset(0));
}

#[test]
fn a_loop_of_descriptors_needs_a_reset() {
    let looped = |rig: &mut Rig| {
        rig.clients[0].guest.desc(0, BASE, 16, crate::virtio::spec::ring::DESC_F_NEXT, 0);
        rig.clients[0].guest.offer(0);
    };
    fails(looped, RingError::ChainTooLong);
}

#[test]
fn ranges_are_those_that_were_checked() {
    // The client changes its memory while the request is on its way to the disk.
    let mut disk = Disk::new(info(), 16);
    disk.on_submit = Some(|memory: &[DmaMemory]| memory[0].mem.zero());
    let mut rig = Rig::new(disk, 1);
    let c = &mut rig.clients[0];
    let raw = 77u128 | 3 << 64;
    c.guest.mem.write_bytes(c.data_at(0), &raw.to_le_bytes()).unwrap();
    c.send(0, 11, 0, 16);
    rig.run();
    let range = rig.server.class_mut().backend().ranges[0].1;
    assert_eq!((range.sector, range.sectors), (77, 3));
}

/// Writes random values over the rings and headers of all clients.
fn scribble(memory: &[DmaMemory]) {
    for m in memory {
        let mut random = Random(m.mem.read_u64(8).unwrap() | 1);
        for _ in 0..20 {
            let at = 8 * random.below(0x2000 / 8) as usize;
            m.mem.write_u64(at, random.below(u64::MAX)).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Random memory, random commands, memory that changes in the middle of a request: the
    /// server ends each round, the disk is only asked for what is inside (its own assertions), and
    /// a decent client is served all the same.
    #[test]
    fn no_client_can_harm_another(
        seed in 1..u64::MAX,
        scribbling: bool,
        writes in prop::collection::vec((0..0x2000usize, any::<u64>()), 0..100),
        chains in prop::collection::vec(
            (0..QUEUE, 0..16u32, prop_oneof![0..5000u64, any::<u64>()], 0..20_000u32),
            1..20,
        ),
        statuses in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut disk = Disk::new(info(), 8);
        disk.random = Some(Random(seed));
        disk.on_submit = scribbling.then_some(scribble as fn(&[DmaMemory]));
        let mut rig = Rig::new(disk, 1);
        for (n, kind, sector, bytes) in chains {
            rig.clients[0].send(n % 4, kind, sector, bytes.min(8192));
            rig.clients[0].guest.offer(n);
            rig.server.work();
        }
        for (at, value) in writes {
            rig.clients[0].guest.mem.write_u64(at & !7, value).unwrap();
            let at = at & 0xff8;
            rig.clients[0].page.mem().write_u64(at, value).unwrap();
            rig.server.kick(rig.clients[0].id);
            rig.server.work();
        }
        for status in statuses {
            let _ = rig.set_status(0, u32::from(status));
            let _ = rig.server.config_queue(rig.clients[0].id, 0);
            rig.server.work();
        }
        rig.server.class_mut().backend().random = None;
        rig.server.class_mut().backend().on_submit = None;
        let decent = rig.add(|_| {});
        rig.start(decent, u64::MAX);
        prop_assert_eq!(rig.request(decent, READ, 7, 512), OK);
        prop_assert_eq!(rig.server.in_flight(), 0);
        rig.server.remove_client(rig.clients[0].id).unwrap();
        rig.run();
        prop_assert!(!rig.clients[0].mapped.get(), "nothing stays mapped");
    }
}

#[test]
fn memory_that_was_taken_away_is_no_target_of_the_device() {
    let mut rig = Rig::new(Disk::new(info(), 16), 2);
    rig.clients[0].lost.set(true);
    // Neither what is new nor what is still to be sent reaches the device.
    rig.clients[0].send(0, READ, 0, 512);
    rig.clients[0].send(1, 1, 0, 512);
    rig.kick(0);
    let before = rig.server.class_mut().backend().publishes;
    rig.run();
    assert_eq!(rig.server.class_mut().backend().publishes, before);
    assert!(rig.needs_reset(0));
    assert_eq!(rig.failure(rig.clients[0].id), Some(Failure::MemoryLost));
    assert_eq!(rig.request(1, READ, 0, 512), 0, "others are served");
    // In the middle of a request that is given to the device part by part.
    let mut rig = Rig::new(Disk::new(Info { seg_max: 2, ..info() }, 1), 1);
    rig.server.class_mut().backend().hold = true;
    rig.clients[0].send(0, READ, 0, 8192);
    rig.run();
    assert_eq!(rig.server.in_flight(), 1);
    rig.clients[0].lost.set(true);
    rig.server.class_mut().backend().hold = false;
    let before = rig.server.device_counters().completions;
    rig.run();
    assert_eq!(rig.server.device_counters().completions, before + 1, "no second part");
    assert!(rig.needs_reset(0));
}
