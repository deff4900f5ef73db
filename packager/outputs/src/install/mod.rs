//! Putting a package's program to where it belongs: below a folder that is the root of a system, or
//! into an image.
//!
//! ```text
//! package → program → stripped copy → place by kind or by word → written beside → checked → renamed
//! ```
//!
//! A failure at any step leaves the old file or image, and nothing else. Images are changed by the
//! tools of their file systems, on a copy, without mounting anything. A bootstrap image of L4Re is no
//! file system: a driver is injected into it, a tool becomes a module.

use std::path::{Path, PathBuf};

use crate::inject::Injected;
use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::check::Package;
use l4re_packager_core::elf::{self, Expect};
use l4re_packager_core::manifest::PackageKind;
use l4re_packager_core::package::Binary;
use l4re_packager_core::target::Target;
use links::Entry;

mod boot;
mod image;
mod links;
mod place;
mod root;
pub mod strip;

/// What to install, and where.
#[derive(Debug, Clone)]
pub struct InstallOptions {
    /// A package's folder, or a program.
    pub package: PathBuf,
    /// Where to in the system, in place of what the kind says: a folder if it ends in `/` or is one,
    /// otherwise the file.
    pub place: Option<String>,
    /// The system.
    pub into: Into,
    /// Kind of the program, in place of the package's.
    pub kind: Option<PackageKind>,
    /// Name of the target, if the package is for several.
    pub target: Option<String>,
    /// Install the program as it is, with everything for debuggers.
    pub keep_symbols: bool,
    /// For a boot image: which of the package's bus configurations.
    pub bus: Option<String>,
    /// For a boot image: files that it gets as well, such as the I/O server.
    pub with: Vec<PathBuf>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// A system to install into.
#[derive(Debug, Clone)]
pub enum Into {
    /// A folder that is its root.
    Root(PathBuf),
    /// An image.
    Image {
        /// The image: ext2 to ext4, FAT, a disk with partitions of these, or a bootstrap image of
        /// L4Re.
        file: PathBuf,
        /// Number of the partition, counted from 1, if there are several that could be meant.
        partition: Option<u32>,
        /// Where the changed image goes, if not in its place.
        output: Option<PathBuf>,
    },
}

/// What was installed.
#[derive(Debug)]
pub struct Installed {
    /// Where in the system.
    pub place: String,
    /// The folder's file, or the image.
    pub file: PathBuf,
    /// Bytes of the program in the package.
    pub size: u64,
    /// Bytes that were installed.
    pub installed: u64,
    /// In a boot image: how the driver is started.
    pub injected: Option<Injected>,
    /// Warnings.
    pub report: Report,
}

/// Somewhere files can be put. All paths are absolute, and the folders in them are no links.
trait Medium {
    /// What is at a path.
    fn entry(&mut self, path: &str) -> Result<Entry, Failure>;

    /// Writes a program, making the folders above it, in the place of a file or link that is there.
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure>;

    /// Reads a file back.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure>;

