//! Why no setting turns a driver on: the dependency that cannot be fulfilled, and where it stands.

use l4re_kconfig::{Config, Expr, ExprId, Kconfig, MenuId, SymbolId, SymbolKind, Tristate};

use super::plan::{Planner, State, Why};
use super::{at, place};
use l4re_packager_base::{Diagnostic, Failure};

/// Dependencies of dependencies that are named.
const DEPTH: usize = 5;

/// The failure for a driver that cannot be `level`.
pub fn explain(config: &Config<'_>, driver: SymbolId, level: Tristate) -> Failure {
    let mut blame = Blame::of(config);
    let arch = blame.arch;
    let name = &config.kconfig().symbol(driver).name;
    let (reason, place) = blame.chain(driver, level);
    let message = format!("{name} is not available on {arch}: {reason}");
    let mut error = Diagnostic::error("unavailable", message);
    if let Some(place) = place {
        let (file, position) = at(&place);
        error = error.file(file).at(position);
    }
    let help = "choose another architecture with --arch, or another driver; \
                `packager list` shows what a driver depends on";
    error.help(help).into()
}

/// Why a symbol cannot be `level`, as the end of a sentence about it.
pub fn reason(config: &Config<'_>, symbol: SymbolId, level: Tristate) -> String {
    Blame::of(config).chain(symbol, level).0
}

struct Blame<'a, S> {
    kconfig: &'a Kconfig,
    planner: Planner<'a, S>,
    arch: &'a str,
}

impl<'a, 'k> Blame<'a, Config<'k>> {
    fn of(config: &'a Config<'k>) -> Self {
        let kconfig = config.kconfig();
        let arch = kconfig.environment().get("ARCH").unwrap_or_default();
        let modules = config.tristate(kconfig.modules()) != Tristate::No;
        Self { kconfig, planner: Planner::new(kconfig, config, modules), arch }
    }
}

impl<S: State> Blame<'_, S> {
    /// The chain from a symbol to the last dependency that cannot be fulfilled, and the place of
    /// the first.
    fn chain(&mut self, symbol: SymbolId, level: Tristate) -> (String, Option<(String, u32)>) {
        let mut parts = Vec::new();
        let mut first = None;
        let mut next = symbol;
        for _ in 0..DEPTH {
            let Some((condition, menu)) = self.failing(next, level) else { break };
            let where_it_stands = self.asked(menu, condition);
            let text = self.kconfig.display(condition).to_string();
            let name = self.kconfig.symbol(next).name.clone();
            let (file, line) = where_it_stands.clone();
            parts.push(match parts.is_empty() {
                true => format!("it depends on {text} ({file}:{line})"),
                false => format!("{name} depends on {text} ({file}:{line})"),
            });
            first.get_or_insert(where_it_stands);
            match self.kconfig.expr(condition) {
                Expr::Symbol(symbol) if symbol != next => next = symbol,
                _ => return (parts.join(", "), first),
            }
        }
        parts.push(self.end(next));
        let first = first.or_else(|| place(self.kconfig, symbol));
        (parts.join(", "), first)
    }

    /// Why the last symbol of a chain cannot be on, without any condition to blame.
    fn end(&self, symbol: SymbolId) -> String {
        let definition = self.kconfig.symbol(symbol);
        let name = &definition.name;
        if definition.kind == SymbolKind::Named && definition.menus.is_empty() {
            return format!("no Kconfig file of {} defines {name}", self.arch);
        }
        match self.kconfig.prompts(symbol).next() {
            Some(_) => format!("{name} excludes what else is needed"),
            None => format!("{name} has no prompt, and nothing on {} turns it on", self.arch),
        }
    }

    /// The first dependency of a symbol that cannot be fulfilled, and the definition that has it.
    fn failing(&mut self, symbol: SymbolId, level: Tristate) -> Option<(ExprId, MenuId)> {
        let menus = self.kconfig.symbol(symbol).menus.clone();
        for menu in menus {
            let mut conditions = Vec::new();
            conjuncts(self.kconfig, self.kconfig.menu(menu).effective, &mut conditions);
            for condition in conditions {
                let why = Why::NeededBy(symbol);
                if self.planner.satisfy(condition, level.min(Tristate::Mod), why).is_none() {
                    return Some((condition, menu));
                }
            }
        }
        None
    }

    /// Where a condition is asked for: by the definition itself or by a block around it.
    fn asked(&self, menu: MenuId, condition: ExprId) -> (String, u32) {
        let mut next = Some(menu);
        let mut place = self.kconfig.menu(menu).location;
        while let Some(menu) = next {
            let mut written = Vec::new();
            conjuncts(self.kconfig, self.kconfig.menu(menu).depends, &mut written);
            if written.contains(&condition) {
                place = self.kconfig.menu(menu).location;
                break;
            }
            next = self.kconfig.enclosing(menu);
        }
        (self.kconfig.file_name(place.file).to_owned(), place.line)
    }
}

/// The parts of `a && b && …`, in order.
fn conjuncts(kconfig: &Kconfig, expr: ExprId, out: &mut Vec<ExprId>) {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match kconfig.expr(expr) {
            Expr::And(a, b) => open.extend([b, a]),
            _ => out.push(expr),
        }
    }
}
