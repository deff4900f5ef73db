//! An image, taken apart.

use std::path::Path;

use l4re_packager_base::{Diagnostic, Failure, Report};

use crate::attrs::Attrs;
use crate::container::{Container, Format};
use crate::info::{Arch, Info};
use crate::source::{Content, Source};
use crate::table::{self, Record};

/// Bits of a module's flags that tell its kind.
const KIND_MASK: u64 = 7;
/// Flag of older versions: addresses instead of offsets.
const ABSOLUTE: u64 = 1 << 4;
/// Modules that bootstrap can move out of the kernel's way.
const MOVABLE_MODULES: usize = 256;
/// Attribute by which several kernels or root tasks can be told apart.
const NODES: &str = "nodes";
/// What the stock tool says of who made an image, where and when.
const ORIGIN: [&str; 2] = ["l4i:creation-", "l4i:modification-"];

/// What a module is to bootstrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file for the running system.
    File,
    /// The kernel.
    Kernel,
    /// The root pager.
    Sigma0,
    /// The first task behind it.
    Roottask,
}

impl Kind {
    /// The names, as in module lists.
    pub const NAMES: [&str; 4] = ["module", "kernel", "sigma0", "roottask"];

    /// Its name, as in module lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "module",
            Self::Kernel => "kernel",
            Self::Sigma0 => "sigma0",
            Self::Roottask => "roottask",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::File, Self::Kernel, Self::Sigma0, Self::Roottask]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    fn of(flags: u64) -> Option<Self> {
        match flags & KIND_MASK {
            0 => Some(Self::File),
            1 => Some(Self::Kernel),
            2 => Some(Self::Sigma0),
            3 => Some(Self::Roottask),
            _ => None,
        }
    }

    fn bits(self) -> u64 {
        match self {
            Self::File => 0,
            Self::Kernel => 1,
            Self::Sigma0 => 2,
            Self::Roottask => 3,
        }
    }
}

/// MD5 sums of a module, in hexadecimal digits. Bootstrap may compare them; they protect against
/// accidents, not against people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksums {
    /// Of the bytes in the image.
    pub stored: String,
    /// Of the bytes after decompression.
    pub full: String,
}

/// A module of an image.
#[derive(Debug, Clone)]
pub struct Module {
    /// The name that the image's tools use.
    pub name: String,
    /// Its command line. The last part of the first word is the name that programs see.
    pub command_line: String,
    /// What it is to bootstrap.
    pub kind: Kind,
    /// Its attributes.
    pub attrs: Attrs,
    /// Flags that have no meaning here, kept as they were.
    pub(crate) flags: u64,
    /// The bytes in the image.
    pub(crate) content: Content,
    /// Number of bytes after decompression.
    pub(crate) full_size: u64,
    /// Checksums as recorded; absent where nobody has computed them yet.
    pub(crate) checksums: Option<Checksums>,
}

impl Module {
    /// A module that is not compressed.
    pub fn new(name: impl Into<String>, content: impl Into<Content>) -> Self {
        let (name, content) = (name.into(), content.into());
        Self {
            command_line: name.clone(),
            name,
            kind: Kind::File,
            attrs: Attrs::default(),
            flags: 0,
            full_size: content.len(),
            content,
            checksums: None,
        }
    }

    /// The bytes as they are in the image.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Number of bytes in the image.
    pub fn stored_size(&self) -> u64 {
        self.content.len()
    }

    /// Number of bytes after decompression.
    pub fn full_size(&self) -> u64 {
        self.full_size
    }

    /// Whether its bytes are compressed. The format has no other sign of it than two different
    /// sizes.
    pub fn is_compressed(&self) -> bool {
        self.stored_size() != self.full_size
    }

    /// The checksums, if they are known already.
    pub fn checksums(&self) -> Option<&Checksums> {
        self.checksums.as_ref()
    }

    /// The name under which programs find it in the ROM file system; none for the modules that
    /// bootstrap starts itself.
    pub fn rom_name(&self) -> Option<&str> {
        (self.kind == Kind::File).then(|| rom_name(&self.command_line))
    }

    /// The words of the command line behind the first one.
    pub fn args(&self) -> &str {
        let line = self.command_line.trim_start();
        line.find(char::is_whitespace).and_then(|end| line.get(end..)).unwrap_or_default().trim()
    }

    /// The flags as they are written.
    pub(crate) fn bits(&self) -> u64 {
        self.flags & !(KIND_MASK | ABSOLUTE) | self.kind.bits()
    }
}

/// The name in the ROM file system that a command line gives a module.
pub(crate) fn rom_name(command_line: &str) -> &str {
    let word = command_line.split_whitespace().next().unwrap_or_default();
    word.rsplit('/').next().unwrap_or(word)
}

/// An image: a bootstrap with modules. Changing one changes nothing on disk before
/// [`Image::write`].
#[derive(Debug, Clone)]
pub struct Image {
    pub(crate) container: Container,
    pub(crate) info: Info,
    /// The image's attributes.
    pub attrs: Attrs,
    /// Bootstrap's command line.
    pub command_line: String,
    /// The modules, in their order.
    pub modules: Vec<Module>,
    /// What is odd about it.
    report: Report,
}

