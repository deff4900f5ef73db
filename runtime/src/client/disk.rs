//! A block device together with the memory that its requests need.

use alloc::vec::Vec;
use core::fmt;

use super::{Connection, DriverMemory};
use crate::abi::timeout::Timeout;
use crate::mem::{DmaSegment, SharedMem};
use crate::virtio::block::{BlockDevice, BlockError, Completion, Options, SubmitError};
use crate::virtio::l4::{Arena, L4Error, L4Transport};
use crate::virtio::spec::block::{Info, Op};
use crate::{Error, Result};

/// Bytes that the driver needs for itself with 256 descriptors, generously: rings, indirect tables
/// (139 KiB), headers.
const DRIVER_BYTES: usize = 256 * 1024;

/// How to use a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskOptions {
    /// Bytes of memory for data.
    pub data: usize,
    /// How the driver works.
    pub driver: Options,
}

impl DiskOptions {
    /// `data` bytes of memory for data, and the driver's defaults.
    pub fn new(data: usize) -> Self {
        Self { data, driver: Options::default() }
    }
}

/// Why a device cannot be used as a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// Memory, or a message.
    Failed(Error),
    /// The configuration page.
    Page(L4Error),
    /// The device.
    Device(BlockError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Failed(e) => e.fmt(f),
            ConnectError::Page(e) => e.fmt(f),
            ConnectError::Device(e) => e.fmt(f),
        }
    }
}

impl core::error::Error for ConnectError {}

impl From<Error> for ConnectError {
    fn from(e: Error) -> Self {
        ConnectError::Failed(e)
    }
}

impl From<L4Error> for ConnectError {
    fn from(e: L4Error) -> Self {
        ConnectError::Page(e)
    }
}

impl From<BlockError> for ConnectError {
    fn from(e: BlockError) -> Self {
        ConnectError::Device(e)
    }
}

/// A disk that another program serves, with memory for data. One dataspace is registered, for the
/// driver's own structures and the data together.
#[derive(Debug)]
pub struct Disk {
    // The driver comes first: dropping it resets the device before the memory goes.
    driver: BlockDevice<L4Transport<Connection>>,
    memory: DriverMemory,
    data: SharedMem<'static>,
    data_addr: u64,
    segments: Vec<DmaSegment>,
    interrupts: u64,
}

impl Disk {
    /// Registers memory with the server and brings the device up.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub fn open(
        device: Connection,
        options: DiskOptions,
    ) -> core::result::Result<Disk, ConnectError> {
        let size = options.data.checked_add(DRIVER_BYTES).ok_or(Error::INVAL)?;
        let memory = DriverMemory::new(size)?;
        let mut transport = L4Transport::new(device)?;
        let base = transport.register(memory.clone(), 0, size as u64)?;
        // SAFETY: the memory is kept in the disk, and dropped after the driver, which has the one part;
        // the other one is only lent.
        let whole = unsafe { memory.mem().unbounded() };
        let own = whole.slice(0, DRIVER_BYTES).ok_or(Error::RANGE)?;
        let data = whole.slice(DRIVER_BYTES, options.data).ok_or(Error::RANGE)?;
        let driver = BlockDevice::new(transport, &Arena::new(own, base)?, options.driver)?;
        let segments = Vec::with_capacity(driver.info().seg_max as usize);
        let data_addr = base + DRIVER_BYTES as u64;
        Ok(Disk { driver, memory, data, data_addr, segments, interrupts: 0 })
    }

    /// Properties of the disk.
    pub fn info(&self) -> &Info {
        self.driver.info()
    }

    /// The memory for data.
    pub fn data(&self) -> SharedMem<'_> {
        self.data
    }

    /// The driver, for what is not here.
    pub fn driver(&mut self) -> &mut BlockDevice<L4Transport<Connection>> {
        &mut self.driver
    }

    /// What the driver's queue has done so far.
    pub fn counters(&self) -> crate::virtio::queue::QueueCounters {
        self.driver.counters()
    }

    /// How often [`wait`](Self::wait) has seen an interrupt.
    pub fn interrupts(&self) -> u64 {
        self.interrupts
    }

    /// All of the memory, the driver's part included.
    pub fn memory(&self) -> &DriverMemory {
        &self.memory
    }

    /// Largest request in bytes that [`submit`](Self::submit) takes.
    pub fn largest_request(&self) -> u64 {
        let info = self.driver.info();
        u64::from(info.size_max) * u64::from(info.seg_max)
    }

    /// Stages a request whose data are `len` bytes from `offset` of the memory for
    /// [data](Self::data) on.
    ///
    /// # Errors
    ///
    /// As for [`BlockDevice::submit`]; [`SubmitError::Invalid`] if the bytes are not all there.
    pub fn submit(
        &mut self,
        op: Op,
        sector: u64,
        offset: usize,
        len: u32,
        tag: u32,
    ) -> core::result::Result<(), SubmitError> {
        self.data.slice(offset, len as usize).ok_or(SubmitError::Invalid)?;
        let info = self.driver.info();
        let most = info.size_max;
        self.segments.clear();
        let (mut addr, mut left) = (self.data_addr + offset as u64, len);
        while left > 0 {
            if self.segments.len() == info.seg_max as usize {
                return Err(SubmitError::Invalid);
            }
            let piece = left.min(most);
            self.segments.push(DmaSegment { addr, len: piece });
            addr += u64::from(piece);
            left -= piece;
        }
        self.driver.submit(op, sector, &self.segments, tag)
    }

    /// Shows everything staged to the server, with at most one notification.
    pub fn publish(&mut self) {
        self.driver.publish();
    }

    /// Hands over everything that has completed.
    pub fn complete(&mut self, sink: &mut dyn FnMut(Completion)) {
        self.driver.complete(sink);
    }

    /// Sleeps until the server sends an interrupt, and acknowledges it.
    ///
    /// # Errors
    ///
    /// [`Error::RECV_TIMEOUT`] when the time is over first; [`Error::IO`] if the device needs a
    /// reset.
    pub fn wait(&mut self, timeout: Timeout) -> Result<()> {
        self.driver.transport_mut().device().wait(timeout)?;
        self.interrupts += 1;
        if self.driver.handle_interrupt().needs_reset { Err(Error::IO) } else { Ok(()) }
    }
}
