//! Configuration of the I/O server: the virtual bus of the example.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Example, GENERATED, Variant};
use crate::target::VirtioMmio;

/// The `compatible` string that io's own description of the boards lacks.
const VIRTIO_MMIO: &str = "virtio,mmio";

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
        let _ = write!(
            text,
            "-- Every PCI device that {name} can drive.\n\n\
             Io.add_vbusses\n{{\n  [\"{bus}\"] = Io.Vi.System_bus(function()\n    \
             PCI0 = Io.Vi.PCI_bus(function()\n      \
             dev = wrap(Io.system_bus():match({ids}))\n    end)\n  end),\n}}\n",
            name = example.name()
        );
        return text;
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
    let _ = write!(
        text,
        "Io.add_vbusses\n{{\n  [\"{bus}\"] = Io.Vi.System_bus(function()\n    \
         dev = wrap(Io.system_bus():match({ids}))\n  end),\n}}\n"
    );
    text
}

/// Hardware nodes for the transports, which the platform's own description does not have.
///
/// The nodes are made through `_ENV`: a computed name assigned through `_G` makes nothing.
fn virtio_mmio(platform: &str, slots: &VirtioMmio) -> String {
    let VirtioMmio { base, stride, slots, first_irq } = slots;
    format!(
        "-- The virtio-mmio transports of {platform}, with or without a device behind them. Several \
         share a\n-- page: who may use one of them can reach its neighbours.\n\
         Io.hw_add_devices(function()\n  for i = 0, {last} do\n    \
         local base = {base:#010x} + i * {stride:#x}\n    \
         _ENV[\"vmmio\" .. i] = Io.Hw.Device(function()\n      \
         Property.hid = \"virtio\" .. i\n      \
         Property.flags = Io.Hw_device_DF_dma_supported\n      \
         compatible = {{ \"{VIRTIO_MMIO}\" }}\n      \
         Resource.reg0 = Io.Res.mmio(base, base + {size:#x})\n      \
         Resource.irq0 = Io.Res.irq({first_irq} + i, Io.Resource.Irq_type_raising_edge)\n    \
         end)\n  end\nend)\n\n",
        last = slots - 1,
        size = stride - 1,
    )
}

fn quoted(words: impl Iterator<Item = String>) -> String {
    words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}
