//! A tree in memory, scanned.

use std::path::Path;

use l4re_cpp::{MemoryFiles, Options, Preprocessor, Scan};

/// Scans `/t/main.c` of `files`, whose names are relative to `/t`, under `options`.
#[expect(clippy::unwrap_used, reason = "the C file is there")]
pub fn scan_with(files: &[(&str, &str)], options: &Options) -> Scan {
    let mut memory = MemoryFiles::default();
    for (name, text) in files {
        memory.insert(Path::new("/t").join(name), *text);
    }
    Preprocessor::new(&memory).scan(Path::new("/t/main.c"), options).unwrap()
}

/// Scans `/t/main.c` with the search path `/t/a`, `/t/b`.
pub fn scan(files: &[(&str, &str)]) -> Scan {
    let options = Options { include: vec!["/t/a".into(), "/t/b".into()], ..Options::default() };
    scan_with(files, &options)
}

/// What is included, relative to `/t`, without the file itself.
#[expect(clippy::unwrap_used, reason = "all files are below the folder")]
pub fn names(scan: &Scan) -> Vec<String> {
    let relative = |path: &Path| path.strip_prefix("/t").unwrap().to_string_lossy().into_owned();
    scan.paths().skip(1).map(relative).collect()
}

/// The findings, a line each.
pub fn findings(scan: &Scan) -> Vec<String> {
    scan.findings.iter().map(ToString::to_string).collect()
}
