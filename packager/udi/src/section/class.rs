//! What 32-bit and 64-bit files differ in.

use object::elf::{
    self, FileHeader32, FileHeader64, SectionHeader32, SectionHeader64, SymbolSection,
};
use object::read::elf::FileHeader;
use object::{Endianness, U16, U32, U64};

/// A class of ELF files. `None` stands for a number that does not fit.
pub(super) trait Class: FileHeader<Endian = Endianness> + Copy {
    /// The header of a section that nobody loads.
    fn section(
        endian: Endianness,
        name: usize,
        kind: elf::SectionType,
        offset: usize,
        size: usize,
    ) -> Option<Self::SectionHeader>;

    /// The header of a section that lies elsewhere now; `name` is the place of its name, `link` the
    /// new number of the section that it is linked to.
    fn moved(
        section: &Self::SectionHeader,
        endian: Endianness,
        name: usize,
        offset: u64,
        link: u32,
    ) -> Option<Self::SectionHeader>;

    /// This header with `count` section headers at `offset`, the last of which is that of their
    /// names.
    fn pointing_to(&self, endian: Endianness, offset: usize, count: usize) -> Option<Self> {
        self.described_by(endian, offset, count, count.checked_sub(1)?)
    }

    /// This header with `count` section headers at `offset`; their names are in section `names`.
    fn described_by(
        &self,
        endian: Endianness,
        offset: usize,
        count: usize,
        names: usize,
    ) -> Option<Self>;
}

impl Class for FileHeader64<Endianness> {
    fn section(
        endian: Endianness,
        name: usize,
        kind: elf::SectionType,
        offset: usize,
        size: usize,
    ) -> Option<SectionHeader64<Endianness>> {
        Some(SectionHeader64 {
            sh_name: U32::new(endian, u32::try_from(name).ok()?),
            sh_type: U32::new(endian, kind),
            sh_flags: U64::new(endian, elf::SectionFlags(0)),
            sh_addr: U64::new(endian, 0),
            sh_offset: U64::new(endian, u64::try_from(offset).ok()?),
            sh_size: U64::new(endian, u64::try_from(size).ok()?),
            sh_link: U32::new(endian, 0),
            sh_info: U32::new(endian, 0),
            sh_addralign: U64::new(endian, 1),
            sh_entsize: U64::new(endian, 0),
        })
    }

    fn moved(
        section: &SectionHeader64<Endianness>,
        endian: Endianness,
        name: usize,
        offset: u64,
        link: u32,
    ) -> Option<SectionHeader64<Endianness>> {
        let mut section = *section;
        section.sh_name = U32::new(endian, u32::try_from(name).ok()?);
        section.sh_offset = U64::new(endian, offset);
        section.sh_link = U32::new(endian, link);
        Some(section)
    }

    fn described_by(
        &self,
        endian: Endianness,
        offset: usize,
        count: usize,
        names: usize,
    ) -> Option<Self> {
        let mut header = *self;
        header.e_shoff = U64::new(endian, u64::try_from(offset).ok()?);
        header.e_shnum = U16::new(endian, u16::try_from(count).ok()?);
        header.e_shstrndx = U16::new(endian, SymbolSection(u16::try_from(names).ok()?));
        Some(header)
    }
}

impl Class for FileHeader32<Endianness> {
    fn section(
        endian: Endianness,
        name: usize,
        kind: elf::SectionType,
        offset: usize,
        size: usize,
    ) -> Option<SectionHeader32<Endianness>> {
        Some(SectionHeader32 {
            sh_name: U32::new(endian, u32::try_from(name).ok()?),
            sh_type: U32::new(endian, kind),
            sh_flags: U32::new_u64(endian, elf::SectionFlags(0)).ok()?,
            sh_addr: U32::new(endian, 0),
            sh_offset: U32::new(endian, u32::try_from(offset).ok()?),
            sh_size: U32::new(endian, u32::try_from(size).ok()?),
            sh_link: U32::new(endian, 0),
            sh_info: U32::new(endian, 0),
            sh_addralign: U32::new(endian, 1),
            sh_entsize: U32::new(endian, 0),
        })
    }

    fn moved(
        section: &SectionHeader32<Endianness>,
        endian: Endianness,
        name: usize,
        offset: u64,
        link: u32,
    ) -> Option<SectionHeader32<Endianness>> {
        let mut section = *section;
        section.sh_name = U32::new(endian, u32::try_from(name).ok()?);
        section.sh_offset = U32::new(endian, u32::try_from(offset).ok()?);
        section.sh_link = U32::new(endian, link);
        Some(section)
    }

    fn described_by(
        &self,
        endian: Endianness,
        offset: usize,
        count: usize,
        names: usize,
    ) -> Option<Self> {
        let mut header = *self;
        header.e_shoff = U32::new(endian, u32::try_from(offset).ok()?);
        header.e_shnum = U16::new(endian, u16::try_from(count).ok()?);
        header.e_shstrndx = U16::new(endian, SymbolSection(u16::try_from(names).ok()?));
        Some(header)
    }
}
