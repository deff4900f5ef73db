//! Requests: what is done, and with what status they end.

use alloc::vec::Vec;

use super::disk::{Disk, SECTORS, info};
use super::rig::{BASE, DATA, Rig};
use crate::serve::block::{SectorRange, SectorWindow, id_string};
use crate::virtio::spec::block::{Info, Op, Status, config, feature};
use crate::virtio::spec::feature as common;
use crate::virtio::spec::l4page as page;

const OK: u8 = Status::Ok as u8;
const IOERR: u8 = Status::IoErr as u8;
const UNSUPP: u8 = Status::Unsupp as u8;
const READ: u32 = Op::Read as u32;
const WRITE: u32 = Op::Write as u32;
const FLUSH: u32 = Op::Flush as u32;
const GET_ID: u32 = Op::GetId as u32;
const DISCARD: u32 = Op::Discard as u32;
const ZEROES: u32 = Op::WriteZeroes as u32;

fn rig() -> Rig {
    Rig::new(Disk::new(info(), 16), 1)
}

fn rig_with(info: Info) -> Rig {
    Rig::new(Disk::new(info, 16), 1)
}

#[test]
fn what_is_written_is_read_back() {
    let mut rig = rig();
    let pattern: Vec<u8> = (0..DATA).map(|i| (i * 31 % 251) as u8).collect();
    let at = rig.clients[0].data_at(0);
    rig.clients[0].guest.mem.write_bytes(at, &pattern).unwrap();
    assert_eq!(rig.request(0, WRITE, 40, DATA as u32), OK);
    assert_eq!(rig.server.class_mut().backend().contents[40 * 512..][..DATA], pattern);
    rig.clients[0].guest.mem.slice(at, DATA).unwrap().zero();
    rig.clients[0].send(0, READ, 40, DATA as u32);
    rig.run();
    assert_eq!(rig.clients[0].data(0, DATA), pattern);
    let len = DATA as u32 + 1;
    assert_eq!(rig.clients[0].guest.take_used(), [(0, len)], "data and status were written");
    let counters = rig.server.counters();
    assert_eq!((counters.bytes_read, counters.bytes_written), (DATA as u64, DATA as u64));
}

#[test]
fn positions_outside_of_the_disk_are_refused() {
    let mut rig = rig();
    for (sector, bytes, status) in [
        (SECTORS - 1, 512, OK),
        (SECTORS - 1, 1024, IOERR),
        (SECTORS, 512, IOERR),
        (u64::MAX, 512, IOERR),
        (u64::MAX / 512, 1024, IOERR),
        (0, 0, IOERR),
        (0, 100, IOERR),
        (0, 513, IOERR),
    ] {
        assert_eq!(rig.request(0, READ, sector, bytes), status, "{sector} {bytes}");
        assert_eq!(rig.request(0, WRITE, sector, bytes), status, "{sector} {bytes}");
    }
}

#[test]
fn positions_are_whole_blocks() {
    let mut rig = rig_with(Info { block_size: 4096, ..info() });
    for (sector, bytes, status) in [(8, 4096, OK), (4, 4096, IOERR), (8, 512, IOERR)] {
        assert_eq!(rig.request(0, READ, sector, bytes), status, "{sector} {bytes}");
    }
}

#[test]
fn what_is_not_known_is_unsupported() {
    let mut rig = rig();
    for kind in [2, 3, 5, 14, 0x8000_0000, u32::MAX] {
        assert_eq!(rig.request(0, kind, 0, 512), UNSUPP, "{kind}");
    }
    let bare = Info { flush: false, discard: None, write_zeroes: None, ..info() };
    let mut rig = rig_with(bare);
    for kind in [FLUSH, DISCARD, ZEROES] {
        assert_eq!(rig.request(0, kind, 0, 16), UNSUPP, "{kind}");
    }
}

#[test]
fn a_flush_reaches_the_disk() {
    let mut rig = rig();
    assert_eq!(rig.request(0, FLUSH, 0, 0), OK);
    assert_eq!(rig.server.class_mut().backend().flushes, 1);
}

