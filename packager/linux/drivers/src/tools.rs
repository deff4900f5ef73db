//! Which compiler speaks for an architecture: the prefix that option, environment or `uname` give.
//!
//! Nothing is started here, and a compiler that is not installed is no error until somebody
//! [requires](Compilers::require) it: most values of a configuration do not depend on one.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::tree::Architecture;
use l4re_packager_base::{Diagnostic, Failure};

/// The machine that this runs on, as `uname` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `uname -s`: `Linux`, `Darwin`.
    pub system: String,
    /// `uname -m`: `x86_64`, `aarch64`, `arm64`.
    pub machine: String,
}

impl Host {
    /// The machine that this runs on.
    pub fn this() -> Self {
        let uname = rustix::system::uname();
        Self {
            system: uname.sysname().to_string_lossy().into_owned(),
            machine: uname.machine().to_string_lossy().into_owned(),
        }
    }
}

/// What decides about the prefix, apart from the architecture.
pub struct Surroundings<'a> {
    /// `--cross-compile`, which wins over everything.
    pub option: Option<&'a str>,
    /// A variable of the environment; an empty one counts as one that is not set.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The machine.
    pub host: Host,
}

impl<'a> Surroundings<'a> {
    /// The real ones.
    pub fn real(option: Option<&'a str>) -> Self {
        Self { option, variable: &|name| env::var(name).ok(), host: Host::this() }
    }
}

/// Where a prefix comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Option,
    /// This variable of the environment.
    Variable(&'static str),
    /// Nobody said: what such a machine usually has.
    Default,
}

/// The compilers for an architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compilers {
    /// What stands in front of `gcc`, `ld` and the rest; empty for the machine's own.
    pub prefix: String,
    /// Where that comes from.
    pub origin: Origin,
    /// Debian's package with the usual compiler for the architecture, and Homebrew's.
    packages: (String, Option<&'static str>),
    path: Vec<PathBuf>,
}

/// The usual prefixes for an architecture and the packages that bring them.
struct Usual {
    source: &'static str,
    linux: &'static str,
    /// What Homebrew and the makers' archives call theirs, the most common first. Compilers for
    /// bare machines serve: the kernel's sources use no C library.
    mac: &'static [&'static str],
    brew: &'static str,
}

const USUAL: [Usual; 4] = [
    Usual {
        source: "arm64",
        linux: "aarch64-linux-gnu-",
        mac: &[
            "aarch64-none-linux-gnu-",
            "aarch64-elf-",
            "aarch64-none-elf-",
            "aarch64-unknown-linux-gnu-",
        ],
        brew: "aarch64-elf-gcc",
    },
    Usual {
        source: "arm",
        linux: "arm-linux-gnueabihf-",
        mac: &["arm-linux-gnueabihf-", "arm-none-eabi-", "arm-unknown-linux-gnueabihf-"],
        brew: "arm-none-eabi-gcc",
    },
    Usual {
        source: "x86",
        linux: "x86_64-linux-gnu-",
        mac: &["x86_64-elf-", "x86_64-unknown-linux-gnu-"],
        brew: "x86_64-elf-gcc",
    },
    Usual {
        source: "riscv",
        linux: "riscv64-linux-gnu-",
        mac: &["riscv64-elf-", "riscv64-unknown-elf-"],
        brew: "riscv64-elf-gcc",
    },
];

/// Prefixes of Debian's cross compilers that do not begin with the kernel's name.
const DEBIAN: [(&str, &str); 7] = [
    ("loongarch", "loongarch64-linux-gnu-"),
    ("mips", "mips64el-linux-gnuabi64-"),
    ("parisc", "hppa-linux-gnu-"),
    ("powerpc", "powerpc64le-linux-gnu-"),
    ("s390", "s390x-linux-gnu-"),
    ("sh", "sh4-linux-gnu-"),
    ("sparc", "sparc64-linux-gnu-"),
];

