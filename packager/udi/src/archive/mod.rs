//! The package file: a tree of files in a POSIX archive.
//!
//! ```text
//! udi-pkg.1/<driver>/<alternate>/<component>/
//!     bin/<abi>/<module>    programs, with the properties attached to the primary one
//!     src/…                 udiprops.txt and what it names as source
//!     msg/…                 files with messages
//!     extra/…               files that are packaged as they are
//! ```
//!
//! An archive may come from anybody. What is read is plain data with checked names; nothing is
//! written anywhere before all of it was read.

use std::collections::BTreeMap;
use std::fmt;

use l4re_packager_base::Diagnostic;

mod headers;
mod read;
mod write;

pub use read::Limits;

/// Top folder of this version of the layout.
pub const TOP: &str = "udi-pkg.1";

/// Ending of the file's name.
pub const ENDING: &str = "udi";

/// A file in a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it may be executed.
    pub executable: bool,
}

/// Where a part of a package belongs: driver, alternate, component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// By default the short name.
    pub driver: String,
    /// By default the number of the release.
    pub alternate: String,
    /// By default the first module.
    pub component: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.driver, self.alternate, self.component)
    }
}

/// The files of one component by their path: `bin/<abi>/<module>`, `src/…`, `msg/…`, `extra/…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Component {
    files: BTreeMap<String, File>,
    names: Names,
}

impl Component {
    /// Adds a file.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if the path is not one that a component may have, or is taken.
    pub fn add(&mut self, path: &str, file: File) -> Result<(), Diagnostic> {
        let parts: Vec<&str> = path.split('/').collect();
        let error = |reason: &str| {
            let message = format!("`{}` {reason}", shown(path));
            Err(Diagnostic::error("udi-path", message))
        };
        if path.len() > PATH_MAX {
            return error("is a path of more than 500 characters");
        }
        if let Some(reason) = parts.iter().find_map(|part| bad_name(part)) {
            return error(reason);
        }
        let depth_fits = match parts.as_slice() {
            ["bin", _, _] | ["msg" | "extra", _] => true,
            ["src", rest @ ..] => !rest.is_empty(),
            _ => false,
        };
        if !depth_fits {
            return error("is no file of a component: bin/<abi>/<module>, src/, msg/ or extra/");
        }
        if self.files.contains_key(path) {
            return error("is there twice");
        }
        self.names.fit(path).or_else(|reason| error(&reason))?;
        self.is_free(path).or_else(error)?;
        self.names.add(path);
        self.files.insert(path.into(), file);
        Ok(())
    }

    /// A file in the place of a folder would make extracting fail half-way.
    fn is_free(&self, path: &str) -> Result<(), &'static str> {
        let below = format!("{path}/");
        let next = self.files.range(below.clone()..).next();
        let above = |folder: &str| self.files.contains_key(folder);
        if next.is_some_and(|(known, _)| known.starts_with(&below)) || prefixes(path).any(above) {
            return Err("is a file and a folder");
        }
        Ok(())
    }

    /// The files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The file of that path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// The files below a folder, by their path in it.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a File)> {
        let inside = move |path: &'a str| path.strip_prefix(folder)?.strip_prefix('/');
        self.files().filter_map(move |(path, file)| Some((inside(path)?, file)))
    }

    /// The names of the processor bindings for which there are modules.
    pub fn abis(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .below("bin")
            .filter_map(|(path, _)| path.split_once('/'))
            .map(|(abi, _)| abi)
            .collect();
        names.dedup();
        names
    }

    /// Whether it can be built from source.
    pub fn has_source(&self) -> bool {
        self.get(&format!("src/{}", crate::props::FILE)).is_some()
    }

    /// The same without the modules, or without the source.
    #[must_use]
    pub fn without(&self, folder: &str) -> Self {
        let inside = format!("{folder}/");
        let others = self.files.iter().filter(|(path, _)| !path.starts_with(&inside));
        let files: BTreeMap<_, _> =
            others.map(|(path, file)| (path.clone(), file.clone())).collect();
        let mut names = Names::default();
        files.keys().for_each(|path| names.add(path));
        Self { files, names }
    }
}

/// A package: its components by their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    components: BTreeMap<Place, Component>,
    names: Names,
}

impl Package {
    /// Adds a component or replaces the one in its place.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if the place has a name that cannot be a folder's.
    pub fn put(&mut self, place: Place, component: Component) -> Result<(), Diagnostic> {
        for part in [&place.driver, &place.alternate, &place.component] {
            if let Some(reason) = bad_name(part) {
                let message = format!("`{}` {reason}", shown(part));
                return Err(Diagnostic::error("udi-path", message));
            }
        }
        let path = place.to_string();
        self.names.fit(&path).map_err(|reason| {
            Diagnostic::error("udi-path", format!("`{}` {reason}", shown(&path)))
        })?;
        self.names.add(&path);
        self.components.insert(place, component);
        Ok(())
    }

    /// The components, sorted by their places.
    pub fn components(&self) -> impl Iterator<Item = (&Place, &Component)> {
        self.components.iter()
    }

    /// The component in a place.
    pub fn get(&self, place: &Place) -> Option<&Component> {
        self.components.get(place)
    }
}

/// Longest name of a file or folder, in bytes.
const NAME_MAX: usize = 100;

/// Longest path of a file below its component, in bytes: with the names above it 4096 are enough.
const PATH_MAX: usize = 500;

/// Characters of a name that a message shows.
const SHOWN_MAX: usize = 120;

/// A name that anybody made, for a message: cut off, without what disturbs a terminal.
fn shown(name: &str) -> String {
    let mut text: String = name.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if name.chars().nth(SHOWN_MAX).is_some() {
        text.push('…');
    }
    text
}

/// A path and the folders above it.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(end, _)| path.get(..end)).chain([path])
}

/// Paths and the folders above them, in lower case and as they are: there are file systems on which
/// names that differ only in case are one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn fit(&self, path: &str) -> Result<(), String> {
        for part in prefixes(path) {
            let known = self.0.get(&part.to_ascii_lowercase());
            if let Some(known) = known.filter(|known| *known != part) {
                return Err(format!("differs from `{known}` only in upper and lower case"));
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str) {
        for part in prefixes(path) {
            self.0.entry(part.to_ascii_lowercase()).or_insert_with(|| part.into());
        }
    }
}

/// Why a word cannot be the name of a file or folder in a package.
fn bad_name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-+".contains(c);
    if name == "." || name == ".." {
        Some("would leave its folder")
    } else if name.is_empty() {
        Some("has a part without a name")
    } else if name.len() > NAME_MAX {
        Some("has a part of more than 100 characters")
    } else if !name.chars().all(plain) {
        Some("has other characters than letters, digits and _ . - +")
    } else {
        None
    }
}
