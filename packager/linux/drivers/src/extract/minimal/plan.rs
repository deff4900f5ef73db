//! A plan: which symbols to set so that an expression holds, found in the expressions alone.
//!
//! The rules of the language form a graph of "and" and "or": a prompt needs its condition, a symbol
//! without prompt needs somebody who selects it or a default. [`Planner`] walks it from the wish
//! to what holds already and takes the way with the fewest settings. What it cannot see – that two
//! settings exclude each other, that an earlier default wins – the evaluator sees afterwards.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use l4re_kconfig::{
    Comparison, Expr, ExprId, Kconfig, PropertyKind, SymbolId, SymbolKind, SymbolType, Tristate,
};

/// What is true before anything is set.
pub trait State {
    /// The value of a symbol of type bool or tristate, or of a constant.
    fn value(&self, symbol: SymbolId) -> Tristate;
    /// The value of an expression.
    fn expr(&self, expr: ExprId) -> Tristate;
}

/// Why a symbol is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is what was asked for.
    Asked,
    /// This symbol depends on it, directly or by a block around it.
    NeededBy(SymbolId),
    /// It selects this symbol, which has no prompt of its own.
    Selects(SymbolId),
    /// The default of this symbol, which has no prompt of its own, follows it.
    DefaultOf(SymbolId),
    /// Loadable modules exist only with it.
    Modules,
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The value.
    pub value: Tristate,
    /// Why.
    pub why: Why,
}

/// Settings by symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MinimalPlan {
    /// The settings.
    pub settings: BTreeMap<SymbolId, Setting>,
    /// Symbols that are set only because they select something of another part of the tree.
    unrelated: BTreeSet<SymbolId>,
}

impl MinimalPlan {
    fn single(symbol: SymbolId, value: Tristate, why: Why) -> Self {
        let settings = BTreeMap::from([(symbol, Setting { value, why })]);
        Self { settings, unrelated: BTreeSet::new() }
    }

    /// Both plans, if they do not contradict each other: of two values above `n` the higher counts.
    fn and(&self, other: &Self) -> Option<Self> {
        let mut all = self.clone();
        all.unrelated.extend(&other.unrelated);
        for (symbol, setting) in &other.settings {
            match all.settings.get_mut(symbol) {
                None => {
                    all.settings.insert(*symbol, *setting);
                }
                Some(there) if there.value == setting.value => {}
                Some(there) if there.value == Tristate::No || setting.value == Tristate::No => {
                    return None;
                }
                Some(there) => there.value = there.value.max(setting.value),
            }
        }
        Some(all)
    }

    fn len(&self) -> usize {
        self.settings.len()
    }

    /// What it costs: its settings, and something for each that is a stranger to what it selects.
    /// Whoever wants virtio means a transport of it rather than remote processors, though these
    /// take fewer settings.
    pub fn cost(&self) -> usize {
        self.settings.len() + UNRELATED * self.unrelated.len()
    }
}

/// A question that the planner answers, and remembers.
type Question = (SymbolId, Tristate);

/// Finds plans.
pub struct Planner<'a, S> {
    kconfig: &'a Kconfig,
    state: &'a S,
    /// Whether `m` can be a value; without, what could be a module is built in.
    modules: bool,
    known: HashMap<Question, Option<MinimalPlan>>,
    /// Questions on the way from the first to the present one.
    open: HashSet<Question>,
    /// Whether an answer since the last look depended on an open question, and is worth nothing
    /// elsewhere.
    circular: bool,
    /// Questions that may still be looked into.
    budget: usize,
    /// How deep the present expression is nested.
    nesting: usize,
}

/// Real trees need some thousands; a tree that is made to keep us busy gets no more than this.
const BUDGET: usize = 200_000;

/// Settings of one plan. Nothing real comes near; it bounds what a made-up tree can do.
const LARGEST: usize = 256;

