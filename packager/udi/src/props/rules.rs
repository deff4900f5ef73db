//! What words may look like, and what a file as a whole must have.

use std::collections::{BTreeMap, BTreeSet};

use l4re_packager_base::{Diagnostic, Position, Report};

use super::{Declaration, Item, Piece, Text, VERSION};

/// Longest `shortname`, in characters: it names files on systems with short names.
pub const SHORTNAME_MAX: usize = 8;

/// Longest path of a source file is one character less.
pub const SOURCE_MAX: usize = 64;

/// Endings of source files. The format has `.c` and `.h`; drivers in Rust need the others.
const SOURCE_ENDINGS: [&str; 6] = [".c", ".h", ".S", ".rs", ".toml", ".lock"];

/// Nothing, or what is wrong with a word.
type Verdict = Result<(), &'static str>;

fn only(word: &str, more: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// Checks a `shortname`: at most [`SHORTNAME_MAX`] letters, digits and underscores.
///
/// # Errors
///
/// What is wrong, as in "must be …".
pub fn shortname(word: &str) -> Verdict {
    if !only(word, "_") {
        Err("must be letters, digits and underscores")
    } else if word.len() > SHORTNAME_MAX {
        Err("must have at most 8 characters")
    } else {
        Ok(())
    }
}

/// Checks a file's name without folders. The dash is more than the format has: programs of L4Re
/// have it.
///
/// # Errors
///
/// What is wrong, as in "must be …".
pub fn file_name(word: &str) -> Verdict {
    if !only(word, "_.-") {
        Err("must be a file name of letters, digits and _ . -")
    } else if word.starts_with(['.', '-']) {
        Err("must start with a letter, a digit or an underscore")
    } else {
        Ok(())
    }
}

/// Checks the path of a source file: below the folder, short, with a known ending.
///
/// # Errors
///
/// What is wrong, as in "must be …".
pub fn source_file(path: &str) -> Verdict {
    if path.chars().count() >= SOURCE_MAX {
        Err("must have less than 64 characters")
    } else if path.starts_with('/') || path.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        Err("must be a path below the folder, without `.` and `..`")
    } else if !only(path, "_.-+/") {
        Err("must be letters, digits and _ . - + /")
    } else if !SOURCE_ENDINGS.iter().any(|ending| path.ends_with(ending)) {
        Err("must end in .c, .h, .S, .rs, .toml or .lock")
    } else {
        Ok(())
    }
}

pub(super) fn symbol(word: &str) -> Verdict {
    if only(word, "_$.") && !word.starts_with(|c: char| c.is_ascii_digit()) {
        Ok(())
    } else {
        Err("must be letters, digits and underscores, and not start with a digit")
    }
}

pub(super) fn interface(word: &str) -> Verdict {
    if only(word, "_-") { Ok(()) } else { Err("must be letters, digits, dashes and underscores") }
}

/// Names of attributes: some have a first character that says who keeps them.
pub(super) fn attribute(word: &str) -> Verdict {
    let rest = word.strip_prefix(['%', '$', '@', '^']).unwrap_or(word);
    if only(rest, "_") { Ok(()) } else { Err("must be letters, digits and underscores") }
}

pub(super) fn locale(word: &str) -> Verdict {
    if only(word, "_-.@") { Ok(()) } else { Err("must be like C, de or de_CH") }
}

/// Judges the file as a whole. `keywords` are those of all lines, also of the wrong ones.
pub(super) fn check(items: &[Item], keywords: &[String], report: &mut Report) {
    first_is_the_version(items, keywords, report);
    for keyword in ["supplier", "contact", "name", "shortname", "release"] {
        missing(keywords, keyword, report);
    }
    missing(keywords, "requires", report);
    missing(keywords, "module", report);
    once(items, report);
    messages(items, report);
    let has = |keyword: &str| keywords.iter().any(|known| known == keyword);
    kind(items, &has, report);
    if has("device") != has("parent_bind_ops") {
        let (there, absent) = if has("device") {
            ("device", "parent_bind_ops")
        } else {
            ("parent_bind_ops", "device")
        };
        let message = format!("`{there}` without `{absent}`: one needs the other");
        report.push(Diagnostic::error("udi-missing", message).at(place_of(items, there)));
    }
    numbers(items, report);
    if let Some(item) = before_module(items) {
        let message = format!("`{}` belongs behind a `module`", keyword_of(&item.declaration));
        report.push(Diagnostic::error("udi-order", message).at(item.at));
    }
}

