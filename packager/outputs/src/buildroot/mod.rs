//! Drivers as packages of Buildroot, in a tree that is used with `BR2_EXTERNAL=`.
//!
//! A driver becomes the package `l4drv-<name>`. Each word that it provides becomes a virtual package
//! of that name, which any of its providers implements; who requires the word depends on the virtual
//! package, never on a provider.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use sha2::{Digest, Sha256};

use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::check::Package;
use l4re_packager_core::package::Tree;

mod circle;
mod files;
mod read;

pub use read::read;

/// Name of the tree, in `external.desc` and in the variables that Buildroot makes of it.
pub const NAME: &str = "L4RE_DRIVERS";

/// File that every tree for `BR2_EXTERNAL` has.
pub const MARK: &str = "external.desc";

/// First part of the name of every package.
const PREFIX: &str = "l4drv-";

/// What a package is made of.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The driver.
    pub package: &'a Package,
    /// Name and text of its unit file.
    pub unit: (String, String),
    /// Name and content of the program for the machine that builds, if it has one.
    pub host: Option<(String, Vec<u8>)>,
    /// Names and texts of the licences.
    pub licences: Vec<(String, Vec<u8>)>,
}

/// A package of Buildroot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as Buildroot spells it.
    pub licence: String,
    /// What it is, for people: lines of at most 62 characters.
    pub help: Vec<String>,
    /// The architectures it is there for: Buildroot's symbol, and the folder with the program.
    pub architectures: BTreeMap<String, String>,
    /// Virtual packages that it implements.
    pub provides: BTreeSet<String>,
    /// Files with the text of the licence.
    pub licence_files: BTreeSet<String>,
    /// Virtual packages that it needs.
    pub requires: BTreeSet<String>,
    /// Packages that it needs, and no other provider of what they provide.
    pub needs: BTreeSet<String>,
    /// File name of the program.
    pub program: String,
    /// The folder it is installed in.
    pub folder: String,
    /// File name of the unit.
    pub unit: String,
    /// File name of the program for the machine that builds.
    pub host: Option<String>,
}

impl Recipe {
    fn of(input: &Input<'_>) -> Result<Self, Diagnostic> {
        let manifest = &input.package.manifest;
        let driver = &manifest.driver;
        let Some(folder) = driver.kind.folder() else {
            let message = format!(
                "{} is of the kind `init`: it starts before there is a root file system to install \
                 it in",
                driver.name
            );
            let help = "put it into the boot image instead";
            return Err(Diagnostic::error("init", message).help(help));
        };
        let mut architectures = BTreeMap::new();
        for binary in &input.package.binaries {
            let arch = &binary.target.l4re.arch;
            let Some(symbol) = symbol_of(arch) else {
                let message = format!("Buildroot's name of the architecture {arch} is not known");
                return Err(Diagnostic::error("architecture", message));
            };
            architectures.insert(symbol.into(), arch.clone());
        }
        let mut help = wrap(&sentence(&driver.description), 62);
        if let Some(page) = &driver.homepage {
            help.extend([String::new(), page.clone()]);
        }
        Ok(Self {
            name: format!("{PREFIX}{}", driver.name),
            version: driver.version.clone().unwrap_or_else(|| version_of(input)),
            licence: driver.licence.replace(" OR ", " or ").replace(" AND ", ", "),
            help,
            architectures,
            provides: driver.provides.iter().cloned().collect(),
            licence_files: input.licences.iter().map(|(name, _)| name.clone()).collect(),
            requires: driver.requires.iter().cloned().collect(),
            needs: BTreeSet::new(),
            program: input.package.program.clone(),
            folder: folder.into(),
            unit: input.unit.0.clone(),
            host: input.host.as_ref().map(|(name, _)| name.clone()),
        })
    }
}

