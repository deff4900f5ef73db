//! The rules of the language: visibility, user's values, defaults, selects, ranges.

use std::sync::Arc;

use super::eval::Eval;
use crate::expr::{Expr, ExprId};
use crate::model::{PropertyKind, SymbolId, SymbolKind, SymbolType, Tristate};
use crate::number;

impl Eval<'_> {
    pub(super) fn calculate_by_rules(&mut self, symbol: SymbolId) {
        let own = self.kconfig.symbol(symbol);
        let initial = match own.symbol_type {
            SymbolType::Int if self.kconfig.dialect().numbers_are_zero => "0".into(),
            SymbolType::Hex if self.kconfig.dialect().numbers_are_zero => "0x0".into(),
            SymbolType::Bool | SymbolType::Tristate => Arc::clone(&self.state.n_text),
            _ => Arc::clone(&self.state.no_text),
        };
        (self.slot_mut(symbol).write, self.slot_mut(symbol).unmet) = (false, false);
        self.visibility(symbol);
        let slot = self.slot_mut(symbol);
        slot.write = slot.visible != Tristate::No && !own.transitional;
        // What is read if the computation comes back here.
        (slot.value, slot.text) = (Tristate::No, Some(initial));
        if own.symbol_type.is_logic() {
            let value = self.logic(symbol);
            self.slot_mut(symbol).value = value;
        } else {
            if let Some(text) = self.user_or_default_text(symbol) {
                self.slot_mut(symbol).text = Some(text);
            }
            self.keep_in_range(symbol);
        }
        if own.transitional || own.defconfig_list {
            self.slot_mut(symbol).write = false;
        }
    }

    fn logic(&mut self, symbol: SymbolId) -> Tristate {
        let own = self.kconfig.symbol(symbol);
        let valued = self.valued_choices();
        let slot = self.slot(symbol);
        let value = match own.choice {
            Some(choice) if valued && slot.visible == Tristate::Yes => {
                let chosen = self.slot(choice).chosen == Some(symbol);
                if chosen { Tristate::Yes } else { Tristate::No }
            }
            Some(choice) if !valued => {
                self.choose_exclusive(choice);
                self.slot(symbol).value
            }
            _ => self.free_logic(symbol),
        };
        let bool_now = self.effective_type(symbol) == SymbolType::Bool;
        let bounded = self.kconfig.dialect().implied_is_bounded;
        let never_m = bool_now || !bounded && self.slot(symbol).implied == Tristate::Yes;
        if value == Tristate::Mod && never_m { Tristate::Yes } else { value }
    }

    /// The value of a bool or tristate symbol that is not in a choice.
    fn free_logic(&mut self, symbol: SymbolId) -> Tristate {
        let own = self.kconfig.symbol(symbol);
        let slot = self.slot(symbol);
        let (visible, direct, reverse) = (slot.visible, slot.direct, slot.reverse);
        let usable = visible != Tristate::No || own.transitional;
        let mut value = Tristate::No;
        if usable && slot.user.set {
            let limit = if own.transitional { Tristate::Yes } else { visible };
            value = slot.user.value.min(limit);
        } else {
            if reverse != Tristate::No {
                self.slot_mut(symbol).write = true;
            }
            if own.kind != SymbolKind::Choice {
                value = self.default_logic(symbol);
            }
        }
        if direct < reverse {
            self.slot_mut(symbol).unmet = true;
        }
        value.max(reverse)
    }

    fn default_logic(&mut self, symbol: SymbolId) -> Tristate {
        let mut value = Tristate::No;
        if let Some((default, condition)) = self.default(symbol) {
            value = self.expr(default).min(condition);
            if value != Tristate::No {
                self.slot_mut(symbol).write = true;
            }
        }
        let bounded = self.kconfig.dialect().implied_is_bounded;
        let slot = self.slot_mut(symbol);
        if slot.implied != Tristate::No {
            slot.write = true;
            value = value.max(slot.implied);
            if bounded {
                value = value.min(slot.direct);
            }
        }
        value
    }

    fn user_or_default_text(&mut self, symbol: SymbolId) -> Option<Arc<str>> {
        let own = self.kconfig.symbol(symbol);
        let slot = self.slot(symbol);
        if (slot.visible != Tristate::No || own.transitional)
            && slot.user.set
            && let Some(text) = &slot.user.text
        {
            return Some(Arc::clone(text));
        }
        let (default, _) = self.default(symbol)?;
        let Expr::Symbol(leaf) = self.kconfig.expr(default) else { return None };
        self.slot_mut(symbol).write = true;
        self.calculate(leaf);
        self.slot(leaf).text.clone()
    }

    /// The first default whose condition holds, with the value of the condition.
    pub(super) fn default(&mut self, symbol: SymbolId) -> Option<(ExprId, Tristate)> {
        let kconfig = self.kconfig;
        kconfig.symbol(symbol).properties.iter().find_map(|property| {
            let property = kconfig.property(*property);
            let PropertyKind::Default(value) = property.kind else { return None };
            let condition = self.expr(property.effective);
            (condition != Tristate::No).then_some((value, condition))
        })
    }

    /// The first range whose condition holds.
    pub(super) fn range(&mut self, symbol: SymbolId) -> Option<(SymbolId, SymbolId)> {
        let kconfig = self.kconfig;
        kconfig.symbol(symbol).properties.iter().find_map(|property| {
            let property = kconfig.property(*property);
            let PropertyKind::Range(low, high) = property.kind else { return None };
            (self.expr(property.effective) != Tristate::No).then_some((low, high))
        })
    }

    /// The number that a limit of a range stands for.
    pub(super) fn limit(&mut self, limit: SymbolId, base: u32) -> i64 {
        self.calculate(limit);
        let target = self.slot(limit).alias.unwrap_or(limit);
        let base = number::base(self.kconfig.symbol(target).symbol_type, base);
        self.slot(limit).text.as_deref().map_or(0, |text| number::value(text, base))
    }

    fn keep_in_range(&mut self, symbol: SymbolId) {
        let symbol_type = self.kconfig.symbol(symbol).symbol_type;
        if !matches!(symbol_type, SymbolType::Int | SymbolType::Hex) {
            return;
        }
        let Some((low, high)) = self.range(symbol) else { return };
        let base = number::base(symbol_type, 10);
        let value = self.slot(symbol).text.as_deref().map_or(0, |text| number::value(text, base));
        let limit = if value < self.limit(low, base) {
            low
        } else if value > self.limit(high, base) {
            high
        } else {
            return;
        };
        let text = if self.kconfig.dialect().limits_as_written {
            self.slot(limit).text.clone()
        } else {
            let number = self.limit(limit, base);
            let hex = symbol_type == SymbolType::Hex;
            Some(if hex { format!("{number:#x}") } else { number.to_string() }.into())
        };
        self.slot_mut(symbol).text = text;
    }

    fn any(&mut self, exprs: impl Iterator<Item = ExprId>) -> Tristate {
        let mut value = Tristate::No;
        for expr in exprs {
            value = value.max(self.expr(expr));
        }
        value
    }

    /// Computes how far the user, the dependencies and others let a symbol go.
    pub(super) fn visibility(&mut self, symbol: SymbolId) {
        let kconfig = self.kconfig;
        let own = kconfig.symbol(symbol);
        let valued = self.valued_choices();
        let mut visible = Tristate::No;
        for property in &own.properties {
            let property = kconfig.property(*property);
            if !matches!(property.kind, PropertyKind::Prompt(_)) {
                continue;
            }
            let mut value = self.expr(property.effective);
            // Where the choice is y, only members that can be y can be chosen.
            if let Some(choice) = own.choice
                && valued
                && own.symbol_type == SymbolType::Tristate
                && value == Tristate::Mod
                && self.slot(choice).value == Tristate::Yes
            {
                value = Tristate::No;
            }
            visible = visible.max(value);
        }
        let no_modules = self.state.modules == Tristate::No;
        if visible == Tristate::Mod && (own.symbol_type != SymbolType::Tristate || no_modules) {
            visible = Tristate::Yes;
        }
        self.slot_mut(symbol).visible = visible;
        if own.choice.is_some() {
            return;
        }
        let direct = match own.direct.as_slice() {
            [] => Tristate::Yes,
            direct => self.any(direct.iter().copied()),
        };
        let reverse = self.any(own.selected_by.iter().map(|reverse| reverse.term));
        let bounded = kconfig.dialect().implied_is_bounded;
        let implied = match bounded || direct != Tristate::No {
            true => self.any(own.implied_by.iter().map(|reverse| reverse.term)),
            false => Tristate::No,
        };
        let bool_now = self.effective_type(symbol) == SymbolType::Bool;
        let adapt = |value| match value {
            Tristate::Mod if bool_now => Tristate::Yes,
            value => value,
        };
        let slot = self.slot_mut(symbol);
        (slot.direct, slot.reverse, slot.implied) = (adapt(direct), adapt(reverse), adapt(implied));
    }
}
