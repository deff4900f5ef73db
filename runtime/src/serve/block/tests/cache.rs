//! Write-through for clients that have not negotiated `FLUSH` (virtio 1.2, 5.2.5.2 and 5.2.6.2).

use proptest::prelude::*;

use super::disk::{Disk, SECTORS, info};
use super::rig::{NO_STATUS, Rig};
use crate::serve::client::StatusReply;
use crate::serve::testing::Random;
use crate::virtio::spec::block::{Info, Op, Status, feature};
use crate::virtio::spec::l4page as page;

const OK: u8 = Status::Ok as u8;
const IOERR: u8 = Status::IoErr as u8;
const READ: u32 = Op::Read as u32;
const WRITE: u32 = Op::Write as u32;
const FLUSH: u32 = Op::Flush as u32;
const ZEROES: u32 = Op::WriteZeroes as u32;
/// Requests that a client can have in its queue.
const SLOTS: u16 = 20;

/// A client that negotiates everything but these features.
fn without(disk: Disk, features: u64) -> Rig {
    let mut rig = Rig::empty(disk);
    let k = rig.add(|_| {});
    rig.start(k, !features);
    rig
}

#[test]
fn a_write_is_stable_when_it_is_answered() {
    let mut rig = without(Disk::new(info(), 16), feature::FLUSH);
    assert_eq!(rig.request(0, WRITE, 7, 1024), OK);
    assert!(
        !rig.server.class_mut().backend().is_volatile(7)
            && !rig.server.class_mut().backend().is_volatile(8)
    );
    let at = rig.clients[0].data_at(0);
    let mem = rig.clients[0].guest.mem;
    mem.write_bytes(at, &[9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(rig.request(0, ZEROES, 0, 16), OK);
    assert!(!rig.server.class_mut().backend().is_volatile(9));
    assert_eq!(rig.server.class_mut().backend().flushes, 2);
    assert_eq!(rig.request(0, READ, 7, 512), OK);
    assert_eq!(rig.server.class_mut().backend().flushes, 2, "a read needs none");
    assert_eq!(rig.server.counters().flushes, 2);
}

#[test]
fn who_negotiated_the_feature_or_has_no_cache_is_not_slowed_down() {
    let mut rig = Rig::new(Disk::new(info(), 16), 1);
    assert_eq!(rig.request(0, WRITE, 7, 512), OK);
    assert!(rig.server.class_mut().backend().is_volatile(7), "this client flushes by itself");
    assert_eq!(rig.request(0, FLUSH, 0, 0), OK);
    assert!(!rig.server.class_mut().backend().is_volatile(7));
    assert_eq!(rig.server.class_mut().backend().flushes, 1);

    let mut rig = without(Disk::new(Info { flush: false, ..info() }, 16), feature::FLUSH);
    assert_eq!(rig.request(0, WRITE, 7, 512), OK);
    assert_eq!(rig.server.counters().flushes, 0, "the disk does not know flushes");
}

#[test]
fn writes_that_complete_together_share_a_flush() {
    let mut rig = without(Disk::new(info(), 64), feature::FLUSH);
    for n in 0..SLOTS {
        rig.clients[0].send(n, WRITE, u64::from(n), 512);
    }
    rig.kick(0);
    rig.run();
    assert_eq!(rig.clients[0].guest.take_used().len(), usize::from(SLOTS));
    assert_eq!(rig.server.class_mut().backend().flushes, 1);
}

#[test]
fn a_flush_that_fails_fails_the_writes_that_waited_for_it() {
    let mut rig = without(Disk::new(info(), 16), feature::FLUSH);
    rig.server.class_mut().backend().verdicts = [Status::IoErr, Status::Ok].into();
    assert_eq!(rig.request(0, WRITE, 7, 512), IOERR);
    assert_eq!(rig.server.counters().bytes_written, 0);
    assert_eq!(rig.request(0, WRITE, 7, 512), OK, "the next flush is another");
}

#[test]
fn a_reset_waits_for_the_flush_and_nothing_is_answered_after_it() {
    let mut rig = without(Disk::new(info(), 16), feature::FLUSH);
    rig.clients[0].send(0, WRITE, 7, 512);
    rig.server.work();
    rig.server.work();
    rig.server.class_mut().backend().hold = true;
    rig.run();
    assert_eq!(rig.server.in_flight(), 1, "the flush");
    assert_eq!(rig.set_status(0, 0), Ok(StatusReply::Draining));
    rig.server.class_mut().backend().hold = false;
    rig.run();
    assert_eq!(rig.clients[0].page_u32(page::STATUS), 0);
    assert_eq!(rig.clients[0].status(0), NO_STATUS);
    assert_eq!(rig.server.in_flight(), 0);
    rig.clients[0].guest.restart();
    rig.server.class_mut().backend().memory.clear();
    rig.start(0, u64::MAX);
    assert_eq!(rig.request(0, WRITE, 7, 512), OK);
    assert_eq!(rig.server.counters().flushes, 1, "what the client negotiates now counts");
}

#[test]
fn a_dead_disk_fails_what_waits_for_its_flush() {
    let mut rig = without(Disk::new(info(), 16), feature::FLUSH);
    rig.clients[0].send(0, WRITE, 7, 512);
    rig.server.work();
    rig.server.work();
    rig.server.class_mut().backend().hold = true;
    rig.server.class_mut().backend().dead = true;
    rig.run();
    assert_eq!(rig.clients[0].guest.take_used().len(), 1);
    assert_eq!(rig.clients[0].status(0), IOERR);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two clients on a disk that completes in any order: one writes through, one does not.
    #[test]
    fn no_answer_comes_before_its_write_is_stable(seed in 1u64.., depth in 1usize..24) {
        let mut disk = Disk::new(info(), depth);
        disk.random = Some(Random(seed));
        let mut rig = without(disk, feature::FLUSH);
        let other = rig.add(|_| {});
        rig.start(other, u64::MAX);
        let mut random = Random(seed ^ 0x5555_5555);
        let mut sectors = [[None; SLOTS as usize]; 2];
        let (mut next, mut answered) = (0, 0);
        while answered < 600 {
            for (k, sectors) in sectors.iter_mut().enumerate() {
                for slot in 0..SLOTS {
                    let place = &mut sectors[usize::from(slot)];
                    if place.is_none() && random.below(3) == 0 {
                        // No two requests in flight have the same sector.
                        next = (next + 1) % SECTORS;
                        let kind = if random.below(4) == 0 { READ } else { WRITE };
                        *place = Some((next, kind));
                        rig.clients[k].send(slot, kind, next, 512);
                    }
                }
                rig.kick(k);
            }
            for _ in 0..random.below(4) {
                rig.server.work();
            }
            if random.below(3) == 0 {
                rig.server.settle();
            }
            for (k, sectors) in sectors.iter_mut().enumerate() {
                for (head, _) in rig.clients[k].guest.take_used() {
                    let slot = usize::from(head / 3);
                    let (sector, kind) = sectors[slot].take().expect("answered twice");
                    prop_assert_eq!(rig.clients[k].status(head / 3), OK);
                    let volatile = kind == WRITE && rig.server.class_mut().backend().is_volatile(sector);
                    prop_assert!(k == 1 || !volatile, "sector {} is not stable", sector);
                    answered += 1;
                }
            }
        }
        rig.server.class_mut().backend().random = None;
        rig.run();
        prop_assert_eq!(rig.server.in_flight(), 0);
        let writes = rig.server.class_mut().backend().writes;
        prop_assert!(u64::from(rig.server.class_mut().backend().flushes) < writes, "flushes are shared");
    }
}
