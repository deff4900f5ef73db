//! Compressed modules: gzip, one member, without name and time.

use std::io::{self, Read, Seek, Write};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use l4re_packager_base::Diagnostic;
use md5::{Digest, Md5};

use crate::image::{Checksums, Module};
use crate::source::{Content, Source};

/// Bytes that are decompressed at a time.
const CHUNK: usize = 256 << 10;
/// Bytes of a decompressed module that are written at most: what claims more is taken for a bomb.
const MAX_FULL: u64 = 1 << 30;

impl Module {
    /// Compresses the module's bytes, into a temporary file.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if its bytes cannot be read or the file cannot be written.
    pub fn compress(&mut self) -> Result<(), Diagnostic> {
        if self.is_compressed() {
            return Ok(());
        }
        let failed = |error: io::Error| {
            Diagnostic::error("io", format!("cannot compress {}: {error}", self.name))
        };
        let file = tempfile::tempfile().map_err(failed)?;
        let sink = Hashing { inner: file, md5: Md5::new() };
        let mut encoder = GzBuilder::new().write(sink, Compression::default());
        let mut full = Md5::new();
        self.content.for_each_chunk(&mut |chunk| {
            full.update(chunk);
            encoder.write_all(chunk).map_err(failed)
        })?;
        let mut sink = encoder.finish().map_err(failed)?;
        let len = sink.inner.stream_position().map_err(failed)?;
        if len == self.full_size {
            // Two equal sizes would say that the module is not compressed.
            return Ok(());
        }
        let path = std::env::temp_dir().join(&self.name);
        self.content = Content::from(Source::from_file(sink.inner, &path, len));
        self.checksums = Some(Checksums { stored: hex(sink.md5), full: hex(full) });
        Ok(())
    }

    /// Hands the module's bytes, decompressed if need be, to `sink`, a chunk at a time.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if they cannot be read, are not what their record says, or `sink` fails.
    pub fn for_each_full_chunk(
        &self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        if !self.is_compressed() {
            return self.content.for_each_chunk(sink);
        }
        let bad = |message: String| {
            let diagnostic = Diagnostic::error("gzip", format!("module {}: {message}", self.name));
            match self.content.parts().first() {
                Some(source) => source.place(diagnostic, 0),
                None => diagnostic,
            }
        };
        if self.full_size > MAX_FULL {
            let size = self.full_size;
            return Err(bad(format!("claims {size} bytes; at most {MAX_FULL} are decompressed")));
        }
        let mut decoder = GzDecoder::new(self.content.reader());
        let mut buffer = vec![0; CHUNK];
        let mut left = self.full_size;
        loop {
            let read = decoder.read(&mut buffer).map_err(|error| {
                let done = self.full_size - left;
                bad(format!("not decompressed after {done} bytes: {error}"))
            })?;
            let chunk = buffer.get(..read).unwrap_or_default();
            if chunk.is_empty() {
                break;
            }
            left = left.checked_sub(read as u64).ok_or_else(|| {
                bad(format!("has more than the {} bytes it claims", self.full_size))
            })?;
            sink(chunk)?;
        }
        if left > 0 {
            return Err(bad(format!(
                "has {left} bytes fewer than the {} it claims",
                self.full_size
            )));
        }
        Ok(())
    }

    /// The checksums of the bytes as they are.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if they cannot be read or decompressed.
    pub fn compute_checksums(&self) -> Result<Checksums, Diagnostic> {
        let stored = stored_md5(&self.content)?;
        let full = if self.is_compressed() {
            let mut md5 = Md5::new();
            self.for_each_full_chunk(&mut |chunk| {
                md5.update(chunk);
                Ok(())
            })?;
            hex(md5)
        } else {
            stored.clone()
        };
        Ok(Checksums { stored, full })
    }
}

fn stored_md5(content: &Content) -> Result<String, Diagnostic> {
    let mut md5 = Md5::new();
    content.for_each_chunk(&mut |chunk| {
        md5.update(chunk);
        Ok(())
    })?;
    Ok(hex(md5))
}

/// A checksum's digits.
pub(crate) fn hex(md5: Md5) -> String {
    md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Hashing<W> {
    inner: W,
    md5: Md5,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(bytes)?;
        self.md5.update(bytes.get(..len).unwrap_or_default());
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
