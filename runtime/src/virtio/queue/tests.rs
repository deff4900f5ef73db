//! The queue against a device that executes it, and against one that lies.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use virtio_drivers::transport::DeviceType;

use super::*;
use crate::virtio::fake::{Device, FakeTransport, HostDma};
use crate::virtio::negotiate::{negotiate, start};
use crate::virtio::spec::ring::need_event;

const INDIRECT: u64 = feature::INDIRECT_DESC;
const EVENT: u64 = feature::EVENT_IDX;

struct Rig {
    device: Rc<RefCell<Device>>,
    transport: FakeTransport,
    queue: Queue,
}

fn rig(features: u64, legacy: bool, config: QueueConfig) -> Rig {
    let device = Device::new(DeviceType::EntropySource, legacy, features).shared();
    let mut transport = FakeTransport(device.clone());
    let features = negotiate(&mut transport, features, 10).unwrap();
    let queue = Queue::new(&mut transport, 0, config, features, &HostDma::default()).unwrap();
    start(&mut transport).unwrap();
    Rig { device, transport, queue }
}

fn small(size: u16) -> QueueConfig {
    QueueConfig { size, ..QueueConfig::default() }
}

fn seg(addr: u64, len: u32) -> DmaSegment {
    DmaSegment { addr, len }
}

impl Rig {
    fn stage_one(&mut self, token: u32) -> Result<(), StageError> {
        self.queue.stage(&[&[seg(0x1000, 16)]], &[&[seg(0x2000, 4)]], token)
    }

    /// Publishes `n` chains and lets the device take them.
    fn outstanding(&mut self, n: u32) {
        for token in 0..n {
            self.stage_one(token).unwrap();
        }
        let _ = self.queue.publish();
        assert_eq!(self.device.borrow_mut().fetch(usize::MAX), n as usize);
    }

    fn head(&self, i: usize) -> u32 {
        self.device.borrow().taken[i].head.into()
    }

    fn answer(&self, id: u32, len: u32) {
        let mut device = self.device.borrow_mut();
        device.put_used(id, len);
        device.flush();
    }
}

/// Long after both 16-bit indices have wrapped several times, with batches of any size and both
/// sides going to sleep whenever they can: nothing is lost, doubled or mixed up, and nobody sleeps
/// on work. A sleeping side is only woken by the notification under test.
fn torture(features: u64, legacy: bool, seed: u64) {
    const REQUESTS: u32 = 1 << 17;
    let mut random = Random(seed);
    let mut rig = rig(features, legacy, small(64));
    let (mut next, mut done) = (0u32, 0u32);
    let mut pending = vec![false; REQUESTS as usize];
    let (mut device_sleeps, mut driver_sleeps) = (false, false);
    while done < REQUESTS {
        let (woken, irq) = {
            let mut device = rig.device.borrow_mut();
            (core::mem::take(&mut device.kicked), core::mem::take(&mut device.irq))
        };
        device_sleeps &= !woken;
        driver_sleeps &= !irq;
        // The driver may stage although it sleeps: requests come from clients.
        let may_submit = next < REQUESTS && rig.queue.in_flight() < rig.queue.size();
        assert!(!(device_sleeps && driver_sleeps) || may_submit, "both sleep with work to do");
        match random.below(4) {
            0 => submit(&mut rig, &mut random, &mut next, &mut pending, REQUESTS),
            1 if !driver_sleeps => {
                rig.queue.set_interrupts(false);
                done += drain(&mut rig, &mut pending, usize::MAX);
                driver_sleeps = !rig.queue.set_interrupts(true);
            }
            // A driver that just polls now and then, without switching anything.
            2 if !driver_sleeps => {
                let burst = random.below(9);
                done += drain(&mut rig, &mut pending, burst);
            }
            _ if !device_sleeps => device_sleeps = device_works(&mut rig, &mut random),
            _ => {}
        }
    }
    let counters = rig.queue.counters();
    assert_eq!((counters.used, counters.nonsense), (u64::from(REQUESTS), 0));
    assert_eq!(counters.kicks, rig.device.borrow().kicks);
    assert!(counters.kicks_suppressed > 0, "suppression was never used: {counters:?}");
    assert_eq!(rig.queue.in_flight(), 0);
}

fn submit(rig: &mut Rig, random: &mut Random, next: &mut u32, pending: &mut [bool], end: u32) {
    for _ in 0..random.below(20) {
        let segments = vec![seg(0x1000, 8); 1 + random.below(5)];
        let writable = [seg(0x9000, 1 + random.below(100) as u32)];
        if *next == end || rig.queue.stage(&[&segments], &[&writable], *next).is_err() {
            break;
        }
        pending[*next as usize] = true;
        *next += 1;
    }
    if rig.queue.publish() {
        use virtio_drivers::transport::Transport;
        rig.transport.notify(0);
    }
}

