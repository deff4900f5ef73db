//! A device, wherever it comes from: registers, interrupts and DMA.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::interrupt::{Interrupt, Interrupts};
use super::vbus::{Handle, RESOURCES_MAX, Resource, ResourceKind, Vbus};
use super::{Controller, PciDevice, granted};
use crate::abi::icu::Mode;
use crate::abi::vbus::{DeviceInfo, interface};
use crate::cap::{CapRef, Held, Irq};
use crate::mem::{AttachOptions, Dataspace, DmaDomain, DmaSpace, Region};
use crate::{Error, Result};

/// A device on a vbus, as it was found; nothing is mapped or bound yet.
#[derive(Debug)]
struct OnVbus {
    bus: CapRef<Vbus>,
    icu: Option<Arc<Controller>>,
    handle: Handle,
    info: DeviceInfo,
}

#[derive(Debug)]
enum Origin {
    Vbus(OnVbus),
    Granted { registers: CapRef<Dataspace>, irq: Option<CapRef<Irq>> },
}

/// A device that a driver may use.
pub struct Device {
    origin: Origin,
    name: String,
    hid: String,
    resources: Vec<Resource>,
}

impl Device {
    /// Asks the bus for all that it says of a device.
    pub(super) fn on_vbus(
        bus: &CapRef<Vbus>,
        icu: Option<Arc<Controller>>,
        handle: Handle,
        info: DeviceInfo,
    ) -> Result<Device> {
        let count = info.resources.min(RESOURCES_MAX);
        let resources = (0..count).map(|i| bus.resource(handle, i)).collect::<Result<_>>()?;
        let hid = bus.hid(handle)?;
        let name = String::from(info.name());
        let origin = Origin::Vbus(OnVbus { bus: bus.clone(), icu, handle, info });
        Ok(Device { origin, name, hid, resources })
    }

    /// A device that consists of single capabilities; see [`granted`].
    pub(super) fn granted(
        name: &str,
        registers: CapRef<Dataspace>,
        irq: Option<CapRef<Irq>>,
    ) -> Device {
        Device {
            origin: Origin::Granted { registers, irq },
            name: String::from(name),
            hid: String::new(),
            resources: Vec::new(),
        }
    }

    /// The name of the device's node on the bus.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hardware identifier; empty if there is none.
    pub fn hid(&self) -> &str {
        &self.hid
    }

    /// What the bus gives the device; empty for granted devices.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// Whether the device says that it is compatible with `name`. A granted device is whatever
    /// its driver takes it for.
    ///
    /// # Errors
    ///
    /// What the bus answers.
    pub fn is_compatible(&self, name: &str) -> Result<bool> {
        match &self.origin {
            Origin::Vbus(v) => v.bus.is_compatible(v.handle, name),
            Origin::Granted { .. } => Ok(true),
        }
    }

    /// The device as a PCI function, if it is one. It keeps what it maps; the device itself can
    /// be dropped.
    pub fn pci(&self) -> Option<PciDevice> {
        match &self.origin {
            Origin::Vbus(v) if v.info.has(interface::PCI_DEV) => {
                Some(PciDevice::new(v.bus.clone(), v.handle, self.resources.clone()))
            }
            _ => None,
        }
    }

    /// Maps memory resource number `index` (among those of this kind) uncached.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is none; what bus or region mapper answer.
    pub fn registers(&self, index: usize) -> Result<Region> {
        match &self.origin {
            Origin::Vbus(v) => {
                let resource = self.of_kind(ResourceKind::Memory, index).ok_or(Error::NOENT)?;
                attach(&v.bus, resource)
            }
            Origin::Granted { registers, .. } if index == 0 => granted::attach(registers),
            Origin::Granted { .. } => Err(Error::NOENT),
        }
    }

    /// Binds interrupt number `index` of the device to a new IRQ object. For a PCI device
    /// number 0 is its interrupt line.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is none; what bus, controller or kernel answer.
    pub fn interrupt(&self, index: usize) -> Result<Arc<Interrupt>> {
        match &self.origin {
            Origin::Vbus(v) => {
                let icu = v.icu.clone().ok_or(Error::NODEV)?;
                let (pin, mode) = match self.pci().filter(|_| index == 0) {
                    Some(pci) => pci.enable_interrupt_line()?,
                    None => {
                        let r = self.of_kind(ResourceKind::Irq, index).ok_or(Error::NOENT)?;
                        (r.start, Mode::from_raw(r.flags.into()))
                    }
                };
                Interrupt::line(&icu, pin, mode)
            }
            Origin::Granted { irq, .. } => {
                let irq = irq.clone().filter(|_| index == 0).ok_or(Error::NOENT)?;
                Ok(Arc::new(Interrupt::granted(Held::Granted(irq))))
            }
        }
    }

    /// Binds `messages` message-signalled interrupts for the device, or its line (interrupt
    /// number 0) where messages do not work; that is logged once.
    ///
    /// # Errors
    ///
    /// As for [`interrupt`](Self::interrupt), about the line.
    pub fn interrupts(&self, messages: usize) -> Result<Interrupts> {
        match (self.icu(), self.msi_source()) {
            (Some(icu), Some(source)) => {
                Interrupts::bind(&icu, source, messages, || self.interrupt(0))
            }
            _ => self.interrupt(0).map(Interrupts::Line),
        }
    }

    /// The interrupt controller that the device's interrupts and messages go through.
    pub fn icu(&self) -> Option<Arc<Controller>> {
        match &self.origin {
            Origin::Vbus(v) => v.icu.clone(),
            Origin::Granted { .. } => None,
        }
    }

    /// What a message-signalled interrupt of this device names as its source (see
    /// [`Icu::msi_info`](crate::cap::Icu::msi_info)).
    pub fn msi_source(&self) -> Option<u64> {
        match &self.origin {
            Origin::Vbus(v) => Some(1 << 63 | v.handle.0 as u64),
            Origin::Granted { .. } => None,
        }
    }

    /// Makes a DMA address space for the device and binds it. Devices that share a DMA domain
    /// share the space: the last one bound counts, so drivers of several devices make one.
    ///
    /// `coherent`: see [`DmaDomain::new`].
    ///
    /// # Errors
    ///
    /// [`Error::NODEV`] for granted devices, whose space has to be granted as well (see
    /// [`DmaDomain::new`]); what memory allocator or bus answer.
    pub fn dma(&self, coherent: bool) -> Result<DmaDomain> {
        let Origin::Vbus(v) = &self.origin else { return Err(Error::NODEV) };
        let space = DmaSpace::create()?;
        v.bus.assign_dma(self.dma_domain(), &space)?;
        Ok(DmaDomain::new(space, coherent))
    }

    /// Number of the device's DMA domain; `None` if it uses that of the bus.
    pub fn dma_domain(&self) -> Option<u32> {
        let resource = self.of_kind(ResourceKind::DmaDomain, 0)?;
        u32::try_from(resource.start).ok()
    }

    fn of_kind(&self, kind: ResourceKind, index: usize) -> Option<&Resource> {
        self.resources.iter().filter(|r| r.kind == Some(kind)).nth(index)
    }
}

/// Maps a memory resource of a bus.
///
/// The bus's server wants the first access to each page to be inside of the resource, so pages
/// are mapped as they are touched.
pub(super) fn attach(bus: &CapRef<Vbus>, resource: &Resource) -> Result<Region> {
    if resource.is_empty() {
        return Err(Error::NODEV);
    }
    let options = AttachOptions::registers(resource.start as u64, resource.len());
    Region::attach(Vbus::memory(bus), &options)
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {} ({} resources)", self.name, self.resources.len())
    }
}
