//! Compiling the C part of a driver.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_files::{ScratchFolder, input};

use super::Workspace;
use super::toolchain::{CLibrary, Tools, UNKNOWN, fingerprint, run, write_if_missing};
use crate::manifest::C;
use crate::target::Target;
use l4re_packager_base::{Diagnostic, Failure};

/// Options for every C file of every target. Freestanding: there is no host below.
/// No unwind tables: the linker script throws them away.
pub const FREESTANDING: [&str; 7] = [
    "-std=gnu11",
    "-Wall",
    "-ffreestanding",
    "-fno-pic",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-common",
];

/// Further options for the files of a driver's program.
const FLAGS: [&str; 5] = ["-O2", "-g", "-ffunction-sections", "-fdata-sections", "-nostdinc"];

impl Tools<'_> {
    /// Compiles the C files and gives the arguments that link them with the C library.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no compiler, a file is missing, or one does not compile.
    pub fn compile(
        &self,
        workspace: &Workspace,
        folder: &Path,
        c: &C,
        library: &CLibrary,
    ) -> Result<Vec<String>, Failure> {
        // Neither the folder this tool runs in nor the way the driver's is named shows in objects.
        let folder = &folder.canonicalize().map_err(|error| Failure::io("find", folder, &error))?;
        let compiler = cross_tool(self.target, "gcc");
        let builtin = builtin_headers(self.target, &compiler)?;
        let scratch = workspace.target_dir.join("c").join(&self.target.name);
        fs::create_dir_all(&scratch).map_err(|error| Failure::io("make", &scratch, &error))?;
        let mut link = Vec::new();
        for source in &c.sources {
            let path = folder.join(source);
            if !path.is_file() {
                let message = "no such file; [c] sources in driver.toml names it";
                return Err(Diagnostic::error("no-source", message).file(&path).into());
            }
            let drafts = ScratchFolder::within(&scratch);
            let drafts = drafts.map_err(|error| Failure::io("write to", &scratch, &error))?;
            let draft = drafts.path().join("draft.o");
            let object = Object { compiler: &compiler, builtin: &builtin, library, c, folder };
            let mut command = object.command(self.target, workspace, &path, &draft);
            run(&mut command, &format!("{} does not compile", source.display()))?;
            let object = input::read(&draft, input::PROGRAM)
                .map_err(|error| Failure::io("read", &draft, &error))?;
            // Cargo does not watch objects either: another content, another name.
            let stem = source.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{stem}-{:016x}.o", fingerprint(&object));
            let path = scratch.join(name);
            write_if_missing(&path, &object)?;
            link.push(path.display().to_string());
        }
        link.extend(library_args(library));
        Ok(link)
    }

    /// The commands that compile the C files, and the arguments that link what comes out; nothing is
    /// run but the compiler, to ask it where its headers are.
    pub(super) fn planned_c(
        &self,
        workspace: &Workspace,
        folder: &Path,
        c: &C,
        library: &CLibrary,
    ) -> Result<(Vec<Command>, Vec<String>), Failure> {
        let folder = &folder.canonicalize().map_err(|error| Failure::io("find", folder, &error))?;
        let compiler = cross_tool(self.target, "gcc");
        let builtin = builtin_headers(self.target, &compiler)?;
        let scratch = workspace.target_dir.join("c").join(&self.target.name);
        let object = Object { compiler: &compiler, builtin: &builtin, library, c, folder };
        let (mut commands, mut link) = (Vec::new(), Vec::new());
        for source in &c.sources {
            let stem = source.file_stem().unwrap_or_default().to_string_lossy();
            let to = scratch.join(format!("{stem}-{UNKNOWN}.o"));
            commands.push(object.command(self.target, workspace, &folder.join(source), &to));
            link.push(to.display().to_string());
        }
        link.extend(library_args(library));
        Ok((commands, link))
    }
}

