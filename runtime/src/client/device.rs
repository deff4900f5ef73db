//! A connection to an l4virtio device.

use log::Level;

use super::{DeviceGate, DriverMemory};
use crate::abi::cap::rights;
use crate::abi::timeout::Timeout;
use crate::cap::{Cap, Factory, Held, Irq, Object, Thread};
use crate::log::{Source, limited};
use crate::mem::{Region, SharedMem};
use crate::virtio::l4::L4Device;
use crate::{Error, Result};

/// Index of the only notification in either direction; class drivers here use one queue or let
/// all share it.
const NOTIFICATION: u32 = 0;

/// A connection: the device's page is mapped, and interrupts are set up in both directions. The
/// device itself is as it was; a driver resets it to begin with.
///
/// Dropping it gives everything back; a device that its server made for this client goes with its
/// gate.
#[derive(Debug)]
pub struct Connection {
    page: Region,
    mem: SharedMem<'static>,
    kick: Cap<Irq>,
    interrupt: Cap<Irq>,
    gate: Held<DeviceGate>,
}

impl Connection {
    /// Connects. `thread` is the one that will [wait](Self::wait) for the device; other interrupts
    /// that are bound to it are told apart by `label`, a multiple of 4.
    ///
    /// # Errors
    ///
    /// What the server or the kernel answers. The page is only checked by
    /// [`L4Transport::new`](crate::virtio::l4::L4Transport::new).
    pub fn connect(
        gate: impl Into<Held<DeviceGate>>,
        factory: &Factory,
        thread: &Thread,
        label: usize,
    ) -> Result<Connection> {
        let gate = gate.into();
        let page = gate.config_page()?;
        // SAFETY: the region is kept beside it, and both are private.
        let mem = unsafe { page.mem().ok_or(Error::ACCESS)?.unbounded() };
        let kick = gate.notification_irq(NOTIFICATION)?;
        let interrupt = factory.irq()?;
        interrupt.bind_thread(thread, label)?;
        // Where to unmask is of no matter: an interrupt that a program triggers is never masked.
        let _ = gate.icu().bind(NOTIFICATION as usize, &interrupt)?;
        Ok(Connection { page, mem, kick, interrupt, gate })
    }

    /// The gate.
    pub fn gate(&self) -> &DeviceGate {
        &self.gate
    }

    /// Where the configuration page is attached.
    pub fn page_region(&self) -> &Region {
        &self.page
    }

    /// The interrupt that the device sends.
    pub fn interrupt(&self) -> &Irq {
        &self.interrupt
    }

    /// A second capability to the interrupt that the device sends, for whoever waits while a
    /// driver owns this value.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] without a free slot.
    pub fn interrupt_copy(&self) -> Result<Cap<Irq>> {
        self.interrupt.duplicate(rights::RWS)
    }

    /// Waits for an interrupt from the device. Several that nobody waited for are one.
    ///
    /// # Errors
    ///
    /// [`Error::RECV_TIMEOUT`] when the time is over first.
    pub fn wait(&self, timeout: Timeout) -> Result<()> {
        self.interrupt.wait(timeout)
    }

    /// Whether the server still has the device.
    pub fn is_alive(&self) -> bool {
        self.gate.is_there()
    }
}

// SAFETY: the page is attached until the connection is dropped.
unsafe impl L4Device for Connection {
    type Memory = DriverMemory;

    fn page(&self) -> SharedMem<'_> {
        self.mem
    }

    fn set_status(&mut self, status: u32) -> Result<()> {
        self.gate.set_status(status)
    }

    fn config_queue(&mut self, queue: u32) -> Result<()> {
        self.gate.config_queue(queue)
    }

    fn register_ds(
        &mut self,
        base: u64,
        memory: &DriverMemory,
        offset: u64,
        size: u64,
    ) -> Result<()> {
        self.gate.register_ds(base, memory.dataspace(), offset, size)
    }

    fn kick(&mut self, _queue: u16) {
        if let Err(e) = self.kick.trigger() {
            // Whoever waits for an answer runs into its timeout.
            limited(
                Source::Device,
                Level::Warn,
                format_args!("the device cannot be notified: {e}"),
            );
        }
    }
}
