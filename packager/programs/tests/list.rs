//! The list itself, and that nobody goes around it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use l4re_programs::Program;

const LIST: &str = include_str!("../programs.list");

/// Programs that come with Rust, by rustup.
const RUST: [&str; 3] = ["cargo", "rustc", "rustup"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_line_has_a_stage_a_program_and_a_package() {
    let mut seen = BTreeSet::new();
    for line in LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.len(), 3, "{line}");
        assert!(matches!(words[0], "build" | "test" | "other"), "{line}");
        assert!(seen.insert(words[1]), "{line}: twice");
        if !words[1].starts_with('/') {
            assert_eq!(Program::known(words[1].as_ref()).map(Program::package), Some(words[2]));
        }
    }
}

#[expect(clippy::unwrap_used, reason = "part of the test below")]
fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let hidden = name.to_string_lossy().starts_with('.');
        if entry.file_type().unwrap().is_dir() {
            if !hidden && !["target", "out"].iter().any(|skip| name == *skip) {
                sources(&path, all);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
}

#[test]
fn no_source_names_a_program_around_the_list() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    assert!(files.len() > 300, "{}", files.len());
    // In two pieces, or this file would find itself.
    let call = ["Command::", "new(\""].concat();
    let mut around = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices(&call) {
            let name = text[at + call.len()..].split('"').next().unwrap_or_default();
            if !RUST.contains(&name) {
                around.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(around.is_empty(), "use Program::declared:\n{}", around.join("\n"));
}
