//! Booting a bootstrap image in QEMU, as it is.

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use l4re_image::{Format, Image, Kind};
use l4re_qemu::{Limits, Machine, Outcome, Vm, strip_escapes};
use regex_lite::Regex;
use tempfile::NamedTempFile;

use super::{Transport, attached, qemu};
use crate::diag::{Diagnostic, Failure};
use crate::target::Target;

/// What a kernel says in its list of features if it must be entered at EL2.
const NEEDS_EL2: &[u8] = b"arm:hyp";
/// The machine for such kernels.
const EL2_MACHINE: &str = "virt-el2";

/// What to boot, and how.
#[derive(Debug, Clone)]
pub struct ImageOptions {
    /// The image.
    pub image: PathBuf,
    /// Name of a machine description; the one for the image's architecture if not given.
    pub machine: Option<String>,
    /// Images of the disks.
    pub disks: Vec<PathBuf>,
    /// How the disks are attached.
    pub transport: Transport,
    /// Wall-clock time until the run is given up.
    pub time_limit: Duration,
    /// A line that matches makes the pass; without it the line `L4RE-RESULT: pass` does.
    pub expect: Option<Regex>,
}

/// Boots an image and hands the console's lines to `console` as they come.
///
/// # Errors
///
/// [`Failure`] if the image cannot be read or QEMU not be started. How the guest did is in the
/// [`Outcome`].
pub fn run_image(
    options: &ImageOptions,
    console: &mut dyn FnMut(&str),
) -> Result<Outcome, Failure> {
    let (vm, wrapped) = machine_for(options)?;
    let limits = Limits { time: options.time_limit, ..Limits::default() };
    let outcome = match &options.expect {
        None => l4re_qemu::run(&vm, &limits, console),
        Some(expect) => l4re_qemu::run_until(&vm, &limits, &mut |line| {
            console(line);
            expect.is_match(&strip_escapes(line))
        }),
    };
    let outcome = outcome.map_err(qemu)?;
    if let (Some(wrapped), false) = (wrapped, outcome.passed()) {
        // The command that does it again by hand names the file.
        let _kept = wrapped.keep();
    }
    Ok(outcome)
}

/// Boots an image with the terminal as its console, until the guest or the user ends it.
///
/// # Errors
///
/// As [`run_image`].
pub fn console(options: &ImageOptions) -> Result<ExitStatus, Failure> {
    let (vm, _wrapped) = machine_for(options)?;
    let program = vm.program();
    let status = Command::new(&program).args(vm.args().map_err(qemu)?).status();
    status.map_err(|error| {
        let message = format!("cannot run {}: {error}", program.display());
        let help = "the Debian package qemu-system-arm has it";
        Diagnostic::error("qemu", message).help(help).into()
    })
}

/// The machine that boots an image; it needs the file as long as it runs.
fn machine_for(options: &ImageOptions) -> Result<(Vm, Option<NamedTempFile>), Failure> {
    let image = Image::open(&options.image)?;
    let name = match &options.machine {
        Some(name) => name.clone(),
        None => machine(&image).map_err(|diagnostic| diagnostic.file(&options.image))?,
    };
    let machine = Machine::builtin(&name).map_err(qemu)?;
    // QEMU knows where ELF files and uImages go, but not where a memory image does.
    let wrapped = (image.format() == Format::Raw).then(|| wrapped(&image)).transpose()?;
    let kernel = wrapped.as_ref().map_or(options.image.as_path(), NamedTempFile::path);
    let mut vm = Vm::new(machine, kernel);
    for disk in attached(&options.disks, options.transport, vm.machine()) {
        vm = vm.disk(disk);
    }
    Ok((vm, wrapped))
}

/// Name of the machine for an image: that of its architecture, in the variant that its kernel needs.
fn machine(image: &Image) -> Result<String, Diagnostic> {
    let arch = image.arch();
    let target = Target::of_l4re_arch(arch.name()).and_then(|target| target.qemu_machine);
    let Some(machine) = target else {
        let message = format!("there is no machine for {}", arch.name());
        let help = "boot the image with QEMU by hand";
        return Err(Diagnostic::error("no-machine", message).help(help));
    };
    let kernel = image.modules.iter().find(|module| module.kind == Kind::Kernel);
    let el2 = arch.name() == "arm64"
        && kernel.map(|kernel| kernel.contains(NEEDS_EL2)).transpose()?.unwrap_or_default();
    Ok(if el2 { EL2_MACHINE.into() } else { machine })
}

/// A memory image as the only segment of an ELF file.
fn wrapped(image: &Image) -> Result<NamedTempFile, Failure> {
    let folder = std::env::temp_dir();
    let failed = |error: std::io::Error| Failure::io("write to", &folder, &error);
    let mut file = NamedTempFile::with_prefix("packager-image-").map_err(failed)?;
    let header = image.elf_header()?;
    file.write_all(&header).map_err(failed)?;
    image.copy_file(file.as_file_mut(), &folder)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(file)
}
