//! The configurations that `make` offers: `allnoconfig`, `defconfig` and their kin.

use std::collections::BTreeSet;
use std::path::Path;

use l4re_packager_base::{Diagnostic, Failure, Report};

use super::Config;
use super::eval::{Eval, State};
use crate::dialect::Choices;
use crate::environment::Environment;
use crate::model::{SymbolKind, Tristate};
use crate::source::Source;

/// A configuration that needs no `.config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// `make allnoconfig`: everything off that can be.
    AllNo,
    /// `make allyesconfig`: everything on that can be.
    AllYes,
    /// `make allmodconfig`: everything a module that can be, else on.
    AllModules,
    /// `make alldefconfig`: everything as the Kconfig files have it.
    AllDefaults,
    /// `make defconfig`: as the architecture has it.
    Default,
    /// `make tinyconfig`: the smallest kernel.
    Tiny,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::AllNo, Self::AllYes, Self::AllModules, Self::AllDefaults, Self::Default, Self::Tiny];

    /// What `make` calls it.
    pub fn target(self) -> &'static str {
        match self {
            Self::AllNo => "allnoconfig",
            Self::AllYes => "allyesconfig",
            Self::AllModules => "allmodconfig",
            Self::AllDefaults => "alldefconfig",
            Self::Default => "defconfig",
            Self::Tiny => "tinyconfig",
        }
    }

    /// The preset that `make` calls `target`.
    pub fn from_target(target: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.target() == target)
    }
}

impl Config<'_> {
    /// Replaces what the user has said by a preset. `source` is where the tree's own `.config`
    /// fragments come from. Forced values stay.
    ///
    /// Returns what is doubtful about the lines of those fragments.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the tree lacks the fragment that the preset is made of.
    pub fn preset(&mut self, preset: Preset, source: &dyn Source) -> Result<Report, Failure> {
        self.reset();
        match preset {
            Preset::AllNo => self.eval(|eval| eval.say_to_all(Some(Tristate::No))),
            Preset::AllYes => self.eval(|eval| eval.say_to_all(Some(Tristate::Yes))),
            Preset::AllModules => self.eval(|eval| eval.say_to_all(Some(Tristate::Mod))),
            Preset::AllDefaults => self.eval(|eval| eval.say_to_all(None)),
            Preset::Default => {
                let name = default_file(self.kconfig.environment(), source);
                let text = fragment(source, &name)?;
                let report = self.read(&text, Path::new(&name));
                self.eval(|eval| eval.say_to_all(None));
                return Ok(report);
            }
            Preset::Tiny => return self.tiny(source),
        }
        Ok(Report::new())
    }

    /// Forgets all that the user has said; forced values stay.
    pub fn reset(&mut self) {
        let fresh = State::new(self.kconfig);
        let old = self.state.replace(fresh);
        self.state.borrow_mut().forced = old.forced;
        self.eval(|eval| eval.invalidate());
    }

    /// As the tree's rules make it: `allnoconfig` with one fragment, then others merged into it.
    fn tiny(&mut self, source: &dyn Source) -> Result<Report, Failure> {
        let base = "kernel/configs/tiny-base.config";
        let mut report = match source.read(base) {
            Ok(_) => self.read_lines(&fragment(source, base)?, Path::new(base)),
            // Trees before Linux 4 have none.
            Err(_) => Report::new(),
        };
        self.eval(|eval| eval.say_to_all(Some(Tristate::No)));
        let srcarch = self.kconfig.environment().get("SRCARCH").unwrap_or_default().to_owned();
        let mut text = self.dot_config();
        let own = format!("arch/{srcarch}/configs/tiny.config");
        text = merge(&text, &fragment(source, "kernel/configs/tiny.config")?);
        if source.read(&own).is_ok() {
            text = merge(&text, &fragment(source, &own)?);
        }
        self.reset();
        report.extend(self.read(&text, Path::new("tinyconfig")));
        Ok(report)
    }
}

/// A `.config` with the lines of `fragment` in place of those about the same symbols, as the
/// tree's `merge_config.sh` does it.
fn merge(base: &str, fragment: &str) -> String {
    let names: BTreeSet<&str> = fragment
        .lines()
        .filter_map(|line| {
            let unset = line.strip_prefix("# ").and_then(|rest| rest.strip_suffix(" is not set"));
            let name = unset.or_else(|| line.split_once('=').map(|(name, _)| name))?;
            name.starts_with("CONFIG_").then_some(name)
        })
        .collect();
    let about = |line: &str| {
        let rest = line.strip_prefix("# ").unwrap_or(line);
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        names.contains(&rest[..end])
    };
    let kept = base.lines().filter(|line| !about(line));
    kept.chain(fragment.lines()).flat_map(|line| [line, "\n"]).collect()
}

