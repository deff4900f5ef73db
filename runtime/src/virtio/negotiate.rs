//! Bringing a device up (virtio 1.2, 3.1.1), with every wait bounded and every answer checked.

use core::fmt;

use virtio_drivers::transport::{DeviceStatus, Transport};

use super::regs::Registers;
use super::spec::{feature, status};
use crate::env::{self, AtEnd, at_end};

/// How often a status register is read at most while the driver waits for a device. A read of a
/// device register takes 100 ns or more on hardware and under a hypervisor, so this is at least
/// a tenth of a second.
pub const DEFAULT_POLLS: u32 = 1_000_000;

/// Page size that legacy devices are told (4.2.4); the unit of their queue addresses.
const LEGACY_PAGE_SIZE: u32 = 4096;

/// Why a device did not come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// The status did not become 0 after a reset; the device may still write to memory.
    ResetTimeout {
        /// The status that stayed.
        status: u32,
    },
    /// The device is not a legacy device, but does not offer `VIRTIO_F_VERSION_1` (6.1).
    NoVersion1 {
        /// What it offers.
        offered: u64,
    },
    /// The device does not take the features that the driver chose from its offer (3.1.1, 6).
    FeaturesRefused {
        /// What the driver chose.
        chosen: u64,
    },
    /// The device reports a failure while it is brought up.
    Failed {
        /// The device status.
        status: u32,
    },
    /// The configuration changes faster than it can be read, or lacks a field that belongs to a
    /// negotiated feature.
    Config,
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            InitError::ResetTimeout { status } => {
                write!(f, "device does not reset, status stays {status:#x}")
            }
            InitError::NoVersion1 { offered } => {
                write!(f, "device is not legacy, yet offers no VERSION_1 (features {offered:#x})")
            }
            InitError::FeaturesRefused { chosen } => {
                write!(f, "device refuses features {chosen:#x} that it offered")
            }
            InitError::Failed { status } => write!(f, "device failed, status {status:#x}"),
            InitError::Config => f.write_str("device configuration cannot be read"),
        }
    }
}

impl core::error::Error for InitError {}

fn status_of<T: Transport>(transport: &T) -> u32 {
    transport.get_status().bits()
}

fn set_status<T: Transport>(transport: &mut T, bits: u32) {
    transport.set_status(DeviceStatus::from_bits_retain(bits));
}

/// Whether the device asks to be reset (2.1.2).
pub fn needs_reset<T: Transport>(transport: &T) -> bool {
    status_of(transport) & status::DEVICE_NEEDS_RESET != 0
}

/// Resets the device and waits until it has stopped (2.1.2, 2.4). Only after that is its DMA
/// memory free for something else.
///
/// # Errors
///
/// [`InitError::ResetTimeout`] after `polls` reads of the status.
pub fn reset<T: Transport>(transport: &mut T, polls: u32) -> Result<(), InitError> {
    set_status(transport, 0);
    for _ in 0..polls {
        if status_of(transport) == 0 {
            return Ok(());
        }
        core::hint::spin_loop();
    }
    match status_of(transport) {
        0 => Ok(()),
        status => Err(InitError::ResetTimeout { status }),
    }
}

/// How long [`stop_at_end`] waits for a device, in microseconds.
const STOP_US: u64 = 100_000;

/// Resets a device when the program panics or exits, so that it does not go on using rings and
/// buffers whose memory is somebody else's then. `status` is the window of its status register
/// alone, of 8 or 32 bits, which has to stay mapped until the result is dropped.
pub fn stop_at_end(status: Registers) -> AtEnd {
    at_end(move || {
        let read = || if status.len() == 1 { status.read_u8(0).into() } else { status.read_u32(0) };
        if status.len() == 1 {
            status.write_u8(0, 0)
        } else {
            status.write_u32(0, 0)
        }
        let end = env::now().saturating_add(STOP_US);
        for _ in 0..DEFAULT_POLLS {
            if read() == 0 || env::now() >= end {
                break;
            }
        }
    })
}

/// Steps 1 to 6 of 3.1.1: reset, acknowledge, choose from the offered features, check that the
/// device takes the choice. Returns the negotiated features.
///
/// Of the bits that belong to no class, `VERSION_1` and `ACCESS_PLATFORM` are always accepted:
/// the addresses that this crate gives to devices come from their DMA space anyway. A legacy
/// device has only the first 32 bits and knows no `FEATURES_OK`.
///
/// # Errors
///
/// See [`InitError`]; the device is told that the driver has given up.
pub fn negotiate<T: Transport>(
    transport: &mut T,
    wanted: u64,
    polls: u32,
) -> Result<u64, InitError> {
    reset(transport, polls)?;
    set_status(transport, status::ACKNOWLEDGE);
    set_status(transport, status::ACKNOWLEDGE | status::DRIVER);
    let legacy = transport.requires_legacy_layout();
    let result =
        if legacy { Ok(choose_legacy(transport, wanted)) } else { choose(transport, wanted) };
    if result.is_err() {
        give_up(transport);
    }
    result
}

fn choose_legacy<T: Transport>(transport: &mut T, wanted: u64) -> u64 {
    let chosen = transport.read_device_features() & wanted & u64::from(u32::MAX);
    transport.write_driver_features(chosen);
    transport.set_guest_page_size(LEGACY_PAGE_SIZE);
    chosen
}

fn choose<T: Transport>(transport: &mut T, wanted: u64) -> Result<u64, InitError> {
    let offered = transport.read_device_features();
    if offered & feature::VERSION_1 == 0 {
        return Err(InitError::NoVersion1 { offered });
    }
    let chosen = offered & (wanted | feature::VERSION_1 | feature::ACCESS_PLATFORM);
    transport.write_driver_features(chosen);
    set_status(transport, status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK);
    let now = status_of(transport);
    if now & (status::FAILED | status::DEVICE_NEEDS_RESET) != 0 {
        return Err(InitError::Failed { status: now });
    }
    if now & status::FEATURES_OK == 0 {
        return Err(InitError::FeaturesRefused { chosen });
    }
    Ok(chosen)
}

/// Step 8 of 3.1.1: the device starts. Queues must be set up.
///
/// # Errors
///
/// [`InitError::Failed`] if the device says so at once.
pub fn start<T: Transport>(transport: &mut T) -> Result<(), InitError> {
    let features_ok = if transport.requires_legacy_layout() { 0 } else { status::FEATURES_OK };
    set_status(transport, status::ACKNOWLEDGE | status::DRIVER | features_ok | status::DRIVER_OK);
    let now = status_of(transport);
    if now & (status::FAILED | status::DEVICE_NEEDS_RESET) != 0 {
        give_up(transport);
        return Err(InitError::Failed { status: now });
    }
    Ok(())
}

/// Tells the device that the driver will not use it (2.1.1).
pub fn give_up<T: Transport>(transport: &mut T) {
    let now = status_of(transport);
    set_status(transport, now | status::FAILED);
}

/// Reads several fields of the device configuration so that they belong together (2.5.1). Other
/// than the method of the transport it gives up on a device that never stops changing it.
///
/// # Errors
///
/// [`InitError::Config`] if the configuration keeps changing or a field is not there.
pub fn read_config<T: Transport, V>(
    transport: &T,
    read: impl Fn(&T) -> virtio_drivers::Result<V>,
) -> Result<V, InitError> {
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        let before = transport.read_config_generation();
        let value = read(transport).map_err(|_| InitError::Config)?;
        if transport.read_config_generation() == before {
            return Ok(value);
        }
    }
    Err(InitError::Config)
}
