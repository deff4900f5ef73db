//! Drivers as services of a system with a systemd userland on L4Re.
//!
//! A unit names each capability that its program needs in the variable `L4_CAP_<what the program
//! calls it>`; the value is the capability's name in the table of the task that ned starts systemd
//! in. Units and the script of ned are written from one [`System`], so they cannot disagree;
//! [`check`] looks at units and scripts from elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::check::Package;
use l4re_packager_core::drvinfo::Cap as Described;
use l4re_packager_core::manifest::systemd::{Systemd, variable_of};
use l4re_packager_core::manifest::{ServiceCap, Source};
use l4re_packager_core::package::{self, Tree};
use l4re_packager_core::target::Target;

pub mod check;
mod modules;
mod ned;
pub mod script;
mod table;
pub mod unit;
mod write;

/// File that a folder made by [`System::emit`] has.
pub const MARK: &str = "ned/systemd.ned";

/// Where the units of the distribution and of packages are.
pub const VENDOR: &str = "usr/lib/systemd/system";

/// Where the links and drop-ins of the administrator are.
pub const ADMIN: &str = "etc/systemd/system";

/// Beginning of the names of variables that name capabilities.
pub const VARIABLE: &str = "L4_CAP_";

/// A driver as a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Name of the driver.
    pub driver: String,
    /// One line for people.
    pub description: String,
    /// File name of the program.
    pub program: String,
    /// The folder it is installed in.
    pub folder: String,
    /// `[systemd]`.
    pub settings: Systemd,
    /// The capabilities, sorted by their variable.
    pub caps: Vec<ServiceCap>,
    /// io's configuration for its bus by file name, one for each way to attach its devices.
    pub io: BTreeMap<String, String>,
    /// What io looks for on that bus: identifications of devices.
    pub devices: BTreeSet<String>,
    /// What there is a program for.
    pub targets: Vec<Target>,
}

impl Service {
    /// The service of a package.
    ///
    /// The program's own description says which capabilities there are. `[[cap]]` adds some, and
    /// says other things of one that has the same variable. One that may be missing, and of which
    /// nothing is known but its protocol, is left out.
    ///
    /// # Errors
    ///
    /// [`Failure`] for what starts before there is a systemd, and for a bus that nobody describes.
    pub fn of(package: &Package) -> Result<Self, Failure> {
        let driver = &package.manifest.driver;
        let Some(folder) = driver.kind.folder() else {
            let message = format!("{} is of the kind `init`: it is no service", driver.name);
            return Err(Diagnostic::error("init", message).into());
        };
        let info = package.binaries.first().and_then(|binary| binary.info.as_ref());
        let described = info.map_or(&[][..], |info| &info.caps);
        let mut caps: BTreeMap<String, ServiceCap> = BTreeMap::new();
        for cap in described.iter().filter_map(default_cap).chain(package.manifest.caps.clone()) {
            caps.insert(cap.variable.clone(), cap);
        }
        let caps: Vec<ServiceCap> = caps.into_values().collect();
        let bus = info.and_then(|info| info.bus()).map(|cap| variable_of(&cap.name));
        let devices = &package.manifest.l4re.bus;
        Ok(Self {
            devices: devices.pci.iter().chain(&devices.compatible).cloned().collect(),
            io: bus_files(package, bus.as_deref(), &caps)?,
            targets: package.binaries.iter().map(|binary| binary.target.clone()).collect(),
            driver: driver.name.clone(),
            description: driver.description.clone(),
            program: package.program.clone(),
            folder: folder.into(),
            settings: package.manifest.systemd.clone(),
            caps,
        })
    }

    /// Name of its unit file.
    pub fn unit(&self) -> String {
        format!("{}.service", self.driver)
    }

    /// Path of the program.
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder, self.program)
    }
}

/// io's configuration for the bus of a driver, which the program knows by this variable.
fn bus_files(
    package: &Package,
    variable: Option<&str>,
    caps: &[ServiceCap],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut files = BTreeMap::new();
    for cap in caps {
        let Source::Bus(of) = &cap.source else { continue };
        if variable != Some(&cap.variable) {
            let message = format!(
                "nothing says which devices are on the bus `{of}` ({VARIABLE}{}): [l4re.bus] is \
                 about the one that the program describes",
                cap.variable
            );
            let help = "use source = \"given\" and supply the bus in the script";
            return Err(Diagnostic::error("no-bus", message).help(help).into());
        }
        files = package::bus_files(&package.input(), of)?;
    }
    Ok(files)
}

/// What is assumed of a capability that the program describes.
fn default_cap(described: &Described) -> Option<ServiceCap> {
    let name = described.name.clone();
    let source = match described.protocol.as_str() {
        "vbus" => Source::Bus(name.clone()),
        "factory" if described.flags.server => Source::Server(name.clone()),
        _ if described.flags.mandatory => Source::Given,
        _ => return None,
    };
    let (variable, description) = (variable_of(&name), described.description.clone());
    Some(ServiceCap { variable, name, source, description })
}

/// Some services of one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    services: Vec<Service>,
    /// Further arguments of systemd: messages and a shell for debugging.
    debug: bool,
}

impl System {
    /// Services that one systemd shall run.
    ///
    /// # Errors
    ///
    /// [`Failure`] if two have one name, or if a name in the table of capabilities would have to
    /// stand for two.
    pub fn new(services: Vec<Service>, debug: bool) -> Result<(Self, Report), Failure> {
        let report = table::check(&services);
        report.into_result(Self { services, debug })
    }

    /// The services.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The files: a root file system's folder `root` with units, drop-ins and links, the scripts of
    /// ned, configurations of io, a module list, and a table for people.
    pub fn emit(&self) -> Tree {
        let mut tree = Tree::default();
        for service in &self.services {
            write::add(service, "root/", &mut tree);
        }
        tree.text(MARK, ned::with_systemd(self));
        tree.text("ned/direct.ned", ned::direct(self));
        tree.text("ned/direct.modules", modules::list(self));
        for (name, text) in self.services.iter().flat_map(|service| &service.io) {
            tree.text(&format!("io/{name}"), text.clone());
        }
        tree.text("README.md", write::readme(self));
        tree
    }
}

/// The text of a service's unit file.
pub fn unit_text(service: &Service) -> String {
    write::unit(service)
}
