//! Headers that say which version a tree is.

use std::fs;
use std::path::Path;

use l4re_files::{ScratchFolder, input};
use l4re_packager_base::{Diagnostic, Failure};
use l4re_programs::Program;

use crate::config::Config;
use crate::wrappers::{assignments, optional};

/// The longest release that fits the kernel's own record of it.
const MAX_RELEASE: usize = 64;

/// The version in the head of a tree's Makefile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Version {
    version: u32,
    patchlevel: u32,
    sublevel: u32,
    extra: String,
    /// Whether `version.h` caps the sublevel at 255 (not in 4.19 and 5.4 before 2021).
    capped: bool,
    /// Whether `version.h` has the numbers one by one (since Linux 5.12).
    parts: bool,
}

impl Version {
    /// Reads the tree's Makefile.
    pub(crate) fn read(tree: &Path) -> Result<Self, Failure> {
        let path = tree.join("Makefile");
        let bytes =
            input::read(&path, input::TEXT).map_err(|error| Failure::io("read", &path, &error))?;
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).ok_or_else(|| {
            let message = "this Makefile names no VERSION, PATCHLEVEL and SUBLEVEL";
            let help = "name the top folder of a Linux source tree";
            Diagnostic::error("no-kernel-tree", message).file(&path).help(help).into()
        })
    }

    fn parse(makefile: &str) -> Option<Self> {
        // They stand at the top, before anything else is assigned.
        let head = makefile.lines().take(20).collect::<Vec<_>>().join("\n");
        let value =
            |name| assignments(&head).find(|(other, _)| *other == name).map(|(_, text)| text);
        let number = |name| value(name)?.parse().ok();
        let recipe = makefile.split_once("define filechk_version.h").map(|(_, rest)| rest);
        let recipe = recipe.map(|rest| rest.split("\nendef").next().unwrap_or_default());
        let has = |text| recipe.is_none_or(|recipe| recipe.contains(text));
        Some(Self {
            version: number("VERSION")?,
            patchlevel: number("PATCHLEVEL")?,
            sublevel: value("SUBLEVEL").map_or(Some(0), |text| text.parse().ok())?,
            extra: value("EXTRAVERSION").unwrap_or_default().to_owned(),
            capped: has("255"),
            parts: has("LINUX_VERSION_MAJOR"),
        })
    }

    /// `include/generated/uapi/linux/version.h`.
    pub(crate) fn header(&self) -> String {
        let Self { version, patchlevel, sublevel, .. } = self;
        let code = u64::from(*version) * 65536
            + u64::from(*patchlevel) * 256
            + if self.capped { u64::from(*sublevel).min(255) } else { u64::from(*sublevel) };
        let last = if self.capped { "((c) > 255 ? 255 : (c))" } else { "(c)" };
        let mut text = format!(
            "#define LINUX_VERSION_CODE {code}\n\
             #define KERNEL_VERSION(a,b,c) (((a) << 16) + ((b) << 8) + {last})\n"
        );
        if self.parts {
            text += &format!(
                "#define LINUX_VERSION_MAJOR {version}\n\
                 #define LINUX_VERSION_PATCHLEVEL {patchlevel}\n\
                 #define LINUX_VERSION_SUBLEVEL {sublevel}\n"
            );
        }
        text
    }

    fn kernel_version(&self) -> String {
        let Self { version, patchlevel, sublevel, extra, .. } = self;
        format!("{version}.{patchlevel}.{sublevel}{extra}")
    }

    /// `include/generated/utsrelease.h`. `local` is what make would be given as `LOCALVERSION`.
    pub(crate) fn release_header(
        &self,
        tree: &Path,
        config: &Config,
        local: Option<&str>,
    ) -> Result<String, Failure> {
        // Only git knows what it would say of a tree that it manages.
        let release = if tree.join(".git").exists() {
            self.ask_tree(tree, config, local)?
        } else {
            let own = config.text("LOCALVERSION").unwrap_or_default();
            let files = local_version_files(tree)?;
            format!("{}{files}{own}{}", self.kernel_version(), local.unwrap_or_default())
        };
        if release.len() > MAX_RELEASE {
            let message = format!("the release `{release}` is longer than {MAX_RELEASE} bytes");
            let help = "shorten CONFIG_LOCALVERSION";
            return Err(Diagnostic::error("release", message).file(tree).help(help).into());
        }
        Ok(format!("#define UTS_RELEASE \"{release}\"\n"))
    }

    /// Runs the tree's own script, which runs git.
    fn ask_tree(
        &self,
        tree: &Path,
        config: &Config,
        local: Option<&str>,
    ) -> Result<String, Failure> {
        let script = tree.join("scripts/setlocalversion");
        let folder = ScratchFolder::new().map_err(|e| Failure::io("make a folder", tree, &e))?;
        let auto = folder.path().join("include/config");
        let mut lines = String::new();
        if let Some(own) = config.text("LOCALVERSION") {
            lines.push_str(&format!("CONFIG_LOCALVERSION=\"{own}\"\n"));
        }
        if config.is_yes("LOCALVERSION_AUTO") {
            lines.push_str("CONFIG_LOCALVERSION_AUTO=y\n");
        }
        fs::create_dir_all(&auto)
            .and_then(|()| fs::write(auto.join("auto.conf"), lines))
            .map_err(|error| Failure::io("write", &auto, &error))?;
        let mut command = Program::declared("sh").command();
        command.arg(&script).arg(tree).current_dir(folder.path()).env_remove("LOCALVERSION");
        command.env("KERNELVERSION", self.kernel_version());
        if let Some(local) = local {
            command.env("LOCALVERSION", local);
        }
        let output = command.output().map_err(|error| Failure::io("run", &script, &error))?;
        let said = String::from_utf8_lossy(&output.stdout).trim().replace('"', "");
        if !output.status.success() || said.is_empty() {
            let message = format!("the script does not name a release ({})", output.status);
            return Err(Diagnostic::error("release", message).file(&script).into());
        }
        // Before 6.3 the script left the version itself out.
        let version = self.kernel_version();
        Ok(if said.starts_with(&version) { said } else { format!("{version}{said}") })
    }
}