impl Compilers {
    /// Decides which compilers to use for an architecture.
    ///
    /// First of all counts the command line, then `CROSS_COMPILE`, the kernel's own variable; then,
    /// for the architectures they are named after, `CROSS_COMPILE_ARM` and `CROSS_COMPILE_ARM64`;
    /// then what `uname` suggests: no prefix if the machine is of that architecture itself,
    /// otherwise the usual one.
    pub fn choose(arch: &Architecture, around: &Surroundings<'_>) -> Self {
        let variable = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
        let path = variable("PATH").unwrap_or_default();
        let path: Vec<PathBuf> = env::split_paths(&path).collect();
        let usual = USUAL.iter().find(|usual| usual.source == arch.source);
        let linux = linux_prefix(arch, usual);
        let package = format!("gcc-{}", linux.trim_end_matches('-').replace('_', "-"));
        let packages = (package, usual.map(|usual| usual.brew));
        let chosen = |prefix: String, origin| Self { prefix, origin, packages, path: path.clone() };
        if let Some(prefix) = around.option {
            return chosen(prefix.into(), Origin::Option);
        }
        for name in ["CROSS_COMPILE", own_variable(arch)] {
            if let Some(prefix) = variable(name) {
                return chosen(prefix, Origin::Variable(name));
            }
        }
        if is_native(arch, &around.host) {
            return chosen(String::new(), Origin::Default);
        }
        let mac = usual.map_or(&[][..], |usual| usual.mac);
        let candidates: Vec<&str> = match around.host.system.as_str() {
            "Darwin" => mac.iter().copied().chain([linux.as_str()]).collect(),
            _ => vec![&linux],
        };
        let there = |prefix: &&&str| find_program(&path, &format!("{prefix}gcc")).is_some();
        let prefix = candidates.iter().find(there).or(candidates.first()).copied();
        chosen(prefix.unwrap_or_default().into(), Origin::Default)
    }

    /// The name of a tool: `aarch64-linux-gnu-ld` for `ld`.
    pub fn tool(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Whether the C compiler is installed.
    pub fn found(&self) -> bool {
        find_program(&self.path, &self.tool("gcc")).is_some()
    }

    /// Where a tool is.
    ///
    /// # Errors
    ///
    /// [`Failure`] that names the package to install and the variables that name another.
    pub fn require(&self, arch: &Architecture, name: &str) -> Result<PathBuf, Failure> {
        let tool = self.tool(name);
        if let Some(path) = find_program(&self.path, &tool) {
            return Ok(path);
        }
        let origin = match self.origin {
            Origin::Option => ", which --cross-compile asks for,".to_owned(),
            Origin::Variable(variable) => format!(", which {variable} asks for,"),
            Origin::Default => String::new(),
        };
        let message = format!("{tool}{origin} is not installed");
        Err(Diagnostic::error("no-c-compiler", message).help(self.help(arch)).into())
    }

    /// How to get another compiler.
    pub fn help(&self, arch: &Architecture) -> String {
        let own = own_variable(arch);
        let or_own = if own == "CROSS_COMPILE" { String::new() } else { format!(" or {own}") };
        let (debian, brew) = &self.packages;
        let brew = brew.map(|brew| format!(", `brew install {brew}`")).unwrap_or_default();
        format!(
            "install one (`apt-get install {debian}`{brew}), or name the prefix of another with \
             CROSS_COMPILE{or_own}"
        )
    }
}

/// The variable of one architecture; those without one have only the general one.
fn own_variable(arch: &Architecture) -> &'static str {
    match arch.source.as_str() {
        "arm" => "CROSS_COMPILE_ARM",
        "arm64" => "CROSS_COMPILE_ARM64",
        _ => "CROSS_COMPILE",
    }
}

fn linux_prefix(arch: &Architecture, usual: Option<&Usual>) -> String {
    let debian = || DEBIAN.iter().find(|(source, _)| *source == arch.source);
    match (usual, debian()) {
        (Some(usual), _) => usual.linux.into(),
        (None, Some((_, prefix))) => (*prefix).into(),
        (None, None) => format!("{}-linux-gnu-", arch.source),
    }
}

/// Whether the machine's own compiler makes code for the architecture: only on Linux, the compiler
/// of a Mac makes another kind of object file.
fn is_native(arch: &Architecture, host: &Host) -> bool {
    let machine = host.machine.as_str();
    host.system == "Linux"
        && match arch.source.as_str() {
            "arm64" => machine == "aarch64",
            "arm" => machine.starts_with("armv") && machine != "armv8l",
            "x86" => matches!(machine, "x86_64" | "i386" | "i486" | "i586" | "i686"),
            "powerpc" => machine == "ppc64le",
            other => machine.starts_with(other),
        }
}

/// The file that a command's name stands for.
fn find_program(path: &[PathBuf], name: &str) -> Option<PathBuf> {
    let runs = |file: &Path| {
        let meta = file.metadata().ok();
        meta.is_some_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        let file = PathBuf::from(name);
        return runs(&file).then_some(file);
    }
    path.iter().map(|folder| folder.join(OsStr::new(name))).find(|file| runs(file))
}

