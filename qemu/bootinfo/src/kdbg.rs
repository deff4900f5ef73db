//! The stand-in's counters, for tests that look for leaks.
//!
//! A task that was given [`Grant::Kdbg`](crate::Grant::Kdbg) calls that capability with label
//! [`LABEL`] and one word, [`COUNTS`]; the reply has label 0 and one word a [`Count`], in
//! that order. L4Re has nothing like it, so a program must be able to do without.

/// Message label of the protocol: in the range that L4Re leaves to debugging.
pub const LABEL: i64 = !0x7fff;

/// Operation: all counters.
pub const COUNTS: u64 = 0;

/// Index of a counter in the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// Used slots in the caller's capability table.
    Slots = 0,
    /// Kernel objects of all kinds in the system.
    Objects = 1,
    /// Bytes of all dataspaces.
    DataspaceBytes = 2,
    /// Mappings in all DMA spaces.
    DmaMappings = 3,
    /// IPC gates.
    Gates = 4,
    /// IRQ objects and semaphores.
    Irqs = 5,
    /// Threads of programs.
    Threads = 6,
    /// Regions attached in the caller's address space.
    Regions = 7,
    /// Pages mapped in the caller's address space.
    Pages = 8,
    /// Bytes charged to the caller's quota.
    Charged = 9,
}

/// Number of counters.
pub const COUNT: usize = 10;

/// [`LABEL`] in the type of a message label on 64-bit machines.
pub const LABEL_ISIZE: isize = LABEL as isize;
