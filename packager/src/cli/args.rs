//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum};

use regex_lite::Regex;

use l4re_packager_core::run::{Client, ImageOptions, Linux, Transport};
use l4re_packager_core::{build, run};

/// Builds, checks, packages and boots L4Re driver servers.
#[derive(Debug, Parser)]
#[command(
    name = "packager",
    version,
    max_term_width = 100,
    after_help = "Exit codes:\n  \
                  0    success\n  \
                  1    the build, the check or the run failed\n  \
                  2    wrong usage\n  \
                  3    wrap: the driver was extracted, but not built\n  \
                  255  pick, wrap: Escape in the first menu\n\
                  udibuild, udimkpkg, udisetup and driver_picker list their own with -h.\n\
                  \n\
                  Examples:\n  \
                  packager build drivers/blk\n  \
                  packager check out/pkg/virtio-blk\n  \
                  packager run out/pkg/virtio-blk --disk disk.img --client out/bin/aarch64/blk-client"
)]
pub struct Cli {
    /// Print the result as one JSON object on standard output
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// Say what is being done
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Compile a driver, check the program, and make its package
    Build(Build),
    /// Check a package, a program or a driver.toml
    Check(Check),
    /// Boot a package in QEMU on the stand-in kernel and judge the result
    Run(Run),
    /// Make a root file system with systemd
    Rootfs(super::rootfs::Rootfs),
    /// Write packages in another form
    Emit(super::emit::Emit),
    /// List the drivers of a Linux tree, or the project's own driver servers
    List(super::list::List),
    /// Choose a driver of a Linux tree
    Pick(super::pick::Pick),
    /// From a Linux tree to a package: pick, extract, build, package
    Wrap(super::wrap::Wrap),
    /// Take a driver out of a Linux tree, with all that compiling it needs
    Extract(super::extract::Extract),
    /// List, take apart, change and make bootstrap images
    Image(super::image::ImageArgs),
    /// Add a driver to an image that already boots
    Inject(super::inject::Inject),
    /// Build a driver of this project, install it and boot it, in one go
    BuildDriver(super::build_driver::BuildDriver),
    /// Install a package's program below a folder or into an image
    Install(super::install::Install),
    /// Build, pack and set up drivers as UDI packages
    Udi(super::udi::Udi),
    /// Find what is wrong with the dependencies of an L4Re tree
    Resolve(super::resolve::Resolve),
    /// Print the completions of a shell
    Completions(super::completions::Completions),
    /// Write the manual pages
    Man(super::completions::ManPages),
}

/// Compile a driver, check the program, and make its package.
///
/// Reads driver.toml in the driver's folder. The package appears in OUT/pkg/<name>, complete or not
/// at all, and the same sources give the same bytes. Environment: CROSS_COMPILE names the C
/// compiler's prefix, LIBRARY_PATH folders in which the linker looks for libraries.
#[derive(Debug, Args)]
pub struct Build {
    /// The driver's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Where results go [default: out/ at the root of the workspace]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Build for this target instead of those of driver.toml; can be repeated
    #[arg(long, value_name = "NAME")]
    pub target: Vec<String>,
    /// Make no package, only the program in OUT/bin/<target>; needs no driver.toml
    #[arg(long)]
    pub elf_only: bool,
    /// Generate code with this backend of a nightly compiler, which also builds the standard library's
    /// parts (-Z build-std) [default: LLVM of the project's own compiler]
    #[arg(long, value_enum, value_name = "NAME")]
    pub backend: Option<BackendArg>,
    /// With --backend: the nightly toolchain; name one with a date to pin it
    #[arg(long, value_name = "NAME", default_value = "nightly", requires = "backend")]
    pub toolchain: String,
    /// Print the commands that would be run, and run none of them
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// A code generator.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum BackendArg {
    /// Cranelift
    Cranelift,
    /// LLVM
    Llvm,
}

/// Check a package, a program or a driver.toml.
///
/// Everything that `build` checks is checked again, whoever made the file.
#[derive(Debug, Args)]
pub struct Check {
    /// A package's folder, a program (ELF), a driver.toml or the folder with one
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
}

