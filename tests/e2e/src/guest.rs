//! The guest programs, built once a process.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use l4re_packager_base::Progress;
use l4re_packager_core::build::{BuildOptions, build};

use crate::{Context, Error, Result};

/// Compiler target of everything that runs in the machine.
pub const TARGET: &str = "aarch64-unknown-none";
/// Compiler target of what runs inside of the Linux guest.
const LINUX_TARGET: &str = "aarch64-unknown-linux-musl";

/// The programs that run in the machine, and their folders.
const PROGRAMS: [(&str, &str); 9] = [
    (SERVER, "drivers/blk"),
    ("classes", "tests/guest/classes"),
    ("conformance", "tests/guest/conformance"),
    ("blk-client", "tests/guest/blk-client"),
    ("blk-faults", "tests/guest/blk-faults"),
    ("blk-bench", "tests/guest/blk-bench"),
    ("c-part", "tests/guest/c-part"),
    ("limits", "tests/guest/limits"),
    ("hello", "tests/guest/hello"),
];

/// The block server's program.
const SERVER: &str = "virtio-blk-drv";

/// Where the built programs are.
#[derive(Debug, Clone)]
pub struct Guests {
    programs: BTreeMap<&'static str, PathBuf>,
    package: PathBuf,
    standin: PathBuf,
}

/// The root of the project.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().nth(2).unwrap_or(here).to_owned()
    })
}

impl Guests {
    /// Builds what is not built yet: the programs, as `packager build` does it, and the stand-in.
    ///
    /// # Errors
    ///
    /// If something does not build or does not pass the packager's checks, with what was said.
    pub fn build() -> Result<&'static Guests> {
        static GUESTS: OnceLock<std::result::Result<Guests, String>> = OnceLock::new();
        GUESTS
            .get_or_init(|| build_all().map_err(|e| e.to_string()))
            .as_ref()
            .map_err(|e| Error::new(e.clone()))
    }

    /// The program `name`, or the path that it would have if there were one.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.get(name).cloned().unwrap_or_else(|| PathBuf::from(name))
    }

    /// The block server.
    pub fn server(&self) -> PathBuf {
        self.program(SERVER)
    }

    /// The block server's package.
    pub fn package(&self) -> PathBuf {
        self.package.clone()
    }

    /// The stand-in's image.
    pub fn standin(&self) -> PathBuf {
        self.standin.clone()
    }
}

/// Progress of a build: shown on a terminal only.
struct Steps {
    program: &'static str,
}

impl Progress for Steps {
    fn step(&mut self, text: &str) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K{}: {text}", self.program);
        }
    }
}

fn build_all() -> Result<Guests> {
    let mut programs = BTreeMap::new();
    let mut package = PathBuf::new();
    for (program, folder) in PROGRAMS {
        let options = BuildOptions {
            folder: root().join(folder),
            out: Some(target_folder().join("guests")),
            elf_only: program != SERVER,
            ..BuildOptions::default()
        };
        let built =
            build(&options, &mut Steps { program }).context(format!("building {program}"))?;
        package = built.package.unwrap_or(package);
        let elf = built.programs.into_iter().next();
        let elf = elf.ok_or_else(|| Error::new(format!("{program}: nothing was built")))?;
        programs.insert(program, elf.path);
    }
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    cargo(TARGET, &["l4re-standin".to_owned()], &[])?;
    Ok(Guests { programs, package, standin: output(TARGET).join("l4re-standin") })
}

/// Builds the `init` of the Linux guest: a static program for arm64 Linux.
///
/// # Errors
///
/// If the compiler refuses, with what it printed.
pub fn build_linux_init() -> Result<PathBuf> {
    let linker = format!("target.{LINUX_TARGET}.linker=\"rust-lld\"");
    cargo(LINUX_TARGET, &["l4re-test-linux-init".to_owned()], &["--config", &linker])?;
    Ok(output(LINUX_TARGET).join("linux-init"))
}

fn output(target: &str) -> PathBuf {
    target_folder().join(target).join("release")
}

fn target_folder() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR");
    folder.map_or_else(|| root().join("target"), |f| root().join(f))
}

fn cargo(target: &str, packages: &[String], extra: &[&str]) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(["build", "-q", "--release", "--target", target]);
    for p in packages {
        command.args(["-p", p]);
    }
    // The flags of whoever runs the tests are for the host.
    command.args(extra).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = command.output().context("cargo")?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::new(format!("building {packages:?}:\n{}", String::from_utf8_lossy(&output.stderr))))
}
