//! Values of symbols.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use l4re_packager_base::{Diagnostic, Failure, Report};

use crate::dialect::Choices;
use crate::expr::ExprId;
use crate::model::{Kconfig, MenuId, MenuKind, Reverse, SymbolId, SymbolType, Tristate};
use crate::number;

mod choice;
mod eval;
mod input;
mod output;
mod preset;
mod rules;
mod set;
mod why;

use eval::{Eval, State};

pub use preset::Preset;
pub use set::NotSettable;
pub use why::{Cause, Why};

/// The value of a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Of a bool or tristate symbol.
    Logic(Tristate),
    /// Of an int, hex or string symbol, without quotes.
    Text(Arc<str>),
}

impl Value {
    /// The value as text: `y`, `m`, `n`, or the text itself.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Logic(value) => value.as_str(),
            Self::Text(text) => text,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A symbol that a `select` switches on although its dependencies are not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The symbol.
    pub symbol: SymbolId,
    /// The value of its dependencies.
    pub dependencies: Tristate,
    /// Who selects it, and how far.
    pub selected_by: Vec<(Reverse, Tristate)>,
}

/// A value for every symbol of a [`Kconfig`].
///
/// Values are computed when they are asked for and remembered until something changes.
pub struct Config<'k> {
    kconfig: &'k Kconfig,
    state: RefCell<State>,
}

impl<'k> Config<'k> {
    /// The configuration in which the user has said nothing: each symbol has its default.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the Kconfig files refuse the environment: the `error-if` calls of Linux ask
    /// whether the compiler, assembler and linker are there and new enough.
    pub fn new(kconfig: &'k Kconfig) -> Result<Self, Failure> {
        kconfig.probes.verify().into_result(())?;
        let config = Self { kconfig, state: RefCell::new(State::new(kconfig)) };
        config.eval(|eval| eval.invalidate());
        Ok(config)
    }

