//! Reading `driver.yaml` back, strictly.

use std::collections::BTreeMap;
use std::path::Path;

use l4re_files::input;

use super::rules::{self, Refusal};
use super::{Base, Compiler, ConditionalMember, DriverYaml, Flags, Module, Provider, SCHEMA};
use l4re_packager_base::reader::{Document, Placed, Table};
use l4re_packager_base::{Diagnostic, Failure, Report, nearest};

/// The largest file that is read. The manifest of a driver with two thousand headers has a twentieth
/// of it.
pub const MAX_BYTES: u64 = 4 << 20;

/// Reads the file at `path`.
///
/// # Errors
///
/// [`Failure`] if it cannot be read, is larger than [`MAX_BYTES`], is no UTF-8, or is not good.
pub fn load(path: &Path) -> Result<(DriverYaml, Report), Failure> {
    let io = |error: std::io::Error| Failure::io("read", path, &error);
    let bytes = input::read(path, MAX_BYTES).map_err(io)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::from(Diagnostic::error("yaml", "not UTF-8").file(path).offset(at as u64))
    })?;
    read(path, &text)
}

/// Reads a text; `path` is only what findings name.
///
/// # Errors
///
/// [`Failure`] with every mistake and its place.
pub fn read(path: &Path, text: &str) -> Result<(DriverYaml, Report), Failure> {
    Document::yaml(path, text, |_, mut root| {
        // A newer schema may differ anywhere, so nothing else is said about such a file.
        schema(&mut root)?;
        let manifest = driver_yaml(&mut root);
        root.finish();
        manifest
    })
}

fn schema(root: &mut Table<'_>) -> Option<()> {
    let at = root.place("schema");
    let found = root.needed_u32("schema")?;
    if found == SCHEMA {
        return Some(());
    }
    let message = format!("schema {found} is not known; this packager reads schema {SCHEMA}");
    let help = "extract the driver again with this packager, or take the one that wrote the file";
    root.report(Diagnostic::error("schema", message).help(help), at);
    None
}

fn driver_yaml(root: &mut Table<'_>) -> Option<DriverYaml> {
    // Everything is read before anything is given up: all mistakes are reported in one go.
    let driver = text(root, "driver", rules::symbol);
    let subsystem = text(root, "subsystem", rules::name);
    let arch = text(root, "arch", rules::name);
    let kernel = text(root, "kernel", rules::name);
    let linux_src = optional(root, "linux_src", rules::absolute_path);
    let kconfig = text(root, "kconfig", rules::relative_path);
    let line = root.needed_u32("line");
    let depends_on = text(root, "depends_on", rules::printable);
    let base = base(root);
    let config = config(root);
    let compiler = compiler(root);
    let modules = modules(root);
    let providers = providers(root);
    let licenses = texts(root, "licenses", rules::printable);
    let module_licenses = texts(root, "module_licenses", rules::printable);
    let firmware = texts(root, "firmware", rules::printable);
    let files = texts(root, "files", rules::relative_path);
    let headers = texts(root, "headers", rules::relative_path);
    let generated_headers = texts(root, "generated_headers", rules::relative_path);
    Some(DriverYaml {
        driver: driver?,
        subsystem: subsystem?,
        arch: arch?,
        kernel: kernel?,
        linux_src: linux_src?,
        kconfig: kconfig?,
        line: line?,
        depends_on: depends_on?,
        base: base?,
        config: config?,
        compiler: compiler?,
        modules: modules?,
        providers: providers?,
        licenses: licenses?,
        module_licenses: module_licenses?,
        firmware: firmware?,
        files: files?,
        headers: headers?,
        generated_headers: generated_headers?,
    })
}

type Rule = fn(&str) -> Result<(), Refusal>;

fn good(map: &Table<'_>, found: Placed<String>, rule: Rule) -> Option<String> {
    match rule(&found.value) {
        Ok(()) => Some(found.value),
        Err(why) => {
            map.report(Diagnostic::error("value", why), found.at);
            None
        }
    }
}

fn text(map: &mut Table<'_>, key: &'static str, rule: Rule) -> Option<String> {
    let found = map.needed_string(key)?;
    good(map, found, rule)
}

/// The outer `None` is a mistake, the inner one a key that is not there.
fn optional(map: &mut Table<'_>, key: &'static str, rule: Rule) -> Option<Option<String>> {
    let there = map.has(key);
    match map.string(key) {
        Some(found) => good(map, found, rule).map(Some),
        None => (!there).then_some(None),
    }
}

fn texts(map: &mut Table<'_>, key: &'static str, rule: Rule) -> Option<Vec<String>> {
    all(map.needed_strings(key)?, |found| good(map, found, rule))
}

/// Every item, also those after a mistake, so that all are reported.
fn all<T, U>(items: Vec<T>, take: impl FnMut(T) -> Option<U>) -> Option<Vec<U>> {
    let taken: Vec<Option<U>> = items.into_iter().map(take).collect();
    taken.into_iter().collect()
}

fn base(root: &mut Table<'_>) -> Option<Base> {
    let found = root.needed_string("base")?;
    let base = Base::ALL.into_iter().find(|base| base.name() == found.value);
    if base.is_none() {
        let names = Base::ALL.map(Base::name);
        let message = format!("`base` is one of {}", names.join(", "));
        let mut finding = Diagnostic::error("value", message);
        if let Some(near) = nearest(&found.value, names) {
            finding = finding.help(format!("did you mean `{near}`?"));
        }
        root.report(finding, found.at);
    }
    base
}

