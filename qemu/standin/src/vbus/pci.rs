//! Finds PCI functions and gives addresses to their registers, as io does.

use alloc::vec::Vec;

use super::hardware::{Bar, PciFunction};
use crate::machine::Machine;

/// First address of the window for 32-bit memory.
const WINDOW: usize = 0x1000_0000;
/// Last address of that window.
const WINDOW_END: usize = 0x3efe_ffff;

const REG_ID: u32 = 0;
const REG_COMMAND: u32 = 4;
const REG_CLASS: u32 = 8;
const REG_HEADER: u32 = 0xe;
const REG_BAR0: u32 = 0x10;
const REG_PIN: u32 = 0x3d;

/// Enumerates bus 0, and assigns all memory registers. Nothing is switched on: that is the
/// driver's part.
pub fn scan(machine: &mut dyn Machine) -> Vec<PciFunction> {
    let mut found = Vec::new();
    let mut next = WINDOW;
    for slot in 0..32 {
        let multi = machine.pci_read(slot << 3, REG_HEADER, 8) & 0x80 != 0;
        for sub in 0..if multi { 8 } else { 1 } {
            let function = slot << 3 | sub;
            if machine.pci_read(function, REG_ID, 16) != 0xffff {
                found.push(probe(machine, function, &mut next));
            }
        }
    }
    // Bridges are hardware of the bus itself, not for drivers.
    found.retain(|f| f.class >> 16 != 6);
    found
}

fn probe(machine: &mut dyn Machine, function: u32, next: &mut usize) -> PciFunction {
    let id = machine.pci_read(function, REG_ID, 32);
    let class = machine.pci_read(function, REG_CLASS, 32) >> 8;
    let plain = machine.pci_read(function, REG_HEADER, 8) & 0x7f == 0;
    let mut bars = Vec::new();
    let mut index = 0;
    while plain && index < 6 {
        let (bar, registers) = size_bar(machine, function, index);
        if let Some(mut bar) = bar {
            if !bar.io {
                assign(machine, function, &mut bar, registers, next);
            }
            bars.push(bar);
        }
        index += registers;
    }
    let pin = machine.pci_read(function, REG_PIN, 8);
    PciFunction { function, vendor: id as u16, device: (id >> 16) as u16, class, bars, pin }
}

/// What a base address register wants, and how many registers it takes.
fn size_bar(machine: &mut dyn Machine, function: u32, index: u32) -> (Option<Bar>, u32) {
    let register = REG_BAR0 + 4 * index;
    let old = machine.pci_read(function, register, 32);
    let mut probe = |register, old| {
        machine.pci_write(function, register, 32, !0);
        let mask = machine.pci_read(function, register, 32);
        machine.pci_write(function, register, 32, old);
        mask
    };
    let low = probe(register, old);
    let io = low & 1 != 0;
    let wide = !io && low & 6 == 4;
    let high = if wide { probe(register + 4, 0) } else { !0 };
    let bits = if io { low & !3 | 0xffff_0000 } else { low & !0xf };
    let mask = u64::from(high) << 32 | u64::from(bits);
    let registers = if wide { 2 } else { 1 };
    if low == 0 || bits == 0 && high == 0 {
        return (None, registers);
    }
    let size = usize::try_from((!mask).wrapping_add(1)).unwrap_or(0);
    let prefetchable = !io && low & 8 != 0;
    let bar = Bar { index, io, prefetchable, start: 0, size };
    ((size != 0).then_some(bar), registers)
}

fn assign(m: &mut dyn Machine, function: u32, bar: &mut Bar, registers: u32, next: &mut usize) {
    // Whole pages each: a page is what a driver can be given.
    let Some(start) = next.checked_next_multiple_of(bar.size.max(0x1000)) else { return };
    if start.checked_add(bar.size).is_none_or(|end| end > WINDOW_END) {
        return;
    }
    *next = start + bar.size;
    bar.start = start;
    let register = REG_BAR0 + 4 * bar.index;
    m.pci_write(function, register, 32, start as u32);
    if registers == 2 {
        m.pci_write(function, register + 4, 32, 0);
    }
}

/// Whether a driver may access the configuration space like this: inside the 4 KiB of the
/// function, 8, 16 or 32 bits, aligned.
pub fn valid_access(register: u32, width: u32) -> bool {
    matches!(width, 8 | 16 | 32) && register < 0x1000 && register.is_multiple_of(width / 8)
}

/// Whether a write has to be kept away: drivers do not move their registers.
pub fn is_protected(register: u32) -> bool {
    (REG_BAR0..REG_BAR0 + 24).contains(&register) || register < REG_COMMAND
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeMachine;

    #[test]
    fn registers_get_distinct_naturally_aligned_addresses() {
        let mut m = FakeMachine::default();
        // A 64-bit 16 KiB register, and a 32-bit one of 256 bytes behind it.
        m.add_function(1 << 3, 0x1af4, 0x1042, 0x010000, &[(0, 0xc, 0x4000), (2, 0, 0x100)]);
        m.add_function(2 << 3, 0x1b36, 0x0010, 0x010802, &[(0, 4, 0x4000), (5, 1, 0x20)]);
        let found = scan(&mut m);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].bars[0].start, 0x1000_0000);
        assert!(found[0].bars[0].prefetchable);
        assert_eq!(found[0].bars[1].start, 0x1000_4000);
        assert_eq!((found[0].bars[1].index, found[0].bars[1].size), (2, 0x100));
        assert_eq!(found[1].bars[0].start, 0x1000_8000);
        assert!(found[1].bars[1].io && found[1].bars[1].start == 0);
        assert_eq!(m.pci_read(2 << 3, REG_BAR0, 32) & !0xf, 0x1000_8000);
    }

    #[test]
    fn odd_accesses_are_refused() {
        assert!(valid_access(0x10, 32) && valid_access(0xfff, 8));
        for (r, w) in [(0x1000, 8), (2, 32), (1, 16), (0, 64), (0, 0)] {
            assert!(!valid_access(r, w), "{r:#x} {w}");
        }
    }
}
