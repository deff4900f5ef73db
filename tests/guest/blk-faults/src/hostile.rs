//! A connection without a driver: every byte of page and rings is the case's own.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::cap::{Cap, Irq, Semaphore};
use l4re_runtime::client::{DeviceGate, DriverMemory, create_device};
use l4re_runtime::mem::{Region, SharedMem};
use l4re_runtime::serve::page::{self, queue as qpage};
use l4re_runtime::virtio::spec::block::SECTOR_SIZE;
use l4re_runtime::virtio::spec::ring::{
    AVAIL_IDX, AVAIL_RING, DESC_F_NEXT, DESC_F_WRITE, DESC_SIZE,
};
use l4re_runtime::virtio::spec::ring::{USED_IDX, USED_RING};
use l4re_runtime::virtio::spec::{feature, status};
use l4re_runtime::{Error, env, ipc};

use crate::rig::{Rig, named};

/// Entries of the queue.
pub const ENTRIES: u16 = 16;
/// Device address of the memory.
pub const BASE: u64 = 0x20_0000;
/// Size of the memory.
pub const SIZE: usize = 0x1_0000;
/// Device address of the descriptor table.
pub const DESC: u64 = BASE;
/// Device address of the available ring.
pub const AVAIL: u64 = BASE + 0x1000;
/// Device address of the used ring.
pub const USED: u64 = BASE + 0x2000;
/// Device address of the request header.
pub const HEADER: u64 = BASE + 0x3000;
/// Device address of the status byte.
pub const STATUS: u64 = BASE + 0x3100;
/// Device address of a table of descriptors.
pub const TABLE: u64 = BASE + 0x3200;
/// Device address of the data.
pub const DATA: u64 = BASE + 0x4000;

/// How long the server may take for a request, in microseconds.
const ANSWER_US: u64 = 600_000_000;

/// What stands in the status byte until the server writes it.
pub const NO_STATUS: u8 = 0xee;

const ACKNOWLEDGED: u32 = status::ACKNOWLEDGE | status::DRIVER;
const NEGOTIATED: u32 = ACKNOWLEDGED | status::FEATURES_OK;
const RUNNING: u32 = NEGOTIATED | status::DRIVER_OK;
const STOPPED: u32 = status::DEVICE_NEEDS_RESET | status::FAILED;

/// A descriptor: address, length, flags, next.
pub type Desc = (u64, u32, u16, u16);

/// A part of a chain: address, length, whether the device writes it.
pub type Part = (u64, u32, bool);

/// The connection.
pub struct Hostile {
    /// The capability.
    pub gate: Cap<DeviceGate>,
    /// The configuration page.
    pub page: SharedMem<'static>,
    /// Everything that is registered, if the case does so.
    pub memory: DriverMemory,
    /// The interrupt with which the server is told.
    pub kick: Cap<Irq>,
    mem: SharedMem<'static>,
    interrupt: Cap<Semaphore>,
    queue: usize,
    offered: u16,
    seen: u16,
    _page: Region,
}

