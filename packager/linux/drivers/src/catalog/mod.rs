//! The catalog: every option under `drivers/` that an architecture sources, what kind of thing it
//! is, and what it builds.
//!
//! | step | from | to |
//! |---|---|---|
//! | [`Catalog::of`] | the tree's Kconfig files and Makefiles | all entries |
//! | [`servers`] | the `driver.toml` files of the workspace | the same for our own driver servers |
//! | [`Filter`] | what was asked for | the entries to show |
//! | [`Catalog::driver`] | what a user typed | the one driver that is meant, or why there is none |
//! | [`show`] | entries | table, tab-separated values, JSON |

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

mod choose;
mod collect;
pub mod servers;
pub mod show;

pub use choose::Filter;
pub use collect::drivers_folder;

/// What an option is to somebody who looks for a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A user can choose it, and it has objects of its own.
    Driver,
    /// A user can choose it; it only opens a folder, as the options of makers do.
    Gate,
    /// A user can choose it; it only adds objects to modules of other options, or modules to
    /// drivers of other options.
    Member,
    /// No user can choose it: others select it, or it follows from them.
    Helper,
    /// A user can choose it; no Makefile names it, it only changes what code does.
    Option,
}

impl Kind {
    /// All kinds with what they are called and what that means, in a few words each.
    pub const ALL: [(Kind, &'static str, &'static str); 5] = [
        (Kind::Driver, "driver", "has objects of its own"),
        (Kind::Gate, "gate", "only opens a folder with drivers"),
        (Kind::Member, "member", "only adds objects to drivers of other options"),
        (Kind::Helper, "helper", "cannot be chosen, others select it"),
        (Kind::Option, "option", "builds nothing, only changes what code does"),
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// What that means.
    pub fn meaning(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., meaning)| meaning)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A module (`.ko` file, or the same built in) with the objects that it has in any case.
///
/// Of an option of the kind [`Kind::Member`]: a module of another option, with the objects that
/// this one adds; or a whole one, if it is built only with this one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CatalogModule {
    /// Its name without `.ko`, as the Makefile writes it.
    pub name: String,
    /// The folder whose Makefile lists it, relative to the tree.
    pub directory: String,
    /// Its objects, relative to the tree, in the order in which they are linked.
    pub objects: Vec<String>,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name without `CONFIG_`.
    pub symbol: String,
    /// The first folder under `drivers/` of the file that defines it.
    pub subsystem: String,
    /// `tristate`, `bool`, `int`, `hex` or `string`.
    #[serde(rename = "type")]
    pub symbol_type: &'static str,
    /// The text that configuration programs show; empty for a [`Kind::Helper`].
    pub prompt: String,
    /// The file that defines it, relative to the tree.
    pub kconfig: String,
    /// The line of the definition.
    pub line: u32,
    /// Its dependencies with those of everything that encloses it, in Kconfig's own notation;
    /// empty if there are none.
    pub depends_on: String,
    /// What it is.
    pub kind: Kind,
    /// What it builds.
    pub modules: Vec<CatalogModule>,
    /// Its value under the configuration that was asked for; not there if none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether configuration programs show it under that configuration, and up to which value it
    /// can be set: `n` (hidden), `m` or `y`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visible: Option<&'static str>,
    /// The help text, to search in.
    #[serde(skip)]
    pub help: String,
}

/// Everything under `drivers/` that an architecture sources, sorted by subsystem and symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The architecture, as the kernel's build calls it; empty for our own driver servers.
    pub arch: String,
    /// The version of the kernel; empty for our own driver servers.
    pub version: String,
    /// What users can choose outside of `drivers/`: in `sound/`, `net/`, `crypto/` and so on. It is
    /// in no subsystem, so it is not listed; it is known so that a search can say where it is.
    pub elsewhere: Vec<Elsewhere>,
}

/// An option with a prompt that is defined outside of `drivers/` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The symbol, without `CONFIG_`.
    pub symbol: String,
    /// Its prompt.
    pub prompt: String,
    /// The file that defines it, relative to the tree.
    pub kconfig: String,
    /// The line of the definition.
    pub line: u32,
}

impl Catalog {
    /// The number of drivers.
    pub fn drivers(&self) -> usize {
        self.entries.iter().filter(|entry| entry.kind == Kind::Driver).count()
    }

    /// The subsystems that have drivers, with the number of them.
    pub fn subsystems(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.kind == Kind::Driver) {
            *counts.entry(entry.subsystem.as_str()).or_default() += 1;
        }
        counts
    }
}