/// Boot a package in QEMU on the stand-in kernel and judge the result.
///
/// The console is shown as it comes. The run passes if every client prints the line
/// `L4RE-RESULT: pass` before the time limit and nothing crashes behind it.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["package", "image"]).required(true))]
pub struct Run {
    /// The package's folder
    #[arg(value_name = "PKG")]
    pub package: Option<PathBuf>,
    /// Boot this bootstrap image instead, as it is; with --kernel, a root file system
    #[arg(long, value_name = "FILE", conflicts_with_all = ["client", "create", "standin"])]
    pub image: Option<PathBuf>,
    /// With --image: the image is a root file system (ext4, such as packager rootfs makes); boot it as
    /// the disk of this arm64 Linux kernel
    #[arg(long, value_name = "FILE", requires = "image", conflicts_with = "package")]
    pub kernel: Option<PathBuf>,
    /// With --kernel: its initial RAM disk [default: initrd.img beside the kernel, if it is there]
    #[arg(long, value_name = "FILE", requires = "kernel")]
    pub initrd: Option<PathBuf>,
    /// With --image: a regular expression; a line that matches makes the pass [default:
    /// L4RE-RESULT: pass, with --kernel that systemd reaches multi-user.target]
    #[arg(long, value_name = "REGEX", requires = "image", conflicts_with = "package")]
    pub expect: Option<Regex>,
    /// With --image: make this terminal the console until QEMU is ended with Ctrl-C; nothing is judged
    #[arg(long, requires = "image", conflicts_with_all = ["expect", "time_limit", "package"])]
    pub console: bool,
    /// Machine to boot on: virt, virt-el2 or virt-gicv3 [default: that of the target]
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Image of a disk (raw), written to by the guest; can be repeated [default: 16 MiB of zeros]
    #[arg(long, value_name = "FILE")]
    pub disk: Vec<PathBuf>,
    /// How the disks are attached
    #[arg(long, value_enum, default_value = "pci")]
    pub transport: TransportArg,
    /// Seconds until the run is given up
    #[arg(long, value_name = "S", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub time_limit: u64,
    /// Program (ELF) that uses the driver, with arguments separated by blanks; can be repeated
    #[arg(long, value_name = "PROGRAM [ARG]...", value_parser = client)]
    pub client: Vec<Client>,
    /// Arguments for a client's device, separated by blanks; repeated for the second client and so
    /// on [default: those of driver.toml]
    #[arg(long, value_name = "ARG...")]
    pub create: Vec<String>,
    /// Image of the stand-in kernel [default: built from the workspace around, or the one that came with
    /// the packager]
    #[arg(long, value_name = "FILE")]
    pub standin: Option<PathBuf>,
}

/// How disks are attached.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum TransportArg {
    /// virtio over PCI
    Pci,
    /// virtio-mmio, register layout 2
    Mmio,
    /// virtio-mmio, register layout 1
    MmioLegacy,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

pub(super) fn client(text: &str) -> Result<Client, &'static str> {
    Client::parse(text).ok_or("names no program")
}

impl From<Build> for build::BuildOptions {
    fn from(args: Build) -> Self {
        let Build { folder, out, target, elf_only, backend, toolchain, dry_run: _ } = args;
        let backend = backend.map(|generator| {
            let generator = match generator {
                BackendArg::Cranelift => build::CodeGenerator::Cranelift,
                BackendArg::Llvm => build::CodeGenerator::Llvm,
            };
            build::Backend { generator, toolchain }
        });
        Self { folder, out, targets: target, elf_only, backend }
    }
}

impl From<TransportArg> for Transport {
    fn from(arg: TransportArg) -> Self {
        match arg {
            TransportArg::Pci => Self::Pci,
            TransportArg::Mmio => Self::Mmio,
            TransportArg::MmioLegacy => Self::MmioLegacy,
        }
    }
}

impl Run {
    /// What to do if an image is to be booted.
    pub fn image_options(&self) -> Option<ImageOptions> {
        Some(ImageOptions {
            image: self.image.clone()?,
            machine: self.machine.clone(),
            disks: self.disk.clone(),
            transport: self.transport.into(),
            time_limit: Duration::from_secs(self.time_limit),
            expect: self.expect.clone(),
            linux: self.kernel.clone().map(|kernel| Linux { kernel, initrd: self.initrd.clone() }),
        })
    }
}

