//! The least configuration in which a driver is on: few settings, each with its reason.
//!
//! [`plan`] finds settings in the expressions; here they are tried on the real evaluator, which
//! has the last word, and those that turn out not to be needed are taken back.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use l4re_kconfig::{Config, ExprId, Kconfig, SymbolId, SymbolType, Tristate};

use l4re_packager_base::Failure;

mod folders;
mod plan;
mod unmet;

pub use folders::{nothing_built, open as open_folders};

use plan::{MinimalPlan, Planner, Setting, State, Why};

/// Plans that are tried one after the other; each begins where the one before has led to.
const ROUNDS: usize = 6;

impl State for Config<'_> {
    fn value(&self, symbol: SymbolId) -> Tristate {
        self.tristate(symbol)
    }

    fn expr(&self, expr: ExprId) -> Tristate {
        Config::expr(self, expr)
    }
}

/// A symbol that was set, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The symbol.
    pub symbol: String,
    /// Its value: `y`, `m` or `n`.
    pub value: &'static str,
    /// Why.
    pub reason: String,
    /// The Kconfig file and the line of the definition that the reason is about.
    pub place: Option<(String, u32)>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}: {}", self.symbol, self.value, self.reason)?;
        match &self.place {
            Some((file, line)) => write!(f, ", {file}:{line}"),
            None => Ok(()),
        }
    }
}

/// Sets in `config` what it takes for `driver` to be on: as a module where it can be one.
///
/// # Errors
///
/// [`Failure`] that says which dependency cannot be fulfilled, and where it stands. The
/// configuration is then as it was, but for what the user had not said of symbols that were tried.
pub fn turn_on(config: &mut Config<'_>, driver: SymbolId) -> Result<Vec<Change>, Failure> {
    if config.tristate(driver) != Tristate::No {
        return Ok(Vec::new());
    }
    let levels: &[Tristate] = match config.kconfig().symbol(driver).symbol_type {
        SymbolType::Tristate => &[Tristate::Mod, Tristate::Yes],
        _ => &[Tristate::Yes],
    };
    let mut solver = Solver { config, before: BTreeMap::new(), plan: MinimalPlan::default() };
    for level in levels {
        if solver.reach(driver, *level) {
            solver.shorten(driver, *level);
            return Ok(solver.changes());
        }
        solver.undo();
    }
    let level = levels.last().copied().unwrap_or(Tristate::Yes);
    Err(unmet::explain(solver.config, driver, level))
}

struct Solver<'c, 'k> {
    config: &'c mut Config<'k>,
    /// What touched symbols had been set to.
    before: BTreeMap<SymbolId, Tristate>,
    plan: MinimalPlan,
}

impl Solver<'_, '_> {
    fn reach(&mut self, driver: SymbolId, level: Tristate) -> bool {
        let kconfig = self.config.kconfig();
        let modules = kconfig.modules();
        if level == Tristate::Mod && self.config.tristate(modules) == Tristate::No {
            let plan = Planner::new(kconfig, &*self.config, false).raise(
                modules,
                Tristate::Yes,
                Why::Modules,
            );
            match plan {
                Some(plan) => self.apply(plan),
                None => return false,
            }
        }
        for _ in 0..ROUNDS {
            if self.reached(driver, level) {
                return true;
            }
            let can_be_module = self.config.tristate(modules) != Tristate::No;
            let mut planner = Planner::new(kconfig, &*self.config, can_be_module);
            match planner.raise(driver, level, Why::Asked) {
                Some(plan)
                    if plan.settings.iter().any(|(symbol, new)| self.is_new(*symbol, *new)) =>
                {
                    self.apply(plan);
                }
                _ => return false,
            }
        }
        self.reached(driver, level)
    }

    /// Whether the driver is what it should be. Without modules a driver that is set to `m` is `y`.
    fn reached(&self, driver: SymbolId, level: Tristate) -> bool {
        self.config.tristate(driver) == level
    }

    fn is_new(&self, symbol: SymbolId, setting: Setting) -> bool {
        self.plan.settings.get(&symbol).is_none_or(|known| known.value != setting.value)
    }

