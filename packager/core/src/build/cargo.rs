//! What cargo knows about a driver's folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::toolchain::run;
use l4re_packager_base::{Diagnostic, Failure, nearest};

/// The workspace that a folder belongs to.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Its root.
    pub root: PathBuf,
    /// Where this tool has cargo put what it builds, apart from the user's own builds: the flags
    /// differ, and each would throw away what the other has built.
    pub target_dir: PathBuf,
    /// The folder's package.
    package: Package,
    packages: Vec<Package>,
}

#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Debug, Clone, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<CargoTarget>,
}

#[derive(Debug, Clone, Deserialize)]
struct CargoTarget {
    name: String,
    kind: Vec<String>,
}

impl Metadata {
    /// Asks cargo about the workspace around `folder`.
    fn of(folder: &Path, args: &[&OsStr]) -> Result<Self, Failure> {
        let mut command = command(folder);
        command.args(["metadata", "--format-version", "1"]).args(args);
        let output = command.output().map_err(|error| not_started(&error))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let message = format!("cargo cannot read the workspace: {}", text.trim());
            return Err(Diagnostic::error("cargo", message).file(folder).into());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| {
            let message = format!("cargo's description of the workspace: {error}");
            Diagnostic::error("cargo", message).file(folder).into()
        })
    }
}

impl Workspace {
    /// Asks cargo about `folder`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no cargo, or no package in the folder.
    pub fn of(folder: &Path) -> Result<Self, Failure> {
        let manifest = folder.join("Cargo.toml");
        let manifest = manifest.canonicalize().map_err(|_| {
            Failure::from(
                Diagnostic::error("no-crate", "no Cargo.toml in this folder")
                    .file(folder)
                    .help("name the folder of the driver's crate"),
            )
        })?;
        let metadata = Metadata::of(folder, &["--manifest-path".as_ref(), manifest.as_os_str()])?;
        let package = metadata.packages.iter().find(|package| package.manifest_path == manifest);
        let Some(package) = package.cloned() else {
            let diagnostic = Diagnostic::error("no-crate", "the workspace itself is no crate");
            let help = "name the folder of the driver's crate";
            return Err(diagnostic.file(&manifest).help(help).into());
        };
        Ok(Self {
            root: metadata.workspace_root,
            target_dir: metadata.target_directory.join("packager"),
            package,
            packages: metadata.packages,
        })
    }

    /// Builds the program `name` of the package `name` in the workspace around `folder`, with the
    /// user's own flags and folders; `None` if there is no such package.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no workspace, or the program does not compile.
    pub fn build_member(folder: &Path, name: &str, rust: &str) -> Result<Option<PathBuf>, Failure> {
        let metadata = Metadata::of(folder, &["--no-deps".as_ref()])?;
        if !metadata.packages.iter().any(|package| package.name == name) {
            return Ok(None);
        }
        let mut command = command(folder);
        command.args(["build", "--quiet", "--release", "--package", name, "--target", rust]);
        run(&mut command, &format!("{name} does not compile"))?;
        Ok(Some(metadata.target_directory.join(rust).join("release").join(name)))
    }

    /// Name of the folder's package.
    pub fn package_name(&self) -> &str {
        &self.package.name
    }

    /// The program to build: `wanted`, or the only one there is.
    ///
    /// # Errors
    ///
    /// [`Failure`] with the programs there are.
    pub fn program(&self, wanted: Option<&str>) -> Result<String, Failure> {
        let targets = self.package.targets.iter();
        let programs: Vec<&str> = targets
            .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
            .map(|target| target.name.as_str())
            .collect();
        match (wanted, programs.as_slice()) {
            (Some(wanted), _) if programs.contains(&wanted) => Ok(wanted.into()),
            (None, [only]) => Ok((*only).into()),
            (_, []) => Err(self.no_program("the crate has no program", String::new())),
            (None, _) => {
                let help =
                    format!("set `program` in driver.toml; there are: {}", programs.join(", "));
                Err(self.no_program("the crate has several programs", help))
            }
            (Some(wanted), _) => {
                let help = match nearest(wanted, programs.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are: {}", programs.join(", ")),
                };
                Err(self.no_program(&format!("the crate has no program `{wanted}`"), help))
            }
        }
    }

    fn no_program(&self, message: &str, help: String) -> Failure {
        let diagnostic = Diagnostic::error("no-program", message).file(&self.package.manifest_path);
        if help.is_empty() { diagnostic.into() } else { diagnostic.help(help).into() }
    }

    /// The folder of a package of that name, if the workspace has or uses one.
    pub fn folder_of(&self, name: &str) -> Option<&Path> {
        let package = self.packages.iter().find(|package| package.name == name)?;
        package.manifest_path.parent()
    }
}

/// Cargo, run in `folder`: that is what decides about the toolchain.
pub(super) fn command(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(folder);
    // Under `cargo run` these would bind the build to the toolchain and flags of this tool.
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"] {
        command.env_remove(name);
    }
    command
}

pub(super) fn not_started(error: &std::io::Error) -> Failure {
    let message = format!("cannot start cargo: {error}");
    Diagnostic::error("no-cargo", message).help("install Rust from https://rustup.rs").into()
}
