//! Checks a program before anybody tries to load it.
//!
//! [`Image::parse`] reads a file into plain data and refuses what cannot be read; [`verify`] judges
//! that data by the rules of L4Re's loader and by this project's own. Nothing in a file can make
//! either of them panic.

use object::Endianness;
use object::elf;

use crate::drvinfo::{self, DriverInfo};
use crate::target::Target;
use l4re_packager_base::{Diagnostic, Report};

mod read;
mod rules;
mod size;
mod symbols;

pub use size::Size;

/// What is read from an ELF file. Addresses and sizes are as in the file and not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// 32 or 64 bits.
    pub class: u8,
    /// Byte order.
    pub little_endian: bool,
    /// `e_machine`.
    pub machine: u16,
    /// `e_type`.
    pub kind: elf::FileType,
    /// `e_entry`.
    pub entry: u64,
    /// Size of the file in bytes.
    pub file_size: u64,
    /// The program headers, in the order of the file.
    pub segments: Vec<Segment>,
    /// The section with the driver's description, if there is one.
    pub drvinfo: Option<Section>,
    /// The symbols that matter outside of one object file.
    pub symbols: Vec<Symbol>,
    /// Names of shared libraries that the program wants.
    pub needed: Vec<String>,
}

/// A program header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where in the file the header itself stands.
    pub header_offset: u64,
    /// `p_type`.
    pub kind: elf::ProgramType,
    /// `p_flags`.
    pub flags: elf::ProgramFlags,
    /// `p_offset`.
    pub offset: u64,
    /// `p_vaddr`.
    pub vaddr: u64,
    /// `p_paddr`.
    pub paddr: u64,
    /// `p_filesz`.
    pub file_size: u64,
    /// `p_memsz`.
    pub memory_size: u64,
    /// `p_align`.
    pub align: u64,
}

impl Segment {
    /// Whether the loader puts it into memory.
    pub fn is_load(&self) -> bool {
        self.kind == elf::PT_LOAD
    }

    /// Whether it can be written.
    pub fn is_writable(&self) -> bool {
        self.flags.contains(elf::PF_W)
    }

    /// Whether it can be executed.
    pub fn is_executable(&self) -> bool {
        self.flags.contains(elf::PF_X)
    }

    /// Its rights, as `rwx` with dashes.
    pub fn rights(&self) -> String {
        [(elf::PF_R, 'r'), (elf::PF_W, 'w'), (elf::PF_X, 'x')]
            .map(|(flag, letter)| if self.flags.contains(flag) { letter } else { '-' })
            .iter()
            .collect()
    }
}

/// A section's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Where in the file they start.
    pub offset: u64,
    /// Whether they are loaded with the program.
    pub loaded: bool,
    /// The bytes.
    pub data: Vec<u8>,
}

/// A symbol that is visible outside of its object file, or undefined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Its value, usually an address.
    pub value: u64,
    /// Whether nobody defines it.
    pub undefined: bool,
    /// Whether it may stay undefined.
    pub weak: bool,
}

/// What [`verify`] expects.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The target the program is for.
    pub target: &'a Target,
    /// Whether it must describe itself.
    pub drvinfo: bool,
    /// Whether C code is linked into it, whose functions are all global.
    pub c_code: bool,
}

/// What is known of a program that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What it says of itself.
    pub info: Option<DriverInfo>,
    /// What it takes in memory.
    pub size: Size,
}

/// Reads and checks a program.
///
/// The program is only there if the report has no error.
pub fn verify(bytes: &[u8], expect: &Expect<'_>) -> (Option<Program>, Report) {
    let mut report = Report::new();
    let image = match Image::parse(bytes, expect.target) {
        Ok(image) => image,
        Err(diagnostic) => {
            report.push(diagnostic);
            return (None, report);
        }
    };
    rules::check(&image, expect.target, &mut report);
    symbols::check(&image, expect.c_code, &mut report);
    let info = info(&image, expect.drvinfo, &mut report);
    let size = Size::of(&image, expect.target.elf.page_size);
    if let Some(info) = &info {
        check_stack(info, size.stack, &mut report);
    }
    let program = (!report.has_errors()).then_some(Program { info, size });
    (program, report)
}

/// The target that a file claims to be for.
///
/// # Errors
///
/// [`Diagnostic`] if it is no ELF file or for no known target.
pub fn target_of(bytes: &[u8]) -> Result<Target, Diagnostic> {
    let ident = read::Ident::parse(bytes)?;
    let little = ident.endian == Endianness::Little;
    Target::of_elf(ident.machine, ident.class, little).ok_or_else(|| {
        let order = if little { "little" } else { "big" };
        let text = format!(
            "machine {}, {} bits, {order} endian is no known target",
            ident.machine, ident.class
        );
        let names = Target::names().collect::<Vec<_>>().join(", ");
        Diagnostic::error("elf-machine", text).offset(18).help(format!("targets: {names}"))
    })
}

fn info(image: &Image, needed: bool, report: &mut Report) -> Option<DriverInfo> {
    let Some(section) = &image.drvinfo else {
        if needed {
            let message = format!("no section {}", drvinfo::SECTION);
            let help = "declare the driver's capabilities and options with `driver_info!`, and link \
                        with the packager's linker script, which keeps the section";
            report.push(Diagnostic::error("drvinfo-missing", message).help(help));
        }
        return None;
    };
    if section.loaded {
        let message = format!("section {} is loaded with the program", drvinfo::SECTION);
        report.push(
            Diagnostic::warning("drvinfo-loaded", message)
                .offset(section.offset)
                .help("link with the packager's linker script: nothing reads it at run time"),
        );
    }
    match DriverInfo::parse(&section.data) {
        Ok(info) => Some(info),
        Err(error) => {
            let offset = section.offset.saturating_add(error.offset as u64);
            let message = format!("section {}: {error}", drvinfo::SECTION);
            let help = "only `driver_info!` should write this section";
            report.push(Diagnostic::error("drvinfo-format", message).offset(offset).help(help));
            None
        }
    }
}

/// The described stack is what the program was written for; the linked one is what it gets.
fn check_stack(info: &DriverInfo, linked: Option<u64>, report: &mut Report) {
    if let (Some(described), Some(linked)) = (info.stack, linked)
        && described != linked
    {
        let message = format!("the stack has {linked} bytes, the description says {described}");
        report.push(
            Diagnostic::error("stack-size", message)
                .help("give `entry!` and `driver_info!` the same number"),
        );
    }
}
