//! The headers declare what the library defines, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What `compiler_builtins` defines, so that the sources here do not.
const BUILTIN: [&str; 6] = ["memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen"];

#[expect(clippy::expect_used, reason = "a test fails when its files are missing")]
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut todo = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The identifier at the end of `text`.
fn last_word(text: &str) -> &str {
    let start = text
        .rfind(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .map_or(0, |before| before + 1);
    &text[start..]
}

/// The functions that the headers declare: words in front of the first bracket of a declaration.
#[expect(clippy::expect_used, reason = "a test fails when its files are missing")]
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files("include", "h") {
        let text = fs::read_to_string(&path).expect("the header can be read");
        let mut code = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("/*") {
            code.push_str(before);
            rest = after.split_once("*/").expect("the comment ends").1;
        }
        code.push_str(rest);
        let code = code.replace("\\\n", " ");
        let plain: String = code
            .lines()
            .filter(|line| !line.starts_with('#'))
            .fold(String::new(), |all, line| all + line + "\n");
        for statement in plain.split([';', '{', '}']) {
            if let Some((before, _)) = statement.split_once('(') {
                let name = last_word(before);
                assert!(!name.is_empty(), "{}: {statement}", path.display());
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// The functions that the sources define for C. Those of the macro tables come by the symbols.
#[expect(clippy::expect_used, reason = "a test fails when its files are missing")]
fn defined() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BUILTIN.iter().map(|&name| name.to_owned()).collect();
    for path in files("src", "rs") {
        let text = fs::read_to_string(&path).expect("the source can be read");
        for (at, _) in text.match_indices("extern \"C\" fn ") {
            let rest = &text[at + "extern \"C\" fn ".len()..];
            let end = rest.find('(').unwrap_or(0);
            if !rest[..end].starts_with('$') {
                names.insert(rest[..end].to_owned());
            }
        }
        names.extend(tables(&text));
    }
    names.remove("");
    names
}

/// Names in the tables that macros turn into functions: of a line `name = …`, `name(…)`,
/// `abs, div -> …`, `fn printf(…; ...)`, or of the pairs in `math`.
fn tables(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in text.lines() {
        let open = [
            "classes! {",
            "numbers! {",
            "plain_numbers! {",
            "arithmetic! {",
            "unary! {",
            "binary! {",
            "forward! {",
            "rounded! {",
            "variadic! {",
        ]
        .contains(&line);
        inside = (inside || open) && line != "}";
        let line = line.trim();
        if !inside || open || line.starts_with("//") {
            continue;
        }
        let head = line.strip_prefix("fn ").unwrap_or(line);
        let head = head.split(['(', '=']).next().unwrap_or_default();
        let head = head.split("->").next().unwrap_or_default();
        names.extend(head.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned));
    }
    names
}

#[test]
fn every_declared_function_is_defined_and_every_defined_one_is_declared() {
    let (declared, defined) = (declared(), defined());
    let missing: Vec<_> = declared.difference(&defined).collect();
    assert!(missing.is_empty(), "declared but not defined: {missing:?}");
    // The hooks are the other side's; `strtoimax` and the like are declared in their own header.
    let hidden: Vec<_> =
        defined.difference(&declared).filter(|name| !name.starts_with("l4re_libc_")).collect();
    assert!(hidden.is_empty(), "defined but not declared: {hidden:?}");
    assert!(declared.len() > 150, "only {} functions found", declared.len());
}

#[test]
fn error_numbers_of_the_header_are_those_of_the_library() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/errno.h");
    let text = fs::read_to_string(path).expect("the header can be read");
    let header: BTreeSet<(String, i32)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define E"))
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, number)| Some((format!("E{name}"), number.parse().ok()?)))
        .collect();
    let library =
        l4re_libc::errno::ALL.iter().map(|&(name, number)| (name.to_owned(), number)).collect();
    assert_eq!(header, library);
}

#[test]
fn errors_have_the_texts_of_the_host() {
    for &(name, number) in l4re_libc::errno::ALL {
        // SAFETY: the host's text lives until the next call of `strerror`.
        let host = unsafe { std::ffi::CStr::from_ptr(libc::strerror(number)) };
        assert_eq!(l4re_libc::errno::text(number), host, "{name}");
    }
    assert_eq!(l4re_libc::errno::text(-5), c"Unknown error");
}
