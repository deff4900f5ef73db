//! Which virtio devices a driver was given, ready for a driver of their class.
//!
//! Devices come from the capability `vbus`, a virtual bus with virtio devices on PCI or in memory.
//! Without a bus a driver can be granted one device of the second kind in parts: `iomem`, its
//! registers; `irq`, its interrupt (see [`bus::granted`]); and `dma`, a DMA space that is bound to
//! it.

mod transport;

pub use transport::DeviceTransport;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use virtio_drivers::transport::{DeviceType, Transport};

use super::mmio::{self, MmioError};
use super::negotiate::stop_at_end;
use super::pci::{self, Interrupts, MsiMessage, PciError, PciTransport};
use crate::abi::cap::rights;
use crate::bus::vbus::ResourceKind;
use crate::bus::{self, Device, Interrupt, PciDevice, Vbus};
use crate::cap::{CapRef, Object};
use crate::env::{AtEnd, Env, StartError};
use crate::mem::{DmaDomain, DmaSpace};
use crate::{Error, Result};

/// Name of the capability of the bus.
pub const VBUS: &str = "vbus";
/// Name of the capability of a DMA space, for a device without a bus.
pub const DMA: &str = "dma";

/// Number of the interrupt for changes of the configuration, if there is one of its own.
const CONFIG_INTERRUPT: usize = 0;

/// What device trees call a virtio device in memory.
const COMPATIBLE: &str = "virtio,mmio";

/// A virtio device: its interrupts are bound and let through, its driver has not touched it yet.
#[derive(Debug)]
pub struct DiscoveredDevice {
    /// Name of the device on its bus.
    pub name: String,
    /// How it is reached, for messages.
    pub kind: &'static str,
    /// The transport.
    pub transport: DeviceTransport,
    /// Resets the device when the program ends without dropping its driver; to be dropped after the
    /// driver.
    pub stop: Option<AtEnd>,
    /// Where memory is mapped for the device.
    pub dma: DmaDomain,
    /// The device's interrupts. Devices of one interrupt line have the same one.
    pub interrupts: Vec<Arc<Interrupt>>,
    /// Number of the interrupt that is for changes of the configuration and nothing else.
    pub config_interrupt: Option<usize>,
}

/// The devices of one class, and how many there were to choose from.
#[derive(Debug)]
pub struct Discovery {
    /// Those of the class, in the order of their registers' addresses.
    pub devices: Vec<DiscoveredDevice>,
    /// Number of all devices that the program was granted.
    pub granted: usize,
}

/// Why a device is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DiscoverError {
    /// The bus or the kernel did not do something.
    Failed(&'static str, Error),
    Mmio(MmioError),
    Pci(PciError),
}

impl fmt::Display for DiscoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiscoverError::Failed(what, e) => write!(f, "cannot {what}: {e}"),
            DiscoverError::Mmio(e) => e.fmt(f),
            DiscoverError::Pci(e) => e.fmt(f),
        }
    }
}

fn failed(what: &'static str) -> impl FnOnce(Error) -> DiscoverError {
    move |e| DiscoverError::Failed(what, e)
}

type Discovered<T> = core::result::Result<T, DiscoverError>;

/// Looks for all devices of a class that the program was granted. What is there and of another
/// class, or does not work, is left alone with a message.
///
/// # Errors
///
/// If nothing was granted, or the bus does not answer.
pub fn devices(env: &Env, class: DeviceType) -> core::result::Result<Discovery, StartError> {
    let (all, mut domains) = granted(env)?;
    let mut found = Vec::new();
    for device in &all {
        match discover(device, class, &mut domains) {
            Ok(device) => found.extend(device),
            Err(e) => log::warn!("device {}: {e}", device.name()),
        }
    }
    Ok(Discovery { devices: found, granted: all.len() })
}

fn granted(env: &Env) -> core::result::Result<(Vec<Device>, Domains), StartError> {
    if env.find(VBUS).is_none() && env.find("iomem").is_some() {
        let space = env.cap::<DmaSpace>(DMA)?;
        let space = space.duplicate(rights::RWS).map_err(StartError::when("use DMA space", DMA))?;
        let domains = Domains { given: Some(DmaDomain::new(space, true)), made: Vec::new() };
        return Ok((alloc::vec![bus::granted::device(env)?], domains));
    }
    let vbus: CapRef<Vbus> = env.cap(VBUS)?;
    let mut devices =
        bus::devices(&vbus).map_err(StartError::when("look at the devices of", VBUS))?;
    // The bus has an order of its own, which can be another at each start.
    devices.sort_by_key(address);
    Ok((devices, Domains::default()))
}

/// Where the registers of a device are on its bus.
fn address(device: &Device) -> usize {
    let mut memory = device.resources().iter().filter(|r| r.kind == Some(ResourceKind::Memory));
    memory.find(|r| r.start != 0).map_or(usize::MAX, |r| r.start)
}

/// DMA address spaces. Devices of the same DMA domain have one together.
#[derive(Default)]
struct Domains {
    /// The one that was granted, for a device without a bus.
    given: Option<DmaDomain>,
    made: Vec<(Option<u32>, DmaDomain)>,
}