impl Hostile {
    /// Asks for a device and maps its page. A semaphore stands in for the interrupt, as the client
    /// library of L4Re does it.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn connect(rig: &Rig, options: &[&str]) -> Result<Hostile, String> {
        let mut all = alloc::vec![rig.device.as_str()];
        all.extend_from_slice(options);
        let gate = create_device(&rig.server, &all, Duration::from_secs(1));
        let gate = named("create device", gate)?;
        let region = named("page", gate.config_page())?;
        // SAFETY: the region is kept in the same value; cases use the window while they have that.
        let page = unsafe { region.mem().ok_or("page is read-only")?.unbounded() };
        let kick = named("notification", gate.notification_irq(0))?;
        let interrupt = named("semaphore", rig.env.factory().semaphore())?;
        named("bind", gate.icu().bind(0, &interrupt.as_irq()))?;
        let memory = named("memory", DriverMemory::new(SIZE))?;
        // SAFETY: as above.
        let mem = unsafe { memory.mem().unbounded() };
        let queue = page.read_u32(page::QUEUES_OFFSET).unwrap_or(0) as usize;
        let (offered, seen) = (0, 0);
        let _page = region;
        Ok(Hostile { gate, page, memory, kick, mem, interrupt, queue, offered, seen, _page })
    }

    /// As [`connect`](Self::connect), shared with the good client, and running.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn running(rig: &Rig) -> Result<Hostile, String> {
        Self::running_with(rig, &["shared"])
    }

    /// A running client of a device with these options.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn running_with(rig: &Rig, options: &[&str]) -> Result<Hostile, String> {
        let mut client = Self::connect(rig, options)?;
        client.start()?;
        Ok(client)
    }

    /// From reset to running, as the specification has it.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn start(&mut self) -> Result<(), String> {
        self.start_with(self.features())
    }

    /// The same with features of the case's own choice.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn start_with(&mut self, features: u64) -> Result<(), String> {
        self.acknowledge()?;
        named("register", self.register(BASE, 0, SIZE as u64))?;
        self.negotiate(features)?;
        self.write_queue(ENTRIES, DESC, AVAIL, USED, 1);
        named("queue", self.gate.config_queue(0))?;
        named("start", self.gate.set_status(RUNNING))?;
        if self.stopped() { Err("the device does not start".into()) } else { Ok(()) }
    }

    /// Reset, and the status up to `DRIVER`.
    ///
    /// # Errors
    ///
    /// What failed.
    pub fn acknowledge(&mut self) -> Result<(), String> {
        self.reset()?;
        named("acknowledge", self.gate.set_status(status::ACKNOWLEDGE))?;
        named("driver", self.gate.set_status(ACKNOWLEDGED))
    }

    /// Reset, waiting until it is done.
    ///
    /// # Errors
    ///
    /// If it is not done in time.
    pub fn reset(&mut self) -> Result<(), String> {
        (self.offered, self.seen) = (0, 0);
        self.mem.zero();
        named("reset", self.gate.set_status(0))?;
        let done = until(|| self.status() == 0);
        if done { Ok(()) } else { Err(format!("status stays {:#x}", self.status())) }
    }

    /// What the device offers, of the first 64 features.
    pub fn features(&self) -> u64 {
        let word = |n: usize| self.page.read_u32(page::DEVICE_FEATURE_MAP + 4 * n).unwrap_or(0);
        u64::from(word(0)) | u64::from(word(1)) << 32
    }

    /// Chooses features; the result is whether the server takes them.
    ///
    /// # Errors
    ///
    /// If the message fails.
    pub fn try_features(&mut self, features: u64) -> Result<bool, String> {
        for (n, word) in [features as u32, (features >> 32) as u32].into_iter().enumerate() {
            self.page.write_u32(page::DRIVER_FEATURE_MAP + 4 * n, word).ok_or("page")?;
        }
        named("features", self.gate.set_status(NEGOTIATED))?;
        Ok(self.status() & status::FEATURES_OK != 0)
    }

    /// Chooses features that the server has to take.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn negotiate(&mut self, features: u64) -> Result<(), String> {
        let limits = feature::EVENT_IDX;
        if self.try_features(features & !limits)? { Ok(()) } else { Err("features refused".into()) }
    }

    /// Registers a part of the memory.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn register(&self, base: u64, offset: u64, size: u64) -> Result<(), Error> {
        self.gate.register_ds(base, self.memory.dataspace(), offset, size)
    }

    /// Writes the structure of queue 0.
    pub fn write_queue(&self, entries: u16, desc: u64, avail: u64, used: u64, ready: u16) {
        let q = self.queue;
        let _ = self.page.write_u16(q + qpage::NUM, entries);
        let _ = self.page.write_u64(q + qpage::DESC, desc);
        let _ = self.page.write_u64(q + qpage::AVAIL, avail);
        let _ = self.page.write_u64(q + qpage::USED, used);
        let _ = self.page.write_u16(q + qpage::READY, ready);
    }

    /// The status that the page shows.
    pub fn status(&self) -> u32 {
        self.page.read_u32(page::STATUS).unwrap_or(!0)
    }

    /// Whether the device asks for a reset, or has given up.
    pub fn stopped(&self) -> bool {
        self.status() & STOPPED != 0
    }

    /// Waits until the device asks for a reset.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn expect_stopped(&self) -> Result<(), String> {
        let stopped = until(|| self.stopped());
        if stopped { Ok(()) } else { Err(format!("status {:#x}, no reset", self.status())) }
    }

    /// Where a device address is in the memory.
    fn at(address: u64) -> usize {
        address.saturating_sub(BASE) as usize
    }

    /// Writes bytes at a device address.
    pub fn write(&self, address: u64, bytes: &[u8]) {
        let _ = self.mem.write_bytes(Self::at(address), bytes);
    }

    /// Writes a descriptor into the table at `table`.
    pub fn describe(&self, table: u64, index: u16, (addr, len, flags, next): Desc) {
        let at = Self::at(table) + usize::from(index) * DESC_SIZE;
        let _ = self.mem.write_u64(at, addr);
        let _ = self.mem.write_u32(at + 8, len);
        let _ = self.mem.write_u16(at + 12, flags);
        let _ = self.mem.write_u16(at + 14, next);
    }

    /// Writes a chain into a table, from its first entry on.
    pub fn chain(&self, table: u64, parts: &[Part]) {
        for (i, &(addr, len, write)) in (0u16..).zip(parts) {
            let more = usize::from(i) + 1 < parts.len();
            let flags = if write { DESC_F_WRITE } else { 0 } | if more { DESC_F_NEXT } else { 0 };
            self.describe(table, i, (addr, len, flags, i + 1));
        }
    }

    /// Writes the header of a request and clears the status byte.
    pub fn header(&self, kind: u32, sector: u64) {
        let mut raw = [0; 16];
        raw[..4].copy_from_slice(&kind.to_le_bytes());
        raw[8..].copy_from_slice(&sector.to_le_bytes());
        self.write(HEADER, &raw);
        self.write(STATUS, &[NO_STATUS]);
    }

    /// Puts a head into the available ring, moves the index by `step`, and tells the server.
    pub fn offer(&mut self, head: u16, step: u16) {
        let slot = usize::from(self.offered % ENTRIES);
        let _ = self.mem.write_u16(Self::at(AVAIL) + AVAIL_RING + 2 * slot, head);
        self.offered = self.offered.wrapping_add(step);
        let _ = self.mem.store_release_u16(Self::at(AVAIL) + AVAIL_IDX, self.offered);
        let _ = self.kick.trigger();
    }

    /// Waits for the next used entry: head and length.
    ///
    /// # Errors
    ///
    /// If none comes, or the device stops.
    pub fn answer(&mut self) -> Result<(u32, u32), String> {
        let index = || self.mem.load_acquire_u16(Self::at(USED) + USED_IDX);
        let seen = Some(self.seen);
        // A semaphore counts: what is left of answers that were seen without waiting ends a wait
        // at once, so it is the clock that decides.
        let end = env::now() + ANSWER_US;
        while index() == seen {
            if self.stopped() {
                return Err(format!("no answer, status {:#x}", self.status()));
            }
            if env::now() > end {
                return Err("no answer".into());
            }
            let _ = self.interrupt.down(Timeout::from_micros(100_000));
        }
        let at = Self::at(USED) + USED_RING + 8 * usize::from(self.seen % ENTRIES);
        self.seen = self.seen.wrapping_add(1);
        self.mem.read_u32(at).zip(self.mem.read_u32(at + 4)).ok_or_else(|| "used ring".into())
    }

    /// The status byte of the request.
    pub fn status_byte(&self) -> u8 {
        self.mem.read_u8(Self::at(STATUS)).unwrap_or(NO_STATUS)
    }

    /// Sends one request, whose chain is given, and returns its status byte.
    ///
    /// # Errors
    ///
    /// If there is no answer.
    pub fn request(&mut self, kind: u32, sector: u64, parts: &[Part]) -> Result<u8, String> {
        self.header(kind, sector);
        self.chain(DESC, parts);
        self.offer(0, 1);
        self.answer()?;
        Ok(self.status_byte())
    }

    /// Reads a sector properly.
    ///
    /// # Errors
    ///
    /// If that does not work.
    pub fn read_properly(&mut self) -> Result<(), String> {
        let len = SECTOR_SIZE as u32 * 8;
        match self.request(0, 0, &[(HEADER, 16, false), (DATA, len, true), (STATUS, 1, true)])? {
            0 => Ok(()),
            other => Err(format!("a proper read ends with status {other}")),
        }
    }
}

/// Waits until something holds, for ten minutes at most.
pub fn until(mut holds: impl FnMut() -> bool) -> bool {
    for _ in 0..120_000 {
        if holds() {
            return true;
        }
        ipc::sleep(Duration::from_millis(5));
    }
    holds()
}