    /// Makes what was written valid; before it, nothing has happened. Gives the file that changed.
    fn finish(self: Box<Self>) -> Result<PathBuf, Failure>;
}

/// Installs a program.
///
/// # Errors
///
/// [`Failure`] if the program is not good, if its kind has no place in such a system, or if
/// something cannot be written. The system is then as it was.
pub fn install(options: &InstallOptions) -> Result<Installed, Failure> {
    let mut medium: Box<dyn Medium> = match &options.into {
        Into::Root(root) => Box::new(root::Root::open(root)?),
        Into::Image { file, partition, output } => {
            match image::open(file, *partition, output.as_deref())? {
                Some(medium) => medium,
                None => return boot::install(options, file, output.as_deref()),
            }
        }
    };
    if options.bus.is_some() || !options.with.is_empty() {
        let message = "--bus and --with are for boot images, where drivers get their devices";
        return Err(Diagnostic::error("usage", message).into());
    }
    let program = Program::load(options)?;
    let kind = options.kind.or(program.kind);
    let mut is_folder = |path: &str| is_folder(medium.as_mut(), path);
    let place = place::place(kind, &program.name, options.place.as_deref(), &mut is_folder)?;
    let place = follow(medium.as_mut(), &place)?;
    let bytes = if options.keep_symbols { program.bytes.clone() } else { program.stripped()? };
    let (size, installed) = (program.bytes.len() as u64, bytes.len() as u64);
    let report = program.report;
    if options.dry_run {
        let file = match &options.into {
            Into::Root(root) => root.join(place.trim_start_matches('/')),
            Into::Image { file, output, .. } => output.as_ref().unwrap_or(file).clone(),
        };
        return Ok(Installed { place, file, size, installed, injected: None, report });
    }
    medium.write(&place, &bytes)?;
    if medium.read(&place)? != bytes {
        let message = format!("{place}: what was written reads back differently");
        let help = "nothing was changed; is the medium broken?";
        return Err(Diagnostic::error("install-verify", message).help(help).into());
    }
    let file = medium.finish()?;
    Ok(Installed { place, file, size, installed, injected: None, report })
}

/// Whether there is a folder of that path, links followed.
fn is_folder(medium: &mut dyn Medium, path: &str) -> Result<bool, Failure> {
    match links::resolve(path, &mut |path| medium.entry(path)) {
        Ok(path) => Ok(medium.entry(&path)? == Entry::Folder),
        // A link that leads nowhere is none; that the folders above it do is said by `follow`.
        Err(failure) if failure.0.iter().all(|finding| finding.code == links::NOWHERE) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// A file's place without links in the folders above it. One in the file's own place is replaced,
/// not followed.
fn follow(medium: &mut dyn Medium, place: &str) -> Result<String, Failure> {
    let (folder, name) = place.rsplit_once('/').unwrap_or(("", place));
    let folder = links::resolve(folder, &mut |path| medium.entry(path))?;
    let path = format!("{}/{name}", folder.trim_end_matches('/'));
    let message = if medium.entry(&folder)? == Entry::File {
        format!("`{}` is a file, not a folder", folder.escape_debug())
    } else if medium.entry(&path)? == Entry::Folder {
        format!("`{}` is a folder", path.escape_debug())
    } else {
        return Ok(path);
    };
    Err(Diagnostic::error("install-place", message).into())
}

/// Reads a file of a system, `place` being what [`install`] called it.
///
/// # Errors
///
/// [`Failure`] if there is no such file, or if the system is a bootstrap image.
pub fn read(from: &Into, place: &str) -> Result<Vec<u8>, Failure> {
    let mut medium: Box<dyn Medium> = match from {
        Into::Root(root) => Box::new(root::Root::open(root)?),
        Into::Image { file, partition, output } => {
            let file = output.as_deref().unwrap_or(file);
            match image::open(file, *partition, None)? {
                Some(medium) => medium,
                None => {
                    let message = "this is a boot image, which has no file system";
                    return Err(Diagnostic::error("install-place", message).file(file).into());
                }
            }
        }
    };
    let path = follow(&mut *medium, place)?;
    medium.read(&path)
}

/// The program to install.
struct Program {
    name: String,
    bytes: Vec<u8>,
    /// `None` for a program without a package whose name says nothing.
    kind: Option<PackageKind>,
    target: Target,
    drvinfo: bool,
    path: PathBuf,
    report: Report,
}

impl Program {
    fn load(options: &InstallOptions) -> Result<Self, Failure> {
        let path = &options.package;
        if !path.is_dir() {
            return Self::bare(path);
        }
        let package = Package::load(path)?;
        let all: Vec<&str> =
            package.binaries.iter().map(|binary| binary.target.name.as_str()).collect();
        let wanted = options.target.as_deref();
        let mut fitting = package
            .binaries
            .iter()
            .filter(|item| wanted.is_none_or(|name| item.target.name == name));
        let (Some(binary), None) = (fitting.next(), fitting.next()) else {
            let message = match wanted {
                Some(name) => format!("no program for `{name}`"),
                None => "programs for several targets".into(),
            };
            let help = format!("choose with --target: {}", all.join(", "));
            return Err(Diagnostic::error("install-target", message).file(path).help(help).into());
        };
        Ok(Self::packaged(&package, binary, path))
    }

    /// One of a package's programs.
    fn packaged(package: &Package, binary: &Binary, path: &Path) -> Self {
        Self {
            name: package.program.clone(),
            bytes: binary.bytes.clone(),
            kind: Some(package.manifest.driver.kind),
            target: binary.target.clone(),
            drvinfo: binary.info.is_some(),
            path: path.into(),
            report: Report::new(),
        }
    }

    /// A program without a package.
    fn bare(path: &Path) -> Result<Self, Failure> {
        let bytes =
            input::read(path, input::PROGRAM).map_err(|error| Failure::io("read", path, &error))?;
        let target = elf::target_of(&bytes).map_err(|finding| {
            let help = "`install` takes a package's folder or a program (ELF)";
            let finding = finding.file(path);
            if finding.help.is_some() { finding } else { finding.help(help) }
        })?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let mut program = Self {
            kind: PackageKind::of_program(&name),
            name,
            bytes,
            target,
            drvinfo: false,
            path: path.into(),
            report: Report::new(),
        };
        let bytes = std::mem::take(&mut program.bytes);
        let drvinfo = program.check(&bytes)?;
        Ok(Self { bytes, drvinfo, ..program })
    }

    /// Judges bytes as this program; whether they describe themselves.
    fn check(&self, bytes: &[u8]) -> Result<bool, Failure> {
        let expect = Expect { target: &self.target, drvinfo: self.drvinfo, c_code: true };
        let (program, findings) = elf::verify(bytes, &expect);
        let mut report = Report::new();
        report.extend_about(&self.path, findings);
        report.into_result(())?;
        Ok(program.is_some_and(|program| program.info.is_some()))
    }

    /// The program without what only debuggers read, checked again.
    fn stripped(&self) -> Result<Vec<u8>, Failure> {
        let bytes = strip::strip(&self.bytes).map_err(|finding| finding.file(&self.path))?;
        self.check(&bytes)?;
        Ok(bytes)
    }
}
