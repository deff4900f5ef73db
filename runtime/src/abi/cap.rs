//! Capability selectors and the operation flags of the system call.

use super::Word;

/// Distance of two neighbouring capability slots in selector values, as a shift.
pub const SHIFT: u32 = 12;

/// Distance of two neighbouring capability slots in selector values.
pub const STEP: Word = 1 << SHIFT;

/// Selector of the task that a program runs in; every loader puts it there.
pub const OWN_TASK: Sel = Sel(STEP);

/// Bit of a selector that names an explicit reply capability.
pub const REPLY_BIT: Word = 1 << 10;

/// Bit of a selector that makes it invalid; the invoking thread itself where a thread is meant.
pub const INVALID_BIT: Word = 1 << 11;

/// A capability selector: the index of a slot in the task's capability table, shifted.
///
/// The low 12 bits of a selector can carry marks of libraries; they are kept out of here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sel(pub Word);

impl Sel {
    /// The selector that names no slot. As the destination of an invocation it means the calling
    /// thread; in a reply it means the implicit reply capability.
    pub const INVALID: Sel = Sel(!0 << 11);

    /// The selector of slot number `index`.
    pub const fn from_index(index: Word) -> Sel {
        Sel(index << SHIFT)
    }

    /// A selector as it stands in memory of L4Re: with the marks in its low bits removed, and
    /// invalid if it is marked so or zero.
    pub const fn from_raw(raw: Word) -> Sel {
        if raw & INVALID_BIT != 0 || raw >> SHIFT == 0 {
            Sel::INVALID
        } else {
            Sel(raw & !(STEP - 1))
        }
    }

    /// Number of the slot.
    pub const fn index(self) -> Word {
        self.0 >> SHIFT
    }

    /// Whether the selector names a slot (which may still be empty).
    pub const fn is_valid(self) -> bool {
        self.0 & INVALID_BIT == 0
    }
}

impl core::fmt::Debug for Sel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.is_valid() {
            write!(f, "cap:{:#x}", self.index())
        } else {
            f.write_str("cap:invalid")
        }
    }
}

/// What one system call does: the low four bits of the destination word.
pub mod op {
    use super::Word;

    /// Send to the destination.
    pub const SEND: Word = 1;
    /// Receive from the destination only.
    pub const RECV: Word = 2;
    /// Receive from anybody (with [`RECV`]).
    pub const OPEN_WAIT: Word = 4;
    /// The destination of the send is a reply capability.
    pub const REPLY: Word = 8;
    /// Send, then receive the answer.
    pub const CALL: Word = SEND | RECV;
    /// Receive from anybody.
    pub const WAIT: Word = RECV | OPEN_WAIT;
    /// Send to the destination, then receive from anybody.
    pub const SEND_AND_WAIT: Word = SEND | WAIT;
    /// Answer the last caller, then receive from anybody.
    pub const REPLY_AND_WAIT: Word = REPLY | SEND_AND_WAIT;
    /// Answer the last caller.
    pub const REPLY_ONLY: Word = REPLY | SEND;
    /// All operation bits.
    pub const MASK: Word = 0xf;
}

/// Rights of a capability, as in flexpages and in the label that a gate delivers (bits 0 and 1).
pub mod rights {
    use super::Word;

    /// Write.
    pub const W: Word = 1;
    /// Special: what it allows depends on the object.
    pub const S: Word = 2;
    /// Read: every capability has it.
    pub const R: Word = 4;
    /// Delete the object.
    pub const D: Word = 8;
    /// Read and write.
    pub const RW: Word = R | W;
    /// Read, write, special.
    pub const RWS: Word = R | W | S;
    /// Read, write, special, delete.
    pub const RWSD: Word = R | W | S | D;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_libraries_are_dropped() {
        assert_eq!(Sel::from_raw(0x21010), Sel(0x21000));
        assert!(!Sel::from_raw(!0 << 11).is_valid());
        assert!(!Sel::from_raw(0).is_valid());
        assert_eq!(Sel::from_index(5).0, 0x5000);
    }
}
