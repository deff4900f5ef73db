//! `packager install`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use crate::install::{self, Into, Options};
use crate::manifest::Kind;

/// Install a package's program below a folder or into an image.
///
/// Without DEST the kind in driver.toml says where: drivers go to /usr/lib/drivers/, tools to
/// /usr/bin/; the first program of a system belongs into its boot image only. The program is
/// stripped on the way, but keeps its description; the one in the package stays as it is. An ext2,
/// ext3, ext4 or FAT image is changed on a copy, without mounting it, checked, and exchanged.
#[derive(Debug, Args)]
pub struct Install {
    /// A package's folder, or a program (ELF)
    #[arg(value_name = "PACKAGE")]
    package: PathBuf,
    /// Path in the system: a folder if it ends in / or is one, otherwise the file
    #[arg(value_name = "DEST")]
    place: Option<String>,
    /// Folder that is the root of the system
    #[arg(long, value_name = "DIR", required_unless_present = "image", conflicts_with = "image")]
    root: Option<PathBuf>,
    /// Image with the system
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Where the changed image goes [default: in its place]
    #[arg(short, long, value_name = "FILE", requires = "image")]
    output: Option<PathBuf>,
    /// Kind of the program, in place of that in driver.toml
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// Target, if the package is for several
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Do not strip
    #[arg(long)]
    keep_symbols: bool,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Kind of a program.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindArg {
    /// A driver
    Driver,
    /// A program that people start
    Tool,
    /// The first program of a system
    Init,
}

/// Runs the verb; whether it was good.
pub fn run(args: Install, output: &mut Output) -> bool {
    let into = match (args.root, args.image) {
        (_, Some(file)) => Into::Image { file, output: args.output },
        // One of the two is there: the command line says so.
        (root, None) => Into::Root(root.unwrap_or_default()),
    };
    let options = Options {
        package: args.package,
        place: args.place,
        into,
        kind: args.kind.map(|kind| match kind {
            KindArg::Driver => Kind::Driver,
            KindArg::Tool => Kind::Tool,
            KindArg::Init => Kind::Init,
        }),
        target: args.target,
        keep_symbols: args.keep_symbols,
        dry_run: args.dry_run,
    };
    let result = install::install(&options).map(|installed| {
        let what = if options.dry_run { "would be installed" } else { "installed" };
        let line = format!(
            "{}: {what} as {}, {} KiB of {} KiB",
            installed.file.display(),
            installed.place,
            installed.installed.div_ceil(1024),
            installed.size.div_ceil(1024)
        );
        let json = json!({
            "place": installed.place, "file": installed.file,
            "size": installed.size, "installed": installed.installed,
        });
        Done { report: installed.report, lines: vec![line], json }
    });
    finish(output, "install", result)
}
