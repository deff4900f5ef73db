//! The variables that Kconfig files see.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure};

/// The variables that the macro language falls back to, and that its commands run with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    commands: BTreeMap<String, String>,
}

/// The programs that the kernel's Makefile tells Kconfig about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools {
    /// What precedes the names of the compiler and its kin (`CROSS_COMPILE`).
    pub cross_compile: String,
    /// Programs by their variable (`CC`, `LD`, `HOSTCC`, …), in place of the usual ones.
    pub programs: BTreeMap<String, String>,
}

impl Environment {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.into(), value.into());
    }

    /// Sets a variable to the output of a command, which runs when a value needs it.
    pub fn set_command(&mut self, name: &str, command: impl Into<String>) {
        self.commands.insert(name.into(), command.into());
    }

    /// The command whose output a variable is.
    pub fn command(&self, name: &str) -> Option<&str> {
        self.commands.get(name).map(String::as_str)
    }

    /// The value of a variable, unless it is the output of a command.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// All variables that are not outputs of commands, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What the Makefile of the Linux tree at `tree` exports for `arch`, as `make ARCH=arch` calls
    /// it (`arm64`, `x86_64`, …).
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no Linux tree, or not for this architecture.
    pub fn linux(tree: &Path, arch: &str, tools: &Tools) -> Result<Self, Failure> {
        let srcarch = source_architecture(arch);
        let tree = tree.canonicalize().map_err(|e| Failure::io("find the Linux tree", tree, &e))?;
        let version = kernel_version(&tree)?;
        if !tree.join("arch").join(srcarch).join("Kconfig").is_file() {
            return Err(no_such_architecture(&tree, arch));
        }
        let mut environment = Self::new()
            .with("ARCH", arch)
            .with("SRCARCH", srcarch)
            .with("SUBARCH", host_architecture())
            .with("UTS_MACHINE", arch)
            .with("srctree", tree.to_string_lossy())
            .with("objtree", ".")
            .with("KERNELVERSION", version)
            .with("CROSS_COMPILE", tools.cross_compile.clone())
            .with("CONFIG_SHELL", "sh")
            .with("RUSTC_BOOTSTRAP", "1")
            .with("LC_COLLATE", "C")
            .with("LC_NUMERIC", "C");
        for (variable, program) in CROSS_TOOLS {
            environment.set(variable, format!("{}{program}", tools.cross_compile));
        }
        for (variable, program) in HOST_TOOLS {
            environment.set(variable, *program);
        }
        for (variable, program) in &tools.programs {
            environment.set(variable, program.clone());
        }
        let program = |name| environment.get(name).unwrap_or_default();
        let compiler =
            format!("LC_ALL=C {} --version 2>/dev/null | head -n 1 | tr -d '#'", program("CC"));
        let rustc = format!("{} --version 2>/dev/null | tr -d '#'", program("RUSTC"));
        // Since Linux 7.0; before, a Kconfig file asks for it.
        let pahole = format!("{}/scripts/pahole-version.sh {}", tree.display(), program("PAHOLE"));
        environment.set_command("CC_VERSION_TEXT", compiler);
        environment.set_command("PAHOLE_VERSION", pahole);
        environment.set_command("RUSTC_VERSION_TEXT", rustc);
        Ok(environment)
    }
}

/// Programs whose names have the cross compiler's prefix.
const CROSS_TOOLS: &[(&str, &str)] = &[
    ("AR", "ar"),
    ("CC", "gcc"),
    ("LD", "ld"),
    ("NM", "nm"),
    ("OBJCOPY", "objcopy"),
    ("OBJDUMP", "objdump"),
    ("READELF", "readelf"),
    ("STRIP", "strip"),
];

/// Programs of the machine that builds.
const HOST_TOOLS: &[(&str, &str)] = &[
    ("AWK", "awk"),
    ("BASH", "bash"),
    ("BINDGEN", "bindgen"),
    ("HOSTCC", "gcc"),
    ("HOSTCXX", "g++"),
    ("HOSTPKG_CONFIG", "pkg-config"),
    ("HOSTRUSTC", "rustc"),
    ("PAHOLE", "pahole"),
    ("PERL", "perl"),
    ("PYTHON3", "python3"),
    ("RUSTC", "rustc"),
    ("RUSTDOC", "rustdoc"),
    ("RUSTFMT", "rustfmt"),
];

