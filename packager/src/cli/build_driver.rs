//! `packager build-driver`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use regex_lite::Regex;

use super::output::Output;
use super::{Done, built, finish, install as install_verb, run_verb};
use l4re_linux_drivers::catalog::{Catalog, servers};
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, near};
use l4re_packager_core::build::{self, Workspace};
use l4re_packager_core::manifest::{Class, FILE, Manifest};
use l4re_packager_core::run::{self, Client, ImageOptions, Transport};
use l4re_packager_outputs::install::{self, Installed, Into};

/// The program of the test suite that uses a block driver, below the root of the workspace.
const BLOCK_CLIENT: &str = "tests/guest/blk-client";

/// Build a driver of this project, install it and boot it, in one go.
///
/// Steps: build the package, strip a copy of the program, install it at DEST (without DEST its kind
/// decides: drivers to /usr/lib/drivers/, tools to /usr/bin/), and boot. Into a boot image of L4Re the
/// driver is injected, and the image is booted; otherwise the program is read back from where it was
/// installed and booted on the stand-in kernel, with a client that uses it.
#[derive(Debug, Args)]
#[command(after_help = "Example: packager build-driver virtio-blk\n\n\
                        The same step by step: packager build, install or inject, run.")]
pub struct BuildDriver {
    /// The driver: name of its package, of its program, or of its folder below drivers/; or a path
    #[arg(value_name = "NAME")]
    name: String,
    /// Path in the system: a folder if it ends in / or is one, otherwise the file
    #[arg(value_name = "DEST")]
    place: Option<String>,
    /// Install below this folder [default: root/ in the folder for results]
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    root: Option<PathBuf>,
    /// Install into this image: ext2 to ext4, FAT, a disk with partitions, or a boot image of L4Re
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Partition of the image, counted from 1 [default: the only one with such a file system]
    #[arg(long, value_name = "N", requires = "image")]
    partition: Option<u32>,
    /// Where the changed image goes [default: in its place]
    #[arg(short, long, value_name = "FILE", requires = "image")]
    output: Option<PathBuf>,
    /// For a boot image: the bus that the driver's devices are on [default: pci if the driver can]
    #[arg(long, requires = "image", value_parser = ["pci", "mmio"])]
    bus: Option<String>,
    /// For a boot image: add this file as well, such as io; can be repeated
    #[arg(long, value_name = "FILE", requires = "image")]
    with: Vec<PathBuf>,
    /// For a boot image: a regular expression; a line that matches makes the boot pass [default:
    /// L4RE-RESULT: pass]
    #[arg(long, value_name = "REGEX", requires = "image")]
    expect: Option<Regex>,
    /// Program (ELF) that uses the driver on the stand-in, with arguments separated by blanks
    /// [default: that of the test suite]
    #[arg(long, value_name = "PROGRAM [ARG]...", value_parser = super::args::client)]
    client: Vec<Client>,
    /// Image of a disk (raw), written to by the guest; can be repeated [default: 16 MiB of zeros]
    #[arg(long, value_name = "FILE")]
    disk: Vec<PathBuf>,
    /// Seconds until the boot is given up
    #[arg(long, value_name = "S", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86400))]
    time_limit: u64,
    /// Where results go [default: out/ at the root of the workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do not boot
    #[arg(long)]
    no_test: bool,
}

/// Runs the verb; whether it was good.
pub fn run(args: BuildDriver, output: &mut Output) -> bool {
    let installed = match install(&args, output) {
        Ok(installed) => installed,
        Err(failure) => return finish(output, "build-driver", Err(failure)),
    };
    if args.no_test {
        return true;
    }
    let boot_image = installed.done.injected.is_some() || installed.done.place.starts_with("rom/");
    if boot_image {
        let options = ImageOptions {
            image: installed.done.file.clone(),
            machine: None,
            disks: args.disk,
            transport: Transport::Pci,
            time_limit: Duration::from_secs(args.time_limit),
            expect: args.expect,
            linux: None,
        };
        return run_verb(output, |console| run::run_image(&options, console));
    }
    match standin(args, &installed, output) {
        Ok(options) => run_verb(output, |console| run::run(&options, console)),
        Err(failure) => finish(output, "build-driver", Err(failure)),
    }
}

/// A driver that was built and installed.
struct Ready {
    package: PathBuf,
    class: Class,
    root: PathBuf,
    into: Into,
    done: Installed,
}

