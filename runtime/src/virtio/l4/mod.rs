//! An l4virtio device, seen from its client: one more transport.
//!
//! The server of such a device is another task. It shares a configuration page with its client,
//! and knows the client's memory under *device addresses* that the client chooses when it
//! registers a dataspace. Queues and buffers are named by these addresses.
//!
//! This module holds no system call: messages and the notification are behind [`L4Device`].

mod arena;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;

use log::Level;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{Error, PhysAddr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

pub use self::arena::Arena;
use super::regs::Registers;
use super::spec::status;
use crate::log::{Source, limited};
use crate::mem::SharedMem;
use crate::virtio::spec::l4page::{self as page, queue as qpage};

/// The messages of an l4virtio device's gate, and its notification.
///
/// # Safety
///
/// The memory of [`page`](Self::page) must stay where it is and mapped until the value is dropped, also
/// if the value moves.
pub unsafe trait L4Device {
    /// A dataspace that can be registered; usually a capability.
    type Memory: Clone;

    /// The configuration page, mapped for as long as this value lives.
    fn page(&self) -> SharedMem<'_>;

    /// Operation 0: sets the status. Returns when the server has done so.
    ///
    /// # Errors
    ///
    /// The server refuses or is gone.
    fn set_status(&mut self, status: u32) -> crate::Result<()>;

    /// Operation 1: tells the server to look at the structure of a queue.
    ///
    /// # Errors
    ///
    /// As for [`set_status`](Self::set_status).
    fn config_queue(&mut self, queue: u32) -> crate::Result<()>;

    /// Operation 3: makes `size` bytes from `offset` of a dataspace known to the server, under the
    /// device address `base`.
    ///
    /// # Errors
    ///
    /// As for [`set_status`](Self::set_status); servers also limit the number of dataspaces.
    fn register_ds(
        &mut self,
        base: u64,
        memory: &Self::Memory,
        offset: u64,
        size: u64,
    ) -> crate::Result<()>;

    /// Notifies the server that a queue has new entries.
    fn kick(&mut self, queue: u16);
}

/// Why a configuration page cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4Error {
    /// The page is smaller than 4 KiB or not aligned to 8 bytes.
    Page,
    /// It is no configuration page.
    BadMagic(u32),
    /// Its layout is unknown.
    Version(u32),
    /// A class of devices that is not known.
    UnknownDevice(u32),
    /// The queue structures are not inside of the page, or not aligned.
    Queues {
        /// Byte offset in the page.
        offset: u32,
        /// Number of queues.
        count: u32,
    },
}

impl fmt::Display for L4Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            L4Error::Page => f.write_str("configuration page is too small or not aligned"),
            L4Error::BadMagic(magic) => {
                write!(f, "no l4virtio device: magic value {magic:#010x}")
            }
            L4Error::Version(version) => write!(f, "unknown l4virtio page layout {version}"),
            L4Error::UnknownDevice(id) => write!(f, "unknown virtio device class {id}"),
            L4Error::Queues { offset, count } => {
                write!(f, "{count} queue structures at {offset:#x} do not fit the page")
            }
        }
    }
}

impl core::error::Error for L4Error {}

/// First device address that is given out, as the client libraries of L4Re do; low addresses stay
/// invalid.
const FIRST_ADDRESS: u64 = 2 << 20;
const PAGE_SIZE: u64 = 4096;

/// A dataspace that the server knows, or will know when the driver starts.
#[derive(Clone, Debug)]
struct Registration<M> {
    base: u64,
    memory: M,
    offset: u64,
    size: u64,
}

