//! Where bytes come from: a part of a file, of memory, or zeros. Nothing is read before it is needed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure};

/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 20;

/// A range of bytes somewhere. Cheap to copy.
#[derive(Debug, Clone)]
pub struct Source {
    store: Store,
    /// Where the range starts in the store.
    start: u64,
    len: u64,
}

#[derive(Debug, Clone)]
enum Store {
    File(Arc<OpenFile>),
    Memory(Arc<[u8]>),
    Zeros,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    path: PathBuf,
}

impl Source {
    /// A whole file. It stays open, so it can be replaced meanwhile; it must not be changed.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be opened or is no regular file.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::io("open", path, &error);
        let file = input::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        Ok(Self::from_file(file, path, metadata.len()))
    }

    /// The first `len` bytes of an open file; messages call it `path`.
    pub(crate) fn from_file(file: File, path: &Path, len: u64) -> Self {
        let file = Arc::new(OpenFile { file, path: path.into() });
        Self { store: Store::File(file), start: 0, len }
    }

    /// Bytes in memory.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        let len = bytes.len() as u64;
        Self { store: Store::Memory(bytes), start: 0, len }
    }

    /// Zeros.
    pub(crate) fn zeros(len: u64) -> Self {
        Self { store: Store::Zeros, start: 0, len }
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The file it is a part of.
    pub fn path(&self) -> Option<&Path> {
        match &self.store {
            Store::File(file) => Some(&file.path),
            Store::Memory(_) | Store::Zeros => None,
        }
    }

    /// A part of it, if it is that long.
    pub(crate) fn slice(&self, start: u64, len: u64) -> Option<Self> {
        let end = start.checked_add(len)?;
        (end <= self.len).then(|| Self {
            store: self.store.clone(),
            start: self.start.saturating_add(start),
            len,
        })
    }

    /// Everything from `start` on; nothing if that is behind the end.
    pub(crate) fn skip(&self, start: u64) -> Self {
        let start = start.min(self.len);
        Self {
            store: self.store.clone(),
            start: self.start.saturating_add(start),
            len: self.len - start,
        }
    }

    /// An error about the byte at `offset`.
    pub(crate) fn error(
        &self,
        code: &'static str,
        message: impl Into<String>,
        offset: u64,
    ) -> Diagnostic {
        self.place(Diagnostic::error(code, message), offset)
    }

    /// Says of a finding that it is about the byte at `offset`.
    pub(crate) fn place(&self, diagnostic: Diagnostic, offset: u64) -> Diagnostic {
        let diagnostic = diagnostic.offset(self.start.saturating_add(offset));
        match self.path() {
            Some(path) => diagnostic.file(path),
            None => diagnostic,
        }
    }

    /// Fills `buffer` from `offset` on; `what` says in a message what was to be read.
    pub(crate) fn read(
        &self,
        offset: u64,
        buffer: &mut [u8],
        what: &str,
    ) -> Result<(), Diagnostic> {
        if self.slice(offset, buffer.len() as u64).is_none() {
            let end = self.len.saturating_sub(offset);
            let message = format!("{what}: {} bytes wanted, {end} are there", buffer.len());
            return Err(self.error("truncated", message, offset));
        }
        let position = self.start.saturating_add(offset);
        match &self.store {
            Store::Zeros => buffer.fill(0),
            Store::Memory(bytes) => {
                let start = usize::try_from(position).unwrap_or(usize::MAX);
                let end = start.saturating_add(buffer.len());
                if let Some(bytes) = bytes.get(start..end) {
                    buffer.copy_from_slice(bytes);
                }
            }
            Store::File(file) => {
                file.file.read_exact_at(buffer, position).map_err(|error| {
                    self.error("io", format!("cannot read {what}: {error}"), offset)
                })?;
            }
        }
        Ok(())
    }

    /// `len` bytes from `offset` on, which must be few.
    pub(crate) fn bytes(&self, offset: u64, len: usize, what: &str) -> Result<Vec<u8>, Diagnostic> {
        // The length is checked before memory is taken for it.
        if self.slice(offset, len as u64).is_none() {
            self.read(offset, &mut [], what)?;
            let message = format!("{what}: {len} bytes do not fit into the file");
            return Err(self.error("truncated", message, offset));
        }
        let mut bytes = vec![0; len];
        self.read(offset, &mut bytes, what)?;
        Ok(bytes)
    }

    /// Hands all bytes to `sink`, a chunk at a time.
    pub(crate) fn for_each_chunk(
        &self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        if let Store::Memory(bytes) = &self.store {
            let start = usize::try_from(self.start).unwrap_or(usize::MAX);
            let end = start.saturating_add(usize::try_from(self.len).unwrap_or(usize::MAX));
            return sink(bytes.get(start..end).unwrap_or_default());
        }
        let mut buffer = vec![0; usize::try_from(self.len).unwrap_or(CHUNK).min(CHUNK)];
        let mut offset = 0;
        while offset < self.len {
            let left = usize::try_from(self.len - offset).unwrap_or(CHUNK);
            let len = left.min(buffer.len());
            let Some(chunk) = buffer.get_mut(..len) else { break };
            self.read(offset, chunk, "data")?;
            sink(chunk)?;
            offset += len as u64;
        }
        Ok(())
    }

    /// A reader of all bytes.
    pub(crate) fn reader(&self) -> Reader {
        Reader { source: self.clone() }
    }
}

