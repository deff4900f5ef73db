//! PCI functions on a vbus.

use alloc::vec::Vec;

use super::device::attach;
use super::vbus::{Handle, Resource, ResourceKind, Vbus};
use crate::abi::icu::Mode;
use crate::cap::CapRef;
use crate::mem::{Region, SharedMem};
use crate::{Error, Result};

/// Where the six base address registers start in the configuration space.
const BAR0: u32 = 0x10;
/// Identification: vendor in the low half, device in the high one.
const ID: u32 = 0;
/// Class, subclass, programming interface, revision from the high byte down.
const CLASS: u32 = 8;

/// Width of an access to the configuration space of a PCI function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Width {
    /// 8 bits.
    Byte = 8,
    /// 16 bits, at an even offset.
    Word = 16,
    /// 32 bits, at an offset that is a multiple of 4.
    Dword = 32,
}

/// A PCI function, as some bus gives it to a driver: configuration space and mapped BARs.
///
/// # Safety
///
/// What [`map_bar`](Self::map_bar) yields must stay mapped until the value is dropped, also if the value
/// moves.
pub unsafe trait PciFunction {
    /// Reads the configuration space at a byte offset below 256.
    ///
    /// # Errors
    ///
    /// The bus refuses or is gone.
    fn cfg_read(&mut self, offset: u16, width: Width) -> crate::Result<u32>;

    /// Writes to the configuration space.
    ///
    /// # Errors
    ///
    /// As for [`cfg_read`](Self::cfg_read).
    fn cfg_write(&mut self, offset: u16, width: Width, value: u32) -> crate::Result<()>;

    /// Maps the memory of a BAR (0 to 5) completely, uncached, for as long as this value lives.
    /// Of a 64-bit BAR the lower index counts.
    ///
    /// # Errors
    ///
    /// The BAR does not exist, is no memory, is not assigned, or cannot be mapped.
    fn map_bar(&mut self, index: u8) -> crate::Result<SharedMem<'_>>;
}

/// A PCI function: its configuration space, and its BARs as they are mapped.
#[derive(Debug)]
pub struct PciDevice {
    bus: CapRef<Vbus>,
    handle: Handle,
    resources: Vec<Resource>,
    /// BARs that were mapped, which stay mapped as long as the function is driven.
    mapped: [Option<Region>; 6],
}

impl PciDevice {
    pub(super) fn new(bus: CapRef<Vbus>, handle: Handle, resources: Vec<Resource>) -> Self {
        Self { bus, handle, resources, mapped: Default::default() }
    }

    /// Vendor and device.
    ///
    /// # Errors
    ///
    /// What the bus answers.
    pub fn id(&self) -> Result<(u16, u16)> {
        let id = self.bus.pci_read(self.handle, ID, 32)?;
        Ok((id as u16, (id >> 16) as u16))
    }

    /// Class, subclass and programming interface, as the number `0xCCSSPP`.
    ///
    /// # Errors
    ///
    /// What the bus answers.
    pub fn class(&self) -> Result<u32> {
        self.bus.pci_read(self.handle, CLASS, 32).map(|c| c >> 8)
    }

    /// Enables the interrupt line and returns its pin and mode at the bus's controller.
    pub(super) fn enable_interrupt_line(&self) -> Result<(usize, Option<Mode>)> {
        let (pin, trigger, polarity) = self.bus.pci_irq_enable(self.handle)?;
        // What the bus says is 0 for level and for high; PCI lines are level triggered, so no
        // other answer than an explicit edge is taken for one.
        let mode = match (trigger, polarity) {
            (0, 0) => Mode::LevelHigh,
            (0, _) => Mode::LevelLow,
            (_, 0) => Mode::EdgeRising,
            (_, _) => Mode::EdgeFalling,
        };
        Ok((pin, Some(mode)))
    }

    /// The resource that belongs to BAR `index`: the bus names it `BAR0` to `BAR5`.
    fn bar(&self, index: u8) -> Option<&Resource> {
        let id = [b'B', b'A', b'R', b'0'.checked_add(index)?];
        self.resources.iter().find(|r| r.id == id && r.kind == Some(ResourceKind::Memory))
    }
}

// SAFETY: the regions are kept, and never replaced.
unsafe impl PciFunction for PciDevice {
    fn cfg_read(&mut self, offset: u16, width: Width) -> Result<u32> {
        self.bus.pci_read(self.handle, offset.into(), width as u32)
    }

    fn cfg_write(&mut self, offset: u16, width: Width, value: u32) -> Result<()> {
        self.bus.pci_write(self.handle, offset.into(), value, width as u32)
    }

    fn map_bar(&mut self, index: u8) -> Result<SharedMem<'_>> {
        let resource = self.bar(index).copied();
        let place = self.mapped.get_mut(usize::from(index)).ok_or(Error::INVAL)?;
        if place.is_some() {
            return place.as_ref().and_then(Region::mem).ok_or(Error::ACCESS);
        }
        let resource = resource.filter(|r| r.start != 0).ok_or(Error::NODEV)?;
        let register = BAR0 + 4 * u32::from(index);
        // A function could have I/O ports where the bus says memory; those are not for us.
        let bar = self.bus.pci_read(self.handle, register, 32)?;
        if bar & 1 != 0 {
            return Err(Error::NODEV);
        }
        place.insert(attach(&self.bus, &resource)?).mem().ok_or(Error::ACCESS)
    }
}
