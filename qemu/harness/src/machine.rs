//! Machine descriptions: a board of QEMU as data.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// A board: everything of QEMU's command line that does not depend on what is booted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// One line for people.
    pub description: String,
    /// The emulator's program name. The environment variable `QEMU` takes precedence.
    pub emulator: String,
    /// Debian's name of the package with the emulator, for the message when it is missing.
    pub package: String,
    /// QEMU's name of the board (`-machine`).
    pub board: String,
    /// QEMU's name of the processor (`-cpu`).
    pub cpu: String,
    /// RAM in MiB.
    pub memory_mib: u32,
    /// Number of processors.
    pub cpus: u32,
    /// Exception level at which the kernel is entered: 1 or 2.
    pub exception_level: u8,
    /// Version of the interrupt controller: 2 or 3.
    pub gic_version: u8,
    /// Number of virtio-mmio slots on the board.
    pub virtio_mmio_slots: u8,
    /// First slot of the PCI root bus that is free for devices.
    pub first_pci_slot: u8,
}

/// The descriptions that come with the crate, by name.
const BUILTIN: [(&str, &str); 3] = [
    ("virt", include_str!("../data/machines/virt.toml")),
    ("virt-el2", include_str!("../data/machines/virt-el2.toml")),
    ("virt-gicv3", include_str!("../data/machines/virt-gicv3.toml")),
];

/// Slots of a conventional PCI bus.
pub(crate) const PCI_SLOTS: u8 = 32;

impl Machine {
    /// The names that [`Machine::builtin`] knows, sorted.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// One of the descriptions under `qemu/machines/`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownMachine`], which lists the names there are.
    pub fn builtin(name: &str) -> Result<Self, Error> {
        match BUILTIN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::from_toml(text, name),
            None => Err(Error::UnknownMachine {
                name: name.into(),
                known: Self::names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// A description of one's own.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] or [`Error::BadMachine`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path)
            .map_err(|source| Error::Unreadable { path: path.into(), source })?;
        Self::from_toml(&text, &path.display().to_string())
    }

    /// Reads a description from its text; `origin` is what messages call it.
    ///
    /// # Errors
    ///
    /// [`Error::BadMachine`] for what is not TOML, unknown or missing keys, and numbers that no
    /// board has.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, Error> {
        let bad = |message: String| Error::BadMachine { origin: origin.into(), message };
        let machine: Self = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        machine.check().map_err(|message| bad(message.into()))?;
        Ok(machine)
    }

    /// Numbers that QEMU would refuse with a message about something else, or silently bend.
    fn check(&self) -> Result<(), &'static str> {
        if !matches!(self.exception_level, 1 | 2) {
            return Err("exception-level must be 1 or 2");
        }
        if !matches!(self.gic_version, 2 | 3) {
            return Err("gic-version must be 2 or 3");
        }
        if self.memory_mib == 0 || self.cpus == 0 {
            return Err("memory-mib and cpus must not be 0");
        }
        if self.first_pci_slot >= PCI_SLOTS {
            return Err("first-pci-slot must be below 32");
        }
        Ok(())
    }

    /// The arguments that describe the board. `legacy_mmio` chooses the register layout of every
    /// virtio-mmio slot, which QEMU sets for the whole machine.
    pub(crate) fn args(&self, legacy_mmio: bool) -> Vec<String> {
        let virtualization = if self.exception_level == 2 { "on" } else { "off" };
        vec![
            "-machine".into(),
            format!(
                "{},virtualization={virtualization},gic-version={}",
                self.board, self.gic_version
            ),
            "-cpu".into(),
            self.cpu.clone(),
            "-m".into(),
            format!("{}M", self.memory_mib),
            "-smp".into(),
            self.cpus.to_string(),
            "-global".into(),
            format!("virtio-mmio.force-legacy={legacy_mmio}"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_machine_parses() {
        for name in Machine::names() {
            Machine::builtin(name).unwrap();
        }
    }

    #[test]
    fn an_unknown_machine_is_named_with_the_known_ones() {
        let error = Machine::builtin("vert").unwrap_err().to_string();
        assert_eq!(error, "unknown machine `vert`; there are: virt, virt-el2, virt-gicv3");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_position() {
        let text = format!("{}\ngic = 3\n", BUILTIN[0].1);
        let error = Machine::from_toml(&text, "my.toml").unwrap_err().to_string();
        assert!(error.starts_with("machine description my.toml: TOML parse error at line 13"));
        assert!(error.contains("unknown field `gic`"), "{error}");
    }

    #[test]
    fn numbers_that_no_board_has_are_refused() {
        for (from, to) in [
            ("exception-level = 1", "exception-level = 3"),
            ("gic-version = 2", "gic-version = 4"),
            ("memory-mib = 512", "memory-mib = 0"),
            ("first-pci-slot = 1", "first-pci-slot = 32"),
        ] {
            let text = BUILTIN[0].1.replace(from, to);
            assert!(Machine::from_toml(&text, "x").is_err(), "{to}");
        }
    }

    #[test]
    fn the_exception_level_decides_about_virtualization() {
        let el1 = Machine::builtin("virt").unwrap().args(false);
        let el2 = Machine::builtin("virt-el2").unwrap().args(true);
        assert!(el1.contains(&"virt,virtualization=off,gic-version=2".to_owned()));
        assert!(el2.contains(&"virt,virtualization=on,gic-version=2".to_owned()));
        assert!(el1.contains(&"virtio-mmio.force-legacy=false".to_owned()));
        assert!(el2.contains(&"virtio-mmio.force-legacy=true".to_owned()));
    }
}