/// Settings that it is worth to turn something on by what stands beside it in the tree.
const UNRELATED: usize = 3;

/// How deep questions follow from each other.
const DEPTH: usize = 100;

/// How deep expressions are nested, all on the way together.
const NESTING: usize = 2000;

impl<'a, S: State> Planner<'a, S> {
    /// A planner from this state. `modules`: see [`Planner::modules`].
    pub fn new(kconfig: &'a Kconfig, state: &'a S, modules: bool) -> Self {
        Self {
            kconfig,
            state,
            modules,
            known: HashMap::new(),
            open: HashSet::new(),
            circular: false,
            budget: BUDGET,
            nesting: 0,
        }
    }

    /// How to give `symbol` at least `level`.
    pub fn raise(&mut self, symbol: SymbolId, level: Tristate, why: Why) -> Option<MinimalPlan> {
        let level = self.reachable(symbol, level);
        let mut plan = self.question((symbol, level), Self::ways_up)?;
        if let Some(setting) = plan.settings.get_mut(&symbol) {
            setting.why = why;
        }
        Some(plan)
    }

    /// How to make an expression at least `level`. `by` is the symbol whose condition it is.
    pub fn satisfy(&mut self, expr: ExprId, level: Tristate, why: Why) -> Option<MinimalPlan> {
        if self.state.expr(expr) >= level {
            return Some(MinimalPlan::default());
        }
        self.nested(|this| this.satisfy_node(expr, level, why))
    }

    fn satisfy_node(&mut self, expr: ExprId, level: Tristate, why: Why) -> Option<MinimalPlan> {
        match self.kconfig.expr(expr) {
            Expr::Symbol(symbol) => self.raise(symbol, level, why),
            Expr::And(a, b) => self.both((a, b), |this, e| this.satisfy(e, level, why)),
            Expr::Or(a, b) => self.either((a, b), |this, e| this.satisfy(e, level, why)),
            Expr::Not(inner) => self.limit(inner, opposite(level), why),
            Expr::Compare(how, a, b) => self.compare(how, a, b, why),
        }
    }

    /// How to make an expression at most `level`.
    fn limit(&mut self, expr: ExprId, level: Tristate, why: Why) -> Option<MinimalPlan> {
        if self.state.expr(expr) <= level {
            return Some(MinimalPlan::default());
        }
        self.nested(|this| this.limit_node(expr, level, why))
    }

    fn limit_node(&mut self, expr: ExprId, level: Tristate, why: Why) -> Option<MinimalPlan> {
        match self.kconfig.expr(expr) {
            Expr::Symbol(symbol) => self.lower(symbol, level, why),
            Expr::And(a, b) => self.either((a, b), |this, e| this.limit(e, level, why)),
            Expr::Or(a, b) => self.both((a, b), |this, e| this.limit(e, level, why)),
            Expr::Not(inner) => self.satisfy(inner, opposite(level), why),
            Expr::Compare(how, a, b) => self.compare(how.negated(), a, b, why),
        }
    }

    /// One level further into an expression, if it is not nested beyond reason.
    fn nested(
        &mut self,
        find: impl FnOnce(&mut Self) -> Option<MinimalPlan>,
    ) -> Option<MinimalPlan> {
        if self.nesting == NESTING {
            self.circular = true;
            return None;
        }
        self.nesting += 1;
        let plan = find(self);
        self.nesting -= 1;
        plan
    }

    fn both(
        &mut self,
        (a, b): (ExprId, ExprId),
        mut find: impl FnMut(&mut Self, ExprId) -> Option<MinimalPlan>,
    ) -> Option<MinimalPlan> {
        let first = find(self, a)?;
        let second = find(self, b)?;
        first.and(&second)
    }

    fn either(
        &mut self,
        (a, b): (ExprId, ExprId),
        mut find: impl FnMut(&mut Self, ExprId) -> Option<MinimalPlan>,
    ) -> Option<MinimalPlan> {
        shorter(find(self, a), find(self, b))
    }

