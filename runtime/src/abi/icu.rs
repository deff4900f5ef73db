//! Interrupt controllers (protocol [`IRQ`](super::proto::IRQ)): the kernel's, a vbus's, and the
//! ICU face of Vcons and l4virtio devices.

use super::Word;

/// Bind the IRQ in the item to pin `MR 1`. Label 0: unmask at the IRQ; 1: unmask at the ICU.
pub const BIND: Word = 0;
/// Unbind the IRQ in the item from pin `MR 1`.
pub const UNBIND: Word = 1;
/// Reply `MR 0` features, `MR 1` number of pins, `MR 2` number of MSIs.
pub const INFO: Word = 2;
/// MSI `MR 1` for the source (64 bit) in `MR 2`: reply u64 address, u32 data.
pub const MSI_INFO: Word = 3;
/// Unmask pin `MR 1`. No reply.
pub const UNMASK: Word = 4;
/// Mask pin `MR 1`. No reply.
pub const MASK: Word = 5;
/// Set the mode of pin `MR 1` to `MR 2`.
pub const SET_MODE: Word = 6;

/// Bit of a pin number: a message-signalled interrupt.
pub const PIN_MSI: Word = 0x8000_0000;
/// Feature bit of [`INFO`]: there may be MSIs.
pub const FEATURE_MSI: Word = 0x8000_0000;

/// How a pin signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// While the line is high.
    LevelHigh = 3,
    /// While the line is low.
    LevelLow = 7,
    /// When the line rises.
    EdgeRising = 1,
    /// When the line falls.
    EdgeFalling = 5,
    /// When the line changes.
    EdgeBoth = 9,
}

impl Mode {
    /// The mode in the low four bits of resource flags; `None` for values without meaning, and for
    /// 0, which leaves the pin as it is.
    pub const fn from_raw(raw: u32) -> Option<Mode> {
        Some(match raw & 0xf {
            3 => Mode::LevelHigh,
            7 => Mode::LevelLow,
            1 => Mode::EdgeRising,
            5 => Mode::EdgeFalling,
            9 => Mode::EdgeBoth,
            _ => return None,
        })
    }

    /// Whether the interrupt stays asserted until the device is served, so that it has to be
    /// unmasked after every service.
    pub const fn is_level(self) -> bool {
        matches!(self, Mode::LevelHigh | Mode::LevelLow)
    }
}
