//! Virtual buses: what io would offer of the hardware.

pub mod hardware;
pub mod pci;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use l4re_runtime::abi::vbus::{DEPTH_ALL, HID_ICU, HID_PCI, ResourceKind, interface};
use l4re_standin_bootinfo::{Bus, Filter};

use crate::object::ObjId;
use hardware::{Hardware, MmioSlot, PciFunction};

/// A resource as the bus shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// Flags, by kind.
    pub flags: u16,
    /// First unit.
    pub start: usize,
    /// Last unit.
    pub end: usize,
    /// Four characters.
    pub id: [u8; 4],
}

impl Resource {
    fn new(kind: ResourceKind, flags: u16, start: usize, end: usize, id: &[u8; 4]) -> Resource {
        Resource { kind, flags, start, end, id: *id }
    }
}

/// A device on a bus.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Name of the node.
    pub name: String,
    /// Hardware identifier.
    pub hid: String,
    /// What it is compatible with.
    pub compatible: Vec<String>,
    /// Bit mask of interfaces.
    pub interfaces: u32,
    /// Its resources.
    pub resources: Vec<Resource>,
    /// Distance from the root; children of the root have 0.
    pub level: u32,
    /// Whether devices follow that are its children.
    pub has_children: bool,
    /// Its PCI function.
    pub pci: Option<u32>,
}

/// A virtual bus: its devices in depth-first order. The handle of a device is its index plus one;
/// 0 is the bus.
#[derive(Default)]
pub struct Vbus {
    /// The devices.
    pub devices: Vec<Device>,
    /// Interrupt controller object, once somebody asked for it.
    pub icu: Option<ObjId>,
    /// Message-signalled interrupts that the controller offers; the kernel binds none.
    pub messages: u32,
}

impl Vbus {
    /// Builds a bus with what its filters select.
    pub fn build(spec: &Bus, hw: &Hardware) -> Vbus {
        let filters = &spec.filters;
        let mut devices = vec![Device {
            name: "L4ICU".into(),
            hid: HID_ICU.into(),
            interfaces: 1 << interface::ICU,
            ..Device::default()
        }];
        let slots = hw.mmio.iter().filter(|s| filters.iter().any(|f| takes_slot(f, s)));
        devices.extend(slots.enumerate().map(|(i, s)| mmio_device(i, s)));
        let functions: Vec<_> =
            hw.pci.iter().filter(|p| filters.iter().any(|f| takes_function(f, p))).collect();
        if filters.iter().any(|f| matches!(f, Filter::Pci { .. })) {
            devices.push(Device {
                name: "PCI0".into(),
                hid: HID_PCI.into(),
                interfaces: 1 << interface::PCI,
                has_children: !functions.is_empty(),
                ..Device::default()
            });
            devices.extend(functions.iter().enumerate().map(|(i, p)| pci_device(i, p)));
        }
        Vbus { devices, icu: None, messages: spec.messages }
    }

    /// The device of a handle.
    pub fn device(&self, handle: isize) -> Option<&Device> {
        self.devices.get(usize::try_from(handle).ok()?.checked_sub(1)?)
    }

    /// The next device below `root` (0: the whole bus) after `child` (-1: the first) that is at
    /// most `depth` levels below the direct children.
    pub fn next(&self, root: isize, child: isize, depth: u32) -> Option<(isize, &Device)> {
        let (first, end, base) = match usize::try_from(root).ok()? {
            0 => (0, self.devices.len(), 0),
            r => {
                let level = self.devices.get(r - 1)?.level;
                let below = self.devices[r..].iter().take_while(|d| d.level > level).count();
                (r, r + below, level + 1)
            }
        };
        let start = if child < 0 { first } else { first.max(usize::try_from(child).ok()?) };
        let depth = if depth >= DEPTH_ALL { u32::MAX - base } else { depth };
        self.devices[..end]
            .iter()
            .enumerate()
            .skip(start)
            .find(|(_, d)| d.level <= base + depth)
            .map(|(i, d)| (i as isize + 1, d))
    }

    /// The memory resource that contains exactly this offset of the bus's dataspace.
    pub fn memory_at(&self, offset: usize) -> Option<&Resource> {
        self.devices
            .iter()
            .flat_map(|d| &d.resources)
            .find(|r| r.kind == ResourceKind::Memory && r.start <= offset && offset <= r.end)
    }

    /// The mode of an interrupt of this bus.
    pub fn irq(&self, pin: usize) -> Option<u16> {
        self.devices
            .iter()
            .flat_map(|d| &d.resources)
            .find(|r| r.kind == ResourceKind::Irq && r.start <= pin && pin <= r.end)
            .map(|r| r.flags)
    }

    /// Highest interrupt plus one.
    pub fn irq_count(&self) -> usize {
        self.devices
            .iter()
            .flat_map(|d| &d.resources)
            .filter(|r| r.kind == ResourceKind::Irq)
            .map(|r| r.end + 1)
            .max()
            .unwrap_or(0)
    }

    /// Whether a DMA domain is one of this bus.
    pub fn has_domain(&self, domain: u32) -> bool {
        self.devices
            .iter()
            .flat_map(|d| &d.resources)
            .any(|r| r.kind == ResourceKind::DmaDomain && r.start == domain as usize)
    }
}

