//! One virtual machine: a board, what is booted on it, and its disks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::machine::PCI_SLOTS;
use crate::{Disk, Error, Machine, Place};

/// What is to be booted.
#[derive(Debug, Clone)]
pub struct Vm {
    machine: Machine,
    emulator: Option<PathBuf>,
    kernel: PathBuf,
    initrd: Option<PathBuf>,
    append: Option<String>,
    disks: Vec<Disk>,
    extra: Vec<OsString>,
}

impl Vm {
    /// A machine that boots `kernel` (an ELF file or an arm64 Linux image).
    pub fn new(machine: Machine, kernel: impl Into<PathBuf>) -> Self {
        Self {
            machine,
            emulator: None,
            kernel: kernel.into(),
            initrd: None,
            append: None,
            disks: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// The emulator to use, before `QEMU` from the environment and the machine's own.
    #[must_use]
    pub fn emulator(mut self, program: impl Into<PathBuf>) -> Self {
        self.emulator = Some(program.into());
        self
    }

    /// The file that QEMU puts into memory for the kernel and announces in the device tree.
    #[must_use]
    pub fn initrd(mut self, path: impl Into<PathBuf>) -> Self {
        self.initrd = Some(path.into());
        self
    }

    /// The kernel's command line.
    #[must_use]
    pub fn append(mut self, text: impl Into<String>) -> Self {
        self.append = Some(text.into());
        self
    }

    /// Adds a disk.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disks.push(disk);
        self
    }

    /// Adds an argument of QEMU as it is, behind all others.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.extra.push(arg.into());
        self
    }

    /// The board.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The disks, in the order in which they were added.
    pub fn disks(&self) -> &[Disk] {
        &self.disks
    }

    /// The emulator's program: the one set here, else the environment's `QEMU`, else the machine's.
    pub fn program(&self) -> PathBuf {
        if let Some(program) = &self.emulator {
            return program.clone();
        }
        match std::env::var_os("QEMU") {
            Some(program) if !program.is_empty() => program.into(),
            _ => self.machine.emulator.clone().into(),
        }
    }

    /// The command line without the program.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] for a file that is not there (QEMU's own messages on this are poor),
    /// [`Error::BadPlace`] for disks that collide, do not fit on the board, or mix the two register
    /// layouts of virtio-mmio, which QEMU can only set for the whole machine.
    pub fn args(&self) -> Result<Vec<OsString>, Error> {
        self.check_files()?;
        let legacy = self.check_places()?;
        let mut args: Vec<OsString> =
            ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
                .map(OsString::from)
                .into();
        // No monitor and no input: the run must not depend on a terminal.
        args.extend(["-monitor", "none", "-serial", "stdio"].map(OsString::from));
        args.extend(self.machine.args(legacy).into_iter().map(OsString::from));
        args.extend(["-kernel".into(), self.kernel.clone().into_os_string()]);
        if let Some(initrd) = &self.initrd {
            args.extend(["-initrd".into(), initrd.clone().into_os_string()]);
        }
        if let Some(append) = &self.append {
            args.extend(["-append".into(), append.into()]);
        }
        for (index, disk) in self.disks.iter().enumerate() {
            args.extend(disk.args(index).into_iter().map(OsString::from));
        }
        args.extend(self.extra.iter().cloned());
        Ok(args)
    }

    fn check_files(&self) -> Result<(), Error> {
        must_be_file("kernel", &self.kernel)?;
        if let Some(initrd) = &self.initrd {
            must_be_file("boot archive", initrd)?;
        }
        self.disks
            .iter()
            .filter_map(Disk::image)
            .try_for_each(|path| must_be_file("disk image", path))
    }

