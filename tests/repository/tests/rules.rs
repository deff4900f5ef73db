//! The order of the runtime's modules, the names of public types in every crate, eager arguments.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use l4re_test_repository::{crates, files, root};

/// The modules of the runtime from bottom to top, as `runtime/src/lib.rs` lists them.
const LAYERS: [&str; 13] = [
    "abi", "arch", "error", "ipc", "cap", "clock", "log", "mem", "env", "bus", "virtio", "serve",
    "client",
];

/// Modules of `serve` that know no class of devices, and what they may not mention.
const CLASS_NEUTRAL: [&str; 12] = [
    "class.rs",
    "client",
    "counters.rs",
    "factory",
    "l4",
    "memory",
    "options",
    "ring",
    "scheduler.rs",
    "stats.rs",
    "transport",
    "testing.rs",
];
const CLASSES: [&str; 2] = ["block", "entropy"];

/// A source file without its tests and comments.
struct Source {
    path: PathBuf,
    code: String,
}

#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn sources(folder: &str) -> Vec<Source> {
    let folder = root().join(folder);
    let is_test = |path: &Path| {
        let path = path.strip_prefix(&folder).unwrap();
        path.components().any(|c| ["tests", "fake"].iter().any(|t| c.as_os_str() == *t))
            || path
                .file_stem()
                .is_some_and(|stem| stem == "testing" || stem.to_string_lossy().ends_with("tests"))
    };
    let all = files(&folder, "rs").unwrap().into_iter().filter(|path| !is_test(path));
    all.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join("\n");
        Source { path: path.strip_prefix(&folder).unwrap().to_owned(), code }
    })
    .collect()
}

/// Words of the code that follow `before`.
fn words_after<'a>(code: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    code.split(before).skip(1).filter_map(|rest| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|w| !w.is_empty())
    })
}

#[test]
fn modules_of_the_runtime_use_only_what_is_below_them() {
    let rank = |module: &str| LAYERS.iter().position(|layer| *layer == module);
    let mut wrong = Vec::new();
    let mut uses = 0;
    for Source { path, code } in sources("runtime/src") {
        let first = path.iter().next().unwrap().to_string_lossy();
        let Some(own) = rank(first.trim_end_matches(".rs")) else { continue };
        for module in words_after(&code, "crate::") {
            let Some(other) = rank(module) else { continue };
            uses += 1;
            if other > own {
                wrong.push(format!("{} uses {module}", path.display()));
            }
        }
    }
    assert!(uses > 200, "only {uses} uses found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let documented = fs::read_to_string(root().join("runtime/src/lib.rs")).unwrap();
    let places = LAYERS.iter().map(|layer| {
        let row = documented.lines().position(|line| {
            line.starts_with("//! | ")
                && (line.contains(&format!("[`{layer}`]"))
                    || line.contains(&format!("| `{layer}`")))
        });
        row.unwrap_or_else(|| panic!("runtime/src/lib.rs does not list {layer}"))
    });
    assert!(places.is_sorted(), "the order in runtime/src/lib.rs is another: {:?}", LAYERS);
}

#[test]
fn what_serves_any_class_names_none() {
    let mut looked_at = 0;
    for Source { path, code } in sources("runtime/src/serve") {
        let first = path.iter().next().unwrap().to_string_lossy();
        if !CLASS_NEUTRAL.contains(&&*first) {
            continue;
        }
        looked_at += 1;
        for class in CLASSES {
            for name in
                [format!("serve::{class}"), format!("super::{class}"), format!("spec::{class}")]
            {
                assert!(!code.contains(&name), "{} knows the class {class}", path.display());
            }
        }
    }
    assert!(looked_at > 20, "only {looked_at} files");
}

/// Public types of a crate, by name, with the files that define them.
fn types(folder: &str) -> BTreeMap<String, Vec<PathBuf>> {
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for Source { path, code } in sources(folder) {
        for line in code.lines().map(str::trim_start) {
            for kind in ["struct", "enum", "trait", "union", "type"] {
                let start = format!("pub {kind} ");
                let name = words_after(line, &start).next();
                if let Some(name) = name.filter(|_| line.starts_with("pub ")) {
                    found.entry(name.to_owned()).or_default().push(path.clone());
                }
            }
        }
    }
    found
}

#[test]
fn a_public_type_name_stands_once_in_each_crate() {
    let mut total = 0;
    let mut wrong = Vec::new();
    for folder in crates().unwrap() {
        let src = folder.join("src");
        if !src.is_dir() {
            continue;
        }
        let src = src.strip_prefix(root()).unwrap().display().to_string();
        let mut types = types(&src);
        total += types.len();
        // One file per processor architecture defines the same interface.
        types.values_mut().for_each(|files| files.retain(|file| !file.starts_with("arch")));
        types.retain(|_, files| files.len() > 1);
        wrong.extend(types.iter().map(|(name, files)| format!("{src}: {name} in {files:?}")));
    }
    assert!(total > 500, "only {total} types found");
    assert!(wrong.is_empty(), "give each a name of its own:\n{}", wrong.join("\n"));
}

/// The first argument of each call of `function`, up to its closing parenthesis or comma.
fn first_arguments<'a>(code: &'a str, function: &'a str) -> impl Iterator<Item = &'a str> {
    code.split(function).skip(1).map(|rest| {
        let mut depth = 0;
        let end = rest.find(|c: char| {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            depth < 0 || (depth == 0 && c == ',')
        });
        rest.get(..end.unwrap_or(rest.len())).unwrap_or("")
    })
}

/// What is computed before the condition is looked at must not be able to overflow.
#[test]
fn arguments_that_are_evaluated_anyway_hold_no_arithmetic() {
    let mut wrong = Vec::new();
    let mut calls = 0;
    for folder in ["runtime/src", "runtime/libc/src", "qemu/standin/src", "drivers/blk/src"] {
        for Source { path, code } in sources(folder) {
            for function in [".then_some(", ".unwrap_or(", ".ok_or(", ".map_or(", ".insert_or("] {
                for argument in first_arguments(&code, function) {
                    calls += 1;
                    let risky = [" + ", " - ", " * ", " << ", ".pop(", ".take(", ".next("];
                    if risky.iter().any(|sign| argument.contains(sign)) {
                        wrong.push(format!("{folder}/{}: {function}{argument})", path.display()));
                    }
                }
            }
        }
    }
    assert!(calls > 100, "only {calls} calls found");
    assert!(wrong.is_empty(), "use the lazy form:\n{}", wrong.join("\n"));
}
