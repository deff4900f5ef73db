//! The Linux trees: those in the folders that `L4RE_LINUX_TREES` names, of any version; without it
//! Debian's `linux-source-*` packages, unpacked once into the cache.

use std::fs;
use std::path::{Path, PathBuf};

use l4re_programs::Program;

use crate::{Error, cache, run};

/// The versions that are looked for in packages; each is tested if it is here.
pub const VERSIONS: [&str; 2] = ["6.1", "6.12"];

/// What no test needs: two thirds of the tree, most of it headers of one graphics driver.
const LEFT_OUT: [&str; 6] = [
    "drivers/gpu/drm/amd/include/asic_reg",
    "tools/perf",
    "tools/testing",
    "Documentation/devicetree",
    "Documentation/translations",
    "arch/arm/boot/dts",
];

/// A Linux tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Version, as `6.1`.
    pub version: String,
    /// What its folders in the cache are called: the version, or the tree's own folder's name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

impl Tree {
    /// The tree in a folder, if there is one: it has a `Kconfig`, and a `Makefile` that says which
    /// version it is.
    pub fn at(path: &Path) -> Option<Self> {
        if !path.join("Kconfig").is_file() {
            return None;
        }
        let (major, minor) = numbers(&fs::read_to_string(path.join("Makefile")).ok()?)?;
        let folder = path.file_name()?.to_string_lossy();
        Some(Self {
            version: format!("{major}.{minor}"),
            name: folder.strip_prefix("linux-source-").unwrap_or(&folder).to_owned(),
            path: path.into(),
        })
    }

    /// The tree of that version: one in `L4RE_LINUX_TREES`, or unpacked from the package's archive
    /// in `/usr/src`.
    ///
    /// # Errors
    ///
    /// [`Error::NoTree`] if there is neither, and what unpacking has to say.
    pub fn get(version: &str) -> Result<Self, Error> {
        match named().into_iter().flatten().find(|tree| tree.version == version) {
            Some(tree) => Ok(tree),
            None => Self::packaged(version),
        }
    }

    fn packaged(version: &str) -> Result<Self, Error> {
        let package = format!("linux-source-{version}");
        let archive = PathBuf::from(format!("/usr/src/{package}.tar.xz"));
        let Ok(meta) = archive.metadata() else {
            return Err(Error::NoTree { version: version.into(), package });
        };
        let key = format!("{} {:?} {LEFT_OUT:?}", meta.len(), meta.modified().ok());
        let folder = cache::folder(&package, &key, |folder| unpack(&archive, folder))?;
        Ok(Self { version: version.into(), name: version.into(), path: folder.join(&package) })
    }

    /// All trees that are here, oldest first.
    ///
    /// # Errors
    ///
    /// What unpacking has to say, and [`Error::NoTree`] if there is none at all: the tests must not
    /// pass because there was nothing to test.
    pub fn all() -> Result<Vec<Self>, Error> {
        let named = named().unwrap_or_default();
        if !named.is_empty() {
            return Ok(named);
        }
        let mut trees = Vec::new();
        let mut missing = None;
        for version in VERSIONS {
            match Self::packaged(version) {
                Ok(tree) => trees.push(tree),
                Err(error @ Error::NoTree { .. }) => missing = Some(error),
                Err(error) => return Err(error),
            }
        }
        match missing {
            Some(error) if trees.is_empty() => Err(error),
            _ => Ok(trees),
        }
    }

    /// Whether this is Linux `major.minor` or later.
    pub fn since(&self, major: u32, minor: u32) -> bool {
        numbers_of(&self.version) >= Some((major, minor))
    }
}

/// The trees in `L4RE_LINUX_TREES`, oldest first: each of its folders, separated by `:`, is a tree or
/// holds some.
fn named() -> Option<Vec<Tree>> {
    let folders = std::env::var_os("L4RE_LINUX_TREES").filter(|value| !value.is_empty())?;
    let mut trees: Vec<Tree> =
        std::env::split_paths(&folders).flat_map(|path| trees_of(&path)).collect();
    trees.sort_by_key(|tree| (numbers_of(&tree.version), tree.name.clone()));
    Some(trees)
}

/// The tree in a folder, or those directly below it.
fn trees_of(folder: &Path) -> Vec<Tree> {
    if let Some(tree) = Tree::at(folder) {
        return vec![tree];
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Tree::at(&entry.path())).collect()
}

/// `VERSION` and `PATCHLEVEL` of a kernel's `Makefile`.
fn numbers(makefile: &str) -> Option<(u32, u32)> {
    let value = |name: &str| {
        let mut lines = makefile.lines().take(10);
        let value = lines.find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
        value?.trim().parse().ok()
    };
    Some((value("VERSION")?, value("PATCHLEVEL")?))
}

fn numbers_of(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn unpack(archive: &Path, folder: &Path) -> Result<(), Error> {
    let mut tar = Program::declared("tar").command();
    tar.arg("-C").arg(folder);
    for path in LEFT_OUT {
        // The Makefiles and Kconfig files stay: they are part of the catalog.
        tar.arg(format!("--exclude=*/{path}/*.[chS]")).arg(format!("--exclude=*/{path}/*.yaml"));
        tar.arg(format!("--exclude=*/{path}/*.rst")).arg(format!("--exclude=*/{path}/*.dts*"));
    }
    run::output(tar.arg("-xf").arg(archive)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_known_by_its_makefile_whatever_its_folder_is_called() {
        let base = tempfile::tempdir().unwrap();
        let makefile = "# SPDX\nVERSION = 7\nPATCHLEVEL = 1\nSUBLEVEL = 5\nEXTRAVERSION =\n";
        for (folder, makefile) in
            [("vendor", makefile), ("linux-source-5.15", "VERSION=5\nPATCHLEVEL=15\n"), ("o", "")]
        {
            let path = base.path().join(folder);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("Makefile"), makefile).unwrap();
            fs::write(path.join("Kconfig"), "").unwrap();
        }
        let mut found = trees_of(base.path());
        found.sort_by_key(|tree| numbers_of(&tree.version));
        let names: Vec<_> = found.iter().map(|tree| (&*tree.version, &*tree.name)).collect();
        assert_eq!(names, [("5.15", "5.15"), ("7.1", "vendor")]);
        assert_eq!(trees_of(&base.path().join("vendor")).len(), 1);
        assert!(found[1].since(7, 1) && found[1].since(6, 19) && !found[0].since(6, 1));
    }
}
