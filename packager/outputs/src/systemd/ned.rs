//! Scripts of ned: one that starts systemd with every capability its services need, and one that
//! starts the services themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::table::table;
use super::write::pairs;
use super::{Service, System};
use l4re_packager_core::manifest::{ServiceCap, Source};
use l4re_packager_core::package::lua::{self, NEED, SCHEDULER};
use l4re_packager_core::package::lua_string as string;

/// Arguments of systemd that show what it does.
const DEBUG: [&str; 2] = ["systemd.log_level=debug", "systemd.debug-shell"];

/// Priorities: services that use no other one, from one to its clients, and the lowest.
const DRIVER: u8 = 0x50;
const STEP: u8 = 0x10;
const LOWEST: u8 = 0x10;

/// The script that starts systemd.
pub(super) fn with_systemd(system: &System) -> String {
    let mut text = head("Starts systemd with the capabilities that its services need.", system);
    text.push_str("\n-- The units name these in L4_CAP_…; both are made from one table.\n");
    let caps: Vec<&ServiceCap> =
        table(system.services()).into_values().map(|(cap, _)| cap).collect();
    let debug = if system.debug { &DEBUG[..] } else { &[] };
    let command = std::iter::once("rom/systemd").chain(debug.iter().copied());
    let command: Vec<String> = command.map(string).collect();
    start(&mut text, "systemd", DRIVER, &caps, &command);
    text
}

/// The script that starts the services without systemd.
pub(super) fn direct(system: &System) -> String {
    let mut text = head("Starts the services of the units without systemd.", system);
    for service in system.services() {
        let own = table(std::slice::from_ref(service));
        let caps: Vec<&ServiceCap> = own.into_values().map(|(cap, _)| cap).collect();
        let priority = priority(system.services(), service);
        let mut command = vec![string(&format!("rom/{}", service.program))];
        command.extend(service.settings.options.iter().map(|option| string(option)));
        let variables: Vec<String> = pairs(service)
            .into_iter()
            .map(|(name, value)| format!("{name} = {}", string(&value)))
            .collect();
        if !variables.is_empty() {
            command.push(format!("{{ {} }}", variables.join(", ")));
        }
        text.push('\n');
        start(&mut text, &service.driver, priority, &caps, &command);
    }
    text
}

/// A service's priority: below those whose channels it uses.
fn priority(services: &[Service], service: &Service) -> u8 {
    DRIVER - STEP * distance(services, service, (DRIVER - LOWEST) / STEP)
}

/// How many services stand between this one and a driver that uses none; at most `limit`, also if
/// they use each other in a circle.
fn distance(services: &[Service], service: &Service, limit: u8) -> u8 {
    let servers = service.caps.iter().filter_map(|cap| match &cap.source {
        Source::Channel(of) | Source::Factory(of) => Some(Source::Server(of.clone())),
        _ => None,
    });
    let serving = servers.flat_map(|server| {
        services.iter().filter(move |other| other.caps.iter().any(|cap| cap.source == server))
    });
    match limit {
        0 => 0,
        _ => serving.map(|other| 1 + distance(services, other, limit - 1)).max().unwrap_or(0),
    }
}

fn head(what: &str, system: &System) -> String {
    let services = system.services();
    let mut text = format!(
        "-- vi:ft=lua\n-- Made by the packager from driver.toml and the programs.\n-- {what}\n{SCHEDULER}{NEED}"
    );
    given(&mut text, services);
    let all = || services.iter().flat_map(|service| &service.caps);
    let channels: BTreeSet<&str> = all()
        .filter_map(|cap| match &cap.source {
            Source::Channel(of) | Source::Factory(of) | Source::Server(of) => Some(of.as_str()),
            _ => None,
        })
        .collect();
    channel_table(&mut text, "channel", &channels);
    let mut buses: BTreeMap<&str, &Service> = BTreeMap::new();
    for service in services {
        for cap in &service.caps {
            if let Source::Bus(of) = &cap.source {
                buses.entry(of).or_insert(service);
            }
        }
    }
    channel_table(&mut text, "bus", &buses.keys().copied().collect());
    if !buses.is_empty() {
        io(&mut text, &buses);
    }
    text
}

/// What only whoever builds the system knows.
fn given(text: &mut String, services: &[Service]) {
    let entries: BTreeMap<&str, &ServiceCap> = table(services)
        .into_iter()
        .filter(|(_, (cap, _))| cap.source == Source::Given)
        .map(|(name, (cap, _))| (name, cap))
        .collect();
    if entries.is_empty() {
        return;
    }
    text.push_str("\n-- To be supplied, depending on the machine.\nlocal given = {\n");
    for (name, cap) in entries {
        let comment = if cap.description.is_empty() { "" } else { " -- " };
        let _ = writeln!(text, "  [{}] = nil,{comment}{}", string(name), cap.description);
    }
    text.push_str("}\n");
}

fn channel_table(text: &mut String, name: &str, channels: &BTreeSet<&str>) {
    if channels.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nlocal {name} = {{");
    for channel in channels {
        let _ = writeln!(text, "  [{}] = ld:new_channel(),", string(channel));
    }
    text.push_str("}\n");
}

/// io, with one configuration for each driver that has a bus.
fn io(text: &mut String, buses: &BTreeMap<&str, &Service>) {
    text.push_str(
        "\n-- Each rom/<driver>.io is one of the files io/<driver>-….io beside this script's folder.\n",
    );
    let files: BTreeSet<String> =
        buses.values().map(|service| format!("{}.io", service.driver)).collect();
    let files = std::iter::once("hw_devices.io").chain(files.iter().map(String::as_str));
    let buses = buses.keys().map(|of| (*of, format!("bus[{}]", string(of))));
    text.push_str(&lua::io(buses, files));
}

fn start(text: &mut String, tag: &str, priority: u8, caps: &[&ServiceCap], command: &[String]) {
    let mut lines = String::new();
    for cap in caps {
        let _ = writeln!(
            lines,
            "    [{0}] = need({0}, {1}),",
            string(&cap.name),
            expression(&cap.name, &cap.source)
        );
    }
    text.push_str(&lua::start(tag, priority, &lines, command));
}

/// Where a capability comes from, in Lua.
fn expression(name: &str, source: &Source) -> String {
    match source {
        Source::Channel(of) => format!("channel[{}]", string(of)),
        Source::Factory(of) => format!("channel[{}]:m(\"rws\")", string(of)),
        Source::Server(of) => format!("channel[{}]:svr()", string(of)),
        Source::Bus(of) => format!("bus[{}]", string(of)),
        Source::Env(of) => format!("L4.Env.{of}"),
        Source::Given => format!("given[{}]", string(name)),
    }
}
