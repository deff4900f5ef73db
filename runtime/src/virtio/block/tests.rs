//! The block driver against a disk in memory, a lying one, and one that breaks down.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use virtio_drivers::transport::DeviceType;

use super::info::Raw;
use super::*;
use crate::mem::{DmaAllocator, DmaBuffer};
use crate::virtio::fake::{Device, Disk, FakeTransport, HostDma};
use crate::virtio::negotiate::InitError;
use crate::virtio::queue::QueueError;
use crate::virtio::spec::block::{ID_SIZE, WRITE_ZEROES_F_UNMAP, config, feature as class};
use crate::virtio::spec::{feature, status};

const RING: u64 = feature::INDIRECT_DESC | feature::EVENT_IDX;
const SECTORS: usize = 4096;

type Shared = Rc<RefCell<Device>>;

fn options() -> Options {
    Options { polls: 1000, ..Options::default() }
}

fn disk() -> Shared {
    Device::with_disk(Disk::new(SECTORS), false, RING).shared()
}

fn open(device: &Shared) -> Result<BlockDevice<FakeTransport>, BlockError> {
    BlockDevice::new(FakeTransport(device.clone()), &HostDma::default(), options())
}

/// A disk that is up, and DMA memory for data.
fn rig(device: &Shared) -> (BlockDevice<FakeTransport>, DmaBuffer) {
    (open(device).unwrap(), HostDma::default().alloc(1 << 16).unwrap())
}

fn part(buffer: &DmaBuffer, at: usize, len: u32) -> DmaSegment {
    DmaSegment { addr: buffer.addr() + at as u64, len }
}

fn completions(block: &mut BlockDevice<FakeTransport>) -> Vec<Completion> {
    let mut all = Vec::new();
    block.complete(&mut |c| all.push(c));
    all
}

fn done(tag: u32, written: u32) -> Completion {
    Completion { tag, status: Status::Ok, written }
}

#[test]
fn data_goes_through_unharmed_on_every_kind_of_device() {
    for legacy in [false, true] {
        for ring in [0, feature::INDIRECT_DESC, feature::EVENT_IDX, RING] {
            let device = Device::with_disk(Disk::new(SECTORS), legacy, ring).shared();
            let (mut block, data) = rig(&device);
            let pattern: Vec<u8> = (0..2048).map(|i| (i / 3) as u8).collect();
            data.mem().write_bytes(0, &pattern).unwrap();
            // Segments of odd sizes: only their sum must be a number of blocks.
            let out = [part(&data, 0, 100), part(&data, 100, 1948)];
            block.submit(Op::Write, 10, &out, 1).unwrap();
            block.publish();
            assert_eq!(completions(&mut block), [done(1, 0)]);
            let back = [part(&data, 8192, 1024), part(&data, 9216, 1000), part(&data, 10216, 24)];
            block.submit(Op::Read, 10, &back, 2).unwrap();
            block.publish();
            assert_eq!(completions(&mut block), [done(2, 2048)]);
            let mut read = vec![0; 2048];
            data.mem().read_bytes(8192, &mut read).unwrap();
            assert_eq!(read, pattern);
        }
    }
}

#[test]
fn properties_are_read_and_limited_to_what_the_driver_can_do() {
    let device = disk();
    let (block, _data) = rig(&device);
    let info = block.info();
    assert_eq!((info.capacity, info.block_size), (SECTORS as u64, 512));
    assert_eq!((info.size_max, info.seg_max), (0x1_0000, 16));
    assert!(info.flush && !info.read_only);
    assert_eq!(&info.id[..9], b"disk-0042");
    let discard =
        DiscardLimits { max_sectors: 64, max_segments: 4, alignment: 8, may_unmap: false };
    assert_eq!(info.discard, Some(discard));
    assert!(info.write_zeroes.is_some_and(|w| w.may_unmap));
    assert_eq!(block.topology().map(|t| (t.physical_block_exp, t.opt_io_size)), Some((3, 8)));
    assert_eq!(block.depth(), 170);
    // Two small requests of the driver itself are all that happened, without an interrupt.
    assert_eq!((block.in_flight(), device.borrow().interrupts), (0, 0));
}