/// A transport over an l4virtio device.
///
/// Servers forget a client's memory when it resets, which every driver does to begin with. So the
/// transport remembers what was registered and registers it again whenever a driver starts.
///
/// What the trait gives no way to report, such as a refused message, shows up as the status bit
/// `FAILED`, which [`negotiate::start`](super::negotiate::start) checks.
#[derive(Debug)]
pub struct L4Transport<D: L4Device> {
    device: D,
    page: SharedMem<'static>,
    kind: DeviceType,
    queues_at: usize,
    queues: u16,
    memory: Vec<Registration<D::Memory>>,
    next_address: u64,
    /// The server knows the memory: the status is past `DRIVER`.
    known: bool,
    failed: bool,
}

impl<D: L4Device> L4Transport<D> {
    /// Checks the page. What it says about queues is read here, once.
    ///
    /// # Errors
    ///
    /// See [`L4Error`].
    pub fn new(device: D) -> Result<Self, L4Error> {
        // SAFETY: the page stays until the device is dropped, which is kept together with it.
        let page = unsafe { device.page().unbounded() };
        if page.len() < page::SIZE || !(page.base().as_ptr() as usize).is_multiple_of(8) {
            return Err(L4Error::Page);
        }
        let word = |at| page.read_u32(at).ok_or(L4Error::Page);
        let (magic, version) = (word(page::MAGIC)?, word(page::VERSION)?);
        if magic != page::MAGIC_VALUE {
            return Err(L4Error::BadMagic(magic));
        }
        if version != page::VERSION_VALUE {
            return Err(L4Error::Version(version));
        }
        let id = word(page::DEVICE_ID)?;
        let kind = DeviceType::try_from(id).map_err(|_| L4Error::UnknownDevice(id))?;
        let (offset, count) = (word(page::QUEUES_OFFSET)?, word(page::NUM_QUEUES)?);
        let end = u64::from(offset) + u64::from(count) * qpage::SIZE as u64;
        if end > page::SIZE as u64 || !offset.is_multiple_of(8) {
            return Err(L4Error::Queues { offset, count });
        }
        Ok(Self {
            device,
            page,
            kind,
            queues_at: offset as usize,
            queues: count as u16,
            memory: Vec::new(),
            next_address: FIRST_ADDRESS,
            known: false,
            failed: false,
        })
    }

    /// Makes a dataspace known to the server, now or when the driver starts, and returns the
    /// device address of its first byte. It stays known over resets.
    ///
    /// # Errors
    ///
    /// What the server answers, if it is asked now; [`crate::Error::INVAL`] for no bytes at all.
    pub fn register(&mut self, memory: D::Memory, offset: u64, size: u64) -> crate::Result<u64> {
        let base = self.next_address;
        let rounded = size.checked_next_multiple_of(PAGE_SIZE).filter(|s| *s > 0);
        let next = rounded.and_then(|s| base.checked_add(s)).ok_or(crate::Error::INVAL)?;
        if self.known {
            self.device.register_ds(base, &memory, offset, size)?;
        }
        self.next_address = next;
        self.memory.push(Registration { base, memory, offset, size });
        Ok(base)
    }

    /// The gate.
    pub fn device(&self) -> &D {
        &self.device
    }

    fn register_all(&mut self) {
        for r in &self.memory {
            let result = self.device.register_ds(r.base, &r.memory, r.offset, r.size);
            if let Err(e) = result {
                limited(
                    Source::Device,
                    Level::Error,
                    format_args!("l4virtio server does not take memory at {:#x}: {e}", r.base),
                );
                self.failed = true;
            }
        }
        self.known = true;
    }

    fn check<V>(&mut self, what: &str, result: crate::Result<V>) {
        if let Err(e) = result {
            limited(Source::Device, Level::Error, format_args!("l4virtio server: {what}: {e}"));
            self.failed = true;
        }
    }

