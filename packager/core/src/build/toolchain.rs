//! Compiling and linking Rust code for a target, the same way on every machine.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use l4re_files::{Draft, input};
use l4re_programs::Program;

use super::cargo::{self, Workspace};
use super::{Backend, hints};
use crate::target::{LinkerScript, Target};
use l4re_packager_base::{Diagnostic, Failure};

/// The tools for one target.
#[derive(Debug)]
pub struct Tools<'a> {
    pub(super) target: &'a Target,
    script: LinkerScript,
    pub(super) backend: Option<&'a Backend>,
    folder: PathBuf,
    pub(super) sysroot: PathBuf,
    /// The compiler's own revision: the name under which its library's sources are known to
    /// debuggers.
    revision: String,
}

impl<'a> Tools<'a> {
    /// Looks for the Rust toolchain that `folder` asks for, with the target's library.
    ///
    /// # Errors
    ///
    /// [`Failure`] with the command that installs what is missing.
    pub fn find(
        folder: &Path,
        target: &'a Target,
        backend: Option<&'a Backend>,
    ) -> Result<Self, Failure> {
        let Some(script) = target.linker_script else {
            let message = format!("programs for {} can be checked but not built yet", target.name);
            let help = "there is no linker script for it under linker/";
            return Err(Diagnostic::error("no-linker-script", message).help(help).into());
        };
        let sysroot = PathBuf::from(rustc(folder, backend, &["--print", "sysroot"])?.trim());
        let library = sysroot.join("lib/rustlib").join(&target.rust).join("lib");
        // With another code generator the library is built along.
        if backend.is_none() && !library.is_dir() {
            let message = format!("the Rust library for {} is not installed", target.rust);
            let help = format!("rustup target add {}", target.rust);
            return Err(Diagnostic::error("no-target", message).help(help).into());
        }
        let version = rustc(folder, backend, &["-vV"])?;
        let revision = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
        let revision = revision.unwrap_or("unknown").to_owned();
        Ok(Self { target, script, backend, folder: folder.into(), sysroot, revision })
    }

    /// Arguments for the linker that every program gets.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the linker script cannot be written to where the linker finds it.
    pub fn link_args(&self, workspace: &Workspace) -> Result<Vec<String>, Failure> {
        write_if_missing(&self.script_path(workspace), self.script.text.as_bytes())?;
        Ok(self.planned_link_args(workspace))
    }

    /// The same without writing the script.
    pub(super) fn planned_link_args(&self, workspace: &Workspace) -> Vec<String> {
        let page = self.target.elf.page_size;
        let script = self.script_path(workspace);
        vec![
            format!("-T{}", script.display()),
            format!("-zmax-page-size={page}"),
            "--gc-sections".into(),
        ]
    }

    /// Cargo does not watch the script: another text must have another name.
    fn script_path(&self, workspace: &Workspace) -> PathBuf {
        let stem = self.script.name.trim_end_matches(".ld");
        let name = format!("{stem}-{:016x}.ld", fingerprint(self.script.text.as_bytes()));
        workspace.target_dir.join(name)
    }

    /// Compiles and links the program of the workspace's package.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it does not compile; the compiler has said why.
    pub fn build_program(
        &self,
        workspace: &Workspace,
        program: &str,
        link: &[String],
    ) -> Result<PathBuf, Failure> {
        let mut command = self.program_command(workspace, program, link);
        run(&mut command, &format!("{program} does not compile"))?;
        Ok(self.output(workspace).join(program))
    }

