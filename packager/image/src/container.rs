//! What an image is packed in: where addresses are in the file, and what changes when the module area
//! gets another length.

use std::ops::Range;

use l4re_packager_base::Diagnostic;

use crate::elf::{Elf, Patch, Section};
use crate::info::{Arch, Info};
use crate::source::{Content, Source};

/// Size of U-Boot's header before the image.
const UIMAGE_HEADER: u64 = 64;
/// The section of amd64's 32-bit ELF file that holds the 64-bit one.
const INNER: &[u8] = b".data.elf64";
/// Alignment of the section headers in ELF files; some tools insist on it.
const TABLE_ALIGN: u64 = 8;

/// The kinds of image files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An ELF file.
    Elf,
    /// A 32-bit ELF file that holds the 64-bit one with the modules (amd64).
    ElfInElf,
    /// A plain memory image.
    Raw,
    /// A memory image behind U-Boot's header.
    UImage,
}

impl Format {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Elf => "elf",
            Self::ElfInElf => "elf32+elf64",
            Self::Raw => "raw",
            Self::UImage => "uimage",
        }
    }
}

/// A file taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    kind: Kind,
    /// The bytes in which the image info is looked for, and to which its offsets apply.
    pub body: Source,
    /// The whole file.
    file: Source,
}

#[derive(Debug, Clone)]
enum Kind {
    Elf(Elf),
    ElfInElf {
        outer: Elf,
        slot: Section,
        inner: Elf,
    },
    /// A memory image behind `header` bytes.
    Flat {
        header: u64,
    },
}

/// How the file is put together anew.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What stays before the module area.
    pub head: Source,
    /// Bytes that the area takes in the new file.
    pub area_len: u64,
    /// What stays behind the area.
    pub tail: Content,
    /// What then changes. Offsets in the new file.
    pub patches: Vec<Patch>,
    /// Where the body starts in the new file.
    pub body: u64,
    /// Whether U-Boot's header must be made to fit.
    pub uimage: bool,
}

impl Container {
    /// Tells the kinds apart.
    pub fn parse(file: Source) -> Result<Self, Diagnostic> {
        let mut start = [0; 4];
        file.read(0, &mut start, "the image")?;
        if start.starts_with(b"MZ") {
            let message = "an EFI application; these are not supported";
            let help = "take the ELF or raw image of the same bootstrap";
            return Err(file.error("format", message, 0).help(help));
        }
        if start == [0x27, 0x05, 0x19, 0x56] {
            return Self::uimage(file);
        }
        if !Elf::is(&start) {
            let body = file.clone();
            return Ok(Self { kind: Kind::Flat { header: 0 }, body, file });
        }
        let elf = Elf::parse(&file)?;
        if !elf.encoding.wide {
            let slot = elf
                .sections
                .iter()
                .find(|section| section.has_bytes() && elf.section_name(&file, section) == INNER);
            if let Some(slot) = slot {
                let Some(body) = file.slice(slot.offset, slot.size) else {
                    let message = "the section with the 64-bit image ends behind the file's end";
                    return Err(file.error("truncated", message, slot.header));
                };
                let (inner, slot) = (Elf::parse(&body)?, slot.clone());
                return Ok(Self { kind: Kind::ElfInElf { outer: elf, slot, inner }, body, file });
            }
        }
        Ok(Self { kind: Kind::Elf(elf), body: file.clone(), file })
    }

    fn uimage(file: Source) -> Result<Self, Diagnostic> {
        let mut header = [0; UIMAGE_HEADER as usize];
        file.read(0, &mut header, "U-Boot's header")?;
        let size = header.get(12..16).and_then(|field| field.first_chunk().copied());
        let size = u64::from(u32::from_be_bytes(size.unwrap_or_default()));
        if header.get(31) != Some(&0) {
            let message = "the uImage is compressed as a whole";
            let help = "make it with `mkimage -C none`";
            return Err(file.error("format", message, 31).help(help));
        }
        let Some(body) = file.slice(0, UIMAGE_HEADER + size) else {
            let message = format!("U-Boot's header tells of {size} bytes behind it");
            return Err(file.error("truncated", message, 12));
        };
        Ok(Self { kind: Kind::Flat { header: UIMAGE_HEADER }, body, file })
    }

    pub fn format(&self) -> Format {
        match self.kind {
            Kind::Elf(_) => Format::Elf,
            Kind::ElfInElf { .. } => Format::ElfInElf,
            Kind::Flat { header: 0 } => Format::Raw,
            Kind::Flat { .. } => Format::UImage,
        }
    }

    /// The machine number of the ELF file that the processor starts.
    pub fn elf_machine(&self) -> Option<u16> {
        match &self.kind {
            Kind::Elf(elf) => Some(elf.machine),
            Kind::ElfInElf { inner, .. } => Some(inner.machine),
            Kind::Flat { .. } => None,
        }
    }

