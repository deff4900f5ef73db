//! The one table of capabilities that all services share.

use std::collections::BTreeMap;

use super::Service;
use l4re_packager_base::{Diagnostic, Report};
use l4re_packager_core::manifest::{ServiceCap, Source};

/// An entry: the first capability of that name, and the service that has it.
pub(super) type Entry<'a> = (&'a ServiceCap, &'a Service);

/// The table, by name.
pub(super) fn table(services: &[Service]) -> BTreeMap<&str, Entry<'_>> {
    let mut table = BTreeMap::new();
    for service in services {
        for cap in &service.caps {
            table.entry(cap.name.as_str()).or_insert((cap, service));
        }
    }
    table
}

/// What is wrong with it.
pub(super) fn check(services: &[Service]) -> Report {
    let mut report = Report::new();
    let table = table(services);
    for (index, service) in services.iter().enumerate() {
        let before = services.iter().take(index);
        report.extend(before.filter_map(|other| clash(service, other)));
        for cap in &service.caps {
            if let Some(&(first, owner)) = table.get(cap.name.as_str())
                && !std::ptr::eq(first, cap)
            {
                report.extend(conflict(cap, service, first, owner));
            }
        }
    }
    report.extend(services.iter().flat_map(|service| unserved(services, service)));
    report
}

/// What two services cannot share.
fn clash(service: &Service, other: &Service) -> Option<Diagnostic> {
    let (one, two) = (other.unit(), service.unit());
    if one == two {
        let diagnostic = Diagnostic::error("two-units", format!("two services would be {one}"));
        return Some(diagnostic.help("give the drivers different names"));
    }
    if other.program == service.program {
        let message =
            format!("{one} and {two} have different programs of the name {}", other.program);
        let help = "set `program` in one driver.toml, and the name of the binary in its Cargo.toml";
        return Some(Diagnostic::error("two-programs", message).help(help));
    }
    let device = service.devices.intersection(&other.devices).next()?;
    let message = format!("{one} and {two} both want the devices that match `{device}`");
    let help =
        "io puts a device on one bus: narrow [l4re.bus] of one of them, or edit the files in io/";
    Some(Diagnostic::warning("same-devices", message).help(help))
}

/// What two capabilities with one name may not do.
fn conflict(
    cap: &ServiceCap,
    service: &Service,
    first: &ServiceCap,
    owner: &Service,
) -> Option<Diagnostic> {
    let (one, other) = (owner.unit(), service.unit());
    let name = &cap.name;
    if cap.source != first.source {
        let message = format!(
            "the name `{name}` would stand for two capabilities: {} in {one} and {} in {other}",
            described(first),
            described(cap)
        );
        let help = format!(
            "systemd has one table for all services; take another name for one of them, for example \
             [[cap]] variable = \"{}\" name = \"{name}_2\" source = \"{}\"{}",
            cap.variable,
            cap.source.name(),
            of(&cap.source).map(|of| format!(" of = \"{of}\"")).unwrap_or_default()
        );
        return Some(Diagnostic::error("cap-conflict", message).help(help));
    }
    // A program may know one capability by two variables.
    if owner == service {
        return None;
    }
    let (what, code) = match cap.source {
        Source::Server(_) => ("are both the server of", "two-servers"),
        Source::Bus(_) => ("would share the devices of the bus", "shared-bus"),
        _ => return None,
    };
    let message = format!("{one} and {other} {what} `{name}`");
    let help =
        format!("give one of them its own: [[cap]] variable = \"{}\" name = …", cap.variable);
    Some(Diagnostic::error(code, message).help(help))
}

/// Channels of a service that no service serves.
fn unserved<'a>(
    services: &'a [Service],
    service: &'a Service,
) -> impl Iterator<Item = Diagnostic> + 'a {
    let served = |wanted: &str| {
        let mut caps = services.iter().flat_map(|service| &service.caps);
        caps.any(|cap| matches!(&cap.source, Source::Server(of) if of == wanted))
    };
    service.caps.iter().filter_map(move |cap| match &cap.source {
        Source::Channel(of) | Source::Factory(of) if !served(of) => {
            let message = format!(
                "{} uses the channel `{of}`, which none of these services serves",
                service.unit()
            );
            let diagnostic = Diagnostic::warning("no-server", message);
            Some(
                diagnostic
                    .help("emit the service that does along with it, or use source = \"given\""),
            )
        }
        _ => None,
    })
}

/// The channel, bus or name that a source is about.
pub(super) fn of(source: &Source) -> Option<&str> {
    match source {
        Source::Channel(of)
        | Source::Factory(of)
        | Source::Server(of)
        | Source::Bus(of)
        | Source::Env(of) => Some(of),
        Source::Given => None,
    }
}

/// A source in words.
pub(super) fn described(cap: &ServiceCap) -> String {
    match &cap.source {
        Source::Channel(of) => format!("the client's end of the channel `{of}`"),
        Source::Factory(of) => format!("the channel `{of}`, with the right to ask for objects"),
        Source::Server(of) => format!("the server's end of the channel `{of}`"),
        Source::Bus(of) => format!("the virtual bus `{of}`"),
        Source::Env(of) => format!("ned's own `{of}`"),
        Source::Given => "something to be supplied".into(),
    }
}