#[test]
fn flush_discard_and_zeroes_reach_the_device() {
    let device = disk();
    let (mut block, _data) = rig(&device);
    device.borrow_mut().disk.as_mut().unwrap().data.fill(7);
    block.submit(Op::Flush, 99, &[], 1).unwrap();
    let ranges = [
        SectorRange { sector: 2, sectors: 1, unmap: true },
        SectorRange { sector: 8, sectors: 2, unmap: false },
    ];
    block.submit_ranges(Op::WriteZeroes, &ranges, 2).unwrap();
    block
        .submit_ranges(Op::Discard, &[SectorRange { sector: 16, sectors: 8, unmap: false }], 3)
        .unwrap();
    block.publish();
    assert_eq!(completions(&mut block), [done(1, 0), done(2, 0), done(3, 0)]);
    let device = device.borrow();
    let disk = device.disk.as_ref().unwrap();
    assert_eq!((disk.flushes, device.kicks), (1, 2), "one kick for the name, one for the batch");
    let zero: Vec<usize> =
        (0..SECTORS).filter(|s| disk.data[s * 512..][..512].iter().all(|b| *b == 0)).collect();
    assert_eq!(zero, [2, 8, 9, 16, 17, 18, 19, 20, 21, 22, 23]);
    assert_eq!(WRITE_ZEROES_F_UNMAP, 1);
}

#[test]
fn requests_that_do_not_fit_the_disk_are_refused() {
    let device = disk();
    let (mut block, data) = rig(&device);
    let one = [part(&data, 0, 512)];
    let last = SECTORS as u64 - 1;
    let mut refused = |op, sector, segments: &[DmaSegment]| {
        assert_eq!(block.submit(op, sector, segments, 0), Err(SubmitError::Invalid));
    };
    refused(Op::Read, SECTORS as u64, &one);
    refused(Op::Read, u64::MAX, &one);
    refused(Op::Write, last, &[one[0]; 2]);
    refused(Op::Read, 0, &[]);
    refused(Op::Read, 0, &[part(&data, 0, 511)]);
    refused(Op::Read, 0, &[part(&data, 0, 0), one[0]]);
    refused(Op::Read, 0, &[one[0]; 17]);
    refused(Op::Read, 0, &[part(&data, 0, 0x1_0200)]);
    refused(Op::Flush, 0, &one);
    refused(Op::GetId, 0, &one);
    refused(Op::Discard, 0, &one);
    let mut refused = |op, sector, sectors, unmap| {
        let range = [SectorRange { sector, sectors, unmap }];
        assert_eq!(block.submit_ranges(op, &range, 0), Err(SubmitError::Invalid));
    };
    refused(Op::Discard, last, 2, false);
    refused(Op::Discard, u64::MAX, 1, false);
    refused(Op::Discard, 0, 0, false);
    refused(Op::Discard, 0, 65, false);
    refused(Op::Discard, 0, 1, true);
    refused(Op::Read, 0, 1, false);
    let many = [SectorRange { sector: 0, sectors: 1, unmap: false }; 5];
    assert_eq!(block.submit_ranges(Op::WriteZeroes, &many, 0), Err(SubmitError::Invalid));
    assert_eq!(block.submit_ranges(Op::WriteZeroes, &[], 0), Err(SubmitError::Invalid));
    // Nothing of this took a slot, and the last sector is still one that exists.
    assert_eq!(block.in_flight(), 0);
    block.submit(Op::Read, last, &one, 5).unwrap();
    block.publish();
    assert_eq!(completions(&mut block), [done(5, 512)]);
}

#[test]
fn features_that_are_not_offered_are_off() {
    let device = disk();
    device.borrow_mut().offered = feature::VERSION_1 | class::RO;
    let (mut block, data) = rig(&device);
    let info = *block.info();
    assert!(info.read_only && !info.flush && info.discard.is_none() && info.write_zeroes.is_none());
    assert_eq!((info.seg_max, block.topology()), (1, None));
    let one = [part(&data, 0, 512)];
    assert_eq!(block.submit(Op::Write, 0, &one, 0), Err(SubmitError::Invalid));
    assert_eq!(block.submit(Op::Flush, 0, &[], 0), Err(SubmitError::Invalid));
    let range = [SectorRange { sector: 0, sectors: 1, unmap: false }];
    assert_eq!(block.submit_ranges(Op::Discard, &range, 0), Err(SubmitError::Invalid));
    assert_eq!(block.submit(Op::Read, 0, &one, 0), Ok(()));
}

