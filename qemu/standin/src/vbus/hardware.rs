//! The hardware that buses are made of.

use alloc::vec::Vec;

/// A virtio-mmio transport.
#[derive(Clone, Copy, Debug)]
pub struct MmioSlot {
    /// Number of the slot.
    pub index: u32,
    /// Physical address of its registers.
    pub base: usize,
    /// Size of its registers.
    pub size: usize,
    /// GIC interrupt number; edge triggered.
    pub irq: u32,
    /// Whether there is a device in it.
    pub present: bool,
}

/// A base address register of a PCI function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Which one.
    pub index: u32,
    /// I/O ports; never assigned.
    pub io: bool,
    /// Prefetchable memory.
    pub prefetchable: bool,
    /// Address that was assigned.
    pub start: usize,
    /// Size in bytes.
    pub size: usize,
}

/// A PCI function.
#[derive(Clone, Debug)]
pub struct PciFunction {
    /// `bus << 8 | device << 3 | function`.
    pub function: u32,
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// `class << 16 | subclass << 8 | interface`.
    pub class: u32,
    /// Base address registers.
    pub bars: Vec<Bar>,
    /// Interrupt pin: 1 to 4, 0 for none.
    pub pin: u32,
}

/// GIC interrupt of INTA in slot 0; the four lines rotate with the slot.
const INTA: u32 = 35;

impl PciFunction {
    /// GIC interrupt of its pin.
    pub fn irq(&self) -> Option<u32> {
        (1..=4).contains(&self.pin).then(|| interrupt(self.function, self.pin - 1))
    }
}

/// GIC interrupt of a pin (0 to 3) of a function on bus 0.
pub fn interrupt(function: u32, pin: u32) -> u32 {
    INTA + ((function >> 3 & 0x1f) + pin) % 4
}

/// Everything that a bus can hold.
#[derive(Clone, Debug, Default)]
pub struct Hardware {
    /// virtio-mmio slots.
    pub mmio: Vec<MmioSlot>,
    /// PCI functions.
    pub pci: Vec<PciFunction>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::vec;

    /// Two slots, the second with a device, and a virtio block device on PCI slot 2.
    pub(crate) fn sample() -> Hardware {
        let slot = |index: u32, present| MmioSlot {
            index,
            base: 0xa00_0000 + 0x200 * index as usize,
            size: 0x200,
            irq: 48 + index,
            present,
        };
        let bar = Bar { index: 4, io: false, prefetchable: true, start: 0x1000_0000, size: 0x4000 };
        Hardware {
            mmio: vec![slot(30, false), slot(31, true)],
            pci: vec![PciFunction {
                function: 2 << 3,
                vendor: 0x1af4,
                device: 0x1042,
                class: 0x01_0000,
                bars: vec![bar],
                pin: 1,
            }],
        }
    }

    #[test]
    fn interrupt_lines_rotate_with_the_slot() {
        assert_eq!(sample().pci[0].irq(), Some(37));
        assert_eq!(interrupt(1 << 3, 0), 36);
        assert_eq!(interrupt(5 << 3, 3), 35);
    }
}
