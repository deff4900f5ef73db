//! The interrupt controller, of either version.

use core::ptr::NonNull;

use arm_gic::gicv2::GicV2;
use arm_gic::gicv3::{GicCpuInterface, GicV3};
use arm_gic::{IntId, InterruptGroup, Trigger, UniqueMmioPointer};
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::arch::phys_to_virt;

/// The interrupt controller.
pub enum Gic {
    /// Version 2.
    V2(GicV2<'static>),
    /// Version 3.
    V3(GicV3<'static>),
}

/// Physical address of the CPU interface of a version 2 controller; 0 for version 3.
static CPU_INTERFACE: AtomicUsize = AtomicUsize::new(0);

const PRIORITY: u8 = 0x80;

fn id(pin: u32) -> IntId {
    if pin < 32 { IntId::ppi(pin.saturating_sub(16)) } else { IntId::spi(pin - 32) }
}

impl Gic {
    /// Switches the controller on; `distributor` and `other` are physical addresses, the latter
    /// of the CPU interface (version 2) or the redistributor (version 3).
    pub fn new(version: u32, distributor: usize, other: usize) -> Option<Gic> {
        let (dist, cpu) = (phys_to_virt(distributor), phys_to_virt(other));
        let mut gic = if version == 2 {
            CPU_INTERFACE.store(other, Ordering::Relaxed);
            // SAFETY: the addresses are those of the device tree, mapped as device memory for
            // ever, and this is called once.
            Gic::V2(unsafe { GicV2::new(dist.cast().as_ptr(), cpu.cast().as_ptr()) })
        } else {
            // SAFETY: as above.
            let dist = unsafe { UniqueMmioPointer::new(dist.cast()) };
            // SAFETY: as above.
            Gic::V3(unsafe { GicV3::new(dist, cpu.cast(), 1) }.ok()?)
        };
        match &mut gic {
            Gic::V2(g) => g.setup(),
            Gic::V3(g) => {
                g.setup(0);
                GicCpuInterface::set_priority_mask(0xff);
            }
        }
        Some(gic)
    }

    /// Number of interrupt lines.
    pub fn lines(&self) -> u32 {
        match self {
            Gic::V2(g) => g.typer().num_irqs(),
            Gic::V3(g) => g.typer().num_spis() + 32,
        }
    }

    /// Lets an interrupt through, or not.
    pub fn enable(&mut self, pin: u32, on: bool) {
        if pin >= self.lines() {
            return;
        }
        match self {
            Gic::V2(g) => {
                g.set_interrupt_priority(id(pin), PRIORITY);
                // An interrupt that cannot be enabled does not exist: nothing will come.
                let _ = g.enable_interrupt(id(pin), on);
            }
            Gic::V3(g) => {
                let _ = g.set_interrupt_priority(id(pin), Some(0), PRIORITY);
                let _ = g.enable_interrupt(id(pin), Some(0), on);
            }
        }
    }

    /// Level (true) or edge triggered.
    pub fn level(&mut self, pin: u32, level: bool) {
        if pin < 32 || pin >= self.lines() {
            return;
        }
        let trigger = if level { Trigger::Level } else { Trigger::Edge };
        match self {
            Gic::V2(g) => g.set_trigger(id(pin), trigger),
            Gic::V3(g) => {
                let _ = g.set_trigger(id(pin), Some(0), trigger);
            }
        }
    }
}

/// Offset of the acknowledge and end-of-interrupt registers of a version 2 CPU interface.
const IAR: usize = 0x0c;
const EOIR: usize = 0x10;

fn interface_register(offset: usize) -> Option<NonNull<u32>> {
    match CPU_INTERFACE.load(Ordering::Relaxed) {
        0 => None,
        base => Some(phys_to_virt(base + offset).cast()),
    }
}

/// Takes a pending interrupt.
pub fn acknowledge() -> Option<u32> {
    let raw = match interface_register(IAR) {
        // SAFETY: a register of the CPU interface, mapped as device memory.
        Some(r) => (unsafe { r.read_volatile() }) & 0x3ff,
        None => u32::from(GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1)?),
    };
    (raw < 1020).then_some(raw)
}

/// Says that an interrupt was taken care of.
pub fn end(pin: u32) {
    match interface_register(EOIR) {
        // SAFETY: as in `acknowledge`.
        Some(r) => unsafe { r.write_volatile(pin) },
        None => GicCpuInterface::end_interrupt(id(pin), InterruptGroup::Group1),
    }
}
