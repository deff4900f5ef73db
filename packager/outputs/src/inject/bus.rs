//! The driver's bus: its configuration, and the I/O server that makes it.

use std::path::PathBuf;

use l4re_files::input;
use l4re_image::{Image, Kind, Module};

use super::script::Io;
use super::{Edit, InjectOptions, names};
use l4re_packager_base::{Diagnostic, Failure};

/// Bytes of a module that may be a script.
const MAX_SCRIPT: usize = 256 << 10;
/// Bytes of a capability's name, without the end.
const MAX_CAP: usize = 15;
/// The I/O server's name.
const IO: &str = "io";

/// Adds the configuration of the driver's bus; answers how the I/O server gets it.
pub(super) fn add_bus(
    edit: &mut Edit<'_>,
    options: &InjectOptions,
    name: &str,
    cap: &str,
) -> Result<Io, Failure> {
    let image = &*edit.image;
    if image.rom(IO).is_none() {
        let message = "the image has no I/O server, which the driver gets its devices from";
        let help = "add it: --with <build>/bin/…/io --with <build>/assets/io/…/hw_devices.io";
        let diagnostic = Diagnostic::error("no-io", message).file(&options.image);
        return Err(diagnostic.help(help).into());
    }
    let path = configuration(options, name)?;
    let text =
        input::read_text(&path, input::TEXT).map_err(|error| Failure::io("read", &path, &error))?;
    // The bus gets the driver's name: in one system there can be several with the driver's own name
    // for it.
    let bus: String = name.chars().take(MAX_CAP).collect();
    let (old, new) = (format!("[\"{cap}\"] = "), format!("[\"{bus}\"] = "));
    if text.matches(&old).count() != 1 {
        let message = format!("does not define the bus `{cap}` once, in the form `{old}…`");
        return Err(Diagnostic::error("no-bus", message).file(&path).into());
    }
    let shared = starts_io(image, &edit.script)?;
    let hardware: Vec<String> = names(image)
        .into_iter()
        .filter(|name| name.contains("hw_devices") && name.ends_with(".io"))
        .collect();
    if !shared && hardware.is_empty() {
        let message = "the image has no description of the hardware for the I/O server";
        let help = "add that of the board: --with <build>/assets/io/…/hw_devices.io";
        let diagnostic = Diagnostic::error("no-io", message).file(&options.image);
        return Err(diagnostic.help(help).into());
    }
    let file = format!("{name}.io");
    edit.put_bytes(&file, text.replace(&old, &new).into_bytes())?;
    Ok(Io { bus, file, hardware, shared })
}

/// The package's file for the bus that is wanted.
fn configuration(options: &InjectOptions, name: &str) -> Result<PathBuf, Failure> {
    let path = |bus: &str| options.package.join(format!("assets/io/{name}-{bus}.io"));
    let mut there = ["pci", "mmio"].into_iter().filter(|bus| path(bus).is_file());
    let found = match &options.bus {
        Some(wanted) => there.clone().find(|bus| bus == wanted),
        None => there.clone().next(),
    };
    found.map(path).ok_or_else(|| {
        let wanted = options.bus.as_deref().unwrap_or("any");
        let message = format!("the package has no configuration for the bus `{wanted}`");
        let help = match there.next() {
            Some(bus) => format!("there is one for `{bus}`"),
            None => "build the package again".into(),
        };
        Diagnostic::error("no-bus", message).file(&options.package).help(help).into()
    })
}

/// Whether a script of the image, other than the one that is to be made, starts the I/O server.
fn starts_io(image: &Image, ours: &str) -> Result<bool, Failure> {
    let others = |module: &&Module| module.kind == Kind::File && module.name != ours;
    for module in image.modules.iter().filter(others) {
        if module.stored_size() > MAX_SCRIPT as u64 || module.is_compressed() {
            continue;
        }
        let bytes = module.content().to_vec(MAX_SCRIPT)?;
        if mentions_io(&String::from_utf8_lossy(&bytes)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a text has the server's path as a word.
fn mentions_io(text: &str) -> bool {
    let code = text.lines().map(|line| line.split("--").next().unwrap_or_default());
    let word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    code.flat_map(|line| line.split(|c| !word(c))).any(|word| word == "rom/io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_path_in_code_counts() {
        assert!(mentions_io("ld:start({}, \"rom/io rom/hw_devices.io\")"));
        assert!(mentions_io("x()\nld:startv({}, 'rom/io')"));
        assert!(!mentions_io("ld:start({}, \"rom/ion rom/io.cfg\")"));
        assert!(!mentions_io("-- rom/io is not started here"));
        assert!(!mentions_io("\u{7f}ELF\0rom/io.so"));
    }
}
