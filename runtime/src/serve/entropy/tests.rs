//! Clients of a source of random bytes, on the same server as disks.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use super::*;
use crate::mem::DmaRun;
use crate::serve::client::{ClientOptions, Peer};
use crate::serve::ring::RingError;
use crate::serve::scheduler::{ClientId, NextStep, Scheduler};
use crate::serve::testing::{Arena, Guest, PAGE};
use crate::serve::transport::Failure;
use crate::virtio::spec::l4page::{self as page, queue as qpage};
use crate::virtio::spec::{device_id, feature};

const BASE: u64 = 0x20_0000;
const QUEUE: u16 = 16;

/// Counts upwards, so that it shows who got which bytes; `left` is how many there are now.
struct Counting {
    next: u8,
    left: usize,
    asked: u32,
}

impl EntropySource for Counting {
    fn read(&mut self, out: &mut [u8]) -> usize {
        let n = out.len().min(self.left);
        for byte in out.iter_mut().take(n) {
            *byte = self.next;
            self.next = self.next.wrapping_add(1);
        }
        self.left -= n;
        n
    }

    fn refill(&mut self) {
        self.asked += 1;
    }

    fn is_ready(&mut self) -> bool {
        self.left > 0
    }
}

#[derive(Default)]
struct Counter(Rc<Cell<u32>>);

impl Peer for Counter {
    type Memory = ();

    fn interrupt(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

struct Client {
    id: ClientId,
    page: Arena,
    _memory: Arena,
    guest: Guest,
    interrupts: Rc<Cell<u32>>,
}

impl Client {
    /// A running client.
    fn start(server: &mut Scheduler<Entropy<Counting>, Counter>) -> Client {
        let (page, memory) = (Arena::new(1), Arena::new(4));
        let interrupts = Rc::<Cell<u32>>::default();
        let options = ClientOptions {
            page: page.mem(),
            ds_max: 1,
            command_register: false,
            class: EntropyOptions,
        };
        let id = server.add_client(options, Counter(interrupts.clone())).unwrap();
        let guest = Guest::new(memory.mem(), BASE, QUEUE);
        let run = DmaRun { offset: 0, len: (4 * PAGE) as u64, addr: 0 };
        server.client(id).unwrap().register(BASE, memory.mem(), &[run], ()).unwrap();
        for status in [0, 1, 3, 0xb] {
            for i in 0..2 {
                let offered = page.mem().read_u32(page::DEVICE_FEATURE_MAP + 4 * i).unwrap();
                page.mem().write_u32(page::DRIVER_FEATURE_MAP + 4 * i, offered).unwrap();
            }
            server.set_status(id, status).unwrap();
        }
        let at = page.mem().read_u32(page::QUEUES_OFFSET).unwrap() as usize;
        let layout = guest.layout();
        page.mem().write_u16(at + qpage::NUM, layout.size).unwrap();
        page.mem().write_u64(at + qpage::DESC, layout.desc).unwrap();
        page.mem().write_u64(at + qpage::AVAIL, layout.avail).unwrap();
        page.mem().write_u64(at + qpage::USED, layout.used).unwrap();
        page.mem().write_u16(at + qpage::READY, 1).unwrap();
        server.config_queue(id, 0).unwrap();
        server.set_status(id, 0xf).unwrap();
        Client { id, page, _memory: memory, guest, interrupts }
    }

    /// Offers a buffer of `len` bytes, number `n`, in two parts.
    fn ask(&mut self, n: u16, len: u32) {
        let at = BASE + self.guest.free_at() as u64 + 1024 * u64::from(n);
        let half = len / 2;
        self.guest.chain(2 * n, &[(at, half, true), (at + u64::from(half), len - half, true)]);
        self.guest.offer(2 * n);
    }

    fn bytes(&self, n: u16, len: usize) -> Vec<u8> {
        let mut bytes = alloc::vec![0; len];
        let at = self.guest.free_at() + 1024 * usize::from(n);
        self.guest.mem.read_bytes(at, &mut bytes).unwrap();
        bytes
    }
}

fn server(left: usize) -> Scheduler<Entropy<Counting>, Counter> {
    Scheduler::new(Entropy::new(Counting { next: 1, left, asked: 0 }))
}

fn run(server: &mut Scheduler<Entropy<Counting>, Counter>) {
    loop {
        while server.work() {}
        if server.settle() == NextStep::Wait {
            return;
        }
    }
}

#[test]
fn a_client_sees_an_entropy_device() {
    let mut server = server(0);
    let client = Client::start(&mut server);
    let word = |at| client.page.mem().read_u32(at).unwrap();
    assert_eq!(word(page::DEVICE_ID), device_id::ENTROPY);
    assert_eq!(word(page::NUM_QUEUES), 1);
    assert_eq!(u64::from(word(page::DEVICE_FEATURE_MAP)), feature::INDIRECT_DESC);
}

#[test]
fn no_byte_is_given_out_twice() {
    let mut server = server(usize::MAX);
    let mut clients = [Client::start(&mut server), Client::start(&mut server)];
    for (n, client) in (0u16..).zip(&mut clients) {
        client.ask(0, 20 + u32::from(n));
        client.ask(1, 7);
        server.kick(client.id);
    }
    run(&mut server);
    let [a, b] = &mut clients;
    assert_eq!(a.guest.take_used(), [(0, 20), (2, 7)]);
    assert_eq!(b.guest.take_used(), [(0, 21), (2, 7)]);
    assert_eq!([a.interrupts.get(), b.interrupts.get()], [1, 1], "one for each batch");
    let all = [a.bytes(0, 20), a.bytes(1, 7), b.bytes(0, 21), b.bytes(1, 7)].concat();
    let expect: Vec<u8> = (1..=55).collect();
    assert_eq!(all, expect);
    assert_eq!(server.counters().requests, 4);
}

#[test]
fn a_request_waits_until_there_are_bytes_and_may_be_answered_in_part() {
    let mut server = server(0);
    let mut client = Client::start(&mut server);
    client.ask(0, 64);
    server.kick(client.id);
    run(&mut server);
    assert_eq!(client.guest.take_used(), []);
    assert!(server.class_mut().source().asked > 0);
    server.class_mut().source().left = 40;
    run(&mut server);
    assert_eq!(client.guest.take_used(), [(0, 40)]);
    assert_eq!(client.bytes(0, 41).last(), Some(&0), "nothing behind them");
}

#[test]
fn a_greedy_client_gets_little_at_a_time() {
    let mut server = server(usize::MAX);
    let mut client = Client::start(&mut server);
    client.ask(0, 1000);
    server.kick(client.id);
    run(&mut server);
    assert_eq!(client.guest.take_used(), [(0, REQUEST_MAX as u32)]);
}

#[test]
fn buffers_that_are_not_the_clients_end_its_service_alone() {
    let mut server = server(usize::MAX);
    let (mut wrong, mut good) = (Client::start(&mut server), Client::start(&mut server));
    wrong.guest.chain(0, &[(BASE - 8, 16, true)]);
    wrong.guest.offer(0);
    good.ask(0, 8);
    run(&mut server);
    let failure = server.client(wrong.id).unwrap().failure();
    assert_eq!(failure, Some(Failure::Ring(RingError::BufferNotMapped(BASE - 8))));
    assert_eq!(good.guest.take_used(), [(0, 8)]);
    server.set_status(wrong.id, 0).unwrap();
    assert_eq!(wrong.page.mem().read_u32(page::STATUS), Some(0), "it may start again");
}