#[test]
fn a_full_device_is_busy_until_something_completes() {
    let device = disk();
    let (mut block, data) = rig(&device);
    device.borrow_mut().auto = false;
    let one = [part(&data, 0, 512)];
    let mut taken = 0;
    while block.submit(Op::Read, 0, &one, taken).is_ok() {
        taken += 1;
    }
    assert_eq!(taken as usize, block.depth());
    assert_eq!(block.submit(Op::Read, 0, &one, 0), Err(SubmitError::Busy));
    block.publish();
    device.borrow_mut().run();
    assert_eq!(completions(&mut block).len(), taken as usize);
    assert_eq!(block.submit(Op::Read, 0, &one, 0), Ok(()));
}

#[test]
fn failures_of_the_device_are_reported_as_such() {
    let device = disk();
    let (mut block, data) = rig(&device);
    let one = [part(&data, 0, 512)];
    for (raw, status) in [(1, Status::IoErr), (2, Status::Unsupp), (77, Status::IoErr)] {
        device.borrow_mut().disk.as_mut().unwrap().refuse = Some(raw);
        block.submit(Op::Read, 0, &one, 3).unwrap();
        block.publish();
        assert_eq!(completions(&mut block)[0].status, status);
    }
}

#[test]
fn a_status_that_is_not_written_is_an_error() {
    let device = disk();
    let (mut block, data) = rig(&device);
    device.borrow_mut().disk.as_mut().unwrap().mute = true;
    for tag in 0..3 {
        block.submit(Op::Read, 0, &[part(&data, 0, 512)], tag).unwrap();
        block.publish();
        assert_eq!(completions(&mut block)[0].status, Status::IoErr);
    }
}

#[test]
fn a_write_whose_data_are_claimed_as_written_by_the_device_is_done_all_the_same() {
    let device = disk();
    let (mut block, data) = rig(&device);
    device.borrow_mut().auto = false;
    block.submit(Op::Write, 0, &[part(&data, 0, 512)], 5).unwrap();
    block.publish();
    {
        let mut device = device.borrow_mut();
        assert_eq!(device.fetch(1), 1);
        let taken = device.taken.pop_front().unwrap();
        let len = device.disk.as_mut().unwrap().execute(&taken.elems);
        device.put_used(taken.head.into(), len + 512);
        device.flush();
    }
    assert_eq!(completions(&mut block), [done(5, 0)]);
    assert_eq!(block.counters().nonsense, 1);
}

#[test]
fn a_breakdown_fails_what_is_in_flight_and_the_device_comes_back() {
    let device = disk();
    let (mut block, data) = rig(&device);
    device.borrow_mut().break_down();
    let one = [part(&data, 0, 512)];
    for tag in 0..3 {
        block.submit(Op::Read, 0, &one, tag).unwrap();
    }
    block.publish();
    let interrupt = block.handle_interrupt();
    assert!(interrupt.needs_reset && !interrupt.config_changed);
    assert_eq!(block.submit(Op::Read, 0, &one, 9), Err(SubmitError::Busy));

    let mut failed = Vec::new();
    block.reset_and_recover(&mut |c| failed.push(c)).unwrap();
    let failure = |tag| Completion { tag, status: Status::IoErr, written: 0 };
    assert_eq!(failed, [failure(0), failure(1), failure(2)]);
    device.borrow_mut().auto = true;
    block.submit(Op::Read, 0, &one, 4).unwrap();
    block.publish();
    assert_eq!(completions(&mut block), [done(4, 512)]);
    assert_eq!(&block.info().id[..9], b"disk-0042", "the name survives");
}