fn fragment(source: &dyn Source, name: &str) -> Result<String, Failure> {
    let bytes = source.read(name).map_err(|error| {
        let what = format!("cannot read the tree's \"{name}\": {error}");
        let help = "is the tree complete? Name a .config file instead if it has no such preset";
        Diagnostic::error("kconfig-preset", what).file(Path::new(name)).help(help)
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The file behind `make defconfig`: what the architecture's Makefile names.
fn default_file(environment: &Environment, source: &dyn Source) -> String {
    let variable = |name| environment.get(name).unwrap_or_default();
    let (arch, srcarch) = (variable("ARCH"), variable("SRCARCH"));
    let folder = format!("arch/{srcarch}/configs");
    if let Some(name) = environment.get("KBUILD_DEFCONFIG") {
        return format!("{folder}/{name}");
    }
    let makefile = source.read(&format!("arch/{srcarch}/Makefile")).unwrap_or_default();
    let makefile = String::from_utf8_lossy(&makefile);
    // The Makefile chooses by conditionals on ARCH; a file named after ARCH is what they lead to.
    let named = makefile.lines().filter_map(|line| {
        let value = line.trim().strip_prefix("KBUILD_DEFCONFIG")?.trim_start();
        let value = value.trim_start_matches([':', '?']).strip_prefix('=')?.trim();
        let name = value.replace("$(ARCH)", arch).replace("$(SUBARCH)", variable("SUBARCH"));
        let exists = source.read(&format!("{folder}/{name}")).is_ok();
        exists.then_some(name)
    });
    let named: Vec<String> = named.collect();
    let own = named.iter().find(|name| name.strip_prefix(arch).is_some_and(|n| n.starts_with('_')));
    let bits = if arch.ends_with("64") { "64" } else { "32" };
    let width = named.iter().find(|name| name.contains(bits));
    let name = own.or(width).or(named.first()).map_or("defconfig", String::as_str);
    format!("{folder}/{name}")
}

impl Eval<'_> {
    /// Gives all symbols that the user has said nothing about the same answer, or lets them have
    /// their defaults.
    pub(super) fn say_to_all(&mut self, answer: Option<Tristate>) {
        match self.kconfig.dialect().choices {
            Choices::Valued => self.say_to_all_valued(answer),
            Choices::Exclusive => {
                self.say_to_all_exclusive(answer);
                self.invalidate();
            }
        }
    }

    fn say_to_all_exclusive(&mut self, answer: Option<Tristate>) {
        let Some(answer) = answer else { return };
        for menu in self.kconfig.walk() {
            let menu = self.kconfig.menu(menu);
            let Some(symbol) = menu.symbol.filter(|_| menu.prompt.is_some()) else { continue };
            let own = self.kconfig.symbol(symbol);
            let user = &mut self.slot_mut(symbol).user;
            let free = own.kind == SymbolKind::Named && own.choice.is_none();
            if free && own.symbol_type.is_logic() && !user.set {
                (user.set, user.value) = (true, answer);
            }
        }
    }

    fn say_to_all_valued(&mut self, answer: Option<Tristate>) {
        let kconfig = self.kconfig;
        if let Some(answer) = answer {
            for symbol in &kconfig.order {
                let own = kconfig.symbol(*symbol);
                let user = &mut self.slot_mut(*symbol).user;
                if own.symbol_type.is_logic() && !user.set {
                    let stays = answer == Tristate::No && own.allnoconfig_y;
                    let answer = if stays { Tristate::Yes } else { answer };
                    (user.set, user.value) = (true, answer);
                }
            }
        }
        self.invalidate();
        for symbol in &kconfig.order {
            let own = kconfig.symbol(*symbol);
            let open = own.kind == SymbolKind::Choice && !self.slot(*symbol).user.set;
            self.slot_mut(*symbol).spread |= open || own.choice.is_some();
        }
        for choice in &kconfig.order {
            let open = !self.slot(*choice).user.set;
            if kconfig.symbol(*choice).kind == SymbolKind::Choice && open {
                self.calculate(*choice);
                self.spread(*choice);
            }
        }
    }
}
