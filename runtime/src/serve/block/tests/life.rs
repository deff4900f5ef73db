//! Clients and devices that come, reset and go.

use super::disk::{Disk, info};
use super::rig::{BASE, NO_STATUS, Rig};
use crate::Error;
use crate::serve::block::Completion;
use crate::serve::client::StatusReply;
use crate::serve::ring::{Part, RingError};
use crate::serve::scheduler::NextStep;
use crate::serve::transport::Failure;
use crate::virtio::spec::block::Status;
use crate::virtio::spec::l4page::{self as page, command};
use crate::virtio::spec::status;

const READ: u32 = 0;
const OK: u8 = Status::Ok as u8;
const IOERR: u8 = Status::IoErr as u8;
const FEATURES: u32 = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK;

/// A rig whose clients have requests in flight that the device does not finish.
fn held(clients: usize, requests: u16) -> Rig {
    let mut rig = Rig::new(Disk::new(info(), 32), clients);
    rig.server.class_mut().backend().hold = true;
    for k in 0..clients {
        for n in 0..requests {
            rig.clients[k].send(n, READ, 0, 512);
        }
    }
    rig.run();
    assert_eq!(rig.server.in_flight(), clients * usize::from(requests));
    rig
}

#[test]
fn a_reset_waits_for_the_device() {
    let mut rig = held(2, 3);
    assert_eq!(rig.set_status(0, 0), Ok(StatusReply::Draining));
    rig.run();
    let id = rig.clients[0].id;
    assert!(rig.server.is_draining(id));
    assert!(rig.clients[0].mapped.get(), "the device may still write");
    assert_ne!(rig.clients[0].page_u32(page::STATUS), 0);
    assert_eq!(rig.set_status(0, status::ACKNOWLEDGE), Err(Error::AGAIN));
    let mapped = rig.clients[0].mapped.clone();
    assert_eq!(rig.register(0), Err(Error::AGAIN));
    assert_eq!(rig.set_status(0, 0), Ok(StatusReply::Draining), "again does no harm");

    rig.clients[0].mapped = mapped;
    rig.server.class_mut().backend().hold = false;
    rig.run();
    assert_eq!(rig.events().drained, [id]);
    assert!(rig.clients[0].mapped.get(), "a reset does not make the server forget memory");
    assert_eq!(rig.clients[0].page_u32(page::STATUS), 0);
    assert_eq!(rig.clients[0].guest.take_used(), [], "nothing is written after a reset");
    assert_eq!(rig.clients[0].status(0), NO_STATUS);
    assert_eq!(rig.clients[1].guest.take_used().len(), 3, "others are not concerned");
    assert_eq!(rig.server.in_flight(), 0);
}

#[test]
fn after_a_reset_everything_works_again() {
    let mut rig = Rig::new(Disk::new(info(), 4), 1);
    for round in 1..=3 {
        assert_eq!(rig.request(0, READ, 0, 512), OK);
        assert_eq!(rig.set_status(0, 0), Ok(StatusReply::Done));
        let before = rig.clients[0].mapped.clone();
        assert!(before.get());
        assert_eq!(rig.clients[0].page_u32(page::GENERATION), round);
        rig.clients[0].guest.restart();
        rig.server.class_mut().backend().memory.clear();
        rig.start(0, u64::MAX);
        assert!(!before.get(), "a new list of memory replaces the one from before the reset");
    }
    assert_eq!(rig.server.counters().resets, 3);
}

#[test]
fn memory_registered_once_serves_drivers_that_come_and_go() {
    let mut rig = Rig::new(Disk::new(info(), 4), 1);
    for _ in 0..3 {
        assert_eq!(rig.request(0, READ, 0, 512), OK);
        assert_eq!(rig.set_status(0, 0), Ok(StatusReply::Done));
        rig.clients[0].guest.restart();
        for bits in [1, 3, FEATURES] {
            rig.clients[0].choose_features(u64::MAX);
            rig.set_status(0, bits).unwrap();
        }
        rig.clients[0].write_queue(1);
        rig.set_status(0, FEATURES | status::DRIVER_OK).unwrap();
    }
    assert_eq!(rig.register(0), Err(Error::EXIST), "what a started driver uses is not replaced");
    assert_eq!(rig.request(0, READ, 0, 512), OK);
}

