//! Virtio over PCI (virtio 1.2, 4.1): modern devices, and transitional ones by their modern
//! interface.
//!
//! The transport is our own, but implements the trait of the `virtio-drivers` crate, so that the
//! crate's device drivers work on it. Wrapping the crate's `PciTransport` was not possible cleanly:
//! it reads the doorbell's offset from the device at each notification and panics if the device
//! changes it, adds device-supplied offsets without a check, waits for a reset without a limit,
//! sizes BARs by writing to them, which the `io` server does not need and need not allow, and has
//! no way to set interrupt vectors.

mod caps;
mod error;
mod msix;
#[cfg(test)]
mod tests;

use log::Level;
use virtio_drivers::transport::pci::bus::{DeviceFunctionInfo, HeaderType};
use virtio_drivers::transport::pci::{VIRTIO_VENDOR_ID, virtio_device_type};
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{Error, PhysAddr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use self::caps::Structures;
pub use self::error::{PciError, Structure};
pub use self::msix::{MsiMessage, NO_VECTOR, vectors};
use super::negotiate;
use super::regs::Registers;
use super::spec::status;
use crate::bus::{PciFunction, Width};
use crate::log::{Source, limited};

/// Most queues of a device that the transport knows doorbells for.
pub const MAX_QUEUES: usize = 16;

/// How the device interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupts<'a> {
    /// By its interrupt line. Each interrupt costs one read of the status register, which also
    /// ends the interrupt.
    Line,
    /// By messages, without any register access.
    MsiX {
        /// One a vector, from vector 0.
        messages: &'a [MsiMessage],
        /// Vector for changes of the configuration.
        config: u16,
        /// Vector for all queues. If it is the same as `config`, every interrupt looks like a
        /// change of the configuration too, which costs register reads.
        queues: u16,
    },
}

/// Offsets in the common configuration (4.1.4.3).
mod common {
    pub(super) const DEVICE_FEATURE_SELECT: usize = 0x00;
    pub(super) const DEVICE_FEATURE: usize = 0x04;
    pub(super) const DRIVER_FEATURE_SELECT: usize = 0x08;
    pub(super) const DRIVER_FEATURE: usize = 0x0c;
    pub(super) const CONFIG_VECTOR: usize = 0x10;
    pub(super) const DEVICE_STATUS: usize = 0x14;
    pub(super) const CONFIG_GENERATION: usize = 0x15;
    pub(super) const QUEUE_SELECT: usize = 0x16;
    pub(super) const QUEUE_SIZE: usize = 0x18;
    pub(super) const QUEUE_VECTOR: usize = 0x1a;
    pub(super) const QUEUE_ENABLE: usize = 0x1c;
    pub(super) const QUEUE_NOTIFY_OFF: usize = 0x1e;
    pub(super) const QUEUE_DESC: usize = 0x20;
    pub(super) const QUEUE_DRIVER: usize = 0x28;
    pub(super) const QUEUE_DEVICE: usize = 0x30;
    pub(super) const SIZE: u32 = 0x38;
}

/// A virtio device on PCI.
///
/// What the trait gives no way to report, such as a vector that the device refuses, shows up as
/// the status bit `FAILED`, which [`negotiate::start`] checks.
#[derive(Debug)]
pub struct PciTransport<F: PciFunction> {
    // Keeps the BARs mapped; dropped after `drop` has reset the device.
    _function: F,
    kind: DeviceType,
    regs: Structures,
    /// Where the doorbell of each queue is, in the notification structure.
    doorbells: [Option<usize>; MAX_QUEUES],
    /// Vectors for configuration and queues.
    vectors: Option<(u16, u16)>,
    failed: bool,
}

/// Command register: respond to memory accesses, be a bus master, do not use the line.
const COMMAND: u16 = 0x04;
const COMMAND_MEMORY: u32 = 1 << 1;
const COMMAND_MASTER: u32 = 1 << 2;
const COMMAND_NO_LINE: u32 = 1 << 10;

