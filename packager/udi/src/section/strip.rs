//! Taking out of a program what only debuggers read.

use l4re_packager_base::Diagnostic;
use object::elf::{self, FileHeader32, FileHeader64};
use object::pod::bytes_of;
use object::read::elf::{ProgramHeader, SectionHeader};
use object::{Endianness, ReadRef};

use super::class::Class;
use super::{bad, class, name, names_of, sections};

/// Largest alignment of a section that nobody loads.
const ALIGN_MAX: u64 = 4096;

/// The program without the sections that nobody loads, but for those named in `kept`. Everything up
/// to the end of what is loaded stays as it is, whether a section covers it or not.
///
/// # Errors
///
/// [`Diagnostic`] if it is no static program, or its headers are not sound.
pub fn strip(program: &[u8], kept: &[&str]) -> Result<Vec<u8>, Diagnostic> {
    match class(program)? {
        64 => of_class::<FileHeader64<Endianness>>(program, kept),
        _ => of_class::<FileHeader32<Endianness>>(program, kept),
    }
}

fn error(message: &str) -> Diagnostic {
    Diagnostic::error("strip", message).offset(0)
}

fn of_class<E: Class>(program: &[u8], kept: &[&str]) -> Result<Vec<u8>, Diagnostic> {
    let (header, endian, all) = sections::<E>(program)?;
    if all.is_empty() {
        return Ok(program.to_vec());
    }
    let names = names_of(header, endian, program, all)?;
    let stays = |section: &E::SectionHeader| {
        let name = name(section, endian, names);
        section.sh_flags(endian).contains(elf::SHF_ALLOC)
            || section.sh_type(endian) == elf::SHT_NULL
            || kept.iter().any(|kept| kept.as_bytes() == name)
    };
    if all.iter().any(|section| stays(section) && refers(section.sh_type(endian))) {
        return Err(error("it has dynamic symbols or relocations; programs for L4Re are static"));
    }
    // New numbers of the sections that stay.
    let mut numbers = Vec::with_capacity(all.len());
    let mut count = 0;
    for section in all {
        numbers.push(stays(section).then_some(count));
        count += u32::from(stays(section));
    }

    let end = loaded_end(header, endian, program, all)?;
    let mut bytes = program.get(..end).ok_or_else(|| error("the file ends too early"))?.to_vec();
    let mut strings = vec![0];
    let mut rows = Vec::new();
    for section in all.iter().filter(|section| stays(section)) {
        let mut offset: u64 = section.sh_offset(endian).into();
        if !section.sh_flags(endian).contains(elf::SHF_ALLOC) {
            let data = section.data(endian, program).map_err(bad)?;
            let align: u64 = section.sh_addralign(endian).into();
            pad(&mut bytes, align)?;
            offset = bytes.len() as u64;
            bytes.extend(data);
        }
        let name = name(section, endian, names);
        let at = if name.is_empty() { 0 } else { strings.len() };
        if at > 0 {
            strings.extend(name.iter().chain(&[0]));
        }
        let old = usize::try_from(section.sh_link(endian)).unwrap_or(usize::MAX);
        let link = numbers.get(old).copied().flatten().unwrap_or_default();
        let row = E::moved(section, endian, at, offset, link);
        rows.push(row.ok_or_else(|| error("a section lies too far behind"))?);
    }
    write_table::<E>(header, endian, bytes, strings, &rows)
}

/// Appends names and headers of the sections and points the ELF header there.
fn write_table<E: Class>(
    header: &E,
    endian: Endianness,
    mut bytes: Vec<u8>,
    mut strings: Vec<u8>,
    rows: &[E::SectionHeader],
) -> Result<Vec<u8>, Diagnostic> {
    let too_large = || error("the file is too large for its class");
    let own = strings.len();
    strings.extend(b".shstrtab\0");
    let strings_at = bytes.len();
    bytes.extend(&strings);
    pad(&mut bytes, 8)?;
    let table = bytes.len();
    rows.iter().for_each(|row| bytes.extend(bytes_of(row)));
    let last = E::section(endian, own, elf::SHT_STRTAB, strings_at, strings.len());
    bytes.extend(bytes_of(&last.ok_or_else(too_large)?));
    let header = header.pointing_to(endian, table, rows.len() + 1).ok_or_else(too_large)?;
    let header = bytes_of(&header);
    bytes.get_mut(..header.len()).ok_or_else(too_large)?.copy_from_slice(header);
    Ok(bytes)
}

/// Whether sections of this type hold numbers of other sections or of symbols.
fn refers(kind: elf::SectionType) -> bool {
    [
        elf::SHT_SYMTAB,
        elf::SHT_DYNSYM,
        elf::SHT_DYNAMIC,
        elf::SHT_HASH,
        elf::SHT_GNU_HASH,
        elf::SHT_REL,
        elf::SHT_RELA,
        elf::SHT_GROUP,
        elf::SHT_SYMTAB_SHNDX,
    ]
    .contains(&kind)
}

/// Where in the file what is loaded ends.
fn loaded_end<E: Class>(
    header: &E,
    endian: Endianness,
    program: &[u8],
    all: &[E::SectionHeader],
) -> Result<usize, Diagnostic> {
    let segments = header.program_headers(endian, program).map_err(bad)?;
    if segments.is_empty() {
        return Err(error("no program headers: an object file, not a program"));
    }
    let table: u64 = header.e_phoff(endian).into();
    let mut ends =
        vec![Some(size_of::<E>() as u64), table.checked_add(size_of_val(segments) as u64)];
    for segment in segments {
        let (offset, size): (u64, u64) =
            (segment.p_offset(endian).into(), segment.p_filesz(endian).into());
        ends.push(if size == 0 { Some(0) } else { offset.checked_add(size) });
    }
    for section in all.iter().filter(|section| section.sh_flags(endian).contains(elf::SHF_ALLOC)) {
        if let Some((offset, size)) = section.file_range(endian) {
            ends.push(if size == 0 { Some(0) } else { offset.checked_add(size) });
        }
    }
    let end =
        ends.into_iter().collect::<Option<Vec<u64>>>().and_then(|ends| ends.into_iter().max());
    let end = end.and_then(|end| usize::try_from(end).ok());
    let length = ReadRef::len(program).ok().and_then(|length| usize::try_from(length).ok());
    match (end, length) {
        (Some(end), Some(length)) if end <= length => Ok(end),
        _ => Err(error("a segment or section lies outside of the file")),
    }
}

fn pad(bytes: &mut Vec<u8>, align: u64) -> Result<(), Diagnostic> {
    let align = align.max(1);
    if !align.is_power_of_two() || align > ALIGN_MAX {
        return Err(error("the alignment of a section is no power of two up to 4096"));
    }
    let align = usize::try_from(align).unwrap_or(1);
    bytes.resize(bytes.len().next_multiple_of(align), 0);
    Ok(())
}
