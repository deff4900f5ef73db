//! Where the values of `CONFIG_…` and of the variables of the top Makefile come from.

use std::collections::{BTreeMap, HashMap};

/// A configuration, as make sees it.
pub trait Lookup {
    /// The value of a symbol (its name without `CONFIG_`), written as in `include/config/auto.conf`:
    /// `y`, `m`, a number, or a string as the tree's version writes it there. `None` is what is off.
    fn get(&self, name: &str) -> Option<&str>;
}

impl Lookup for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<&str> {
        BTreeMap::get(self, name).map(String::as_str)
    }
}

impl Lookup for HashMap<String, String> {
    fn get(&self, name: &str) -> Option<&str> {
        HashMap::get(self, name).map(String::as_str)
    }
}

/// The text of `include/config/auto.conf` or of a `.config`.
#[derive(Debug, Clone, Default)]
pub struct AutoConf(HashMap<String, String>);

impl AutoConf {
    /// Reads lines `CONFIG_NAME=value`; everything else, which is comments, is skipped. `n`, which
    /// some hand-written files contain, is the same as not being there.
    pub fn parse(text: &str) -> Self {
        let assignments = text.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
            (value != "n").then(|| (name.to_owned(), value.to_owned()))
        });
        Self(assignments.collect())
    }
}

impl Lookup for AutoConf {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// The variables that the top Makefile and the architecture's Makefile export to every directory:
/// `KBUILD_CFLAGS`, `KBUILD_CPPFLAGS`, `KBUILD_AFLAGS`, `CC_FLAGS_FTRACE`, `CFLAGS_KASAN`, …
///
/// Without them flags come out as what a directory adds and the patterns it removes, which is
/// enough for flags that Makefiles write down. They are needed where a Makefile removes the *value*
/// of such a variable (`CFLAGS_REMOVE_x.o = $(CC_FLAGS_FTRACE)`).
#[derive(Debug, Clone, Default)]
pub struct Globals(BTreeMap<String, String>);

impl Globals {
    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Globals {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
