//! Devices without a bus: each part is a capability of its own.
//!
//! | name | what |
//! |---|---|
//! | `iomem` | a dataspace of exactly the device's registers |
//! | `irq` | an IRQ object that the granting side has bound to the interrupt; unmasked by itself |
//! | `icu`, with the pin as a number | instead of `irq`: a controller of which the driver binds the pin |
//!
//! The names are those that drivers use by convention; nothing here depends on them. A device
//! that moves data by itself needs a DMA space that is bound to it, granted as a capability, too.

use super::Device;
use crate::cap::{CapRef, Irq};
use crate::env::{Env, StartError};
use crate::mem::{AttachOptions, Dataspace, Region};
use crate::{Error, Result};

/// The device that the capabilities `iomem` and, if it is there, `irq` make up.
///
/// # Errors
///
/// [`StartError::MissingCap`] without `iomem`.
pub fn device(env: &Env) -> core::result::Result<Device, StartError> {
    device_named(env, "iomem", "irq")
}

/// As [`device`], with other names: for drivers that are granted several devices.
///
/// # Errors
///
/// [`StartError::MissingCap`] if there is no capability called `iomem`.
pub fn device_named(env: &Env, iomem: &str, irq: &str) -> core::result::Result<Device, StartError> {
    let registers = env.cap::<Dataspace>(iomem)?;
    Ok(Device::granted(iomem, registers, env.find(irq).map(CapRef::<Irq>::to)))
}

/// Attaches a dataspace of registers completely.
pub(super) fn attach(registers: &CapRef<Dataspace>) -> Result<Region> {
    let size = usize::try_from(registers.info()?.size).map_err(|_| Error::RANGE)?;
    Region::attach(registers.clone(), &AttachOptions::registers(0, size))
}