/// Reads a [`Source`] from its start to its end.
#[derive(Debug)]
pub(crate) struct Reader {
    source: Source,
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.source.len).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..len) else { return Ok(0) };
        self.source
            .read(0, buffer, "data")
            .map_err(|diagnostic| io::Error::other(diagnostic.to_string()))?;
        self.source = self.source.skip(len as u64);
        Ok(len)
    }
}

/// A file's bytes, put together from parts.
#[derive(Debug, Clone, Default)]
pub struct Content(Vec<Source>);

impl Content {
    /// Adds a part behind the others.
    pub(crate) fn push(&mut self, part: Source) {
        if !part.is_empty() {
            self.0.push(part);
        }
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| sum.saturating_add(part.len))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parts.
    pub(crate) fn parts(&self) -> &[Source] {
        &self.0
    }

    /// Hands all bytes to `sink`, a chunk at a time.
    pub(crate) fn for_each_chunk(
        &self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        self.0.iter().try_for_each(|part| part.for_each_chunk(sink))
    }

    /// Whether these bytes are those of another file.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if one of them cannot be read.
    pub(crate) fn is_same(&self, other: &Self) -> Result<bool, Diagnostic> {
        if self.len() != other.len() {
            return Ok(false);
        }
        let mut reader = other.reader();
        let mut buffer = Vec::new();
        let mut same = true;
        self.for_each_chunk(&mut |chunk| {
            // Long ones in pieces: a part in memory is one chunk of any length.
            for piece in chunk.chunks(CHUNK) {
                buffer.resize(piece.len(), 0);
                io::Read::read_exact(&mut reader, &mut buffer).map_err(|error| {
                    Diagnostic::error("io", format!("cannot read back: {error}"))
                })?;
                same &= buffer == piece;
            }
            Ok(())
        })?;
        Ok(same)
    }

    /// All bytes, if there are at most `limit`.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if they cannot be read or are more.
    pub fn to_vec(&self, limit: usize) -> Result<Vec<u8>, Diagnostic> {
        if self.len() > limit as u64 {
            let message = format!("{} bytes, more than the {limit} that are read here", self.len());
            return Err(Diagnostic::error("too-large", message));
        }
        let mut bytes = Vec::new();
        self.for_each_chunk(&mut |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// A reader of all bytes.
    pub(crate) fn reader(&self) -> impl io::Read {
        let empty: Box<dyn io::Read> = Box::new(io::empty());
        self.0.iter().fold(empty, |all, part| Box::new(io::Read::chain(all, part.reader())))
    }
}

impl From<Source> for Content {
    fn from(source: Source) -> Self {
        let mut content = Self::default();
        content.push(source);
        content
    }
}
