//! What the kernel needs from the machine it runs on. The board implements it on the target; host
//! tests bring a fake.

use alloc::boxed::Box;

/// How memory is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Cache {
    /// Ordinary memory.
    #[default]
    Normal,
    /// Write-combining.
    Buffered,
    /// Device registers.
    Uncached,
}

/// The page table of one address space.
pub trait PageTable {
    /// Maps the page at `va` to `pa`; `rights` are those of a memory flexpage (1 X, 2 W, 4 R). A
    /// mapping that is there already is replaced.
    fn map(&mut self, va: usize, pa: usize, rights: usize, cache: Cache);
    /// Removes the mapping of a page, if there is one.
    fn unmap(&mut self, va: usize);
    /// Makes this the address space of user mode.
    fn activate(&self);
}

/// The machine.
pub trait Machine {
    /// A new, empty address space.
    fn page_table(&mut self) -> Box<dyn PageTable>;
    /// Microseconds since power-on: the clock of the kernel info page.
    fn now(&self) -> u64;
    /// Whether the kernel's own memory has a free block of so many bytes.
    fn has_room(&self, bytes: usize) -> bool;
    /// Console output.
    fn put(&mut self, bytes: &[u8]);
    /// Number of interrupt lines.
    fn irq_lines(&self) -> u32;
    /// Lets an interrupt through, or not.
    fn irq_enable(&mut self, pin: u32, on: bool);
    /// Level (true) or edge triggered.
    fn irq_level(&mut self, pin: u32, level: bool);
    /// Reads the configuration space of PCI function `bus << 8 | device << 3 | function`; `width`
    /// in bits. All ones where nothing is.
    fn pci_read(&mut self, function: u32, register: u32, width: u32) -> u32;
    /// Writes the configuration space.
    fn pci_write(&mut self, function: u32, register: u32, width: u32, value: u32);
}