impl Image {
    /// Reads an image, but not the modules' bytes.
    ///
    /// # Errors
    ///
    /// [`Failure`] for what is no image, or is damaged, with the offset in the file.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self::read(Source::open(path)?)?)
    }

    /// Reads an image.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] for what is no image, or is damaged, with its offset.
    pub fn read(file: Source) -> Result<Self, Diagnostic> {
        let container = Container::parse(file)?;
        let body = &container.body;
        let info = Info::find(body)?;
        let area = container.area(&info)?;
        let at = |offset: u64, field: u64, what: &str| {
            let position = info.address(offset);
            let position = position.and_then(|address| container.offset_of(&info, address));
            position.ok_or_else(|| {
                let message = format!("{what} at {offset:#x}, which is not in the file");
                body.error("truncated", message, info.position + field)
            })
        };
        if info.position < area.end && info.position + crate::info::SIZE as u64 > area.start {
            let message = "the image info lies among the modules";
            return Err(body.error("overlap", message, info.position));
        }
        let mut report = Report::new();
        report.extend(container.check_machine(info.arch));
        let mut image = Self {
            attrs: Attrs::default(),
            command_line: String::new(),
            modules: Vec::new(),
            report,
            info: info.clone(),
            container: container.clone(),
        };
        if info.attrs != 0 {
            let position = at(info.attrs, crate::info::ATTRS, "attributes")?;
            image.attrs = Attrs::read(body, position)?;
        }
        if info.module_header != 0 {
            let field = crate::info::MODULE_HEADER;
            let position = at(info.module_header, field, "the module header")?;
            let table = table::read(body, position, info.version)?;
            no_overlap(body, &table)?;
            image.command_line = table.command_line;
            for record in table.records {
                image.modules.push(module(body, record, area.end)?);
            }
        }
        Ok(image)
    }

    /// How the image is packed.
    pub fn format(&self) -> Format {
        self.container.format()
    }

    /// The architecture it is for.
    pub fn arch(&self) -> Arch {
        self.info.arch
    }

    /// What is odd about the file it was read from.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Whether bootstrap says that it can decompress modules.
    pub fn can_decompress(&self) -> bool {
        let features = self.attrs.text("bootstrap:features").unwrap_or_default();
        features.split(|c: char| c == ',' || c.is_whitespace()).any(|word| word == "compress-gz")
    }

    /// Removes what says who made the image, where and when: the same input must give the same
    /// bytes, and an image must not tell of the machine it was made on.
    pub(crate) fn anonymous_attrs(&self) -> Attrs {
        let mut attrs = self.attrs.clone();
        attrs.retain(|key| !ORIGIN.iter().any(|prefix| key.starts_with(prefix)));
        attrs
    }

    /// What would keep the image from starting.
    pub fn check(&self) -> Report {
        let mut report = Report::new();
        for kind in [Kind::Kernel, Kind::Sigma0, Kind::Roottask] {
            let count = |bare: bool| {
                let modules = self.modules.iter().filter(|module| module.kind == kind);
                modules.filter(|module| !(bare && module.attrs.get(NODES).is_some())).count()
            };
            let what = kind.name();
            if count(true) > 1 {
                let message = format!("{} modules are the {what}; there can be one", count(true));
                let help = "give each but one the attribute `nodes`, or replace the one there is";
                report.push(Diagnostic::error("base-module", message).help(help));
            } else if count(false) == 0 {
                let message = format!("no module is the {what}: the image does not start");
                report.push(Diagnostic::warning("base-module", message));
            }
        }
        let mut names: Vec<&str> = self.modules.iter().filter_map(Module::rom_name).collect();
        names.sort_unstable();
        for (one, other) in names.iter().zip(names.iter().skip(1)) {
            if one == other {
                let message = format!("two modules are rom/{one}: programs see one of them");
                report.push(Diagnostic::warning("same-name", message));
            }
        }
        if self.modules.len() > MOVABLE_MODULES {
            let count = self.modules.len();
            let message = format!("{count} modules; bootstrap moves at most {MOVABLE_MODULES}");
            report.push(Diagnostic::warning("too-many", message));
        }
        if !self.can_decompress() && self.modules.iter().any(Module::is_compressed) {
            let message = "modules are compressed, and this bootstrap does not say that it can \
                           decompress";
            let help = "build bootstrap with CONFIG_BOOTSTRAP_COMPRESS";
            report.push(Diagnostic::warning("compressed", message).help(help));
        }
        report
    }
}

fn module(body: &Source, record: Record, area_end: u64) -> Result<Module, Diagnostic> {
    let Record { position, data, stored_size, .. } = record;
    let content = body
        .slice(data, stored_size.into())
        .filter(|_| data + u64::from(stored_size) <= area_end)
        .ok_or_else(|| {
            let message = format!(
                "module {}: {stored_size} bytes at {data:#x} end behind the module area",
                record.name
            );
            body.error("truncated", message, position)
        })?;
    let kind = Kind::of(record.flags).ok_or_else(|| {
        let message = format!("module {}: unknown kind {}", record.name, record.flags & KIND_MASK);
        body.error("kind", message, position + 32)
    })?;
    let checksums = Checksums { stored: record.stored_md5, full: record.full_md5 };
    let md5 = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(Module {
        name: record.name,
        command_line: record.command_line,
        kind,
        attrs: record.attrs,
        flags: record.flags,
        content: content.into(),
        full_size: record.full_size.into(),
        checksums: (md5(&checksums.stored) && md5(&checksums.full)).then_some(checksums),
    })
}

/// The modules' bytes must lie behind the table and apart from each other.
fn no_overlap(body: &Source, table: &table::Table) -> Result<(), Diagnostic> {
    let mut records: Vec<&Record> =
        table.records.iter().filter(|record| record.stored_size > 0).collect();
    records.sort_by_key(|record| record.data);
    let mut end = (table.end, "the table of modules");
    for record in records {
        let name = record.name.as_str();
        if record.data < end.0 {
            let message = format!("module {name} at {:#x} overlaps {}", record.data, end.1);
            return Err(body.error("overlap", message, record.position));
        }
        end = (record.data.saturating_add(record.stored_size.into()), name);
    }
    Ok(())
}