    fn apply(&mut self, plan: MinimalPlan) {
        for (symbol, setting) in plan.settings {
            let before = self.config.user_value(symbol);
            let before = before.map_or("n".into(), |value| value.to_string());
            self.before.entry(symbol).or_insert_with(|| tristate(&before));
            self.request(symbol, setting.value);
            self.plan.settings.insert(symbol, setting);
        }
    }

    fn request(&mut self, symbol: SymbolId, value: Tristate) {
        // Only symbols of type bool and tristate are in plans, and they take these values; a bool
        // takes `m` for nothing, which the next look at the driver's value shows.
        let _taken = self.config.request(symbol, value.as_str());
    }

    fn undo(&mut self) {
        for (symbol, value) in std::mem::take(&mut self.before) {
            self.request(symbol, value);
        }
        self.plan = MinimalPlan::default();
    }

    /// Takes back each setting without which the driver is on all the same.
    fn shorten(&mut self, driver: SymbolId, level: Tristate) {
        let candidates: Vec<SymbolId> = self.plan.settings.keys().copied().collect();
        for symbol in candidates {
            let Some(setting) = self.plan.settings.get(&symbol).copied() else { continue };
            let before = self.before.get(&symbol).copied().unwrap_or_default();
            if symbol == driver || before == setting.value {
                continue;
            }
            self.request(symbol, before);
            if self.reached(driver, level) {
                self.plan.settings.remove(&symbol);
            } else {
                self.request(symbol, setting.value);
            }
        }
    }

    fn changes(&self) -> Vec<Change> {
        let kconfig = self.config.kconfig();
        let change = |(symbol, setting): (&SymbolId, &Setting)| {
            let (reason, about) = reason(kconfig, *symbol, setting.why);
            Change {
                symbol: kconfig.symbol(*symbol).name.to_string(),
                value: setting.value.as_str(),
                reason,
                place: place(kconfig, about),
            }
        };
        let mut changes: Vec<Change> = self.plan.settings.iter().map(change).collect();
        changes.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        changes
    }
}

fn tristate(text: &str) -> Tristate {
    match text {
        "y" => Tristate::Yes,
        "m" => Tristate::Mod,
        _ => Tristate::No,
    }
}

/// A reason, and the symbol whose definition it is about.
fn reason(kconfig: &Kconfig, symbol: SymbolId, why: Why) -> (String, SymbolId) {
    let name = |symbol: SymbolId| match &*kconfig.symbol(symbol).name {
        "" => "a choice".to_owned(),
        name => name.to_owned(),
    };
    match why {
        Why::Asked => ("asked for".into(), symbol),
        Why::NeededBy(by) => (format!("{} depends on it", name(by)), by),
        Why::Selects(what) => (format!("selects {}, which has no prompt", name(what)), symbol),
        Why::DefaultOf(what) => (format!("{}, which has no prompt, follows it", name(what)), what),
        Why::Modules => ("without it nothing can be a module".into(), symbol),
    }
}

/// Where a symbol is defined first.
pub fn place(kconfig: &Kconfig, symbol: SymbolId) -> Option<(String, u32)> {
    let menu = kconfig.symbol(symbol).menus.first()?;
    let location = kconfig.menu(*menu).location;
    Some((kconfig.file_name(location.file).to_owned(), location.line))
}

/// A place as a path and a position.
fn at(place: &(String, u32)) -> (&Path, l4re_packager_base::Position) {
    let position = l4re_packager_base::Position::Text { line: place.1 as usize, column: 1 };
    (Path::new(&place.0), position)
}

#[cfg(test)]
mod tests {
    use l4re_kconfig::{Environment, MemorySource, NoShell, Preset};

    use super::*;

