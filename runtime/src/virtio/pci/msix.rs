//! Message-signalled interrupts (PCI 3.0, 6.8.2).

use super::caps::{Bars, Place, read, walk};
use super::{PciError, Structure};
use crate::bus::{PciFunction, Width};

/// The vector that means none (virtio 1.2, 4.1.4.3).
pub const NO_VECTOR: u16 = 0xffff;

const ID_MSIX: u8 = 0x11;
/// Message control: number of vectors minus one, function mask, enable.
const CONTROL: u16 = 2;
const CONTROL_SIZE: u32 = 0x7ff;
const CONTROL_MASK: u32 = 1 << 14;
const CONTROL_ENABLE: u32 = 1 << 15;
/// Offset of the table; the low three bits are the index of its BAR.
const TABLE: u16 = 4;
/// Size of a table entry: address, data, vector control.
const ENTRY_SIZE: usize = 16;
const ENTRY_MASKED: u32 = 1;

/// What the function writes, and where, to raise an interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsiMessage {
    /// Bus address.
    pub address: u64,
    /// Value.
    pub data: u32,
}

/// How many message-signalled interrupts a function has; 0 if it can only use its line.
///
/// # Errors
///
/// The configuration space cannot be read or makes no sense.
pub fn vectors<F: PciFunction>(function: &mut F) -> Result<u16, PciError> {
    match find(function)? {
        Some(at) => Ok((read(function, at + CONTROL, Width::Word)? & CONTROL_SIZE) as u16 + 1),
        None => Ok(0),
    }
}

fn find<F: PciFunction>(function: &mut F) -> Result<Option<u16>, PciError> {
    walk(function, |_, id, at| Ok((id == ID_MSIX).then_some(at)))
}

/// Writes the messages into the function's table and turns message-signalled interrupts on. All
/// vectors without a message stay masked.
pub(super) fn enable<F: PciFunction>(
    function: &mut F,
    messages: &[MsiMessage],
) -> Result<(), PciError> {
    let available = vectors(function)?;
    let at = find(function)?.ok_or(PciError::Missing(Structure::MsixTable))?;
    if messages.len() > usize::from(available) {
        return Err(PciError::Vectors { wanted: messages.len(), available });
    }
    let control = read(function, at + CONTROL, Width::Word)? & !(CONTROL_MASK | CONTROL_ENABLE);
    let set = |f: &mut F, bits| {
        f.cfg_write(at + CONTROL, Width::Word, control & 0xffff | bits).map_err(PciError::Bus)
    };
    // The table may be written only while the function is masked or the interrupts are off.
    set(function, CONTROL_ENABLE | CONTROL_MASK)?;
    let table = read(function, at + TABLE, Width::Dword)?;
    let length = u32::from(available) * ENTRY_SIZE as u32;
    let place = Place { bar: (table & 7) as u8, offset: table & !7, length };
    let mut bars = Bars { function, mapped: [None; 6] };
    let regs = bars.structure(Structure::MsixTable, Some(place), length, 8)?;
    for vector in 0..usize::from(available) {
        let entry = vector * ENTRY_SIZE;
        regs.write_u32(entry + 12, ENTRY_MASKED);
        if let Some(message) = messages.get(vector) {
            regs.write_u32(entry, message.address as u32);
            regs.write_u32(entry + 4, (message.address >> 32) as u32);
            regs.write_u32(entry + 8, message.data);
            regs.write_u32(entry + 12, 0);
        }
    }
    set(function, CONTROL_ENABLE)
}
