//! Prints what the Makefiles of a tree say about all symbols, one JSON object a module:
//!
//! `cargo run -p l4re-kbuild --example survey -- TREE ARCH [SYMBOL…]`

use std::path::Path;
use std::time::Instant;

use l4re_kbuild::{Survey, Tree};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tree, arch, symbols @ ..] = arguments.as_slice() else {
        return Err("usage: survey TREE ARCH [SYMBOL…]".into());
    };
    let started = Instant::now();
    let tree = Tree::open(Path::new(tree), arch)?;
    let survey = Survey::of(&tree);
    let time = started.elapsed();
    if symbols.is_empty() {
        for module in survey.all_modules() {
            println!("{}", serde_json::to_string(module)?);
        }
    }
    for symbol in symbols {
        println!("{symbol}: {}", serde_json::to_string(&survey.uses(symbol))?);
        for module in survey.modules(symbol).chain(survey.member_of(symbol)) {
            println!("  {}", serde_json::to_string(module)?);
        }
    }
    for finding in survey.report().iter() {
        eprintln!("{finding}");
    }
    eprintln!(
        "{} Makefiles, {} modules, {} symbols in {time:?}",
        survey.makefiles().len(),
        survey.all_modules().len(),
        survey.symbols().count()
    );
    Ok(())
}