impl Domains {
    fn of(&mut self, device: &Device) -> Result<DmaDomain> {
        if let Some(domain) = &self.given {
            return Ok(domain.clone());
        }
        let number = device.dma_domain();
        if let Some((_, domain)) = self.made.iter().find(|(n, _)| *n == number) {
            return Ok(domain.clone());
        }
        // Virtio devices see what is in the caches, unless they say otherwise by a feature that
        // we do not negotiate (virtio 1.2, 6.1, ORDER_PLATFORM).
        let domain = device.dma(true)?;
        self.made.push((number, domain.clone()));
        Ok(domain)
    }
}

fn discover(
    device: &Device,
    class: DeviceType,
    domains: &mut Domains,
) -> Discovered<Option<DiscoveredDevice>> {
    if let Some(pci) = device.pci() {
        return discover_pci(device, pci, class, domains);
    }
    if !device.is_compatible(COMPATIBLE).map_err(failed("ask what it is"))? {
        log::debug!("device {} ({}) is no virtio device", device.name(), device.hid());
        return Ok(None);
    }
    let registers = device.registers(0).map_err(failed("map its registers"))?;
    let no_window = DiscoverError::Failed("map its registers", Error::ACCESS);
    match mmio::identify(registers.mem().ok_or(no_window)?) {
        Err(MmioError::EmptySlot) => {
            log::debug!("device {}: no device in the slot", device.name());
            return Ok(None);
        }
        Err(e) => return Err(DiscoverError::Mmio(e)),
        Ok(found) if is_of_class(found, class, device) => {}
        Ok(_) => return Ok(None),
    }
    // The driver stays for as long as the program, and so do the registers.
    let window = registers.leak().ok_or(no_window)?;
    let transport = mmio::open(window).map_err(DiscoverError::Mmio)?;
    let kind = if transport.requires_legacy_layout() { "legacy MMIO" } else { "MMIO" };
    let line = device.interrupt(0).map_err(failed("bind its interrupt"))?;
    let stop = mmio::status_register(window).map(stop_at_end);
    ready(device, DeviceTransport::Mmio(transport), stop, kind, [line].into(), domains).map(Some)
}

fn discover_pci(
    device: &Device,
    mut pci: PciDevice,
    class: DeviceType,
    domains: &mut Domains,
) -> Discovered<Option<DiscoveredDevice>> {
    match pci::device_type(&mut pci) {
        Ok(found) if is_of_class(found, class, device) => {}
        Ok(_) => return Ok(None),
        Err(PciError::NotVirtio { vendor, device: id }) => {
            let name = device.name();
            log::info!("device {name} (PCI {vendor:04x}:{id:04x}) is no virtio device");
            return Ok(None);
        }
        Err(e) => return Err(DiscoverError::Pci(e)),
    }
    // One for changes of the configuration and one for the queues, if there are as many.
    let vectors = pci::vectors(&mut pci).map_err(DiscoverError::Pci)?.min(2);
    let bound = device.interrupts(vectors.into()).map_err(failed("bind its interrupts"))?;
    let (transport, kind, interrupts) = match bound {
        bus::Interrupts::Line(line) => {
            (PciTransport::new(pci, Interrupts::Line), "PCI with its interrupt line", [line].into())
        }
        bus::Interrupts::Messages(list) => {
            let (transport, interrupts) = with_messages(pci, list);
            (transport, "PCI with MSI-X", interrupts)
        }
    };
    let transport = transport.map_err(DiscoverError::Pci)?;
    let stop = transport.status_register().map(stop_at_end);
    ready(device, DeviceTransport::Pci(transport), stop, kind, interrupts, domains).map(Some)
}

/// A transport that interrupts by these messages: the first for the configuration, the last for
/// the queues. They may be the same.
fn with_messages(
    pci: PciDevice,
    list: Vec<bus::Message>,
) -> (core::result::Result<PciTransport<PciDevice>, PciError>, Vec<Arc<Interrupt>>) {
    let message = |m: &bus::Message| MsiMessage { address: m.msi.address, data: m.msi.data };
    let messages: Vec<MsiMessage> = list.iter().map(message).collect();
    // At most two.
    let queues = messages.len().saturating_sub(1) as u16;
    let kind = Interrupts::MsiX { messages: &messages, config: CONFIG_INTERRUPT as u16, queues };
    let transport = PciTransport::new(pci, kind);
    (transport, list.into_iter().map(|m| Arc::new(m.interrupt)).collect())
}

fn is_of_class(found: DeviceType, class: DeviceType, device: &Device) -> bool {
    if found != class {
        log::info!("device {}: virtio device of class {found:?}, not {class:?}", device.name());
    }
    found == class
}

fn ready(
    device: &Device,
    transport: DeviceTransport,
    stop: Option<AtEnd>,
    kind: &'static str,
    interrupts: Vec<Arc<Interrupt>>,
    domains: &mut Domains,
) -> Discovered<DiscoveredDevice> {
    let dma = domains.of(device).map_err(failed("give it a DMA space"))?;
    for interrupt in &interrupts {
        // A message that a device sends while it is masked can be lost.
        interrupt.unmask().map_err(failed("unmask its interrupt"))?;
    }
    // With two interrupts one of them is for the configuration alone.
    let config_interrupt = (interrupts.len() > 1).then_some(CONFIG_INTERRUPT);
    let name = device.name().into();
    Ok(DiscoveredDevice { name, kind, transport, stop, dma, interrupts, config_interrupt })
}
