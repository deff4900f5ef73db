//! ELF files of both classes and byte orders, as far as replacing the bytes of one section takes.

use std::ops::Range;

use l4re_packager_base::Diagnostic;

use crate::source::Source;

const SHT_NULL: u32 = 0;
const SHT_NOBITS: u32 = 8;
const PT_NULL: u32 = 0;
const PT_LOAD: u32 = 1;
/// Bytes of a program or section header at most: a table of them is kept in memory.
const MAX_HEADER: u64 = 256;
/// The section's flag "takes memory at run time".
pub(crate) const SHF_ALLOC: u64 = 2;

/// Class and byte order: how numbers are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub wide: bool,
    pub little: bool,
}

/// A field of a header: its offset and size in bytes, in 32-bit and in 64-bit files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field(usize, usize, usize, usize);

mod field {
    use super::Field;

    pub(super) const MACHINE: Field = Field(18, 2, 18, 2);
    pub(super) const PHOFF: Field = Field(28, 4, 32, 8);
    pub(super) const SHOFF: Field = Field(32, 4, 40, 8);
    pub(super) const PHENTSIZE: Field = Field(42, 2, 54, 2);
    pub(super) const PHNUM: Field = Field(44, 2, 56, 2);
    pub(super) const SHENTSIZE: Field = Field(46, 2, 58, 2);
    pub(super) const SHNUM: Field = Field(48, 2, 60, 2);
    pub(super) const SHSTRNDX: Field = Field(50, 2, 62, 2);
    pub(super) const TYPE: Field = Field(16, 2, 16, 2);

    pub(super) const P_TYPE: Field = Field(0, 4, 0, 4);
    pub(super) const P_OFFSET: Field = Field(4, 4, 8, 8);
    pub(super) const P_VADDR: Field = Field(8, 4, 16, 8);
    pub(super) const P_PADDR: Field = Field(12, 4, 24, 8);
    pub(super) const P_FILESZ: Field = Field(16, 4, 32, 8);
    pub(super) const P_MEMSZ: Field = Field(20, 4, 40, 8);

    pub(super) const SH_NAME: Field = Field(0, 4, 0, 4);
    pub(super) const SH_TYPE: Field = Field(4, 4, 4, 4);
    pub(super) const SH_FLAGS: Field = Field(8, 4, 8, 8);
    pub(super) const SH_ADDR: Field = Field(12, 4, 16, 8);
    pub(super) const SH_OFFSET: Field = Field(16, 4, 24, 8);
    pub(super) const SH_SIZE: Field = Field(20, 4, 32, 8);
    pub(super) const SH_LINK: Field = Field(24, 4, 40, 4);
    pub(super) const SH_INFO: Field = Field(28, 4, 44, 4);
    pub(super) const SH_ALIGN: Field = Field(32, 4, 48, 8);
    pub(super) const SH_ENTSIZE: Field = Field(36, 4, 56, 8);
}

impl Encoding {
    /// Offset and size of a field.
    fn place(self, field: Field) -> (usize, usize) {
        if self.wide { (field.2, field.3) } else { (field.0, field.1) }
    }

    fn get(self, bytes: &[u8], field: Field) -> u64 {
        let (offset, size) = self.place(field);
        let bytes = bytes.get(offset..offset + size).unwrap_or_default();
        let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if self.little { bytes.iter().rev().fold(0, push) } else { bytes.iter().fold(0, push) }
    }

    /// The bytes of a number of `size` bytes, if it fits.
    fn bytes(self, value: u64, size: usize) -> Option<Vec<u8>> {
        let all = value.to_le_bytes();
        let (low, high) = all.split_at_checked(size)?;
        if high.iter().any(|byte| *byte != 0) {
            return None;
        }
        let mut bytes = low.to_vec();
        if !self.little {
            bytes.reverse();
        }
        Some(bytes)
    }

    pub fn header_size(self) -> usize {
        if self.wide { 64 } else { 52 }
    }

    fn segment_size(self) -> usize {
        if self.wide { 56 } else { 32 }
    }

    pub fn section_size(self) -> usize {
        if self.wide { 64 } else { 40 }
    }
}

/// A program header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where in the file the header stands.
    pub header: u64,
    pub kind: u32,
    pub offset: u64,
    pub vaddr: u64,
    pub paddr: u64,
    pub file_size: u64,
    pub memory_size: u64,
}

