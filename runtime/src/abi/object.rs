//! Operations of kernel objects: the opcode in `MR 0`.

use super::Word;

/// Gates, and binding of gates and IRQs to a thread (protocol [`super::proto::KOBJECT`]).
pub mod gate {
    use super::Word;

    /// Drop references: `MR 1` the count. Reply `MR 0`: how many remain.
    pub const DEC_REFCNT: Word = 0;
    /// Bind to the thread in the item: `MR 1` the label, a multiple of 4.
    pub const BIND_THREAD: Word = 0x10;
    /// Reply `MR 0`: the label.
    pub const GET_INFO: Word = 0x11;
    /// Bits of a label that must be zero: the kernel delivers rights there.
    pub const LABEL_MASK: Word = 3;
}

/// Tasks (protocol [`super::proto::TASK`]).
pub mod task {
    use super::Word;

    /// Map from the task in the item: `MR 1` control word, `MR 2` flexpage.
    pub const MAP: Word = 0;
    /// Unmap: `MR 1` mask, `MR 2`.. flexpages.
    pub const UNMAP: Word = 1;
    /// Whether a capability is valid (2 words) or two are the same (3 words): label 1 or 0.
    pub const CAP_INFO: Word = 2;
    /// Add kernel-user memory: `MR 1`.. flexpages.
    pub const ADD_KU_MEM: Word = 3;

    /// Unmap mask: from the own task and from everybody who has it from here.
    pub const UNMAP_ALL: Word = 0x8000_0000;
    /// Unmap mask: only from those who have it from here.
    pub const UNMAP_OTHERS: Word = 0;
    /// Unmap mask: delete the object if the right is there.
    pub const UNMAP_DELETE: Word = 0xc000_0000;
}

/// Threads (protocol [`super::proto::THREAD`]; only the low 16 bits of `MR 0` are the opcode).
pub mod thread {
    use super::Word;

    /// Pager, exception handler, binding: six words, see the flags.
    pub const CONTROL: Word = 0;
    /// Set program counter (`MR 1`) and stack pointer (`MR 2`).
    pub const EX_REGS: Word = 1;
    /// Give up the time slice.
    pub const SWITCH: Word = 2;
    /// Reply `MR 0`..: consumed time in microseconds (64 bit).
    pub const STATS: Word = 3;
    /// Trigger the IRQ in the item when a gate bound to the thread vanishes.
    pub const REGISTER_DEL_IRQ: Word = 5;
    /// Rewrite labels of pending senders.
    pub const MODIFY_SENDERS: Word = 6;
    /// vCPU state.
    pub const VCPU_CONTROL: Word = 7;

    /// Control flag: `MR 1` is the pager.
    pub const SET_PAGER: Word = 0x0001_0000;
    /// Control flag: bind to the task in the item, UTCB at `MR 5`.
    pub const BIND: Word = 0x0020_0000;
    /// Control flag: `MR 4` has the alien flag.
    pub const SET_ALIEN: Word = 0x0040_0000;
    /// Control flag: `MR 2` is the exception handler.
    pub const SET_EXC_HANDLER: Word = 0x0100_0000;

    /// `ex_regs` flag: cancel the IPC that is under way.
    pub const EX_REGS_CANCEL: Word = 0x1_0000;
    /// `ex_regs` flag: raise an exception in the thread.
    pub const EX_REGS_TRIGGER: Word = 0x2_0000;
    /// `ex_regs`: keep this register as it is.
    pub const KEEP: Word = !0;
}

/// IRQ objects.
pub mod irq {
    use super::Word;

    /// Detach (protocol [`IRQ_SENDER`](crate::abi::proto::IRQ_SENDER)).
    pub const DETACH: Word = 1;
    /// Unmask (protocol [`IRQ`](crate::abi::proto::IRQ), one word).
    pub const EOI: Word = 4;
}

/// Logs and consoles (protocol [`super::proto::LOG`]).
pub mod vcon {
    use super::{super::WORD_SIZE, Word};

    /// Write: `MR 1` length in bytes, data from `MR 2`. No reply.
    pub const WRITE: Word = 0;
    /// Read.
    pub const READ: Word = 1;
    /// Set attributes.
    pub const SET_ATTR: Word = 2;
    /// Get attributes.
    pub const GET_ATTR: Word = 3;
    /// Most bytes of one write.
    pub const WRITE_MAX: usize = 61 * WORD_SIZE;
}

/// Schedulers (protocol [`super::proto::SCHEDULER`]).
pub mod scheduler {
    use super::Word;

    /// Reply `MR 0` CPU map, `MR 1` number of CPUs, `MR 2` scheduling classes.
    pub const INFO: Word = 0;
    /// Run the thread in the item: `MR 1`, `MR 2` CPU set, `MR 3` priority, `MR 4` quantum in
    /// microseconds.
    pub const RUN_THREAD: Word = 1;
    /// Reply `MR 0`: idle time in microseconds.
    pub const IDLE_TIME: Word = 2;
}

/// Semaphores (protocol [`super::proto::SEMAPHORE`]); "up" is a trigger as of an IRQ.
pub mod semaphore {
    use super::Word;

    /// Wait until the counter is positive, and decrement it.
    pub const DOWN: Word = 0;
}

/// Questions about interfaces (protocol [`super::proto::META`]); the opcode is a 32-bit value.
pub mod meta {
    /// Label of the reply: number of interfaces.
    pub const NUM_INTERFACES: u32 = 0;
    /// Interface with an index: protocol number and name.
    pub const INTERFACE: u32 = 1;
    /// Whether a protocol is supported: label 1 or 0.
    pub const SUPPORTS: u32 = 2;
}

/// The kernel debugger (protocol [`super::proto::DEBUGGER`]).
pub mod debugger {
    use super::Word;

    /// Name the object in the item; `MR 1`.. the bytes, at most 16.
    pub const SET_NAME: Word = 0x100;
}

/// The parent (protocol [`super::proto::PARENT`]); the opcode is a 32-bit value.
pub mod parent {
    /// Signal at byte 8, value at byte 16. Signal 0: the program ends with the value.
    pub const SIGNAL: u32 = 0;
    /// The signal that ends the program.
    pub const SIGNAL_EXIT: usize = 0;
}

/// Name spaces (protocol [`super::proto::NAMESPACE`]); opcodes are 32-bit values.
pub mod namespace {
    /// Query a name: array of characters at byte 8 (word length, characters).
    pub const QUERY: u32 = 0;
    /// Register an object.
    pub const REGISTER: u32 = 1;
    /// Remove a name.
    pub const UNLINK: u32 = 3;
    /// Bit of a query's label: resolved only partly, the rest of the name is in the reply.
    pub const PARTIAL: u64 = 0x20;
}

/// Page faults (protocol [`super::proto::PAGE_FAULT`]), which the kernel sends in the name of the
/// thread: the address, with what kind of access it was in its low bits, and the program counter.
/// The answer restarts the instruction; a negative label makes an exception of the fault.
pub mod fault {
    use super::Word;

    /// The bits of the address that say what kind of access it was.
    pub const KIND: Word = 7;
    /// Nothing is mapped there (arm; on x86 the reverse: a page is there).
    pub const MISSING: Word = 1;
    /// A write.
    pub const WRITE: Word = 2;
    /// An instruction.
    pub const FETCH: Word = 4;
}
