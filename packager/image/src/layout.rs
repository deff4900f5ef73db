//! Where everything of a new module area goes.

use l4re_packager_base::Diagnostic;

use crate::attrs::Attrs;
use crate::image::{Image, Module};
use crate::info::Version;
use crate::table::{HEADER_MAGIC, HEADER_SIZE, RECORD_MAGIC, record_size};

/// Digits of a checksum.
const MD5_DIGITS: usize = 32;

/// A module area. All offsets are relative to its start.
#[derive(Debug)]
pub(crate) struct Area {
    /// The first bytes: attributes, header, records, strings. The checksums are not there yet.
    pub table: Vec<u8>,
    /// Where the header is.
    pub header: u64,
    /// Whether the area starts with global attributes.
    pub has_attrs: bool,
    /// Where each module goes.
    pub modules: Vec<Place>,
    /// Where the last one ends.
    pub end: u64,
}

/// Where a module goes.
#[derive(Debug)]
pub(crate) struct Place {
    /// Its bytes.
    pub data: u64,
    /// The digits of the two checksums.
    pub stored_md5: u64,
    pub full_md5: u64,
}

/// What a record needs to know that depends on other things than the module.
struct Strings {
    name: u64,
    command_line: u64,
    stored_md5: u64,
    full_md5: u64,
}

impl Area {
    /// The area for the image's modules, with these attributes.
    pub fn new(image: &Image, attrs: &Attrs) -> Result<Self, Diagnostic> {
        let version = image.info.version;
        let mut table = attrs.encode();
        let has_attrs = !table.is_empty();
        let mut stores = Vec::new();
        for module in &image.modules {
            let store = module.attrs.encode();
            stores.push((!store.is_empty()).then_some(table.len() as u64));
            table.extend(store);
        }
        // Bootstrap insists on the alignment of the header.
        table.resize(table.len().next_multiple_of(8), 0);
        let header = table.len() as u64;
        let size = record_size(version);
        let count = image.modules.len() as u64;
        let first = header + HEADER_SIZE;

        let mut pool = Pool { start: first + count * size, bytes: Vec::new() };
        let command_line = pool.add(&image.command_line)?;
        let strings = image.modules.iter().map(|module| pool.module(module));
        let strings = strings.collect::<Result<Vec<_>, _>>()?;
        let page = image.info.arch.page_size();
        let mut end = pool.start + pool.bytes.len() as u64;

        table.extend_from_slice(HEADER_MAGIC);
        table.extend((count as u32).to_le_bytes());
        table.extend(0u32.to_le_bytes());
        table.extend((command_line - header).to_le_bytes());
        table.extend(HEADER_SIZE.to_le_bytes());
        let mut modules = Vec::new();
        for ((module, strings), store) in image.modules.iter().zip(strings).zip(stores) {
            let data = end.next_multiple_of(page);
            record(&mut table, module, version, data, &strings, store)?;
            end = data.saturating_add(module.stored_size());
            let Strings { stored_md5, full_md5, .. } = strings;
            modules.push(Place { data, stored_md5, full_md5 });
        }
        table.extend(pool.bytes);
        Ok(Self { table, header, has_attrs, modules, end })
    }
}

/// Adds a module's record.
fn record(
    table: &mut Vec<u8>,
    module: &Module,
    version: Version,
    data: u64,
    strings: &Strings,
    store: Option<u64>,
) -> Result<(), Diagnostic> {
    let position = table.len() as u64;
    let size = |size: u64| {
        u32::try_from(size).map_err(|_| {
            let message = format!("module {}: {size} bytes; 4 GiB are the limit", module.name);
            Diagnostic::error("too-large", message)
        })
    };
    table.extend_from_slice(RECORD_MAGIC);
    match version {
        Version::V1 => table.extend((module.bits() as u32).to_le_bytes()),
        Version::V2 => table.extend(module.bits().to_le_bytes()),
    }
    table.extend((data - position).to_le_bytes());
    table.extend(size(module.stored_size())?.to_le_bytes());
    table.extend(size(module.full_size())?.to_le_bytes());
    for target in [strings.name, strings.command_line, strings.stored_md5, strings.full_md5] {
        table.extend((target - position).to_le_bytes());
    }
    // The stores lie before the records; 0 would be the record itself and means that there is none.
    table.extend(store.map_or(0, |store| store.wrapping_sub(position)).to_le_bytes());
    Ok(())
}

/// The strings behind the records.
struct Pool {
    start: u64,
    bytes: Vec<u8>,
}

impl Pool {
    fn add(&mut self, text: &str) -> Result<u64, Diagnostic> {
        let offset = self.start + self.bytes.len() as u64;
        if text.contains('\0') {
            let message = format!("a NUL in {text:?}; names and command lines end with one");
            return Err(Diagnostic::error("nul", message));
        }
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        Ok(offset)
    }

    fn module(&mut self, module: &Module) -> Result<Strings, Diagnostic> {
        let blank = "0".repeat(MD5_DIGITS);
        Ok(Strings {
            name: self.add(&module.name)?,
            command_line: self.add(&module.command_line)?,
            stored_md5: self.add(&blank)?,
            full_md5: self.add(&blank)?,
        })
    }
}