/// What compiling a C file takes besides the file.
struct Object<'a> {
    compiler: &'a OsString,
    builtin: &'a Path,
    library: &'a CLibrary,
    c: &'a C,
    /// The driver's folder.
    folder: &'a Path,
}

impl Object<'_> {
    fn command(&self, target: &Target, workspace: &Workspace, from: &Path, to: &Path) -> Command {
        let mut command = Command::new(self.compiler);
        command.current_dir(&workspace.root).args(FREESTANDING).args(FLAGS).args(&target.c.flags);
        command.arg("-c").arg(from).arg("-o").arg(to);
        command.arg("-isystem").arg(&self.library.include).arg("-isystem").arg(self.builtin);
        for include in &self.c.include {
            command.arg("-I").arg(self.folder.join(include));
        }
        command.args(self.c.define.iter().map(|define| format!("-D{define}")));
        command.arg(prefix_map(&workspace.root, "/src"));
        command.env("LIBRARY_PATH", library_path(&self.library.folder));
        command
    }
}

/// Arguments that link the C library. They come before the folders of `LIBRARY_PATH`, in which there
/// may be another one.
fn library_args(library: &CLibrary) -> Vec<String> {
    vec![format!("-L{}", library.folder.display()), "-lc".into()]
}

/// A tool of the cross compiler's family, such as `aarch64-linux-gnu-gcc`. The prefix is that of
/// `CROSS_COMPILE`, or of `CROSS_COMPILE_ARM` and `CROSS_COMPILE_ARM64` for the targets that L4Re
/// calls `arm` and `arm64`, or the target's own.
pub fn cross_tool(target: &Target, name: &str) -> OsString {
    let variable = |name: &str| env::var_os(name).filter(|prefix| !prefix.is_empty());
    let given = variable("CROSS_COMPILE").or_else(|| match target.l4re.arch.as_str() {
        "arm" => variable("CROSS_COMPILE_ARM"),
        "arm64" => variable("CROSS_COMPILE_ARM64"),
        _ => None,
    });
    let mut tool = given.unwrap_or_else(|| target.c.cross_compile.clone().into());
    tool.push(name);
    // A path is one from here, wherever the tool is started.
    let path = Path::new(&tool);
    let named = path.components().nth(1).and_then(|_| std::path::absolute(path).ok());
    named.map_or(tool.clone(), PathBuf::into_os_string)
}

/// The folder with the compiler's own headers (`stddef.h`, `stdarg.h`): without it `-nostdinc`
/// would hide them too, and without `-nostdinc` the headers of some Linux would be found.
pub fn builtin_headers(target: &Target, compiler: &OsString) -> Result<PathBuf, Failure> {
    let name = compiler.to_string_lossy();
    let failed = |message: String| {
        let package = &target.c.package;
        let help = format!(
            "install it with `apt-get install {package}`, or name another with CROSS_COMPILE"
        );
        Failure::from(Diagnostic::error("no-c-compiler", message).help(help))
    };
    let output = Command::new(compiler).arg("-print-file-name=include").output();
    let output = output.map_err(|error| match error.kind() {
        ErrorKind::NotFound => failed(format!("the C compiler {name} is not installed")),
        _ => failed(format!("cannot start the C compiler {name}: {error}")),
    })?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && path.is_absolute() {
        Ok(path)
    } else {
        Err(failed(format!("{name} does not tell where its headers are; is it a gcc?")))
    }
}

/// `LIBRARY_PATH` with our folder in front of what the user has set.
fn library_path(ours: &Path) -> OsString {
    let mut path = ours.as_os_str().to_owned();
    if let Some(theirs) = env::var_os("LIBRARY_PATH").filter(|theirs| !theirs.is_empty()) {
        path.push(":");
        path.push(theirs);
    }
    path
}

/// The option that hides a folder of this machine in what is compiled.
pub fn prefix_map(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("-ffile-prefix-map=");
    flag.push(from);
    flag.push(format!("={to}"));
    flag
}
