//! From the bytes of a file to an [`Image`].

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, ReadRef};

use super::{Image, Section, Segment, Symbol};
use crate::drvinfo;
use crate::target::Target;
use l4re_packager_base::Diagnostic;

/// Most program headers that are looked at. The loader's own programs have about five.
const MAX_SEGMENTS: usize = 64;
/// Most names that are kept of symbols or libraries.
const MAX_NAMES: usize = 100_000;

/// The part of an ELF file that says how to read the rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ident {
    pub class: u8,
    pub endian: Endianness,
    pub machine: u16,
}

impl Ident {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Diagnostic> {
        let error = |message: &str, offset| Diagnostic::error("elf-header", message).offset(offset);
        if !bytes.starts_with(&elf::ELFMAG) {
            return Err(error("not an ELF file", 0));
        }
        let short = || error("the file ends inside of the ELF header", bytes.len() as u64);
        let class = match bytes.get(4).copied().ok_or_else(short)? {
            1 => 32,
            2 => 64,
            other => return Err(error(&format!("ELF class {other} is not 1 or 2"), 4)),
        };
        let endian = match bytes.get(5).copied().ok_or_else(short)? {
            1 => Endianness::Little,
            2 => Endianness::Big,
            other => return Err(error(&format!("ELF byte order {other} is not 1 or 2"), 5)),
        };
        let size = if class == 64 {
            size_of::<FileHeader64<Endianness>>()
        } else {
            size_of::<FileHeader32<Endianness>>()
        };
        if bytes.len() < size {
            return Err(short());
        }
        let machine = match bytes.get(18..20) {
            Some(&[a, b]) if endian == Endianness::Little => u16::from_le_bytes([a, b]),
            Some(&[a, b]) => u16::from_be_bytes([a, b]),
            _ => return Err(short()),
        };
        Ok(Self { class, endian, machine })
    }
}

impl Image {
    /// Reads a program for `target`.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] with the offset of what is wrong: no ELF file, one for another machine, or
    /// headers that point outside of the file.
    pub fn parse(bytes: &[u8], target: &Target) -> Result<Self, Diagnostic> {
        let ident = Ident::parse(bytes)?;
        let little_endian = ident.endian == Endianness::Little;
        let error = |offset, message: String| {
            let help = format!("build it for {}", target.rust);
            Diagnostic::error("elf-machine", message).offset(offset).help(help)
        };
        if ident.class != target.elf.class {
            let (found, wanted) = (ident.class, target.elf.class);
            return Err(error(4, format!("a {found}-bit program, {} needs {wanted}", target.name)));
        }
        if little_endian != target.elf.little_endian {
            return Err(error(5, format!("the byte order is not that of {}", target.name)));
        }
        if ident.machine != target.elf.machine {
            let wanted = target.elf.machine;
            let message = format!("machine {}, {} is {wanted}", ident.machine, target.name);
            return Err(error(18, message));
        }
        match ident.class {
            64 => read::<FileHeader64<Endianness>>(bytes, ident),
            _ => read::<FileHeader32<Endianness>>(bytes, ident),
        }
    }
}

fn bad(code: &'static str, what: &str, offset: u64, error: object::Error) -> Diagnostic {
    Diagnostic::error(code, format!("{what}: {error}")).offset(offset)
}

fn read<E: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    ident: Ident,
) -> Result<Image, Diagnostic> {
    let endian = ident.endian;
    let header = E::parse(bytes).map_err(|error| bad("elf-header", "ELF header", 0, error))?;
    let file_size = bytes.len() as u64;
    let mut image = Image {
        class: ident.class,
        little_endian: endian == Endianness::Little,
        machine: ident.machine,
        kind: header.e_type(endian),
        entry: header.e_entry(endian).into(),
        file_size,
        segments: segments(header, bytes, endian)?,
        drvinfo: None,
        symbols: Vec::new(),
        needed: needed(header, bytes, endian)?,
    };
    let section_offset: u64 = header.e_shoff(endian).into();
    let sections = header
        .sections(endian, bytes)
        .map_err(|error| bad("elf-sections", "section headers", section_offset, error))?;
    for section in sections.iter() {
        // A name outside of the table is not ours.
        let name = sections.section_name(endian, section).unwrap_or_default();
        if name != drvinfo::SECTION.as_bytes() {
            continue;
        }
        let offset: u64 = section.sh_offset(endian).into();
        if image.drvinfo.is_some() {
            let message = format!("a second section {}", drvinfo::SECTION);
            return Err(Diagnostic::error("drvinfo-format", message).offset(offset));
        }
        let data = section
            .data(endian, bytes)
            .map_err(|error| bad("drvinfo-format", drvinfo::SECTION, offset, error))?;
        let loaded = section.sh_flags(endian).contains(elf::SHF_ALLOC);
        image.drvinfo = Some(Section { offset, loaded, data: data.into() });
    }
    let symbols = sections
        .symbols(endian, bytes, elf::SHT_SYMTAB)
        .map_err(|error| bad("elf-symbols", "symbol table", section_offset, error))?;
    for symbol in symbols.iter().take(MAX_NAMES) {
        let undefined = symbol.is_undefined(endian);
        if symbol.st_bind() == elf::STB_LOCAL || (undefined && symbol.st_name(endian) == 0) {
            continue;
        }
        let name = symbol
            .name(endian, symbols.strings())
            .map_err(|error| bad("elf-symbols", "name of a symbol", section_offset, error))?;
        image.symbols.push(Symbol {
            name: String::from_utf8_lossy(name).into_owned(),
            value: symbol.st_value(endian).into(),
            undefined,
            weak: symbol.st_bind() == elf::STB_WEAK,
        });
    }
    Ok(image)
}

