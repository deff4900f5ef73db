//! The l4virtio transport on the device's side: the state machine behind the configuration page.
//!
//! The client writes the page and then tells the server by a message (or by the command register)
//! what to look at. The server never decides anything by what it finds in the page later: what it
//! needs is read once and kept here. The page only shows the client our state.
//!
//! [`Transport`] holds no system call; its functions return what the server has to do.

mod features;

pub use features::Features;

use alloc::boxed::Box;
use core::fmt;

use super::ring::{QueueLayout, RingError};
use crate::Error;
use crate::mem::SharedMem;
use crate::virtio::spec::l4page::{self as page, queue as qpage};
use crate::virtio::spec::status;

/// What a server has to do after the client has set the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// Nothing.
    Accepted,
    /// `DRIVER_OK` is new: serve the queues. If one of them cannot be used, [`Transport::fail`].
    Started,
    /// The client asks for a reset: stop using its queues, and when the device does not touch its
    /// memory any more call [`Transport::finish_reset`].
    Reset,
    /// The client has given up (`FAILED`) or broken the protocol, see [`Transport::failure`]: stop
    /// using its queues until it resets.
    Stopped,
}

/// What a server has to do after the client has asked to configure a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueChange {
    /// Use the queue as described.
    Enable(QueueLayout),
    /// Stop using the queue.
    Disable,
}

/// A command from the command register (feature 160).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// As the message `set_status`.
    SetStatus(u32),
    /// As the message `config_queue`.
    ConfigQueue(u32),
    /// The client has changed the configuration of the class.
    ConfigChanged,
    /// As the notification interrupt, for this queue.
    NotifyQueue(u32),
}

/// Why the device needs a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The client has set `FAILED`.
    DriverGaveUp,
    /// A status bit was set before the one it builds on; with the whole status (3.1.1).
    StatusOrder(u32),
    /// A status bit was cleared without a reset; with the whole status (2.1.1).
    StatusCleared(u32),
    /// `DRIVER_OK` together with features that were not offered, or without `VERSION_1`.
    Features,
    /// Misuse of a queue.
    Ring(RingError),
    /// Memory that the client had registered was taken away while it was in use.
    MemoryLost,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::DriverGaveUp => f.write_str("the client's driver has given up"),
            Failure::StatusOrder(s) => write!(f, "status {s:#x} leaves out a step"),
            Failure::StatusCleared(s) => write!(f, "status {s:#x} clears a bit"),
            Failure::Features => f.write_str("features were not negotiated"),
            Failure::Ring(e) => fmt::Display::fmt(e, f),
            Failure::MemoryLost => f.write_str("registered memory was taken away"),
        }
    }
}

/// What a device looks like to its clients, apart from the configuration of its class.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Class, see [`crate::virtio::spec::device_id`].
    pub device_id: u32,
    /// Features that are offered.
    pub features: Features,
    /// For each queue the largest number of entries.
    pub queues: &'a [u16],
    /// Size of the configuration of the class in bytes.
    pub config_size: usize,
}

/// The device's side of one configuration page.
#[derive(Debug)]
pub struct Transport {
    page: SharedMem<'static>,
    offered: Features,
    negotiated: Features,
    status: u32,
    failure: Option<Failure>,
    resetting: bool,
    generation: u32,
    queues_at: usize,
    /// For each queue the largest number of entries.
    queues: Box<[u16]>,
}

/// The status bits that a client may set.
const DRIVER_BITS: u32 =
    status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK | status::DRIVER_OK | status::FAILED;

impl Transport {
    /// Fills a page. It must be at least [`page::SIZE`] bytes, aligned to 8, and not yet shown to
    /// the client.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] if the page is too small or not aligned, or the queues and the
    /// configuration do not fit into it.
    pub fn new(page: SharedMem<'static>, identity: &Identity<'_>) -> crate::Result<Self> {
        let queues_at = (page::DEVICE_CONFIG + identity.config_size).next_multiple_of(8);
        let end = queues_at + identity.queues.len() * qpage::SIZE;
        let aligned = (page.base().as_ptr() as usize).is_multiple_of(8);
        if page.len() < page::SIZE || end > page::SIZE || !aligned {
            return Err(Error::INVAL);
        }
        let this = Self {
            page,
            offered: identity.features,
            negotiated: Features::NONE,
            status: 0,
            failure: None,
            resetting: false,
            generation: 0,
            queues_at,
            queues: identity.queues.into(),
        };
        this.page.zero();
        this.write(page::MAGIC, page::MAGIC_VALUE);
        this.write(page::VERSION, page::VERSION_VALUE);
        this.write(page::DEVICE_ID, identity.device_id);
        this.write(page::VENDOR, page::VENDOR_VALUE);
        this.write(page::NUM_QUEUES, identity.queues.len() as u32);
        this.write(page::QUEUES_OFFSET, queues_at as u32);
        this.show_features();
        this.show_queues();
        Ok(this)
    }

