//! Booting a bootstrap image in QEMU, as it is.

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use l4re_image::{Arch, Format, Image, Kind};
use l4re_qemu::{Limits, Machine, Outcome, Vm, strip_escapes};
use regex_lite::Regex;
use tempfile::NamedTempFile;

use super::{Linux, Transport, attached, linux, qemu};
use crate::target::Target;
use l4re_packager_base::{Diagnostic, Failure};

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
    /// A line that matches makes the pass; without it the line `L4RE-RESULT: pass` does, or for a root
    /// file system that systemd has started everything.
    pub expect: Option<Regex>,
    /// The image is a root file system, to be booted with this kernel.
    pub linux: Option<Linux>,
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
    let started = match (&options.expect, &options.linux) {
        (None, Some(_)) => Some(
            Regex::new(linux::STARTED)
                .map_err(|error| Diagnostic::error("expect", error.to_string()))?,
        ),
        (expect, _) => expect.clone(),
    };
    let outcome = match &started {
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
        let help = format!("install it with `apt-get install {}`", vm.machine().package);
        Diagnostic::error("qemu", message).help(help).into()
    })
}

/// The machine that boots an image; it needs the file as long as it runs.
fn machine_for(options: &ImageOptions) -> Result<(Vm, Option<NamedTempFile>), Failure> {
    if let Some(linux) = &options.linux {
        return Ok((linux::machine_for(options, linux)?, None));
    }
    linux::refuse_root(&options.image)?;
    let image = Image::open(&options.image)?;
    let about = |diagnostic: Diagnostic| diagnostic.file(&options.image);
    let name = match &options.machine {
        Some(name) => name.clone(),
        None => machine(&image).map_err(about)?,
    };
    let machine = Machine::builtin(&name).map_err(qemu)?;
    fits(&image, &name, &machine).map_err(about)?;
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
        let message = format!("there is no machine for {} under qemu/machines", arch.name());
        let help = match emulator(arch) {
            Some(emulator) => format!("boot the image by hand: {emulator} -M … -kernel <image>"),
            None => "boot the image by hand".into(),
        };
        return Err(Diagnostic::error("no-machine", message).help(help));
    };
    let kernel = image.modules.iter().find(|module| module.kind == Kind::Kernel);
    let el2 = arch.name() == "arm64"
        && kernel.map(|kernel| kernel.contains(NEEDS_EL2)).transpose()?.unwrap_or_default();
    Ok(if el2 { EL2_MACHINE.into() } else { machine })
}

/// QEMU's program for an architecture.
fn emulator(arch: Arch) -> Option<&'static str> {
    Some(match (arch.name(), arch.bits()) {
        ("x86", _) => "qemu-system-i386",
        ("amd64", _) => "qemu-system-x86_64",
        ("arm", _) => "qemu-system-arm",
        ("arm64", _) => "qemu-system-aarch64",
        ("mips", 32) => "qemu-system-mips",
        ("mips", _) => "qemu-system-mips64",
        ("ppc32", _) => "qemu-system-ppc",
        ("riscv", 32) => "qemu-system-riscv32",
        ("riscv", _) => "qemu-system-riscv64",
        _ => return None,
    })
}

/// A machine of another architecture would do nothing, without a word.
fn fits(image: &Image, name: &str, machine: &Machine) -> Result<(), Diagnostic> {
    let arch = image.arch();
    if emulator(arch) == Some(machine.emulator.as_str()) {
        return Ok(());
    }
    let emulator = &machine.emulator;
    let message = format!("the image is for {}, the machine {name} is {emulator}", arch.name());
    Err(Diagnostic::error("no-machine", message).help("leave --machine out"))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory image of an architecture's number, with nothing in it.
    fn image(arch: u64) -> NamedTempFile {
        let mut bytes = b"\0\0\0\0<< L4Re Bootstrap Image Info >>\0".to_vec();
        bytes.extend([0, 2].map(u32::to_le_bytes).concat());
        for word in [arch, 0x1000_0000u64, 0x1000_2000, 0x1000_1000, 0, 0, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.resize(0x1000, 0);
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        file
    }

    fn refused(arch: u64, machine: Option<&str>) -> String {
        let file = image(arch);
        let options = ImageOptions {
            image: file.path().into(),
            machine: machine.map(String::from),
            disks: Vec::new(),
            transport: Transport::Pci,
            time_limit: Duration::from_secs(1),
            expect: None,
            linux: None,
        };
        run_image(&options, &mut |_| {}).unwrap_err().to_string()
    }

    #[test]
    fn an_image_of_another_architecture_is_refused_with_its_name() {
        for (arch, name, emulator) in
            [(2, "arm", "qemu-system-arm"), (1, "amd64", "qemu-system-x86_64")]
        {
            let text = refused(arch, None);
            assert!(text.contains(&format!("there is no machine for {name}")), "{text}");
            assert!(text.contains(&format!("by hand: {emulator} ")), "{text}");
            let text = refused(arch, Some("virt"));
            assert!(text.contains(&format!("the image is for {name}, the machine virt")), "{text}");
        }
    }
}
