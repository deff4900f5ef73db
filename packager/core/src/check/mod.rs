//! Checking what is there already: a `driver.toml`, a program, a package.

use std::collections::BTreeSet;
use std::path::Path;

use crate::elf::{self, Expect, Program};
use crate::manifest::{self, Class, Manifest};
use crate::package::{self, Binary, Input, Tree};
use crate::target::Target;
use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure, Report};

mod modlist;

/// The way out for a package that is not complete.
const AGAIN: &str = "build the package again: packager build <the driver's folder>";

/// What was checked.
#[derive(Debug)]
pub struct Checked {
    /// What it was.
    pub kind: CheckedKind,
    /// The programs in it, with their target and file.
    pub programs: Vec<(String, String, Program)>,
    /// Warnings.
    pub report: Report,
}

/// What a path turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckedKind {
    /// A package, as `build` makes it.
    Package,
    /// A program.
    Program,
    /// A `driver.toml` or the folder with one.
    Manifest,
}

/// Checks whatever `path` is.
///
/// # Errors
///
/// [`Failure`] with everything that is wrong.
pub fn check(path: &Path) -> Result<Checked, Failure> {
    if path.is_dir() {
        if path.join("Control").is_file() {
            return check_package(path);
        }
        return check_manifest(&path.join(manifest::FILE));
    }
    if path.extension().is_some_and(|extension| extension == "toml") {
        return check_manifest(path);
    }
    let bytes =
        input::read(path, input::PROGRAM).map_err(|error| Failure::io("read", path, &error))?;
    let target = elf::target_of(&bytes).map_err(|diagnostic| {
        let help = "`check` takes a package's folder, a program (ELF), or a driver.toml";
        let diagnostic = diagnostic.file(path);
        if diagnostic.help.is_some() { diagnostic } else { diagnostic.help(help) }
    })?;
    // Nothing says whether it is a driver or has C code: only what holds for every program.
    let expect = Expect { target: &target, drvinfo: false, c_code: true };
    let mut report = Report::new();
    let (program, findings) = elf::verify(&bytes, &expect);
    report.extend_about(path, findings);
    let Some(program) = program else { return Err(Failure(report)) };
    let programs = vec![(target.name.clone(), path.display().to_string(), program)];
    Ok(Checked { kind: CheckedKind::Program, programs, report })
}

