//! Taking modules out of an image.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use l4re_files::Draft;
use l4re_packager_base::{Diagnostic, Failure};

use crate::edit::is_file_name;
use crate::image::{Image, Module};
use crate::modlist::{Item, lines};

/// Bytes that all compressed modules together may have when they are extracted.
const MAX_FULL: u64 = 4 << 30;

/// Name of the module list that goes with the files.
pub const MODULE_LIST: &str = "modules.list";

impl Module {
    /// Writes the module's bytes to a file, decompressed unless `stored` is set; completely or not
    /// at all.
    ///
    /// # Errors
    ///
    /// [`Failure`] if they cannot be read, decompressed or written.
    pub fn extract(&self, to: &Path, stored: bool) -> Result<(), Failure> {
        place(to, &mut |sink| {
            if stored {
                self.content().for_each_chunk(sink)
            } else {
                self.for_each_full_chunk(sink)
            }
        })
    }
}

/// Takes a file's bytes, a chunk at a time.
type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Diagnostic>;

/// Writes a file whose bytes `fill` hands over, beside its place first.
fn place(
    to: &Path,
    fill: &mut dyn FnMut(Sink<'_>) -> Result<(), Diagnostic>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::io("write", to, &error);
    let mut draft = Draft::beside(to).map_err(failed)?;
    fill(&mut |chunk| {
        draft
            .file()
            .write_all(chunk)
            .map_err(|error| Diagnostic::error("io", format!("cannot write: {error}")).file(to))
    })?;
    draft.set_mode(0o644).map_err(failed)?;
    draft.persist(to).map_err(failed)
}

impl Image {
    /// Writes all modules into a folder, decompressed, with a module list of which the same image
    /// can be composed again. Answers the files' names.
    ///
    /// # Errors
    ///
    /// [`Failure`] for a name that is no file name or there twice, for what a module list cannot
    /// say, and for too much to decompress, before anything is written; and if something cannot be
    /// read or written.
    pub fn extract(&self, folder: &Path) -> Result<Vec<String>, Failure> {
        let names = self.file_names()?;
        let list = self.module_list()?;
        let packed = self.modules.iter().filter(|module| module.is_compressed());
        let full = packed.fold(0u64, |sum, module| sum.saturating_add(module.full_size()));
        if full > MAX_FULL {
            let message = format!("{full} bytes come out of the compressed modules");
            let help = "extract those that you need one by one";
            return Err(Diagnostic::error("too-large", message).help(help).into());
        }
        fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, &error))?;
        for module in &self.modules {
            module.extract(&folder.join(&module.name), false)?;
        }
        place(&folder.join(MODULE_LIST), &mut |sink| sink(list.as_bytes()))?;
        Ok(names.into_iter().map(String::from).collect())
    }

    /// The files that the modules are written to, and the list.
    fn file_names(&self) -> Result<BTreeSet<&str>, Diagnostic> {
        let mut names = BTreeSet::from([MODULE_LIST]);
        for module in &self.modules {
            let name = module.name.as_str();
            if !is_file_name(name) || name.starts_with('.') {
                let message = format!("module {name:?} cannot be written under its name");
                let help = "extract it alone, to a file that you name";
                return Err(Diagnostic::error("name", message).help(help));
            }
            if !names.insert(name) {
                let message = format!("two files would be `{name}`");
                let help = "extract them one by one, by their numbers";
                return Err(Diagnostic::error("same-name", message).help(help));
            }
        }
        Ok(names)
    }

    /// The image as an entry `image` of a module list.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] for a command line, name or attribute that a list would read as something
    /// else: who made an image must not be able to put lines into lists made of it.
    pub fn module_list(&self) -> Result<String, Diagnostic> {
        let mut list = String::from("# vim:set ft=l4mods:\n\nentry[no-defaults] image\n");
        if !self.command_line.is_empty() {
            let line = format!("bootstrap {}", self.command_line);
            let item = item_of(&line).ok_or_else(|| not_said("bootstrap", &self.command_line))?;
            if item.command_line() != self.command_line {
                return Err(not_said("bootstrap", &self.command_line));
            }
            list.push_str(&line);
            list.push('\n');
        }
        for module in &self.modules {
            list.push_str(&module.line()?);
            list.push('\n');
        }
        Ok(list)
    }
}

impl Module {
    /// The module's line in a list, which is read back to see whether it says what it shall.
    fn line(&self) -> Result<String, Diagnostic> {
        // What is in the image was stripped before, if it was to be.
        let mut options = vec![String::from("nostrip")];
        if self.is_compressed() {
            options.push("compress=gz".into());
        }
        let name = self.rom_name().unwrap_or(&self.name);
        if name != self.name {
            options.push(format!("fname={name}"));
        }
        for (key, value) in self.attrs.iter() {
            options.push(format!("attr:{key}={}", String::from_utf8_lossy(value)));
        }
        let (kind, options) = (self.kind.name(), options.join(","));
        let line = format!("{kind}[{options}] {} {}", self.name, self.args());
        let line = line.trim_end().to_owned();
        let item = item_of(&line).filter(|item| {
            item.file == self.name
                && item.name == name
                && item.args == self.args()
                && item.attrs() == self.attrs
                && item.is_compressed() == self.is_compressed()
        });
        if item.is_some() { Ok(line) } else { Err(not_said(&self.name, &self.command_line)) }
    }
}

/// The one module that a line of a list stands for.
fn item_of(line: &str) -> Option<Item> {
    let mut lines = lines(line);
    let (parsed, None) = (lines.next()?, lines.next()) else { return None };
    Some(Item::of_line(parsed))
}

fn not_said(name: &str, command_line: &str) -> Diagnostic {
    let message =
        format!("a module list cannot say what module {name:?}, {command_line:?}, is in the image");
    let help = "extract the modules one by one";
    Diagnostic::error("modlist", message).help(help)
}
