//! Adding a driver to an image that already boots.
//!
//! The image gets the program, the configuration of its bus, and a script that starts it. The root
//! task's command line puts that script before the image's own one, which it runs afterwards in the
//! same Lua state and with its own arguments; so several drivers can be added one after the other.

use std::fs;
use std::path::{Path, PathBuf};

use l4re_image::{Change, Image, Kind, Module, Prepare, Source, strip};

use crate::check::Package;
use crate::diag::{Diagnostic, Failure, Report};
use crate::drvinfo::DriverInfo;

mod roottask;
mod script;

use roottask::Roottask;
use script::{Io, Script};

/// Bytes of a module that may be a script.
const MAX_SCRIPT: usize = 256 << 10;
/// Bytes of a capability's name, without the end.
const MAX_CAP: usize = 15;
/// The I/O server's name.
const IO: &str = "io";

/// What is to be added to what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the package.
    pub package: PathBuf,
    /// The image.
    pub image: PathBuf,
    /// Where the new image goes.
    pub output: PathBuf,
    /// Which of the package's bus configurations: `pci` or `mmio`. The first one if not given.
    pub bus: Option<String>,
    /// Files to be added as well, such as the I/O server.
    pub with: Vec<PathBuf>,
    /// A script that uses the driver, to be run behind its start.
    pub script: Option<PathBuf>,
    /// The driver's arguments; those of the package's example if not given.
    pub args: Option<Vec<String>>,
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Injected {
    /// Names of the modules that were added.
    pub modules: Vec<String>,
    /// The root task's new command line.
    pub roottask: String,
    /// Whether the image's own I/O server gets the driver's bus.
    pub shared_io: bool,
    /// Warnings.
    pub report: Report,
}

/// Adds a driver to an image.
///
/// # Errors
///
/// [`Failure`] if the package or the image is not good, or if the image lacks something that the
/// driver needs. Nothing is written then.
pub fn inject(options: &Options) -> Result<Injected, Failure> {
    let package = Package::load(&options.package)?;
    let mut image = Image::open(&options.image)?;
    let about = |diagnostic: Diagnostic| diagnostic.file(&options.image);
    let (arch, bits) = (image.arch().name(), image.arch().bits());
    let binary = package.binaries.iter().find(|binary| {
        let target = &binary.target;
        target.l4re.arch == arch && target.elf.class == bits
    });
    let Some(binary) = binary else {
        let message = format!("the image is for {arch}, and the package has no program for it");
        return Err(about(Diagnostic::error("target", message)).into());
    };
    let before: Vec<String> = names(&image);
    for file in &options.with {
        let prepare = Prepare { strip: true, compress: false };
        image.add(Module::from_file(file, prepare)?, None)?;
    }
    let roottask = Roottask::of(&image).map_err(about)?;
    let name = &package.manifest.driver.name;
    let info = binary.info.as_ref();
    let bus = info.and_then(DriverInfo::bus);
    let io = bus.map(|bus| add_bus(&mut image, options, name, &bus.name)).transpose()?;
    let program = strip(&Source::from_bytes(binary.bytes.clone()))?;
    image.add(Module::new(package.program.as_str(), program), None)?;
    let user = options.script.as_deref().map(|path| add_file(&mut image, path)).transpose()?;
    let script = Script {
        name,
        program: &package.program,
        args: options.args.as_ref().unwrap_or(&package.manifest.l4re.example.options),
        bus: bus.map(|bus| bus.name.as_str()),
        io: io.as_ref(),
        service: info.and_then(DriverInfo::service).map(|cap| cap.name.as_str()),
        user: user.as_deref(),
    };
    let file = format!("{name}.ned");
    add(&mut image, &file, script.text().into_bytes())?;
    let command_line = roottask.with_script(&file);
    let change = Change { command_line: Some(command_line.clone()), ..Change::default() };
    image.change(roottask.number, &change)?;

    let mut report = image.report().clone();
    report.extend_about(&options.output, image.write(&options.output)?);
    let modules = names(&image).into_iter().filter(|name| !before.contains(name)).collect();
    let shared_io = io.is_some_and(|io| io.shared);
    Ok(Injected { modules, roottask: command_line, shared_io, report })
}

fn names(image: &Image) -> Vec<String> {
    image.modules.iter().map(|module| module.name.clone()).collect()
}

fn add(image: &mut Image, name: &str, bytes: Vec<u8>) -> Result<(), Failure> {
    Ok(image.add(Module::new(name, Source::from_bytes(bytes)), None)?)
}

/// Adds a file as it is; answers its name.
fn add_file(image: &mut Image, path: &Path) -> Result<String, Failure> {
    let module = Module::from_file(path, Prepare { strip: false, compress: false })?;
    let name = module.name.clone();
    image.add(module, None)?;
    Ok(name)
}

/// Adds the configuration of the driver's bus; answers how the I/O server gets it.
fn add_bus(image: &mut Image, options: &Options, name: &str, cap: &str) -> Result<Io, Failure> {
    if image.rom(IO).is_none() {
        let message = "the image has no I/O server, which the driver gets its devices from";
        let help = "add it: --with <build>/bin/…/io --with <build>/assets/io/…/hw_devices.io";
        let diagnostic = Diagnostic::error("no-io", message).file(&options.image);
        return Err(diagnostic.help(help).into());
    }
    let path = configuration(options, name)?;
    let text = fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
    // The bus gets the driver's name: in one system there can be several with the driver's own name
    // for it.
    let bus: String = name.chars().take(MAX_CAP).collect();
    let (old, new) = (format!("[\"{cap}\"] = "), format!("[\"{bus}\"] = "));
    if text.matches(&old).count() != 1 {
        let message = format!("does not define the bus `{cap}` once, in the form `{old}…`");
        return Err(Diagnostic::error("no-bus", message).file(&path).into());
    }
    let shared = starts_io(image)?;
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
    add(image, &file, text.replace(&old, &new).into_bytes())?;
    Ok(Io { bus, file, hardware, shared })
}

/// The package's file for the bus that is wanted.
fn configuration(options: &Options, name: &str) -> Result<PathBuf, Failure> {
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

/// Whether a script of the image starts the I/O server.
fn starts_io(image: &Image) -> Result<bool, Failure> {
    for module in image.modules.iter().filter(|module| module.kind == Kind::File) {
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
