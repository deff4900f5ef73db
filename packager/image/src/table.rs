//! The module area: header, records and strings, then the modules' bytes.
//!
//! All offsets in a record are relative to the record, all numbers little endian.

use std::cell::Cell;

use l4re_packager_base::Diagnostic;

use crate::attrs::Attrs;
use crate::info::{Version, u32_at, u64_at};
use crate::source::Source;

pub(crate) const HEADER_MAGIC: &[u8; 32] = b"<< L4Re-bootstrap-modinfo-hdr >>";
pub(crate) const RECORD_MAGIC: &[u8; 32] = b"<< L4Re-bootstrap-modinfo-mod >>";
/// Size of the header in bytes.
pub(crate) const HEADER_SIZE: u64 = 56;
/// Modules that are read at most; a table is kept in memory.
const MAX_MODULES: u32 = 1 << 16;
/// Bytes of a name or command line.
const MAX_STRING: usize = 64 << 10;
/// Bytes of all strings and attributes together: many records can point to the same ones.
const MAX_TEXT: u64 = 16 << 20;

/// Size of a record in bytes.
pub(crate) fn record_size(version: Version) -> u64 {
    match version {
        Version::V1 => 92,
        Version::V2 => 96,
    }
}

/// A record with everything it points to but the module's bytes.
#[derive(Debug)]
pub(crate) struct Record {
    /// Where it stands in the body.
    pub position: u64,
    pub flags: u64,
    /// Where the bytes are in the body.
    pub data: u64,
    pub stored_size: u32,
    pub full_size: u32,
    pub name: String,
    pub command_line: String,
    pub stored_md5: String,
    pub full_md5: String,
    pub attrs: Attrs,
}

/// The table as it was read.
#[derive(Debug)]
pub(crate) struct Table {
    pub command_line: String,
    pub records: Vec<Record>,
    /// End of what was read, in the body.
    pub end: u64,
}

/// Reads the table at `position` of `body`.
pub(crate) fn read(body: &Source, position: u64, version: Version) -> Result<Table, Diagnostic> {
    let mut header = [0; HEADER_SIZE as usize];
    body.read(position, &mut header, "the module header")?;
    if !header.starts_with(HEADER_MAGIC) {
        return Err(body.error("magic", "no module header here", position));
    }
    let count = u32_at(&header, 32);
    if count > MAX_MODULES {
        let message = format!("{count} modules; at most {MAX_MODULES} are read");
        return Err(body.error("too-large", message, position + 32));
    }
    let mut end = position + HEADER_SIZE;
    let budget = Budget { body, left: Cell::new(MAX_TEXT) };
    let mut text = |base: u64, field: u64, at: u64| -> Result<String, Diagnostic> {
        let start = relative(body, base, field, at)?;
        let text = string(body, start)?;
        budget.take(text.len(), at)?;
        end = end.max(start + text.len() as u64 + 1);
        Ok(text)
    };
    let command_line = text(position, u64_at(&header, 40), position + 40)?;
    let first = relative(body, position, u64_at(&header, 48), position + 48)?;
    let size = record_size(version);
    let mut records = Vec::new();
    for index in 0..u64::from(count) {
        let position = first.saturating_add(index * size);
        let bytes = body.bytes(position, size as usize, "a module's record")?;
        if !bytes.starts_with(RECORD_MAGIC) {
            let message = format!("no record of module {index} here");
            return Err(body.error("magic", message, position));
        }
        // Behind the flags both versions are alike.
        let (flags, rest) = match version {
            Version::V1 => (u64::from(u32_at(&bytes, 32)), 36),
            Version::V2 => (u64_at(&bytes, 32), 40),
        };
        let word = |offset: usize| u64_at(&bytes, rest + offset);
        let at = |offset: usize| position + (rest + offset) as u64;
        let attrs = match word(48) {
            0 => Attrs::default(),
            offset => Attrs::read(body, relative(body, position, offset, at(48))?)?,
        };
        budget.take(attrs.iter().map(|(key, value)| key.len() + value.len()).sum(), at(48))?;
        records.push(Record {
            position,
            flags,
            data: relative(body, position, word(0), at(0))?,
            stored_size: u32_at(&bytes, rest + 8),
            full_size: u32_at(&bytes, rest + 12),
            name: text(position, word(16), at(16))?,
            command_line: text(position, word(24), at(24))?,
            stored_md5: text(position, word(32), at(32))?,
            full_md5: text(position, word(40), at(40))?,
            attrs,
        });
    }
    let end = end.max(first.saturating_add(u64::from(count) * size));
    Ok(Table { command_line, records, end })
}

/// What may still be kept in memory.
struct Budget<'a> {
    body: &'a Source,
    left: Cell<u64>,
}

impl Budget<'_> {
    /// Takes some bytes for what the field at `at` leads to.
    fn take(&self, bytes: usize, at: u64) -> Result<(), Diagnostic> {
        let left = self.left.get().checked_sub(bytes as u64).ok_or_else(|| {
            let message = format!("more than {MAX_TEXT} bytes of names, arguments and attributes");
            self.body.error("too-large", message, at)
        })?;
        self.left.set(left);
        Ok(())
    }
}

/// Where an offset relative to `base` leads, which must be inside of the file; `at` is where the
/// offset stands.
fn relative(body: &Source, base: u64, offset: u64, at: u64) -> Result<u64, Diagnostic> {
    let target = base.checked_add_signed(offset.cast_signed());
    target.filter(|target| *target <= body.len()).ok_or_else(|| {
        let message = format!("offset {} leads out of the file", offset.cast_signed());
        body.error("truncated", message, at)
    })
}

/// The text up to the next NUL.
fn string(body: &Source, start: u64) -> Result<String, Diagnostic> {
    let mut text = Vec::new();
    while text.len() < MAX_STRING {
        let position = start + text.len() as u64;
        let left = usize::try_from(body.len().saturating_sub(position)).unwrap_or(usize::MAX);
        let chunk = body.bytes(position, left.clamp(1, 256), "a string")?;
        if let Some(end) = chunk.iter().position(|byte| *byte == 0) {
            text.extend(chunk.into_iter().take(end));
            return String::from_utf8(text)
                .map_err(|_| body.error("utf-8", "a name or command line is not UTF-8", start));
        }
        text.extend(chunk);
    }
    let message = format!("a string without an end within {MAX_STRING} bytes");
    Err(body.error("too-large", message, start))
}