fn check_manifest(path: &Path) -> Result<Checked, Failure> {
    let (manifest, mut report) = Manifest::load(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    if let Some(c) = &manifest.c {
        let missing = |file: &Path, what| {
            let message = format!("no such {what}; [c] in driver.toml names it");
            Diagnostic::error("no-source", message).file(file)
        };
        let sources = c.sources.iter().map(|path| folder.join(path));
        report.extend(sources.filter(|path| !path.is_file()).map(|path| missing(&path, "file")));
        let include = c.include.iter().map(|path| folder.join(path));
        report.extend(include.filter(|path| !path.is_dir()).map(|path| missing(&path, "folder")));
    }
    let ((), report) = report.into_result(())?;
    Ok(Checked { kind: CheckedKind::Manifest, programs: Vec::new(), report })
}

/// A package must be what the packager would make of its parts today, except for the example system,
/// which is there to be changed.
fn check_package(folder: &Path) -> Result<Checked, Failure> {
    let loaded = Package::load(folder)?;
    let mut report = loaded.report.clone();
    let expected = package::emit(&loaded.input()).map_err(|failure| about(folder, failure))?;
    compare(folder, &loaded.tree, &expected, &mut report);
    let list = format!("assets/modlist/{}.modules", loaded.manifest.driver.name);
    if let Some(entry) = loaded.tree.get(&list) {
        let text = String::from_utf8_lossy(&entry.bytes);
        report.extend_about(&folder.join(&list), modlist::check(&text, &loaded.program));
    }
    let ((), report) = report.into_result(())?;
    let programs = loaded.programs;
    Ok(Checked { kind: CheckedKind::Package, programs, report })
}

fn about(folder: &Path, failure: Failure) -> Failure {
    let mut report = Report::new();
    report.extend_about(folder, failure.0);
    Failure(report)
}

fn compare(folder: &Path, found: &Tree, expected: &Tree, report: &mut Report) {
    let again = "build the package again";
    for (path, entry) in expected.iter() {
        let file = folder.join(path);
        let finding = match found.get(path) {
            None => Diagnostic::error("package-missing", "is missing").help(again),
            Some(there) if there.executable != entry.executable => {
                Diagnostic::error("package-mode", "has the wrong mode").help(again)
            }
            Some(there) if there.bytes == entry.bytes => continue,
            Some(_) if path.starts_with("assets/") && !path.ends_with("Makefile") => {
                let message = "was changed by hand; building the package again overwrites it";
                Diagnostic::warning("package-edited", message)
                    .help("copy the example to your own package before you change it")
            }
            Some(_) => {
                let message = "does not fit the program and driver.toml of the package";
                Diagnostic::error("package-differs", message).help(again)
            }
        };
        report.push(finding.file(&file));
    }
    for (path, _) in found.iter().filter(|(path, _)| expected.get(path).is_none()) {
        let message = "does not belong to the package; building it again deletes the file";
        report.push(Diagnostic::warning("package-stray", message).file(&folder.join(path)));
    }
}

/// A package read back, its programs checked.
#[derive(Debug)]
pub struct Package {
    /// Its `driver.toml`.
    pub manifest: Manifest,
    /// File name of the program.
    pub program: String,
    /// The program for each target.
    pub binaries: Vec<Binary>,
    manifest_text: String,
    tree: Tree,
    programs: Vec<(String, String, Program)>,
    report: Report,
}

impl Package {
    /// Reads the package in `folder` and checks manifest and programs.
    ///
    /// # Errors
    ///
    /// [`Failure`] with everything that is wrong with them.
    pub fn load(folder: &Path) -> Result<Self, Failure> {
        let tree = Tree::read(folder)?;
        let file = folder.join(manifest::FILE);
        let (manifest, mut report) = Manifest::load(&file)?;
        let manifest_text = input::read_text(&file, input::TEXT)
            .map_err(|error| Failure::io("read", &file, &error))?;
        let program = program_name(folder, &manifest, &tree)?;
        let mut binaries = Vec::new();
        let mut programs = Vec::new();
        for name in &manifest.targets {
            let target = Target::named(name)?;
            let path = package::binary_path(&target, &program);
            let Some(entry) = tree.get(&path) else {
                let message = format!("is missing; driver.toml names the target {name}");
                let diagnostic = Diagnostic::error("package-missing", message);
                report.push(diagnostic.file(&folder.join(&path)).help(AGAIN));
                continue;
            };
            let expect = Expect {
                target: &target,
                drvinfo: manifest.driver.class != Class::Test,
                c_code: manifest.c.is_some(),
            };
            let (checked, findings) = elf::verify(&entry.bytes, &expect);
            report.extend_about(&folder.join(&path), findings);
            if let Some(checked) = checked {
                let info = checked.info.clone();
                binaries.push(Binary { target: target.clone(), bytes: entry.bytes.clone(), info });
                programs.push((name.clone(), path, checked));
            }
        }
        let ((), report) = report.into_result(())?;
        Ok(Self { manifest, program, binaries, manifest_text, tree, programs, report })
    }

    /// What it was made of.
    pub fn input(&self) -> Input<'_> {
        Input {
            manifest: &self.manifest,
            manifest_text: &self.manifest_text,
            program: &self.program,
            binaries: &self.binaries,
        }
    }
}

/// The file name that the programs for all targets share.
fn program_name(folder: &Path, manifest: &Manifest, tree: &Tree) -> Result<String, Failure> {
    let names: BTreeSet<&str> = tree
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("server/prebuilt/")?.split_once('/'))
        .map(|(_, name)| name)
        .collect();
    let mut names = names.into_iter();
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name.into()),
        (None, _) => {
            let target = manifest.targets.first().map(|name| Target::named(name)).transpose()?;
            let program = manifest.driver.program.as_deref().unwrap_or("<program>");
            let path = target.map(|target| package::binary_path(&target, program));
            let message = "packaging error: the program is missing";
            let diagnostic = Diagnostic::error("package-missing", message);
            Err(diagnostic.file(&folder.join(path.unwrap_or_default())).help(AGAIN).into())
        }
        (Some(one), Some(other)) => {
            let message = format!("several programs below server/prebuilt: {one}, {other}");
            Err(Diagnostic::error("package", message).file(folder).into())
        }
    }
}