/// The file that a command's name stands for in this process.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    find_program(&env::split_paths(&path).collect::<Vec<_>>(), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arch(source: &str) -> Architecture {
        Architecture { name: source.into(), source: source.into() }
    }

    fn host(system: &str, machine: &str) -> Host {
        Host { system: system.into(), machine: machine.into() }
    }

    fn choose(source: &str, host: Host, option: Option<&str>, set: &[(&str, &str)]) -> Compilers {
        let variable = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Compilers::choose(&arch(source), &Surroundings { option, variable: &variable, host })
    }

    #[test]
    fn the_prefix_comes_from_option_variable_and_uname_in_this_order() {
        let pc = || host("Linux", "x86_64");
        let both = [("CROSS_COMPILE", "a-"), ("CROSS_COMPILE_ARM64", "b-")];
        let chosen = choose("arm64", pc(), Some("o-"), &both);
        assert_eq!((chosen.prefix.as_str(), chosen.origin), ("o-", Origin::Option));
        assert_eq!(choose("arm64", pc(), None, &both).prefix, "a-");
        let own =
            [("CROSS_COMPILE", ""), ("CROSS_COMPILE_ARM64", "b-"), ("CROSS_COMPILE_ARM", "c-")];
        let chosen = choose("arm64", pc(), None, &own);
        assert_eq!(
            (chosen.prefix.as_str(), chosen.origin),
            ("b-", Origin::Variable("CROSS_COMPILE_ARM64"))
        );
        assert_eq!(choose("arm", pc(), None, &own).prefix, "c-");
        assert_eq!(choose("x86", pc(), None, &own).prefix, "");
        assert_eq!(choose("arm64", pc(), None, &[]).prefix, "aarch64-linux-gnu-");
        assert_eq!(choose("arm", pc(), None, &[]).prefix, "arm-linux-gnueabihf-");
        assert_eq!(choose("s390", pc(), None, &[]).prefix, "s390x-linux-gnu-");
        assert_eq!(choose("m68k", pc(), None, &[]).prefix, "m68k-linux-gnu-");
    }

    #[test]
    fn a_machine_compiles_for_itself_without_prefix() {
        assert_eq!(choose("arm64", host("Linux", "aarch64"), None, &[]).prefix, "");
        assert_eq!(choose("arm", host("Linux", "armv7l"), None, &[]).prefix, "");
        let other = choose("arm", host("Linux", "aarch64"), None, &[]).prefix;
        assert_eq!(other, "arm-linux-gnueabihf-");
    }

    #[test]
    fn a_mac_takes_the_first_that_is_installed() {
        let mac = || host("Darwin", "arm64");
        assert_eq!(choose("arm64", mac(), None, &[]).prefix, "aarch64-none-linux-gnu-");
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("aarch64-none-elf-gcc");
        std::fs::write(&program, "").unwrap();
        let path = dir.path().to_str().unwrap();
        let only_readable = choose("arm64", mac(), None, &[("PATH", path)]);
        assert_eq!(only_readable.prefix, "aarch64-none-linux-gnu-");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let chosen = choose("arm64", mac(), None, &[("PATH", path)]);
        assert_eq!(chosen.prefix, "aarch64-none-elf-");
        assert!(chosen.found());
    }

    #[test]
    fn a_missing_compiler_is_said_with_package_and_variable() {
        let set = [("CROSS_COMPILE_ARM64", "none-such-")];
        let chosen = choose("arm64", host("Linux", "x86_64"), None, &set);
        assert_eq!(
            chosen.require(&arch("arm64"), "gcc").unwrap_err().to_string(),
            "error: none-such-gcc, which CROSS_COMPILE_ARM64 asks for, is not \
             installed\n  help: install one (`apt-get install gcc-aarch64-linux-gnu`, `brew \
             install aarch64-elf-gcc`), or name the prefix of another with CROSS_COMPILE or \
             CROSS_COMPILE_ARM64"
        );
        let chosen = choose("x86", host("Darwin", "arm64"), None, &[]);
        let text = chosen.require(&arch("x86"), "gcc").unwrap_err().to_string();
        assert!(text.contains("gcc-x86-64-linux-gnu"), "{text}");
        assert!(text.ends_with("with CROSS_COMPILE"), "{text}");
    }
}