#[test]
fn a_read_only_client_changes_nothing() {
    let mut rig = Rig::empty(Disk::new(info(), 16));
    let k = rig.add(|o| o.read_only = true);
    rig.start(k, u64::MAX);
    let before = rig.server.class_mut().backend().contents.clone();
    for kind in [WRITE, DISCARD, ZEROES] {
        assert_eq!(rig.request(k, kind, 0, 512), IOERR, "{kind}");
    }
    assert_eq!(rig.request(k, READ, 0, 512), OK);
    assert_eq!(rig.request(k, FLUSH, 0, 0), OK);
    assert_eq!(rig.server.class_mut().backend().contents, before);
    assert!(rig.server.class_mut().backend().ranges.is_empty());
    let offered = rig.clients[k].page_u32(page::DEVICE_FEATURE_MAP);
    let medium = feature::RO | feature::DISCARD | feature::WRITE_ZEROES;
    assert_eq!(u64::from(offered) & medium, feature::RO);
}

#[test]
fn the_name_is_given_as_far_as_there_is_room() {
    let mut rig = rig();
    let id = id_string("test disk");
    assert_eq!(rig.request(0, GET_ID, 0, 20), OK);
    assert_eq!(rig.clients[0].data(0, 20), id);
    rig.clients[0].send(1, GET_ID, 0, 512);
    rig.run();
    assert_eq!(rig.clients[0].data(1, 20), id);
    assert_eq!(rig.clients[0].guest.take_used(), [(3, 21)], "not more than was written");
    rig.clients[0].send(2, GET_ID, 0, 4);
    rig.run();
    assert_eq!(rig.clients[0].data(2, 5), *b"test\0");
    assert_eq!(rig.clients[0].guest.take_used(), [(6, 5)]);
    assert_eq!(rig.request(0, GET_ID, 0, 0), IOERR);
}

#[test]
fn bytes_may_be_spread_over_buffers_in_any_way() {
    let mut rig = rig();
    let c = &mut rig.clients[0];
    let (header, data) = (c.header_at(0), c.data_at(0));
    let at = |offset: usize| BASE + offset as u64;
    // A read: the header in three pieces, data in odd pieces, the last with the status.
    c.write_header(header, READ, 3);
    let pieces = [
        (at(header), 1, false),
        (at(header + 1), 8, false),
        (at(header + 9), 7, false),
        (at(data), 111, true),
        (at(data + 111), 913 + 1, true),
    ];
    c.guest.chain(0, &pieces);
    c.guest.offer(0);
    // A write: header and data in one buffer.
    c.write_header(data + 2004, WRITE, 9);
    c.guest.mem.write_bytes(data + 2020, &[5; 512]).unwrap();
    c.guest.chain(8, &[(at(data + 2004), 16 + 512, false), (at(header + 40), 1, true)]);
    c.guest.offer(8);
    c.guest.mem.write_u8(header + 40, 7).unwrap();
    rig.run();
    let c = &mut rig.clients[0];
    assert_eq!(c.guest.take_used(), [(0, 1025), (8, 1)]);
    let expect = &rig.server.class_mut().backend().contents[3 * 512..][..1024];
    let mut got = alloc::vec![0; 1025];
    rig.clients[0].guest.mem.read_bytes(data, &mut got).unwrap();
    assert_eq!(got[..1024], *expect);
    assert_eq!(got[1024], OK);
    assert_eq!(rig.clients[0].guest.mem.read_u8(header + 40), Some(OK));
    assert_eq!(rig.server.class_mut().backend().contents[9 * 512..][..512], [5; 512]);
}

