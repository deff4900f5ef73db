//! A Linux source tree: whether a folder is one, its version, and its architectures.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure, Report, nearest};

/// What every kernel since 2.6.16 has; a folder without one of these is no kernel tree.
const LANDMARKS: [&str; 4] = ["Makefile", "Kconfig", "scripts/Kbuild.include", "drivers/Kconfig"];

/// The oldest kernel whose files this is written for.
const OLDEST: (u32, u32) = (4, 19);

/// The architecture that is meant when none is named.
pub const DEFAULT_ARCH: &str = "arm64";

/// Largest top Makefile that is read, in bytes; the real one has 70 thousand.
const MAKEFILE_MAX: u64 = 4 << 20;

/// A folder that is a Linux source tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    root: PathBuf,
    version: Version,
    architectures: Vec<String>,
}

/// The version that the top Makefile states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// `VERSION`.
    pub version: u32,
    /// `PATCHLEVEL`.
    pub patchlevel: u32,
    /// `SUBLEVEL`.
    pub sublevel: u32,
    /// `EXTRAVERSION`, for example `-rc3`.
    pub extra: String,
}

impl fmt::Display for Version {
    /// The text that the kernel's build calls `KERNELVERSION`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, patchlevel, sublevel, extra } = self;
        write!(f, "{version}.{patchlevel}.{sublevel}{extra}")
    }
}

/// An architecture that a tree has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Architecture {
    /// What the kernel's build calls `ARCH`: `x86_64`, `arm64`.
    pub name: String,
    /// What it calls `SRCARCH`, the folder below `arch/`: `x86`, `arm64`.
    pub source: String,
}

impl Tree {
    /// Looks whether `path` is a kernel tree. Nothing is ever written below it.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the folder cannot be read or is none, with what was looked for.
    pub fn open(path: &Path) -> Result<(Self, Report), Failure> {
        let meta = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if !meta.is_dir() {
            let error = Diagnostic::error("no-tree", "this is a file, not a folder").file(path);
            return Err(error.help(unpack(path)).into());
        }
        let root = path.canonicalize().map_err(|error| unreadable(path, &error))?;
        let mut missing = Vec::new();
        for landmark in LANDMARKS {
            match fs::metadata(root.join(landmark)) {
                Ok(meta) if meta.is_file() => {}
                Ok(_) => missing.push(landmark),
                Err(error) if is_absence(&error) => missing.push(landmark),
                Err(error) => return Err(unreadable(&root.join(landmark), &error)),
            }
        }
        if !missing.is_empty() {
            return Err(not_a_tree(path, &root, &missing));
        }
        let version = read_version(&root.join("Makefile"))?;
        let architectures = list_architectures(&root)?;
        let mut report = Report::new();
        if (version.version, version.patchlevel) < OLDEST {
            let message = format!("Linux {version} is older than 4.19, the oldest that was tested");
            report.push(Diagnostic::warning("old-tree", message).file(path));
        }
        Ok((Self { root, version, architectures }, report))
    }

    /// The folder, absolute, without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The version of the kernel.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The folders below `arch/` that have a Kconfig file, sorted.
    pub fn architectures(&self) -> &[String] {
        &self.architectures
    }

    /// The architecture of that name, [`DEFAULT_ARCH`] if none is given. Names are those that the
    /// kernel's own build takes as `ARCH=`, and those that `uname -m` prints.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the tree does not have it, with those that it has.
    pub fn architecture(&self, name: Option<&str>) -> Result<Architecture, Failure> {
        let wanted = name.unwrap_or(DEFAULT_ARCH);
        let name = kernel_name(wanted);
        let source = source_name(name);
        if self.architectures.iter().any(|known| known == source) {
            return Ok(Architecture { name: name.into(), source: source.into() });
        }
        let message = format!("this tree has no architecture `{wanted}`");
        let mut help = format!("it has: {}", self.architectures.join(", "));
        if let Some(near) = nearest(wanted, self.architectures.iter().map(String::as_str)) {
            help = format!("did you mean `{near}`? {help}");
        }
        Err(Diagnostic::error("no-arch", message).file(&self.root).help(help).into())
    }
}

/// The kernel's `ARCH` for a name that may be one of `uname -m`; names that it knows are its own.
fn kernel_name(name: &str) -> &str {
    match name {
        "aarch64" | "aarch64_be" => "arm64",
        "i486" | "i586" | "i686" => "i386",
        "amd64" => "x86_64",
        "armhf" | "armv6l" | "armv7l" | "armv8l" => "arm",
        "ppc" | "ppc64" | "ppc64le" => "powerpc",
        "riscv32" | "riscv64" => "riscv",
        "loongarch64" => "loongarch",
        "mips64" | "mipsel" | "mips64el" => "mips",
        "s390x" => "s390",
        other => other,
    }
}

