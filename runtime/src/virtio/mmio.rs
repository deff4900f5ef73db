//! Virtio over MMIO (virtio 1.2, 4.2): version 2, and the legacy version 1.
//!
//! The transport itself is the one of the `virtio-drivers` crate. What its constructor does not
//! check, and what would make it panic later, is checked here.

use core::fmt;

use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};

use super::regs::Registers;
use crate::mem::SharedMem;

/// "virt" (4.2.2).
const MAGIC: u32 = 0x7472_6976;
/// Start of the configuration of the device class.
const CONFIG: usize = 0x100;

/// The device status (4.2.2).
const STATUS: usize = 0x70;

/// Why there is no device behind a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MmioError {
    /// The window is smaller than the registers, or not aligned.
    Window {
        /// Size in bytes.
        len: usize,
    },
    /// There is something else there.
    BadMagic(u32),
    /// A version that is neither 1 (legacy) nor 2.
    Version(u32),
    /// A slot without a device in it (4.2.2, device id 0): not an error on machines with more
    /// slots than devices.
    EmptySlot,
    /// A class of devices that is not known.
    UnknownDevice(u32),
}

impl fmt::Display for MmioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            MmioError::Window { len } => {
                write!(f, "window of {len} bytes is too small or not aligned for virtio registers")
            }
            MmioError::BadMagic(magic) => write!(f, "no virtio device: magic value {magic:#010x}"),
            MmioError::Version(version) => write!(f, "unknown virtio register layout {version}"),
            MmioError::EmptySlot => f.write_str("no device in this virtio slot"),
            MmioError::UnknownDevice(id) => write!(f, "unknown virtio device class {id}"),
        }
    }
}

impl core::error::Error for MmioError {}

/// The class of the device whose registers are in `window`. The device is not changed.
///
/// # Errors
///
/// See [`MmioError`].
pub fn identify(window: SharedMem<'_>) -> Result<DeviceType, MmioError> {
    let too_small = MmioError::Window { len: window.len() };
    if window.len() < CONFIG || !window.base().cast::<VirtIOHeader>().is_aligned() {
        return Err(too_small);
    }
    let word = |at| window.read_u32(at).ok_or(too_small);
    let (magic, version, id) = (word(0)?, word(4)?, word(8)?);
    if magic != MAGIC {
        return Err(MmioError::BadMagic(magic));
    }
    if !(1..=2).contains(&version) {
        return Err(MmioError::Version(version));
    }
    if id == 0 {
        return Err(MmioError::EmptySlot);
    }
    DeviceType::try_from(id).map_err(|_| MmioError::UnknownDevice(id))
}

/// A transport for the device whose registers are in `window`. The device is not changed.
///
/// The drivers of the `virtio-drivers` crate, other than ours, wait without a limit when they give
/// a queue back; so a device that they drive can stop them when they are dropped.
///
/// # Errors
///
/// See [`MmioError`].
pub fn open(window: SharedMem<'static>) -> Result<MmioTransport<'static>, MmioError> {
    let id = identify(window)?;
    let header = window.base().cast::<VirtIOHeader>();
    // SAFETY: the window is as large as the header and aligned for it, and by the contract of
    // `SharedMem` it stays mapped while anything made from it is used. The registers are only
    // accessed through the transport from here on; others in the same page may be, by others.
    let transport = unsafe { MmioTransport::new(header, window.len()) };
    transport.map_err(|_| MmioError::UnknownDevice(id as u32))
}

/// The status register alone of the device in `window`, for
/// [`stop_at_end`](crate::virtio::negotiate::stop_at_end).
pub fn status_register(window: SharedMem<'static>) -> Option<Registers> {
    Registers::new(window).slice(STATUS, 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::DmaAllocator;
    use crate::virtio::fake::{HostDma, window};
    use virtio_drivers::transport::Transport;

    #[test]
    fn slots_are_told_apart() {
        let memory = HostDma::default().alloc(4096).unwrap();
        let slot = |magic: u32, version: u32, id: u32| {
            let window = window(&memory).slice(0x200, 0x200).unwrap();
            for (at, value) in [(0, magic), (4, version), (8, id)] {
                window.write_u32(at, value).unwrap();
            }
            open(window).map(|t| (t.device_type(), t.requires_legacy_layout()))
        };
        assert_eq!(slot(MAGIC, 2, 2), Ok((DeviceType::Block, false)));
        assert_eq!(slot(MAGIC, 1, 4), Ok((DeviceType::EntropySource, true)));
        assert_eq!(slot(MAGIC, 1, 0), Err(MmioError::EmptySlot));
        assert_eq!(slot(MAGIC, 3, 2), Err(MmioError::Version(3)));
        assert_eq!(slot(MAGIC, 2, 999), Err(MmioError::UnknownDevice(999)));
        assert_eq!(slot(0, 0, 0), Err(MmioError::BadMagic(0)));
    }

    #[test]
    fn windows_are_checked_before_they_are_read() {
        let memory = HostDma::default().alloc(4096).unwrap();
        for (at, len) in [(0, 0xff), (1, 0x200), (0, 0)] {
            let result = open(window(&memory).slice(at, len).unwrap());
            assert_eq!(result.err(), Some(MmioError::Window { len }));
        }
    }
}
