//! `packager rootfs`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use l4re_packager_outputs::rootfs::{self, Arch, Distribution};

/// Where units and script are if nothing else is said, as in this project.
const UNITS: &str = "files/systemd";
const SCRIPT: &str = "files/cfg/bash.cfg";

/// The unit that is enabled from the start.
const SHELL: &str = "bash.service";

/// What a system needs to start and to show a shell.
const PACKAGES: [&str; 6] =
    ["base-files", "base-passwd", "bash", "coreutils", "systemd", "systemd-sysv"];

/// Make a root file system with systemd.
///
/// Unpacks packages of the distribution for another architecture into OUT/<arch>, adds unit files,
/// drivers and links, lets systemd-analyze verify them, and makes the image OUT/systemd-<arch>.ext4.
/// The same packages give the same bytes.
#[derive(Debug, Args)]
pub struct Rootfs {
    /// Packages of drivers to put in
    #[arg(value_name = "PKG")]
    pub drivers: Vec<PathBuf>,
    /// The architecture; can be repeated [default: both]
    #[arg(long, value_enum, value_name = "NAME")]
    pub arch: Vec<ArchArg>,
    /// Where results go
    #[arg(long, value_name = "DIR", default_value = "out/rootfs")]
    pub out: PathBuf,
    /// A folder with unit files; can be repeated [default: files/systemd]
    #[arg(long, value_name = "DIR")]
    pub units: Vec<PathBuf>,
    /// The script of ned that starts systemd, to check units against [default: files/cfg/bash.cfg,
    /// or with drivers the one made of them]
    #[arg(long, value_name = "FILE")]
    pub ned: Option<PathBuf>,
    /// A unit to enable besides bash.service; can be repeated
    #[arg(long, value_name = "UNIT")]
    pub enable: Vec<String>,
    /// A unit not to enable, such as bash.service; can be repeated
    #[arg(long, value_name = "UNIT")]
    pub disable: Vec<String>,
    /// A further package of the distribution; can be repeated
    #[arg(long, value_name = "NAME")]
    pub package: Vec<String>,
    /// A folder with packages (.deb) to take instead of fetching some
    #[arg(long, value_name = "DIR")]
    pub debs: Option<PathBuf>,
    /// The distribution's release
    #[arg(long, value_name = "NAME", default_value = "bookworm")]
    pub suite: String,
    /// The distribution's archive
    #[arg(long, value_name = "URL", default_value = "http://deb.debian.org/debian")]
    pub mirror: String,
    /// The keys that its lists are signed with
    #[arg(long, value_name = "FILE")]
    #[arg(default_value = "/usr/share/keyrings/debian-archive-keyring.gpg")]
    pub keyring: PathBuf,
    /// Size of an image in MiB [default: a quarter more than needed]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(16..=1 << 20))]
    pub size: Option<u64>,
    /// Make no image, only the folder
    #[arg(long)]
    pub no_image: bool,
    /// Make the image again of OUT/<arch> as it is now, changed by hand
    #[arg(long, conflicts_with_all = [
        "drivers", "units", "ned", "enable", "disable", "package", "debs", "with_kernel", "no_image",
    ])]
    pub image_only: bool,
    /// Also make OUT/boot-<arch>: the distribution's kernel, and an initial RAM disk that finds the
    /// root file system on the first virtio disk; for scripts/runqemu.sh
    #[arg(long, alias = "kernel")]
    pub with_kernel: bool,
}

/// An architecture.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ArchArg {
    /// 32-bit Arm (armhf)
    Arm,
    /// 64-bit Arm
    Arm64,
}

/// Does it; whether all is well.
pub fn run(args: Rootfs, output: &mut Output) -> bool {
    if args.image_only {
        let size = args.size.map(|size| size << 20);
        let systems = rootfs::image_again(&args.out, &arches(&args.arch), size, output);
        let made = |systems| rootfs::Made {
            systems,
            kernels: Vec::new(),
            idle: Vec::new(),
            script: None,
            report: l4re_packager_base::Report::new(),
        };
        return finish(output, "rootfs", systems.map(made).map(done));
    }
    let result = rootfs::make(&args.into(), output);
    finish(output, "rootfs", result.map(done))
}

/// The architectures that are named, or both.
fn arches(named: &[ArchArg]) -> Vec<Arch> {
    let all = &[ArchArg::Arm, ArchArg::Arm64][..];
    let wanted = if named.is_empty() { all } else { named };
    wanted
        .iter()
        .map(|arch| match arch {
            ArchArg::Arm => Arch::Arm,
            ArchArg::Arm64 => Arch::Arm64,
        })
        .collect()
}

impl From<Rootfs> for rootfs::RootfsOptions {
    fn from(args: Rootfs) -> Self {
        let Rootfs { drivers, arch, out, mut units, ned, mut enable, debs, .. } = args;
        if units.is_empty() && Path::new(UNITS).is_dir() {
            units.push(UNITS.into());
        }
        let default = || drivers.is_empty() && Path::new(SCRIPT).is_file();
        let script = ned.or_else(|| default().then(|| SCRIPT.into()));
        if units.iter().any(|folder| folder.join(SHELL).is_file()) {
            enable.push(SHELL.into());
        }
        enable.retain(|unit| !args.disable.contains(unit));
        let packages = PACKAGES.map(String::from).into_iter().chain(args.package).collect();
        let distribution = Distribution {
            suite: args.suite,
            mirror: args.mirror,
            keyring: args.keyring,
            packages,
        };
        Self {
            arches: arches(&arch),
            distribution,
            debs,
            units,
            script,
            enable,
            drivers,
            out,
            image: !args.no_image,
            size: args.size.map(|size| size << 20),
            kernel: args.with_kernel,
        }
    }
}

fn done(made: rootfs::Made) -> Done {
    let mut lines = Vec::new();
    let mut systems = Vec::new();
    for (root, image) in &made.systems {
        lines.push(format!("{}: root file system", root.display()));
        lines.extend(image.iter().map(|image| format!("{}: image", image.display())));
        systems.push(json!({ "root": root, "image": image }));
    }
    for folder in &made.kernels {
        lines.push(format!("{}: kernel and initial RAM disk", folder.display()));
    }
    for (unit, program) in &made.idle {
        lines.push(format!("{unit}: not enabled, and {program} is not there"));
    }
    lines.extend(made.script.iter().map(|script| format!("{}: script of ned", script.display())));
    let json = json!({
        "systems": systems, "kernels": made.kernels, "script": made.script,
    });
    Done { report: made.report, lines, json }
}
