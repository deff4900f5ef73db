//! The boot archive: the example system of the package, in the stand-in's terms.

use std::borrow::Cow;

use l4re_files::input;
use l4re_standin_bootinfo as boot;

use super::{RunOptions, Transport};
use crate::check::Package;
use crate::drvinfo::DriverInfo;
use crate::package::Binary;
use l4re_packager_base::{Diagnostic, Failure};

/// What the driver's gate and bus are called inside of the archive.
const GATE: &str = "service";
const BUS: &str = "bus";

/// Rights of a client's side of a gate that allow requests for devices: write, special, read.
const CLIENT_RIGHTS: u8 = 7;
/// Priorities, as in the example script.
const DRIVER_PRIORITY: u8 = 0x50;
const CLIENT_PRIORITY: u8 = 0x10;

/// Makes the archive.
pub(super) fn make(
    package: &Package,
    binary: &Binary,
    options: &RunOptions,
) -> Result<Vec<u8>, Failure> {
    let info = binary.info.as_ref();
    let mut boot = boot::Boot {
        modules: vec![boot::Module {
            name: package.program.clone(),
            data: Cow::Borrowed(&binary.bytes),
        }],
        tasks: vec![driver(package, info)],
        ..boot::Boot::default()
    };
    if info.and_then(DriverInfo::bus).is_some() {
        let filters = filters(package, options.transport)?;
        boot.buses.push(boot::Bus { name: BUS.into(), filters, messages: 0 });
    }
    if info.and_then(DriverInfo::service).is_some() {
        boot.gates.push(GATE.into());
    }
    for (index, client) in options.clients.iter().enumerate() {
        let path = &client.program;
        let bytes =
            input::read(path, input::PROGRAM).map_err(|error| Failure::io("read", path, &error))?;
        let name = format!("client{index}");
        boot.modules.push(boot::Module { name: name.clone(), data: Cow::Owned(bytes) });
        let given = options.create.get(index).or(options.create.last());
        let create = given.unwrap_or(&package.manifest.l4re.example.create);
        boot.tasks.push(task(&name, &client.args, client_caps(create, info), CLIENT_PRIORITY));
    }
    // The driver never ends; the harness stops when all results are there.
    boot.encode().map_err(|error| {
        Diagnostic::error("archive", format!("the boot archive cannot be made: {error}")).into()
    })
}

fn driver(package: &Package, info: Option<&DriverInfo>) -> boot::Task {
    let mut caps = Vec::new();
    if let Some(bus) = info.and_then(DriverInfo::bus) {
        caps.push((bus.name.clone(), boot::Grant::Vbus(BUS.into())));
    }
    if let Some(service) = info.and_then(DriverInfo::service) {
        let grant = boot::Grant::Gate { name: GATE.into(), server: true, rights: 0xf };
        caps.push((service.name.clone(), grant));
    }
    task(&package.program, &package.manifest.l4re.example.options, caps, DRIVER_PRIORITY)
}

/// A client gets a device under the name `disk`, and the driver's gate to ask for more.
fn client_caps(create: &[String], info: Option<&DriverInfo>) -> Vec<(String, boot::Grant)> {
    let Some(service) = info.and_then(DriverInfo::service) else { return Vec::new() };
    let gate = boot::Grant::Gate { name: GATE.into(), server: false, rights: CLIENT_RIGHTS };
    let mut caps = vec![(service.name.clone(), gate)];
    if !create.is_empty() {
        let args = create.iter().cloned().map(boot::Arg::Str).collect();
        caps.push(("disk".into(), boot::Grant::Create { gate: GATE.into(), object: 0, args }));
    }
    caps
}

fn task(name: &str, args: &[String], caps: Vec<(String, boot::Grant)>, priority: u8) -> boot::Task {
    let mut argv = vec![format!("rom/{name}")];
    argv.extend(args.iter().cloned());
    boot::Task {
        name: name.into(),
        module: name.into(),
        argv,
        caps,
        priority,
        ..boot::Task::default()
    }
}

/// What of the devices on the chosen transport the manifest lets onto the bus.
fn filters(package: &Package, transport: Transport) -> Result<Vec<boot::Filter>, Failure> {
    let bus = &package.manifest.l4re.bus;
    let filters: Vec<_> = match transport {
        Transport::Pci => bus.pci.iter().map(|id| pci(id)).collect(),
        Transport::Mmio | Transport::MmioLegacy => bus
            .compatible
            .iter()
            .filter(|id| *id == "virtio,mmio")
            .map(|_| boot::Filter::PresentMmio)
            .collect(),
    };
    if filters.is_empty() {
        let message = "[l4re.bus] in driver.toml names no device on this transport";
        let help = "choose another one with --transport";
        return Err(Diagnostic::error("no-device", message).help(help).into());
    }
    Ok(filters)
}

/// One word of `[l4re.bus] pci`, which the manifest's rules have checked.
fn pci(id: &str) -> boot::Filter {
    let (mut class, mut vendor, mut device) = (None, None, None);
    for token in id.split('&') {
        let Some((key, digits)) = token.split_once('_') else { continue };
        let number = u32::from_str_radix(digits, 16).unwrap_or_default();
        match key {
            "CC" => {
                let bytes = u8::try_from(digits.len() / 2).unwrap_or(3).min(3);
                class = Some((number << (8 * (3 - u32::from(bytes))), bytes));
            }
            "VEN" => vendor = u16::try_from(number).ok(),
            "DEV" => device = u16::try_from(number).ok(),
            // The stand-in does not look at revisions and subsystems.
            _ => {}
        }
    }
    boot::Filter::Pci { class, vendor, device }
}
