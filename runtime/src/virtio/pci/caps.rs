//! The walk through a function's capabilities (virtio 1.2, 4.1.4). Every value in them comes from
//! the device.

use super::{PciError, Structure, common};
use crate::bus::{PciFunction, Width};
use crate::mem::SharedMem;
use crate::virtio::regs::Registers;

const STATUS: u16 = 0x06;
const STATUS_CAPABILITIES: u32 = 1 << 4;
const CAPABILITIES_POINTER: u16 = 0x34;
/// End of the configuration space that capabilities can be in.
const CONFIG_END: u16 = 0x100;
/// Start of the part of it that capabilities can be in.
const CONFIG_DEVICE: u16 = 0x40;
/// As many capabilities fit.
const MAX_CAPABILITIES: usize = ((CONFIG_END - CONFIG_DEVICE) / 4) as usize;
/// Capability id: specific to the vendor.
const ID_VENDOR: u8 = 0x09;
/// Size of `struct virtio_pci_cap`, and of the variant for doorbells.
const CAP_SIZE: u32 = 16;
const CAP_NOTIFY_SIZE: u32 = 20;
const LAST_BAR: u8 = 5;

/// Where a structure lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bar: u8,
    pub(super) offset: u32,
    pub(super) length: u32,
}

/// The mapped and checked register structures of a device.
#[derive(Debug)]
pub(super) struct Structures {
    pub(super) common: Registers,
    pub(super) notify: Registers,
    pub(super) notify_multiplier: u32,
    pub(super) isr: Registers,
    pub(super) device: Option<Registers>,
}

/// Calls `visit` with id and offset of each capability, until it returns something.
pub(super) fn walk<F: PciFunction, V>(
    function: &mut F,
    mut visit: impl FnMut(&mut F, u8, u16) -> Result<Option<V>, PciError>,
) -> Result<Option<V>, PciError> {
    if read(function, STATUS, Width::Word)? & STATUS_CAPABILITIES == 0 {
        return Ok(None);
    }
    let mut at = (read(function, CAPABILITIES_POINTER, Width::Byte)? & 0xfc) as u16;
    for _ in 0..MAX_CAPABILITIES {
        if at == 0 {
            return Ok(None);
        }
        if at < CONFIG_DEVICE {
            return Err(PciError::CapabilityList);
        }
        let header = read(function, at, Width::Word)?;
        if let Some(value) = visit(function, header as u8, at)? {
            return Ok(Some(value));
        }
        at = (header >> 8 & 0xfc) as u16;
    }
    Err(PciError::CapabilityList)
}

/// Reads the configuration space; fails at its end, where a capability may reach.
pub(super) fn read<F: PciFunction>(
    function: &mut F,
    offset: u16,
    width: Width,
) -> Result<u32, PciError> {
    if offset >= CONFIG_END {
        return Err(PciError::CapabilityList);
    }
    function.cfg_read(offset, width).map_err(PciError::Bus)
}

impl Structures {
    pub(super) fn find<F: PciFunction>(function: &mut F) -> Result<Structures, PciError> {
        let mut places = [None; 4];
        let mut notify_multiplier = 0;
        walk(function, |f, id, at| {
            if id == ID_VENDOR {
                take_capability(f, at, &mut places, &mut notify_multiplier)?;
            }
            Ok(None::<()>)
        })?;
        if notify_multiplier != 0
            && (notify_multiplier == 1 || !notify_multiplier.is_power_of_two())
        {
            return Err(PciError::NotifyMultiplier(notify_multiplier));
        }
        let mut map = Bars { function, mapped: [None; LAST_BAR as usize + 1] };
        let [common, notify, isr, device] = places;
        Ok(Structures {
            common: map.structure(Structure::Common, common, common::SIZE, 4)?,
            notify: map.structure(Structure::Notify, notify, 2, 2)?,
            notify_multiplier,
            isr: map.structure(Structure::Isr, isr, 1, 1)?,
            device: match device {
                Some(_) => Some(map.structure(Structure::Device, device, 4, 4)?),
                None => None,
            },
        })
    }
}

/// Notes the first usable capability of each type (4.1.4, driver requirements).
fn take_capability<F: PciFunction>(
    function: &mut F,
    at: u16,
    places: &mut [Option<Place>; 4],
    notify_multiplier: &mut u32,
) -> Result<(), PciError> {
    let length = read(function, at + 2, Width::Byte)?;
    let kind = read(function, at + 3, Width::Byte)?;
    let notify = kind == 2;
    let needed = if notify { CAP_NOTIFY_SIZE } else { CAP_SIZE };
    let inside = u32::from(at) + needed <= u32::from(CONFIG_END);
    let index = kind.wrapping_sub(1) as usize;
    let Some(place @ None) = places.get_mut(index) else { return Ok(()) };
    if length < needed || !inside {
        return Ok(());
    }
    let bar = read(function, at + 4, Width::Byte)? as u8;
    if bar > LAST_BAR {
        return Ok(());
    }
    let offset = read(function, at + 8, Width::Dword)?;
    *place = Some(Place { bar, offset, length: read(function, at + 12, Width::Dword)? });
    if notify {
        *notify_multiplier = read(function, at + 16, Width::Dword)?;
    }
    Ok(())
}

/// Maps each BAR once.
pub(super) struct Bars<'a, F: PciFunction> {
    pub(super) function: &'a mut F,
    pub(super) mapped: [Option<SharedMem<'static>>; LAST_BAR as usize + 1],
}

impl<F: PciFunction> Bars<'_, F> {
    /// The registers at `place`, which must have `size` bytes and an alignment.
    pub(super) fn structure(
        &mut self,
        structure: Structure,
        place: Option<Place>,
        size: u32,
        align: u32,
    ) -> Result<Registers, PciError> {
        let Place { bar, offset, length } = place.ok_or(PciError::Missing(structure))?;
        let wrong = PciError::Range { structure, bar, offset, length };
        let window = self.bar(bar)?;
        let part = window.slice(offset as usize, length as usize).ok_or(wrong)?;
        let base = part.base().as_ptr() as usize;
        if length < size || !base.is_multiple_of(align as usize) {
            return Err(wrong);
        }
        Ok(Registers::new(part))
    }

    fn bar(&mut self, bar: u8) -> Result<SharedMem<'static>, PciError> {
        let Some(place) = self.mapped.get_mut(usize::from(bar)) else {
            return Err(PciError::Bar { bar, error: crate::Error::RANGE });
        };
        if let Some(window) = place {
            return Ok(*window);
        }
        let window = self.function.map_bar(bar).map_err(|error| PciError::Bar { bar, error })?;
        // SAFETY: it stays until the function is dropped, and who has the structures keeps the function
        // beside them.
        let window = unsafe { window.unbounded() };
        *place = Some(window);
        Ok(window)
    }
}
