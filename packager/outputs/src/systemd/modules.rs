//! The module list of the services without systemd: one entry for each way to attach devices.

use std::fmt::Write;

use super::{Service, System};
use l4re_packager_core::target::Target;

/// The ways to attach devices, as in the names of io's files.
const WAYS: [&str; 2] = ["pci", "mmio"];

/// The list.
pub(super) fn list(system: &System) -> String {
    let services = system.services();
    let mut text = String::from(
        "# vim:se ft=l4mods:\n# Made by the packager from driver.toml and the programs.\n\
         # On the search path: the folders io and ned of this tree, server/prebuilt/<arch> of the\n\
         # packages, L4Re's programs, its assets, and the kernel's build folder.\n",
    );
    let has = |way: &&str| services.iter().any(|service| file(service, way).is_some());
    let ways: Vec<&str> = WAYS.into_iter().filter(has).collect();
    for target in common(services) {
        if ways.is_empty() {
            entry(&mut text, services, target, "services", None);
        }
        for way in &ways {
            for (index, board) in target.platforms.iter().enumerate() {
                if *way == "mmio" && board.virtio_mmio.is_none() {
                    continue;
                }
                let name = match index {
                    0 => format!("services-{way}"),
                    _ => format!("services-{way}-{}", board.name),
                };
                entry(&mut text, services, target, &name, Some((&board.name, way)));
            }
        }
    }
    text
}

/// The targets that all services have a program for.
fn common(services: &[Service]) -> impl Iterator<Item = &Target> {
    let first = services.first().map_or(&[][..], |service| &service.targets);
    let all = |target: &&Target| services.iter().all(|service| service.targets.contains(target));
    first.iter().filter(all)
}

/// io's file for a service and a way to attach its devices.
fn file<'a>(service: &'a Service, way: &str) -> Option<&'a str> {
    let name = format!("{}-{way}.io", service.driver);
    service.io.keys().map(String::as_str).find(|file| *file == name)
}

fn entry(
    text: &mut String,
    services: &[Service],
    target: &Target,
    name: &str,
    bus: Option<(&str, &str)>,
) {
    let _ = write!(
        text,
        "\nentry[arch={}] {name}\nkernel fiasco -serial_esc\nroottask moe rom/direct.ned\n\
         module l4re\nmodule ned\nmodule direct.ned\n",
        target.l4re.arch
    );
    if let Some((board, way)) = bus {
        let _ = writeln!(text, "module io\nmodule io/plat-{board}/hw_devices.io");
        for service in services {
            let other = || service.io.keys().next().map(String::as_str);
            if let Some(file) = file(service, way).or_else(other) {
                // One name for all ways, so that one script serves them.
                let _ = writeln!(text, "module[fname={}.io] {file}", service.driver);
            }
        }
    }
    for service in services {
        let _ = writeln!(text, "module {}", service.program);
    }
}
