//! Prints what a configuration builds, one JSON object a directory:
//!
//! `cargo run -p l4re-kbuild --example build -- TREE ARCH AUTO_CONF [ENVIRONMENT [COMPILER]]`
//!
//! `ENVIRONMENT`: the variables that the top Makefile exports, as `env -0` prints them.

use std::path::Path;
use std::time::Instant;

use l4re_kbuild::{AutoConf, Build, Compiler, Globals, Host, NoHost, Scope, Setup, Tree};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tree, arch, config, rest @ ..] = arguments.as_slice() else {
        return Err("usage: build TREE ARCH AUTO_CONF [ENVIRONMENT [COMPILER]]".into());
    };
    let tree = Tree::open(Path::new(tree), arch)?;
    let config = AutoConf::parse(&std::fs::read_to_string(config)?);
    let globals = match rest.first() {
        Some(path) => {
            let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
            text.split('\0').filter_map(|line| line.split_once('=')).collect::<Globals>()
        }
        None => Globals::default(),
    };
    let compiler = rest.get(1).map(|program| Compiler::new(program, Vec::new()));
    let host: &dyn Host = match &compiler {
        Some(compiler) => compiler,
        None => &NoHost,
    };
    let started = Instant::now();
    let setup = Setup { config: &config, host, globals: &globals };
    let build = Build::walk(&tree, &setup, Scope::All);
    let time = started.elapsed();
    for directory in build.directories() {
        println!("{}", serde_json::to_string(directory)?);
    }
    for finding in build.report().iter() {
        eprintln!("{finding}");
    }
    eprintln!(
        "{} directories, {} modules in {time:?}",
        build.directories().len(),
        build.modules().count()
    );
    Ok(())
}