fn drain(rig: &mut Rig, pending: &mut [bool], max: usize) -> u32 {
    let mut count = 0;
    while count < max {
        let Some(used) = rig.queue.pop() else { break };
        let used = used.unwrap();
        assert!(core::mem::take(&mut pending[used.token as usize]), "never asked for, or twice");
        count += 1;
    }
    count as u32
}

/// Takes some, finishes some in any order; returns whether the device goes to sleep.
fn device_works(rig: &mut Rig, random: &mut Random) -> bool {
    let mut device = rig.device.borrow_mut();
    if random.below(3) == 0 {
        device.want_kicks(false);
    }
    device.fetch(random.below(40));
    for _ in 0..random.below(40) {
        let Some(last) = device.taken.len().checked_sub(1) else { break };
        let taken = device.taken.remove(random.below(last + 1)).unwrap();
        let len = taken.elems.iter().filter(|e| e.write).map(|e| e.len).sum();
        device.put_used(taken.head.into(), len);
    }
    device.flush();
    device.taken.is_empty() && !device.want_kicks(true)
}

/// A small generator (xorshift); good enough to vary interleavings, and always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

#[test]
fn no_wakeup_is_lost_with_flags() {
    torture(0, false, 0x1234_5678);
}

#[test]
fn no_wakeup_is_lost_with_flags_and_tables() {
    torture(INDIRECT, false, 0x9abc_def1);
}

#[test]
fn no_wakeup_is_lost_with_event_index() {
    torture(EVENT, false, 0x5555_1111);
}

#[test]
fn no_wakeup_is_lost_with_event_index_and_tables() {
    torture(EVENT | INDIRECT, false, 0x7777_2222);
}

#[test]
fn no_wakeup_is_lost_with_a_legacy_device() {
    torture(EVENT | INDIRECT, true, 0x3333_9999);
}

#[test]
fn a_batch_is_one_store_and_one_kick() {
    for features in [0, EVENT] {
        let mut rig = rig(features, false, small(64));
        for token in 0..8 {
            rig.stage_one(token).unwrap();
        }
        assert_eq!(rig.device.borrow_mut().fetch(usize::MAX), 0, "staged is not published");
        assert!(rig.queue.publish());
        assert!(!rig.queue.publish(), "nothing new, nothing to kick for");
        let counters = rig.queue.counters();
        assert_eq!((counters.batches, counters.kicks), (1, 1));
    }
}

#[test]
fn a_busy_device_is_not_kicked() {
    for features in [0, EVENT] {
        let mut rig = rig(features, false, small(64));
        rig.device.borrow_mut().want_kicks(false);
        for token in 0..8 {
            rig.stage_one(token).unwrap();
            assert!(!rig.queue.publish());
        }
        assert!(rig.device.borrow_mut().want_kicks(true), "the re-check of the device sees them");
    }
}

#[test]
fn parked_interrupts_stay_away_for_any_number_of_entries() {
    for features in [0, EVENT] {
        let mut rig = rig(features, false, small(64));
        rig.queue.set_interrupts(false);
        for round in 0..3 * 0x1_0000 / 32 {
            for token in 0..32 {
                rig.stage_one(token).unwrap();
            }
            let _ = rig.queue.publish();
            let mut device = rig.device.borrow_mut();
            device.fetch(usize::MAX);
            while let Some(taken) = device.taken.pop_front() {
                device.put_used(taken.head.into(), 4);
            }
            device.flush();
            assert_eq!(device.interrupts, 0, "round {round}");
            drop(device);
            while rig.queue.pop().is_some() {}
        }
    }
}

#[test]
fn turning_interrupts_on_reports_what_is_waiting() {
    for features in [0, EVENT] {
        let mut rig = rig(features, false, small(8));
        rig.queue.set_interrupts(false);
        rig.outstanding(1);
        rig.answer(rig.head(0), 4);
        assert_eq!(rig.device.borrow().interrupts, 0);
        assert!(rig.queue.set_interrupts(true));
        assert!(rig.queue.pop().is_some());
        assert!(!rig.queue.set_interrupts(true));
    }
}

#[test]
fn chains_reach_the_device_as_they_were_staged() {
    for (features, tables) in [(0, 0), (INDIRECT, 1)] {
        let mut rig = rig(features, false, small(16));
        let readable = [seg(0x1000, 16), seg(0x3000, 512)];
        let writable: Vec<_> = (0..6).map(|i| seg(0x10_0000 * (i + 1), 100 + i as u32)).collect();
        rig.queue.stage(&[&readable[..1], &readable[1..]], &[&writable], 7).unwrap();
        let _ = rig.queue.publish();
        rig.device.borrow_mut().fetch(1);
        let device = rig.device.borrow();
        let seen: Vec<_> =
            device.taken[0].elems.iter().map(|e| (seg(e.addr, e.len), e.write)).collect();
        let expected: Vec<_> = readable
            .iter()
            .map(|s| (*s, false))
            .chain(writable.iter().map(|s| (*s, true)))
            .collect();
        assert_eq!(seen, expected);
        assert_eq!(rig.queue.counters().indirect, tables);
    }
}

