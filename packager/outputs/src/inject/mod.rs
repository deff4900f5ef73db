//! Adding a driver to an image that already boots.
//!
//! The image gets the program, the configuration of its bus, and a script that starts it. The root
//! task's command line puts that script before the image's own one, which it runs afterwards in the
//! same Lua state and with its own arguments; so several drivers can be added one after the other.

use std::path::PathBuf;

use l4re_image::{Change, Content, Image, Module, Prepare, Selector, Source, strip};

use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::check::Package;
use l4re_packager_core::drvinfo::DriverInfo;
use l4re_packager_core::package::Binary;

mod bus;
mod caps;
mod roottask;
mod script;

use roottask::Roottask;
use script::Script;

/// What is to be added to what.
#[derive(Debug, Clone, Default)]
pub struct InjectOptions {
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
    /// Capabilities of the driver, and the Lua expressions that give them; they win over `[[cap]]`.
    pub caps: Vec<(String, String)>,
    /// The program's name in the image, if not that in the package.
    pub program: Option<String>,
    /// Add the program as it is, with everything for debuggers.
    pub keep_symbols: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Injected {
    /// Names of the modules that were added, or got new bytes.
    pub modules: Vec<String>,
    /// The program among them.
    pub program: String,
    /// Bytes of the program in the package, and in the image.
    pub sizes: (u64, u64),
    /// The root task's new command line.
    pub roottask: String,
    /// Whether the image's own I/O server gets the driver's bus.
    pub shared_io: bool,
    /// Warnings.
    pub report: Report,
}

/// Adds a driver to an image. If it was added before, it is brought up to date.
///
/// # Errors
///
/// [`Failure`] if the package or the image is not good, or if the image lacks something that the
/// driver needs. Nothing is written then.
pub fn inject(options: &InjectOptions) -> Result<Injected, Failure> {
    let package = Package::load(&options.package)?;
    let mut image = Image::open(&options.image)?;
    let about = |diagnostic: Diagnostic| diagnostic.file(&options.image);
    let binary = fitting(&package, &image).map_err(about)?;
    let manifest = &package.manifest;
    let name = &manifest.driver.name;
    let mut edit = Edit::new(&mut image, name)?;
    for file in &options.with {
        edit.put(Module::from_file(file, Prepare { strip: true, compress: false })?)?;
    }
    let roottask = Roottask::of(edit.image).map_err(about)?;
    let info = binary.info.as_ref();
    let bus = info.and_then(DriverInfo::bus).map(|bus| bus.name.as_str());
    let io = bus.map(|bus| bus::add_bus(&mut edit, options, name, bus)).transpose()?;
    let service = info.and_then(DriverInfo::service).map(|cap| cap.name.as_str());
    let own: Vec<&str> = bus.into_iter().chain(service).collect();
    let caps = caps::caps(&manifest.caps, &options.caps, &own)?;
    let program = options.program.as_deref().unwrap_or(&package.program);
    let source = Source::from_bytes(binary.bytes.clone());
    let content = if options.keep_symbols { Content::from(source) } else { strip(&source)? };
    let sizes = (binary.bytes.len() as u64, content.len());
    edit.put(Module::new(program, content))?;
    let user = options.script.as_deref().map(|path| {
        let module = Module::from_file(path, Prepare { strip: false, compress: false })?;
        let name = module.name.clone();
        edit.put(module).map(|()| name)
    });
    let user = user.transpose()?;
    let script = Script {
        name,
        program,
        args: options.args.as_ref().unwrap_or(&manifest.l4re.example.options),
        bus,
        io: io.as_ref(),
        service,
        caps: &caps,
        user: user.as_deref(),
    };
    let file = edit.script.clone();
    edit.put_bytes(&file, script.text().into_bytes())?;
    let modules = edit.done;
    let command_line = roottask.with_script(&file);
    let change = Change { command_line: Some(command_line.clone()), ..Change::default() };
    image.change(roottask.number, &change)?;

    let mut report = image.report().clone();
    if !options.dry_run {
        report.extend_about(&options.output, image.write(&options.output)?);
    }
    let shared_io = io.is_some_and(|io| io.shared);
    let program = program.to_owned();
    Ok(Injected { modules, program, sizes, roottask: command_line, shared_io, report })
}

/// The package's program for the image's machine.
///
/// # Errors
///
/// [`Diagnostic`] if it has none.
pub(crate) fn fitting<'a>(package: &'a Package, image: &Image) -> Result<&'a Binary, Diagnostic> {
    let (arch, bits) = (image.arch().name(), image.arch().bits());
    let fits = |binary: &&Binary| {
        let target = &binary.target;
        target.l4re.arch == arch && target.elf.class == bits
    };
    package.binaries.iter().find(fits).ok_or_else(|| {
        let message = format!("the image is for {arch}, and the package has no program for it");
        Diagnostic::error("target", message)
    })
}

fn names(image: &Image) -> Vec<String> {
    image.modules.iter().map(|module| module.name.clone()).collect()
}

/// The image while modules are put into it.
struct Edit<'a> {
    image: &'a mut Image,
    /// Name of the script that is to be made.
    script: String,
    /// Whether the image has that script: then what is there is replaced.
    again: bool,
    /// What was added or replaced.
    done: Vec<String>,
}

impl<'a> Edit<'a> {
    fn new(image: &'a mut Image, driver: &str) -> Result<Self, Failure> {
        let script = format!("{driver}.ned");
        let mark = script::mark(driver);
        let again = match image.rom(&script) {
            Some(module) => module.contains(mark.as_bytes())?,
            None => false,
        };
        Ok(Self { image, script, again, done: Vec::new() })
    }

    fn put(&mut self, module: Module) -> Result<(), Failure> {
        let name = module.name.clone();
        // Only files: a program of the kernel's name does not become the kernel.
        let there = self.again && self.image.rom(&name).is_some();
        match self.image.find(&Selector::Name(name.clone())) {
            Ok(number) if there => self.image.replace(number, module)?,
            _ => self.image.add(module, None)?,
        }
        self.done.push(name);
        Ok(())
    }

    fn put_bytes(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        self.put(Module::new(name, Source::from_bytes(bytes)))
    }
}
