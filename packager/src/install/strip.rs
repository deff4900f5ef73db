//! Taking out of a program what only debuggers read.
//!
//! No cross tools are needed: the crate `object` reads and writes programs of every machine. What is
//! loaded, and what describes the program, is the same before and after; that is checked.

use l4re_udi::section;
use object::build::elf::{Builder, SectionData};
use object::elf;

use crate::diag::Diagnostic;
use crate::drvinfo;

/// Sections that nobody loads and that stay: a program's description, and its UDI properties.
const KEPT: [&str; 2] = [drvinfo::SECTION, section::SECTION];

/// The program without symbols and debugging information. One that has none is given back as it is.
///
/// # Errors
///
/// [`Diagnostic`] if it is no static program, or has contents that no section covers.
pub fn strip(program: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    // Attached properties are taken off and attached again, so that they can be taken off later.
    match section::content_of(program)? {
        Some(content) => match section::detach(program) {
            Ok(detached) => section::attach(&without_symbols(&detached)?, content),
            Err(_) => without_symbols(program),
        },
        None => without_symbols(program),
    }
}

fn without_symbols(program: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    let bad = |error: object::build::Error| {
        let help = "install it as it is with --keep-symbols";
        Diagnostic::error("strip", format!("the program cannot be stripped: {error}")).help(help)
    };
    let mut builder = Builder::read(program).map_err(bad)?;
    let mut dynamic = false;
    let mut removed = false;
    for section in builder.sections.iter_mut() {
        let kept = section.sh_flags.contains(elf::SHF_ALLOC)
            || KEPT.iter().any(|name| section.name.as_slice() == name.as_bytes())
            || matches!(section.data, SectionData::SectionString);
        dynamic |= matches!(
            section.data,
            SectionData::Dynamic(_) | SectionData::Hash | SectionData::GnuHash
        );
        section.delete = !kept;
        removed |= !kept;
    }
    if dynamic {
        let message = "the program is dynamically linked; those for L4Re are static";
        return Err(Diagnostic::error("strip", message));
    }
    if !removed {
        return Ok(program.to_vec());
    }
    // Without their table there is no place for them.
    builder.symbols.iter_mut().for_each(|symbol| symbol.delete = true);
    let mut stripped = Vec::new();
    builder.write(&mut stripped).map_err(bad)?;
    if !same_in_memory(program, &stripped) {
        let message =
            "stripping would change what is loaded: there are contents outside of sections";
        let help = "install it as it is with --keep-symbols";
        return Err(Diagnostic::error("strip", message).help(help));
    }
    Ok(stripped)
}

/// Whether two programs have the same segments with the same contents; those of the headers at the
/// start of the file aside, which say where the sections are.
fn same_in_memory(one: &[u8], other: &[u8]) -> bool {
    use object::{Object, ObjectSegment};
    let (Ok(one), Ok(other)) = (object::File::parse(one), object::File::parse(other)) else {
        return false;
    };
    let size = if one.is_64() { 64 } else { 52 };
    let segments = |file: &object::File<'_>| -> Option<Vec<_>> {
        let segment = |segment: object::Segment<'_, '_>| {
            let (offset, length) = segment.file_range();
            let header = size.max(offset).min(offset.checked_add(length)?) - offset;
            let data = segment.data().ok()?.get(usize::try_from(header).ok()?..)?.to_vec();
            Some((segment.address(), segment.size(), offset, length, data))
        };
        file.segments().map(segment).collect()
    };
    let same_start = (one.entry(), one.architecture()) == (other.entry(), other.architecture());
    same_start && segments(&one).is_some_and(|all| segments(&other) == Some(all))
}