#[test]
fn tables_take_over_when_the_ring_fills_up() {
    let mut rig = rig(INDIRECT, false, small(64));
    let mut staged = 0;
    while rig.stage_one(staged).is_ok() {
        staged += 1;
    }
    // Half of the ring holds chains of two descriptors, the other half one table each.
    assert_eq!((staged, rig.queue.counters().indirect), (48, 32));
    assert!(staged >= u32::from(rig.queue.depth(2)));
    let _ = rig.queue.publish();
    assert_eq!(rig.device.borrow_mut().fetch(usize::MAX), 48);
}

#[test]
fn the_advertised_depth_always_fits() {
    for features in [0, INDIRECT] {
        for len in 2..=8u16 {
            let mut rig = rig(features, false, small(32));
            let readable = vec![seg(0x1000, 1); usize::from(len)];
            for token in 0..rig.queue.depth(len) {
                rig.queue.stage(&[&readable], &[], token.into()).unwrap();
            }
        }
    }
}

#[test]
fn what_must_not_be_given_to_a_device_is_refused() {
    let mut rig = rig(0, false, small(4));
    let ok = seg(0x1000, 4);
    assert_eq!(rig.queue.stage(&[], &[], 0), Err(StageError::Invalid), "empty chain");
    assert_eq!(rig.queue.stage(&[&[ok, seg(1, 0)]], &[], 0), Err(StageError::Invalid), "empty");
    assert_eq!(rig.queue.stage(&[&[ok; 5]], &[], 0), Err(StageError::Invalid), "too long");
    assert_eq!(rig.queue.stage(&[&[seg(u64::MAX, 2)]], &[], 0), Err(StageError::Invalid), "wraps");
    let huge = [seg(0, u32::MAX); 2];
    assert_eq!(rig.queue.stage(&[&huge], &[], 0), Err(StageError::Invalid), "beyond 2^32 bytes");
    assert_eq!(rig.queue.stage(&[&[ok; 4]], &[], 0), Ok(()));
    assert_eq!(rig.queue.stage(&[&[ok]], &[], 0), Err(StageError::Full));
}

#[test]
fn wrong_ids_are_errors_and_free_nothing() {
    let mut rig = rig(0, false, small(8));
    rig.outstanding(3);
    rig.stage_one(9).unwrap(); // staged, not published: not the device's
    for id in [8, 1, 6, u32::MAX] {
        rig.answer(id, 0);
        assert_eq!(rig.queue.pop(), Some(Err(DeviceNonsense::Id(id))), "{id}");
        assert_eq!(rig.queue.in_flight(), 4);
    }
    assert_eq!(rig.queue.counters().nonsense, 4);
    rig.answer(rig.head(1), 4);
    assert_eq!(rig.queue.pop(), Some(Ok(Used { token: 1, len: 4 })), "and life goes on");
}

#[test]
fn a_chain_comes_back_once() {
    let mut rig = rig(0, false, small(8));
    rig.outstanding(2);
    rig.answer(rig.head(0), 4);
    rig.answer(rig.head(0), 4);
    assert!(rig.queue.pop().unwrap().is_ok());
    assert_eq!(rig.queue.pop(), Some(Err(DeviceNonsense::Id(rig.head(0)))));
    assert_eq!(rig.queue.in_flight(), 1);
}

#[test]
fn too_many_bytes_are_an_error_but_the_chain_is_done() {
    let mut rig = rig(0, false, small(8));
    rig.outstanding(1);
    rig.answer(rig.head(0), 5);
    assert_eq!(rig.queue.pop(), Some(Err(DeviceNonsense::Length { token: 0, len: 5 })));
    assert_eq!(rig.queue.in_flight(), 0);
}

#[test]
fn legacy_devices_may_report_any_length() {
    let mut rig = rig(0, true, small(8));
    rig.outstanding(1);
    rig.answer(rig.head(0), 0xdead);
    assert_eq!(rig.queue.pop(), Some(Ok(Used { token: 0, len: 4 })));
}