#[test]
fn a_client_that_goes_is_removed_when_the_device_is_done() {
    let mut rig = held(2, 3);
    let id = rig.clients[0].id;
    rig.server.remove_client(id).unwrap();
    rig.run();
    assert_eq!(rig.events().removed, []);
    assert!(rig.clients[0].mapped.get());
    assert_eq!(rig.server.remove_client(id), Err(Error::NOENT), "gone for the outside");
    rig.server.class_mut().backend().hold = false;
    rig.run();
    assert_eq!(rig.events().removed, [id]);
    assert!(!rig.clients[0].mapped.get());
    assert_eq!(rig.clients[0].guest.take_used(), []);
    assert_eq!(rig.clients[1].guest.take_used().len(), 3);

    let next = rig.add(|_| {});
    assert_ne!(rig.clients[next].id, id, "an old name is nobody's");
    rig.server.kick(id);
    assert_eq!(rig.server.set_status(id, 1), Err(Error::NOENT));
    rig.start(next, u64::MAX);
    assert_eq!(rig.request(next, READ, 0, 512), OK);
}

#[test]
fn a_client_may_go_while_its_request_waits_for_room() {
    let mut rig = Rig::new(Disk::new(info(), 2), 1);
    rig.server.class_mut().backend().hold = true;
    for n in 0..5 {
        rig.clients[0].send(n, READ, 0, 512);
    }
    rig.run();
    assert_eq!(rig.server.in_flight(), 2);
    assert_eq!(rig.set_status(0, 0), Ok(StatusReply::Draining));
    rig.server.class_mut().backend().hold = false;
    rig.run();
    assert_eq!(rig.events().drained.len(), 1);
    assert_eq!(rig.server.in_flight(), 0);
    assert_eq!(rig.clients[0].page_u32(page::STATUS), 0);
}

#[test]
fn requests_that_had_to_wait_are_not_lost() {
    let mut rig = Rig::new(Disk::new(info(), 2), 1);
    rig.server.class_mut().backend().hold = true;
    for n in 0..15 {
        rig.clients[0].send(n, READ, u64::from(n), 512);
    }
    rig.kick(0);
    rig.run();
    assert_eq!((rig.server.in_flight(), rig.server.counters().busy), (2, 1));
    assert!(!rig.clients[0].guest.wants_kick(), "a kick could not change anything");
    rig.server.class_mut().backend().hold = false;
    rig.run();
    let heads = rig.clients[0].guest.take_used().into_iter().map(|(head, _)| head);
    assert!(heads.eq((0..15).map(|n| 3 * n)), "each once, none out of turn");
}

#[test]
fn a_dead_device_fails_what_it_has_and_what_comes() {
    let mut rig = held(2, 3);
    rig.server.class_mut().backend().dead = true;
    assert_eq!(rig.server.settle(), NextStep::Work, "nobody waits for a dead device");
    rig.run();
    for k in 0..2 {
        assert_eq!(rig.clients[k].guest.take_used().len(), 3);
        assert_eq!(rig.clients[k].status(2), IOERR);
        assert_eq!(rig.request(k, READ, 0, 512), IOERR);
    }
    assert_eq!(rig.server.device_counters().lost, 6);
    assert_eq!(rig.set_status(0, 0), Ok(StatusReply::Done), "a reset does not hang either");
    rig.server.class_mut().backend().dead = false;
    rig.server.class_mut().backend().visible.clear();
    rig.server.class_mut().backend().hold = false;
    assert_eq!(rig.request(1, READ, 0, 512), OK, "a device that recovers is used again");
}

#[test]
fn a_device_that_is_busy_with_nothing_does_not_hang_its_clients() {
    let mut rig = Rig::empty(Disk::new(info(), 1));
    rig.server.class_mut().backend().depth = 0;
    let k = rig.add(|_| {});
    rig.start(k, u64::MAX);
    assert_eq!(rig.request(k, READ, 0, 512), IOERR);
}

#[test]
fn nonsense_from_the_device_is_counted_and_survived() {
    let mut rig = held(1, 2);
    let tag = rig.server.class_mut().backend().visible[0].tag;
    let lie = |tag, written| Completion { tag, status: Status::Ok, written };
    rig.server.class_mut().backend().lies =
        [lie(12345, 0), lie(u32::MAX, 0), lie(tag, u32::MAX), lie(tag, 0)].into();
    rig.run();
    assert_eq!(rig.server.device_counters().nonsense, 4);
    assert_eq!(rig.clients[0].guest.take_used(), [(0, 513)], "finished once");
    rig.server.class_mut().backend().visible.remove(0);
    rig.server.class_mut().backend().hold = false;
    rig.run();
    assert_eq!(rig.clients[0].guest.take_used(), [(3, 513)]);
    assert_eq!(rig.server.in_flight(), 0);
}

