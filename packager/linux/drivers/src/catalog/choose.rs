//! Which entries are meant.

use std::fmt;

use super::{Catalog, Elsewhere, Entry, Kind};
use l4re_packager_base::{Diagnostic, Failure, near, nearest, plain};

/// Most places that a message lists.
const PLACES_MAX: usize = 8;

/// Most names that a message proposes.
const NAMES_MAX: usize = 3;

/// Which entries to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Every kind, not only drivers.
    pub all: bool,
    /// Only this subsystem.
    pub subsystem: Option<String>,
    /// Only entries with this word in symbol, prompt, help or the names of modules, in any case.
    pub search: Option<String>,
}

impl Catalog {
    /// The entries to show, in the catalog's order.
    ///
    /// # Errors
    ///
    /// [`Failure`] for a subsystem that does not exist, with the nearest.
    pub fn select(&self, filter: &Filter) -> Result<Vec<&Entry>, Failure> {
        if let Some(subsystem) = &filter.subsystem {
            self.check_subsystem(subsystem)?;
        }
        let word = filter.search.as_ref().map(|word| word.to_lowercase());
        let shown = |entry: &&Entry| {
            (filter.all || entry.kind == Kind::Driver)
                && filter.subsystem.as_ref().is_none_or(|name| *name == entry.subsystem)
                && word.as_ref().is_none_or(|word| entry.mentions(word))
        };
        Ok(self.entries.iter().filter(shown).collect())
    }

    /// Refuses a subsystem that does not exist.
    ///
    /// # Errors
    ///
    /// [`Failure`] with the nearest ones, and how to see all.
    pub fn check_subsystem(&self, name: &str) -> Result<(), Failure> {
        if self.entries.iter().any(|entry| entry.subsystem == name) {
            return Ok(());
        }
        let known: Vec<&str> = self.subsystems().into_keys().collect();
        let mut meant = near(&name.to_lowercase(), known.iter().copied());
        if meant.is_empty() && name.len() > 1 {
            meant = known.iter().copied().filter(|known| known.contains(name)).collect();
        }
        meant.truncate(NAMES_MAX);
        let meant: Vec<String> = meant.into_iter().map(|name| format!("`{name}`")).collect();
        let all = "`packager list --subsystems` shows all".to_owned();
        let help = match meant.as_slice() {
            [] => all,
            _ => format!("did you mean {}? {all}", meant.join(" or ")),
        };
        let message = format!("there is no subsystem `{name}`");
        Err(Diagnostic::error("no-subsystem", message).help(help).into())
    }

    /// The driver that a user means: a symbol in any case, with or without `CONFIG_`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no such symbol (with the nearest), if it is no driver (with what it
    /// is, and what to take instead), and if several subsystems define it and none is named.
    pub fn driver(&self, name: &str, subsystem: Option<&str>) -> Result<&Entry, Failure> {
        if let Some(subsystem) = subsystem {
            self.check_subsystem(subsystem)?;
        }
        let all = self.named(name);
        let inside = |entry: &&&Entry| subsystem.is_none_or(|wanted| wanted == entry.subsystem);
        let found: Vec<&Entry> = all.iter().filter(inside).copied().collect();
        match found.as_slice() {
            [] if all.is_empty() => Err(self.unknown(name, subsystem)),
            [] => {
                let message =
                    format!("{} is not in {}", all[0].symbol, subsystem.unwrap_or_default());
                let help = format!("it is in {}", places(&all));
                Err(Diagnostic::error("no-driver", message).help(help).into())
            }
            [only] if only.kind == Kind::Driver => Ok(only),
            [only, ..] if only.kind != Kind::Driver => Err(self.no_driver(only)),
            [first, ..] => {
                let message = format!("several subsystems define {}", first.symbol);
                let help = format!("say which with --subsystem: {}", places(&found));
                Err(Diagnostic::error("ambiguous", message).help(help).into())
            }
        }
    }

    /// The entries of that symbol, in any case, with or without `CONFIG_`. A symbol that matches
    /// exactly hides those that differ in case.
    pub fn named(&self, name: &str) -> Vec<&Entry> {
        let name = name.strip_prefix("CONFIG_").unwrap_or(name);
        let exact: Vec<&Entry> = self.entries.iter().filter(|entry| entry.symbol == name).collect();
        if !exact.is_empty() {
            return exact;
        }
        self.entries.iter().filter(|entry| entry.symbol.eq_ignore_ascii_case(name)).collect()
    }

