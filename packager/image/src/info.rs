//! The image info: the structure inside of bootstrap that tells where the modules are.
//!
//! All numbers in it are little endian, whatever the machine.

use l4re_packager_base::Diagnostic;
use memchr::memmem;

use crate::source::Source;

/// What the structure starts with.
pub(crate) const MAGIC: &[u8; 32] = b"<< L4Re Bootstrap Image Info >>\0";
/// Its size in bytes.
pub(crate) const SIZE: usize = 96;
/// Offset of the field with the module header's offset.
pub(crate) const MODULE_HEADER: u64 = 80;
/// Offset of the field with the attributes' offset.
pub(crate) const ATTRS: u64 = 88;

/// Bytes searched at a time.
const WINDOW: usize = 1 << 20;

/// Version of the structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Module records with 32 bits of flags.
    V1,
    /// Module records with 64 bits of flags.
    V2,
}

/// The architecture that a bootstrap is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arch(u8);

impl Arch {
    /// L4Re's names, two for each family: 32 and 64 bits.
    const NAMES: [&str; 12] = [
        "x86", "amd64", "arm", "arm64", "mips", "mips", "ppc32", "powerpc", "sparc", "sparc",
        "riscv", "riscv",
    ];

    /// L4Re's name; `unknown` for a number that has none.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("unknown")
    }

    /// Width of an address: 32 or 64.
    pub fn bits(self) -> u8 {
        if self.0 & 1 == 0 { 32 } else { 64 }
    }

    /// Bytes to a multiple of which modules are aligned.
    pub(crate) fn page_size(self) -> u64 {
        if self.name() == "mips" { 0x4000 } else { 0x1000 }
    }

    /// Whether bootstrap keeps the end of its own image in a cell of its own.
    fn has_end_cell(self) -> bool {
        matches!(self.name(), "arm" | "arm64")
    }
}

/// The structure as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    /// Where it stands in the bootstrap.
    pub position: u64,
    pub version: Version,
    pub arch: Arch,
    /// Address of the image's first byte.
    pub start: u64,
    /// Address at which the module area starts.
    pub area: u64,
    /// Address of the 8 bytes that must receive the end of the module area, if there are such.
    pub end_cell: Option<u64>,
    /// Offset of the module header from `start`; 0 if there are no modules.
    pub module_header: u64,
    /// Offset of the global attributes from `start`; 0 if there are none.
    pub attrs: u64,
}

impl Info {
    /// Looks for the structure and reads it.
    pub fn find(source: &Source) -> Result<Self, Diagnostic> {
        let Some(position) = search(source)? else {
            let message = "no bootstrap image info";
            let help = "give an image that L4Re's bootstrap is in: bootstrap.elf, bootstrap.raw, or \
                        what was made of them";
            return Err(source.error("no-image", message, 0).help(help));
        };
        Self::read(source, position)
    }

    fn read(source: &Source, position: u64) -> Result<Self, Diagnostic> {
        let mut bytes = [0; SIZE];
        source.read(position, &mut bytes, "the image info")?;
        let word = |offset| u64_at(&bytes, offset);
        let version = match u32_at(&bytes, 36) {
            1 => Version::V1,
            2 => Version::V2,
            other => {
                let message = format!("image info of version {other}; 1 and 2 are known");
                return Err(source.error("version", message, position + 36));
            }
        };
        let arch = Arch((word(40) & 0x1f) as u8);
        let (start, area) = (word(48), word(64));
        if area == 0 || area < start {
            let message =
                format!("the module area at {area:#x} lies before the image's start at {start:#x}");
            let help = "bootstrap's build did not fill in the image info";
            return Err(source.error("image-info", message, position + 64).help(help));
        }
        let end_cell = (arch.has_end_cell() && word(72) != 0).then_some(word(72));
        let (module_header, attrs) = (word(80), word(88));
        Ok(Self { position, version, arch, start, area, end_cell, module_header, attrs })
    }

    /// The address of something that is given as an offset from the image's start.
    pub fn address(&self, offset: u64) -> Option<u64> {
        self.start.checked_add(offset)
    }
}

/// The position of the first magic.
fn search(source: &Source) -> Result<Option<u64>, Diagnostic> {
    let finder = memmem::Finder::new(MAGIC);
    let mut window = vec![0; WINDOW];
    let mut offset = 0;
    while offset + SIZE as u64 <= source.len() {
        let len = usize::try_from(source.len() - offset).unwrap_or(WINDOW).min(WINDOW);
        let Some(chunk) = window.get_mut(..len) else { break };
        source.read(offset, chunk, "the image")?;
        if let Some(found) = finder.find(chunk) {
            return Ok(Some(offset + found as u64));
        }
        if len < WINDOW {
            break;
        }
        // The next window overlaps this one, for a magic that lies across the end.
        offset += (WINDOW - MAGIC.len()) as u64;
    }
    Ok(None)
}

/// The little endian number at `offset`; 0 where there are no bytes.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    u64::from_le_bytes(field.copied().unwrap_or_default())
}

/// The same for 32 bits.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    u32::from_le_bytes(field.copied().unwrap_or_default())
}