    /// The offset in the body of what is loaded at an address.
    pub fn offset_of(&self, info: &Info, address: u64) -> Option<u64> {
        match &self.kind {
            Kind::Elf(elf) | Kind::ElfInElf { inner: elf, .. } => elf.offset_of(address),
            Kind::Flat { header } => address.checked_sub(info.start)?.checked_add(*header),
        }
    }

    /// Where the module area is in the body.
    pub fn area(&self, info: &Info) -> Result<Range<u64>, Diagnostic> {
        let (start, end, at) = match &self.kind {
            Kind::Elf(elf) | Kind::ElfInElf { inner: elf, .. } => {
                let section = self.area_section(elf, info)?;
                (section.offset, section.offset.checked_add(section.size), section.header)
            }
            Kind::Flat { .. } => {
                let start = self.offset_of(info, info.area).unwrap_or(u64::MAX);
                (start, Some(self.body.len()), info.position + 64)
            }
        };
        match end {
            Some(end) if start <= end && end <= self.body.len() => Ok(start..end),
            _ => {
                let message = "the module area does not lie inside of the file";
                Err(self.body.error("truncated", message, at))
            }
        }
    }

    fn area_section<'a>(&self, elf: &'a Elf, info: &Info) -> Result<&'a Section, Diagnostic> {
        elf.section_at(info.area).ok_or_else(|| {
            let message = format!("no section starts at the module area, {:#x}", info.area);
            let help = "an image that was stripped of its section headers cannot be changed";
            self.body.error("elf", message, info.position + 64).help(help)
        })
    }

    /// What a new file with an area of `len` bytes looks like.
    pub fn plan(&self, info: &Info, len: u64) -> Result<Plan, Diagnostic> {
        let area = self.area(info)?;
        let mut tail = Content::default();
        let mut plan = Plan {
            head: self.body.slice(0, area.start).unwrap_or_else(|| Source::zeros(0)),
            area_len: len,
            tail: Content::default(),
            patches: Vec::new(),
            body: 0,
            uimage: false,
        };
        match &self.kind {
            Kind::Elf(elf) => {
                let section = self.area_section(elf, info)?;
                plan.area_len = padded(elf, &area, len);
                plan.patches = elf.resize(&self.body, section, plan.area_len)?;
                tail.push(self.body.skip(area.end));
            }
            Kind::ElfInElf { outer, slot, inner } => {
                let section = self.area_section(inner, info)?;
                plan.area_len = padded(inner, &area, len);
                let inner_len =
                    (self.body.len() - (area.end - area.start)).saturating_add(plan.area_len);
                let slot_len = padded(outer, &(slot.offset..slot.offset + slot.size), inner_len);
                plan.patches = inner.resize(&self.body, section, plan.area_len)?;
                for (offset, _) in &mut plan.patches {
                    *offset += slot.offset;
                }
                plan.patches.extend(outer.resize(&self.file, slot, slot_len)?);
                plan.body = slot.offset;
                plan.head = self.file.slice(0, slot.offset + area.start).unwrap_or(plan.head);
                tail.push(self.body.skip(area.end));
                tail.push(Source::zeros(slot_len - inner_len));
                tail.push(self.file.skip(slot.offset + slot.size));
            }
            Kind::Flat { header } => {
                plan.uimage = *header > 0;
            }
        }
        plan.tail = tail;
        Ok(plan)
    }

    /// An image for another machine than its ELF file says is a sign of a damaged image info.
    pub fn check_machine(&self, arch: Arch) -> Option<Diagnostic> {
        let expected: &[u16] = match arch.name() {
            "x86" => &[3, 6],
            "amd64" => &[62],
            "arm" => &[40],
            "arm64" => &[183],
            "mips" => &[8],
            "ppc32" => &[20],
            "powerpc" => &[21],
            "sparc" => &[2, 18, 43],
            "riscv" => &[243],
            _ => return None,
        };
        let machine = self.elf_machine()?;
        (!expected.contains(&machine)).then(|| {
            let message = format!(
                "the image info is for {}, the ELF file for machine {machine}",
                arch.name()
            );
            self.body.place(Diagnostic::warning("elf-machine", message), 18)
        })
    }
}

/// The length that the bytes at `area` get so that `len` bytes fit and the section headers, if they
/// lie behind, are aligned.
fn padded(elf: &Elf, area: &Range<u64>, len: u64) -> u64 {
    let table = elf.section_table.start;
    let (behind, rest) = match table.checked_sub(area.end) {
        Some(behind) => (behind, 0),
        None => (0, area.end % TABLE_ALIGN),
    };
    let place = (area.start % TABLE_ALIGN) + (len % TABLE_ALIGN) + (behind % TABLE_ALIGN);
    len.saturating_add((TABLE_ALIGN + rest - place % TABLE_ALIGN) % TABLE_ALIGN)
}