    /// The answer to a question, each looked for once.
    fn question(
        &mut self,
        question: Question,
        find: fn(&mut Self, Question) -> Option<MinimalPlan>,
    ) -> Option<MinimalPlan> {
        let (symbol, level) = question;
        if self.state.value(symbol) >= level {
            return Some(MinimalPlan::default());
        }
        if let Some(known) = self.known.get(&question) {
            return known.clone();
        }
        if self.open.len() == DEPTH || self.budget == 0 || !self.open.insert(question) {
            self.circular = true;
            return None;
        }
        self.budget -= 1;
        let before = std::mem::take(&mut self.circular);
        let plan = find(self, question).filter(|plan| plan.len() <= LARGEST);
        self.open.remove(&question);
        // A plan found is good anywhere; that none was found may be due to what is open.
        if plan.is_some() || !self.circular || self.open.is_empty() {
            self.known.insert(question, plan.clone());
        }
        self.circular |= before;
        plan
    }

    /// The level that a symbol can really have for the one wanted.
    fn reachable(&self, symbol: SymbolId, level: Tristate) -> Tristate {
        let tristate = self.kconfig.symbol(symbol).symbol_type == SymbolType::Tristate;
        match level {
            Tristate::Mod if !(tristate && self.modules) => Tristate::Yes,
            level => level,
        }
    }

    /// The shortest of all ways to turn a symbol on.
    fn ways_up(&mut self, (symbol, level): Question) -> Option<MinimalPlan> {
        let kconfig = self.kconfig;
        let definition = kconfig.symbol(symbol);
        if !matches!(definition.kind, SymbolKind::Named | SymbolKind::Choice) {
            return None;
        }
        // The condition of what turns a bool on is fulfilled by `m` already.
        let bool = definition.symbol_type == SymbolType::Bool;
        let needed = if bool { Tristate::Mod } else { level };
        let mut best = None;
        for id in &definition.properties {
            let property = kconfig.property(*id);
            if matches!(property.kind, PropertyKind::Prompt(_)) {
                let way = self.by_prompt(symbol, level, property.effective, needed);
                best = shorter(best, way);
            }
        }
        // Where a prompt shows, the user's value wins over any default.
        if best.is_none() && definition.kind == SymbolKind::Named {
            best = self.by_default(symbol, level, needed);
        }
        for reverse in &definition.selected_by {
            // One setting is the least; whoever else selects it cannot do with fewer.
            if best.as_ref().is_some_and(|plan| plan.cost() <= 1) {
                break;
            }
            let condition = self.satisfy(reverse.condition, needed, Why::NeededBy(reverse.by));
            let mut way = condition
                .and_then(|plan| plan.and(&self.raise(reverse.by, level, Why::Selects(symbol))?));
            if let Some(plan) = &mut way
                && plan.settings.contains_key(&reverse.by)
                && folder(kconfig, reverse.by) != folder(kconfig, symbol)
            {
                plan.unrelated.insert(reverse.by);
            }
            best = shorter(best, way);
        }
        best
    }

    fn by_default(
        &mut self,
        symbol: SymbolId,
        level: Tristate,
        needed: Tristate,
    ) -> Option<MinimalPlan> {
        let kconfig = self.kconfig;
        let why = Why::DefaultOf(symbol);
        let mut best = None;
        for id in &kconfig.symbol(symbol).properties {
            let property = kconfig.property(*id);
            if let PropertyKind::Default(value) = property.kind {
                let condition = self.satisfy(property.effective, needed, why);
                let way = condition.and_then(|plan| plan.and(&self.satisfy(value, level, why)?));
                best = shorter(best, way);
            }
        }
        best
    }