/// Makes the tree for some drivers.
///
/// # Errors
///
/// [`Failure`] if two drivers or a driver and a virtual package have one name, if Buildroot has a
/// package of that name, if packages need each other in a circle, or if a driver cannot be a package
/// of Buildroot.
pub fn emit(inputs: &[Input<'_>]) -> Result<Tree, Failure> {
    let mut report = Report::new();
    let mut recipes: BTreeMap<String, Recipe> = BTreeMap::new();
    let mut tree = Tree::default();
    for input in inputs {
        let recipe = match Recipe::of(input) {
            Ok(recipe) => recipe,
            Err(diagnostic) => {
                report.push(diagnostic);
                continue;
            }
        };
        let name = recipe.name.clone();
        for binary in &input.package.binaries {
            let path = format!("dist/{name}/{}/{}", binary.target.l4re.arch, recipe.program);
            tree.program(&path, binary.bytes.clone());
        }
        tree.text(&format!("dist/{name}/{}", recipe.unit), input.unit.1.clone());
        if let Some((file, bytes)) = &input.host {
            tree.program(&format!("dist/{name}/host/{file}"), bytes.clone());
        }
        for (file, bytes) in &input.licences {
            tree.text(&format!("dist/{name}/{file}"), String::from_utf8_lossy(bytes).into_owned());
        }
        if recipes.insert(name.clone(), recipe).is_some() {
            let message = format!("two drivers would be the package {name}");
            report
                .push(Diagnostic::error("two-packages", message).help("give them different names"));
        }
    }
    let mut recipes: Vec<Recipe> = recipes.into_values().collect();
    specific(&mut recipes);
    report.extend(circle::find(&recipes));
    let ((), _) = names(&recipes, report).into_result(())?;
    files::write(&recipes, &mut tree);
    Ok(tree)
}

/// Makes words that stand for one provider a dependency on that package: nobody would select them.
fn specific(recipes: &mut [Recipe]) {
    let provided: BTreeSet<String> =
        recipes.iter().flat_map(|recipe| recipe.provides.iter().cloned()).collect();
    let packages: BTreeSet<String> = recipes.iter().map(|recipe| recipe.name.clone()).collect();
    for recipe in recipes {
        for word in std::mem::take(&mut recipe.requires) {
            let name = match word.starts_with(PREFIX) {
                true => word.clone(),
                false => format!("{PREFIX}{word}"),
            };
            let is_package = packages.contains(&name) || word.starts_with(PREFIX);
            if is_package && !provided.contains(&word) {
                recipe.needs.insert(name);
            } else {
                recipe.requires.insert(word);
            }
        }
    }
}

/// The names of Buildroot's own packages, as of August 2026.
const OWN: &str = include_str!("names.txt");

/// A virtual package and a real one share their symbols' name space.
fn names(recipes: &[Recipe], mut report: Report) -> Report {
    let symbols: BTreeMap<String, &str> =
        recipes.iter().map(|recipe| (upper(&recipe.name), recipe.name.as_str())).collect();
    for name in virtuals(recipes).keys() {
        if OWN.lines().any(|own| upper(own) == upper(name)) {
            let message = format!("Buildroot itself has the package {name}");
            let help = "choose another word for `provides` and `requires`";
            report.push(Diagnostic::error("own-package", message).help(help));
        }
        if let Some(other) = symbols.get(&upper(name)) {
            let message = format!("the virtual package {name} has the name of the package {other}");
            report.push(Diagnostic::error("two-packages", message).help("rename one of them"));
        }
    }
    report
}

/// The virtual packages, and whether some provider has a program for the machine that builds.
fn virtuals(recipes: &[Recipe]) -> BTreeMap<&str, bool> {
    let mut virtuals = BTreeMap::new();
    for recipe in recipes {
        for name in &recipe.requires {
            virtuals.entry(name.as_str()).or_insert(false);
        }
        for name in &recipe.provides {
            *virtuals.entry(name.as_str()).or_insert(false) |= recipe.host.is_some();
        }
    }
    virtuals
}

/// Buildroot's symbol for what L4Re calls an architecture.
fn symbol_of(arch: &str) -> Option<&'static str> {
    match arch {
        "arm64" => Some("BR2_aarch64"),
        "arm" => Some("BR2_arm"),
        "riscv" => Some("BR2_RISCV_64"),
        "amd64" => Some("BR2_x86_64"),
        _ => None,
    }
}

/// The name as part of a symbol or variable.
fn upper(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// What stands for a version if there is none: programs that differ get different folders to be
/// built in, so a new one is never taken for the old one.
fn version_of(input: &Input<'_>) -> String {
    let mut hash = Sha256::new();
    for binary in &input.package.binaries {
        hash.update(&binary.bytes);
    }
    hash.update(&input.unit.1);
    hash.update(input.host.as_ref().map_or(&[][..], |(_, bytes)| bytes));
    let mut version = String::from("0-");
    for byte in hash.finalize().iter().take(6) {
        let _ = write!(version, "{byte:02x}");
    }
    version
}

/// The text with a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.into() } else { format!("{text}.") }
}

/// The words in lines of at most `width` characters; a longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}