fn segments<E: FileHeader<Endian = Endianness>>(
    header: &E,
    bytes: &[u8],
    endian: Endianness,
) -> Result<Vec<Segment>, Diagnostic> {
    let table: u64 = header.e_phoff(endian).into();
    let headers = header
        .program_headers(endian, bytes)
        .map_err(|error| bad("elf-segments", "program headers", table, error))?;
    if headers.is_empty() {
        let message = "no program headers: an object file, not a program";
        return Err(Diagnostic::error("elf-segments", message).offset(table));
    }
    if headers.len() > MAX_SEGMENTS {
        let message = format!("{} program headers, at most {MAX_SEGMENTS}", headers.len());
        return Err(Diagnostic::error("elf-segments", message).offset(table));
    }
    let size = size_of::<E::ProgramHeader>() as u64;
    let segment = |(index, header): (u64, &E::ProgramHeader)| Segment {
        header_offset: table.saturating_add(index * size),
        kind: header.p_type(endian),
        flags: header.p_flags(endian),
        offset: header.p_offset(endian).into(),
        vaddr: header.p_vaddr(endian).into(),
        paddr: header.p_paddr(endian).into(),
        file_size: header.p_filesz(endian).into(),
        memory_size: header.p_memsz(endian).into(),
        align: header.p_align(endian).into(),
    };
    Ok((0..).zip(headers).map(segment).collect())
}

/// The shared libraries that the dynamic section names; those whose name cannot be read as `?`.
fn needed<E: FileHeader<Endian = Endianness>>(
    header: &E,
    bytes: &[u8],
    endian: Endianness,
) -> Result<Vec<String>, Diagnostic> {
    let headers = header
        .program_headers(endian, bytes)
        .map_err(|error| bad("elf-segments", "program headers", 0, error))?;
    let mut names = Vec::new();
    for segment in headers {
        let offset: u64 = segment.p_offset(endian).into();
        let Some(entries) = segment
            .dynamic(endian, bytes)
            .map_err(|error| bad("elf-dynamic", "dynamic section", offset, error))?
        else {
            continue;
        };
        let value = |tag: elf::DynamicTag| {
            let mut entries = entries.iter();
            entries.find(|entry| entry.d_tag(endian) == tag).map(|entry| entry.d_val(endian).into())
        };
        // Its place is an address; in files of this kind some segment holds it.
        let strings: Option<u64> = value(elf::DT_STRTAB);
        let strings = strings.and_then(|address| file_offset::<E>(headers, endian, address));
        for entry in entries.iter().take(MAX_NAMES) {
            if entry.d_tag(endian) == elf::DT_NEEDED {
                let index: u64 = entry.d_val(endian).into();
                let at = strings.and_then(|strings| strings.checked_add(index));
                let name =
                    at.and_then(|at| bytes.read_bytes_at_until(at..bytes.len() as u64, 0).ok());
                names.push(name.map_or("?".into(), |name| String::from_utf8_lossy(name).into()));
            }
        }
    }
    Ok(names)
}

fn file_offset<E: FileHeader<Endian = Endianness>>(
    headers: &[E::ProgramHeader],
    endian: Endianness,
    address: u64,
) -> Option<u64> {
    headers.iter().find_map(|header| {
        let start: u64 = header.p_vaddr(endian).into();
        let size: u64 = header.p_filesz(endian).into();
        let inside = address.checked_sub(start).filter(|inside| *inside < size)?;
        let offset: u64 = header.p_offset(endian).into();
        (header.p_type(endian) == elf::PT_LOAD).then(|| offset.checked_add(inside))?
    })
}
