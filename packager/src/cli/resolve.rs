//! `packager resolve`.

use std::path::PathBuf;

use clap::Args;
use l4re_files::input;
use serde_json::{Value, json};

use super::output::Output;
use super::{Done, finish};
use l4re_packager_base::Failure;
use l4re_packager_resolve::Config;

/// Find what is wrong with the dependencies of an L4Re tree.
///
/// Reads every Control file, as L4Re's build does, and reports what that build does not: a word that
/// two packages provide, circles, fields with a slip in their name; and also what it does report:
/// words that nobody provides. Conditions like [arch(arm)] count if --arch or --kconfig decides them.
#[derive(Debug, Args)]
pub struct Resolve {
    /// The L4Re tree (the folder with pkg/), or a folder of packages
    #[arg(value_name = "TREE")]
    pub tree: PathBuf,
    /// A package outside of the tree; can be repeated
    #[arg(long, value_name = "PKG")]
    pub external: Vec<PathBuf>,
    /// The package that shall provide a word; can be repeated
    #[arg(long, value_name = "WORD=PKG", value_parser = pair)]
    pub provider: Vec<(String, String)>,
    /// L4Re's name of the architecture, such as arm64
    #[arg(long, value_name = "NAME")]
    pub arch: Option<String>,
    /// The configuration: .kconfig of a build folder
    #[arg(long, alias = "config", value_name = "FILE")]
    pub kconfig: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((word, name)) if !word.is_empty() && !name.is_empty() => {
            Ok((word.into(), name.into()))
        }
        _ => Err("must be WORD=PACKAGE"),
    }
}

/// Does it; whether all is well.
pub fn run(args: Resolve, output: &mut Output) -> bool {
    let result = options(args).and_then(|options| l4re_packager_resolve::resolve(&options));
    finish(output, "resolve", result.map(done))
}

fn options(args: Resolve) -> Result<l4re_packager_resolve::Options, Failure> {
    let mut config = Config { arch: args.arch, symbols: None };
    if let Some(file) = args.kconfig {
        let text =
            input::read(&file, input::TEXT).map_err(|error| Failure::io("read", &file, &error))?;
        config = config.with_kconfig(&String::from_utf8_lossy(&text));
    }
    Ok(l4re_packager_resolve::Options {
        tree: args.tree,
        external: args.external,
        providers: args.provider,
        config,
    })
}

fn done(mut resolved: l4re_packager_resolve::Resolved) -> Done {
    let report = std::mem::take(&mut resolved.report);
    let line = format!(
        "{} packages provide {} words, each from one place, and nothing is missing",
        resolved.packages.len(),
        resolved.providers.len()
    );
    let json = serde_json::to_value(&resolved).unwrap_or(Value::Null);
    Done { report, lines: vec![line], json: json!({ "tree": json }) }
}
