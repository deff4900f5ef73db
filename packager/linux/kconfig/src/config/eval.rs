//! How values come about.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::dialect::Choices;
use crate::expr::{Comparison, Expr, ExprId};
use crate::model::{Kconfig, SymbolId, SymbolKind, SymbolType, Tristate};
use crate::number;

/// What the user said about a symbol, kept apart from whether it counts.
#[derive(Debug, Clone, Default)]
pub(super) struct User {
    /// Whether it counts.
    pub(super) set: bool,
    pub(super) value: Tristate,
    pub(super) text: Option<Arc<str>>,
    /// Of a choice with a value of its own: the member that was chosen last.
    pub(super) chosen: Option<SymbolId>,
}

/// A value that no rule changes.
#[derive(Debug, Clone)]
pub(super) struct Forced {
    pub(super) value: Tristate,
    pub(super) text: Option<Arc<str>>,
}

/// What is known about a symbol.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot {
    /// The epoch in which the rest was computed.
    epoch: u32,
    pub(super) value: Tristate,
    /// The value of an int, hex or string symbol, of a constant, or of an undefined symbol.
    pub(super) text: Option<Arc<str>>,
    /// Of a choice with a value of its own: its chosen member.
    pub(super) chosen: Option<SymbolId>,
    pub(super) visible: Tristate,
    pub(super) direct: Tristate,
    pub(super) reverse: Tristate,
    pub(super) implied: Tristate,
    pub(super) write: bool,
    pub(super) unmet: bool,
    /// Of a choice or member: whether all members are to get a value as soon as one is asked for.
    pub(super) spread: bool,
    pub(super) user: User,
    /// The defined symbol that a word with commands in it turned out to be.
    pub(super) alias: Option<SymbolId>,
}

/// All values, and what they are made from.
#[derive(Debug)]
pub(super) struct State {
    pub(super) slots: Vec<Slot>,
    /// Values of other epochs are out of date.
    epoch: u32,
    pub(super) modules: Tristate,
    /// Values of expressions with the epoch they are from.
    exprs: Vec<(u32, Tristate)>,
    pub(super) forced: FxHashMap<SymbolId, Forced>,
    /// Of each exclusive choice: its members, most recently set first.
    pub(super) priorities: FxHashMap<SymbolId, Vec<SymbolId>>,
    pub(super) no_text: Arc<str>,
    pub(super) n_text: Arc<str>,
}

impl State {
    pub(super) fn new(kconfig: &Kconfig) -> Self {
        let choices = kconfig.symbols.iter().filter_map(|symbol| symbol.choice);
        let members = |choice: SymbolId| (choice, kconfig.symbol(choice).members.clone());
        Self {
            slots: vec![Slot::default(); kconfig.symbols.len()],
            epoch: 1,
            modules: Tristate::No,
            exprs: vec![(0, Tristate::No); kconfig.exprs.len()],
            forced: FxHashMap::default(),
            priorities: choices.map(members).collect(),
            no_text: "".into(),
            n_text: "n".into(),
        }
    }
}

/// A walk over the symbols that computes values.
pub(super) struct Eval<'a> {
    pub(super) kconfig: &'a Kconfig,
    pub(super) state: &'a mut State,
}