/// A section header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Where in the file the header stands.
    pub header: u64,
    pub name: u64,
    pub kind: u32,
    pub flags: u64,
    pub address: u64,
    pub offset: u64,
    pub size: u64,
    pub link: u32,
    pub info: u32,
    pub align: u64,
    pub entry_size: u64,
}

impl Section {
    /// Whether it has bytes in the file.
    pub fn has_bytes(&self) -> bool {
        !matches!(self.kind, SHT_NULL | SHT_NOBITS)
    }
}

/// The headers of a file.
#[derive(Debug, Clone)]
pub(crate) struct Elf {
    pub encoding: Encoding,
    pub kind: u16,
    pub machine: u16,
    /// Where the program headers are.
    pub segment_table: Range<u64>,
    /// Where the section headers are.
    pub section_table: Range<u64>,
    /// Number of the section with the names of sections.
    pub names: usize,
    pub segments: Vec<Segment>,
    pub sections: Vec<Section>,
}

/// Bytes that replace others in the new file.
pub(crate) type Patch = (u64, Vec<u8>);

impl Elf {
    /// Whether a file starts as ELF files do.
    pub fn is(start: &[u8]) -> bool {
        start.starts_with(b"\x7fELF")
    }

    /// Reads the headers.
    pub fn parse(source: &Source) -> Result<Self, Diagnostic> {
        let mut header = [0; 64];
        source.read(0, header.get_mut(..52).unwrap_or_default(), "the ELF header")?;
        let [_, _, _, _, class, data, version, ..] = header;
        let wide = class == 2;
        if !Self::is(&header) || !matches!((class, data, version), (1 | 2, 1 | 2, 1)) {
            return Err(source.error("elf", "no ELF file of a known class and byte order", 4));
        }
        let encoding = Encoding { wide, little: data == 1 };
        if wide {
            source.read(0, &mut header, "the ELF header")?;
        }
        let get = |field| encoding.get(&header, field);
        let count = |field, start: u64| if start == 0 { 0 } else { get(field) };
        let (phoff, shoff) = (get(field::PHOFF), get(field::SHOFF));
        let segment_table = Table::new(phoff, count(field::PHNUM, phoff), get(field::PHENTSIZE));
        let section_table = Table::new(shoff, count(field::SHNUM, shoff), get(field::SHENTSIZE));
        let mut elf = Self {
            encoding,
            kind: get(field::TYPE) as u16,
            machine: get(field::MACHINE) as u16,
            segment_table: segment_table.range(),
            section_table: section_table.range(),
            names: usize::try_from(get(field::SHSTRNDX)).unwrap_or_default(),
            segments: Vec::new(),
            sections: Vec::new(),
        };
        let what = "the program headers";
        segment_table.read(source, encoding.segment_size(), what, |header, bytes| {
            elf.segments.push(segment(encoding, header, bytes));
        })?;
        let what = "the section headers";
        section_table.read(source, encoding.section_size(), what, |header, bytes| {
            elf.sections.push(section(encoding, header, bytes));
        })?;
        Ok(elf)
    }

