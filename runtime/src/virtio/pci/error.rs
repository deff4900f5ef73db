//! What can be wrong with a PCI function, by name.

use core::fmt;

/// Why a function cannot be driven as a virtio device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PciError {
    /// The bus does not let us.
    Bus(crate::Error),
    /// Vendor and device id are not those of a virtio device that is known.
    NotVirtio {
        /// Vendor id.
        vendor: u16,
        /// Device id.
        device: u16,
    },
    /// The list of capabilities has a loop or leaves the configuration space.
    CapabilityList,
    /// There is no usable capability for this structure; a legacy device if there is none at all.
    Missing(Structure),
    /// A BAR that a structure is in cannot be mapped.
    Bar {
        /// Index of the BAR.
        bar: u8,
        /// Why not.
        error: crate::Error,
    },
    /// A structure is not completely in its BAR, too small, or not aligned (4.1.4).
    Range {
        /// Which one.
        structure: Structure,
        /// Index of the BAR.
        bar: u8,
        /// Byte offset in the BAR.
        offset: u32,
        /// Size in bytes.
        length: u32,
    },
    /// A distance of doorbells that is neither 0 nor an even power of two (4.1.4.4.1).
    NotifyMultiplier(u32),
    /// More message-signalled interrupts are asked for than the function has.
    Vectors {
        /// Asked for.
        wanted: usize,
        /// There are.
        available: u16,
    },
}

/// A structure of registers that a capability points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// Common configuration (4.1.4.3).
    Common,
    /// Doorbells (4.1.4.4).
    Notify,
    /// Interrupt status (4.1.4.5).
    Isr,
    /// Configuration of the device class (4.1.4.6).
    Device,
    /// MSI-X table.
    MsixTable,
}

impl fmt::Display for PciError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            PciError::Bus(e) => write!(f, "PCI configuration space: {e}"),
            PciError::NotVirtio { vendor, device } => {
                write!(f, "{vendor:04x}:{device:04x} is not a known virtio device")
            }
            PciError::CapabilityList => f.write_str("PCI capability list makes no sense"),
            PciError::Missing(s) => write!(f, "no capability for the {s:?} structure"),
            PciError::Bar { bar, error } => write!(f, "BAR {bar} cannot be mapped: {error}"),
            PciError::Range { structure, bar, offset, length } => {
                write!(f, "{structure:?} structure of {length} bytes at {offset:#x} of BAR {bar}")?;
                f.write_str(" is outside, too small or not aligned")
            }
            PciError::NotifyMultiplier(n) => {
                write!(f, "doorbell distance {n} is no even power of two")
            }
            PciError::Vectors { wanted, available } => {
                write!(f, "{wanted} interrupt vectors wanted, the function has {available}")
            }
        }
    }
}

impl core::error::Error for PciError {}
