//! What is published stands by itself: a crate's package has everything that the crate is made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use l4re_test_repository::{crates, files, root};
use toml::Table;

/// The published crates by name: their folders and manifests.
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn published() -> BTreeMap<String, (PathBuf, Table)> {
    let read = |folder: PathBuf| {
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let manifest: Table = text.parse().unwrap();
        let package = manifest["package"].as_table().unwrap();
        let name = package["name"].as_str().unwrap().to_owned();
        let kept = package.get("publish").and_then(toml::Value::as_bool) == Some(false);
        (!kept).then_some((name, (folder, manifest)))
    };
    crates().unwrap().into_iter().filter_map(read).collect()
}

/// The paths that a source file embeds, relative to its folder.
fn embedded(text: &str) -> impl Iterator<Item = &str> {
    ["include_str!(\"", "include_bytes!(\"", "include!(\"", "#[path = \""]
        .into_iter()
        .flat_map(|call| text.split(call).skip(1))
        .filter_map(|rest| rest.split('"').next())
}

/// Whether `path`, seen from the folder `from`, stays below `from`'s ancestor `above`.
fn inside(above: &Path, from: &Path, path: &str) -> bool {
    let mut depth = from.strip_prefix(above).map_or(0, |below| below.components().count());
    for part in Path::new(path).components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::CurDir => {}
            _ => return false,
        }
    }
    true
}

#[test]
fn no_source_embeds_a_file_from_outside_of_its_crate() {
    let mut outside = Vec::new();
    for (folder, _) in published().values() {
        for file in files(&folder.join("src"), "rs").unwrap() {
            let text = fs::read_to_string(&file).unwrap();
            let from = file.parent().unwrap();
            let bad = embedded(&text).filter(|path| !inside(folder, from, path));
            outside.extend(bad.map(|path| format!("{}: {path}", file.display())));
        }
    }
    assert!(outside.is_empty(), "link the file into the crate's data/:\n{}", outside.join("\n"));
}

#[test]
fn embedded_paths_are_seen_and_judged() {
    let text = "const A: &str = include_str!(\"../data/a\");\n#[path = \"../../b.rs\"]\nmod b;";
    assert_eq!(embedded(text).collect::<Vec<_>>(), ["../data/a", "../../b.rs"]);
    let (above, from) = (Path::new("/x/crate"), Path::new("/x/crate/src"));
    assert!(inside(above, from, "../data/a"));
    assert!(!inside(above, from, "../../b.rs"));
    assert!(!inside(above, from, "../data/../../b.rs"));
    assert!(!inside(above, from, "/etc/passwd"));
}

#[test]
fn published_crates_use_only_published_crates() {
    let published = published();
    assert!(published.contains_key("l4re-runtime") && published.contains_key("l4re-packager"));
    let mut wrong = Vec::new();
    for (name, (_, manifest)) in &published {
        let mut tables = vec![manifest];
        let targets = manifest.get("target").and_then(|targets| targets.as_table());
        tables.extend(targets.into_iter().flat_map(Table::values).filter_map(|t| t.as_table()));
        let tables = tables.into_iter().filter_map(|table| table.get("dependencies")?.as_table());
        for used in tables.flat_map(Table::keys).filter(|used| used.starts_with("l4re-")) {
            if !published.contains_key(used) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}: remove `publish = false` there");
}

#[test]
fn published_crates_say_what_registries_and_docs_rs_want_to_know() {
    let mut wrong = Vec::new();
    for (name, (folder, manifest)) in published() {
        let package = manifest["package"].as_table().unwrap();
        for key in ["description", "license", "documentation"] {
            if !package.contains_key(key) {
                wrong.push(format!("{name}: no {key}"));
            }
        }
        let docs = package.get("metadata").and_then(|metadata| metadata.get("docs")?.get("rs"));
        if docs.and_then(|docs| docs.get("targets")).is_none() {
            wrong.push(format!("{name}: no [package.metadata.docs.rs] with targets"));
        }
        let readme = package.get("readme").and_then(toml::Value::as_str);
        if readme.is_some_and(|readme| !folder.join(readme).is_file()) {
            wrong.push(format!("{name}: the readme is missing"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn versions_of_our_own_crates_are_given() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: Table = text.parse().unwrap();
    let version = &manifest["workspace"]["package"]["version"];
    let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
    for (name, used) in dependencies.iter().filter(|(_, used)| used.get("path").is_some()) {
        assert_eq!(used.get("version"), Some(version), "{name}");
    }
}
