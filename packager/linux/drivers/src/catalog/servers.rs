//! The project's own driver servers in the form of the catalog.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use l4re_files::input;

use super::{Catalog, CatalogModule, Entry, Kind};
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::manifest::{self, Class, Manifest};

impl Catalog {
    /// The driver servers in `drivers/` of the workspace around a folder.
    ///
    /// `symbol` is the name of the package, `subsystem` its class, `prompt` its description,
    /// `kconfig` and `line` its `[driver]` in `driver.toml`, the one module its program; `type`,
    /// `depends_on` and `objects` are empty.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no such workspace, or with the mistakes in a `driver.toml`.
    pub fn of_workspace(folder: &Path) -> Result<(Self, Report), Failure> {
        let root = workspace(folder)?;
        let drivers = root.join("drivers");
        let failed = |error| Failure::io("read", &drivers, &error);
        let mut entries = Vec::new();
        let mut report = Report::new();
        let mut mistakes = Report::new();
        for item in fs::read_dir(&drivers).map_err(failed)? {
            let item = item.map_err(failed)?;
            let path = item.path().join(manifest::FILE);
            if !path.is_file() {
                continue;
            }
            let directory = format!("drivers/{}", item.file_name().to_string_lossy());
            match Manifest::load(&path) {
                Ok((manifest, warnings)) => {
                    report.extend(warnings);
                    entries.extend(entry(manifest, &path, directory));
                }
                Err(Failure(found)) => mistakes.extend(found),
            }
        }
        entries.sort_by(|a: &Entry, b| (&a.subsystem, &a.symbol).cmp(&(&b.subsystem, &b.symbol)));
        mistakes.into_result(())?;
        Ok((Self { entries, ..Self::default() }, report))
    }
}

/// The nearest folder upwards with a workspace and drivers in it.
///
/// # Errors
///
/// [`Failure`] if there is none.
pub fn workspace(folder: &Path) -> Result<PathBuf, Failure> {
    let full = folder.canonicalize().map_err(|error| Failure::io("read", folder, &error))?;
    let found = full.ancestors().find(|folder| {
        let manifest =
            input::read_text(&folder.join("Cargo.toml"), input::TEXT).unwrap_or_default();
        let workspace = manifest.lines().any(|line| line.trim() == "[workspace]");
        workspace && folder.join("drivers").is_dir()
    });
    found.map(Path::to_path_buf).ok_or_else(|| {
        let message = "no workspace with driver servers here or above: no Cargo.toml with \
                       [workspace] beside a folder drivers/";
        let help = "change into the workspace, or name a Linux tree with --linux-src DIR";
        Diagnostic::error("no-workspace", message).file(folder).help(help).into()
    })
}

/// The entry for a driver server; none for a program that is only a test.
fn entry(manifest: Manifest, path: &Path, directory: String) -> Option<Entry> {
    if manifest.driver.class == Class::Test {
        return None;
    }
    let text = input::read_text(path, input::TEXT).unwrap_or_default();
    let line = text.lines().position(|line| line.trim() == "[driver]").unwrap_or(0);
    let driver = manifest.driver;
    let program = driver.program.unwrap_or_else(|| driver.name.clone());
    Some(Entry {
        symbol: driver.name,
        subsystem: driver.class.name().into(),
        symbol_type: "",
        prompt: driver.description,
        kconfig: format!("{directory}/{}", manifest::FILE),
        line: u32::try_from(line + 1).unwrap_or(u32::MAX),
        depends_on: String::new(),
        kind: Kind::Driver,
        modules: vec![CatalogModule { name: program, directory, objects: Vec::new() }],
        value: None,
        visible: None,
        help: String::new(),
    })
}

/// The folder that a command runs in.
///
/// # Errors
///
/// [`Failure`] if it is gone.
pub fn here() -> Result<PathBuf, Failure> {
    env::current_dir().map_err(|error| Failure::io("read", Path::new("."), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_servers_are_listed_from_anywhere_inside_the_workspace() {
        let inside = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (catalog, _) = Catalog::of_workspace(&inside).unwrap();
        let block = catalog.driver("virtio-blk", Some("block")).unwrap();
        assert_eq!(block.kconfig, "drivers/blk/driver.toml");
        assert_eq!(block.modules[0].name, "virtio-blk-drv");
        assert!(block.line > 1);
    }

    #[test]
    fn outside_of_a_workspace_the_way_out_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let text = Catalog::of_workspace(dir.path()).unwrap_err().to_string();
        assert!(text.contains("--linux-src DIR"), "{text}");
    }
}
