//! `packager inject`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::image::Place;
use super::output::Output;
use super::{Done, finish};
use crate::inject::{self, Injected};

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
    #[arg(long, value_name = "IMAGE")]
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
}

/// Does it; answers whether all is well.
pub fn run(args: Inject, output: &mut Output) -> bool {
    let to = args.place.file(&args.image).to_owned();
    let words = |text: &String| text.split_whitespace().map(String::from).collect();
    let options = inject::Options {
        package: args.package,
        image: args.image,
        output: to.clone(),
        bus: args.bus,
        with: args.with,
        script: args.script,
        args: args.args.as_ref().map(words),
    };
    let result = inject::inject(&options).map(|injected| done(to, injected));
    finish(output, "inject", result)
}

fn done(to: PathBuf, injected: Injected) -> Done {
    let Injected { modules, roottask, shared_io, report } = injected;
    let mut lines = vec![
        format!("{}: written, with {}", to.display(), modules.join(", ")),
        format!("root task: {roottask}"),
    ];
    if shared_io {
        lines.push("the image's own io gets one more bus".into());
    }
    let json =
        json!({ "file": to, "added": modules, "roottask": roottask, "shared_io": shared_io });
    Done { report, lines, json }
}
