//! Which virtio disks a driver was given, brought up and ready to be served.
//!
//! Devices come from the capability `vbus`, a virtual bus with virtio devices on PCI or in memory.
//! Without a bus a driver can be granted one device of the second kind in parts: `iomem`, its
//! registers; `irq`, its interrupt (see [`bus::granted`]); and `dma`, a DMA space that is bound to
//! it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use virtio_drivers::transport::Transport;

use super::unit::{Disk, Resources};
use crate::abi::cap::rights;
use crate::bus::vbus::ResourceKind;
use crate::bus::{self, Device, Interrupt, PciDevice, Vbus};
use crate::cap::{CapRef, Object};
use crate::env::{AtEnd, Env, StartError};
use crate::mem::{DmaDomain, DmaSpace};
use crate::serve::block::{Backend, VirtioDisk};
use crate::virtio::block::{BlockDevice, BlockError, Options};
use crate::virtio::mmio::{self, MmioError};
use crate::virtio::negotiate::stop_at_end;
use crate::virtio::pci::{self, Interrupts, MsiMessage, PciError, PciTransport};
use crate::virtio::spec::block::{ID_SIZE, SECTOR_SIZE};
use crate::{Error, Result};

/// Name of the capability of the bus.
pub const VBUS: &str = "vbus";
/// Name of the capability of a DMA space, for a device without a bus.
pub const DMA: &str = "dma";

/// Vendor of virtio devices on PCI, and the device ids of disks: since virtio 1.0, and before.
const PCI_VENDOR: u16 = 0x1af4;
const PCI_DISK: u16 = 0x1042;
const PCI_TRANSITIONAL_DISK: u16 = 0x1001;

/// Number of the interrupt for changes of the configuration, if there is one of its own.
const CONFIG_INTERRUPT: usize = 0;

/// What device trees call a virtio device in memory.
const COMPATIBLE: &str = "virtio,mmio";

/// A disk that works.
pub struct Found {
    /// Its driver.
    pub disk: Box<dyn Disk>,
    /// What serving it takes. Its names are the identification string, if it has one, and
    /// `virtio<n>`, where `n` counts the disks from 0 in the order of their registers' addresses.
    pub resources: Resources,
}

/// Why a device is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProbeError {
    /// The bus or the kernel did not do something.
    Failed(&'static str, Error),
    Mmio(MmioError),
    Pci(PciError),
    Block(BlockError),
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeError::Failed(what, e) => write!(f, "cannot {what}: {e}"),
            ProbeError::Mmio(e) => e.fmt(f),
            ProbeError::Pci(e) => e.fmt(f),
            ProbeError::Block(e) => e.fmt(f),
        }
    }
}

fn failed(what: &'static str) -> impl FnOnce(Error) -> ProbeError {
    move |e| ProbeError::Failed(what, e)
}

type Probed<T> = core::result::Result<T, ProbeError>;