impl<F: PciFunction> PciTransport<F> {
    /// Finds and checks the device's structures, maps what they need, and sets up interrupts. The
    /// device itself is not touched before the first method of [`Transport`].
    ///
    /// # Errors
    ///
    /// See [`PciError`].
    pub fn new(mut function: F, interrupts: Interrupts<'_>) -> Result<Self, PciError> {
        let kind = device_type(&mut function)?;
        let command = function.cfg_read(COMMAND, Width::Word).map_err(PciError::Bus)?;
        let line = match interrupts {
            Interrupts::Line => 0,
            Interrupts::MsiX { .. } => COMMAND_NO_LINE,
        };
        let on = command & 0xffff & !COMMAND_NO_LINE | COMMAND_MEMORY | COMMAND_MASTER | line;
        function.cfg_write(COMMAND, Width::Word, on).map_err(PciError::Bus)?;
        let regs = Structures::find(&mut function)?;
        let vectors = match interrupts {
            Interrupts::Line => None,
            Interrupts::MsiX { messages, config, queues } => {
                msix::enable(&mut function, messages)?;
                Some((config, queues))
            }
        };
        let doorbells = [None; MAX_QUEUES];
        Ok(Self { _function: function, kind, regs, doorbells, vectors, failed: false })
    }

    /// The device's status register alone, for
    /// [`stop_at_end`](crate::virtio::negotiate::stop_at_end).
    pub fn status_register(&self) -> Option<Registers> {
        self.regs.common.slice(common::DEVICE_STATUS, 1)
    }

    fn select(&self, queue: u16) -> &Registers {
        self.regs.common.write_u16(common::QUEUE_SELECT, queue);
        &self.regs.common
    }

    /// Position of a queue's doorbell, or `None` if the device says that it is elsewhere.
    fn doorbell(&self, queue: u16) -> Option<usize> {
        let off = usize::from(self.select(queue).read_u16(common::QUEUE_NOTIFY_OFF));
        let at = off.checked_mul(self.regs.notify_multiplier as usize)?;
        (at.checked_add(2)? <= self.regs.notify.len()).then_some(at)
    }

    fn write_address(&self, at: usize, address: PhysAddr) {
        self.regs.common.write_u32(at, address as u32);
        self.regs.common.write_u32(at + 4, (address >> 32) as u32);
    }

    /// Sets a vector and checks that the device has resources for it (4.1.5.1.2.1).
    fn set_vector(&mut self, register: usize, vector: u16) {
        self.regs.common.write_u16(register, vector);
        if self.regs.common.read_u16(register) != vector {
            limited(
                Source::Device,
                Level::Error,
                format_args!("virtio device has no resources for interrupt vector {vector}"),
            );
            self.failed = true;
        }
    }
}

/// The class of a function.
///
/// # Errors
///
/// [`PciError::NotVirtio`] if it is no virtio device, [`PciError::Bus`] if the bus refuses.
pub fn device_type<F: PciFunction>(function: &mut F) -> Result<DeviceType, PciError> {
    let id = function.cfg_read(0, Width::Dword).map_err(PciError::Bus)?;
    let (vendor, device) = (id as u16, (id >> 16) as u16);
    // The crate knows which ids there are, and takes them as part of this.
    let info = DeviceFunctionInfo {
        vendor_id: vendor,
        device_id: device,
        class: 0,
        subclass: 0,
        prog_if: 0,
        revision: 0,
        header_type: HeaderType::Standard,
    };
    match virtio_device_type(&info) {
        Some(kind) if vendor == VIRTIO_VENDOR_ID => Ok(kind),
        _ => Err(PciError::NotVirtio { vendor, device }),
    }
}

impl<F: PciFunction> Transport for PciTransport<F> {
    fn device_type(&self) -> DeviceType {
        self.kind
    }

    fn read_device_features(&mut self) -> u64 {
        let word = |n| {
            self.regs.common.write_u32(common::DEVICE_FEATURE_SELECT, n);
            u64::from(self.regs.common.read_u32(common::DEVICE_FEATURE))
        };
        word(0) | word(1) << 32
    }