#[test]
fn a_device_that_does_not_stop_keeps_its_requests() {
    let device = disk();
    let (mut block, data) = rig(&device);
    device.borrow_mut().auto = false;
    block.submit(Op::Read, 0, &[part(&data, 0, 512)], 1).unwrap();
    block.publish();
    device.borrow_mut().faults.never_resets = true;
    let mut failed = Vec::new();
    let result = block.reset_and_recover(&mut |c| failed.push(c.tag));
    assert!(matches!(result, Err(BlockError::Init(InitError::ResetTimeout { .. }))));
    assert!(failed.is_empty() && block.needs_reset() && !block.gone());
    // Cut off from memory by other means:
    block.abandon(&mut |c| failed.push(c.tag));
    assert!(failed == [1] && block.gone());
    assert_eq!(block.submit(Op::Flush, 0, &[], 1), Err(SubmitError::Gone));
    // Its memory is never given to anybody else.
    let before = HostDma::live_bytes();
    drop(block);
    assert_eq!(HostDma::live_bytes(), before);
}

#[test]
fn a_device_that_stops_gives_its_memory_back() {
    let device = disk();
    drop(open(&device).unwrap());
    assert_eq!((HostDma::live_bytes(), device.borrow().status), (0, 0));
}

#[test]
fn a_device_that_comes_back_different_is_gone() {
    let device = disk();
    let (mut block, _data) = rig(&device);
    device.borrow_mut().offered &= !class::FLUSH;
    let result = block.reset_and_recover(&mut |_| {});
    assert!(matches!(result, Err(BlockError::FeaturesChanged { .. })));
    assert!(block.gone());
}

#[test]
fn a_new_capacity_is_taken_over_if_it_makes_sense() {
    let device = disk();
    let (mut block, data) = rig(&device);
    device.borrow_mut().change_config(config::CAPACITY, &8u64.to_le_bytes());
    assert!(block.handle_interrupt().config_changed);
    assert_eq!(block.info().capacity, 8);
    let one = [part(&data, 0, 512)];
    assert_eq!(block.submit(Op::Read, 8, &one, 0), Err(SubmitError::Invalid));
    device.borrow_mut().change_config(config::CAPACITY, &u64::MAX.to_le_bytes());
    assert!(!block.handle_interrupt().config_changed);
    assert_eq!(block.info().capacity, 8);
}

#[test]
fn configurations_without_sense_are_named() {
    let result = |at: usize, bytes: &[u8]| {
        let device = disk();
        device.borrow_mut().config[at..at + bytes.len()].copy_from_slice(bytes);
        open(&device).err()
    };
    assert_eq!(
        result(config::CAPACITY, &u64::MAX.to_le_bytes()),
        Some(BlockError::Capacity(u64::MAX))
    );
    assert_eq!(result(config::BLK_SIZE, &513u32.to_le_bytes()), Some(BlockError::BlockSize(513)));
    assert_eq!(result(config::BLK_SIZE, &0u32.to_le_bytes()), Some(BlockError::BlockSize(0)));
    assert_eq!(result(config::SIZE_MAX, &511u32.to_le_bytes()), Some(BlockError::SizeMax(511)));
    assert_eq!(result(config::CAPACITY, &1u64.to_le_bytes()), None, "one sector is a disk");
}

#[test]
fn devices_that_do_not_come_up_are_named() {
    let result = |change: fn(&mut Device)| {
        let device = disk();
        change(&mut device.borrow_mut());
        let error = open(&device).err();
        assert_eq!(HostDma::live_bytes(), 0, "nothing leaks");
        error
    };
    assert_eq!(result(|d| d.queue_max = 0), Some(BlockError::Queue(QueueError::Missing(0))));
    assert_eq!(result(|d| d.queue_max = 2), Some(BlockError::QueueTooSmall(2)));
    let init = |e: Option<BlockError>| match e {
        Some(BlockError::Init(e)) => e,
        e => panic!("{e:?}"),
    };
    let e = init(result(|d| d.faults.refuses_features = true));
    assert!(matches!(e, InitError::FeaturesRefused { .. }));
    let e = init(result(|d| d.offered &= !feature::VERSION_1));
    assert!(matches!(e, InitError::NoVersion1 { .. }));
    let e = init(result(|d| d.faults.fails_at_start = true));
    assert_eq!(e, InitError::Failed { status: 0x4f });
    assert_eq!(init(result(|d| d.faults.config_never_settles = true)), InitError::Config);
    assert_eq!(init(result(|d| d.config.truncate(4))), InitError::Config);
    let wrong = result(|d| d.kind = DeviceType::Network);
    assert_eq!(wrong, Some(BlockError::WrongClass(DeviceType::Network)));
}

