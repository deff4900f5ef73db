//! Virtual buses of the `io` server. Messages have the protocol [`NONE`](super::proto::NONE), the
//! device handle as the first word and a 32-bit opcode behind it.

use super::{Word, rpc::Reader};

/// Handle of the bus itself.
pub const ROOT: isize = 0;
/// Handle that stands for none: an iteration starts with it.
pub const NONE: isize = -1;
/// Depth of an iteration that visits everything.
pub const DEPTH_ALL: u32 = 100;
/// Identifier of the virtual ICU.
pub const HID_ICU: &str = "L40009";
/// Identifier of a PCI root bridge.
pub const HID_PCI: &str = "PNP0A03";

/// Opcode of function `func` of interface number `interface`.
const fn op(interface: u32, func: u32) -> u32 {
    interface << 26 | func
}

/// Interfaces: bits of a device's type.
pub mod interface {
    /// Interrupt controller.
    pub const ICU: u32 = 0;
    /// PCI root bridge.
    pub const PCI: u32 = 2;
    /// PCI device.
    pub const PCI_DEV: u32 = 3;
    /// Power management.
    pub const PM: u32 = 4;
    /// Bus.
    pub const BUS: u32 = 5;
    /// What every device has.
    pub const GENERIC: u32 = 0x20;
}

/// Reply: the ICU capability.
pub const ICU_GET: u32 = op(interface::ICU, 0);
/// Next device with an identifier: word child, u32 depth, string.
pub const GET_BY_HID: u32 = op(interface::GENERIC, 2);
/// Next device: word child, u32 depth; reply word handle, device structure.
pub const NEXT_DEVICE: u32 = op(interface::GENERIC, 3);
/// Resource: u32 index; reply: resource structure.
pub const GET_RESOURCE: u32 = op(interface::GENERIC, 4);
/// Identifier: reply string.
pub const GET_HID: u32 = op(interface::GENERIC, 5);
/// Whether the device is compatible with a string: label 1 or 0.
pub const IS_COMPATIBLE: u32 = op(interface::GENERIC, 6);
/// Device: reply word handle, device structure.
pub const GET_DEVICE: u32 = op(interface::GENERIC, 7);
/// Assign a DMA domain: u32 domain, u32 flags; item: DMA space.
pub const ASSIGN_DMA_DOMAIN: u32 = op(interface::BUS, 2);
/// Read from a root bridge: u32 bus, devfn, register, width in bits; reply u32.
pub const PCI_CFG_READ: u32 = op(interface::PCI, 0);
/// Write through a root bridge: u32 bus, devfn, register, value, width in bits.
pub const PCI_CFG_WRITE: u32 = op(interface::PCI, 1);
/// Read the device's configuration: u32 register, u32 width in bits; reply u32.
pub const PCI_DEV_CFG_READ: u32 = op(interface::PCI_DEV, 0);
/// Write the device's configuration: u32 register, u32 value, u32 width in bits.
pub const PCI_DEV_CFG_WRITE: u32 = op(interface::PCI_DEV, 1);
/// Enable the device's interrupt: reply i32 number, u8 trigger, u8 polarity.
pub const PCI_DEV_IRQ_ENABLE: u32 = op(interface::PCI_DEV, 2);

/// Flag of [`ASSIGN_DMA_DOMAIN`]: bind (otherwise unbind).
pub const DMA_BIND: u32 = 1;
/// The bus-wide DMA domain.
pub const DMA_DOMAIN_BUS: u32 = !0;

/// Length of a device's name including its NUL.
pub const NAME_SIZE: usize = 64;

/// What the bus says of a device.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// Bit mask of the interfaces that the device has.
    pub interfaces: u32,
    /// Name of the node, padded with NUL.
    pub name: [u8; NAME_SIZE],
    /// Number of resources.
    pub resources: u32,
    /// Flags; 0x10: has children.
    pub flags: u32,
}

impl DeviceInfo {
    /// Reads the structure.
    pub fn read(r: &mut Reader<'_>) -> Option<Self> {
        let interfaces = r.u32()?;
        let mut name = [0; NAME_SIZE];
        for b in &mut name {
            *b = r.u8()?;
        }
        Some(Self { interfaces, name, resources: r.u32()?, flags: r.u32()? })
    }

    /// Whether the device has an interface (a number of [`interface`]).
    pub const fn has(&self, interface: u32) -> bool {
        interface < 32 && self.interfaces & (1 << interface) != 0
    }

    /// The name up to its NUL, as far as it is UTF-8.
    pub fn name(&self) -> &str {
        let end = self.name.iter().position(|&b| b == 0).unwrap_or(NAME_SIZE);
        match core::str::from_utf8(&self.name[..end]) {
            Ok(s) => s,
            Err(_) => "?",
        }
    }
}

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum ResourceKind {
    /// Interrupt: `start` is the pin, the flags are its mode.
    Irq = 1,
    /// Registers or memory: `start` is the offset in the bus's dataspace.
    Memory = 2,
    /// I/O ports.
    Port = 3,
    /// Bus numbers.
    Bus = 4,
    /// GPIO pins.
    Gpio = 5,
    /// DMA domain: `start` is its number.
    DmaDomain = 6,
}

/// A resource of a device.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// What it is; `None` for kinds that are unknown or void.
    pub kind: Option<ResourceKind>,
    /// Flags, by kind.
    pub flags: u16,
    /// First unit.
    pub start: Word,
    /// Last unit.
    pub end: Word,
    /// Four characters, such as `reg0` or `BAR0`.
    pub id: [u8; 4],
}

/// Resource flag: the memory is prefetchable.
pub const MEM_PREFETCHABLE: u16 = 0x10;
/// Resource flag: the memory may be cached.
pub const MEM_CACHEABLE: u16 = 0x20;

impl Resource {
    /// Reads the structure.
    pub fn read(r: &mut Reader<'_>) -> Option<Self> {
        let kind = match r.u16()? {
            1 => Some(ResourceKind::Irq),
            2 => Some(ResourceKind::Memory),
            3 => Some(ResourceKind::Port),
            4 => Some(ResourceKind::Bus),
            5 => Some(ResourceKind::Gpio),
            6 => Some(ResourceKind::DmaDomain),
            _ => None,
        };
        let flags = r.u16()?;
        let (start, end, _provider) = (r.word()?, r.word()?, r.word()?);
        Some(Self { kind, flags, start, end, id: r.u32()?.to_le_bytes() })
    }

    /// Size in units (bytes for memory); 0 for a resource that ends before it starts.
    pub const fn len(&self) -> Word {
        if self.end < self.start { 0 } else { (self.end - self.start).saturating_add(1) }
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::rpc::Writer;

    #[test]
    fn opcodes_are_interface_and_function() {
        assert_eq!(NEXT_DEVICE, 0x8000_0003);
        assert_eq!(ASSIGN_DMA_DOMAIN, 0x1400_0002);
        assert_eq!(PCI_DEV_CFG_WRITE, 0x0c00_0001);
        assert_eq!(PCI_CFG_READ, 0x0800_0000);
    }

    #[test]
    fn resource_structure() {
        let mut w = [0; 5];
        Writer::new(&mut w)
            .u32(2 | 0x10 << 16)
            .word(0xa00_3e00)
            .word(0xa00_3fff)
            .word(!0)
            .u32(0x3067_6572);
        let r = Resource::read(&mut Reader::new(&w)).unwrap();
        assert_eq!((r.kind, r.len(), &r.id), (Some(ResourceKind::Memory), 0x200, b"reg0"));
        assert_eq!(r.flags, MEM_PREFETCHABLE);
    }
}
