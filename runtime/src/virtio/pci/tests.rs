//! Functions whose configuration space says anything at all.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::mem::{DmaAllocator, DmaBuffer, SharedMem};
use crate::virtio::fake::{HostDma, window};

const BAR_SIZE: usize = 0x4000;
const NOTIFY_AT: usize = 0x3000;

/// A function with 256 bytes of configuration space, and BARs that are plain memory.
struct FakeFunction {
    config: Vec<u8>,
    bars: [Option<DmaBuffer>; 6],
    maps: u32,
}

// SAFETY: the buffers are kept, and never replaced.
unsafe impl PciFunction for FakeFunction {
    fn cfg_read(&mut self, offset: u16, width: Width) -> crate::Result<u32> {
        let bytes = width as usize / 8;
        assert_eq!(usize::from(offset) % bytes, 0, "unaligned access");
        let at = usize::from(offset);
        let mut value = [0; 4];
        value[..bytes].copy_from_slice(&self.config[at..at + bytes]);
        Ok(u32::from_le_bytes(value))
    }

    fn cfg_write(&mut self, offset: u16, width: Width, value: u32) -> crate::Result<()> {
        let bytes = width as usize / 8;
        self.put(offset.into(), &value.to_le_bytes()[..bytes]);
        Ok(())
    }

    fn map_bar(&mut self, index: u8) -> crate::Result<SharedMem<'_>> {
        self.maps += 1;
        let bar = self.bars[usize::from(index)].as_ref().ok_or(crate::Error::NOENT)?;
        Ok(bar.mem().slice(0, BAR_SIZE).unwrap())
    }
}