    /// Options outside of `drivers/` with a word in symbol or prompt, in any case, as a list for
    /// people; empty if there are none.
    pub fn elsewhere(&self, word: &str) -> String {
        let word = word.to_lowercase();
        let mentions = |text: &str| text.to_lowercase().contains(&word);
        let found = self.elsewhere.iter();
        let found = found.filter(|option| mentions(&option.symbol) || mentions(&option.prompt));
        let mut texts: Vec<String> = found.map(Elsewhere::to_string).collect();
        if texts.len() > PLACES_MAX {
            let more = texts.len() - PLACES_MAX;
            texts.truncate(PLACES_MAX);
            texts.push(format!("{more} more"));
        }
        texts.join(", ")
    }

    fn unknown(&self, name: &str, subsystem: Option<&str>) -> Failure {
        let upper = name.strip_prefix("CONFIG_").unwrap_or(name).to_uppercase();
        let outside = self.elsewhere.iter().find(|option| option.symbol == upper);
        if let Some(option) = outside {
            let Elsewhere { symbol, kconfig, line, .. } = option;
            let message = format!("{symbol} is defined outside of drivers/, so it is not listed");
            let help = format!(
                "it stands in {kconfig}:{line}; `packager extract --driver {symbol}` takes it if \
                 it builds anything"
            );
            return Diagnostic::error("no-driver", message).help(help).into();
        }
        let drivers = || {
            let inside = |entry: &&Entry| subsystem.is_none_or(|wanted| wanted == entry.subsystem);
            let drivers = self.entries.iter().filter(|entry| entry.kind == Kind::Driver);
            drivers.filter(inside).map(|entry| entry.symbol.as_str())
        };
        let arch = if self.arch.is_empty() { "" } else { " for " };
        let message = format!("there is no driver `{name}`{arch}{}", self.arch);
        let error = Diagnostic::error("no-driver", message);
        let parts: Vec<&str> = drivers()
            .filter(|symbol| upper.len() > 2 && symbol.contains(&upper))
            .take(PLACES_MAX)
            .collect();
        match nearest(&upper, drivers()) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None if !parts.is_empty() => error.help(format!("there are {}", parts.join(", "))),
            None => error.help("`packager list --search WORD` looks in symbols and descriptions"),
        }
        .into()
    }

    /// Says what an entry is that is no driver, and what to take instead.
    fn no_driver(&self, entry: &Entry) -> Failure {
        let Entry { symbol, kind, kconfig, line, .. } = entry;
        let message = format!("{symbol} is no driver: {kind}, {}", kind.meaning());
        let error = Diagnostic::error("no-driver", message);
        let instead = self.instead(entry);
        let help = if instead.is_empty() {
            format!("it is defined at {kconfig}:{line}; `packager list` shows the drivers")
        } else {
            format!("take one of these: {}", instead.join(", "))
        };
        error.help(help).into()
    }

    /// Drivers to take instead of what is none: for a member those whose modules it adds to, for
    /// all others those that depend on it.
    fn instead(&self, entry: &Entry) -> Vec<&str> {
        let shares = |driver: &Entry| {
            let same = |module: &super::CatalogModule| {
                let own = entry.modules.iter();
                own.clone().any(|m| m.name == module.name && m.directory == module.directory)
            };
            driver.modules.iter().any(same)
        };
        let depends = |driver: &Entry| {
            let words = driver.depends_on.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            words.clone().any(|word| word == entry.symbol)
        };
        let good = |driver: &&Entry| {
            driver.kind == Kind::Driver
                && if entry.kind == Kind::Member { shares(driver) } else { depends(driver) }
        };
        let drivers = self.entries.iter().filter(good);
        drivers.map(|driver| driver.symbol.as_str()).take(PLACES_MAX).collect()
    }
}

impl Entry {
    /// Whether a word in lower case occurs in symbol, prompt, help, or the name of a module.
    fn mentions(&self, word: &str) -> bool {
        let within = |text: &str| text.to_lowercase().contains(word);
        within(&self.symbol)
            || within(&self.prompt)
            || self.modules.iter().any(|module| within(&module.name))
            || within(&self.help)
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", plain(&self.symbol), plain(&self.kconfig), self.line)
    }
}

fn places(entries: &[&Entry]) -> String {
    let place = |entry: &&Entry| format!("{} ({}:{})", entry.subsystem, entry.kconfig, entry.line);
    entries.iter().take(PLACES_MAX).map(place).collect::<Vec<_>>().join(", ")
}
