//! Prints what a C file of a tree includes, with generated headers that exist nowhere.
//!
//! `closure TREE ARCH COMPILER AUTOCONF FILE…`: a path a line; generated ones start with `=`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use l4re_cpp::{Compiler, Define, Language, Layers, Preprocessor, RealFiles};
use l4re_kheaders::{Generated, Inputs};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [tree, arch, compiler, autoconf, files @ ..] = args.as_slice() else {
        return ExitCode::from(2);
    };
    match closure(Path::new(tree), arch, Path::new(compiler), Path::new(autoconf), files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn closure(
    tree: &Path,
    arch: &str,
    compiler: &Path,
    autoconf: &Path,
    files: &[String],
) -> Result<(), Box<dyn std::error::Error>> {
    let cache = env::var_os("L4RE_CACHE").map(PathBuf::from);
    let headers = Generated::new(Inputs {
        tree: tree.into(),
        arch: arch.into(),
        autoconf: fs::read(autoconf)?,
        compiler: Some(compiler.into()),
        cache: cache.clone(),
        ..Inputs::default()
    })?;
    let folder = Path::new("=");
    let mut options = headers.options(folder);
    options.directory = PathBuf::new();
    let compiler = Compiler::probe(compiler, &[], Language::C, cache.as_deref())?;
    options.compiler = Arc::new(compiler);
    options.defines.push(Define::Define("KBUILD_MODNAME".into(), "\"x\"".into()));
    let mounted = headers.at(folder);
    let source = Layers::new().below(&mounted).below(&RealFiles);
    let mut preprocessor = Preprocessor::new(source);
    for file in files {
        let scan = preprocessor.scan(&tree.join(file), &options)?;
        for path in scan.paths() {
            println!("{}", path.display());
        }
        for missing in &scan.missing {
            let origin = &missing.origin;
            eprintln!("{}:{}: {} not found", missing.by.display(), origin.line, origin.spelling);
        }
        for finding in scan.findings {
            eprintln!("{finding}");
        }
    }
    Ok(())
}