fn takes_slot(filter: &Filter, slot: &MmioSlot) -> bool {
    match filter {
        Filter::AllMmio => true,
        Filter::PresentMmio => slot.present,
        Filter::Mmio(i) => *i == slot.index,
        Filter::Pci { .. } => false,
    }
}

fn takes_function(filter: &Filter, f: &PciFunction) -> bool {
    let Filter::Pci { class, vendor, device } = filter else { return false };
    let class_fits = class.is_none_or(|(code, bytes)| {
        let shift = 8 * (3 - u32::from(bytes.clamp(1, 3)));
        f.class >> shift == code >> shift
    });
    class_fits && vendor.is_none_or(|v| v == f.vendor) && device.is_none_or(|d| d == f.device)
}

fn dma_domain(number: usize) -> Resource {
    Resource::new(ResourceKind::DmaDomain, 0, number, number, b"DMAD")
}

fn mmio_device(i: usize, slot: &MmioSlot) -> Device {
    let (start, pin) = (slot.base, slot.irq as usize);
    Device {
        name: format!("dev[{i}]"),
        hid: format!("virtio{}", slot.index),
        compatible: vec!["virtio,mmio".into()],
        resources: vec![
            Resource::new(ResourceKind::Memory, 3, start, start + slot.size - 1, b"reg0"),
            Resource::new(ResourceKind::Irq, 1, pin, pin, b"irq0"),
            dma_domain(1 + slot.index as usize),
        ],
        ..Device::default()
    }
}

fn pci_device(i: usize, f: &PciFunction) -> Device {
    let mut resources = Vec::new();
    if let Some(pin) = f.irq() {
        resources.push(Resource::new(ResourceKind::Irq, 3, pin as usize, pin as usize, b"PIN\0"));
    }
    for bar in &f.bars {
        let id = [b'B', b'A', b'R', b'0' + bar.index as u8];
        let (kind, flags) = match (bar.io, bar.prefetchable) {
            (true, _) => (ResourceKind::Port, 0),
            (false, true) => (ResourceKind::Memory, 0x13),
            (false, false) => (ResourceKind::Memory, 3),
        };
        resources.push(Resource::new(kind, flags, bar.start, bar.start + (bar.size - 1), &id));
    }
    resources.push(dma_domain(0x100 + f.function as usize));
    Device {
        name: format!("pci[{i}]"),
        interfaces: 1 << interface::PCI_DEV,
        resources,
        level: 1,
        pci: Some(f.function),
        ..Device::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardware::tests::sample;

    fn bus(filters: &[Filter]) -> Vbus {
        let spec = Bus { name: "vbus".into(), filters: filters.to_vec(), messages: 0 };
        Vbus::build(&spec, &sample())
    }

    fn names(bus: &Vbus, root: isize, depth: u32) -> Vec<&str> {
        let mut at = -1;
        core::iter::from_fn(|| {
            let (handle, d) = bus.next(root, at, depth)?;
            at = handle;
            Some(d.name.as_str())
        })
        .collect()
    }

    const ANY_PCI: Filter = Filter::Pci { class: None, vendor: None, device: None };

    #[test]
    fn enumeration_goes_depth_first_and_obeys_its_depth() {
        let bus = bus(&[Filter::PresentMmio, ANY_PCI]);
        assert_eq!(names(&bus, 0, DEPTH_ALL), ["L4ICU", "dev[0]", "PCI0", "pci[0]"]);
        assert_eq!(names(&bus, 0, 0), ["L4ICU", "dev[0]", "PCI0"]);
        assert_eq!(names(&bus, 3, DEPTH_ALL), ["pci[0]"]);
        assert_eq!(names(&bus, 1, DEPTH_ALL), [""; 0]);
        assert!(bus.next(99, -1, 0).is_none() && bus.next(-5, -1, 0).is_none());
        assert!(bus.next(0, isize::MAX, 0).is_none());
    }

    #[test]
    fn a_map_request_must_lie_in_a_resource() {
        let bus = bus(&[Filter::Mmio(31)]);
        assert!(bus.memory_at(0xa00_3dff).is_none());
        assert!(bus.memory_at(0xa00_3e00).is_some() && bus.memory_at(0xa00_3fff).is_some());
        assert!(bus.memory_at(0xa00_4000).is_none());
        assert_eq!((bus.irq(79), bus.irq(78), bus.irq_count()), (Some(1), None, 80));
    }

    #[test]
    fn filters_select() {
        let pci = |class, vendor| Filter::Pci { class, vendor, device: None };
        assert_eq!(bus(&[Filter::AllMmio]).devices.len(), 3);
        assert_eq!(bus(&[pci(Some((0x01_0000, 1)), None)]).devices.len(), 3);
        assert_eq!(bus(&[pci(Some((0x01_0802, 3)), None)]).devices.len(), 2);
        assert_eq!(bus(&[pci(None, Some(0x1b36))]).devices.len(), 2);
        assert_eq!(bus(&[]).devices.len(), 1);
    }
}