/// The folder below `arch/` for an `ARCH`, where they differ.
fn source_name(arch: &str) -> &str {
    match arch {
        "i386" | "x86_64" => "x86",
        "sparc32" | "sparc64" => "sparc",
        "parisc64" => "parisc",
        other => other,
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    if is_absence(error) {
        let help = "name the folder of an unpacked Linux source tree: --linux-src DIR, \
                    or LINUX_SRC= in driver.conf";
        return Diagnostic::error("no-tree", "no such folder").file(path).help(help).into();
    }
    Failure::io("read", path, error)
}

fn unpack(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.contains(".tar") {
        format!("unpack it: tar xf {}; then name the folder that appears", path.display())
    } else {
        "name the folder of an unpacked Linux source tree".into()
    }
}

/// The message for a folder without the landmarks, with the tree that is near, if there is one.
fn not_a_tree(path: &Path, root: &Path, missing: &[&str]) -> Failure {
    let message = format!(
        "this is no Linux source tree: {} {} missing",
        missing.join(", "),
        if missing.len() == 1 { "is" } else { "are" }
    );
    let complete = |folder: &Path| LANDMARKS.iter().all(|mark| folder.join(mark).is_file());
    let above = root.ancestors().skip(1).find(|folder| complete(folder));
    let mut below: Vec<PathBuf> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .take(1000)
        .map(|entry| entry.path())
        .filter(|folder| complete(folder))
        .collect();
    below.sort();
    let help = match (above, below.first()) {
        (_, Some(below)) => format!("did you mean {}?", below.display()),
        (Some(above), None) => format!("did you mean {}?", above.display()),
        (None, None) => {
            format!("name the folder with {} of an unpacked tree", LANDMARKS.join(", "))
        }
    };
    Diagnostic::error("no-tree", message).file(path).help(help).into()
}

/// Reads the four assignments at the top of the Makefile.
fn read_version(path: &Path) -> Result<Version, Failure> {
    let failed = |error: io::Error| Failure::io("read", path, &error);
    let bytes = input::read(path, MAKEFILE_MAX).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    let find = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == wanted).then(|| value.split('#').next().unwrap_or(value).trim())
        })
    };
    let number = |wanted: &str| {
        find(wanted).and_then(|value| value.parse().ok()).ok_or_else(|| {
            let message = format!("no line `{wanted} = <number>`: not the Makefile of a kernel");
            let help =
                "an output folder of the kernel's build has a Makefile too; name the sources";
            Failure::from(Diagnostic::error("no-version", message).file(path).help(help))
        })
    };
    let extra: String = find("EXTRAVERSION").unwrap_or_default().chars().take(64).collect();
    let extra = extra.replace(char::is_control, "");
    Ok(Version {
        version: number("VERSION")?,
        patchlevel: number("PATCHLEVEL")?,
        sublevel: find("SUBLEVEL").and_then(|value| value.parse().ok()).unwrap_or(0),
        extra,
    })
}

