//! Compares the headers made here with those that make has made.
//!
//! `compare TREE ARCH COMPILER BUILD`: BUILD is the folder given to make as `O=`, after `make
//! prepare`. Prints a line for each header that differs or that only one side has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use l4re_kheaders::{Generated, Inputs};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [tree, arch, compiler, build] = args.as_slice() else { return ExitCode::from(2) };
    match compare(Path::new(tree), arch, compiler, Path::new(build)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    }
}

fn compare(
    tree: &Path,
    arch: &str,
    compiler: &str,
    build: &Path,
) -> Result<usize, Box<dyn std::error::Error>> {
    let headers = Generated::new(Inputs {
        tree: tree.into(),
        arch: arch.into(),
        autoconf: fs::read(build.join("include/generated/autoconf.h"))?,
        compiler: Some(compiler.into()),
        cache: env::var_os("L4RE_CACHE").map(PathBuf::from),
        ..Inputs::default()
    })?;
    let mut theirs = BTreeSet::new();
    for folder in ["include/generated".to_owned(), format!("arch/{arch}/include/generated")] {
        files(build, Path::new(&folder), &mut theirs)?;
    }
    let (mut equal, mut bad) = (0, 0);
    for path in headers.paths() {
        match (headers.get(path), theirs.remove(path)) {
            (Ok(Some(ours)), true) if *ours == *fs::read(build.join(path))? => equal += 1,
            (Ok(_), true) => {
                bad += 1;
                println!("differs: {path}");
            }
            (Ok(_), false) => {
                bad += 1;
                println!("only ours: {path}");
            }
            (Err(failure), there) => {
                bad += 1;
                println!("not made (make: {there}): {path}: {failure}");
            }
        }
    }
    for path in theirs {
        println!("only make: {path}");
    }
    println!("{}: {equal} equal, {bad} not", build.display());
    Ok(bad)
}

fn files(build: &Path, folder: &Path, into: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(build.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files(build, &path, into)?;
        } else if !path.to_string_lossy().ends_with(".cmd") {
            into.insert(path.to_string_lossy().into_owned());
        }
    }
    Ok(())
}