    /// The structure of a queue in the page.
    fn queue(&self, queue: u16) -> Option<SharedMem<'static>> {
        let at = self.queues_at + usize::from(queue) * qpage::SIZE;
        (queue < self.queues).then(|| self.page.slice(at, qpage::SIZE)).flatten()
    }

    fn write_queue(
        &mut self,
        queue: u16,
        entries: u32,
        [desc, avail, used]: [PhysAddr; 3],
        ready: u16,
    ) -> Option<()> {
        let structure = self.queue(queue)?;
        structure.write_u16(qpage::NUM, u16::try_from(entries).ok()?)?;
        structure.write_u64(qpage::DESC, desc)?;
        structure.write_u64(qpage::AVAIL, avail)?;
        structure.write_u64(qpage::USED, used)?;
        structure.write_u16(qpage::READY, ready)
    }

    fn set_queue(&mut self, queue: u16, entries: u32, addresses: [PhysAddr; 3], ready: u16) {
        let written = self.write_queue(queue, entries, addresses, ready);
        self.check("queue structure", written.ok_or(crate::Error::RANGE));
        let result = self.device.config_queue(queue.into());
        self.check("configure queue", result);
    }
}

impl<D: L4Device> Transport for L4Transport<D> {
    fn device_type(&self) -> DeviceType {
        self.kind
    }

    fn read_device_features(&mut self) -> u64 {
        let word =
            |n: usize| self.page.read_u32(page::DEVICE_FEATURE_MAP + 4 * n).map_or(0, u64::from);
        word(0) | word(1) << 32
    }

    fn write_driver_features(&mut self, driver_features: u64) {
        for n in 0..page::FEATURE_WORDS {
            // The map has words for features that this interface has not.
            let word = driver_features.checked_shr(32 * n as u32).unwrap_or(0) as u32;
            let written = self.page.write_u32(page::DRIVER_FEATURE_MAP + 4 * n, word);
            debug_assert!(written.is_some());
        }
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        let max = self.queue(queue).and_then(|q| q.read_u16(qpage::NUM_MAX));
        max.unwrap_or(0).into()
    }

    fn notify(&mut self, queue: u16) {
        self.device.kick(queue);
    }

    fn get_status(&self) -> DeviceStatus {
        let failed = if self.failed { status::FAILED } else { 0 };
        let shown = self.page.read_u32(page::STATUS).unwrap_or(status::FAILED);
        DeviceStatus::from_bits_retain(shown | failed)
    }

    fn set_status(&mut self, status: DeviceStatus) {
        if status.is_empty() {
            (self.failed, self.known) = (false, false);
        }
        let result = self.device.set_status(status.bits());
        self.check("set status", result);
        if status.contains(DeviceStatus::DRIVER) && !self.known {
            self.register_all();
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
        self.set_queue(queue, size, [descriptors, driver_area, device_area], 1);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.set_queue(queue, 0, [0; 3], 0);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.queue(queue).and_then(|q| q.read_u16(qpage::READY)).is_some_and(|r| r != 0)
    }

    /// Takes the bits that are set. The server may set one at the same time, so this is atomic.
    fn ack_interrupt(&mut self) -> InterruptStatus {
        let bits = self.page.fetch_and_u32(page::IRQ_STATUS, !(page::IRQ_VRING | page::IRQ_CONFIG));
        InterruptStatus::from_bits_truncate(bits.unwrap_or(0))
    }

    fn read_config_generation(&self) -> u32 {
        self.page.read_u32(page::GENERATION).unwrap_or(0)
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T, Error> {
        let len = page::SIZE - page::DEVICE_CONFIG;
        let config = self.page.slice(page::DEVICE_CONFIG, len).ok_or(Error::ConfigSpaceMissing)?;
        Registers::new(config).read_value(offset)
    }

    /// Not supported: no server of L4Re lets a client change the configuration of a class.
    fn write_config_space<T: IntoBytes + Immutable>(
        &mut self,
        _: usize,
        _: T,
    ) -> Result<(), Error> {
        Err(Error::Unsupported)
    }
}

impl<D: L4Device> Drop for L4Transport<D> {
    fn drop(&mut self) {
        // A server that is gone needs no reset.
        let _ = self.device.set_status(0);
    }
}
