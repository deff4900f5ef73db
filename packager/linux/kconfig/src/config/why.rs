//! Why a symbol has not, or cannot have, a value.

use std::fmt;

use super::Config;
use crate::expr::{Expr, ExprId};
use crate::model::{Kconfig, Location, PropertyKind, Reverse, SymbolId, Tristate};

/// Deepest nesting of causes within causes.
const MAX_DEPTH: usize = 6;

/// A part of a condition that keeps it below the value that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The part: a symbol, its negation, a comparison, or alternatives of which none holds.
    pub expr: ExprId,
    /// Its value.
    pub value: Tristate,
    /// What keeps the alternatives, or the symbol, from more.
    pub parts: Vec<Cause>,
}

/// Why a symbol has not, or cannot have, a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The symbol.
    pub symbol: SymbolId,
    /// The value that was asked about.
    pub wanted: Tristate,
    /// Its value.
    pub value: Tristate,
    /// How far its prompts let the user go.
    pub visible: Tristate,
    /// Where its prompts stand, each with what keeps it from being visible as far as is wanted.
    /// Empty: it has no prompt, and only something that selects it can switch it on.
    pub prompts: Vec<(Location, Vec<Cause>)>,
    /// Who keeps it above the wanted value by selecting it.
    pub selected_by: Vec<(Reverse, Tristate)>,
    /// Who could select it, if it has no prompt.
    pub selectors: Vec<SymbolId>,
}

impl Config<'_> {
    /// Why a bool or tristate symbol has not, or cannot have, the value `wanted`.
    pub fn why(&self, symbol: SymbolId, wanted: Tristate) -> Why {
        let own = self.kconfig.symbol(symbol);
        let mut prompts = Vec::new();
        for property in &own.properties {
            let property = self.kconfig.property(*property);
            if matches!(property.kind, PropertyKind::Prompt(_)) {
                let mut causes = Vec::new();
                self.causes(property.effective, wanted, 0, &mut causes);
                prompts.push((property.location, causes));
            }
        }
        let above = |(_, value): &(Reverse, Tristate)| *value > wanted;
        let selected_by = self.active_selectors(symbol).into_iter().filter(above).collect();
        let selectors = match prompts.is_empty() {
            true => own.selected_by.iter().map(|reverse| reverse.by).collect(),
            false => Vec::new(),
        };
        let (value, visible) = (self.tristate(symbol), self.visibility(symbol));
        Why { symbol, wanted, value, visible, prompts, selected_by, selectors }
    }

    /// The smallest parts of `expr` that keep it below `wanted`.
    fn causes(&self, expr: ExprId, wanted: Tristate, depth: usize, causes: &mut Vec<Cause>) {
        let value = self.expr(expr);
        if value >= wanted || depth > MAX_DEPTH {
            return;
        }
        match self.kconfig.expr(expr) {
            Expr::And(a, b) => {
                crate::deep(|| self.causes(a, wanted, depth, causes));
                crate::deep(|| self.causes(b, wanted, depth, causes));
            }
            Expr::Or(a, b) => {
                let mut parts = Vec::new();
                crate::deep(|| self.causes(a, wanted, depth + 1, &mut parts));
                crate::deep(|| self.causes(b, wanted, depth + 1, &mut parts));
                causes.push(Cause { expr, value, parts });
            }
            Expr::Symbol(symbol) => {
                let mut parts = Vec::new();
                for direct in &self.kconfig.symbol(symbol).direct {
                    crate::deep(|| self.causes(*direct, wanted, depth + 1, &mut parts));
                }
                causes.push(Cause { expr, value, parts });
            }
            Expr::Not(_) | Expr::Compare(..) => {
                causes.push(Cause { expr, value, parts: Vec::new() });
            }
        }
    }
}

impl Why {
    /// As text, one line a cause.
    pub fn display<'a>(&'a self, kconfig: &'a Kconfig) -> impl fmt::Display + 'a {
        DisplayWhy { why: self, kconfig }
    }
}

struct DisplayWhy<'a> {
    why: &'a Why,
    kconfig: &'a Kconfig,
}

impl DisplayWhy<'_> {
    fn cause(&self, f: &mut fmt::Formatter<'_>, cause: &Cause, depth: usize) -> fmt::Result {
        let text = self.kconfig.display(cause.expr);
        write!(f, "\n{:indent$}{text} is {}", "", cause.value, indent = 2 * depth)?;
        if let Expr::Symbol(symbol) = self.kconfig.expr(cause.expr)
            && let Some(menu) = self.kconfig.symbol(symbol).menus.first()
        {
            let location = self.kconfig.menu(*menu).location;
            write!(f, " ({}:{})", self.kconfig.file_name(location.file), location.line)?;
        }
        cause.parts.iter().try_for_each(|part| self.cause(f, part, depth + 1))
    }
}

impl fmt::Display for DisplayWhy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (why, kconfig) = (self.why, self.kconfig);
        let name = |symbol: SymbolId| &*kconfig.symbol(symbol).name;
        write!(f, "{} is {}, wanted {}", name(why.symbol), why.value, why.wanted)?;
        for (location, causes) in &why.prompts {
            let file = kconfig.file_name(location.file);
            if !causes.is_empty() {
                write!(f, "\n  the prompt at {file}:{} needs:", location.line)?;
            }
            causes.iter().try_for_each(|cause| self.cause(f, cause, 2))?;
        }
        for (reverse, value) in &why.selected_by {
            write!(f, "\n  selected by {} [={value}]", name(reverse.by))?;
        }
        if why.prompts.is_empty() {
            let selectors: Vec<&str> = why.selectors.iter().map(|by| name(*by)).collect();
            match selectors.as_slice() {
                [] => f.write_str("\n  it has no prompt, and nothing selects it")?,
                _ => write!(f, "\n  it has no prompt; selected by {}", selectors.join(", "))?,
            }
        }
        Ok(())
    }
}
