//! Attaching properties to a module: a section of an ELF file that nobody loads.
//!
//! Nothing that is in the file moves: the section, the names of the sections and a new table of
//! section headers go behind it, and the ELF header points there. So the program that was checked is
//! the one that is shipped, and [`detach`] gives back every bit of it.

use l4re_packager_base::Diagnostic;
use memchr::memmem;
use object::elf::{FileHeader32, FileHeader64};
use object::pod::{bytes_of, bytes_of_slice};
use object::read::elf::SectionHeader;
use object::{Endianness, elf};

mod class;
mod strip;

use class::Class;
pub use strip::strip;

/// Name of the section with the properties.
pub const SECTION: &str = ".udiprops";

/// How many tables of names, and places that look like the table of section headers, are tried.
const TRIES: usize = 16;

/// The module with `content` as its section [`SECTION`], in the place of one that is there.
///
/// # Errors
///
/// [`Diagnostic`] if it is no ELF file with sound section headers, or its section was attached by
/// something else.
pub fn attach(module: &[u8], content: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    let detached = if content_of(module)?.is_some() { Some(detach(module)?) } else { None };
    let module = detached.as_deref().unwrap_or(module);
    let attached = match class(module)? {
        64 => append::<FileHeader64<Endianness>>(module, content),
        _ => append::<FileHeader32<Endianness>>(module, content),
    }?;
    if content_of(&attached)? != Some(content) {
        let message = format!("section {SECTION} does not read back as it was attached");
        let help = "the section headers are damaged; build the module again";
        return Err(Diagnostic::error("elf-sections", message).offset(0).help(help));
    }
    Ok(attached)
}

/// The module as it was before [`attach`].
///
/// # Errors
///
/// [`Diagnostic`] if it has no section [`SECTION`], or one that was attached by something else or
/// moved since.
pub fn detach(module: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    match class(module)? {
        64 => cut::<FileHeader64<Endianness>>(module),
        _ => cut::<FileHeader32<Endianness>>(module),
    }
}

/// The content of the section [`SECTION`], if there is one.
///
/// # Errors
///
/// [`Diagnostic`] if it is no ELF file, or its section headers cannot be read.
pub fn content_of(module: &[u8]) -> Result<Option<&[u8]>, Diagnostic> {
    match class(module)? {
        64 => find::<FileHeader64<Endianness>>(module),
        _ => find::<FileHeader32<Endianness>>(module),
    }
}

fn class(module: &[u8]) -> Result<u8, Diagnostic> {
    match module {
        [0x7f, b'E', b'L', b'F', 2, ..] => Ok(64),
        [0x7f, b'E', b'L', b'F', 1, ..] => Ok(32),
        _ => Err(Diagnostic::error("elf-header", "not an ELF file").offset(0)),
    }
}

fn bad(error: object::Error) -> Diagnostic {
    Diagnostic::error("elf-sections", format!("section headers: {error}")).offset(0)
}

fn sections<E: Class>(module: &[u8]) -> Result<(&E, Endianness, &[E::SectionHeader]), Diagnostic> {
    let header = E::parse(module).map_err(bad)?;
    let endian = header.endian().map_err(bad)?;
    let sections = header.section_headers(endian, module).map_err(bad)?;
    Ok((header, endian, sections))
}

fn find<E: Class>(module: &[u8]) -> Result<Option<&[u8]>, Diagnostic> {
    let (header, endian, all) = sections::<E>(module)?;
    let names = names_of(header, endian, module, all)?;
    let mut own = all.iter().filter(|section| name(*section, endian, names) == SECTION.as_bytes());
    let Some(section) = own.next() else { return Ok(None) };
    section.data(endian, module).map(Some).map_err(bad)
}

/// The section with the names of sections; empty if there are none.
fn names_of<'data, E: Class>(
    header: &E,
    endian: Endianness,
    module: &'data [u8],
    all: &[E::SectionHeader],
) -> Result<&'data [u8], Diagnostic> {
    if all.is_empty() {
        return Ok(&[]);
    }
    let index = header.shstrndx(endian, module).map_err(bad)?;
    match all.get(usize::try_from(index).unwrap_or(usize::MAX)) {
        Some(section) => section.data(endian, module).map_err(bad),
        None => Err(Diagnostic::error("elf-sections", "no names for the sections").offset(0)),
    }
}

/// Longest name of a section that counts; in a file made to do harm thousands of names can be one
/// long text.
const NAME_MAX: usize = 255;

/// The name of a section, empty if it has none.
fn name<'data, S: SectionHeader<Endian = Endianness>>(
    section: &S,
    endian: Endianness,
    names: &'data [u8],
) -> &'data [u8] {
    let start = usize::try_from(section.sh_name(endian)).unwrap_or(usize::MAX);
    let rest = names.get(start..).unwrap_or_default();
    let rest = rest.get(..NAME_MAX + 1).unwrap_or(rest);
    memchr::memchr(0, rest).and_then(|end| rest.get(..end)).unwrap_or_default()
}