    /// What it takes to turn `driver` on with everything else off, or why that cannot be.
    fn on(driver: &str, text: &str) -> String {
        let modules = "config MODULES\n\tbool \"Modules\"\n\tmodules\n\n";
        let source = MemorySource::new().with("Kconfig", format!("{modules}{text}"));
        let environment = Environment::new().with("ARCH", "toy");
        let (kconfig, _) = Kconfig::load(&source, environment, Box::new(NoShell)).unwrap();
        let mut config = Config::new(&kconfig).unwrap();
        config.preset(Preset::AllNo, &source).unwrap();
        let symbol = kconfig.find_defined(driver).unwrap();
        match turn_on(&mut config, symbol) {
            Ok(changes) => {
                assert_ne!(config.tristate(symbol), Tristate::No);
                let words = changes.iter().map(|c| format!("{}={}", c.symbol, c.value));
                words.collect::<Vec<_>>().join(" ")
            }
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn of_alternatives_the_shorter_is_taken() {
        let text = "config A\n\tbool \"a\"\n\tdepends on B\nconfig B\n\tbool \"b\"\n\
                    config C\n\tbool \"c\"\nconfig D\n\tbool \"d\"\n\tdepends on A || C\n";
        assert_eq!(on("D", text), "C=y D=y");
    }

    #[test]
    fn a_module_asks_for_modules_and_a_bool_does_not() {
        let text = "config A\n\ttristate \"a\"\nconfig D\n\ttristate \"d\"\n\tdepends on A\n\
                    config E\n\tbool \"e\"\n\tdepends on A\n";
        assert_eq!(on("D", text), "A=m D=m MODULES=y");
        assert_eq!(on("E", text), "A=y E=y");
    }

    #[test]
    fn what_cannot_be_a_module_is_built_in() {
        let text = "config D\n\ttristate \"d\"\n\tdepends on A=y\nconfig A\n\ttristate \"a\"\n\
                    config E\n\ttristate \"e\"\n\tdepends on !MODULES\n";
        assert_eq!(on("D", text), "A=y D=m MODULES=y");
        assert_eq!(on("E", text), "E=y");
    }

    #[test]
    fn a_symbol_without_prompt_comes_with_who_selects_it_or_with_its_default() {
        let text = "config H\n\tbool\nconfig S\n\tbool \"s\"\n\tselect H\n\
                    config P\n\tbool\n\tdefault y if Q\nconfig Q\n\tbool \"q\"\n\
                    config D\n\tbool \"d\"\n\tdepends on H && P\n";
        assert_eq!(on("D", text), "D=y Q=y S=y");
    }

    #[test]
    fn what_excludes_the_driver_is_turned_off() {
        let text = "config X\n\tbool\n\tdefault !Y\nconfig Y\n\tbool \"y\"\n\
                    config D\n\tbool \"d\"\n\tdepends on !X\n";
        assert_eq!(on("D", text), "D=y Y=y");
    }

    #[test]
    fn a_member_of_a_choice_is_chosen() {
        let text = "choice\n\tprompt \"one\"\nconfig A\n\tbool \"a\"\nconfig B\n\tbool \"b\"\n\
                    endchoice\nconfig D\n\tbool \"d\"\n\tdepends on B\n";
        assert_eq!(on("D", text), "B=y D=y");
    }

    #[test]
    fn the_last_dependency_that_fails_is_named() {
        let text = "if OUTER\nconfig D\n\tbool \"d\"\n\tdepends on A\nendif\n\
                    config OUTER\n\tbool \"o\"\nconfig A\n\tbool \"a\"\n\tdepends on NOWHERE\n";
        assert_eq!(
            on("D", text),
            "Kconfig:6:1: error: D is not available on toy: it depends on A (Kconfig:6), \
             A depends on NOWHERE (Kconfig:12), no Kconfig file of toy defines NOWHERE\n  \
             help: choose another architecture with --arch, or another driver; \
             `packager list` shows what a driver depends on"
        );
        let text = "config H\n\tbool\nconfig D\n\tbool \"d\"\n\tdepends on H\n";
        assert!(on("D", text).contains("H has no prompt, and nothing on toy turns it on"));
        let text = "config A\n\tbool \"a\"\nconfig D\n\tbool \"d\"\n\tdepends on A && !A\n";
        assert!(on("D", text).contains("D excludes what else is needed"));
    }

    #[test]
    fn a_tree_made_to_keep_us_busy_does_not() {
        let mut text = String::from("config D\n\tbool \"d\"\n\tdepends on S0\n");
        for n in 0..60 {
            let next = [n + 1, n + 2, n + 3];
            text += &format!("config S{n}\n\tbool\n");
            for by in next {
                text += &format!(
                    "config T{n}_{by}\n\tbool \"t\"\n\tdepends on S{by} || S{}\n\tselect S{n}\n",
                    by + 1
                );
            }
        }
        assert!(on("D", &text).contains("not available"));
    }
}
