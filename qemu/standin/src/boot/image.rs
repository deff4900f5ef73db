//! Static ELF files.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use elf::ElfBytes;
use elf::abi::{EM_AARCH64, ET_EXEC, PF_R, PF_W, PF_X, PT_INTERP, PT_LOAD, PT_PHDR};
use elf::endian::LittleEndian;

use crate::mem::PAGE;
use crate::region::{END, FIRST};

/// A part of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First address; segments are placed by physical address, as the in-task loader does.
    pub start: usize,
    /// Size in memory.
    pub size: usize,
    /// Where its bytes are in the file.
    pub file: (usize, usize),
    /// 1 X, 2 W, 4 R.
    pub rights: u32,
}

impl Segment {
    /// The pages it takes.
    pub fn pages(&self) -> (usize, usize) {
        (self.start & !(PAGE - 1), (self.start + self.size).next_multiple_of(PAGE))
    }
}

/// A program file, checked.
#[derive(Clone, Debug)]
pub struct Image {
    /// First instruction.
    pub entry: usize,
    /// Its parts.
    pub segments: Vec<Segment>,
    /// Address of the program headers, if there is a segment that says so.
    pub phdr: Option<usize>,
    /// Number of program headers.
    pub phnum: usize,
}

/// Checks a file and finds what has to be loaded.
///
/// # Errors
///
/// Why it cannot be started.
pub fn parse(data: &[u8]) -> Result<Image, String> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(data).map_err(|e| format!("{e}"))?;
    if file.ehdr.e_machine != EM_AARCH64 {
        return Err(format!("machine type {} is not AArch64", file.ehdr.e_machine));
    }
    if file.ehdr.e_type != ET_EXEC {
        return Err("only position-dependent executables are loaded here".into());
    }
    let headers = file.segments().ok_or("no program headers")?;
    let mut image = Image {
        entry: file.ehdr.e_entry as usize,
        segments: Vec::new(),
        phdr: None,
        phnum: headers.len(),
    };
    for h in headers.iter() {
        match h.p_type {
            PT_LOAD if h.p_memsz > 0 => image.segments.push(segment(&h, data.len())?),
            PT_PHDR => image.phdr = Some(h.p_paddr as usize),
            PT_INTERP => return Err("dynamically linked programs are not loaded here".into()),
            _ => {}
        }
    }
    let mut pages: Vec<_> = image.segments.iter().map(Segment::pages).collect();
    pages.sort_unstable();
    if let Some(w) = pages.windows(2).find(|w| w[0].1 > w[1].0) {
        return Err(format!("two segments share the page at {:#x}", w[1].0));
    }
    if pages.is_empty() {
        return Err("nothing to load".into());
    }
    Ok(image)
}

fn segment(h: &elf::segment::ProgramHeader, length: usize) -> Result<Segment, String> {
    let bad = |what: &str| Err(format!("segment at {:#x}: {what}", h.p_paddr));
    let (start, size) = (h.p_paddr as usize, h.p_memsz as usize);
    let (at, bytes) = (h.p_offset as usize, h.p_filesz as usize);
    if start < FIRST || start.checked_add(size).is_none_or(|e| e > END) {
        return bad("outside of user memory");
    }
    if bytes > size || at.checked_add(bytes).is_none_or(|e| e > length) {
        return bad("outside of the file");
    }
    if !(start.wrapping_sub(at)).is_multiple_of(PAGE) {
        return bad("file offset and address differ in the page");
    }
    let mut rights = 0;
    for (flag, right) in [(PF_X, 1), (PF_W, 2), (PF_R, 4)] {
        rights |= if h.p_flags & flag != 0 { right } else { 0 };
    }
    Ok(Segment { start, size, file: (at, bytes), rights })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// A file with program headers given as (type, flags, offset, address, file size, size).
    fn file(segments: &[(u32, u32, u64, u64, u64, u64)]) -> Vec<u8> {
        let mut f = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        f.extend(ET_EXEC.to_le_bytes());
        f.extend(EM_AARCH64.to_le_bytes());
        f.extend(1_u32.to_le_bytes());
        for v in [0x40_0000_u64, 64, 0] {
            f.extend(v.to_le_bytes());
        }
        f.extend(0_u32.to_le_bytes());
        for v in [64_u16, 56, segments.len() as u16, 64, 0, 0] {
            f.extend(v.to_le_bytes());
        }
        for (kind, flags, offset, address, bytes, size) in segments {
            f.extend(kind.to_le_bytes());
            f.extend(flags.to_le_bytes());
            for v in [offset, address, address, bytes, size, &0x1000] {
                f.extend(v.to_le_bytes());
            }
        }
        f.resize(0x3000, 0);
        f
    }

    #[test]
    fn segments_are_found_with_their_rights() {
        let f = file(&[
            (PT_PHDR, 4, 64, 0x40_0040, 112, 112),
            (PT_LOAD, 5, 0, 0x40_0000, 0x1000, 0x1000),
            (PT_LOAD, 6, 0x1000, 0x40_1000, 0x10, 0x2010),
        ]);
        let i = parse(&f).unwrap();
        assert_eq!((i.entry, i.phdr, i.phnum), (0x40_0000, Some(0x40_0040), 3));
        assert_eq!(i.segments[1].rights, 6);
        assert_eq!(i.segments[1].pages(), (0x40_1000, 0x40_4000));
    }

    #[test]
    fn what_cannot_be_loaded_is_refused_with_its_reason() {
        let one = |s| parse(&file(&[s])).unwrap_err();
        assert!(one((PT_LOAD, 4, 0x2000, 0x40_0000, 0x2000, 0x2000)).contains("file"));
        assert!(one((PT_LOAD, 4, 0, 0, 0x10, 0x10)).contains("user memory"));
        assert!(one((PT_LOAD, 4, 0, u64::MAX, 0x10, 0x10)).contains("user memory"));
        assert!(one((PT_LOAD, 4, 0, 0x40_0010, 0x10, 0x10)).contains("offset"));
        assert!(one((PT_INTERP, 4, 0, 0x40_0000, 1, 1)).contains("dynamic"));
        let shared = [(PT_LOAD, 4, 0, 0x40_0000, 9, 9), (PT_LOAD, 6, 0x20, 0x40_0020, 9, 9)];
        assert!(parse(&file(&shared)).unwrap_err().contains("share"));
        assert!(parse(b"#!/bin/sh").is_err());
    }
}
