//! From the text of `driver.toml` to a [`Manifest`].

use std::path::PathBuf;

use super::{Bus, C, Class, Driver, Example, L4re, Manifest, PackageKind, rules, systemd, udi};
use crate::target;
use l4re_packager_base::reader::{Document, Placed, Table};
use l4re_packager_base::{Diagnostic, nearest};

/// A rule for a word.
pub(super) type Rule = fn(&str) -> Result<(), &'static str>;

pub(super) fn manifest(document: &Document, mut root: Table<'_>) -> Option<Manifest> {
    let driver = root.needed_table("driver").and_then(|table| driver(document, table));
    let targets = targets(document, &mut root);
    let c = root.table("c").map(|table| c(document, table));
    let at = root.at();
    let (l4re, bus_given) =
        root.table("l4re").map(|table| l4re(document, table)).unwrap_or_default();
    let systemd =
        root.table("systemd").map(|table| systemd::systemd(document, table)).unwrap_or_default();
    let caps = systemd::caps(document, root.tables("cap"));
    let udi = root.table("udi").map(|table| udi::udi(document, table)).unwrap_or_default();
    root.finish();
    let driver = driver?;
    if driver.class == Class::Block && !bus_given {
        let message = "a driver of class \"block\" needs to say in [l4re.bus] what it drives";
        let diagnostic = Diagnostic::error("no-device", message)
            .help("for example: pci = [\"VEN_1AF4&DEV_1042\"] or compatible = [\"virtio,mmio\"]");
        document.report(diagnostic, at);
    }
    Some(Manifest { driver, targets, c, l4re, systemd, caps, udi })
}

fn driver(document: &Document, mut table: Table<'_>) -> Option<Driver> {
    let name = table.needed_string("name");
    let description = table.needed_string("description");
    let program = table.string("program");
    let class = table.needed_string("class");
    let maintainer = table.needed_string("maintainer");
    let licence = table.needed_string("licence");
    let kind = table.string("kind");
    let version = table.string("version");
    let homepage = table.string("homepage");
    let provides = table.strings("provides");
    let requires = table.strings("requires");
    let host_program = table.string("host-program");
    table.finish();

    // Each is checked even if another one is missing.
    let name = checked(document, "name", name, rules::name);
    let description = checked(document, "description", description, rules::line);
    let program = match program {
        Some(program) => Some(checked(document, "program", Some(program), rules::program)?),
        None => None,
    };
    let class = class.and_then(|word| class_of(document, &word));
    let maintainer = checked(document, "maintainer", maintainer, rules::address);
    let licence = checked(document, "licence", licence, rules::licence);
    let kind = match &kind {
        Some(word) => systemd::one_of(document, "kind", &PackageKind::ALL, word)?,
        None => {
            let name = program.as_ref().or(name.as_ref());
            name.and_then(|name| PackageKind::of_program(name)).unwrap_or(PackageKind::Driver)
        }
    };
    let optional = |key, word: Option<_>, rule| match word {
        Some(word) => checked(document, key, Some(word), rule).map(Some),
        None => Some(None),
    };
    let version = optional("version", version, rules::version as Rule);
    let homepage = optional("homepage", homepage, rules::homepage as Rule);
    let host_program = optional("host-program", host_program, rules::host_program as Rule);
    let provides = all_checked(document, "provides", provides, rules::name);
    let requires = all_checked(document, "requires", requires, rules::name);
    Some(Driver {
        name: name?,
        description: description?,
        program,
        class: class?,
        maintainer: maintainer?,
        licence: licence?,
        kind,
        version: version?,
        homepage: homepage?,
        provides,
        requires,
        host_program: host_program?,
    })
}

fn class_of(document: &Document, word: &Placed<String>) -> Option<Class> {
    let names = Class::ALL.map(|(name, _)| name);
    let found = Class::ALL.iter().find(|(name, _)| *name == word.value);
    if found.is_none() {
        let message = format!("unknown class `{}`", word.value);
        let mut diagnostic = Diagnostic::error("unknown-class", message);
        diagnostic = match nearest(&word.value, names) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("classes: {}", names.join(", "))),
        };
        document.report(diagnostic, word.at);
    }
    found.map(|&(_, class)| class)
}

fn targets(document: &Document, root: &mut Table<'_>) -> Vec<String> {
    let at = root.at();
    let mut names: Vec<String> = Vec::new();
    let there = root.has("target");
    let tables = root.tables("target");
    if !there {
        let diagnostic = Diagnostic::error("no-target", "no [[target]]")
            .help("add a table [[target]] with name = \"aarch64\"");
        document.report(diagnostic, at);
    }
    for mut table in tables {
        let name = table.needed_string("name");
        table.finish();
        let Some(Placed { value: name, at }) = name else { continue };
        if !target::Target::names().any(|known| known == name) {
            document.report(target::unknown(&name), at);
        } else if names.contains(&name) {
            document.error("repeated", format!("target `{name}` is named twice"), at);
        } else {
            names.push(name);
        }
    }
    names
}

fn c(document: &Document, mut table: Table<'_>) -> C {
    let at = table.at();
    let sources = table.strings("sources");
    if sources.is_empty() {
        document.error("missing-key", "`sources` in [c] names no file", at);
    }
    let paths = |words: Vec<String>| words.into_iter().map(PathBuf::from).collect();
    let c = C {
        sources: paths(all_checked(document, "sources", sources, rules::c_source)),
        include: {
            let include = table.strings("include");
            paths(all_checked(document, "include", include, rules::inside))
        },
        define: {
            let define = table.strings("define");
            all_checked(document, "define", define, rules::define)
        },
    };
    table.finish();
    c
}

/// The table, and whether `[l4re.bus]` names anything, right or wrong.
fn l4re(document: &Document, mut table: Table<'_>) -> (L4re, bool) {
    let mut words = |key, rule| {
        let words = table.strings(key);
        all_checked(document, key, words, rule)
    };
    let provides = words("provides", rules::control_word);
    let requires = words("requires", rules::control_word);
    let (mut bus, mut bus_given) = (Bus::default(), false);
    if let Some(mut table) = table.table("bus") {
        let pci = table.strings("pci");
        let compatible = table.strings("compatible");
        table.finish();
        bus_given = !(pci.is_empty() && compatible.is_empty());
        bus.pci = all_checked(document, "pci", pci, rules::pci_match);
        bus.compatible = all_checked(document, "compatible", compatible, rules::compatible);
    }
    let example = table.table("example").map(|mut table| {
        let options = table.strings("options");
        let create = table.strings("create");
        table.finish();
        Example {
            options: all_checked(document, "options", options, rules::argument),
            create: all_checked(document, "create", create, rules::argument),
        }
    });
    table.finish();
    (L4re { provides, requires, bus, example: example.unwrap_or_default() }, bus_given)
}

pub(super) fn checked(
    document: &Document,
    key: &str,
    word: Option<Placed<String>>,
    rule: Rule,
) -> Option<String> {
    let word = word?;
    match rule(&word.value) {
        Ok(()) => Some(word.value),
        Err(reason) => {
            document.error("bad-value", format!("`{key}` {reason}"), word.at);
            None
        }
    }
}

pub(super) fn all_checked(
    document: &Document,
    key: &str,
    words: Vec<Placed<String>>,
    rule: Rule,
) -> Vec<String> {
    words.into_iter().filter_map(|word| checked(document, key, Some(word), rule)).collect()
}