    /// What compiles and links the program.
    pub(super) fn program_command(
        &self,
        workspace: &Workspace,
        program: &str,
        link: &[String],
    ) -> Command {
        let mut command = self.cargo(workspace, workspace.package_name());
        command.args(["--bin", program, "--"]);
        // rust-lld does not read LIBRARY_PATH as a C compiler does.
        let folders = std::env::var_os("LIBRARY_PATH").unwrap_or_default();
        let folders =
            std::env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty());
        let folders = folders.map(|folder| {
            format!("-L{}", std::path::absolute(&folder).unwrap_or(folder).display())
        });
        for argument in link.iter().cloned().chain(folders) {
            command.arg(format!("-Clink-arg={argument}"));
        }
        command
    }

    /// Builds the C library as an archive and gives the folder that holds it as `libc.a`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the workspace has no C library, or it does not compile.
    pub fn build_libc(&self, workspace: &Workspace) -> Result<CLibrary, Failure> {
        let include = libc_headers(workspace)?;
        run(&mut self.libc_command(workspace), "the C library does not compile")?;
        let archive = self.output(workspace).join("libl4re_libc.a");
        let bytes = input::read(&archive, input::PROGRAM)
            .map_err(|error| Failure::io("read", &archive, &error))?;
        // A folder for each content, for the same reason as with the linker script.
        let name = format!("libc-{}-{:016x}", self.target.name, fingerprint(&bytes));
        let folder = workspace.target_dir.join(name);
        write_if_missing(&folder.join("libc.a"), &bytes)?;
        Ok(CLibrary { folder, include })
    }

    /// The C library as it will be, without building it: the name of its folder follows from what
    /// comes out.
    pub(super) fn planned_libc(&self, workspace: &Workspace) -> Result<CLibrary, Failure> {
        let folder = workspace.target_dir.join(format!("libc-{}-{UNKNOWN}", self.target.name));
        Ok(CLibrary { folder, include: libc_headers(workspace)? })
    }

    /// What compiles the C library.
    pub(super) fn libc_command(&self, workspace: &Workspace) -> Command {
        let mut command = self.cargo(workspace, LIBC);
        command.args(["--lib", "--features", "archive", "--crate-type", "staticlib"]);
        // Whatever the workspace's profile says: optimising across crates makes everything local
        // that C code cannot name, above all the panic handler, of which a program has its own.
        command.env("CARGO_PROFILE_RELEASE_LTO", "fat");
        command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1");
        command.env("CARGO_PROFILE_RELEASE_PANIC", "abort");
        // Whatever the workspace says: only this makes the archive's Rust symbols local.
        command.args(["--config", "profile.release.lto=\"fat\""]);
        command
    }

    /// `cargo rustc` for one package: unlike `cargo build` it takes arguments for the last step
    /// only, so that another linker script does not rebuild every dependency.
    fn cargo(&self, workspace: &Workspace, package: &str) -> Command {
        let mut command = cargo::command(&self.folder);
        command
            .args(["rustc", "--quiet", "--release", "--package", package])
            .args(["--target", &self.target.rust, "--target-dir"])
            .arg(self.target_dir(workspace))
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(workspace))
            .env("CARGO_INCREMENTAL", "0");
        if let Some(backend) = self.backend {
            backend.apply(&mut command);
        }
        command
    }

    /// Each code generator has a folder of its own: it would throw away what another has built.
    fn target_dir(&self, workspace: &Workspace) -> PathBuf {
        match self.backend {
            Some(backend) => workspace.target_dir.join(backend.generator.name()),
            None => workspace.target_dir.clone(),
        }
    }

    /// Flags that take this machine's folders out of the program.
    fn flags(&self, workspace: &Workspace) -> OsString {
        let sources = self.sysroot.join("lib/rustlib/src/rust");
        let revision = format!("/rustc/{}", self.revision);
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        let mut flags = OsString::from("-Crelocation-model=static");
        for flag in self.backend.iter().flat_map(|backend| backend.flags()) {
            flags.push("\u{1f}");
            flags.push(flag);
        }
        let mut map = |from: &Path, to: &str| {
            // The separator of CARGO_ENCODED_RUSTFLAGS.
            flags.push("\u{1f}--remap-path-prefix=");
            flags.push(from);
            flags.push(format!("={to}"));
        };
        // The last one that fits counts.
        if let Some(home) = home {
            map(&home, "/cargo");
        }
        map(&workspace.root, "/src");
        map(&workspace.target_dir, "/target");
        map(&sources, &revision);
        flags
    }

    fn output(&self, workspace: &Workspace) -> PathBuf {
        self.target_dir(workspace).join(&self.target.rust).join("release")
    }
}

/// Cargo's name of the C library.
const LIBC: &str = "l4re-libc";

/// Stands in planned commands for what follows from bytes that are not there yet.
pub(super) const UNKNOWN: &str = "HASH";

/// The folder with the C library's headers.
fn libc_headers(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let Some(source) = workspace.folder_of(LIBC) else {
        let message = format!("[c] needs the package `{LIBC}`, which the workspace does not use");
        let help = format!("cargo add {LIBC}");
        return Err(Diagnostic::error("no-libc", message).help(help).into());
    };
    Ok(source.join("include"))
}

/// The C library, built.
#[derive(Debug, Clone)]
pub struct CLibrary {
    /// The folder with `libc.a`.
    pub folder: PathBuf,
    /// The folder with its headers.
    pub include: PathBuf,
}

/// A name for a content: same content, same name, as long as this program is the same.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Writes a file whose name follows from its content.
pub(super) fn write_if_missing(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error| Failure::io("write", path, &error);
    if input::read(path, input::PROGRAM).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let write = || {
        let mut draft = Draft::beside(path)?;
        draft.file().write_all(bytes)?;
        draft.set_mode(0o644)?;
        draft.persist(path)
    };
    write().map_err(failed)
}

/// Runs a compiler, whose messages go to where ours go.
pub fn run(command: &mut Command, failure: &str) -> Result<(), Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // The pipe hides the terminal from cargo.
    if io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command.spawn().map_err(|error| not_started(command, &error))?;
    let mut hint = None;
    if let Some(messages) = child.stderr.take() {
        hint = hints::pass_on(messages, &mut io::stderr()).unwrap_or_default();
    }
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    if status.success() {
        return Ok(());
    }
    let message = format!("{failure} ({status}); the messages above say why");
    let diagnostic = Diagnostic::error("compile", message);
    Err(match hint {
        Some(hint) => diagnostic.help(hint).into(),
        None => diagnostic.into(),
    })
}

fn not_started(command: &Command, error: &io::Error) -> Failure {
    let program = command.get_program();
    if program == "cargo" {
        return cargo::not_started(error);
    }
    if let Some(known) = Program::known(Path::new(program)) {
        return known.not_started(error).into();
    }
    let message = format!("cannot start {}: {error}", program.to_string_lossy());
    Diagnostic::error("no-tool", message).help("is it installed?").into()
}

fn rustc(folder: &Path, backend: Option<&Backend>, args: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("rustc");
    command.current_dir(folder).args(args).env_remove("RUSTUP_TOOLCHAIN");
    if let Some(backend) = backend {
        command.env("RUSTUP_TOOLCHAIN", &backend.toolchain);
    }
    let failed = |message: String| {
        let help = "install Rust from https://rustup.rs";
        Failure::from(Diagnostic::error("no-rustc", message).help(help))
    };
    let output =
        command.output().map_err(|error| failed(format!("cannot start rustc: {error}")))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(match backend {
            Some(backend) => backend.no_toolchain(text.trim()),
            None => failed(format!("rustc does not work: {}", text.trim())),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