/// Builds and installs; says what came of it.
fn install(args: &BuildDriver, output: &mut Output) -> Result<Ready, Failure> {
    let folder = folder(&args.name)?;
    let (manifest, _) = Manifest::load(&folder.join(FILE))?;
    let root = Workspace::of(&folder)?.root;
    let out = args.out.clone().unwrap_or_else(|| root.join("out"));
    let options =
        build::BuildOptions { folder, out: Some(out.clone()), ..build::BuildOptions::default() };
    let made = build::build(&options, output)?;
    let Some(package) = made.package.clone() else {
        return Err(Diagnostic::error("no-package", "no package was made").into());
    };
    say(output, built(made));
    output.step("installing");
    let into = into(args, &out)?;
    let done = install::install(&install::InstallOptions {
        package: package.clone(),
        place: args.place.clone(),
        into: into.clone(),
        kind: None,
        target: None,
        keep_symbols: false,
        bus: args.bus.clone(),
        with: args.with.clone(),
        dry_run: false,
    })?;
    let told = install_verb::lines(&done, false);
    output.report(&done.report);
    told.iter().for_each(|line| output.answer(line));
    Ok(Ready { package, class: manifest.driver.class, root, into, done })
}

fn say(output: &mut Output, done: Done) {
    output.report(&done.report);
    done.lines.iter().for_each(|line| output.answer(line));
}

/// The system to install into.
fn into(args: &BuildDriver, out: &Path) -> Result<Into, Failure> {
    if let Some(file) = args.image.clone() {
        return Ok(Into::Image { file, partition: args.partition, output: args.output.clone() });
    }
    if let Some(root) = &args.root {
        return Ok(Into::Root(root.clone()));
    }
    let root = out.join("root");
    fs::create_dir_all(&root).map_err(|error| Failure::io("make", &root, &error))?;
    Ok(Into::Root(root))
}

/// The boot of what was installed, on the stand-in.
fn standin(
    args: BuildDriver,
    ready: &Ready,
    output: &mut Output,
) -> Result<run::RunOptions, Failure> {
    let program = install::read(&ready.into, &ready.done.place)?;
    let mut clients = args.client;
    if clients.is_empty() && ready.class == Class::Block {
        let folder = ready.root.join(BLOCK_CLIENT);
        if !folder.is_dir() {
            let message = "a driver gives no result by itself, and this workspace has no client";
            let help = "name a program that uses it: --client PROGRAM; or --no-test";
            return Err(Diagnostic::error("no-client", message).file(&folder).help(help).into());
        }
        let options =
            build::BuildOptions { folder, elf_only: true, ..build::BuildOptions::default() };
        let built = build::build(&options, output)?;
        let found = built.programs.into_iter().next();
        clients.extend(found.map(|program| Client { program: program.path, args: Vec::new() }));
    }
    Ok(run::RunOptions {
        package: ready.package.clone(),
        machine: None,
        disks: args.disk,
        transport: Transport::Pci,
        time_limit: Duration::from_secs(args.time_limit),
        clients,
        create: Vec::new(),
        standin: None,
        program: Some(program),
    })
}

/// The folder of the driver that is meant.
fn folder(name: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(name);
    if path.components().count() > 1 || path.join(FILE).is_file() {
        return Ok(path.into());
    }
    let here = servers::here()?;
    let root = servers::workspace(&here)?;
    let (catalog, _) = Catalog::of_workspace(&root)?;
    let mut names = Vec::new();
    for entry in &catalog.entries {
        for module in &entry.modules {
            let folder = module.directory.rsplit('/').next().unwrap_or_default();
            if [entry.symbol.as_str(), &module.name, folder].contains(&name) {
                return Ok(root.join(&module.directory));
            }
            names.extend([entry.symbol.as_str(), &module.name]);
        }
    }
    let message = format!("this project has no driver `{name}`");
    let error = Diagnostic::error("no-driver", message).file(&root.join("drivers"));
    let meant = near(name, names.iter().copied());
    let symbols: Vec<&str> = catalog.entries.iter().map(|entry| entry.symbol.as_str()).collect();
    Err(match meant.first() {
        Some(near) => error.help(format!("did you mean `{near}`? `packager list` shows all")),
        None => error.help(format!("there are: {}", symbols.join(", "))),
    }
    .into())
}