    /// The name of a section; empty if it has none that can be read.
    pub fn section_name(&self, source: &Source, section: &Section) -> Vec<u8> {
        let Some(names) = self.sections.get(self.names).filter(|names| names.has_bytes()) else {
            return Vec::new();
        };
        let Some(names) = source.slice(names.offset, names.size) else { return Vec::new() };
        // Longer names are none that anything here looks for.
        let name = names.skip(section.name);
        let len = usize::try_from(name.len()).unwrap_or(256).min(256);
        let mut name = name.bytes(0, len, "a section's name").unwrap_or_default();
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(len));
        name
    }

    /// The offset in the file of what is loaded at an address.
    pub fn offset_of(&self, address: u64) -> Option<u64> {
        self.segments.iter().filter(|segment| segment.kind == PT_LOAD).find_map(|segment| {
            let inside = address.checked_sub(segment.vaddr)?;
            (inside < segment.file_size).then(|| segment.offset.checked_add(inside)).flatten()
        })
    }

    /// The section that starts at an address and has bytes; the largest one if there are several.
    pub fn section_at(&self, address: u64) -> Option<&Section> {
        self.sections
            .iter()
            .filter(|section| section.has_bytes() && section.flags & SHF_ALLOC != 0)
            .filter(|section| section.address == address)
            .max_by_key(|section| section.size)
    }

    /// What changes in the headers if the bytes of a section become `len` bytes. Whatever lies
    /// behind them moves in the file, and keeps its address.
    pub fn resize(
        &self,
        source: &Source,
        section: &Section,
        len: u64,
    ) -> Result<Vec<Patch>, Diagnostic> {
        let resize = Resize { source, area: section.offset..section.offset + section.size, len };
        let mut patches = Patches { encoding: self.encoding, source, list: Vec::new() };
        for (field, table) in
            [(field::PHOFF, &self.segment_table), (field::SHOFF, &self.section_table)]
        {
            if !table.is_empty() {
                patches.set(0, 0, field, resize.moved(table, 0)?)?;
            }
        }
        for segment in self.segments.iter().filter(|segment| segment.kind != PT_NULL) {
            let range = segment.offset..segment.offset.saturating_add(segment.file_size);
            let header = resize.new_offset(segment.header);
            if range.start <= resize.area.start && range.end >= resize.area.end {
                // Two segments may meet at an empty area; it belongs to the one at its address.
                let inside = resize.area.start - range.start;
                let here = segment.vaddr.checked_add(inside) == Some(section.address);
                if here {
                    let size = resize.grown(segment.file_size);
                    let memory = resize.grown(segment.memory_size);
                    self.room(source, segment, memory)?;
                    patches.set(header, segment.header, field::P_FILESZ, size)?;
                    patches.set(header, segment.header, field::P_MEMSZ, memory)?;
                    continue;
                }
                if range.end > resize.area.start && !resize.area.is_empty() {
                    let message = "a segment maps the modules at another address than the section";
                    return Err(source.error("elf", message, segment.header));
                }
            }
            if !range.is_empty() {
                let offset = resize.moved(&range, segment.header)?;
                patches.set(header, segment.header, field::P_OFFSET, offset)?;
            }
        }
        for other in self.sections.iter().filter(|section| section.has_bytes()) {
            let header = resize.new_offset(other.header);
            if other.header == section.header {
                patches.set(header, other.header, field::SH_SIZE, len)?;
            } else if other.size > 0 {
                let range = other.offset..other.offset.saturating_add(other.size);
                let offset = resize.moved(&range, other.header)?;
                patches.set(header, other.header, field::SH_OFFSET, offset)?;
            }
        }
        Ok(patches.list)
    }

    /// A segment must not grow into the next one.
    fn room(&self, source: &Source, segment: &Segment, size: u64) -> Result<(), Diagnostic> {
        let limit = if self.encoding.wide { u64::MAX } else { u64::from(u32::MAX) };
        let others = self.segments.iter().filter(|other| {
            other.kind == PT_LOAD && other.header != segment.header && other.memory_size > 0
        });
        for (start, starts) in [
            (segment.vaddr, others.clone().map(|other| other.vaddr).collect::<Vec<_>>()),
            (segment.paddr, others.map(|other| other.paddr).collect()),
        ] {
            let next = starts.into_iter().filter(|next| *next > start).min();
            let room = next.unwrap_or(limit).saturating_sub(start);
            if size > room {
                let message = format!(
                    "{size} bytes of modules do not fit at address {start:#x}: there is room for \
                     {room}"
                );
                return Err(source.error("too-large", message, segment.header));
            }
        }
        Ok(())
    }
}

/// A table of headers.
struct Table {
    start: u64,
    count: u64,
    step: u64,
}

impl Table {
    fn new(start: u64, count: u64, step: u64) -> Self {
        Self { start, count, step }
    }

    /// Both numbers have 16 bits, so the product cannot overflow.
    fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.count * self.step)
    }

    fn read(
        &self,
        source: &Source,
        size: usize,
        what: &str,
        mut each: impl FnMut(u64, &[u8]),
    ) -> Result<(), Diagnostic> {
        if self.count > 0 && !(size as u64..=MAX_HEADER).contains(&self.step) {
            let message = format!("{what}: {} bytes each, they have {size}", self.step);
            return Err(source.error("elf", message, self.start));
        }
        let len = usize::try_from(self.count * self.step).unwrap_or_default();
        let bytes = source.bytes(self.start, len, what)?;
        let step = usize::try_from(self.step).unwrap_or(1).max(1);
        for (header, bytes) in
            (0..).map(|index| self.start + index * self.step).zip(bytes.chunks(step))
        {
            each(header, bytes);
        }
        Ok(())
    }
}

