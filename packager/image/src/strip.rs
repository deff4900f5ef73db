//! Leaving symbols and debug information out of programs, as `objcopy -S` does, without reading them.
//!
//! Everything that is loaded stays where it is in the file, byte for byte. Sections that are neither
//! loaded nor symbols nor debug information are kept: they may describe the program.

use l4re_packager_base::Diagnostic;

use crate::elf::{Elf, Patch, SHF_ALLOC, Section, section_table_patches};
use crate::source::{Content, Source};

const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_RELA: u32 = 4;
const SHT_REL: u32 = 9;
const SHT_GROUP: u32 = 17;
const SHT_SYMTAB_SHNDX: u32 = 18;
/// The section's `info` is the number of a section.
const SHF_INFO_LINK: u64 = 0x40;
const DEBUG: [&[u8]; 5] = [b".debug", b".zdebug", b".gnu.debuglto", b".stab", b".gdb_index"];
const TABLE_ALIGN: u64 = 8;
const NAMES: &[u8] = b".shstrtab";

/// The program without symbols and debug information; anything that is no program as it is.
///
/// # Errors
///
/// [`Diagnostic`] if it is a program and damaged.
pub fn strip(source: &Source) -> Result<Content, Diagnostic> {
    let as_it_is = || Content::from(source.clone());
    let mut start = [0; 4];
    if source.len() < 64 || source.read(0, &mut start, "the file").is_err() || !Elf::is(&start) {
        return Ok(as_it_is());
    }
    let elf = Elf::parse(source)?;
    if !matches!(elf.kind, ET_EXEC | ET_DYN) || elf.sections.is_empty() {
        return Ok(as_it_is());
    }
    let kept = Kept::new(source, &elf)?;
    let named = usize::from((1..elf.sections.len()).contains(&elf.names));
    if kept.sections.len() + 1 + named == elf.sections.len() {
        return Ok(as_it_is());
    }
    Ok(kept.assemble(source, &elf).unwrap_or_else(as_it_is))
}

/// What stays of a program.
struct Kept {
    /// Everything up to here stays as it is.
    loaded: u64,
    /// Numbers of the sections that stay, without the first and the one with the names.
    sections: Vec<usize>,
}

impl Kept {
    fn new(source: &Source, elf: &Elf) -> Result<Self, Diagnostic> {
        let segments =
            elf.segments.iter().map(|segment| (segment.header, segment.offset, segment.file_size));
        let sections = elf.sections.iter().filter(|section| section.has_bytes());
        let loaded = sections.clone().filter(|section| section.flags & SHF_ALLOC != 0);
        let loaded = loaded.map(|section| (section.header, section.offset, section.size));
        let mut end = elf.segment_table.end.max(elf.encoding.header_size() as u64);
        for (header, offset, size) in segments.chain(loaded).filter(|(_, _, size)| *size > 0) {
            end = end.max(within(source, header, offset, size)?);
        }
        for section in sections {
            within(source, section.header, section.offset, section.size)?;
        }
        let numbered = elf.sections.iter().enumerate().skip(1);
        let sections = numbered
            .filter(|(number, section)| {
                *number != elf.names && stays(source, elf, section, *number)
            })
            .map(|(number, _)| number)
            .collect();
        Ok(Self { loaded: end, sections })
    }

    /// The new file; nothing if a number does not fit into the headers.
    fn assemble(&self, source: &Source, elf: &Elf) -> Option<Content> {
        let mut names = vec![0];
        let mut table = vec![0; elf.encoding.section_size()];
        let mut tail = Content::default();
        let mut end = self.loaded;
        let append = |tail: &mut Content, end: &mut u64, bytes: Source, align: u64| {
            let start = end.checked_next_multiple_of(align.max(1))?;
            tail.push(Source::zeros(start - *end));
            *end = start.checked_add(bytes.len())?;
            tail.push(bytes);
            Some(start)
        };
        for number in &self.sections {
            let old = elf.sections.get(*number)?;
            let mut new = self.renumbered(old);
            new.name = add_name(&mut names, &elf.section_name(source, old));
            if old.has_bytes() && old.offset.saturating_add(old.size) > self.loaded {
                let bytes = source.slice(old.offset, old.size)?;
                new.offset = append(&mut tail, &mut end, bytes, old.align)?;
            }
            table.extend(new.encode(elf.encoding)?);
        }
        let name = add_name(&mut names, NAMES);
        let size = names.len() as u64;
        let offset = append(&mut tail, &mut end, Source::from_bytes(names), 1)?;
        let names = Section { name, offset, size, ..names_section() };
        table.extend(names.encode(elf.encoding)?);
        let count = self.sections.len() + 2;
        let offset = append(&mut tail, &mut end, Source::from_bytes(table), TABLE_ALIGN)?;

        let mut content = Content::default();
        let mut header = source.bytes(0, elf.encoding.header_size(), "the ELF header").ok()?;
        for patch in section_table_patches(elf.encoding, offset, count, count - 1)? {
            apply(&mut header, &patch)?;
        }
        let rest = source.slice(header.len() as u64, self.loaded - header.len() as u64)?;
        content.push(Source::from_bytes(header));
        content.push(rest);
        tail.parts().iter().for_each(|part| content.push(part.clone()));
        Some(content)
    }

    /// The section with the new numbers of the sections it refers to.
    fn renumbered(&self, section: &Section) -> Section {
        let new = |number: u32| {
            let place = self.sections.iter().position(|kept| *kept as u64 == u64::from(number));
            place.map_or(0, |place| place as u32 + 1)
        };
        let mut section = section.clone();
        section.link = new(section.link);
        if section.flags & SHF_INFO_LINK != 0 || matches!(section.kind, SHT_REL | SHT_RELA) {
            section.info = new(section.info);
        }
        section
    }
}

/// The end of a range of the file.
fn within(source: &Source, header: u64, offset: u64, size: u64) -> Result<u64, Diagnostic> {
    let end = offset.checked_add(size).filter(|end| *end <= source.len());
    end.ok_or_else(|| {
        let message = format!("{size:#x} bytes at {offset:#x} end behind the file's end");
        source.error("truncated", message, header)
    })
}

/// Whether a section stays.
fn stays(source: &Source, elf: &Elf, section: &Section, number: usize) -> bool {
    if section.flags & SHF_ALLOC != 0 {
        return true;
    }
    match section.kind {
        SHT_SYMTAB | SHT_SYMTAB_SHNDX | SHT_REL | SHT_RELA | SHT_GROUP => false,
        SHT_STRTAB => !elf
            .sections
            .iter()
            .any(|other| other.kind == SHT_SYMTAB && other.link as usize == number),
        _ => {
            let name = elf.section_name(source, section);
            !DEBUG.iter().any(|prefix| name.starts_with(prefix))
        }
    }
}

fn add_name(names: &mut Vec<u8>, name: &[u8]) -> u64 {
    let offset = names.len() as u64;
    names.extend_from_slice(name);
    names.push(0);
    offset
}

fn names_section() -> Section {
    Section {
        header: 0,
        name: 0,
        kind: SHT_STRTAB,
        flags: 0,
        address: 0,
        offset: 0,
        size: 0,
        link: 0,
        info: 0,
        align: 1,
        entry_size: 0,
    }
}

fn apply(bytes: &mut [u8], (offset, patch): &Patch) -> Option<()> {
    let start = usize::try_from(*offset).ok()?;
    bytes.get_mut(start..start + patch.len())?.copy_from_slice(patch);
    Some(())
}
