//! The rule on exports: a module shows others `udi_init_info` and what its properties provide, and
//! nothing else.
//!
//! What counts as shown depends on how the module can still be linked. In an object or an archive
//! every symbol that is not local can be named by others: also weak, common and hidden ones. In a
//! program only the dynamic symbols can; its other global symbols are of interest to debuggers only.

use std::collections::BTreeSet;

use l4re_packager_base::{Diagnostic, Report};
use object::read::archive::ArchiveFile;
use object::{Object, ObjectKind, ObjectSymbol, SymbolScope, elf};

/// How a module can still be linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A relocatable object.
    Object,
    /// An archive of objects.
    Archive,
    /// A finished program or shared library.
    Program,
}

/// A symbol that others can name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What kind it is, if not plainly global.
    pub kind: Kind,
}

/// What kind of symbol others can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Global.
    Global,
    /// Weak: gives way to another one of its name.
    Weak,
    /// Common: merged with others of its name, by C compilers without `-fno-common`.
    Common,
    /// Hidden: global until the last link.
    Hidden,
}

/// Most symbols that a module may have, and bytes of their names altogether: in a file made to do
/// harm a million names can be one long text from a million places on.
const SYMBOLS_MAX: usize = 1_000_000;
const NAMES_MAX: usize = 64 << 20;

/// Names that are listed at most; a count tells of the rest.
const LISTED: usize = 8;

/// The symbols that others can name, sorted.
///
/// # Errors
///
/// [`Diagnostic`] if it is neither an ELF file nor an archive of some.
pub fn exported(module: &[u8]) -> Result<(Stage, BTreeSet<Export>), Diagnostic> {
    let mut exports = BTreeSet::new();
    if !module.starts_with(b"!<arch>\n") {
        let stage = of_object(module, &mut exports)?;
        return Ok((stage, exports));
    }
    let bad = |error| Diagnostic::error("udi-module", format!("archive: {error}")).offset(0);
    let archive = ArchiveFile::parse(module).map_err(bad)?;
    for member in archive.members() {
        let member = member.map_err(bad)?;
        let (offset, _) = member.file_range();
        let data = member.data(module).map_err(bad)?;
        // Rust's archives have members that are no objects.
        if data.starts_with(&elf::ELFMAG) {
            of_object(data, &mut exports).map_err(|error| error.offset(offset))?;
        }
    }
    Ok((Stage::Archive, exports))
}

/// How a module can still be linked, told by its first bytes and its header.
///
/// # Errors
///
/// [`Diagnostic`] if it is neither an ELF file nor an archive.
pub fn stage(module: &[u8]) -> Result<Stage, Diagnostic> {
    if module.starts_with(b"!<arch>\n") {
        return Ok(Stage::Archive);
    }
    let bad = |error| Diagnostic::error("udi-module", format!("module: {error}")).offset(0);
    let kind = object::File::parse(module).map_err(bad)?.kind();
    Ok(if kind == ObjectKind::Relocatable { Stage::Object } else { Stage::Program })
}

fn of_object(module: &[u8], exports: &mut BTreeSet<Export>) -> Result<Stage, Diagnostic> {
    let bad = |error| Diagnostic::error("udi-module", format!("module: {error}")).offset(0);
    let file = object::File::parse(module).map_err(bad)?;
    let relocatable = file.kind() == ObjectKind::Relocatable;
    let stage = if relocatable { Stage::Object } else { Stage::Program };
    let symbols = match stage {
        Stage::Program => file.dynamic_symbols(),
        _ => file.symbols(),
    };
    let mut left = NAMES_MAX;
    for (index, symbol) in symbols.enumerate() {
        if index >= SYMBOLS_MAX {
            return Err(too_many(format!("more than {SYMBOLS_MAX} symbols")));
        }
        if !symbol.is_global() || !symbol.is_definition() && !symbol.is_common() {
            continue;
        }
        let name = symbol.name_bytes().unwrap_or(b"?");
        left = left.checked_sub(name.len()).ok_or_else(|| {
            too_many(format!("names of symbols with more than {NAMES_MAX} bytes"))
        })?;
        let name = String::from_utf8_lossy(name).into_owned();
        exports.insert(Export { name, kind: kind(&symbol) });
    }
    Ok(stage)
}

fn too_many(message: String) -> Diagnostic {
    Diagnostic::error("udi-module", message).offset(0)
}

fn kind(symbol: &object::Symbol<'_, '_>) -> Kind {
    if symbol.is_common() {
        Kind::Common
    } else if symbol.is_weak() {
        Kind::Weak
    } else if symbol.scope() == SymbolScope::Linkage {
        Kind::Hidden
    } else {
        Kind::Global
    }
}

/// Judges what a module shows; `allowed` is what its properties let it show.
///
/// # Errors
///
/// As [`exported`].
pub fn check(module: &[u8], allowed: &[&str]) -> Result<Report, Diagnostic> {
    let mut report = Report::new();
    let (stage, exports) = exported(module)?;
    let others: Vec<&Export> =
        exports.iter().filter(|export| !allowed.contains(&export.name.as_str())).collect();
    if !others.is_empty() {
        let message = format!(
            "others can name {}; a module shows only {}",
            list(&others),
            allowed.join(", ")
        );
        let help = match stage {
            Stage::Program => "link it without exporting symbols",
            _ if others.iter().any(|export| export.kind == Kind::Common) => {
                "make them static, or `symbols` of a library; common ones go with -fno-common"
            }
            _ => {
                "make them static or local (objcopy --keep-global-symbols), or `symbols` of a library"
            }
        };
        report.push(Diagnostic::error("udi-exports", message).help(help));
    }
    Ok(report)
}

fn list(exports: &[&Export]) -> String {
    let shown = exports.iter().take(LISTED).map(|export| {
        let kind = match export.kind {
            Kind::Global => "",
            Kind::Weak => " (weak)",
            Kind::Common => " (common)",
            Kind::Hidden => " (hidden)",
        };
        // Names come from the file: nothing in them may disturb a terminal.
        format!("`{}`{kind}", export.name.escape_debug())
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match exports.len().checked_sub(LISTED) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
