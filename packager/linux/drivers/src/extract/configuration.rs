//! The configuration that a driver is extracted under: a base, and what the driver takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use l4re_files::input;
use l4re_kconfig::{Config, Kconfig, Preset, SymbolId, TreeSource};

use super::minimal::{Change, turn_on};
use crate::request::BaseConfig;
use crate::workspace;
use l4re_packager_base::{Failure, Report};

/// A base as the manifest names it.
pub fn kind(base: &BaseConfig) -> workspace::Base {
    match base {
        BaseConfig::Tiny => workspace::Base::Tiny,
        BaseConfig::Defconfig => workspace::Base::Defconfig,
        BaseConfig::Allmodconfig => workspace::Base::Allmodconfig,
        BaseConfig::File(_) => workspace::Base::File,
    }
}

/// A configuration with a driver on.
pub struct Configured<'k> {
    /// The configuration.
    pub config: Config<'k>,
    /// What was set on top of the base, and why.
    pub changes: Vec<Change>,
    /// The text of the base.
    base: BTreeMap<String, String>,
}

/// The base, with `driver` turned on.
///
/// # Errors
///
/// [`Failure`] if the base cannot be had, or if nothing turns the driver on.
pub fn configure<'k>(
    kconfig: &'k Kconfig,
    root: &Path,
    base: &BaseConfig,
    driver: SymbolId,
) -> Result<(Configured<'k>, Report), Failure> {
    let mut config = Config::new(kconfig)?;
    let source = TreeSource::new(root);
    let mut report = Report::new();
    // What is doubtful in a tree's own fragments is for those who maintain the tree.
    let _doubts = match base {
        BaseConfig::Tiny => {
            let doubts = config.preset(Preset::Tiny, &source)?;
            off_unless_said(&mut config);
            doubts
        }
        BaseConfig::Defconfig => config.preset(Preset::Default, &source)?,
        BaseConfig::Allmodconfig => config.preset(Preset::AllModules, &source)?,
        BaseConfig::File(path) => {
            let bytes = input::read(path, input::TEXT)
                .map_err(|error| Failure::io("read", path, &error))?;
            report = config.read(&String::from_utf8_lossy(&bytes), path);
            Report::new()
        }
    };
    let before = values(&config.dot_config());
    let changes = turn_on(&mut config, driver)?;
    Ok((Configured { config, changes, base: before }, report))
}

/// Turns off what the base says nothing about: a driver must not bring everything that is on by
/// default beside it. The members of a choice are left to the choice.
fn off_unless_said(config: &mut Config<'_>) {
    let kconfig = config.kconfig();
    let mut text = config.dot_config();
    for symbol in kconfig.options() {
        let definition = kconfig.symbol(symbol);
        let free = definition.symbol_type.is_logic() && definition.choice.is_none();
        if free && config.user_value(symbol).is_none() && !config.is_written(symbol) {
            // Writing to a string cannot fail.
            let _written = writeln!(text, "# CONFIG_{} is not set", definition.name);
        }
    }
    let _said_by_ourselves = config.read(&text, Path::new("tinyconfig"));
}

impl Configured<'_> {
    /// The values of a symbol before and now, as a `.config` has them; `n` if it is not there.
    pub fn values_of(&self, symbol: &str) -> (&str, String) {
        let before = self.base.get(symbol).map_or("n", String::as_str);
        let now = self.config.kconfig().find(symbol).map(|id| self.config.value(id).to_string());
        (before, now.unwrap_or_else(|| "n".into()))
    }

    /// The symbols whose value is not that of the base.
    pub fn difference(&self) -> BTreeMap<String, String> {
        let now = values(&self.config.dot_config());
        let gone = self.base.keys().filter(|symbol| !now.contains_key(*symbol));
        let mut all: BTreeMap<String, String> =
            gone.map(|symbol| (symbol.clone(), "n".to_owned())).collect();
        all.extend(now.into_iter().filter(|(symbol, value)| self.base.get(symbol) != Some(value)));
        all
    }
}

/// The assignments of a `.config`; what is off is left out.
fn values(text: &str) -> BTreeMap<String, String> {
    let assignments = text.lines().filter_map(|line| {
        let (symbol, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
        Some((symbol.to_owned(), value.to_owned()))
    });
    assignments.collect()
}