#[test]
fn bad_addresses_are_errors_if_the_status_can_be_written() {
    let mut rig = rig();
    let c = &mut rig.clients[0];
    let status = BASE + c.status_at(0) as u64;
    let header = BASE + c.header_at(0) as u64;
    for (n, (header, data)) in
        [(header, 1), (1, header), (u64::MAX - 8, header), (header, u64::MAX)]
            .into_iter()
            .enumerate()
    {
        let c = &mut rig.clients[0];
        c.write_header(c.header_at(0), READ, 0);
        c.guest.chain(0, &[(header, 16, false), (data, 512 * 512, true), (status, 1, true)]);
        c.guest.offer(0);
        rig.run();
        assert_eq!(rig.clients[0].status(0), IOERR, "case {n}");
        assert!(!rig.needs_reset(0));
    }
}

#[test]
fn nothing_is_written_if_only_some_of_the_data_can_be_read() {
    let mut rig = Rig::empty(Disk::new(Info { seg_max: 1, ..info() }, 16));
    let k = rig.add(|_| {});
    rig.start(k, common::VERSION_1);
    let c = &mut rig.clients[k];
    c.write_header(c.header_at(0), WRITE, 0);
    let at = |offset: usize| BASE + offset as u64;
    // The first buffer is in two runs: its first half alone would be a part.
    let good = (at(c.data_at(0) - 100 + 4096 - 512), 1024, false);
    let status = (at(c.status_at(0)), 1, true);
    let chain = [(at(c.header_at(0)), 16, false), good, (u64::MAX - 4096, 512, false), status];
    c.guest.chain(0, &chain);
    c.guest.offer(0);
    rig.run();
    assert_eq!(rig.clients[0].status(0), IOERR);
    assert_eq!(rig.server.counters().parts, 0);
}

#[test]
fn a_request_that_is_too_scattered_is_cut() {
    for seg_max in 1..4 {
        let mut rig = rig_with(Info { seg_max, ..info() });
        let c = &mut rig.clients[0];
        // Data begin at a block within a page, so that runs end with blocks.
        let (header, data) = (c.header_at(0), c.data_at(0) - 100 + 512);
        c.write_header(header, READ, 8);
        let at = |offset: usize| BASE + offset as u64;
        let status = at(c.status_at(0));
        c.guest.chain(0, &[(at(header), 16, false), (at(data), 8192, true), (status, 1, true)]);
        c.guest.offer(0);
        rig.run();
        assert_eq!(rig.clients[0].status(0), OK);
        let mut got = alloc::vec![0; 8192];
        rig.clients[0].guest.mem.read_bytes(data, &mut got).unwrap();
        assert_eq!(got, rig.server.class_mut().backend().contents[8 * 512..][..8192]);
        let counters = rig.server.counters();
        assert_eq!((counters.requests, counters.parts), (1, u64::from(3u32.div_ceil(seg_max))));
    }
}

#[test]
fn one_failed_part_fails_the_request() {
    for status in [Status::IoErr, Status::Unsupp] {
        for which in 0..2 {
            let mut rig = rig_with(Info { seg_max: 2, ..info() });
            let verdicts = (0..2).map(|i| if i == which { status } else { Status::Ok });
            rig.server.class_mut().backend().verdicts = verdicts.collect();
            // The data touch three pages, so three runs: that is two parts.
            assert_eq!(rig.request(0, READ, 0, 8192), status as u8);
            let counters = rig.server.counters();
            assert_eq!((counters.parts, counters.errors), (2, 1));
            assert_eq!(rig.server.in_flight(), 0);
        }
    }
}

#[test]
fn limits_bind_those_who_have_agreed_to_them() {
    let info = Info { size_max: 1024, ..info() };
    assert_eq!(rig_with(info).request(0, READ, 0, 4096), IOERR);
    let mut rig = Rig::empty(Disk::new(info, 16));
    let k = rig.add(|_| {});
    rig.start(k, common::VERSION_1);
    assert_eq!(rig.request(k, READ, 0, 4096), OK);
}

fn send_range(rig: &mut Rig, kind: u32, ranges: &[(u64, u32, u32)]) -> u8 {
    let c = &rig.clients[0];
    for (i, (sector, sectors, flags)) in ranges.iter().enumerate() {
        // The data of the rig begin at an odd place: unaligned for a u64.
        let raw = u128::from(*sector) | u128::from(*sectors) << 64 | u128::from(*flags) << 96;
        c.guest.mem.write_bytes(c.data_at(0) + 16 * i, &raw.to_le_bytes()).unwrap();
    }
    rig.request(0, kind, 0, 16 * ranges.len() as u32)
}