#[test]
fn a_jump_of_the_index_breaks_the_queue_until_it_restarts() {
    for jump in [2, 0x7fff, 0xffff] {
        let mut rig = rig(EVENT, false, small(8));
        rig.outstanding(1);
        rig.stage_one(1).unwrap();
        rig.device.borrow_mut().set_used_idx(jump);
        let nonsense = DeviceNonsense::Index { claimed: jump, given: 1 };
        assert_eq!(rig.queue.pop(), Some(Err(nonsense)));
        assert_eq!(rig.queue.pop(), None);
        assert_eq!(rig.stage_one(2), Err(StageError::Broken));
        assert!(rig.queue.is_broken() && !rig.queue.set_interrupts(true));

        negotiate(&mut rig.transport, EVENT, 10).unwrap();
        let mut lost = Vec::new();
        rig.queue.abandon(&mut |token| lost.push(token));
        rig.queue.restart(&mut rig.transport);
        start(&mut rig.transport).unwrap();
        assert_eq!(lost, [0, 1]);
        rig.outstanding(4);
    }
}

#[test]
fn sizes_are_negotiated_and_checked() {
    let make = |max: u32, wanted: u16| {
        let device = Device::new(DeviceType::EntropySource, false, 0).shared();
        device.borrow_mut().queue_max = max;
        let mut transport = FakeTransport(device);
        Queue::new(&mut transport, 0, small(wanted), 0, &HostDma::default()).map(|q| q.size())
    };
    assert_eq!(make(1024, 256), Ok(256));
    assert_eq!(make(100, 256), Ok(64), "the largest power of two that the device has");
    assert_eq!(make(u32::MAX, 1024), Ok(1024));
    assert_eq!(make(0, 256), Err(QueueError::Missing(0)));
    assert_eq!(make(256, 100), Err(QueueError::Size(100)));
    assert_eq!(make(256, 0), Err(QueueError::Size(0)));
    assert_eq!(make(4096, 2048), Err(QueueError::Size(2048)));
}

#[test]
fn a_queue_is_not_taken_twice() {
    for legacy in [false, true] {
        let mut rig = rig(0, legacy, small(8));
        let again = Queue::new(&mut rig.transport, 0, small(8), 0, &HostDma::default());
        assert_eq!(again.err(), Some(QueueError::InUse(0)));
    }
}

#[test]
fn no_memory_is_an_error_and_nothing_leaks() {
    for left in 0..2 {
        let mut transport = FakeTransport(Device::new(DeviceType::Block, false, 0).shared());
        let dma = HostDma::default();
        dma.left.set(Some(left));
        let queue = Queue::new(&mut transport, 0, small(16), INDIRECT, &dma);
        assert_eq!(queue.err(), Some(QueueError::Memory(crate::Error::NOMEM)));
        assert_eq!(HostDma::live_bytes(), 0);
    }
}

proptest! {
    /// The window test of 2.7.10 is: the event lies among the new entries, modulo 2^16.
    #[test]
    fn event_window_is_membership(old: u16, count in 0u16..2048, distance in 0u16..4096) {
        let (event, new) = (old.wrapping_add(distance), old.wrapping_add(count));
        prop_assert_eq!(need_event(event, new, old), distance < count);
    }

    /// Whatever a device puts into the used ring: no panic, and at the end the driver has either
    /// given back a chain or still counts it as in flight.
    #[test]
    fn a_lying_device_costs_only_its_own_requests(
        features in prop::sample::select(vec![0, EVENT, INDIRECT, EVENT | INDIRECT]),
        lies in prop::collection::vec((0u32..20, 0u32..40, 0u16..3), 1..200),
    ) {
        let mut rig = rig(features, false, small(16));
        let (mut given, mut back) = (0u32, 0u32);
        for (id, len, step) in lies {
            while rig.stage_one(given).is_ok() {
                given += 1;
            }
            let _ = rig.queue.publish();
            {
                let mut device = rig.device.borrow_mut();
                device.put_used(id, len);
                device.flush();
                if step == 2 {
                    device.put_used(u32::MAX, len);
                    device.flush();
                }
            }
            for _ in 0..step {
                if let Some(Ok(_) | Err(DeviceNonsense::Length { .. })) = rig.queue.pop() {
                    back += 1;
                }
            }
            prop_assert_eq!(u32::from(rig.queue.in_flight()), given - back);
        }
    }
}

#[test]
fn a_device_without_end_of_strays_is_left() {
    let mut rig = rig(0, false, small(8));
    rig.outstanding(1);
    for n in 0..8 {
        rig.answer(700 + n, 0);
        assert!(matches!(rig.queue.pop(), Some(Err(DeviceNonsense::Id(_)))));
        assert!(!rig.queue.is_broken());
    }
    rig.answer(0xffff, 0);
    assert!(rig.queue.pop().is_some());
    assert!(rig.queue.is_broken());
    rig.answer(rig.head(0), 0);
    assert_eq!(rig.queue.pop(), None, "not before a reset");
}