    fn write_driver_features(&mut self, driver_features: u64) {
        for (n, word) in [driver_features as u32, (driver_features >> 32) as u32].iter().enumerate()
        {
            self.regs.common.write_u32(common::DRIVER_FEATURE_SELECT, n as u32);
            self.regs.common.write_u32(common::DRIVER_FEATURE, *word);
        }
    }

    /// Size of a queue; none if the device does not say where its doorbell is.
    fn max_queue_size(&mut self, queue: u16) -> u32 {
        let Some(place) = self.doorbells.get_mut(usize::from(queue)) else { return 0 };
        *place = None;
        let size = self.select(queue).read_u16(common::QUEUE_SIZE);
        let doorbell = self.doorbell(queue);
        self.doorbells[usize::from(queue)] = doorbell;
        if doorbell.is_some() { size.into() } else { 0 }
    }

    fn notify(&mut self, queue: u16) {
        if let Some(Some(at)) = self.doorbells.get(usize::from(queue)) {
            self.regs.notify.write_u16(*at, queue);
        }
    }

    fn get_status(&self) -> DeviceStatus {
        let failed = if self.failed { status::FAILED } else { 0 };
        let bits = u32::from(self.regs.common.read_u8(common::DEVICE_STATUS)) | failed;
        DeviceStatus::from_bits_retain(bits)
    }

    fn set_status(&mut self, status: DeviceStatus) {
        if status.is_empty() {
            self.failed = false;
        }
        self.regs.common.write_u8(common::DEVICE_STATUS, status.bits() as u8);
        // A reset has made the device forget its vectors; this is when the next start begins.
        if let Some((config, _)) = self.vectors
            && status == DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER
        {
            self.set_vector(common::CONFIG_VECTOR, config);
        }
    }

    fn set_guest_page_size(&mut self, _guest_page_size: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver_area: PhysAddr,
        device_area: PhysAddr,
    ) {
        let Some(doorbell) = self.doorbell(queue) else {
            self.failed = true;
            return;
        };
        if let Some(place) = self.doorbells.get_mut(usize::from(queue)) {
            *place = Some(doorbell);
        }
        self.select(queue).write_u16(common::QUEUE_SIZE, size as u16);
        if let Some((_, vector)) = self.vectors {
            self.set_vector(common::QUEUE_VECTOR, vector);
        }
        self.write_address(common::QUEUE_DESC, descriptors);
        self.write_address(common::QUEUE_DRIVER, driver_area);
        self.write_address(common::QUEUE_DEVICE, device_area);
        self.regs.common.write_u16(common::QUEUE_ENABLE, 1);
    }

    /// Does nothing: a queue, once enabled, is only disabled by a reset (4.1.4.3.2).
    fn queue_unset(&mut self, _queue: u16) {}

    fn queue_used(&mut self, queue: u16) -> bool {
        self.select(queue).read_u16(common::QUEUE_ENABLE) == 1
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        match self.vectors {
            None => InterruptStatus::from_bits_truncate(self.regs.isr.read_u8(0).into()),
            // 4.1.4.5.2: the status register is not for those who use messages.
            Some((config, queues)) if config == queues => InterruptStatus::all(),
            Some(_) => InterruptStatus::QUEUE_INTERRUPT,
        }
    }

    fn read_config_generation(&self) -> u32 {
        self.regs.common.read_u8(common::CONFIG_GENERATION).into()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T, Error> {
        self.regs.device.as_ref().ok_or(Error::ConfigSpaceMissing)?.read_value(offset)
    }

    fn write_config_space<T: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: T,
    ) -> Result<(), Error> {
        self.regs.device.as_ref().ok_or(Error::ConfigSpaceMissing)?.write_value(offset, &value)
    }
}

impl<F: PciFunction> Drop for PciTransport<F> {
    fn drop(&mut self) {
        if let Err(e) = negotiate::reset(self, negotiate::DEFAULT_POLLS) {
            log::warn!("{e}");
        }
    }
}