impl Eval<'_> {
    pub(super) fn slot(&self, symbol: SymbolId) -> &Slot {
        &self.state.slots[symbol.index()]
    }

    pub(super) fn slot_mut(&mut self, symbol: SymbolId) -> &mut Slot {
        &mut self.state.slots[symbol.index()]
    }

    /// Makes all values out of date, without computing any.
    pub(super) fn forget(&mut self) {
        self.state.epoch = self.state.epoch.wrapping_add(1).max(1);
    }

    /// Makes all values out of date; whether there are modules is computed anew at once, since
    /// the type of each tristate symbol depends on it.
    pub(super) fn invalidate(&mut self) {
        self.forget();
        self.calculate(self.kconfig.modules());
    }

    /// Makes the value of one symbol out of date.
    pub(super) fn forget_one(&mut self, symbol: SymbolId) {
        self.slot_mut(symbol).epoch = 0;
    }

    pub(super) fn is_valid(&self, symbol: SymbolId) -> bool {
        self.slot(symbol).epoch == self.state.epoch
    }

    pub(super) fn valued_choices(&self) -> bool {
        self.kconfig.dialect().choices == Choices::Valued
    }

    /// The type of a symbol as things are: without modules, tristate is bool.
    pub(super) fn effective_type(&self, symbol: SymbolId) -> SymbolType {
        let own = self.kconfig.symbol(symbol);
        if own.symbol_type != SymbolType::Tristate {
            return own.symbol_type;
        }
        let chosen = self.valued_choices()
            && own.choice.is_some()
            && self.slot(symbol).visible == Tristate::Yes;
        if chosen || self.state.modules == Tristate::No {
            SymbolType::Bool
        } else {
            SymbolType::Tristate
        }
    }

    /// The value of an expression.
    pub(super) fn expr(&mut self, expr: ExprId) -> Tristate {
        // With valued choices a value can be read while it is being computed, so that what was
        // read must not be kept.
        let keep = !self.valued_choices();
        let (epoch, known) = self.state.exprs[expr.index()];
        if keep && epoch == self.state.epoch {
            return known;
        }
        let value = match self.kconfig.expr(expr) {
            Expr::Symbol(symbol) => {
                self.calculate(symbol);
                self.slot(symbol).value
            }
            Expr::Not(a) => match crate::deep(|| self.expr(a)) {
                Tristate::No => Tristate::Yes,
                Tristate::Mod => Tristate::Mod,
                Tristate::Yes => Tristate::No,
            },
            Expr::And(a, b) => {
                let a = crate::deep(|| self.expr(a));
                if a == Tristate::No { a } else { a.min(crate::deep(|| self.expr(b))) }
            }
            Expr::Or(a, b) => {
                let a = crate::deep(|| self.expr(a));
                if a == Tristate::Yes { a } else { a.max(crate::deep(|| self.expr(b))) }
            }
            Expr::Compare(how, a, b) => {
                if self.compare(how, a, b) {
                    Tristate::Yes
                } else {
                    Tristate::No
                }
            }
        };
        if keep {
            self.state.exprs[expr.index()] = (self.state.epoch, value);
        }
        value
    }

    fn compare(&mut self, how: Comparison, a: SymbolId, b: SymbolId) -> bool {
        self.calculate(a);
        self.calculate(b);
        let (a, b) = (self.text(a), self.text(b));
        let order = number::compare((&a.0, a.1), (&b.0, b.1));
        match how {
            Comparison::Equal => order.is_eq(),
            Comparison::Unequal => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterEqual => order.is_ge(),
        }
    }

    /// The computed value of a symbol as text, and its type.
    pub(super) fn text(&self, symbol: SymbolId) -> (Arc<str>, SymbolType) {
        let slot = self.slot(symbol);
        let target = slot.alias.unwrap_or(symbol);
        let slot = self.slot(target);
        let symbol_type = self.kconfig.symbol(target).symbol_type;
        if symbol_type.is_logic() {
            return (slot.value.as_str().into(), symbol_type);
        }
        let text = slot.text.clone();
        (text.unwrap_or_else(|| Arc::clone(&self.state.no_text)), symbol_type)
    }

    /// Computes the value of a symbol unless it is known.
    pub(super) fn calculate(&mut self, symbol: SymbolId) {
        if self.is_valid(symbol) {
            return;
        }
        crate::deep(|| self.calculate_now(symbol));
    }

    fn calculate_now(&mut self, symbol: SymbolId) {
        let kconfig = self.kconfig;
        let own = kconfig.symbol(symbol);
        let epoch = self.state.epoch;
        match own.kind {
            SymbolKind::Constant => {
                let value = [Tristate::No, Tristate::Mod, Tristate::Yes][symbol.index().min(2)];
                let slot = self.slot_mut(symbol);
                (slot.epoch, slot.value, slot.text) = (epoch, value, Some(Arc::clone(&own.name)));
                return;
            }
            SymbolKind::Probe => return self.calculate_probe(symbol),
            _ => {}
        }
        if own.symbol_type == SymbolType::Unknown {
            let slot = self.slot_mut(symbol);
            slot.epoch = epoch;
            (slot.value, slot.text) = (Tristate::No, Some(Arc::clone(&own.name)));
            return;
        }
        if let Some(choice) = own.choice
            && self.valued_choices()
            && std::mem::take(&mut self.slot_mut(symbol).spread)
        {
            self.calculate(choice);
        }
        self.slot_mut(symbol).epoch = epoch;
        if let Some(forced) = self.state.forced.get(&symbol).cloned() {
            self.visibility(symbol);
            let slot = self.slot_mut(symbol);
            slot.write = forced.value != Tristate::No
                || forced.text.is_some()
                || slot.visible != Tristate::No;
            (slot.value, slot.text, slot.unmet) = (forced.value, forced.text, false);
        } else {
            self.calculate_by_rules(symbol);
        }
        if symbol == kconfig.modules() {
            self.state.modules = self.slot(symbol).value;
        }
        if own.kind == SymbolKind::Choice {
            self.finish_choice(symbol);
        }
    }

    /// A word or text with commands in it: what it says now that it is needed.
    fn calculate_probe(&mut self, symbol: SymbolId) {
        let (text, quoted) = self.kconfig.probes.leaf(symbol);
        let constant = matches!(&*text, "y" | "m" | "n");
        let target = if quoted && !constant { None } else { self.kconfig.find(&text) };
        let target = target.filter(|target| self.kconfig.symbol(*target).kind != SymbolKind::Probe);
        let epoch = self.state.epoch;
        let (mut value, mut shown) = (Tristate::No, Some(text.into()));
        if let Some(target) = target {
            self.calculate(target);
            value = self.slot(target).value;
            shown = self.slot(target).text.clone();
        }
        let slot = self.slot_mut(symbol);
        (slot.epoch, slot.alias) = (epoch, target);
        (slot.value, slot.text) = (value, shown);
    }

    /// Gives a member of a choice the value that the choice decides.
    pub(super) fn settle(&mut self, symbol: SymbolId, value: Tristate) {
        let epoch = self.state.epoch;
        let slot = self.slot_mut(symbol);
        (slot.epoch, slot.value, slot.write) = (epoch, value, true);
    }

    /// How far others select a symbol, after [`Eval::calculate`].
    pub(super) fn reverse(&self, symbol: SymbolId) -> Tristate {
        self.slot(symbol).reverse
    }
}
