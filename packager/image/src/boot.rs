//! What booting an image in an emulator takes.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use l4re_packager_base::Diagnostic;
use memchr::memmem;

use crate::image::{Image, Module};

/// Size of the ELF header and one program header.
const HEADERS: u64 = 0x1000;

impl Module {
    /// Whether some bytes are in the module, decompressed.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if it cannot be read or decompressed.
    pub fn contains(&self, needle: &[u8]) -> Result<bool, Diagnostic> {
        let finder = memmem::Finder::new(needle);
        let mut found = false;
        // The end of each chunk is kept, for what lies across two of them.
        let mut window = Vec::new();
        self.for_each_full_chunk(&mut |chunk| {
            window.extend_from_slice(chunk);
            found = found || finder.find(&window).is_some();
            let keep = window.len().min(needle.len());
            window.drain(..window.len() - keep);
            Ok(())
        })?;
        Ok(found)
    }
}

impl Image {
    /// An ELF header that makes a program of the memory image behind it: one segment, at the address
    /// that the image is for, entered at its first byte. Little endian machines only.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] for architectures whose ELF number is not known here.
    pub fn elf_header(&self) -> Result<Vec<u8>, Diagnostic> {
        let machine: u16 = match self.arch().name() {
            "arm64" => 183,
            "riscv" if self.arch().bits() == 64 => 243,
            other => {
                let message = format!("no ELF header can be made for a memory image for {other}");
                return Err(Diagnostic::error("format", message));
            }
        };
        let start = self.info.start;
        let size = self.container.body.len();
        let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        header.extend(2u16.to_le_bytes()); // ET_EXEC
        header.extend(machine.to_le_bytes());
        header.extend(1u32.to_le_bytes());
        for word in [start, 64, 0] {
            header.extend(word.to_le_bytes()); // e_entry, e_phoff, e_shoff
        }
        header.extend(0u32.to_le_bytes());
        for half in [64u16, 56, 1, 64, 0, 0] {
            header.extend(half.to_le_bytes()); // sizes and numbers of the headers
        }
        header.extend(1u32.to_le_bytes()); // PT_LOAD
        header.extend(7u32.to_le_bytes()); // read, write, execute
        for word in [HEADERS, start, start, size, size, HEADERS] {
            header.extend(word.to_le_bytes());
        }
        header.resize(HEADERS as usize, 0);
        Ok(header)
    }

    /// Writes the image's file, as it was read, to the present place of another one.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if one of them fails; the other one is called `path`.
    pub fn copy_file(&self, to: &mut File, path: &Path) -> Result<(), Diagnostic> {
        self.container.body.for_each_chunk(&mut |chunk| {
            to.write_all(chunk).map_err(|error| {
                Diagnostic::error("io", format!("cannot write: {error}")).file(path)
            })
        })
    }
}