    /// Checks every disk's place; answers whether the machine has the legacy register layout.
    fn check_places(&self) -> Result<bool, Error> {
        let mut taken = BTreeMap::new();
        let mut layout: Option<bool> = None;
        for (index, disk) in self.disks.iter().enumerate() {
            let bad = |message: String| Error::BadPlace { index, message };
            let place = self.place_key(disk.place).map_err(bad)?;
            if let Some(other) = taken.insert(place, index) {
                return Err(bad(format!("its place is taken by disk {other}")));
            }
            let legacy = match disk.place {
                Place::Pci { .. } => continue,
                Place::Mmio { .. } => false,
                Place::MmioLegacy { .. } => true,
            };
            if *layout.get_or_insert(legacy) != legacy {
                return Err(bad("one machine has either legacy or modern virtio-mmio".into()));
            }
        }
        Ok(layout.unwrap_or(false))
    }

    /// The bus and slot of a place, if the board has it.
    fn place_key(&self, place: Place) -> Result<(&'static str, u8), String> {
        match place {
            Place::Pci { slot } if slot < self.machine.first_pci_slot || slot >= PCI_SLOTS => {
                let first = self.machine.first_pci_slot;
                Err(format!("PCI slot {slot} is not free; use {first} to {}", PCI_SLOTS - 1))
            }
            Place::Pci { slot } => Ok(("pci", slot)),
            Place::Mmio { slot } | Place::MmioLegacy { slot } => {
                if slot < self.machine.virtio_mmio_slots {
                    return Ok(("mmio", slot));
                }
                let slots = self.machine.virtio_mmio_slots;
                Err(format!("no virtio-mmio slot {slot}; the board has {slots}, counted from 0"))
            }
        }
    }
}

fn must_be_file(what: &'static str, path: &Path) -> Result<(), Error> {
    if path.is_file() { Ok(()) } else { Err(Error::Missing { what, path: path.into() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose kernel is a file that is surely there.
    fn vm() -> Vm {
        let kernel = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        Vm::new(Machine::builtin("virt").unwrap(), kernel)
    }

    fn null(place: Place) -> Disk {
        Disk::null(4096, place)
    }

    #[test]
    fn the_console_is_the_only_way_in_or_out() {
        let args = vm().append("a b").arg("-s").args().unwrap();
        let text: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert!(text.starts_with(&["-nodefaults", "-no-user-config", "-no-reboot"]));
        assert!(text.windows(2).any(|pair| pair == ["-serial", "stdio"]));
        assert!(text.windows(2).any(|pair| pair == ["-append", "a b"]));
        assert_eq!(text.last(), Some(&"-s"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = vm().initrd("/nowhere/boot.img").args().unwrap_err().to_string();
        assert_eq!(error, "boot archive /nowhere/boot.img: no such file");
        let disk = Disk::file("/nowhere/disk.img", Place::Pci { slot: 3 });
        let error = vm().disk(disk).args().unwrap_err().to_string();
        assert_eq!(error, "disk image /nowhere/disk.img: no such file");
    }

    #[test]
    fn two_disks_cannot_share_a_place() {
        let error = vm()
            .disk(null(Place::Pci { slot: 3 }))
            .disk(null(Place::Mmio { slot: 3 }))
            .disk(null(Place::Pci { slot: 3 }))
            .args()
            .unwrap_err();
        assert_eq!(error.to_string(), "disk 2: its place is taken by disk 0");
    }

    #[test]
    fn a_place_must_be_on_the_board() {
        let error = vm().disk(null(Place::Pci { slot: 0 })).args().unwrap_err().to_string();
        assert_eq!(error, "disk 0: PCI slot 0 is not free; use 1 to 31");
        let error = vm().disk(null(Place::Mmio { slot: 32 })).args().unwrap_err().to_string();
        assert_eq!(error, "disk 0: no virtio-mmio slot 32; the board has 32, counted from 0");
    }

    #[test]
    fn register_layouts_do_not_mix() {
        let mixed =
            vm().disk(null(Place::Mmio { slot: 1 })).disk(null(Place::MmioLegacy { slot: 2 }));
        assert!(mixed.args().is_err());
        let legacy = vm().disk(null(Place::MmioLegacy { slot: 2 })).args().unwrap();
        assert!(legacy.contains(&"virtio-mmio.force-legacy=true".into()));
    }
}