#[test]
fn a_device_that_never_answers_still_comes_up() {
    let device = disk();
    device.borrow_mut().auto = false;
    let (mut block, data) = rig(&device);
    assert_eq!(block.info().id, [0; ID_SIZE]);
    // The late answer is nobody's completion.
    block.submit(Op::Read, 0, &[part(&data, 0, 512)], 1).unwrap();
    block.publish();
    device.borrow_mut().run();
    assert_eq!(completions(&mut block), [done(1, 512)]);
    assert_eq!(block.in_flight(), 0);
}

#[test]
fn quiet_devices_do_not_interrupt_but_nothing_is_overlooked() {
    let device = disk();
    let (mut block, data) = rig(&device);
    assert!(!block.quiet(true));
    block.submit(Op::Read, 0, &[part(&data, 0, 512)], 1).unwrap();
    block.publish();
    assert_eq!(device.borrow().interrupts, 0);
    assert!(block.quiet(false), "something is waiting");
    assert_eq!(completions(&mut block).len(), 1);
    block.submit(Op::Read, 0, &[part(&data, 0, 512)], 2).unwrap();
    block.publish();
    assert_eq!(device.borrow().interrupts, 1);
    assert!(block.handle_interrupt().queue);
    assert_eq!(device.borrow().status & status::DRIVER_OK, status::DRIVER_OK);
}

proptest! {
    /// Whatever the configuration says, the result is refused or safe to compute with.
    #[test]
    fn properties_hold_for_any_configuration(
        capacity: u64, size_max: u32, seg_max: u32, shift in 0u32..33, odd in 0u32..2,
        discard: (u32, u32, u32), write_zeroes: (u32, u32, u8), features: u64, segments in 1u32..300,
    ) {
        let blk_size = 1u32.checked_shl(shift).unwrap_or(0) | odd;
        let topology = (0, 0, 0, 0);
        let raw = Raw { capacity, size_max, seg_max, blk_size, topology, discard, write_zeroes };
        let Ok(info) = raw.validate(features, segments) else { return Ok(()) };
        prop_assert!(info.block_size.is_power_of_two() && info.block_size >= 512);
        prop_assert!(info.size_max >= info.block_size && info.size_max % 512 == 0);
        prop_assert!((1..=segments).contains(&info.seg_max));
        prop_assert!(info.capacity.checked_mul(512).is_some());
        prop_assert_eq!(info.capacity * 512 % u64::from(info.block_size), 0);
        for limits in [info.discard, info.write_zeroes].into_iter().flatten() {
            prop_assert!(limits.max_sectors > 0 && limits.alignment > 0);
            prop_assert!((1..=8).contains(&limits.max_segments));
        }
    }

    /// Used entries with any content: every tag completes at most once, and nothing panics.
    #[test]
    fn a_lying_disk_completes_nothing_twice(lies in prop::collection::vec((0u32..300, 0u32..600), 1..100)) {
        let device = disk();
        let (mut block, data) = rig(&device);
        device.borrow_mut().auto = false;
        let (mut tag, mut open) = (0u32, std::collections::BTreeSet::new());
        for (id, len) in lies {
            while tag % 7 != 6 && block.submit(Op::Read, 0, &[part(&data, 0, 512)], tag).is_ok() {
                open.insert(tag);
                tag += 1;
            }
            tag += 1;
            block.publish();
            device.borrow_mut().put_used(id, len);
            device.borrow_mut().flush();
            for c in completions(&mut block) {
                prop_assert!(open.remove(&c.tag));
                prop_assert_eq!(c.status, Status::IoErr, "no status was written");
            }
        }
        block.reset_and_recover(&mut |c| assert!(open.remove(&c.tag))).unwrap();
        prop_assert!(open.is_empty());
    }
}
