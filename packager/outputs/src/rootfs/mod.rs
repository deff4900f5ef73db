//! A root file system with a systemd userland for L4Re: packages of the distribution, units, and
//! drivers, as a folder and as an ext4 image.
//!
//! Nothing of the packages is run: they are for another architecture. What their scripts would do on
//! a machine is done here as far as a system needs it to start: the first users and groups, an empty
//! machine identification.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use l4re_files::{DraftFolder, input};
use l4re_programs::Program;

use crate::systemd::check::Source;
use crate::systemd::unit::Unit;
use crate::systemd::{self, ADMIN, Service, System, VENDOR};
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, Report, place_file};
use l4re_packager_core::check::Package;

mod again;
mod apt;
mod filesystem;
mod image;
mod kernel;
mod off;
mod verify;

pub use again::image_again;
pub use apt::Distribution;
pub use filesystem::{Filesystem, Kind, Node};

/// An architecture that the distribution has packages for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 32-bit Arm with a floating point unit.
    Arm,
    /// 64-bit Arm.
    Arm64,
}

impl Arch {
    /// L4Re's name, also that of the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Arm64 => "arm64",
        }
    }

    /// The distribution's package with a kernel for many machines.
    pub fn kernel(self) -> &'static str {
        match self {
            Self::Arm => "linux-image-armmp",
            Self::Arm64 => "linux-image-arm64",
        }
    }

    /// The distribution's name.
    fn debian(self) -> &'static str {
        match self {
            Self::Arm => "armhf",
            Self::Arm64 => "arm64",
        }
    }
}

/// What to make.
#[derive(Debug, Clone)]
pub struct RootfsOptions {
    /// The architectures.
    pub arches: Vec<Arch>,
    /// Where packages come from.
    pub distribution: Distribution,
    /// A folder with packages to take instead of fetching some; those of other architectures are
    /// left alone.
    pub debs: Option<PathBuf>,
    /// Folders with unit files.
    pub units: Vec<PathBuf>,
    /// The script that starts systemd, to check the units against.
    pub script: Option<PathBuf>,
    /// Units to enable besides those of drivers.
    pub enable: Vec<String>,
    /// Packages of drivers.
    pub drivers: Vec<PathBuf>,
    /// Where results go.
    pub out: PathBuf,
    /// Whether to make images.
    pub image: bool,
    /// Size of an image in bytes; what fits if not given.
    pub size: Option<u64>,
    /// Whether to make a kernel and an initial RAM disk as well, to boot the image with.
    pub kernel: bool,
}

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// Root folder and image of each architecture.
    pub systems: Vec<(PathBuf, Option<PathBuf>)>,
    /// Folders with a kernel and an initial RAM disk.
    pub kernels: Vec<PathBuf>,
    /// Units that are not enabled and whose program is not there, each with that.
    pub idle: Vec<(String, String)>,
    /// The script of ned with the drivers' capabilities, if there are drivers.
    pub script: Option<PathBuf>,
    /// Warnings.
    pub report: Report,
}

/// Makes root file systems. What was there is replaced when the new one is complete.
///
/// # Errors
///
/// [`Failure`] if packages cannot be had or are broken, if units and script do not fit together, if
/// systemd complains of a unit, or if something cannot be written.
pub fn make(options: &RootfsOptions, progress: &mut dyn Progress) -> Result<Made, Failure> {
    let mut report = Report::new();
    let units = read_units(&options.units)?;
    let drivers: Vec<Package> =
        options.drivers.iter().map(|path| Package::load(path)).collect::<Result<_, _>>()?;
    let services = drivers.iter().map(Service::of).collect::<Result<Vec<_>, _>>()?;
    let (system, warnings) = System::new(services, false)?;
    report.extend(warnings);
    check_script(options, &units, &system, &mut report)?;
    enabled(&options.enable, &units)?;
    let ((), report) = report.into_result(())?;
    let mut made =
        Made { systems: Vec::new(), kernels: Vec::new(), idle: Vec::new(), script: None, report };
    for arch in &options.arches {
        let result = make_one(options, *arch, &units, &drivers, &system, progress, &mut made)?;
        made.systems.push(result);
        if options.kernel {
            made.kernels.push(kernel::make(options, *arch, &cache(options, *arch), progress)?);
        }
    }
    if !drivers.is_empty() {
        made.script = Some(write_script(&system, &options.out)?);
    }
    Ok(made)
}

/// Writes the script that starts systemd, and the configurations of io that it names; its path.
fn write_script(system: &System, out: &Path) -> Result<PathBuf, Failure> {
    let tree = system.emit();
    for (path, entry) in tree.iter() {
        let name = match path {
            systemd::MARK => "systemd.ned",
            _ if path.starts_with("io/") => path,
            _ => continue,
        };
        place_file(&out.join(name), &entry.bytes, false)?;
    }
    Ok(out.join("systemd.ned"))
}

