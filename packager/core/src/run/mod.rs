//! Booting a package in QEMU, on the stand-in kernel.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use l4re_qemu::{Disk, Limits, Machine, Outcome, Place, Vm};
use tempfile::NamedTempFile;

use crate::build::Workspace;
use crate::check::Package;
use crate::manifest::Class;
use crate::package::Binary;
use crate::target::Target;
use l4re_packager_base::{Diagnostic, Failure};

mod archive;
mod image;
mod linux;

pub use image::{ImageOptions, console, run_image};
pub use linux::Linux;

/// Name of the stand-in's package and file.
const STANDIN: &str = "l4re-standin";

/// What to boot, and how.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The folder of a package.
    pub package: PathBuf,
    /// Name of a machine description; that of the target if not given.
    pub machine: Option<String>,
    /// Images of the disks; an empty list gives one disk of 16 MiB of zeros.
    pub disks: Vec<PathBuf>,
    /// How the disks are attached.
    pub transport: Transport,
    /// Wall-clock time until the run is given up.
    pub time_limit: Duration,
    /// Programs that use the driver.
    pub clients: Vec<Client>,
    /// Arguments for making the clients' devices, in the order of the clients; the last ones hold for
    /// all that follow. Those of `driver.toml` if there are none.
    pub create: Vec<Vec<String>>,
    /// The stand-in's image; if not given, that of the workspace around, which is built, or the one that
    /// came with this program.
    pub standin: Option<PathBuf>,
    /// The program to boot in place of that in the package, such as the one that was installed.
    pub program: Option<Vec<u8>>,
}

/// How disks are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// virtio over PCI.
    Pci,
    /// virtio-mmio, register layout 2.
    Mmio,
    /// virtio-mmio, register layout 1 (legacy).
    MmioLegacy,
}

/// A program that uses the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its ELF file.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

impl Client {
    /// The program and its arguments, separated by blanks.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().map(String::from);
        Some(Self { program: words.next()?.into(), args: words.collect() })
    }
}

/// Boots a package and hands the console's lines to `console` as they come.
///
/// # Errors
///
/// [`Failure`] if the system cannot be started. How the guest did is in the [`Outcome`].
pub fn run(options: &RunOptions, console: &mut dyn FnMut(&str)) -> Result<Outcome, Failure> {
    let package = Package::load(&options.package)?;
    if package.manifest.driver.class == Class::Block && options.clients.is_empty() {
        let message = "a driver gives no result by itself";
        let help = "name a program that uses it and prints one: --client PROGRAM";
        return Err(Diagnostic::error("no-client", message).help(help).into());
    }
    let Some((binary, name)) = package.binaries.iter().find_map(|binary| {
        Some((binary, options.machine.clone().or(binary.target.qemu_machine.clone())?))
    }) else {
        let message = "there is no machine for the targets of this package";
        return Err(Diagnostic::error("no-machine", message).file(&options.package).into());
    };
    let machine = Machine::builtin(&name).map_err(qemu)?;
    let bytes = match &options.program {
        Some(bytes) => {
            let binary = Binary { bytes: bytes.clone(), ..binary.clone() };
            archive::make(&package, &binary, options)?
        }
        None => archive::make(&package, binary, options)?,
    };
    let standin = match &options.standin {
        Some(standin) => standin.clone(),
        None => find_standin(&options.package, &binary.target)?,
    };
    let initrd = scratch(&bytes)?;
    let mut vm = Vm::new(machine, standin).initrd(initrd.path());
    for disk in disks(options, vm.machine()) {
        vm = vm.disk(disk);
    }
    let results = options.clients.len().max(1);
    let limits = Limits { time: options.time_limit, results, ..Limits::default() };
    let outcome = l4re_qemu::run(&vm, &limits, console).map_err(qemu)?;
    if !outcome.passed() {
        // The command that does it again by hand names the archive.
        let _kept = initrd.keep();
    }
    Ok(outcome)
}

fn qemu(error: l4re_qemu::Error) -> Failure {
    Diagnostic::error("qemu", error.to_string()).into()
}

/// The disks, each in a place of its own. QEMU's own slots on the PCI bus come first.
fn disks(options: &RunOptions, machine: &Machine) -> Vec<Disk> {
    if options.disks.is_empty() {
        return vec![Disk::null(16 << 20, place(0, options.transport, machine)).serial("disk0")];
    }
    attached(&options.disks, options.transport, machine)
}

fn attached(paths: &[PathBuf], transport: Transport, machine: &Machine) -> Vec<Disk> {
    let place = |index| place(index, transport, machine);
    let disks = (0..=u8::MAX).zip(paths);
    disks
        .map(|(index, path)| Disk::file(path, place(index)).serial(format!("disk{index}")))
        .collect()
}

fn place(index: u8, transport: Transport, machine: &Machine) -> Place {
    match transport {
        Transport::Pci => Place::Pci { slot: machine.first_pci_slot.saturating_add(index) },
        Transport::Mmio => {
            Place::Mmio { slot: machine.virtio_mmio_slots.saturating_sub(1 + index) }
        }
        Transport::MmioLegacy => {
            Place::MmioLegacy { slot: machine.virtio_mmio_slots.saturating_sub(1 + index) }
        }
    }
}

/// The stand-in of the workspace around, or else the one that came with this program.
fn find_standin(package: &Path, target: &Target) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::io("read", package, &error))?;
    for folder in [here.as_path(), package] {
        match Workspace::build_member(folder, STANDIN, &target.rust) {
            Ok(Some(built)) => return Ok(built),
            Err(failure) if failure.0.iter().any(|finding| finding.code == "compile") => {
                return Err(failure);
            }
            // No workspace, or one without a stand-in: try the next.
            Ok(None) | Err(_) => {}
        }
    }
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    let places = program.as_deref().map(|program| installed(program, target)).unwrap_or_default();
    if let Some(found) = places.iter().find(|place| place.is_file()) {
        return Ok(found.clone());
    }
    let message = format!("there is no stand-in kernel for {}", target.name);
    let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    let help = format!(
        "name its image with --standin, put it at {}, or call this inside of the project, which \
         builds it",
        places.join(" or ")
    );
    Err(Diagnostic::error("no-standin", message).help(help).into())
}

/// Where a release has the stand-in: in the `share/` beside the `bin/` that the program is in, or
/// beside the program.
fn installed(program: &Path, target: &Target) -> Vec<PathBuf> {
    let name = format!("{STANDIN}-{}", target.name);
    let Some(folder) = program.parent() else { return Vec::new() };
    let share = folder.parent().map(|prefix| prefix.join("share/l4re").join(&name));
    share.into_iter().chain([folder.join(&name)]).collect()
}

/// A file in the system's folder for temporary files, under a name that nobody can foresee.
fn scratch(bytes: &[u8]) -> Result<NamedTempFile, Failure> {
    let folder = std::env::temp_dir();
    let failed = |error: std::io::Error| Failure::io("write to", &folder, &error);
    let mut file = NamedTempFile::with_prefix("packager-archive-").map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    Ok(file)
}