fn config(root: &mut Table<'_>) -> Option<BTreeMap<String, String>> {
    let map = root.needed_table("config")?;
    let entries = map.strings_by_key()?;
    let entries = all(entries, |(symbol, value)| {
        let symbol = good(&map, symbol, rules::symbol);
        let value = good(&map, value, rules::value);
        Some((symbol?, value?))
    });
    entries.map(BTreeMap::from_iter)
}

fn flags(map: &mut Table<'_>, key: &'static str) -> Option<Vec<String>> {
    let found = map.needed_strings(key)?;
    checked_flags(map, found)
}

fn checked_flags(map: &Table<'_>, found: Vec<Placed<String>>) -> Option<Vec<String>> {
    let words: Vec<&str> = found.iter().map(|word| word.value.as_str()).collect();
    let refused = rules::flags(&words);
    let clean = refused.is_empty();
    for (index, why) in refused {
        if let Some(word) = found.get(index) {
            map.report(Diagnostic::error("value", why), word.at);
        }
    }
    clean.then(|| found.into_iter().map(|word| word.value).collect())
}

fn compiler(root: &mut Table<'_>) -> Option<Compiler> {
    let mut map = root.needed_table("compiler")?;
    let prefix = text(&mut map, "prefix", rules::compiler_prefix);
    let version = text(&mut map, "version", rules::printable);
    let mut take = |key| flags(&mut map, key);
    let cppflags = take("cppflags");
    let cflags = take("cflags");
    let cflags_module = take("cflags_module");
    let cflags_built_in = take("cflags_built_in");
    let aflags = take("aflags");
    let aflags_module = take("aflags_module");
    let aflags_built_in = take("aflags_built_in");
    map.finish();
    Some(Compiler {
        prefix: prefix?,
        version: version?,
        cppflags: cppflags?,
        cflags: cflags?,
        cflags_module: cflags_module?,
        cflags_built_in: cflags_built_in?,
        aflags: aflags?,
        aflags_module: aflags_module?,
        aflags_built_in: aflags_built_in?,
    })
}

fn modules(map: &mut Table<'_>) -> Option<Vec<Module>> {
    all(map.needed_tables("modules")?, module)
}

fn module(mut map: Table<'_>) -> Option<Module> {
    let name = text(&mut map, "name", rules::name);
    let directory = text(&mut map, "directory", rules::relative_path);
    let built_in = map.needed_boolean("built_in").map(|flag| flag.value);
    let mut paths = |key| texts(&mut map, key, rules::relative_path);
    let objects = paths("objects");
    let sources = paths("sources");
    let own_headers = paths("own_headers");
    let other_driver_headers = paths("other_driver_headers");
    let trace_headers = paths("trace_headers");
    let shipped = paths("shipped");
    let cflags = cflags(&mut map);
    let defines = defines(&mut map);
    let members = map.needed_tables("conditional_members").and_then(|maps| all(maps, member));
    map.finish();
    Some(Module {
        name: name?,
        directory: directory?,
        built_in: built_in?,
        objects: objects?,
        sources: sources?,
        own_headers: own_headers?,
        other_driver_headers: other_driver_headers?,
        trace_headers: trace_headers?,
        shipped: shipped?,
        cflags: cflags?,
        defines: defines?,
        conditional_members: members?,
    })
}

fn cflags(map: &mut Table<'_>) -> Option<BTreeMap<String, Flags>> {
    let map = map.needed_table("cflags")?;
    let entries = all(map.tables_by_key()?, |(object, mut entry)| {
        let object = good(&map, object, rules::relative_path);
        let add = flags(&mut entry, "add");
        let remove = texts(&mut entry, "remove", rules::printable);
        entry.finish();
        Some((object?, Flags { add: add?, remove: remove? }))
    });
    entries.map(BTreeMap::from_iter)
}

fn defines(map: &mut Table<'_>) -> Option<BTreeMap<String, Vec<String>>> {
    let map = map.needed_table("defines")?;
    let entries = all(map.lists_by_key()?, |(object, words)| {
        let object = good(&map, object, rules::relative_path);
        let words = checked_flags(&map, words);
        Some((object?, words?))
    });
    entries.map(BTreeMap::from_iter)
}

fn member(mut map: Table<'_>) -> Option<ConditionalMember> {
    let condition = text(&mut map, "condition", rules::printable);
    let object = text(&mut map, "object", rules::relative_path);
    let included = map.needed_boolean("included").map(|flag| flag.value);
    map.finish();
    Some(ConditionalMember { condition: condition?, object: object?, included: included? })
}

fn providers(root: &mut Table<'_>) -> Option<Vec<Provider>> {
    all(root.needed_tables("providers")?, |mut map| {
        let symbol = text(&mut map, "symbol", rules::symbol);
        let selected_by = texts(&mut map, "selected_by", rules::symbol);
        let kconfig = text(&mut map, "kconfig", rules::relative_path);
        let line = map.needed_u32("line");
        let modules = modules(&mut map);
        map.finish();
        Some(Provider {
            symbol: symbol?,
            selected_by: selected_by?,
            kconfig: kconfig?,
            line: line?,
            modules: modules?,
        })
    })
}
