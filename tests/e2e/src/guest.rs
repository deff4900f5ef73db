//! The guest programs, built once a process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{Context, Error, Result};

/// Compiler target of everything that runs in the machine.
pub const TARGET: &str = "aarch64-unknown-none";
/// Compiler target of what runs inside of the Linux guest.
const LINUX_TARGET: &str = "aarch64-unknown-linux-musl";

/// Where the built programs are.
#[derive(Debug, Clone)]
pub struct Guests {
    folder: PathBuf,
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
    /// Builds what is not built yet: the guest programs, the stand-in, and the block server.
    ///
    /// # Errors
    ///
    /// If the compiler refuses, with what it printed.
    pub fn build() -> Result<&'static Guests> {
        static GUESTS: OnceLock<std::result::Result<Guests, String>> = OnceLock::new();
        GUESTS
            .get_or_init(|| build_all().map_err(|e| e.to_string()))
            .as_ref()
            .map_err(|e| Error::new(e.clone()))
    }

    /// The test program `name`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The block server.
    pub fn server(&self) -> PathBuf {
        self.program("virtio-blk-drv")
    }

    /// The stand-in's image.
    pub fn standin(&self) -> PathBuf {
        self.program("l4re-standin")
    }
}

fn build_all() -> Result<Guests> {
    let script = root().join("linker/aarch64.ld");
    let flags = format!("target.{TARGET}.rustflags=[\"-Clink-arg=-T{}\"]", script.display());
    let programs = ["conformance", "blk-client", "blk-faults", "blk-bench"];
    let mut packages = vec!["l4re-virtio-blk-drv".to_owned()];
    packages.extend(programs.iter().map(|p| format!("l4re-test-{p}")));
    cargo(TARGET, &packages, &["--config", &flags])?;
    cargo(TARGET, &["l4re-standin".to_owned()], &[])?;
    Ok(Guests { folder: output(TARGET) })
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
    let folder = std::env::var_os("CARGO_TARGET_DIR");
    folder.map_or_else(|| root().join("target"), PathBuf::from).join(target).join("release")
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