#[test]
fn memory_may_be_registered_and_queues_marked_ready_in_any_order() {
    let mut rig = Rig::empty(Disk::new(info(), 4));
    let k = rig.add(|_| {});
    let id = rig.clients[k].id;
    rig.set_status(k, 1).unwrap();
    rig.set_status(k, 3).unwrap();
    rig.clients[k].write_queue(1);
    assert_eq!(rig.server.config_queue(id, 0), Ok(()), "its memory comes later");
    rig.register(k).unwrap();
    rig.clients[k].choose_features(u64::MAX);
    rig.set_status(k, FEATURES).unwrap();
    rig.set_status(k, FEATURES | status::DRIVER_OK).unwrap();
    assert_eq!(rig.request(k, READ, 0, 512), OK);

    let mut rig = Rig::empty(Disk::new(info(), 4));
    let k = rig.add(|_| {});
    rig.register(k).unwrap();
    for bits in [1, 3, FEATURES] {
        rig.clients[k].choose_features(u64::MAX);
        rig.set_status(k, bits).unwrap();
    }
    rig.clients[k].write_queue(1);
    rig.set_status(k, FEATURES | status::DRIVER_OK).unwrap();
    assert_eq!(rig.request(k, READ, 0, 512), OK, "ready in the page is enough");
}

#[test]
fn a_queue_without_memory_fails_when_the_driver_starts() {
    let mut rig = Rig::empty(Disk::new(info(), 4));
    let k = rig.add(|_| {});
    for bits in [1, 3, FEATURES] {
        rig.clients[k].choose_features(u64::MAX);
        rig.set_status(k, bits).unwrap();
    }
    rig.clients[k].write_queue(1);
    rig.set_status(k, FEATURES | status::DRIVER_OK).unwrap();
    assert!(rig.needs_reset(k));
    let error = RingError::NotMapped(Part::Descriptors, BASE);
    assert_eq!(rig.failure(rig.clients[k].id), Some(Failure::Ring(error)));
}

#[test]
fn a_queue_is_not_changed_under_its_requests() {
    let mut rig = held(1, 1);
    let id = rig.clients[0].id;
    assert_eq!(rig.server.config_queue(id, 0), Err(Error::BUSY));
    rig.server.class_mut().backend().hold = false;
    rig.run();
    rig.clients[0].write_queue(0);
    assert_eq!(rig.server.config_queue(id, 0), Ok(()));
    rig.clients[0].send(1, READ, 0, 512);
    rig.run();
    assert_eq!(rig.clients[0].status(1), NO_STATUS, "a disabled queue is not served");
}

#[test]
fn the_command_register_does_what_messages_do() {
    let mut rig = Rig::empty(Disk::new(info(), 4));
    let k = rig.add(|_| {});
    let id = rig.clients[k].id;
    rig.register(k).unwrap();
    let command = |rig: &mut Rig, code, argument| {
        let raw = command::join(code, argument);
        rig.clients[k].page.mem().write_u32(page::COMMAND, raw).unwrap();
        rig.server.kick(id);
        rig.clients[k].page_u32(page::COMMAND)
    };
    rig.clients[k].choose_features(u64::MAX);
    for bits in [1, 3, FEATURES] {
        assert_eq!(command(&mut rig, command::SET_STATUS, bits), 0);
    }
    rig.clients[k].write_queue(1);
    assert_eq!(command(&mut rig, command::CONFIG_QUEUE, 0), 0);
    assert_eq!(command(&mut rig, command::SET_STATUS, FEATURES | status::DRIVER_OK), 0);
    assert_eq!(rig.request(k, READ, 0, 512), OK);

    rig.server.class_mut().backend().hold = true;
    rig.clients[k].send(1, READ, 0, 512);
    rig.run();
    assert_ne!(command(&mut rig, command::SET_STATUS, 0), 0, "the reset is not complete");
    rig.server.kick(id);
    rig.server.class_mut().backend().hold = false;
    rig.run();
    assert_eq!(rig.clients[k].page_u32(page::COMMAND), 0);
    assert_eq!(rig.clients[k].page_u32(page::STATUS), 0);
}