/// The folder under `arch/` for what `make ARCH=` calls an architecture.
pub fn source_architecture(arch: &str) -> &str {
    match arch {
        "i386" | "x86_64" => "x86",
        "sparc32" | "sparc64" => "sparc",
        "parisc64" => "parisc",
        "sh64" => "sh",
        "tilepro" | "tilegx" => "tile",
        other => other,
    }
}

/// What the kernel calls the architecture of this machine.
fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86" | "x86_64" => "x86",
        "aarch64" => "arm64",
        "powerpc64" => "powerpc",
        "riscv64" => "riscv",
        "s390x" => "s390",
        "loongarch64" => "loongarch",
        "mips64" => "mips",
        other => other,
    }
}

/// The version in the tree's Makefile.
fn kernel_version(tree: &Path) -> Result<String, Failure> {
    let path = tree.join("Makefile");
    let bytes = input::read(&path, input::TEXT).map_err(|e| Failure::io("read", &path, &e))?;
    let text = String::from_utf8_lossy(&bytes);
    let field = |name: &str| {
        text.lines().take(20).find_map(|line| {
            let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
            Some(value.trim().to_owned())
        })
    };
    let (Some(version), Some(patch)) = (field("VERSION"), field("PATCHLEVEL")) else {
        let what = "this is not the Makefile of a Linux tree: it sets no VERSION and PATCHLEVEL";
        let help = "name the top folder of an unpacked Linux source tree";
        return Err(Diagnostic::error("linux-tree", what).file(&path).help(help).into());
    };
    let mut text = format!("{version}.{patch}");
    if let Some(sublevel) = field("SUBLEVEL").filter(|sublevel| !sublevel.is_empty()) {
        text = format!("{text}.{sublevel}");
    }
    Ok(text + &field("EXTRAVERSION").unwrap_or_default())
}

/// The failure that says which architectures there are.
fn no_such_architecture(tree: &Path, arch: &str) -> Failure {
    let folder = tree.join("arch");
    let mut known: Vec<String> = fs::read_dir(&folder)
        .map(|entries| {
            let entries = entries.flatten().filter(|entry| entry.path().join("Kconfig").is_file());
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    known.sort();
    let message = format!("the tree has no architecture `{arch}`");
    let diagnostic = Diagnostic::error("linux-arch", message).file(&folder);
    match l4re_packager_base::nearest(arch, known.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("it has {}", known.join(", "))),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(makefile: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("Makefile"), makefile).expect("a Makefile");
        for arch in ["arm64", "x86"] {
            let arch = folder.path().join("arch").join(arch);
            fs::create_dir_all(&arch).expect("a folder");
            fs::write(arch.join("Kconfig"), "").expect("a Kconfig");
        }
        folder
    }

    #[test]
    fn the_version_and_the_source_architecture_come_from_the_tree() {
        let tree = tree("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 9\nEXTRAVERSION = -rc1\n");
        let environment =
            Environment::linux(tree.path(), "x86_64", &Tools::default()).expect("a tree");
        assert_eq!(environment.get("KERNELVERSION"), Some("6.1.9-rc1"));
        assert_eq!(environment.get("SRCARCH"), Some("x86"));
        assert_eq!(environment.get("CC"), Some("gcc"));
        let pahole = environment.command("PAHOLE_VERSION").expect("a command");
        assert!(pahole.ends_with("/scripts/pahole-version.sh pahole"), "{pahole}");
    }

    #[test]
    fn an_unknown_architecture_is_answered_with_the_nearest() {
        let tree = tree("VERSION = 6\nPATCHLEVEL = 1\n");
        let failure = Environment::linux(tree.path(), "amr64", &Tools::default());
        let text = failure.expect_err("no such architecture").to_string();
        assert!(text.contains("the tree has no architecture `amr64`"), "{text}");
        assert!(text.ends_with("help: did you mean `arm64`?"), "{text}");
    }

    #[test]
    fn a_folder_that_is_no_linux_tree_is_refused() {
        let tree = tree("all:\n");
        let failure = Environment::linux(tree.path(), "arm64", &Tools::default());
        let text = failure.expect_err("not a tree").to_string();
        assert!(text.contains("not the Makefile of a Linux tree"), "{text}");
    }
}