    /// The part of the page that holds the configuration of the class. After changing it on a
    /// living device call [`config_changed`](Self::config_changed).
    pub fn config(&self) -> Option<SharedMem<'static>> {
        let len = self.queues_at - page::DEVICE_CONFIG;
        self.page.slice(page::DEVICE_CONFIG, len)
    }

    /// What was negotiated; nothing before `FEATURES_OK`.
    pub fn negotiated(&self) -> &Features {
        &self.negotiated
    }

    /// The status as the device sees it.
    pub fn status(&self) -> u32 {
        self.status
    }

    /// Whether the queues may be served.
    pub fn is_running(&self) -> bool {
        let stop = status::DEVICE_NEEDS_RESET | status::FAILED;
        !self.resetting && self.status & status::DRIVER_OK != 0 && self.status & stop == 0
    }

    /// Whether a reset was asked for and is not finished.
    pub fn is_resetting(&self) -> bool {
        self.resetting
    }

    /// Why the device stopped serving, if it did.
    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Number of queues.
    pub fn queues(&self) -> usize {
        self.queues.len()
    }

    /// The client sets the status (message `set_status`).
    ///
    /// # Errors
    ///
    /// [`Error::AGAIN`] while a reset is not finished, except for a further reset.
    pub fn set_status(&mut self, raw: u32) -> crate::Result<StatusChange> {
        if raw == 0 {
            self.resetting = true;
            return Ok(StatusChange::Reset);
        }
        if self.resetting {
            return Err(Error::AGAIN);
        }
        if self.failure.is_some() {
            // Only a reset helps now; the page goes on showing so.
            return Ok(StatusChange::Stopped);
        }
        let new = raw & DRIVER_BITS;
        if new & status::FAILED != 0 {
            return Ok(self.stop(Failure::DriverGaveUp, new));
        }
        if let Some(failure) = self.check_order(new) {
            return Ok(self.stop(failure, self.status | status::DEVICE_NEEDS_RESET));
        }
        Ok(self.enter(new))
    }

    /// Each step of the initialisation builds on the one before (3.1.1), and only a reset goes
    /// back (2.1.1).
    fn check_order(&self, new: u32) -> Option<Failure> {
        let needs = |bit, other| new & bit != 0 && new & other == 0;
        if needs(status::DRIVER, status::ACKNOWLEDGE)
            || needs(status::FEATURES_OK, status::DRIVER)
            || needs(status::DRIVER_OK, status::FEATURES_OK)
        {
            return Some(Failure::StatusOrder(new));
        }
        (self.status & !new != 0).then_some(Failure::StatusCleared(new))
    }

    fn enter(&mut self, mut new: u32) -> StatusChange {
        if new & !self.status & status::FEATURES_OK != 0 {
            let wanted = Features::read(&self.page, page::DRIVER_FEATURE_MAP);
            if self.offered.accepts(&wanted) {
                self.negotiated = wanted;
            } else if new & status::DRIVER_OK != 0 {
                return self.stop(Failure::Features, self.status | status::DEVICE_NEEDS_RESET);
            } else {
                new &= !status::FEATURES_OK;
            }
        }
        let started = new & !self.status & status::DRIVER_OK != 0;
        self.show_status(new);
        if started { StatusChange::Started } else { StatusChange::Accepted }
    }

    fn stop(&mut self, failure: Failure, new: u32) -> StatusChange {
        self.failure = Some(failure);
        self.show_status(new);
        StatusChange::Stopped
    }

    /// The device cannot go on: sets `DEVICE_NEEDS_RESET` (2.1.2). Returns whether the client is
    /// to be interrupted.
    pub fn fail(&mut self, failure: Failure) -> bool {
        if self.failure.is_some() || self.resetting {
            return false;
        }
        let tell = self.status & status::DRIVER_OK != 0;
        self.stop(failure, self.status | status::DEVICE_NEEDS_RESET);
        if tell {
            self.raise(page::IRQ_CONFIG);
        }
        tell
    }

    /// The reset is complete: the device does not touch the client's memory any more. The page
    /// shows status 0, which is what the client may wait for (2.4.2).
    pub fn finish_reset(&mut self) {
        self.resetting = false;
        self.failure = None;
        self.negotiated = Features::NONE;
        Features::NONE.write(&self.page, page::DRIVER_FEATURE_MAP);
        self.write(page::IRQ_STATUS, 0);
        self.show_features();
        self.show_queues();
        self.bump_generation();
        self.show_status(0);
    }

    /// The client asks to configure a queue (message `config_queue`). What it wrote to the
    /// structure is read here, once, and otherwise not checked.
    ///
    /// # Errors
    ///
    /// [`Error::AGAIN`] while a reset is not finished, [`Error::IO`] before `DRIVER` or after a
    /// failure, [`Error::RANGE`] if there is no such queue.
    pub fn config_queue(&self, index: u32) -> crate::Result<QueueChange> {
        if self.resetting {
            return Err(Error::AGAIN);
        }
        let ready = status::ACKNOWLEDGE | status::DRIVER;
        if self.status & ready != ready || self.failure.is_some() {
            return Err(Error::IO);
        }
        let index = usize::try_from(index).map_err(|_| Error::RANGE)?;
        if index >= self.queues.len() {
            return Err(Error::RANGE);
        }
        self.read_queue(index).ok_or(Error::IO)
    }

    fn read_queue(&self, index: usize) -> Option<QueueChange> {
        let at = self.queues_at + index * qpage::SIZE;
        if self.page.read_u16(at + qpage::READY)? == 0 {
            return Some(QueueChange::Disable);
        }
        Some(QueueChange::Enable(QueueLayout {
            size: self.page.read_u16(at + qpage::NUM)?,
            desc: self.page.read_u64(at + qpage::DESC)?,
            avail: self.page.read_u64(at + qpage::AVAIL)?,
            used: self.page.read_u64(at + qpage::USED)?,
        }))
    }

    /// Reads the command register, if the feature is offered. After carrying out a command call
    /// [`finish_command`](Self::finish_command). Codes that do not exist are taken away.
    pub fn command(&self) -> Option<Command> {
        if !self.offered.has_command_register() {
            return None;
        }
        let (code, argument) = page::command::split(self.page.read_u32(page::COMMAND)?);
        match code {
            page::command::NONE => None,
            page::command::SET_STATUS => Some(Command::SetStatus(argument)),
            page::command::CONFIG_QUEUE => Some(Command::ConfigQueue(argument)),
            page::command::CONFIG_CHANGED => Some(Command::ConfigChanged),
            page::command::NOTIFY_QUEUE => Some(Command::NotifyQueue(argument)),
            _ => {
                self.finish_command();
                None
            }
        }
    }

    /// Shows the client that its command has been carried out.
    pub fn finish_command(&self) {
        self.write(page::COMMAND, page::command::NONE);
    }

    /// Sets bits of the interrupt status, before the interrupt is sent.
    pub fn raise(&self, bits: u32) {
        // The page is large enough and aligned by the check in `new`.
        let _ = self.page.fetch_or_u32(page::IRQ_STATUS, bits);
    }

    /// The configuration of the class has changed (2.5.1). Returns whether the client is to be
    /// interrupted.
    pub fn config_changed(&mut self) -> bool {
        self.bump_generation();
        if self.is_running() {
            self.raise(page::IRQ_CONFIG);
        }
        self.is_running()
    }

    fn bump_generation(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.write(page::GENERATION, self.generation);
    }

    fn show_status(&mut self, new: u32) {
        self.status = new;
        self.write(page::STATUS, new);
    }

    fn show_features(&self) {
        self.offered.write(&self.page, page::DEVICE_FEATURE_MAP);
        self.write(page::DEVICE_FEATURES, self.offered.words()[0]);
    }

    /// Writes the queue structures as they are after a reset; notification indices are all 0.
    fn show_queues(&self) {
        for (i, max) in self.queues.iter().enumerate() {
            let at = self.queues_at + i * qpage::SIZE;
            if let Some(queue) = self.page.slice(at, qpage::SIZE) {
                queue.zero();
                let _ = queue.write_u16(qpage::NUM_MAX, *max);
            }
        }
    }

    fn write(&self, offset: usize, value: u32) {
        // The page is large enough and aligned by the check in `new`.
        let _ = self.page.write_u32(offset, value);
    }
}

#[cfg(test)]
mod tests;