/// Unit files by name.
fn read_units(folders: &[PathBuf]) -> Result<Vec<(String, Source)>, Failure> {
    let mut units = Vec::new();
    for folder in folders {
        let failed = |error| Failure::io("read", folder, &error);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let Some(name) =
                name.filter(|name| l4re_packager_core::manifest::systemd::unit(name).is_ok())
            else {
                continue;
            };
            let text = input::read_text(&path, input::TEXT)
                .map_err(|error| Failure::io("read", &path, &error))?;
            units.push((name, Source { path, text }));
        }
    }
    units.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(units)
}

/// Checks the given script against all units; without one, the units against the drivers' script.
fn check_script(
    options: &RootfsOptions,
    units: &[(String, Source)],
    system: &System,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut sources: Vec<Source> = units.iter().map(|(_, source)| source.clone()).collect();
    let tree = system.emit();
    for (path, entry) in tree.iter().filter(|(path, _)| path.starts_with("root/")) {
        let text = String::from_utf8_lossy(&entry.bytes).into_owned();
        sources.push(Source { path: path.into(), text });
    }
    let script = match &options.script {
        Some(path) => {
            let text = input::read_text(path, input::TEXT)
                .map_err(|error| Failure::io("read", path, &error))?;
            Source { path: path.clone(), text }
        }
        None => {
            let bytes = tree.get(systemd::MARK).map_or(&[][..], |entry| &entry.bytes);
            let text = String::from_utf8_lossy(bytes).into_owned();
            Source { path: systemd::MARK.into(), text }
        }
    };
    report.extend(systemd::check::check(&sources, &script));
    Ok(())
}

/// Each unit to enable must be there.
fn enabled(wanted: &[String], units: &[(String, Source)]) -> Result<(), Failure> {
    for name in wanted {
        if !units.iter().any(|(unit, _)| unit == name) {
            let message = format!("there is no unit {name} to enable");
            let near =
                l4re_packager_base::nearest(name, units.iter().map(|(unit, _)| unit.as_str()));
            let diagnostic = Diagnostic::error("no-unit", message);
            let help = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "name the folder that has it with --units".into(),
            };
            return Err(diagnostic.help(help).into());
        }
    }
    Ok(())
}

/// Where the distribution's tools keep what they fetch.
fn cache(options: &RootfsOptions, arch: Arch) -> PathBuf {
    options.out.join(format!(".packages-{}", arch.name()))
}

/// Makes one root file system and its image.
fn make_one(
    options: &RootfsOptions,
    arch: Arch,
    units: &[(String, Source)],
    drivers: &[Package],
    services: &System,
    progress: &mut dyn Progress,
    made: &mut Made,
) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    let report = &mut made.report;
    let debs = match &options.debs {
        Some(folder) => of_arch(apt::debs(folder)?, arch)?,
        None => {
            let cache = cache(options, arch);
            apt::fetch(&options.distribution, arch.debian(), &cache, progress)?
        }
    };
    let mut system = Filesystem::default();
    progress.step(&format!("unpacking {} packages for {}", debs.len(), arch.name()));
    for deb in &debs {
        unpack(&mut system, deb)?;
    }
    base(&mut system)?;
    off::gettys(&mut system)?;
    place_units(&mut system, units, &options.enable)?;
    let (mut names, idle) = off::idle(&system, units, &options.enable);
    made.idle = idle;
    names.extend(place_drivers(&mut system, arch, drivers, services, report)?);
    let root = options.out.join(arch.name());
    fs::create_dir_all(&options.out).map_err(|error| Failure::io("write", &options.out, &error))?;
    let draft = DraftFolder::beside(&root).map_err(|error| Failure::io("write", &root, &error))?;
    progress.step(&format!("writing the root file system for {}", arch.name()));
    system.write(draft.path())?;
    verified(draft.path(), &names, report)?;
    must_be_ours(&root)?;
    again::note_owners(&options.out, arch, &system)?;
    let image = drawn(options, arch, &system, draft.path(), progress)?;
    draft.persist(&root).map_err(|error| Failure::io("write", &root, &error))?;
    Ok((root, image))
}

fn verified(root: &Path, units: &[String], report: &mut Report) -> Result<(), Failure> {
    let mut findings = Report::new();
    verify::units(root, units, &mut findings);
    let ((), findings) = findings.into_result(())?;
    report.extend(findings);
    Ok(())
}

fn drawn(
    options: &RootfsOptions,
    arch: Arch,
    system: &Filesystem,
    root: &Path,
    progress: &mut dyn Progress,
) -> Result<Option<PathBuf>, Failure> {
    if !options.image {
        return Ok(None);
    }
    progress.step(&format!("making the image for {}", arch.name()));
    let file = options.out.join(format!("systemd-{}.ext4", arch.name()));
    image::make(system, root, &file, options.size)?;
    Ok(Some(file))
}

/// What is replaced must be a root file system.
fn must_be_ours(root: &Path) -> Result<(), Failure> {
    let ours = || root.join("usr/lib").is_dir() && root.join(ADMIN).is_dir();
    if root.exists() && !ours() {
        let message = "is there and is no root file system of this tool; it is not replaced";
        let diagnostic = Diagnostic::error("occupied", message).file(root);
        return Err(diagnostic.help("choose another folder with --out").into());
    }
    Ok(())
}