fn list_architectures(root: &Path) -> Result<Vec<String>, Failure> {
    let folder = root.join("arch");
    let entries = fs::read_dir(&folder).map_err(|error| Failure::io("read", &folder, &error))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Failure::io("read", &folder, &error))?;
        if let Ok(name) = entry.file_name().into_string()
            && entry.path().join("Kconfig").is_file()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with the least that is one.
    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for landmark in LANDMARKS.iter().chain(&["arch/arm64/Kconfig", "arch/x86/Kconfig"]) {
            let path = dir.path().join(landmark);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        makefile(&dir, "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 3 # three\nEXTRAVERSION = -rc1\n");
        dir
    }

    fn makefile(dir: &tempfile::TempDir, text: &str) {
        fs::write(dir.path().join("Makefile"), text).unwrap();
    }

    /// The only message, without the folder's changing name.
    fn refusal(path: &Path, dir: &tempfile::TempDir) -> String {
        let failure = Tree::open(path).unwrap_err().to_string();
        let root = dir.path().canonicalize().unwrap();
        failure.replace(&root.display().to_string(), "DIR")
    }

    #[test]
    fn a_tree_tells_version_and_architectures() {
        let dir = tree();
        let (tree, report) = Tree::open(dir.path()).unwrap();
        assert_eq!(tree.version().to_string(), "6.12.3-rc1");
        assert_eq!(tree.architectures(), ["arm64", "x86"]);
        assert_eq!(report.iter().count(), 0);
    }

    #[test]
    fn architectures_have_the_names_of_the_kernel_and_of_uname() {
        let dir = tree();
        let (tree, _) = Tree::open(dir.path()).unwrap();
        let names = |name| {
            let found = tree.architecture(name).unwrap();
            (found.name, found.source)
        };
        assert_eq!(names(None), ("arm64".into(), "arm64".into()));
        assert_eq!(names(Some("aarch64")), ("arm64".into(), "arm64".into()));
        assert_eq!(names(Some("x86_64")), ("x86_64".into(), "x86".into()));
        assert_eq!(names(Some("i686")), ("i386".into(), "x86".into()));
        let root = dir.path().canonicalize().unwrap();
        assert_eq!(
            tree.architecture(Some("amr64")).unwrap_err().to_string(),
            format!(
                "{}: error: this tree has no architecture `amr64`\n  \
                 help: did you mean `arm64`? it has: arm64, x86",
                root.display()
            )
        );
    }

    #[test]
    fn what_is_no_tree_is_said_with_what_is_missing() {
        let dir = tree();
        fs::remove_file(dir.path().join("Kconfig")).unwrap();
        fs::remove_file(dir.path().join("drivers/Kconfig")).unwrap();
        assert_eq!(
            refusal(&dir.path().canonicalize().unwrap(), &dir),
            "DIR: error: this is no Linux source tree: Kconfig, drivers/Kconfig are missing\n  \
             help: name the folder with Makefile, Kconfig, scripts/Kbuild.include, \
             drivers/Kconfig of an unpacked tree"
        );
    }

    #[test]
    fn the_tree_nearby_is_named() {
        let dir = tree();
        let root = dir.path().canonicalize().unwrap();
        let inside = refusal(&root.join("drivers"), &dir);
        assert!(inside.ends_with("help: did you mean DIR?"), "{inside}");
        let above = tempfile::tempdir().unwrap();
        fs::rename(&root, above.path().join("linux-6.12")).unwrap();
        let outside = Tree::open(above.path()).unwrap_err().to_string();
        assert!(outside.ends_with("linux-6.12?"), "{outside}");
    }

    #[test]
    fn files_absent_folders_and_loops_are_told_apart() {
        let dir = tree();
        let root = dir.path().canonicalize().unwrap();
        assert_eq!(
            refusal(&root.join("nowhere"), &dir),
            "DIR/nowhere: error: no such folder\n  help: name the folder of an unpacked Linux \
             source tree: --linux-src DIR, or LINUX_SRC= in driver.conf"
        );
        fs::write(root.join("linux-6.1.tar.xz"), "").unwrap();
        assert_eq!(
            refusal(&root.join("linux-6.1.tar.xz"), &dir)
                .replace(&root.display().to_string(), "DIR"),
            "DIR/linux-6.1.tar.xz: error: this is a file, not a folder\n  \
             help: unpack it: tar xf DIR/linux-6.1.tar.xz; then name the folder that appears"
        );
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        let text = refusal(&root.join("loop"), &dir);
        assert!(text.starts_with("DIR/loop: error: cannot read: Too many levels"), "{text}");
        fs::remove_file(root.join("Kconfig")).unwrap();
        std::os::unix::fs::symlink("Kconfig", root.join("Kconfig")).unwrap();
        let text = refusal(&root, &dir);
        assert!(text.starts_with("DIR/Kconfig: error: cannot read: Too many levels"), "{text}");
    }

    #[test]
    fn a_makefile_without_version_is_of_no_kernel() {
        let dir = tree();
        makefile(&dir, "VERSION = six\nPATCHLEVEL = 1\n");
        let text = refusal(dir.path(), &dir);
        assert!(text.contains("no line `VERSION = <number>`"), "{text}");
        makefile(&dir, "\u{0}\u{1}");
        assert!(Tree::open(dir.path()).is_err());
    }

    #[test]
    fn an_old_tree_is_used_with_a_warning() {
        let dir = tree();
        makefile(&dir, "VERSION = 4\nPATCHLEVEL = 18\n");
        let (tree, report) = Tree::open(dir.path()).unwrap();
        assert_eq!(tree.version().to_string(), "4.18.0");
        let text = report.iter().next().unwrap().to_string();
        assert!(text.contains("Linux 4.18.0 is older than 4.19"), "{text}");
    }
}