#[test]
fn ranges_are_checked_one_by_one() {
    let mut rig = rig();
    for (kind, ranges, status) in [
        (DISCARD, &[(0, 8, 0), (100, 1, 0)][..], OK),
        (DISCARD, &[(0, 8, 1)], UNSUPP),
        (DISCARD, &[(0, 8, 2)], UNSUPP),
        (ZEROES, &[(0, 8, 1)], OK),
        (ZEROES, &[(0, 8, 3)], UNSUPP),
        (ZEROES, &[(0, 0, 0)], IOERR),
        (ZEROES, &[(0, 1025, 0)], IOERR),
        (ZEROES, &[(SECTORS - 1, 2, 0)], IOERR),
        (ZEROES, &[(u64::MAX, 1, 0)], IOERR),
        (ZEROES, &[(0, 1, 0), (SECTORS, 1, 0)], IOERR),
        (ZEROES, &[(0, 1, 0); 5], IOERR),
        (ZEROES, &[], IOERR),
    ] {
        assert_eq!(send_range(&mut rig, kind, ranges), status, "{kind} {ranges:?}");
    }
    assert_eq!(rig.request(0, ZEROES, 0, 17), IOERR);
    let range = |sector, sectors| SectorRange { sector, sectors, unmap: false };
    let expect = [
        (Op::Discard, range(0, 8)),
        (Op::Discard, range(100, 1)),
        // The disk cannot unmap when it writes zeros, so it is not asked to.
        (Op::WriteZeroes, range(0, 8)),
    ];
    assert_eq!(rig.server.class_mut().backend().ranges, expect);
}

#[test]
fn a_window_is_a_disk_of_its_own() {
    let mut rig = Rig::empty(Disk::new(info(), 16));
    let window = SectorWindow { first_sector: 100, sectors: 10 };
    let k = rig.add(|o| o.window = window);
    rig.start(k, u64::MAX);
    let capacity = rig.clients[k].page.mem().read_u64(page::DEVICE_CONFIG + config::CAPACITY);
    assert_eq!(capacity, Some(10));
    assert_eq!(rig.request(k, READ, 9, 512), OK);
    let expect = rig.server.class_mut().backend().contents[109 * 512..][..512].to_vec();
    assert_eq!(rig.clients[k].data(0, 512), expect);
    assert_eq!(rig.request(k, READ, 10, 512), IOERR);
    assert_eq!(send_range(&mut rig, DISCARD, &[(9, 1, 0)]), OK);
    assert_eq!(rig.server.class_mut().backend().ranges[0].1.sector, 109);
    assert_eq!(send_range(&mut rig, DISCARD, &[(9, 2, 0)]), IOERR);
}

#[test]
fn the_page_offers_what_the_disk_has() {
    let rig = rig();
    let page = rig.clients[0].page.mem().slice(page::DEVICE_CONFIG, 60).unwrap();
    assert_eq!(page.read_u64(config::CAPACITY), Some(SECTORS));
    assert_eq!(page.read_u32(config::SEG_MAX), Some(62), "room for header and status");
    assert_eq!(page.read_u32(config::BLK_SIZE), Some(512));
    assert_eq!(page.read_u32(config::MAX_DISCARD_SEG), Some(4));
    assert_eq!(page.read_u8(config::WRITE_ZEROES_MAY_UNMAP), Some(0));
    let offered = u64::from(rig.clients[0].page_u32(page::DEVICE_FEATURE_MAP));
    let expect = feature::SIZE_MAX
        | feature::SEG_MAX
        | feature::BLK_SIZE
        | feature::FLUSH
        | feature::DISCARD
        | feature::WRITE_ZEROES
        | common::INDIRECT_DESC;
    assert_eq!(offered, expect);
}
