//! The command lines of the three tools.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Build, pack and set up drivers as UDI packages.
///
/// The three are also commands of their own: call the packager udibuild, udimkpkg or udisetup, by a
/// link.
#[derive(Debug, Args)]
pub struct Udi {
    /// Which of the three
    #[command(subcommand)]
    pub tool: Tool,
}

/// Which of the three.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Build a driver's modules to bin/<abi>/ (udibuild)
    Build(UdiBuild),
    /// Pack a driver into <shortname>.udi (udimkpkg)
    Mkpkg(Mkpkg),
    /// Set drivers up from package files (udisetup)
    Setup(Setup),
}

/// Build a driver's modules to bin/<abi>/.
///
/// Reads udiprops.txt, or driver.toml where there is none, in the driver's folder. With driver.toml
/// the module is the program of the server for L4Re, without the modules are relocatable objects of
/// C sources. Environment for those: UDI_CC, UDI_CCOPTS, UDI_LINK and UDI_LINKOPTS stand for compiler
/// and linker and add options, separated by blanks; UDI_PUB_INCLUDE is the folder with the headers of
/// UDI's interfaces, <interface>/<version>/; CROSS_COMPILE is the prefix of the tools.
#[derive(Debug, Args)]
pub struct UdiBuild {
    /// The driver's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) folder: PathBuf,
    /// File with the properties [default: udiprops.txt in the driver's folder]
    #[arg(short = 's', long = "properties", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Where bin/ is made [default: the driver's folder]
    #[arg(short = 'o', long = "out", alias = "output", value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// Name of the processor binding [default: <arch>_<cpu>-<api> of the target]
    #[arg(long, value_name = "NAME")]
    pub(super) abi: Option<String>,
    /// Build for this target instead of those of driver.toml, or aarch64 without one; can be
    /// repeated
    #[arg(long, value_name = "NAME")]
    pub(super) target: Vec<String>,
    /// Build only what changed
    #[arg(short, long)]
    pub(super) update: bool,
    /// Only say what would be done; with -v also by which commands
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) compile: Compile,
}

/// How C code is compiled, and where.
#[derive(Debug, Clone, Args)]
pub struct Compile {
    /// Build modules not optimised, with debug information and the macro DEBUG
    #[arg(short = 'D', long)]
    pub(super) debug: bool,
    /// Build modules optimised, which is the default
    #[arg(short = 'O', long, conflicts_with = "debug")]
    pub(super) optimise: bool,
    /// Folder for scratch files [default: UDI_BLDTMPDIR, or that of the system]
    #[arg(short = 'T', long, value_name = "DIR")]
    pub(super) scratch: Option<PathBuf>,
}

/// Pack a driver into <shortname>.udi.
///
/// Takes what udiprops.txt names, or driver.toml where there is none, and the modules below bin/.
/// Environment: UDI_DRV, UDI_ALT and UDI_COMP stand for -d, -a and -c.
#[derive(Debug, Args)]
pub struct Mkpkg {
    /// The driver's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) folder: PathBuf,
    /// File with the properties [default: udiprops.txt in the driver's folder]
    #[arg(short = 's', long = "properties", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Where the package goes
    #[arg(short = 'o', long = "out", alias = "output", value_name = "DIR", default_value = ".")]
    pub(super) output: PathBuf,
    /// Folder with bin/<abi>/ [default: the driver's folder]
    #[arg(short, long, value_name = "DIR")]
    pub(super) modules: Option<PathBuf>,
    /// What the package holds; `both` is source only where modules are missing
    #[arg(short = 't', long, value_enum, default_value = "both")]
    pub(super) contents: ContentsArg,
    /// Name of the driver's folder in it [default: the shortname]
    #[arg(short, long, value_name = "NAME")]
    pub(super) driver: Option<String>,
    /// Name of the alternate's folder in it [default: the number of the release]
    #[arg(short, long, value_name = "NAME")]
    pub(super) alternate: Option<String>,
    /// Name of the component's folder in it [default: the first module]
    #[arg(short, long, value_name = "NAME")]
    pub(super) component: Option<String>,
    /// Name of the processor binding [default: <arch>_<cpu>-<api> of the target]
    #[arg(long, value_name = "NAME")]
    pub(super) abi: Option<String>,
    /// Replace a package that is there
    #[arg(short = 'O', long, conflicts_with = "update")]
    pub(super) overwrite: bool,
    /// Add to a package that is there
    #[arg(short = 'U', long)]
    pub(super) update: bool,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Accepted as by the other two; packing needs no scratch files
    #[arg(short = 'T', long, value_name = "DIR")]
    pub(super) scratch: Option<PathBuf>,
}

/// What a package holds.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ContentsArg {
    /// Source and modules
    Both,
    /// Source only
    Source,
    /// Modules only
    Binary,
}

/// Set drivers up from package files.
///
/// A server for L4Re becomes a package for L4Re's build system in OUT/pkg/<name>, the same that
/// `packager build` makes; what has no driver.toml becomes OUT/udi/<driver>/<component>. Takes modules
/// where there are some, and builds from source otherwise, with the environment of `udi build`.
#[derive(Debug, Args)]
pub struct Setup {
    /// Package files [default: every *.udi and *.UDI in the current folder]
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Where results go
    #[arg(short = 'o', long = "out", alias = "output", value_name = "DIR", default_value = "out")]
    pub(super) output: PathBuf,
    /// Only the driver of this name
    #[arg(short, long, value_name = "NAME")]
    pub(super) driver: Option<String>,
    /// Only the alternate of this name
    #[arg(short, long, value_name = "NAME")]
    pub(super) alternate: Option<String>,
    /// Only the component of this name
    #[arg(long, value_name = "NAME")]
    pub(super) component: Option<String>,
    /// Take the modules of this processor binding
    #[arg(long, value_name = "NAME")]
    pub(super) abi: Option<String>,
    /// Set modules up for this target [default: all that there are modules for]; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(super) target: Vec<String>,
    /// Ask which drivers
    #[arg(short = 'c', long)]
    pub(super) choose: bool,
    /// Build from source even where there are modules
    #[arg(long)]
    pub(super) source: bool,
    /// Check everything and stop before anything is written
    #[arg(short = 's', long, visible_short_alias = 'n')]
    pub(super) dry_run: bool,
    /// Only say what is set up already
    #[arg(short = 'S', long, conflicts_with = "files")]
    pub(super) show: bool,
    /// Print the short names only
    #[arg(short = 'i', long, conflicts_with = "names")]
    pub(super) shortnames: bool,
    /// Print the names of the packages for L4Re only
    #[arg(short = 'p', long)]
    pub(super) names: bool,
    #[command(flatten)]
    pub(super) compile: Compile,
}

impl Compile {
    /// The folder for scratch files: what the option says, or the environment.
    pub(super) fn scratch_folder(&self) -> Option<PathBuf> {
        let variable = || std::env::var_os("UDI_BLDTMPDIR").filter(|folder| !folder.is_empty());
        self.scratch.clone().or_else(|| variable().map(PathBuf::from))
    }
}
