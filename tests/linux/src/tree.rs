//! The Linux trees: Debian's `linux-source-*` packages, unpacked once into the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, cache, run};

/// The versions that the tests know; each is tested if it is here.
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
    /// Where it is.
    pub path: PathBuf,
}

impl Tree {
    /// The tree of that version: `$L4RE_LINUX_TREES/linux-source-<version>`, or unpacked from the
    /// package's archive in `/usr/src`.
    ///
    /// # Errors
    ///
    /// [`Error::NoTree`] if there is neither, and what unpacking has to say.
    pub fn get(version: &str) -> Result<Self, Error> {
        let package = format!("linux-source-{version}");
        let here = std::env::var_os("L4RE_LINUX_TREES").map(|base| Path::new(&base).join(&package));
        if let Some(path) = here.filter(|path| path.is_dir()) {
            return Ok(Self { version: version.into(), path });
        }
        let archive = PathBuf::from(format!("/usr/src/{package}.tar.xz"));
        let Ok(meta) = archive.metadata() else {
            return Err(Error::NoTree { version: version.into(), package });
        };
        let key = format!("{} {:?} {LEFT_OUT:?}", meta.len(), meta.modified().ok());
        let folder = cache::folder(&package, &key, |folder| unpack(&archive, folder))?;
        Ok(Self { version: version.into(), path: folder.join(&package) })
    }

    /// All trees that are here.
    ///
    /// # Errors
    ///
    /// What unpacking has to say, and [`Error::NoTree`] if there is none at all: the tests must not
    /// pass because there was nothing to test.
    pub fn all() -> Result<Vec<Self>, Error> {
        let mut trees = Vec::new();
        let mut missing = None;
        for version in VERSIONS {
            match Self::get(version) {
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
}

fn unpack(archive: &Path, folder: &Path) -> Result<(), Error> {
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(folder);
    for path in LEFT_OUT {
        // The Makefiles and Kconfig files stay: they are part of the catalog.
        tar.arg(format!("--exclude=*/{path}/*.[chS]")).arg(format!("--exclude=*/{path}/*.yaml"));
        tar.arg(format!("--exclude=*/{path}/*.rst")).arg(format!("--exclude=*/{path}/*.dts*"));
    }
    run::output(tar.arg("-xf").arg(archive)).map(drop)
}
