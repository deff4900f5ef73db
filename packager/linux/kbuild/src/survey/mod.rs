//! What the Makefiles say about all symbols at once, whatever the configuration.
//!
//! One pass over every Makefile that can be reached from the root for one architecture. Values of
//! `CONFIG_…` stay symbolic; both branches of a conditional that depends on one are followed.

mod read;

use std::collections::BTreeMap;

use l4re_packager_base::Report;
use serde::Serialize;

pub use crate::make::symbolic::Condition;

/// A module that some configuration can build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SurveyedModule {
    /// Its name without `.o`.
    pub name: String,
    /// The directory whose Makefile lists it.
    pub directory: String,
    /// Where it is listed. Several symbols can list the same module.
    pub listings: Vec<Listing>,
    /// Whether it is linked from members.
    pub composite: bool,
    /// Paths of the objects that it always has; of one that is not composite, its own.
    pub objects: Vec<String>,
    /// Objects that depend on further symbols.
    pub conditional: Vec<ConditionalMember>,
}

/// A line that lists a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The Makefile, or a file included by it.
    pub makefile: String,
    /// The line there.
    pub line: u32,
    /// The symbols in its `obj-$(CONFIG_…)`; for `obj-y` those of the conditionals around it that
    /// must be on. Empty: listed whatever the configuration is.
    pub symbols: Vec<String>,
    /// Conditionals around the line, and what else its value depends on.
    pub conditions: Vec<Condition>,
}

/// A member of a composite that depends on symbols.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConditionalMember {
    /// Path of the object.
    pub object: String,
    /// The conditions: of its `x-$(CONFIG_…)` and of conditionals around it.
    pub conditions: Vec<Condition>,
}

/// A directory that a symbol opens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gate {
    /// The directory that is opened.
    pub directory: String,
    /// The Makefile that does it.
    pub makefile: String,
    /// The line there.
    pub line: u32,
}

/// All that the Makefiles say about one symbol. The numbers are indices into
/// [`Survey::all_modules`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Uses {
    /// Modules it turns on: `obj-$(CONFIG_X) += a.o`, or `obj-y += a.o` inside a conditional on it.
    pub modules: Vec<usize>,
    /// Modules of which it turns on members only.
    pub member_of: Vec<usize>,
    /// Modules that other symbols list, inside of conditionals that need it.
    pub condition_of: Vec<usize>,
    /// Directories it opens.
    pub gates: Vec<Gate>,
    /// Objects it adds to a `lib.a`.
    pub library: Vec<String>,
}

/// The result of reading all Makefiles.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Survey {
    modules: Vec<SurveyedModule>,
    symbols: BTreeMap<String, Uses>,
    makefiles: Vec<String>,
    report: Report,
}

impl Survey {
    /// Every module of the tree, in the order of the walk.
    pub fn all_modules(&self) -> &[SurveyedModule] {
        &self.modules
    }

    /// Every symbol that a Makefile mentions in a way that decides what is built.
    pub fn symbols(&self) -> impl Iterator<Item = (&str, &Uses)> {
        self.symbols.iter().map(|(name, uses)| (name.as_str(), uses))
    }

    /// What the Makefiles say about a symbol (name without `CONFIG_`).
    pub fn uses(&self, symbol: &str) -> Option<&Uses> {
        self.symbols.get(symbol)
    }

    /// The modules that a symbol turns on.
    pub fn modules(&self, symbol: &str) -> impl Iterator<Item = &SurveyedModule> {
        self.indexed(self.uses(symbol).map_or(&[][..], |uses| &uses.modules))
    }

    /// The modules that have members which depend on a symbol.
    pub fn member_of(&self, symbol: &str) -> impl Iterator<Item = &SurveyedModule> {
        self.indexed(self.uses(symbol).map_or(&[][..], |uses| &uses.member_of))
    }

    /// The modules that other symbols list only if this one is on.
    pub fn condition_of(&self, symbol: &str) -> impl Iterator<Item = &SurveyedModule> {
        self.indexed(self.uses(symbol).map_or(&[][..], |uses| &uses.condition_of))
    }

    /// The directories that a symbol opens.
    pub fn gates(&self, symbol: &str) -> &[Gate] {
        self.uses(symbol).map_or(&[], |uses| &uses.gates)
    }

    /// What was found on the way.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The Makefiles read, included files too.
    pub fn makefiles(&self) -> &[String] {
        &self.makefiles
    }

    fn indexed<'a>(&'a self, indices: &'a [usize]) -> impl Iterator<Item = &'a SurveyedModule> {
        indices.iter().filter_map(|index| self.modules.get(*index))
    }
}

impl SurveyedModule {
    /// All symbols that list it.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        let symbols = self.listings.iter().flat_map(|listing| listing.symbols.iter());
        symbols.map(String::as_str)
    }
}

impl ConditionalMember {
    /// Whether it is there because a symbol is on.
    pub fn depends_on(&self, symbol: &str) -> bool {
        let mut on = self.conditions.iter().filter(|condition| condition.holds);
        on.any(|condition| condition.symbols.iter().any(|known| known == symbol))
    }
}
