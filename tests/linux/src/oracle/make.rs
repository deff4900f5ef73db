//! The tree's own make, in an output folder in the cache.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use l4re_programs::Program;

use crate::tree::Tree;
use crate::{Error, cache, run};

/// An architecture that is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arch {
    /// `ARCH`.
    pub name: &'static str,
    /// `CROSS_COMPILE`.
    pub prefix: &'static str,
    /// The configuration that `make defconfig` takes.
    pub defconfig: &'static str,
}

/// The architectures that are tested.
pub const ARCHES: [Arch; 3] = [
    Arch { name: "arm64", prefix: "aarch64-linux-gnu-", defconfig: "arch/arm64/configs/defconfig" },
    Arch {
        name: "arm",
        prefix: "arm-linux-gnueabihf-",
        defconfig: "arch/arm/configs/multi_v7_defconfig",
    },
    Arch {
        name: "x86_64",
        prefix: "x86_64-linux-gnu-",
        defconfig: "arch/x86/configs/x86_64_defconfig",
    },
];

/// A tree with a configuration that its own make has made.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The tree.
    pub tree: Tree,
    /// The architecture.
    pub arch: Arch,
    /// The output folder (`O=`).
    pub out: PathBuf,
}

/// `make PRESET` and what follows from it: `.config`, `auto.conf`, `autoconf.h`.
///
/// # Errors
///
/// [`Error::Command`] with make's output.
pub fn configured(tree: &Tree, arch: Arch, preset: &str) -> Result<Configured, Error> {
    let tools = tools(tree)?;
    let name = format!("out/{}-{}-{preset}", tree.name, arch.name);
    let out = cache::folder(&name, &key(tree), |out| {
        run::output(
            Program::declared("cp").command().arg("-a").arg(tools.join("scripts")).arg(out),
        )?;
        make(tree, arch, out, &[preset])?;
        // A wrapper in place of `conf` writes down the environment that Kconfig sees.
        let conf = out.join("scripts/kconfig/conf");
        let real = out.join("scripts/kconfig/conf.real");
        fs::rename(&conf, &real).map_err(Error::io(&conf))?;
        let text = "#!/bin/sh\nenv -0 > .kconfig-env\nexec scripts/kconfig/conf.real \"$@\"\n";
        fs::write(&conf, text).map_err(Error::io(&conf))?;
        fs::set_permissions(&conf, fs::Permissions::from_mode(0o755)).map_err(Error::io(&conf))?;
        make(tree, arch, out, &["syncconfig"])
    })?;
    Ok(Configured { tree: tree.clone(), arch, out })
}

/// An output folder in which `conf` is built: it is the same for every configuration.
fn tools(tree: &Tree) -> Result<PathBuf, Error> {
    let name = format!("out/{}-tools", tree.name);
    cache::folder(&name, &key(tree), |out| make(tree, ARCHES[0], out, &["allnoconfig"]))
}

/// The same, ready for compiling.
///
/// # Errors
///
/// [`Error::Command`] with make's output.
pub fn prepared(tree: &Tree, arch: Arch, preset: &str) -> Result<Configured, Error> {
    let configured = configured(tree, arch, preset)?;
    let marker = configured.out.join(".prepared");
    if !marker.exists() {
        make(tree, arch, &configured.out, &["prepare", "modules_prepare"])?;
        fs::write(&marker, "").map_err(Error::io(&marker))?;
    }
    Ok(configured)
}

/// A configuration of one's own, completed as `make olddefconfig` does and ready for compiling.
///
/// # Errors
///
/// [`Error::Command`] with make's output.
pub fn prepared_from(
    tree: &Tree,
    arch: Arch,
    name: &str,
    config: &str,
) -> Result<Configured, Error> {
    let tools = tools(tree)?;
    let key = format!("{} {config}", key(tree));
    let name = format!("out/{}-{}-{name}", tree.name, arch.name);
    let out = cache::folder(&name, &key, |out| {
        run::output(
            Program::declared("cp").command().arg("-a").arg(tools.join("scripts")).arg(out),
        )?;
        let file = out.join(".config");
        fs::write(&file, config).map_err(Error::io(&file))?;
        make(tree, arch, out, &["olddefconfig", "prepare", "modules_prepare"])
    })?;
    Ok(Configured { tree: tree.clone(), arch, out })
}

impl Configured {
    /// A file of the output folder.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read.
    pub fn read(&self, file: &str) -> Result<Vec<u8>, Error> {
        let path = self.out.join(file);
        fs::read(&path).map_err(Error::io(path))
    }

    /// The variables that Kconfig sees.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if they were not written down.
    pub fn kconfig_env(&self) -> Result<Vec<(String, String)>, Error> {
        let text = self.read(".kconfig-env")?;
        let pairs = text.split(|byte| *byte == 0).filter_map(|pair| {
            let pair = String::from_utf8_lossy(pair);
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        Ok(pairs.collect())
    }

    /// Makes goals in the output folder; returns what make writes.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] with make's output.
    pub fn make(&self, goals: &[&str]) -> Result<Vec<u8>, Error> {
        self.make_with(goals, &[])
    }

    /// The same with variables in the environment.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] with make's output.
    pub fn make_with(&self, goals: &[&str], with: &[(&str, &Path)]) -> Result<Vec<u8>, Error> {
        command_output(&self.tree, self.arch, &self.out, goals, with)
    }
}

fn key(tree: &Tree) -> String {
    let modified = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    format!("{:?} {}", modified(&tree.path.join("Makefile")), tree.path.display())
}

fn make(tree: &Tree, arch: Arch, out: &Path, goals: &[&str]) -> Result<(), Error> {
    command_output(tree, arch, out, goals, &[]).map(drop)
}

fn command_output(
    tree: &Tree,
    arch: Arch,
    out: &Path,
    goals: &[&str],
    with: &[(&str, &Path)],
) -> Result<Vec<u8>, Error> {
    let mut command = Program::declared("make").command();
    command.arg("-C").arg(&tree.path).arg(format!("O={}", out.display()));
    command.arg(format!("ARCH={}", arch.name)).arg(format!("CROSS_COMPILE={}", arch.prefix));
    command.args(goals).arg("-j2");
    // What cargo and an outer make leave in the environment is none of the kernel's business.
    for (name, _) in std::env::vars_os() {
        let name = OsStr::to_string_lossy(&name).into_owned();
        if name.starts_with("CARGO") || name.starts_with("MAKE") || name == "MFLAGS" {
            command.env_remove(name);
        }
    }
    command.env("KBUILD_BUILD_TIMESTAMP", "0");
    command.envs(with.iter().copied());
    run::output(&mut command)
}