/// Brings up all disks that the program was granted. What is there and is no disk, or does not
/// work, is left alone with a message.
///
/// # Errors
///
/// If nothing was granted, or there is no disk that works; says what was found instead.
pub fn disks(env: &Env) -> core::result::Result<Vec<Found>, StartError> {
    let (devices, mut domains) = granted(env)?;
    let mut found = Vec::new();
    for device in &devices {
        match probe(device, &mut domains, found.len()) {
            Ok(Some(disk)) => found.push(disk),
            Ok(None) => {}
            Err(e) => log::warn!("device {}: {e}", device.name()),
        }
    }
    if found.is_empty() {
        let n = devices.len();
        return Err(StartError::Other(alloc::format!(
            "no virtio disk that works among {n} devices: attach one to the machine (QEMU: -device \
             virtio-blk-pci or virtio-blk-device), and match it in the configuration of the bus \
             `{VBUS}` (PCI/VEN_1AF4 or {COMPATIBLE})"
        )));
    }
    Ok(found)
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

fn probe(device: &Device, domains: &mut Domains, count: usize) -> Probed<Option<Found>> {
    if let Some(pci) = device.pci() {
        return probe_pci(device, pci, domains, count);
    }
    if !device.is_compatible(COMPATIBLE).map_err(failed("ask what it is"))? {
        log::debug!("device {} ({}) is no virtio device", device.name(), device.hid());
        return Ok(None);
    }
    let registers = device.registers(0).map_err(failed("map its registers"))?;
    let window = registers.mem().ok_or(ProbeError::Failed("map its registers", Error::ACCESS))?;
    let transport = match mmio::open(window) {
        Err(MmioError::EmptySlot) => {
            log::debug!("device {}: no device in the slot", device.name());
            return Ok(None);
        }
        opened => opened.map_err(ProbeError::Mmio)?,
    };
    if !is_disk(&transport, device) {
        return Ok(None);
    }
    // The driver of a disk stays for as long as the program, and so do the registers.
    core::mem::forget(registers);
    let stop = mmio::status_register(window).map(stop_at_end);
    let version = if transport.requires_legacy_layout() { "legacy MMIO" } else { "MMIO" };
    let line = device.interrupt(0).map_err(failed("bind its interrupt"))?;
    bring_up(device, transport, stop, version, [line].into(), domains, count).map(Some)
}

fn probe_pci(
    device: &Device,
    mut pci: PciDevice,
    domains: &mut Domains,
    count: usize,
) -> Probed<Option<Found>> {
    let (vendor, id) = pci.id().map_err(failed("read its configuration"))?;
    if vendor != PCI_VENDOR || ![PCI_DISK, PCI_TRANSITIONAL_DISK].contains(&id) {
        log::info!("device {} (PCI {vendor:04x}:{id:04x}) is no virtio disk", device.name());
        return Ok(None);
    }
    // One for changes of the configuration and one for the queue, if there are as many.
    let vectors = pci::vectors(&mut pci).map_err(ProbeError::Pci)?.min(2);
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
    let transport = transport.map_err(ProbeError::Pci)?;
    let stop = transport.status_register().map(stop_at_end);
    bring_up(device, transport, stop, kind, interrupts, domains, count).map(Some)
}

/// A transport that interrupts by these messages: the first for the configuration, the last for
/// the queue. They may be the same.
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

fn is_disk(transport: &impl Transport, device: &Device) -> bool {
    let class = transport.device_type();
    let disk = class == virtio_drivers::transport::DeviceType::Block;
    if !disk {
        log::info!("device {}: virtio device of class {class:?}, no disk", device.name());
    }
    disk
}

fn bring_up<T: Transport + 'static>(
    device: &Device,
    transport: T,
    stop: Option<AtEnd>,
    kind: &str,
    interrupts: Vec<Arc<Interrupt>>,
    domains: &mut Domains,
    count: usize,
) -> Probed<Found> {
    let dma = domains.of(device).map_err(failed("give it a DMA space"))?;
    for interrupt in &interrupts {
        // A message that a device sends while it is masked can be lost.
        interrupt.unmask().map_err(failed("unmask its interrupt"))?;
    }
    let driver =
        BlockDevice::new(transport, &dma, Options::default()).map_err(ProbeError::Block)?;
    // With two interrupts one of them is for the configuration alone.
    let config = (interrupts.len() > 1).then_some(CONFIG_INTERRUPT);
    let disk = VirtioDisk::new(driver, config).with_stop(stop);
    let mut names = Vec::new();
    names.extend(text(&disk.info().id));
    names.push(alloc::format!("virtio{count}"));
    let (info, depth) = (disk.info(), disk.depth());
    log::info!(
        "disk \"{}\": device {}, {kind}, {} sectors of {SECTOR_SIZE} bytes{}, {depth} requests at \
         a time",
        names.join("\" or \""),
        device.name(),
        info.capacity,
        if info.read_only { ", read-only" } else { "" },
    );
    let resources = Resources { names, dma, interrupts };
    Ok(Found { disk: Box::new(disk), resources })
}

/// The identification string of a disk as a name, if it is one: printable and not empty.
fn text(id: &[u8; ID_SIZE]) -> Option<String> {
    let end = id.iter().position(|b| *b == 0).unwrap_or(ID_SIZE);
    let name = core::str::from_utf8(id.get(..end)?).ok()?.trim();
    let printable = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    printable.then(|| name.into())
}

impl<T: Transport> Disk for VirtioDisk<T> {
    fn interrupt(&mut self, number: usize) {
        VirtioDisk::interrupt(self, number);
    }

    fn notifications(&self) -> u64 {
        self.device().counters().kicks
    }
}

impl<D: Disk + ?Sized> Disk for Box<D> {
    fn interrupt(&mut self, number: usize) {
        (**self).interrupt(number);
    }

    fn notifications(&self) -> u64 {
        (**self).notifications()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_can_be_typed() {
        let id = |s: &[u8]| {
            let mut id = [0; ID_SIZE];
            id[..s.len()].copy_from_slice(s);
            text(&id)
        };
        assert_eq!(id(b"SERIAL-1").as_deref(), Some("SERIAL-1"));
        assert_eq!(id(b"twenty-characters-ok").as_deref(), Some("twenty-characters-ok"));
        assert_eq!(id(b"  padded  ").as_deref(), Some("padded"));
        assert_eq!(id(b""), None);
        assert_eq!(id(b"bell\x07"), None);
        assert_eq!(id(b"\xff\xfe"), None);
    }
}