fn first_is_the_version(items: &[Item], keywords: &[String], report: &mut Report) {
    let help = format!("write `properties_version {VERSION:#x}` before everything else");
    if keywords.first().is_none_or(|keyword| keyword != "properties_version") {
        let at = items.first().map_or(START, |item| item.at);
        let message = "the first declaration must be `properties_version`";
        report.push(Diagnostic::error("udi-version", message).at(at).help(help.clone()));
    }
    for item in items {
        if let Declaration::PropertiesVersion(version) = item.declaration
            && version != VERSION
        {
            let message = format!("version {version:#x} of the format; only {VERSION:#x} is known");
            report.push(Diagnostic::error("udi-version", message).at(item.at));
        }
    }
}

const START: Position = Position::Text { line: 1, column: 1 };

fn missing(keywords: &[String], keyword: &str, report: &mut Report) {
    if !keywords.iter().any(|known| known == keyword) {
        report.push(Diagnostic::error("udi-missing", format!("no `{keyword}`")).at(START));
    }
}

/// Reports what is declared more than once and must not be.
fn once(items: &[Item], report: &mut Report) {
    let mut seen = BTreeSet::new();
    let mut locale = String::new();
    for item in items {
        use Declaration as D;
        if let D::Locale(name) = &item.declaration {
            locale.clone_from(name);
        }
        let what = match &item.declaration {
            D::PropertiesVersion(_)
            | D::Supplier(_)
            | D::Contact(_)
            | D::Name(_)
            | D::Shortname(_)
            | D::Release { .. }
            | D::Category(_)
            | D::MultiParent
            | D::PioSerializationLimit(_) => format!("`{}`", keyword_of(&item.declaration)),
            D::Module(file) => format!("module `{file}`"),
            D::Region { index, .. } => format!("region {index}"),
            D::Meta { index, .. } => format!("meta {index}"),
            D::Requires(interface) => format!("requirement `{}`", interface.name),
            D::Message { number, .. } | D::DisasterMessage { number, .. } if locale.is_empty() => {
                format!("message {number}")
            }
            D::Message { number, .. } | D::DisasterMessage { number, .. } => {
                format!("message {number} for {locale}")
            }
            _ => continue,
        };
        if !seen.insert(what.clone()) {
            let message = format!("{what} is declared twice");
            report.push(Diagnostic::error("udi-repeated", message).at(item.at));
        }
    }
}

/// Reports numbers of messages that nobody gives. With a file of messages nobody can tell.
fn messages(items: &[Item], report: &mut Report) {
    let mut known = BTreeSet::new();
    for item in items {
        match &item.declaration {
            Declaration::Message { number, .. } | Declaration::DisasterMessage { number, .. } => {
                known.insert(*number);
            }
            Declaration::MessageFile(_) => return,
            _ => {}
        }
    }
    for item in items {
        for number in messages_of(&item.declaration) {
            if !known.contains(&number) {
                let message = format!("there is no message {number}");
                let help = format!("declare it: message {number} <text>");
                report.push(Diagnostic::error("udi-message", message).at(item.at).help(help));
            }
        }
    }
}

fn messages_of(declaration: &Declaration) -> Vec<u16> {
    use Declaration as D;
    match declaration {
        D::Supplier(number) | D::Contact(number) | D::Name(number) | D::Category(number) => {
            vec![*number]
        }
        D::Device { message, .. } | D::Enumerates { message, .. } => vec![*message],
        D::ConfigChoices { message, .. } => vec![*message],
        D::Custom { messages, device, .. } => {
            messages.iter().copied().chain((*device != 0).then_some(*device)).collect()
        }
        D::Message { text, .. } | D::DisasterMessage { text, .. } | D::Release { text, .. } => {
            referred(text)
        }
        _ => Vec::new(),
    }
}