impl FakeFunction {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.config[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn capability(&mut self, at: u8, next: u8, kind: u8, offset: u32, length: u32) {
        let size = if kind == 2 { 20 } else { 16 };
        self.put(at.into(), &[9, next, size, kind, 4]);
        self.put(usize::from(at) + 8, &offset.to_le_bytes());
        self.put(usize::from(at) + 12, &length.to_le_bytes());
        if kind == 2 {
            self.put(usize::from(at) + 16, &4u32.to_le_bytes());
        }
    }
}

/// A block device laid out like QEMU's: everything in BAR 4, the MSI-X table in BAR 1.
fn disk() -> FakeFunction {
    let dma = HostDma::default();
    let mut function = FakeFunction { config: vec![0; 256], bars: Default::default(), maps: 0 };
    function.bars[4] = dma.alloc(BAR_SIZE).ok();
    function.bars[1] = dma.alloc(BAR_SIZE).ok();
    function.put(0, &[0xf4, 0x1a, 0x42, 0x10]);
    function.put(6, &[0x10]);
    function.put(0x34, &[0x90]);
    function.capability(0x40, 0x54, 1, 0, 0x38);
    function.capability(0x54, 0x64, 3, 0x1000, 1);
    function.capability(0x64, 0x74, 4, 0x2000, 60);
    function.capability(0x74, 0, 2, NOTIFY_AT as u32, 0x1000);
    function.put(0x90, &[0x11, 0x40, 1, 0, 1, 0, 0, 0]);
    function
}

/// The registers behind the common configuration.
fn common_of(transport: &PciTransport<FakeFunction>) -> Registers {
    transport.regs.common
}

fn error(change: impl FnOnce(&mut FakeFunction)) -> Option<PciError> {
    let mut function = disk();
    change(&mut function);
    PciTransport::new(function, Interrupts::Line).err()
}

#[test]
fn structures_are_found_and_bars_mapped_once() {
    let mut transport = PciTransport::new(disk(), Interrupts::Line).unwrap();
    assert_eq!(transport._function.maps, 1);
    assert_eq!(transport.device_type(), DeviceType::Block);
    assert_eq!(transport._function.config[4], 6, "answers to memory accesses and does DMA");
    transport.regs.device.unwrap().write_u32(0, 0x1234);
    assert_eq!(transport.read_config_space::<u32>(0), Ok(0x1234));
    assert_eq!(transport.read_config_space::<[u8; 2]>(0), Ok([0x34, 0x12]));
    assert_eq!(transport.read_config_space::<u32>(60), Err(Error::ConfigSpaceTooSmall));
    assert_eq!(transport.read_config_space::<u32>(usize::MAX - 3), Err(Error::ConfigSpaceTooSmall));
    assert_eq!(transport.read_config_space::<u32>(2), Err(Error::InvalidParam));
    assert_eq!(transport.write_config_space(4, 0xaabb_u16), Ok(()));
    assert_eq!(transport.read_config_space::<u16>(4), Ok(0xaabb));
}

#[test]
fn a_notification_is_one_store_at_the_place_noted_at_set_up() {
    let mut transport = PciTransport::new(disk(), Interrupts::Line).unwrap();
    let (common, notify) = (common_of(&transport), transport.regs.notify);
    common.write_u16(common::QUEUE_NOTIFY_OFF, 3);
    common.write_u16(common::QUEUE_SIZE, 256);
    assert_eq!(transport.max_queue_size(2), 256);
    transport.queue_set(2, 128, 0x1_0000_1000, 0x2000, 0x3000);
    assert_eq!(common.read_u16(common::QUEUE_SIZE), 128);
    assert_eq!(common.read_u32(common::QUEUE_DESC + 4), 1);
    assert!(transport.queue_used(2));
    // Later changes of the device move nothing.
    common.write_u16(common::QUEUE_NOTIFY_OFF, 0xffff);
    transport.notify(2);
    assert_eq!(notify.read_u16(12), 2);
    transport.notify(1);
    transport.notify(999);
}

#[test]
fn a_doorbell_outside_of_its_structure_is_no_queue() {
    let mut transport = PciTransport::new(disk(), Interrupts::Line).unwrap();
    let common = common_of(&transport);
    common.write_u16(common::QUEUE_SIZE, 256);
    common.write_u16(common::QUEUE_NOTIFY_OFF, 0x400);
    assert_eq!(transport.max_queue_size(0), 0);
    transport.queue_set(0, 128, 0x1000, 0x2000, 0x3000);
    assert!(transport.get_status().contains(DeviceStatus::FAILED));
    assert_eq!(transport.max_queue_size(MAX_QUEUES as u16), 0);
}

#[test]
fn messages_are_written_and_vectors_set_after_each_reset() {
    let message = MsiMessage { address: 0x1_0800_0040, data: 77 };
    let interrupts = Interrupts::MsiX { messages: &[message; 2], config: 0, queues: 1 };
    let mut transport = PciTransport::new(disk(), interrupts).unwrap();
    let config = &transport._function.config;
    assert_eq!(config[0x93] & 0xc0, 0x80, "enabled, not masked");
    assert_eq!(config[5] & 4, 4, "the line is off");
    let table = Registers::new(window(transport._function.bars[1].as_ref().unwrap()));
    assert_eq!(table.read_u32(16), 0x0800_0040);
    assert_eq!((table.read_u32(20), table.read_u32(24), table.read_u32(28)), (1, 77, 0));
    let common = common_of(&transport);
    for _ in 0..2 {
        common.write_u16(common::CONFIG_VECTOR, NO_VECTOR);
        transport.set_status(DeviceStatus::empty());
        transport.set_status(DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER);
        assert_eq!(common.read_u16(common::CONFIG_VECTOR), 0);
    }
    transport.queue_set(0, 128, 0x1000, 0x2000, 0x3000);
    assert_eq!(common.read_u16(common::QUEUE_VECTOR), 1);
    assert!(transport.ack_interrupt() == InterruptStatus::QUEUE_INTERRUPT);
}

#[test]
fn too_many_messages_are_refused() {
    let messages = [MsiMessage::default(); 3];
    let interrupts = Interrupts::MsiX { messages: &messages, config: 0, queues: 1 };
    let error = PciTransport::new(disk(), interrupts).err();
    assert_eq!(error, Some(PciError::Vectors { wanted: 3, available: 2 }));
    assert_eq!(vectors(&mut disk()), Ok(2));
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(
        error(|f| f.put(0, &[0x86, 0x80])),
        Some(PciError::NotVirtio { vendor: 0x8086, device: 0x1042 })
    );
    assert_eq!(
        error(|f| f.put(2, &[0x40, 0x10])),
        Some(PciError::NotVirtio { vendor: 0x1af4, device: 0x1040 })
    );
    assert_eq!(error(|f| f.put(2, &[0x01, 0x10])), None, "transitional");
    let missing = |s| Some(PciError::Missing(s));
    assert_eq!(error(|f| f.put(6, &[0])), missing(Structure::Common), "legacy only");
    assert_eq!(error(|f| f.put(0x57, &[9])), missing(Structure::Isr));
    assert_eq!(error(|f| f.put(0x76, &[16])), missing(Structure::Notify), "capability too short");
    assert_eq!(error(|f| f.put(0x44, &[6])), missing(Structure::Common), "reserved BAR");
    assert_eq!(error(|f| f.put(0x75, &[0x40])), Some(PciError::CapabilityList), "loop");
    assert_eq!(error(|f| f.put(0x75, &[0x10])), Some(PciError::CapabilityList), "in the header");
    let bar = PciError::Bar { bar: 0, error: crate::Error::NOENT };
    assert_eq!(error(|f| f.put(0x44, &[0])), Some(bar));
    let range = |offset, length| {
        Some(PciError::Range { structure: Structure::Common, bar: 4, offset, length })
    };
    assert_eq!(error(|f| f.capability(0x40, 0x54, 1, u32::MAX, 0x38)), range(u32::MAX, 0x38));
    assert_eq!(error(|f| f.capability(0x40, 0x54, 1, 0, u32::MAX)), range(0, u32::MAX));
    assert_eq!(error(|f| f.capability(0x40, 0x54, 1, 0, 0x37)), range(0, 0x37));
    assert_eq!(error(|f| f.capability(0x40, 0x54, 1, 2, 0x38)), range(2, 0x38));
}

#[test]
fn doorbell_distances_are_even_powers_of_two() {
    // The capability for doorbells goes to the end, where its distance is its own.
    let with = |multiplier: u32| {
        error(|f| {
            f.put(0x75, &[0xc0]);
            f.put(0x77, &[9]);
            f.capability(0xc0, 0, 2, NOTIFY_AT as u32, 0x1000);
            f.put(0xd0, &multiplier.to_le_bytes());
        })
    };
    for good in [0, 2, 4, 0x1000] {
        assert_eq!(with(good), None);
    }
    for bad in [1, 3, 6, u32::MAX] {
        assert_eq!(with(bad), Some(PciError::NotifyMultiplier(bad)));
    }
}

proptest! {
    /// Any configuration space is an error or a device that works within its BARs.
    #[test]
    fn no_configuration_space_harms_the_driver(
        noise in prop::collection::vec((0x34usize..256, any::<u8>()), 0..24),
        offset: u16,
    ) {
        let mut function = disk();
        for (at, byte) in noise {
            function.put(at, &[byte]);
        }
        let _ = vectors(&mut function);
        let message = [MsiMessage::default()];
        let interrupts = Interrupts::MsiX { messages: &message, config: 0, queues: 0 };
        for interrupts in [Interrupts::Line, interrupts] {
            let copy = FakeFunction { config: function.config.clone(), ..disk() };
            let Ok(mut transport) = PciTransport::new(copy, interrupts) else { continue };
            common_of(&transport).write_u16(common::QUEUE_NOTIFY_OFF, offset);
            transport.max_queue_size(0);
            transport.notify(0);
            transport.ack_interrupt();
            let _ = transport.read_config_space::<u32>(0);
            // Noise must not make the wait for the reset at the end slow.
            transport.regs.common.write_u8(common::DEVICE_STATUS, 0);
        }
    }
}