fn segment(encoding: Encoding, header: u64, bytes: &[u8]) -> Segment {
    let get = |field| encoding.get(bytes, field);
    Segment {
        header,
        kind: get(field::P_TYPE) as u32,
        offset: get(field::P_OFFSET),
        vaddr: get(field::P_VADDR),
        paddr: get(field::P_PADDR),
        file_size: get(field::P_FILESZ),
        memory_size: get(field::P_MEMSZ),
    }
}

fn section(encoding: Encoding, header: u64, bytes: &[u8]) -> Section {
    let get = |field| encoding.get(bytes, field);
    Section {
        header,
        name: get(field::SH_NAME),
        kind: get(field::SH_TYPE) as u32,
        flags: get(field::SH_FLAGS),
        address: get(field::SH_ADDR),
        offset: get(field::SH_OFFSET),
        size: get(field::SH_SIZE),
        link: get(field::SH_LINK) as u32,
        info: get(field::SH_INFO) as u32,
        align: get(field::SH_ALIGN),
        entry_size: get(field::SH_ENTSIZE),
    }
}

impl Section {
    /// The header's bytes; nothing if a number does not fit.
    pub fn encode(&self, encoding: Encoding) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(encoding.section_size());
        for (value, field) in [
            (self.name, field::SH_NAME),
            (self.kind.into(), field::SH_TYPE),
            (self.flags, field::SH_FLAGS),
            (self.address, field::SH_ADDR),
            (self.offset, field::SH_OFFSET),
            (self.size, field::SH_SIZE),
            (self.link.into(), field::SH_LINK),
            (self.info.into(), field::SH_INFO),
            (self.align, field::SH_ALIGN),
            (self.entry_size, field::SH_ENTSIZE),
        ] {
            bytes.extend(encoding.bytes(value, encoding.place(field).1)?);
        }
        Some(bytes)
    }
}

/// The patches of an ELF header for another section table.
pub(crate) fn section_table_patches(
    encoding: Encoding,
    offset: u64,
    count: usize,
    names: usize,
) -> Option<Vec<Patch>> {
    [(offset, field::SHOFF), (count as u64, field::SHNUM), (names as u64, field::SHSTRNDX)]
        .into_iter()
        .map(|(value, field)| {
            let (place, size) = encoding.place(field);
            Some((place as u64, encoding.bytes(value, size)?))
        })
        .collect()
}

/// An area of the file that gets another length.
struct Resize<'a> {
    source: &'a Source,
    area: Range<u64>,
    len: u64,
}

impl Resize<'_> {
    /// Where a byte that is outside of the area ends up.
    fn new_offset(&self, offset: u64) -> u64 {
        if offset >= self.area.end {
            (offset - self.area.end).saturating_add(self.area.start).saturating_add(self.len)
        } else {
            offset
        }
    }

    /// Where a range that is not empty ends up, which must lie before or behind the area; `header`
    /// is where the file says so.
    fn moved(&self, range: &Range<u64>, header: u64) -> Result<u64, Diagnostic> {
        if range.start >= self.area.end {
            let distance = range.start - self.area.end;
            return Ok(distance.saturating_add(self.area.start).saturating_add(self.len));
        }
        if range.end <= self.area.start {
            return Ok(range.start);
        }
        let message = format!(
            "{:#x}..{:#x} overlaps the modules at {:#x}..{:#x}",
            range.start, range.end, self.area.start, self.area.end
        );
        Err(self.source.error("overlap", message, header))
    }

    fn grown(&self, size: u64) -> u64 {
        let old = self.area.end - self.area.start;
        size.saturating_sub(old).saturating_add(self.len)
    }
}

struct Patches<'a> {
    encoding: Encoding,
    source: &'a Source,
    list: Vec<Patch>,
}

impl Patches<'_> {
    /// Sets a field of the header that will be at `header` and now is at `old`.
    fn set(&mut self, header: u64, old: u64, field: Field, value: u64) -> Result<(), Diagnostic> {
        let (offset, size) = self.encoding.place(field);
        let Some(bytes) = self.encoding.bytes(value, size) else {
            let message = format!("{value:#x} does not fit into a 32-bit ELF file");
            let help = "the image gets too large; leave modules out or compress them";
            return Err(self.source.error("too-large", message, old).help(help));
        };
        self.list.push((header.saturating_add(offset as u64), bytes));
        Ok(())
    }
}