impl From<Run> for run::RunOptions {
    fn from(args: Run) -> Self {
        Self {
            package: args.package.unwrap_or_default(),
            machine: args.machine,
            disks: args.disk,
            transport: args.transport.into(),
            time_limit: Duration::from_secs(args.time_limit),
            clients: args.client,
            create: args.create.iter().map(|text| words(text)).collect(),
            standin: args.standin,
            program: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// The options of a command and of those below it, with the names of their values. The commands
    /// of UDI are left out: their options are those of the UDI specification.
    fn options(command: &clap::Command, found: &mut BTreeMap<String, BTreeSet<String>>) {
        for option in command.get_arguments().filter(|arg| !arg.is_positional()) {
            let long = option.get_long().unwrap_or_default();
            let value = format!("{:?}", option.get_value_names().filter(|_| takes_value(option)));
            found.entry(format!("--{long}")).or_default().insert(value);
            let shorts = option.get_short_and_visible_aliases().unwrap_or_default();
            for short in shorts {
                found.entry(format!("-{short}")).or_default().insert(format!("--{long}"));
            }
        }
        for below in command.get_subcommands().filter(|below| below.get_name() != "udi") {
            options(below, found);
        }
    }

    fn takes_value(option: &clap::Arg) -> bool {
        option.get_action().takes_values()
    }

    #[test]
    fn an_option_means_the_same_in_every_command() {
        let mut found = BTreeMap::new();
        options(&Cli::command(), &mut found);
        assert!(found.len() > 50, "{found:?}");
        let several: Vec<_> = found.iter().filter(|(_, meanings)| meanings.len() > 1).collect();
        assert!(several.is_empty(), "{several:#?}");
    }

    #[test]
    fn every_command_is_in_the_documentation() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/packager.md");
        let page = std::fs::read_to_string(page).unwrap();
        for command in Cli::command().get_subcommands() {
            let name = format!("`packager {}", command.get_name());
            let found = page
                .match_indices(&name)
                .any(|(at, _)| page[at + name.len()..].starts_with([' ', '`']));
            assert!(found, "docs/packager.md lacks {name}`");
        }
    }

    #[test]
    fn old_names_of_options_still_work() {
        for args in [
            &["packager", "list", "--linux-src", "l", "--config", "tiny"][..],
            &["packager", "extract", "--linux-src", "l", "--driver", "D", "--config", "tiny"],
            &["packager", "resolve", "t", "--config", ".kconfig"],
            &["packager", "image", "compose", "b", "l", "-o", "i", "-s", "d", "--search", "e"],
            &["packager", "image", "add", "i", "f", "--in-place", "--no-strip"],
            &["packager", "image", "extract", "i", "-o", "d"],
            &["packager", "man", "-o", "d"],
            &["packager", "rootfs", "--kernel"],
            &["packager", "udi", "build", "--output", "o"],
        ] {
            assert!(Cli::try_parse_from(args).is_ok(), "{args:?}");
        }
    }

    #[test]
    fn a_client_brings_its_arguments() {
        let cli = Cli::try_parse_from(["packager", "run", "p", "--client", "bin/c -x 1"]).unwrap();
        let Verb::Run(run) = cli.verb else { panic!("another verb") };
        assert_eq!(run.client[0].program, PathBuf::from("bin/c"));
        assert_eq!(run.client[0].args, ["-x", "1"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for args in [
            &["packager"][..],
            &["packager", "bulid"],
            &["packager", "check"],
            &["packager", "run", "p", "--time-limit", "0"],
            &["packager", "run", "p", "--client", " "],
            &["packager", "run"],
            &["packager", "run", "p", "--image", "i"],
            &["packager", "run", "--image", "i", "--expect", "("],
            &["packager", "run", "--image", "i", "--console", "--expect", "x"],
            &["packager", "run", "p", "--console"],
            &["packager", "run", "p", "--kernel", "k"],
            &["packager", "run", "--image", "i", "--initrd", "x"],
            &["packager", "run", "p", "--expect", "x"],
            &["packager", "-q", "-v", "check", "p"],
            &["packager", "install", "p"],
            &["packager", "install", "p", "--root", "r", "--image", "i"],
        ] {
            assert_eq!(Cli::try_parse_from(args).unwrap_err().exit_code(), 2, "{args:?}");
        }
    }
}