fn append<E: Class>(module: &[u8], content: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    let (header, endian, old) = sections::<E>(module)?;
    let unusable = |what: &str| Err(Diagnostic::error("elf-sections", what).offset(0));
    // Beyond these numbers the counts stand elsewhere.
    if old.is_empty() || old.len() >= usize::from(elf::SHN_LORESERVE) - 2 {
        return unusable("no section headers, or too many to add one");
    }
    if usize::from(header.e_shentsize(endian)) != size_of::<E::SectionHeader>() {
        return unusable("section headers of another size than the format has");
    }
    let mut names = names_of(header, endian, module, old)?.to_vec();
    are_named(old, endian, &names)?;
    let own = names.len();
    names.extend([SECTION.as_bytes(), b"\0.shstrtab\0"].concat());

    let mut bytes = module.to_vec();
    let content_at = bytes.len();
    bytes.extend(content);
    let names_at = bytes.len();
    bytes.extend(&names);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let table_at = bytes.len();
    bytes.extend(bytes_of_slice(old));
    let too_large = || Diagnostic::error("elf-sections", "the file is too large for its class");
    let mut row = |name, kind, at, size| -> Result<(), Diagnostic> {
        let section = E::section(endian, name, kind, at, size).ok_or_else(too_large)?;
        bytes.extend(bytes_of(&section));
        Ok(())
    };
    row(own, elf::SHT_PROGBITS, content_at, content.len())?;
    row(own + SECTION.len() + 1, elf::SHT_STRTAB, names_at, names.len())?;
    let header = header.pointing_to(endian, table_at, old.len() + 2).ok_or_else(too_large)?;
    let header = bytes_of(&header);
    bytes.get_mut(..header.len()).ok_or_else(too_large)?.copy_from_slice(header);
    Ok(bytes)
}

/// Each section must have its name in the table, which must end: what is appended to it would
/// otherwise be the end of another's name, or the whole of it.
fn are_named<S: SectionHeader<Endian = Endianness>>(
    sections: &[S],
    endian: Endianness,
    names: &[u8],
) -> Result<(), Diagnostic> {
    let bad = |message: String| Err(Diagnostic::error("elf-sections", message).offset(0));
    if names.last() != Some(&0) {
        return bad("the table with the names of the sections has no end".into());
    }
    for (index, section) in sections.iter().enumerate() {
        let start = usize::try_from(section.sh_name(endian)).unwrap_or(usize::MAX);
        if start >= names.len() {
            return bad(format!("the name of section {index} lies outside of the table of names"));
        }
    }
    Ok(())
}

fn cut<E: Class>(module: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    original::<E>(module)?.ok_or_else(|| {
        let message = format!("section {SECTION} is not where it was attached");
        Diagnostic::error("udi-section", message)
            .help("strip a module before its properties are attached, or build it again")
    })
}

/// Undoes [`append`]: finds the table of section headers that the new one begins with a copy of.
/// Whether that was right shows in doing it again.
fn original<E: Class>(module: &[u8]) -> Result<Option<Vec<u8>>, Diagnostic> {
    let (header, endian, all) = sections::<E>(module)?;
    let [old @ .., own, names] = all else { return Ok(None) };
    let (Ok(content), Ok(names)) = (own.data(endian, module), names.data(endian, module)) else {
        return Ok(None);
    };
    let length = usize::try_from(own.sh_offset(endian).into()).unwrap_or(usize::MAX);
    let Some(body) = module.get(..length) else { return Ok(None) };
    let table = bytes_of_slice(old);
    if table.is_empty() {
        return Ok(None);
    }
    // The names that the new ones begin with; the longest, if several do.
    let tables =
        old.iter().enumerate().filter(|(_, section)| section.sh_type(endian) == elf::SHT_STRTAB);
    let first = tables
        .take(TRIES)
        .filter(|(_, section)| names.starts_with(section.data(endian, module).unwrap_or_default()));
    let size = |section: &E::SectionHeader| -> u64 { section.sh_size(endian).into() };
    let Some((index, _)) = first.max_by_key(|(_, section)| size(section)) else {
        return Ok(None);
    };
    // Linkers put the table behind everything else.
    for at in memmem::rfind_iter(body, table).take(TRIES) {
        let Some(header) = header.described_by(endian, at, old.len(), index) else { continue };
        let header = bytes_of(&header);
        let mut bytes = body.to_vec();
        let Some(place) = bytes.get_mut(..header.len()) else { continue };
        place.copy_from_slice(header);
        if append::<E>(&bytes, content).is_ok_and(|again| again == module) {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}
