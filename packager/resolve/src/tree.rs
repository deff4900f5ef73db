//! The packages of an L4Re tree, in the order in which L4Re's build reads them.

use std::fs;
use std::path::{Path, PathBuf};

use l4re_files::input;

use super::control::{self, Field, Word};
use l4re_packager_base::{Diagnostic, Failure, Position, Report};

/// How far below `pkg` a package may lie.
const MAX_DEPTH: usize = 4;

/// A package, or an alias of some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its path below the folder of packages; an external one's folder; an alias' name.
    pub name: String,
    /// The file that describes it.
    pub file: PathBuf,
    /// What that file says.
    pub words: Vec<Word>,
    /// What it is.
    pub kind: Kind,
}

/// What stands behind the name of a [`Package`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A package that is built.
    Package,
    /// A package that a file `broken` or `obsolete` hides.
    Hidden,
    /// A line of `aliases.d`, another name for other packages' words.
    Alias,
}

impl Package {
    /// The words of a field.
    pub fn words(&self, field: Field) -> impl Iterator<Item = &Word> {
        self.words.iter().filter(move |word| word.field == field)
    }

    /// The name without the folders before it.
    pub fn short(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

/// Reads a tree, or a folder of packages, and then external packages: aliases first, then packages
/// sorted by their path, external ones last.
///
/// # Errors
///
/// [`Failure`] if something cannot be read or there is no package at all.
pub fn read(
    root: &Path,
    external: &[PathBuf],
    report: &mut Report,
) -> Result<Vec<Package>, Failure> {
    let mut finder = Finder::default();
    for folder in package_folders(root)? {
        finder.find(&folder, "", MAX_DEPTH)?;
    }
    finder.aliases(&root.join("mk/aliases.d"))?;
    finder.packages.sort();
    finder.packages.dedup();
    let mut packages = Vec::new();
    for (name, folder) in &finder.packages {
        packages.push(package(name.clone(), folder, report)?);
    }
    for folder in external {
        if !folder.join("Control").is_file() {
            let diagnostic = Diagnostic::error("no-control", "no Control: this is no package");
            return Err(diagnostic.file(folder).into());
        }
        packages.push(package(folder.display().to_string(), folder, report)?);
    }
    if packages.is_empty() {
        let diagnostic = Diagnostic::error("no-packages", "no package here").file(root);
        return Err(diagnostic.help("name the folder of an L4Re tree, the one with pkg/").into());
    }
    let mut all = finder.aliases;
    all.append(&mut packages);
    Ok(all)
}

/// `pkg`, `tests` and what starts with `l4linux` in a tree; the folder itself if it is none.
fn package_folders(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !root.join("pkg").is_dir() {
        return Ok(vec![root.into()]);
    }
    let mut folders = Vec::new();
    for name in names(root)? {
        let wanted = name == "pkg" || name == "tests" || name.starts_with("l4linux");
        let folder = root.join(&name);
        if wanted && folder.is_dir() {
            folders.push(folder);
        }
    }
    Ok(folders)
}

/// The names in a folder that are UTF-8, sorted.
fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error| Failure::io("read", folder, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

#[derive(Default)]
struct Finder {
    packages: Vec<(String, PathBuf)>,
    aliases: Vec<Package>,
}

impl Finder {
    /// Below a package there are no others. Links to folders are followed, so the depth is what
    /// ends a circle of them.
    fn find(&mut self, folder: &Path, name: &str, depth: usize) -> Result<(), Failure> {
        self.aliases(&folder.join("prj-config/aliases.d"))?;
        if !name.is_empty() && folder.join("Control").is_file() {
            self.packages.push((name.into(), folder.into()));
            return Ok(());
        }
        if depth == 0 {
            return Ok(());
        }
        for entry in names(folder)? {
            let path = folder.join(&entry);
            if entry != ".git" && entry != ".svn" && path.is_dir() {
                let name = if name.is_empty() { entry } else { format!("{name}/{entry}") };
                self.find(&path, &name, depth - 1)?;
            }
        }
        Ok(())
    }

    fn aliases(&mut self, folder: &Path) -> Result<(), Failure> {
        if !folder.is_dir() {
            return Ok(());
        }
        for name in names(folder)?.iter().filter(|name| !name.starts_with('.')) {
            let file = folder.join(name);
            if file.is_file() {
                let text = text(&file)?;
                self.aliases.extend(
                    text.lines()
                        .enumerate()
                        .filter_map(|(index, line)| alias(&file, index + 1, line)),
                );
            }
        }
        Ok(())
    }
}

/// `name := word word[condition]`.
fn alias(file: &Path, line_number: usize, line: &str) -> Option<Package> {
    let (name, _) = line.split_once('#').unwrap_or((line, "")).0.split_once('=')?;
    let name = name.trim().trim_end_matches(':').trim();
    let rest = line.split_once('#').unwrap_or((line, "")).0.split_once('=')?.1;
    // The words have the grammar of a field.
    let mut ignored = Report::new();
    let position = |column| Position::Text { line: line_number, column };
    let mut words = control::parse(file, &format!("requires: {rest}"), &mut ignored);
    for word in &mut words {
        word.position = position(1);
    }
    let provided =
        Word { field: Field::Provides, text: name.into(), condition: None, position: position(1) };
    words.push(provided);
    Some(Package { name: name.into(), file: file.into(), words, kind: Kind::Alias })
}

fn package(name: String, folder: &Path, report: &mut Report) -> Result<Package, Failure> {
    let file = folder.join("Control");
    let mut words = control::parse(&file, &text(&file)?, report);
    let local = folder.join("Control.local");
    if local.is_file() {
        words.extend(control::parse(&local, &text(&local)?, report));
    }
    let hidden = ["broken", "obsolete"].iter().any(|mark| folder.join(mark).exists());
    if !hidden && !folder.join("Makefile").is_file() {
        let message = "a package without Makefile: L4Re's build stops here";
        let diagnostic = Diagnostic::error("no-makefile", message).file(folder);
        report.push(diagnostic.help("add one, or hide the package with an empty file `broken`"));
    }
    let kind = if hidden { Kind::Hidden } else { Kind::Package };
    Ok(Package { name, file, words, kind })
}

fn text(file: &Path) -> Result<String, Failure> {
    let bytes =
        input::read(file, input::TEXT).map_err(|error| Failure::io("read", file, &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
