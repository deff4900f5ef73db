//! The machine as the kernel sees it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use standin::machine::{Machine, PageTable};
use standin::vbus::hardware::MmioSlot;

use super::devices::Console;
use super::gic::Gic;
use super::tree::Tree;
use crate::arch::paging::UserTable;
use crate::arch::{self, TIMER_IRQ, phys_to_virt};

/// QEMU's `virt`.
pub struct Virt {
    gic: Gic,
    frequency: u64,
    ecam: Option<usize>,
}

impl Virt {
    /// Switches interrupts and user mode on.
    pub fn new(tree: &Tree, frequency: u64) -> Result<Virt, String> {
        arch::init(frequency);
        let mut gic =
            Gic::new(tree.gic_version, tree.gic.0, tree.gic.1).ok_or("no interrupt controller")?;
        arch::set_timer(None);
        gic.enable(TIMER_IRQ, true);
        Ok(Virt { gic, frequency, ecam: tree.ecam })
    }

    /// The virtio-mmio slots, with what is in them.
    pub fn mmio_slots(&self, tree: &Tree) -> Vec<MmioSlot> {
        /// Offset of the device identifier; 0 there means an empty slot.
        const DEVICE_ID: usize = 8;
        let slots = tree.slots.iter().zip(0..);
        slots
            .map(|(s, index)| {
                let id = phys_to_virt(s.base + DEVICE_ID).cast::<u32>();
                // SAFETY: a register of a transport that the device tree names, mapped as device
                // memory; reading it has no side effect.
                let present = unsafe { id.read_volatile() } != 0;
                MmioSlot { index, base: s.base, size: s.size, irq: s.irq, present }
            })
            .collect()
    }

    /// Address of a register in the configuration space of bus 0.
    fn config(&self, function: u32, register: u32) -> Option<usize> {
        let base = self.ecam.filter(|_| function < 256 && register < 4096)?;
        Some(base + ((function as usize) << 12) + register as usize)
    }
}

impl Machine for Virt {
    fn page_table(&mut self) -> Box<dyn PageTable> {
        UserTable::boxed()
    }

    fn now(&self) -> u64 {
        (u128::from(arch::counter()) * 1_000_000 / u128::from(self.frequency)) as u64
    }

    fn has_room(&self, bytes: usize) -> bool {
        super::has_block(bytes)
    }

    fn put(&mut self, bytes: &[u8]) {
        Console.put(bytes);
    }

    fn irq_lines(&self) -> u32 {
        self.gic.lines()
    }

    fn irq_enable(&mut self, pin: u32, on: bool) {
        self.gic.enable(pin, on);
    }

    fn irq_level(&mut self, pin: u32, level: bool) {
        self.gic.level(pin, level);
    }

    fn pci_read(&mut self, function: u32, register: u32, width: u32) -> u32 {
        let Some(at) = self.config(function, register).map(phys_to_virt) else {
            return !0 >> (32 - width);
        };
        // SAFETY: inside the configuration space that the device tree names, mapped as device
        // memory, aligned as the kernel checks. Reading has no effect on memory safety.
        unsafe {
            match width {
                8 => at.read_volatile().into(),
                16 => at.cast::<u16>().read_volatile().into(),
                _ => at.cast::<u32>().read_volatile(),
            }
        }
    }

    fn pci_write(&mut self, function: u32, register: u32, width: u32, value: u32) {
        let Some(at) = self.config(function, register).map(phys_to_virt) else { return };
        // SAFETY: as in `pci_read`. What a device does with it is what the test wants to see.
        unsafe {
            match width {
                8 => at.write_volatile(value as u8),
                16 => at.cast::<u16>().write_volatile(value as u16),
                _ => at.cast::<u32>().write_volatile(value),
            }
        }
    }
}
