//! `driver.toml`: what a driver's program cannot say of itself.
//!
//! Options, capabilities and factory arguments are not here: the program carries them in its
//! section `.l4re.drvinfo` ([`crate::drvinfo`]).

use std::path::{Path, PathBuf};

use l4re_files::input;
use l4re_packager_base::reader::Document;
use l4re_packager_base::{Failure, Report};

mod read;
#[cfg(test)]
mod reference_tests;
mod rules;
pub mod systemd;
mod udi;

pub use systemd::{ServiceCap, Source, Systemd};
pub use udi::Udi;

/// Name of the file in a driver's folder.
pub const FILE: &str = "driver.toml";

/// A checked `driver.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// `[driver]`.
    pub driver: Driver,
    /// `[[target]]`: names of targets to build for, at least one, without repetition.
    pub targets: Vec<String>,
    /// `[c]`, if the driver has C code.
    pub c: Option<C>,
    /// `[l4re]`.
    pub l4re: L4re,
    /// `[systemd]`; what holds without it if there is none.
    pub systemd: Systemd,
    /// `[[cap]]`.
    pub caps: Vec<ServiceCap>,
    /// `[udi]`; empty if there is none.
    pub udi: Udi,
}

/// `[driver]`: who and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// Name of the package.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Cargo's name of the program; `None` takes the only one of the crate.
    pub program: Option<String>,
    /// What the driver offers.
    pub class: Class,
    /// Mail address of who to ask.
    pub maintainer: String,
    /// SPDX expression.
    pub licence: String,
    /// What kind of program it is, which decides where it is installed.
    pub kind: PackageKind,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// Address of its page in the web, if it has one.
    pub homepage: Option<String>,
    /// Virtual packages that it implements, such as `block-driver`.
    pub provides: Vec<String>,
    /// Virtual packages that some other package must implement.
    pub requires: Vec<String>,
    /// A program for the machine that builds, below the driver's folder.
    pub host_program: Option<String>,
}

/// What kind of program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageKind {
    /// A driver.
    Driver,
    /// A program that people start.
    Tool,
    /// The first program of a system; it belongs into the initial file system only.
    Init,
}

impl PackageKind {
    /// All kinds with their names in the file.
    pub const ALL: [(&'static str, PackageKind); 3] =
        [("driver", PackageKind::Driver), ("tool", PackageKind::Tool), ("init", PackageKind::Init)];

    /// Programs whose kind is known by their name, where nothing else says it.
    const KNOWN: [(&'static str, PackageKind); 7] = [
        ("virtio-netd", PackageKind::Driver),
        ("virtio-9pd", PackageKind::Driver),
        ("xhcid", PackageKind::Driver),
        ("usbhidd", PackageKind::Driver),
        ("pcid-spawner", PackageKind::Tool),
        ("inputd", PackageKind::Tool),
        ("init", PackageKind::Init),
    ];

    /// The kind of a well-known program of that name.
    pub fn of_program(name: &str) -> Option<Self> {
        Self::KNOWN.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        systemd::name_of(&Self::ALL, self)
    }

    /// Where it is installed in a root file system; the first program is not.
    pub fn folder(self) -> Option<&'static str> {
        match self {
            Self::Driver => Some("/usr/lib/drivers"),
            Self::Tool => Some("/usr/bin"),
            Self::Init => None,
        }
    }
}

/// What a program offers to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A driver server for block devices: needs a virtual bus, makes l4virtio disks.
    Block,
    /// No driver: a program that runs, prints its result and ends.
    Test,
}

impl Class {
    /// All classes with their names in the file.
    pub const ALL: [(&'static str, Class); 2] = [("block", Class::Block), ("test", Class::Test)];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Test => "test",
        }
    }
}

/// `[c]`: C code that is linked into the program. Paths are relative to the driver's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct C {
    /// Source files.
    pub sources: Vec<PathBuf>,
    /// Folders with headers, in addition to those of the C library.
    pub include: Vec<PathBuf>,
    /// Macros to define, `NAME` or `NAME=value`.
    pub define: Vec<String>,
}

/// `[l4re]`: what the package for L4Re's build system says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct L4re {
    /// Words for `provides:` besides the driver's name.
    pub provides: Vec<String>,
    /// Words for `requires:` besides `stdlibs`.
    pub requires: Vec<String>,
    /// What the virtual bus of the example shall hold.
    pub bus: Bus,
    /// The example scripts.
    pub example: Example,
}

/// `[l4re.bus]`: which devices the driver can drive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bus {
    /// PCI devices, in the form that io matches: `CC_0180`, `VEN_1AF4&DEV_1042`.
    pub pci: Vec<String>,
    /// Other devices, by the `compatible` string of io's hardware description.
    pub compatible: Vec<String>,
}

/// `[l4re.example]`: the example that starts the driver and one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Example {
    /// Command line of the driver.
    pub options: Vec<String>,
    /// Arguments for making the client's device, `key=value` or `key`.
    pub create: Vec<String>,
}

/// Longest name of a driver, in characters.
pub const NAME_MAX: usize = rules::NAME_MAX;

/// Whether a word can be a driver's name.
pub fn is_name(word: &str) -> bool {
    rules::name(word).is_ok()
}

impl Manifest {
    /// Reads the file of a driver's folder.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be read, and with all mistakes in it.
    pub fn load(path: &Path) -> Result<(Self, Report), Failure> {
        let text = input::read_text(path, input::TEXT)
            .map_err(|error| Failure::io("read", path, &error))?;
        Self::from_toml(path, &text)
    }

    /// Reads the file's text; `path` is what messages call it.
    ///
    /// # Errors
    ///
    /// [`Failure`] with all mistakes in it.
    pub fn from_toml(path: &Path, text: &str) -> Result<(Self, Report), Failure> {
        Document::toml(path, text, read::manifest)
    }
}