fn referred(text: &Text) -> Vec<u16> {
    let numbers = text.pieces().iter().filter_map(|piece| match piece {
        Piece::Message(number) => Some(*number),
        _ => None,
    });
    numbers.collect()
}

/// A file is about a driver or about a library.
fn kind(items: &[Item], has: &dyn Fn(&str) -> bool, report: &mut Report) {
    let library = ["provides", "symbols", "category"];
    let driver = [
        "region",
        "device",
        "enumerates",
        "parent_bind_ops",
        "child_bind_ops",
        "internal_bind_ops",
        "multi_parent",
        "custom",
        "config_choices",
    ];
    let of_library = library.iter().find(|keyword| has(keyword));
    let of_driver = driver.iter().find(|keyword| has(keyword));
    match (of_library, of_driver) {
        (Some(one), Some(other)) => {
            let message = format!("`{other}` is for drivers, `{one}` for libraries; not both");
            report.push(Diagnostic::error("udi-kind", message).at(place_of(items, other)));
        }
        (Some(one), None) if !has("provides") => {
            let message = format!("`{one}` without `provides`: a library provides something");
            report.push(Diagnostic::error("udi-missing", message).at(place_of(items, one)));
        }
        (None, None) => {
            let message = "neither `region` nor `provides`: this is no driver and no library";
            let help = "a driver has at least `region 0`";
            report.push(Diagnostic::error("udi-missing", message).at(START).help(help));
        }
        (None, Some(one)) => {
            let zero =
                |item: &Item| matches!(item.declaration, Declaration::Region { index: 0, .. });
            if has("region") && items.iter().any(zero) {
                return;
            }
            let at = place_of(items, one);
            report.push(Diagnostic::error("udi-missing", "a driver has `region 0`").at(at));
        }
        (Some(_), None) => {}
    }
}

/// Reports regions and interfaces that are used and not declared.
fn numbers(items: &[Item], report: &mut Report) {
    use Declaration as D;
    let mut metas = BTreeMap::new();
    let mut regions = BTreeSet::new();
    for item in items {
        match &item.declaration {
            D::Meta { index, interface } => drop(metas.insert(*index, interface)),
            D::Region { index, .. } => drop(regions.insert(*index)),
            _ => {}
        }
    }
    for item in items {
        let (meta, region) = match &item.declaration {
            D::Device { meta, .. } | D::Enumerates { meta, .. } => (*meta, None),
            D::ParentBindOps { meta, region, .. }
            | D::ChildBindOps { meta, region, .. }
            | D::InternalBindOps { meta, region, .. } => (*meta, Some(*region)),
            _ => continue,
        };
        // Number 0 is the interface of management, which every driver has.
        if meta != 0 && !metas.contains_key(&meta) {
            let message = format!("there is no `meta {meta}`");
            report.push(Diagnostic::error("udi-number", message).at(item.at));
        }
        if let Some(region) = region.filter(|region| !regions.contains(region)) {
            let message = format!("there is no `region {region}`");
            report.push(Diagnostic::error("udi-number", message).at(item.at));
        }
    }
}

/// The first declaration on building before any module.
fn before_module(items: &[Item]) -> Option<&Item> {
    let module = |item: &&Item| !matches!(item.declaration, Declaration::Module(_));
    items.iter().take_while(module).find(|item| {
        matches!(item.declaration, Declaration::SourceFiles(_) | Declaration::CompileOptions(_))
    })
}

fn keyword_of(declaration: &Declaration) -> String {
    let text = declaration.to_string();
    text.split(' ').next().unwrap_or_default().into()
}

fn place_of(items: &[Item], keyword: &str) -> Position {
    let item = items.iter().find(|item| keyword_of(&item.declaration) == keyword);
    item.map_or(START, |item| item.at)
}
