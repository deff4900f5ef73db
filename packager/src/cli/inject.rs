//! `packager inject`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::image::Place;
use super::output::Output;
use super::{Done, finish};
use l4re_packager_outputs::inject::{self, Injected};

/// Add a driver to an image that already boots.
///
/// The image gets the driver's program, the configuration of its bus, and a script that starts it
/// before the image's own script. If the image starts the I/O server io itself, that server gets one
/// more bus; otherwise the script starts one. No L4Re build tree is needed; what the image lacks can
/// be added with --with. Scripts that run later find the driver as drivers["<name>"].
#[derive(Debug, Args)]
pub struct Inject {
    /// The package's folder
    #[arg(value_name = "PKG")]
    package: PathBuf,
    /// The image
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    #[command(flatten)]
    place: Place,
    /// The bus that the driver's devices are on [default: pci if the driver can]
    #[arg(long, value_parser = ["pci", "mmio"])]
    bus: Option<String>,
    /// Add this file as well, such as io; can be repeated
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// Script for ned that uses the driver, run behind its start
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// The driver's arguments, separated by blanks [default: those of driver.toml]
    #[arg(long, value_name = "ARG...", allow_hyphen_values = true)]
    args: Option<String>,
    /// A capability that the driver gets, as a Lua expression in its script; can be repeated
    /// [default: what [[cap]] in driver.toml says]
    #[arg(long, value_name = "NAME=LUA", value_parser = cap)]
    cap: Vec<(String, String)>,
    /// Do not strip the program
    #[arg(long)]
    keep_symbols: bool,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
}

fn cap(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, expression)) if !name.is_empty() && !expression.trim().is_empty() => {
            Ok((name.into(), expression.into()))
        }
        _ => Err("must be NAME=EXPRESSION"),
    }
}

/// Does it; answers whether all is well.
pub fn run(args: Inject, output: &mut Output) -> bool {
    let to = args.place.file(&args.image).to_owned();
    let words = |text: &String| text.split_whitespace().map(String::from).collect();
    let options = inject::InjectOptions {
        package: args.package,
        image: args.image,
        output: to.clone(),
        bus: args.bus,
        with: args.with,
        script: args.script,
        args: args.args.as_ref().map(words),
        caps: args.cap,
        program: None,
        keep_symbols: args.keep_symbols,
        dry_run: args.dry_run,
    };
    let what = if options.dry_run { "would be written" } else { "written" };
    let result = inject::inject(&options).map(|injected| done(&to, what, injected));
    finish(output, "inject", result)
}

fn done(to: &Path, what: &str, injected: Injected) -> Done {
    let mut lines = vec![format!("{}: {what}, with {}", to.display(), injected.modules.join(", "))];
    lines.extend(about(&injected));
    let Injected { modules, roottask, shared_io, report, .. } = injected;
    let json =
        json!({ "file": to, "added": modules, "roottask": roottask, "shared_io": shared_io });
    Done { report, lines, json }
}

/// Lines about what starts the driver.
pub(super) fn about(injected: &Injected) -> Vec<String> {
    let mut lines = vec![format!("root task: {}", injected.roottask)];
    if injected.shared_io {
        lines.push("the image's own io gets one more bus".into());
    }
    lines
}
