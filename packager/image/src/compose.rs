//! An image from a bootstrap and an entry of a module list.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Seek, Write as _};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use l4re_packager_base::{Diagnostic, Failure, Report};

use crate::image::{Image, Kind, Module};
use crate::modlist::{Context, Entry, Item};
use crate::shlib;
use crate::source::{Content, Source};
use crate::strip::strip;

/// Bytes of a decompressed file at most.
const MAX_FULL: u64 = 1 << 30;

/// How files become modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepare {
    /// Leave symbols and debug information of programs out.
    pub strip: bool,
    /// Compress.
    pub compress: bool,
}

impl Module {
    /// A module with a file's bytes, and its name.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the file cannot be read, or is a damaged program that shall be stripped.
    pub fn from_file(path: &Path, prepare: Prepare) -> Result<Self, Failure> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = Source::open(path)?;
        Ok(Self::prepared(name, source, prepare)?)
    }

    fn prepared(name: String, source: Source, prepare: Prepare) -> Result<Self, Diagnostic> {
        let content = if prepare.strip { strip(&source)? } else { Content::from(source) };
        let mut module = Self::new(name, content);
        if prepare.compress {
            module.compress()?;
        }
        Ok(module)
    }
}

impl Image {
    /// Makes this image one of an entry: the modules that it had go.
    ///
    /// Shared libraries that the entry's programs need are added as the stock tool does, unless the
    /// list forbids it with `no-shlib-scan`.
    ///
    /// # Errors
    ///
    /// [`Failure`] with every file that is missing or damaged.
    pub fn compose(&mut self, entry: &Entry, context: &Context) -> Result<Report, Failure> {
        let mut context = context.clone();
        context.search.extend(entry.search.iter().map(PathBuf::from));
        let mut report = Report::new();
        let mut modules = Vec::new();
        for item in &entry.items {
            match module(item, &context) {
                Ok(module) => modules.push(module),
                Err(failure) => {
                    report.extend(failure.0.into_iter().map(|finding| item.about_new(finding)))
                }
            }
        }
        libraries(entry, &context, &mut modules, &mut report);
        let ((), report) = report.into_result(())?;
        self.modules.clear();
        self.command_line.clone_from(&entry.command_line);
        for (place, module) in modules.into_iter().enumerate() {
            self.add(module, None).map_err(|finding| match entry.items.get(place) {
                Some(item) => item.about(finding),
                None => finding,
            })?;
        }
        Ok(report)
    }
}

impl Item {
    /// A finding that names no file is about the item's line.
    fn about_new(&self, finding: Diagnostic) -> Diagnostic {
        if finding.file.is_some() { finding } else { self.about(finding) }
    }
}

fn module(item: &Item, context: &Context) -> Result<Module, Failure> {
    let path = context.find(&item.file)?;
    let mut source = Source::open(&path)?;
    if item.has("uncompress") {
        source = decompressed(&source, &path)?;
    }
    let strip = !(item.has("nostrip")
        || item.placed.as_ref().is_some_and(|placed| placed.line.word.ends_with("-nostrip")));
    let prepare = Prepare { strip, compress: item.is_compressed() };
    let mut module = Module::prepared(item.name.clone(), source, prepare)?;
    module.command_line = item.command_line();
    module.kind = item.kind;
    module.attrs = item.attrs();
    Ok(module)
}

/// Adds the libraries that the programs need and the entry does not name.
fn libraries(entry: &Entry, context: &Context, modules: &mut Vec<Module>, report: &mut Report) {
    let mut done: BTreeSet<String> = entry.items.iter().map(|item| item.name.clone()).collect();
    let mut wanted = BTreeSet::new();
    for item in entry.items.iter().filter(|item| !item.has("no-shlib-scan")) {
        let source = context.find(&item.file).ok().and_then(|path| Source::open(&path).ok());
        wanted.extend(source.iter().flat_map(shlib::needed).map(|name| (name, item.name.clone())));
    }
    let mut found = Vec::new();
    while let Some((name, by)) = wanted.pop_first() {
        if !done.insert(name.clone()) {
            continue;
        }
        let loaded = context.find(&name).map_err(Failure::from).and_then(|path| {
            let source = Source::open(&path)?;
            let needed = shlib::needed(&source);
            let prepare = Prepare { strip: true, compress: false };
            Ok((needed, Module::prepared(name.clone(), source, prepare)?))
        });
        match loaded {
            Ok((needed, module)) => {
                wanted.extend(needed.into_iter().map(|next| (next, name.clone())));
                found.push(module);
            }
            Err(Failure(findings)) => report.extend(findings.into_iter().map(|mut finding| {
                finding.message = format!("{}, which {by} needs", finding.message);
                finding
            })),
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    debug_assert!(found.iter().all(|module| module.kind == Kind::File));
    modules.extend(found);
}

/// A file decompressed into a temporary one, if it is compressed.
fn decompressed(source: &Source, path: &Path) -> Result<Source, Failure> {
    let mut magic = [0; 2];
    if source.read(0, &mut magic, "the file").is_err() || magic != [0x1f, 0x8b] {
        return Ok(source.clone());
    }
    let failed = |error: io::Error| Failure::io("decompress", path, &error);
    let mut file = tempfile::tempfile().map_err(failed)?;
    let mut reader = GzDecoder::new(source.reader()).take(MAX_FULL + 1);
    let len = io::copy(&mut reader, &mut file).map_err(failed)?;
    file.flush().map_err(failed)?;
    file.rewind().map_err(failed)?;
    if len > MAX_FULL {
        let message = format!("more than {MAX_FULL} bytes come out of it");
        return Err(Diagnostic::error("too-large", message).file(path).into());
    }
    Ok(Source::from_file(file, path, len))
}