/// What the files `localversion*` at the top of the tree add.
fn local_version_files(tree: &Path) -> Result<String, Failure> {
    let entries = fs::read_dir(tree).map_err(|error| Failure::io("read", tree, &error))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("localversion") && !name.contains('~'))
        .collect();
    names.sort();
    let mut all = String::new();
    for name in names {
        all.push_str(optional(&tree.join(name))?.trim_end_matches('\n'));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKEFILE: &str =
        "# SPDX\nVERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 300\nEXTRAVERSION =-rc1\nNAME = x\n";

    #[test]
    fn a_sublevel_above_255_is_capped_in_the_code_only() {
        let header = Version::parse(MAKEFILE).unwrap().header();
        assert!(header.starts_with("#define LINUX_VERSION_CODE 393727\n"), "{header}");
        assert!(header.ends_with("#define LINUX_VERSION_SUBLEVEL 300\n"), "{header}");
    }

    #[test]
    fn older_trees_say_less_about_their_version() {
        let makefile = |recipe: &str| {
            format!("{MAKEFILE}define filechk_version.h\n\t{recipe}\nendef\n# 255\n")
        };
        let header = |recipe| Version::parse(&makefile(recipe)).unwrap().header();
        assert_eq!(
            header("echo '(c)'"),
            "#define LINUX_VERSION_CODE 393772\n\
             #define KERNEL_VERSION(a,b,c) (((a) << 16) + ((b) << 8) + (c))\n"
        );
        assert_eq!(
            header("echo '((c) > 255 ? 255 : (c))'"),
            "#define LINUX_VERSION_CODE 393727\n\
             #define KERNEL_VERSION(a,b,c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))\n"
        );
    }

    #[test]
    fn local_versions_stand_in_the_order_of_make() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("localversion-b"), "-b\n").unwrap();
        fs::write(tree.path().join("localversion-a"), "-a\n").unwrap();
        fs::write(tree.path().join("localversion~"), "-no\n").unwrap();
        let config = Config::from_autoconf(b"#define CONFIG_LOCALVERSION \"-c\"\n");
        let version = Version::parse(MAKEFILE).unwrap();
        let header = version.release_header(tree.path(), &config, Some("-l")).unwrap();
        assert_eq!(header, "#define UTS_RELEASE \"6.1.300-rc1-a-b-c-l\"\n");
    }

    #[test]
    fn a_release_that_does_not_fit_is_refused() {
        let tree = tempfile::tempdir().unwrap();
        let version = Version::parse(MAKEFILE).unwrap();
        let long = "x".repeat(60);
        let failure = version.release_header(tree.path(), &Config::default(), Some(&long));
        assert!(failure.unwrap_err().to_string().contains("longer than 64 bytes"));
    }

    #[test]
    fn a_makefile_of_something_else_is_told_apart() {
        assert_eq!(Version::parse("all:\n\tcc x.c\n"), None);
        assert_eq!(Version::parse("VERSION = x\nPATCHLEVEL = 1\n"), None);
    }
}
