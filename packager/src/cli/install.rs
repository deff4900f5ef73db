//! `packager install`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use l4re_packager_core::manifest::PackageKind;
use l4re_packager_outputs::install::{self, InstallOptions, Installed, Into};

/// Install a package's program below a folder or into an image.
///
/// Without DEST the kind in driver.toml says where: drivers go to /usr/lib/drivers/, tools to
/// /usr/bin/; the first program of a system belongs into its boot image only. The program is
/// stripped on the way, but keeps its description; the one in the package stays as it is. An ext2,
/// ext3, ext4 or FAT image, also in a partition of a disk's image, is changed on a copy, without
/// mounting it, checked, and exchanged. A bootstrap image of L4Re gets a driver with the script that
/// starts it, as `inject` does, and a tool as the file rom/<name>.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("system").args(["root", "image"]).required(true))]
pub struct Install {
    /// A package's folder, or a program (ELF)
    #[arg(value_name = "PACKAGE")]
    package: PathBuf,
    /// Path in the system: a folder if it ends in / or is one, otherwise the file
    #[arg(value_name = "DEST")]
    place: Option<String>,
    /// Folder that is the root of the system
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Image with the system: ext2 to ext4, FAT, a disk with partitions, or a boot image of L4Re
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Partition of the image, counted from 1 [default: the only one with such a file system]
    #[arg(long, value_name = "N", requires = "image")]
    partition: Option<u32>,
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
    /// For a boot image: the bus that the driver's devices are on [default: pci if the driver can]
    #[arg(long, requires = "image", value_parser = ["pci", "mmio"])]
    bus: Option<String>,
    /// For a boot image: add this file as well, such as io; can be repeated
    #[arg(long, value_name = "FILE", requires = "image")]
    with: Vec<PathBuf>,
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
        (_, Some(file)) => Into::Image { file, partition: args.partition, output: args.output },
        // One of the two is there: the command line says so.
        (root, None) => Into::Root(root.unwrap_or_default()),
    };
    let options = InstallOptions {
        package: args.package,
        place: args.place,
        into,
        kind: args.kind.map(|kind| match kind {
            KindArg::Driver => PackageKind::Driver,
            KindArg::Tool => PackageKind::Tool,
            KindArg::Init => PackageKind::Init,
        }),
        target: args.target,
        keep_symbols: args.keep_symbols,
        bus: args.bus,
        with: args.with,
        dry_run: args.dry_run,
    };
    let result = install::install(&options).map(|installed| done(installed, options.dry_run));
    finish(output, "install", result)
}

/// What is to be said of it.
pub(super) fn lines(installed: &Installed, dry_run: bool) -> Vec<String> {
    let what = if dry_run { "would be installed" } else { "installed" };
    let mut lines = vec![format!(
        "{}: {what} as {}, {} KiB of {} KiB",
        installed.file.display(),
        installed.place,
        installed.installed.div_ceil(1024),
        installed.size.div_ceil(1024)
    )];
    if let Some(injected) = &installed.injected {
        lines.push(format!("with {}", injected.modules.join(", ")));
        lines.extend(super::inject::about(injected));
    }
    lines
}

fn done(installed: Installed, dry_run: bool) -> Done {
    let lines = lines(&installed, dry_run);
    let mut json = json!({
        "place": installed.place, "file": installed.file,
        "size": installed.size, "installed": installed.installed,
    });
    if let Some(injected) = &installed.injected {
        json["added"] = json!(injected.modules);
        json["roottask"] = json!(injected.roottask);
    }
    Done { report: installed.report, lines, json }
}
