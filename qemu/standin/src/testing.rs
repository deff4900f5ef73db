//! A machine for tests on the host.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::machine::{Cache, Machine, PageTable};

/// What tests look at afterwards.
#[derive(Default)]
pub(crate) struct Seen {
    pub console: Vec<u8>,
    pub now: u64,
    pub enabled: BTreeMap<u32, bool>,
    /// The kernel's memory is used up.
    pub full: bool,
}

/// A machine without hardware but PCI functions.
#[derive(Default)]
pub(crate) struct FakeMachine {
    pub seen: Rc<RefCell<Seen>>,
    config: BTreeMap<u32, [u8; 64]>,
    /// Register and what sticks there when it is written.
    bars: BTreeMap<(u32, u32), (u32, u32)>,
}

struct FakeTable;

impl PageTable for FakeTable {
    fn map(&mut self, _: usize, _: usize, _: usize, _: Cache) {}
    fn unmap(&mut self, _: usize) {}
    fn activate(&self) {}
}

impl FakeMachine {
    /// Adds a PCI function; its registers are (index, low bits, size).
    pub(crate) fn add_function(
        &mut self,
        function: u32,
        vendor: u16,
        device: u16,
        class: u32,
        bars: &[(u32, u32, u32)],
    ) {
        let mut c = [0; 64];
        c[..2].copy_from_slice(&vendor.to_le_bytes());
        c[2..4].copy_from_slice(&device.to_le_bytes());
        c[8..12].copy_from_slice(&(class << 8).to_le_bytes());
        c[0x3d] = 1;
        for (index, low, size) in bars {
            let register = 0x10 + 4 * index;
            self.bars.insert((function, register), (!(size - 1), *low));
            if low & 6 == 4 {
                self.bars.insert((function, register + 4), (!0, 0));
            }
            c[register as usize] = *low as u8;
        }
        self.config.insert(function, c);
    }
}

impl Machine for FakeMachine {
    fn page_table(&mut self) -> Box<dyn PageTable> {
        Box::new(FakeTable)
    }

    fn now(&self) -> u64 {
        self.seen.borrow().now
    }

    fn has_room(&self, _: usize) -> bool {
        !self.seen.borrow().full
    }

    fn put(&mut self, bytes: &[u8]) {
        self.seen.borrow_mut().console.extend_from_slice(bytes);
    }

    fn irq_lines(&self) -> u32 {
        288
    }

    fn irq_enable(&mut self, pin: u32, on: bool) {
        self.seen.borrow_mut().enabled.insert(pin, on);
    }

    fn irq_level(&mut self, _: u32, _: bool) {}

    fn pci_read(&mut self, function: u32, register: u32, width: u32) -> u32 {
        let mask = !0 >> (32 - width);
        let Some(c) = self.config.get(&function) else { return mask };
        let at = register as usize;
        let bytes: [u8; 4] = core::array::from_fn(|i| c.get(at + i).copied().unwrap_or(0));
        u32::from_le_bytes(bytes) & mask
    }

    fn pci_write(&mut self, function: u32, register: u32, _: u32, value: u32) {
        let Some(c) = self.config.get_mut(&function) else { return };
        let Some((mask, low)) = self.bars.get(&(function, register)) else { return };
        let at = register as usize;
        c[at..at + 4].copy_from_slice(&(value & mask | low).to_le_bytes());
    }
}
