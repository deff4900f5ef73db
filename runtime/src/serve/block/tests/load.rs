//! Many requests: none lost, none answered twice, few notifications, fair turns.

use alloc::vec::Vec;

use super::disk::{Disk, SECTORS, info};
use super::rig::{QUEUE, Rig};
use crate::serve::scheduler::NextStep;
use crate::serve::testing::Random;

const READ: u32 = 0;

/// Requests of a client that are not answered yet, and the sector of each.
#[derive(Default)]
struct Load {
    sectors: [Option<u64>; SLOTS as usize],
    done: u32,
}

/// Requests that a client can have in its queue.
const SLOTS: u16 = 20;

impl Load {
    /// Sends up to `n` reads, and a kick if the server wants one.
    fn send(&mut self, rig: &mut Rig, k: usize, n: u64, random: &mut Random) {
        let free = (0..SLOTS).filter(|s| self.sectors[usize::from(*s)].is_none());
        let slots: Vec<u16> = free.take(n as usize).collect();
        for slot in &slots {
            let sector = random.below(SECTORS);
            self.sectors[usize::from(*slot)] = Some(sector);
            rig.clients[k].send(*slot, READ, sector, 512);
        }
        if !slots.is_empty() {
            rig.kick(k);
        }
    }

    /// Takes the answers and checks each.
    fn take(&mut self, rig: &mut Rig, k: usize) {
        for (head, len) in rig.clients[k].guest.take_used() {
            let slot = head / 3;
            let sector = self.sectors[usize::from(slot)].take().expect("answered twice");
            assert_eq!((len, rig.clients[k].status(slot)), (513, 0));
            let expect = &rig.server.class_mut().backend().contents[sector as usize * 512..][..8];
            assert_eq!(rig.clients[k].data(slot, 8), *expect);
            self.done += 1;
        }
    }
}

#[test]
fn a_long_run_across_the_wraps_of_the_indices_loses_nothing() {
    const TOTAL: u32 = 1 << 17;
    let mut disk = Disk::new(info(), 24);
    disk.random = Some(Random(3));
    let mut rig = Rig::new(disk, 2);
    let mut loads = [Load::default(), Load::default()];
    let mut random = Random(5);
    let mut asleep = false;
    while loads.iter().any(|l| l.done < TOTAL) {
        let kicks = rig.server.counters().kicks;
        for (k, load) in loads.iter_mut().enumerate() {
            let n = random.below(u64::from(SLOTS) + 1);
            load.send(&mut rig, k, n, &mut random);
        }
        // A server that sleeps is only woken by a kick or by the device.
        let device = !rig.server.class_mut().backend().visible.is_empty();
        if asleep && rig.server.counters().kicks == kicks && !device {
            let waiting = loads.iter().flat_map(|l| &l.sectors).any(Option::is_some);
            assert!(!waiting, "requests wait, and nobody wakes the server");
            continue;
        }
        asleep = false;
        for _ in 0..random.below(4) {
            rig.server.work();
        }
        if random.below(2) == 0 {
            asleep = rig.server.settle() == NextStep::Wait;
        }
        for (k, load) in loads.iter_mut().enumerate() {
            load.take(&mut rig, k);
        }
        rig.events_mut().interrupts.clear();
    }
    rig.server.class_mut().backend().random = None;
    rig.run();
    assert_eq!(rig.server.in_flight(), 0);
    let counters = rig.server.counters();
    assert_eq!(counters.errors, 0);
    assert_eq!(counters.parts, counters.requests, "nothing was cut");
    assert!(counters.interrupts < counters.requests / 2, "{counters}");
    assert!(counters.max_in_flight <= 24 && counters.busy > 0);
}

#[test]
fn a_batch_costs_one_of_everything() {
    let mut rig = Rig::new(Disk::new(info(), 64), 1);
    rig.run();
    for n in 0..SLOTS {
        rig.clients[0].send(n, READ, 0, 512);
    }
    rig.kick(0);
    rig.run();
    let counters = rig.server.counters();
    assert_eq!((counters.requests, counters.kicks, counters.interrupts), (20, 1, 1));
    assert_eq!(rig.server.class_mut().backend().publishes, 1);
    assert_eq!(counters.batches[4], 1, "one batch of 16 to 31");
    assert_eq!(counters.spurious_kicks, 0);
}

#[test]
fn clients_that_do_not_want_interrupts_get_none() {
    let mut rig = Rig::new(Disk::new(info(), 64), 1);
    rig.clients[0].guest.set_interrupts(false);
    rig.request(0, READ, 0, 512);
    assert_eq!(rig.events().interrupts, []);
    assert_eq!(rig.server.counters().suppressed, 1);
}

#[test]
fn kicks_are_not_wanted_while_there_is_work() {
    let mut rig = Rig::new(Disk::new(info(), 64), 1);
    rig.server.class_mut().backend().hold = true;
    rig.clients[0].send(0, READ, 0, 512);
    rig.server.work();
    assert!(!rig.clients[0].guest.wants_kick());
    rig.clients[0].send(1, READ, 0, 512);
    assert_eq!(rig.server.settle(), NextStep::Work, "found without a kick");
    rig.server.work();
    assert_eq!(rig.server.settle(), NextStep::WaitShortly);
    assert!(rig.clients[0].guest.wants_kick());
    assert_eq!(rig.server.settle(), NextStep::Wait);
    // Published without a full barrier: the flag was read too early.
    rig.clients[0].send(2, READ, 0, 512);
    assert_eq!(rig.server.settle(), NextStep::Work, "the look after lingering finds it");
}

#[test]
fn a_kick_for_nothing_is_counted() {
    let mut rig = Rig::new(Disk::new(info(), 64), 1);
    rig.server.kick(rig.clients[0].id);
    rig.run();
    assert_eq!(rig.server.counters().spurious_kicks, 1);
}

#[test]
fn turns_are_fair_however_small_the_device() {
    for depth in [1, 2, 4, 16, 64] {
        let mut rig = Rig::new(Disk::new(info(), depth), 3);
        let mut done = [0u32; 3];
        // Client 0 always has a full queue; the others have one request at a time.
        let mut loads: [Load; 3] = Default::default();
        let mut random = Random(9);
        for _ in 0..3000 {
            for (k, load) in loads.iter_mut().enumerate() {
                let busy = load.sectors.iter().flatten().count();
                let n = if k == 0 { u64::from(SLOTS) } else { u64::from(busy == 0) };
                load.send(&mut rig, k, n, &mut random);
            }
            rig.server.work();
            for (k, load) in loads.iter_mut().enumerate() {
                load.take(&mut rig, k);
                done[k] = load.done;
            }
        }
        let bursts = (depth / 2).clamp(1, 64) as u32;
        assert!(done[1].abs_diff(done[2]) <= 2, "depth {depth}: {done:?}");
        assert!(done[0] <= (done[1] + 2) * bursts.max(SLOTS.into()), "depth {depth}: {done:?}");
        assert!(done[1] * 2 * (bursts + 2) >= 3000, "depth {depth}: {done:?}");
    }
    const { assert!(SLOTS * 3 <= QUEUE) };
}