    /// What the values are for.
    pub fn kconfig(&self) -> &'k Kconfig {
        self.kconfig
    }

    fn eval<T>(&self, step: impl FnOnce(&mut Eval<'_>) -> T) -> T {
        let mut state = self.state.borrow_mut();
        step(&mut Eval { kconfig: self.kconfig, state: &mut state })
    }

    /// The value of a symbol.
    pub fn value(&self, symbol: SymbolId) -> Value {
        self.eval(|eval| {
            eval.calculate(symbol);
            let (text, symbol_type) = eval.text(symbol);
            if symbol_type.is_logic() {
                Value::Logic(eval.slot(symbol).value)
            } else {
                Value::Text(text)
            }
        })
    }

    /// The value of a symbol as an operand of `&&` and `||`; n if it is not bool or tristate.
    pub fn tristate(&self, symbol: SymbolId) -> Tristate {
        self.eval(|eval| {
            eval.calculate(symbol);
            eval.slot(symbol).value
        })
    }

    /// The value of an expression.
    pub fn expr(&self, expr: ExprId) -> Tristate {
        self.eval(|eval| eval.expr(expr))
    }

    /// How far the user may set a symbol: n if its prompts are invisible or it has none.
    pub fn visibility(&self, symbol: SymbolId) -> Tristate {
        self.eval(|eval| {
            eval.calculate(symbol);
            eval.slot(symbol).visible
        })
    }

    /// The value of a symbol's dependencies.
    pub fn dependencies(&self, symbol: SymbolId) -> Tristate {
        let direct = &self.kconfig.symbol(symbol).direct;
        let values = direct.iter().map(|expr| self.expr(*expr));
        values.max().unwrap_or(Tristate::Yes)
    }

    /// How far others select a symbol: the least value it can have.
    pub fn selected(&self, symbol: SymbolId) -> Tristate {
        self.active_selectors(symbol).into_iter().map(|(_, value)| value).max().unwrap_or_default()
    }

    /// Who selects a symbol at present, and how far.
    pub fn active_selectors(&self, symbol: SymbolId) -> Vec<(Reverse, Tristate)> {
        self.active(&self.kconfig.symbol(symbol).selected_by)
    }

    /// Who implies a symbol at present, and how far.
    pub fn active_implications(&self, symbol: SymbolId) -> Vec<(Reverse, Tristate)> {
        self.active(&self.kconfig.symbol(symbol).implied_by)
    }

    fn active(&self, reverse: &[Reverse]) -> Vec<(Reverse, Tristate)> {
        let values = reverse.iter().map(|reverse| (*reverse, self.expr(reverse.term)));
        values.filter(|(_, value)| *value != Tristate::No).collect()
    }

    /// Whether the symbol has a line in `.config`.
    pub fn is_written(&self, symbol: SymbolId) -> bool {
        self.eval(|eval| {
            eval.calculate(symbol);
            eval.slot(symbol).write
        })
    }

    /// The range of an int or hex symbol that holds at present: lowest and highest value.
    pub fn range(&self, symbol: SymbolId) -> Option<(i64, i64)> {
        let base = number::base(self.kconfig.symbol(symbol).symbol_type, 10);
        self.eval(|eval| {
            let (low, high) = eval.range(symbol)?;
            Some((eval.limit(low, base), eval.limit(high, base)))
        })
    }

    /// Whether menuconfig shows a node.
    pub fn is_visible(&self, menu: MenuId) -> bool {
        let node = self.kconfig.menu(menu);
        let Some(prompt) = node.prompt else { return false };
        if self.expr(node.visible_if) == Tristate::No {
            return false;
        }
        let visible = self.expr(self.kconfig.property(prompt).effective);
        if visible != Tristate::No && !self.is_hidden_member(node.symbol, visible) {
            return true;
        }
        // A symbol that something else has switched on shows if something below it does.
        node.symbol.is_some_and(|symbol| self.tristate(symbol) != Tristate::No)
            && self.kconfig.children(menu).any(|child| crate::deep(|| self.is_visible(child)))
    }

    /// Whether a member that can be m at most is in a choice that is y (up to Linux 6.10).
    fn is_hidden_member(&self, symbol: Option<SymbolId>, visible: Tristate) -> bool {
        let Some(symbol) = symbol.map(|symbol| self.kconfig.symbol(symbol)) else { return false };
        self.kconfig.dialect().choices == Choices::Valued
            && symbol.symbol_type == SymbolType::Tristate
            && visible == Tristate::Mod
            && symbol.choice.is_some_and(|choice| self.tristate(choice) == Tristate::Yes)
    }

    /// The symbols that are selected although their dependencies are not met.
    pub fn unmet(&self) -> Vec<Unmet> {
        let mut unmet = Vec::new();
        for symbol in self.kconfig.options() {
            let found = self.eval(|eval| {
                eval.calculate(symbol);
                eval.slot(symbol).unmet
            });
            if found {
                let dependencies = self.dependencies(symbol);
                let selected_by = self.active_selectors(symbol);
                unmet.push(Unmet { symbol, dependencies, selected_by });
            }
        }
        unmet
    }

    /// What is doubtful about the values: unmet dependencies, forced values, commands that could
    /// not be run.
    pub fn findings(&self) -> Report {
        let mut report = Report::new();
        for unmet in self.unmet() {
            report.push(self.describe_unmet(&unmet));
        }
        for (symbol, value) in self.forced() {
            let name = &self.kconfig.symbol(symbol).name;
            let what = format!("CONFIG_{name}={value} is forced, whatever the rules say");
            report.push(self.at(Diagnostic::warning("kconfig-forced", what), symbol));
        }
        report.extend(self.kconfig.probes.failures());
        report
    }

    fn describe_unmet(&self, unmet: &Unmet) -> Diagnostic {
        let kconfig = self.kconfig;
        let name = &kconfig.symbol(unmet.symbol).name;
        let direct = &kconfig.symbol(unmet.symbol).direct;
        let direct: Vec<String> =
            direct.iter().map(|expr| kconfig.display(*expr).to_string()).collect();
        let by: Vec<String> = unmet
            .selected_by
            .iter()
            .map(|(reverse, value)| format!("{} [={value}]", kconfig.symbol(reverse.by).name))
            .collect();
        let what = format!(
            "unmet direct dependencies detected for {name}: depends on [{}] {}; selected by {}",
            unmet.dependencies,
            direct.join(" || "),
            by.join(", ")
        );
        let help = "the Kconfig file of what selects it should depend on the same";
        self.at(Diagnostic::warning("kconfig-unmet", what).help(help), unmet.symbol)
    }

    /// A finding about a symbol, at its first definition.
    fn at(&self, diagnostic: Diagnostic, symbol: SymbolId) -> Diagnostic {
        let Some(menu) = self.kconfig.symbol(symbol).menus.first() else { return diagnostic };
        let location = self.kconfig.menu(*menu).location;
        let position =
            l4re_packager_base::Position::Text { line: location.line as usize, column: 1 };
        let file = self.kconfig.file_name(location.file);
        diagnostic.file(std::path::Path::new(file)).at(position)
    }

    /// Whether a menu node is a heading in `.config`.
    fn is_heading(&self, menu: MenuId) -> bool {
        let kind = self.kconfig.menu(menu).kind;
        matches!(kind, MenuKind::Menu | MenuKind::Comment) && self.is_visible(menu)
    }

    fn type_of(&self, symbol: SymbolId) -> SymbolType {
        self.kconfig.symbol(symbol).symbol_type
    }
}