    fn by_prompt(
        &mut self,
        symbol: SymbolId,
        level: Tristate,
        condition: ExprId,
        needed: Tristate,
    ) -> Option<MinimalPlan> {
        let plan = self.satisfy(condition, needed, Why::NeededBy(symbol))?;
        if self.kconfig.symbol(symbol).kind == SymbolKind::Choice {
            // A choice that is shown has a value by itself.
            return Some(plan);
        }
        plan.and(&MinimalPlan::single(symbol, level, Why::Asked))
    }

    /// How to turn a symbol off, or down to `m`.
    fn lower(&mut self, symbol: SymbolId, level: Tristate, why: Why) -> Option<MinimalPlan> {
        let kconfig = self.kconfig;
        let definition = kconfig.symbol(symbol);
        if definition.kind != SymbolKind::Named || self.open.len() == DEPTH || self.budget == 0 {
            return None;
        }
        let question = (symbol, Tristate::No);
        if !self.open.insert(question) {
            self.circular = true;
            return None;
        }
        self.budget -= 1;
        let plan = self.ways_down(symbol, level, why);
        self.open.remove(&question);
        plan
    }

    fn ways_down(&mut self, symbol: SymbolId, level: Tristate, why: Why) -> Option<MinimalPlan> {
        let kconfig = self.kconfig;
        let definition = kconfig.symbol(symbol);
        let mut plan = MinimalPlan::default();
        for reverse in &definition.selected_by {
            plan = plan.and(&self.limit(reverse.term, level, why)?)?;
        }
        if kconfig.prompts(symbol).next().is_some() {
            return plan.and(&MinimalPlan::single(symbol, level, why));
        }
        for id in &definition.properties {
            let property = kconfig.property(*id);
            if let PropertyKind::Default(value) = property.kind {
                let condition = self.limit(property.effective, level, why);
                let way = shorter(condition, self.limit(value, level, why))?;
                plan = plan.and(&way)?;
            }
        }
        Some(plan)
    }

    /// How to make a comparison true, where it asks for `y`, `m` or `n`.
    fn compare(
        &mut self,
        how: Comparison,
        a: SymbolId,
        b: SymbolId,
        why: Why,
    ) -> Option<MinimalPlan> {
        let (symbol, constant) = match (constant(a), constant(b)) {
            (None, Some(constant)) => (a, constant),
            (Some(constant), None) => (b, constant),
            _ => return None,
        };
        match (how, constant) {
            (Comparison::Equal, Tristate::No) => self.lower(symbol, Tristate::No, why),
            (Comparison::Equal, level) if self.state.value(symbol) < level => {
                self.raise(symbol, level, why)
            }
            (Comparison::Unequal, Tristate::No) => self.raise(symbol, Tristate::Mod, why),
            (Comparison::Unequal, Tristate::Yes) => self.lower(symbol, Tristate::No, why),
            _ => None,
        }
    }
}

/// The folder of the file that defines a symbol first.
fn folder(kconfig: &Kconfig, symbol: SymbolId) -> Option<&str> {
    let menu = kconfig.symbol(symbol).menus.first()?;
    let file = kconfig.file_name(kconfig.menu(*menu).location.file);
    file.rsplit_once('/').map(|(folder, _)| folder)
}

fn constant(symbol: SymbolId) -> Option<Tristate> {
    match symbol {
        SymbolId::NO => Some(Tristate::No),
        SymbolId::MOD => Some(Tristate::Mod),
        SymbolId::YES => Some(Tristate::Yes),
        _ => None,
    }
}

fn opposite(level: Tristate) -> Tristate {
    match level {
        Tristate::No => Tristate::Yes,
        Tristate::Mod => Tristate::Mod,
        Tristate::Yes => Tristate::No,
    }
}

/// The cheaper one; the first of equals.
fn shorter(a: Option<MinimalPlan>, b: Option<MinimalPlan>) -> Option<MinimalPlan> {
    match (a, b) {
        (Some(a), Some(b)) if b.cost() < a.cost() => Some(b),
        (None, b) => b,
        (a, _) => a,
    }
}
