//! `[udi]`: what a UDI package of the driver has that nothing else says.

use l4re_udi::props::{check_file_name, check_shortname, check_source_file};

use super::read::{all_checked, checked};
use super::rules;
use l4re_packager_base::reader::{Document, Table};

/// `[udi]`: the package in the format of UDI. Everything in it can be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Udi {
    /// Name for files, at most 8 letters, digits and underscores; made of the driver's name if not
    /// given.
    pub shortname: Option<String>,
    /// Who supplies the driver; the maintainer if not given.
    pub supplier: Option<String>,
    /// Number of the release; 1 if not given.
    pub release: Option<u32>,
    /// Files that a package with source holds, relative to the driver's folder.
    pub sources: Vec<String>,
    /// Files that are packaged as they are, in the driver's folder. `driver.toml` always is.
    pub readable: Vec<String>,
}

/// Reads the table.
pub(super) fn udi(document: &Document, mut table: Table<'_>) -> Udi {
    let shortname = table.string("shortname");
    let supplier = table.string("supplier");
    let release = table.number("release");
    let sources = table.strings("sources");
    let readable = table.strings("readable");
    table.finish();
    let release = release.and_then(|number| match u32::try_from(number.value) {
        Ok(release) => Some(release),
        Err(_) => {
            let message = format!("`release` must be at most {}", u32::MAX);
            document.error("range", message, number.at);
            None
        }
    });
    Udi {
        shortname: checked(document, "shortname", shortname, check_shortname),
        supplier: checked(document, "supplier", supplier, rules::line),
        release,
        sources: all_checked(document, "sources", sources, check_source_file),
        readable: all_checked(document, "readable", readable, check_file_name),
    }
}
