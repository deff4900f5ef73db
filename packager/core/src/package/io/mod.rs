//! Configuration of the I/O server: the virtual bus of the example.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::lua::fill;
use super::{Example, GENERATED, Variant};
use crate::target::VirtioMmio;

/// The `compatible` string that io's own description of the boards lacks.
const VIRTIO_MMIO: &str = "virtio,mmio";

const PCI: &str = include_str!("pci.io");
const MMIO: &str = include_str!("mmio.io");
const TRANSPORTS: &str = include_str!("virtio_mmio.io");

/// The files by name.
pub(super) fn files(example: &Example<'_>) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let Some(bus) = example.bus else { return files };
    for variant in example.variants() {
        if let Some(name) = variant.io_file(example.name()) {
            files.insert(name, file(example, bus, variant));
        }
    }
    files
}

fn file(example: &Example<'_>, bus: &str, variant: Variant) -> String {
    let devices = &example.manifest.l4re.bus;
    let mut text = format!("-- vi:ft=lua\n-- {GENERATED}\n");
    if variant == Variant::Pci {
        let ids = quoted(devices.pci.iter().map(|id| format!("PCI/{id}")));
        return text + &fill(PCI, &[("NAME", example.name()), ("BUS", bus), ("IDS", &ids)]);
    }
    let ids = quoted(devices.compatible.iter().cloned());
    let _ = writeln!(text, "-- Every device of the board that {} can drive.\n", example.name());
    if devices.compatible.iter().any(|id| id == VIRTIO_MMIO) {
        let platforms = example.targets.iter().flat_map(|target| &target.platforms);
        for platform in platforms {
            if let Some(slots) = &platform.virtio_mmio {
                text.push_str(&virtio_mmio(&platform.name, slots));
            }
        }
    }
    text + &fill(MMIO, &[("BUS", bus), ("IDS", &ids)])
}

/// Hardware nodes for the transports, which the platform's own description does not have.
///
/// The nodes are made through `_ENV`: a computed name assigned through `_G` makes nothing.
fn virtio_mmio(platform: &str, slots: &VirtioMmio) -> String {
    let VirtioMmio { base, stride, slots, first_irq } = slots;
    fill(
        TRANSPORTS,
        &[
            ("PLATFORM", platform),
            ("LAST", &(slots - 1).to_string()),
            ("BASE", &format!("{base:#010x}")),
            ("STRIDE", &format!("{stride:#x}")),
            ("SIZE", &format!("{:#x}", stride - 1)),
            ("IRQ", &first_irq.to_string()),
        ],
    )
}

fn quoted(words: impl Iterator<Item = String>) -> String {
    words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}
