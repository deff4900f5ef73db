//! The kernel info page, in both of its layouts.

use super::WORD_SIZE;

/// The magic at the start: "L4µK".
pub const MAGIC: u32 = 0x4be6_344c;
/// Offset of the system call stub.
pub const SYSCALL_STUB: usize = 0x800;
/// Offset of the function that reads the clock in microseconds (C calling convention).
pub const CLOCK_US: usize = 0x900;
/// Offset of the function that reads the clock in nanoseconds.
pub const CLOCK_NS: usize = 0x980;
/// Offset of the scaler for microseconds (u64), behind which stands the shift (u64).
pub const SCALER_US: usize = 0x970;
/// Offset of the scaler for nanoseconds (u64), behind which stands the shift (u64).
pub const SCALER_NS: usize = 0x9f0;

/// Which layout a page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Since 2025-06-24: a 32-bit magic followed by the version.
    New,
    /// Before: the magic takes a word.
    Old,
}

impl Layout {
    /// Tells the layout by the two 32-bit words at the start; `None` if there is no magic.
    pub const fn detect(first: u32, second: u32) -> Option<Layout> {
        match (first, second) {
            (MAGIC, 0) => Some(Layout::Old),
            (MAGIC, _) => Some(Layout::New),
            _ => None,
        }
    }

    /// Offset of the 32-bit version.
    pub const fn version(self) -> usize {
        match self {
            Layout::New => 4,
            Layout::Old => WORD_SIZE,
        }
    }

    /// Offset of the byte that holds the place of the version strings, in units of 16 bytes.
    pub const fn version_strings(self) -> usize {
        match self {
            Layout::New => 8,
            Layout::Old => 2 * WORD_SIZE,
        }
    }
}

/// Offsets of fields in the new layout.
pub mod new {
    /// u64: clock in microseconds.
    pub const CLOCK: usize = 0x20;
    /// u64: frequency in kHz.
    pub const FREQUENCY: usize = 0x28;
    /// u32: granularity of the scheduler in microseconds.
    pub const GRANULARITY: usize = 0x50;
    /// u32: offset of the memory descriptors.
    pub const MEM_DESCS: usize = 0x54;
    /// u32: number of memory descriptors.
    pub const MEM_DESC_COUNT: usize = 0x58;
    /// 16 bytes: name of the platform.
    pub const PLATFORM: usize = 0x70;
}

/// Types of memory descriptors (bits 0 to 3 of their first word).
pub mod mem_desc {
    /// RAM.
    pub const CONVENTIONAL: usize = 1;
    /// Reserved by the kernel.
    pub const RESERVED: usize = 2;
    /// Bit of the first word: the range is one of virtual addresses.
    pub const VIRTUAL: usize = 1 << 9;
}
