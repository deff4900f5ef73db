//! The virtio disks that a program was granted, brought up and ready to be served.

use alloc::string::String;
use alloc::vec::Vec;

use virtio_drivers::transport::DeviceType;

use super::{Backend, VirtioDisk};
use crate::env::{Env, StartError};
use crate::serve::l4::DeviceResources;
use crate::virtio::block::{BlockDevice, BlockError, Options};
use crate::virtio::discover::{self, DeviceTransport, DiscoveredDevice};
use crate::virtio::spec::block::{ID_SIZE, SECTOR_SIZE};

/// A disk that works.
#[derive(Debug)]
pub struct FoundDisk {
    /// Its driver.
    pub disk: VirtioDisk<DeviceTransport>,
    /// What serving it takes. Its names are the identification string, if it has one, and
    /// `virtio<n>`, where `n` counts the disks from 0 in the order of their registers' addresses.
    pub resources: DeviceResources,
}

/// Brings up all virtio disks that the program was granted, see [`discover`]. What is no disk, or
/// does not work, is left alone with a message.
///
/// # Errors
///
/// If nothing was granted, or there is no disk that works.
pub fn disks(env: &Env) -> Result<Vec<FoundDisk>, StartError> {
    let discovery = discover::devices(env, DeviceType::Block)?;
    let mut found = Vec::new();
    for device in discovery.devices {
        let name = device.name.clone();
        match bring_up(device, found.len()) {
            Ok(disk) => found.push(disk),
            Err(e) => log::warn!("device {name}: {e}"),
        }
    }
    if found.is_empty() {
        return Err(StartError::Other(alloc::format!(
            "no virtio disk that works among {} devices: match one in the configuration of the bus \
             `{}`, by PCI/VEN_1AF4 or virtio,mmio",
            discovery.granted,
            discover::VBUS,
        )));
    }
    Ok(found)
}

fn bring_up(device: DiscoveredDevice, count: usize) -> Result<FoundDisk, BlockError> {
    let DiscoveredDevice { name, kind, transport, stop, dma, interrupts, config_interrupt } =
        device;
    let driver = BlockDevice::new(transport, &dma, Options::default())?;
    let disk = VirtioDisk::new(driver, config_interrupt).with_stop(stop);
    let mut names = Vec::new();
    names.extend(text(&disk.info().id));
    names.push(alloc::format!("virtio{count}"));
    let (info, depth) = (disk.info(), disk.depth());
    log::info!(
        "disk \"{}\": device {name}, {kind}, {} sectors of {SECTOR_SIZE} bytes{}, {depth} requests \
         at a time",
        names.join("\" or \""),
        info.capacity,
        if info.read_only { ", read-only" } else { "" },
    );
    Ok(FoundDisk { disk, resources: DeviceResources { names, dma, interrupts } })
}

/// The identification string of a disk as a name, if it is one: printable and not empty.
fn text(id: &[u8; ID_SIZE]) -> Option<String> {
    let end = id.iter().position(|b| *b == 0).unwrap_or(ID_SIZE);
    let name = core::str::from_utf8(id.get(..end)?).ok()?.trim();
    let printable = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    printable.then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_can_be_typed() {
        let id = |s: &[u8]| {
            let mut id = [0; ID_SIZE];
            id[..s.len()].copy_from_slice(s);
            text(&id)
        };
        assert_eq!(id(b"SERIAL-1").as_deref(), Some("SERIAL-1"));
        assert_eq!(id(b"twenty-characters-ok").as_deref(), Some("twenty-characters-ok"));
        assert_eq!(id(b"  padded  ").as_deref(), Some("padded"));
        assert_eq!(id(b""), None);
        assert_eq!(id(b"bell\x07"), None);
        assert_eq!(id(b"\xff\xfe"), None);
    }
}