/// The packages for an architecture or for all, by the last part of their names.
fn of_arch(debs: Vec<PathBuf>, arch: Arch) -> Result<Vec<PathBuf>, Failure> {
    let fits = |path: &PathBuf| {
        if kernel::is_for_boot(path) {
            return false;
        }
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        stem.is_some_and(|stem| {
            stem.ends_with(&format!("_{}", arch.debian())) || stem.ends_with("_all")
        })
    };
    let debs: Vec<PathBuf> = debs.into_iter().filter(fits).collect();
    if debs.is_empty() {
        let message = format!("no package for {} among them", arch.debian());
        return Err(Diagnostic::error("no-packages", message).into());
    }
    Ok(debs)
}

const DPKG_DEB: Program = Program::declared("dpkg-deb");

fn unpack(system: &mut Filesystem, deb: &Path) -> Result<(), Failure> {
    let failed = |text: String| {
        let diagnostic = Diagnostic::error("package", text).file(deb);
        Failure::from(diagnostic)
    };
    let mut child = DPKG_DEB
        .command()
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| DPKG_DEB.not_started(&error))?;
    let result = match child.stdout.take() {
        Some(pipe) => system.unpack(BufReader::new(pipe)),
        None => Ok(()),
    };
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    result.map_err(|diagnostic| Failure::from(diagnostic.file(deb)))?;
    if status.success() { Ok(()) } else { Err(failed("dpkg-deb cannot read it".into())) }
}

/// What the packages' own scripts would have made.
fn base(system: &mut Filesystem) -> Result<(), Diagnostic> {
    for name in ["passwd", "group"] {
        let master = format!("usr/share/base-passwd/{name}.master");
        if let Some(bytes) = system.bytes(&master) {
            let bytes = bytes.to_vec();
            system.file(&format!("etc/{name}"), bytes, 0o644)?;
        }
    }
    // systemd takes an empty one for that of a system that was not started yet, and makes its own.
    system.file("etc/machine-id", Vec::new(), 0o444)?;
    system.file("etc/hostname", b"l4re\n".to_vec(), 0o644)?;
    for (folder, mode) in [
        ("dev", 0o755),
        ("proc", 0o555),
        ("sys", 0o555),
        ("run", 0o755),
        ("tmp", 0o1777),
        ("root", 0o700),
    ] {
        if system.get(folder).is_none() {
            system.folder(folder, mode)?;
        }
    }
    if system.get("sbin/init").is_none() {
        system.link("sbin/init", "../lib/systemd/systemd")?;
    }
    system.folder(ADMIN, 0o755)?;
    // systemd calls a system tainted where this is something else.
    if system.get("var/run").is_none() {
        system.link("var/run", "/run")?;
    }
    Ok(())
}

/// Places unit files and the links of those that are enabled.
fn place_units(
    system: &mut Filesystem,
    units: &[(String, Source)],
    enable: &[String],
) -> Result<(), Diagnostic> {
    for (name, source) in units {
        system.file(&format!("{VENDOR}/{name}"), source.text.clone().into_bytes(), 0o644)?;
        if enable.contains(name) {
            let unit = Unit::parse(&source.path, &source.text, &mut Report::new());
            let targets = unit.values("Install", "WantedBy");
            for target in targets.iter().flat_map(|(value, _)| value.split_whitespace()) {
                let link = format!("{ADMIN}/{target}.wants/{name}");
                system.link(&link, &format!("../../../../{VENDOR}/{name}"))?;
            }
        }
    }
    Ok(())
}

/// Places drivers that have a program for the architecture; the names of their units.
fn place_drivers(
    system: &mut Filesystem,
    arch: Arch,
    drivers: &[Package],
    services: &System,
    report: &mut Report,
) -> Result<Vec<String>, Diagnostic> {
    let mut names = Vec::new();
    let tree = services.emit();
    for (package, service) in drivers.iter().zip(services.services()) {
        let mut binaries = package.binaries.iter();
        let Some(binary) = binaries.find(|binary| binary.target.l4re.arch == arch.name()) else {
            let message =
                format!("{} has no program for {}; it is left out", service.driver, arch.name());
            let help = "add the target to driver.toml and build the package again";
            report.push(Diagnostic::warning("no-program", message).help(help));
            continue;
        };
        let path = service.path();
        system.file(path.trim_start_matches('/'), binary.bytes.clone(), 0o755)?;
        let name = service.unit();
        let of_service = |path: &str| path.contains(&format!("/{name}"));
        for (path, entry) in tree.iter().filter(|(path, _)| of_service(path)) {
            if let Some(path) = path.strip_prefix("root/") {
                system.file(path, entry.bytes.clone(), 0o644)?;
            }
        }
        for (path, to) in tree.links().filter(|(path, _)| of_service(path)) {
            if let Some(path) = path.strip_prefix("root/") {
                system.link(path, to)?;
            }
        }
        if !service.settings.drop_in {
            names.push(name);
        }
    }
    Ok(names)
}
