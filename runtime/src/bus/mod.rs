//! Where devices come from: a vbus, or capabilities granted one by one.
//!
//! A [`Device`] yields mapped registers, interrupts and a DMA address space, and does not care
//! which of the two it is. Nothing here knows what a device is for.

mod controller;
mod device;
pub mod granted;
mod interrupt;
mod pci;
pub mod vbus;

pub use controller::Controller;
pub use device::Device;
pub use interrupt::{Interrupt, Interrupts, Message};
pub use pci::{PciDevice, PciFunction, Width};
pub use vbus::Vbus;

use alloc::sync::Arc;
use alloc::vec::Vec;

use log::Level;

use crate::Result;
use crate::abi::vbus::{HID_ICU, interface};
use crate::cap::CapRef;
use crate::log::{Source, limited};

/// All devices on a vbus but its bridges and its interrupt controller. A device that the bus says
/// nonsense about is left out with a message.
///
/// # Errors
///
/// What the bus answers, for example
/// [`Error::NO_DESTINATION`](crate::Error::NO_DESTINATION) if its server has ended.
pub fn devices(bus: &CapRef<Vbus>) -> Result<Vec<Device>> {
    let icu = match bus.icu() {
        Ok(icu) => Some(Arc::new(Controller::new(icu))),
        Err(e) => {
            log::warn!("the bus has no interrupt controller `{HID_ICU}`: {e}");
            None
        }
    };
    let mut found = Vec::new();
    for device in bus.devices() {
        let (handle, info) = device?;
        if info.has(interface::ICU) || info.has(interface::PCI) {
            continue;
        }
        match Device::on_vbus(bus, icu.clone(), handle, info) {
            Ok(device) => found.push(device),
            Err(e) => limited(
                Source::Device,
                Level::Warn,
                format_args!("device {} of the bus is left out: {e}", handle.0),
            ),
        }
    }
    Ok(found)
}
