//! Disks and where they sit.

use std::path::{Path, PathBuf};

use serde_json::json;

/// Where a virtio device sits and how it is reached. The place is always named, so that a guest's
/// configuration can name it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A modern virtio-pci device in this slot of the root bus.
    Pci {
        /// Device number, 0 to 31; the first ones may be taken by the board.
        slot: u8,
    },
    /// A virtio-mmio transport with register layout 2 (virtio 1.2 section 4.2.2).
    Mmio {
        /// Slot number, counted from the lowest address.
        slot: u8,
    },
    /// A virtio-mmio transport with register layout 1 (virtio 1.2 section 4.2.4).
    MmioLegacy {
        /// Slot number, counted from the lowest address.
        slot: u8,
    },
}

/// Where a disk's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backing {
    /// A raw image.
    File(PathBuf),
    /// No storage at all: reads give zeros, writes vanish. For measuring everything but the host's
    /// file system.
    Null {
        /// Size in bytes.
        bytes: u64,
    },
}

/// A virtio disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Where its bytes are.
    pub backing: Backing,
    /// Where it sits.
    pub place: Place,
    /// Identification string (virtio 1.2 section 5.2.6: VIRTIO_BLK_T_GET_ID, at most 20 bytes).
    pub serial: Option<String>,
    /// Number of request queues; QEMU's default if not given.
    pub queues: Option<u16>,
    /// Whether the device refuses writes.
    pub read_only: bool,
    /// Further properties of QEMU's device, such as `("event_idx", "off")`.
    pub properties: Vec<(String, String)>,
}

impl Disk {
    /// A disk over a raw image.
    pub fn file(path: impl Into<PathBuf>, place: Place) -> Self {
        Self::new(Backing::File(path.into()), place)
    }

    /// A disk without storage behind it.
    pub fn null(bytes: u64, place: Place) -> Self {
        Self::new(Backing::Null { bytes }, place)
    }

    fn new(backing: Backing, place: Place) -> Self {
        Self {
            backing,
            place,
            serial: None,
            queues: None,
            read_only: false,
            properties: Vec::new(),
        }
    }

    /// Sets the identification string.
    #[must_use]
    pub fn serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = Some(serial.into());
        self
    }

    /// Sets the number of request queues.
    #[must_use]
    pub fn queues(mut self, queues: u16) -> Self {
        self.queues = Some(queues);
        self
    }

    /// Makes the device refuse writes.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Sets a further property of QEMU's device.
    #[must_use]
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((key.into(), value.into()));
        self
    }

    /// The image, if there is one.
    pub(crate) fn image(&self) -> Option<&Path> {
        match &self.backing {
            Backing::File(path) => Some(path),
            Backing::Null { .. } => None,
        }
    }

    /// The arguments for this disk; `index` makes its names unique.
    pub(crate) fn args(&self, index: usize) -> Vec<String> {
        vec![
            "-blockdev".into(),
            self.blockdev(index).to_string(),
            "-device".into(),
            self.device(index),
        ]
    }

    /// JSON, in which a comma in a file name needs no care.
    fn blockdev(&self, index: usize) -> serde_json::Value {
        let node = format!("disk{index}");
        match &self.backing {
            Backing::File(path) => json!({
                "driver": "raw", "node-name": node, "read-only": self.read_only,
                "discard": "unmap",
                "file": { "driver": "file", "filename": path },
            }),
            Backing::Null { bytes } => json!({
                "driver": "null-co", "node-name": node, "read-only": self.read_only,
                "size": bytes, "read-zeroes": true,
            }),
        }
    }

    /// Not JSON: there QEMU wants each property in its own type, here every value is a word.
    fn device(&self, index: usize) -> String {
        let mut device = match self.place {
            Place::Pci { slot } => {
                format!("virtio-blk-pci,bus=pcie.0,addr={slot:#x},disable-legacy=on")
            }
            Place::Mmio { slot } | Place::MmioLegacy { slot } => {
                format!("virtio-blk-device,bus=virtio-mmio-bus.{slot}")
            }
        };
        let mut add = |key: &str, value: &str| {
            device.push_str(&format!(",{key}={}", value.replace(',', ",,")));
        };
        add("drive", &format!("disk{index}"));
        if let Some(serial) = &self.serial {
            add("serial", serial);
        }
        if let Some(queues) = self.queues {
            add("num-queues", &queues.to_string());
        }
        for (key, value) in &self.properties {
            add(key, value);
        }
        device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pci_disk_is_modern_only_and_pinned() {
        let args = Disk::file("a,b.img", Place::Pci { slot: 18 }).serial("S,1").queues(4).args(1);
        assert_eq!(args[0], "-blockdev");
        let blockdev: serde_json::Value = serde_json::from_str(&args[1]).unwrap();
        assert_eq!(blockdev["file"]["filename"], "a,b.img");
        assert_eq!(blockdev["node-name"], "disk1");
        assert_eq!(
            args[3],
            "virtio-blk-pci,bus=pcie.0,addr=0x12,disable-legacy=on,drive=disk1,serial=S,,1,\
             num-queues=4"
        );
    }

    #[test]
    fn an_mmio_disk_names_its_slot() {
        let args = Disk::null(1 << 20, Place::Mmio { slot: 31 })
            .read_only()
            .property("event_idx", "off")
            .args(0);
        let blockdev: serde_json::Value = serde_json::from_str(&args[1]).unwrap();
        assert_eq!(blockdev["size"], 1 << 20);
        assert_eq!(blockdev["read-only"], true);
        assert_eq!(args[3], "virtio-blk-device,bus=virtio-mmio-bus.31,drive=disk0,event_idx=off");
    }
}
