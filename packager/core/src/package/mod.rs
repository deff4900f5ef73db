//! The package for L4Re's build system: a folder with the finished program, an example system and
//! the documentation.
//!
//! [`emit`] is a function from checked input to a [`Tree`] of files in memory; nothing in it depends
//! on the time, the machine or the order of anything, so equal input gives equal files.

use std::collections::BTreeMap;

use crate::drvinfo::DriverInfo;
use crate::manifest::{self, Manifest};
use crate::target::Target;
use l4re_packager_base::{Diagnostic, Failure};

mod build_files;
mod capdb;
mod io;
pub mod lua;
mod modlist;
mod ned;
mod tree;
mod usage;

pub use lua::string as lua_string;
pub use tree::{Entry, Tree};

/// First line of every generated file that can have a comment, behind the comment's sign.
const GENERATED: &str = "Made by the packager from driver.toml and the program.";

/// What a package is made of.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The driver's `driver.toml`.
    pub manifest: &'a Manifest,
    /// Its text.
    pub manifest_text: &'a str,
    /// File name of the program.
    pub program: &'a str,
    /// The program, once for each target; at least one.
    pub binaries: &'a [Binary],
}

/// The program for one target.
#[derive(Debug, Clone)]
pub struct Binary {
    /// The target.
    pub target: Target,
    /// The ELF file, checked.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub info: Option<DriverInfo>,
}

/// Where the program for a target is inside of a package.
pub fn binary_path(target: &Target, program: &str) -> String {
    format!("server/prebuilt/{}/{program}", target.l4re.arch)
}

/// Makes the files of a package.
///
/// # Errors
///
/// [`Failure`] if the programs for several targets do not describe themselves alike, or if the
/// example needs something that the program does not describe.
pub fn emit(input: &Input<'_>) -> Result<Tree, Failure> {
    let info = common_info(input.binaries)?;
    let example = Example::new(input, info)?;
    let name = &input.manifest.driver.name;
    let mut tree = Tree::default();
    tree.text(manifest::FILE, input.manifest_text);
    tree.text("Control", build_files::control(input.manifest));
    tree.text("Makefile", build_files::package());
    let targets: Vec<&Target> = input.binaries.iter().map(|binary| &binary.target).collect();
    tree.text("server/Makefile", build_files::server(input.program, &targets));
    for binary in input.binaries {
        tree.program(&binary_path(&binary.target, input.program), binary.bytes.clone());
    }

    let ned = format!("{name}.ned");
    tree.text(&format!("assets/ned/{ned}"), ned::script(&example));
    tree.text("assets/ned/Makefile", build_files::assets("NED", &[&ned]));
    let io_files = io::files(&example);
    if !io_files.is_empty() {
        let names: Vec<&str> = io_files.keys().map(String::as_str).collect();
        tree.text("assets/io/Makefile", build_files::assets("IO", &names));
    }
    for (file, text) in io_files {
        tree.text(&format!("assets/io/{file}"), text);
    }
    let list = format!("{name}.modules");
    tree.text(&format!("assets/modlist/{list}"), modlist::list(&example));
    tree.text("assets/modlist/Makefile", build_files::assets("MODLIST", &[&list]));
    tree.text("assets/Makefile", build_files::assets_root(example.bus.is_some()));

    if let Some(info) = info {
        tree.text("doc/capdb.yml", capdb::text(&example, info));
        tree.text("doc/usage.md", usage::text(&example, info));
    }
    Ok(tree)
}

/// io's configuration for the driver's bus by file name, one for each way to attach the devices. The
/// bus is called `bus` in it, which need not be what the program calls it. Empty if it has none.
///
/// # Errors
///
/// As [`emit`].
pub fn bus_files(input: &Input<'_>, bus: &str) -> Result<BTreeMap<String, String>, Failure> {
    let mut example = Example::new(input, common_info(input.binaries)?)?;
    example.bus = example.bus.map(|_| bus);
    Ok(io::files(&example))
}

/// The description that all programs share.
fn common_info(binaries: &[Binary]) -> Result<Option<&DriverInfo>, Failure> {
    let first = binaries.first();
    for other in binaries {
        if first.is_some_and(|first| first.info != other.info) {
            let message = format!(
                "the program for {} describes other capabilities or options than the first one",
                other.target.name
            );
            return Err(Diagnostic::error("drvinfo-differs", message).into());
        }
    }
    Ok(first.and_then(|first| first.info.as_ref()))
}

/// What the example system consists of.
#[derive(Debug)]
struct Example<'a> {
    manifest: &'a Manifest,
    program: &'a str,
    targets: Vec<&'a Target>,
    /// Name of the driver's capability for its virtual bus, if it uses one.
    bus: Option<&'a str>,
    /// Name of the driver's capability at which clients ask for devices, if it serves any.
    service: Option<&'a str>,
}

/// A way to attach the devices of the example, with its own entry in the module list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// PCI devices.
    Pci,
    /// Devices of the board.
    Mmio,
    /// No devices at all.
    None,
}

impl<'a> Example<'a> {
    fn new(input: &Input<'a>, info: Option<&'a DriverInfo>) -> Result<Self, Failure> {
        let bus = info.and_then(DriverInfo::bus).map(|cap| cap.name.as_str());
        let wanted = &input.manifest.l4re.bus;
        if bus.is_none() && !(wanted.pci.is_empty() && wanted.compatible.is_empty()) {
            let message = "[l4re.bus] names devices, but the program describes no capability with \
                           the protocol `vbus`";
            let help = "declare it in `driver_info!`: cap \"vbus\": \"vbus\" [mandatory] \"…\";";
            return Err(Diagnostic::error("no-bus", message).help(help).into());
        }
        Ok(Self {
            manifest: input.manifest,
            program: input.program,
            targets: input.binaries.iter().map(|binary| &binary.target).collect(),
            bus,
            service: info.and_then(DriverInfo::service).map(|cap| cap.name.as_str()),
        })
    }

    fn name(&self) -> &str {
        &self.manifest.driver.name
    }

    /// The ways to attach devices that the manifest allows.
    fn variants(&self) -> Vec<Variant> {
        let bus = &self.manifest.l4re.bus;
        let mut variants = Vec::new();
        if self.bus.is_some() && !bus.pci.is_empty() {
            variants.push(Variant::Pci);
        }
        if self.bus.is_some() && !bus.compatible.is_empty() {
            variants.push(Variant::Mmio);
        }
        if variants.is_empty() {
            variants.push(Variant::None);
        }
        variants
    }
}

impl Variant {
    /// The file with io's configuration for it.
    fn io_file(self, name: &str) -> Option<String> {
        match self {
            Self::Pci => Some(format!("{name}-pci.io")),
            Self::Mmio => Some(format!("{name}-mmio.io")),
            Self::None => None,
        }
    }

    /// The entry of the module list.
    fn entry(self, name: &str) -> String {
        match self {
            Self::Pci => format!("{name}-pci"),
            Self::Mmio => format!("{name}-mmio"),
            Self::None => name.into(),
        }
    }
}
