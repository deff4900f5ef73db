//! Which member of a choice is chosen, in both generations of the language.

use crate::dialect::Choices;
use crate::expr::Expr;
use crate::model::{MenuId, PropertyKind, SymbolId, Tristate};

use super::eval::Eval;

impl Eval<'_> {
    /// What remains to be done for a choice after its own value is known.
    pub(super) fn finish_choice(&mut self, choice: SymbolId) {
        if self.kconfig.dialect().choices == Choices::Exclusive {
            self.slot_mut(choice).write = false;
            return;
        }
        self.slot_mut(choice).chosen = None;
        if self.slot(choice).value == Tristate::Yes {
            let chosen = self.choose_valued(choice);
            self.slot_mut(choice).chosen = chosen;
        }
        if self.slot(choice).write {
            for member in &self.kconfig.symbol(choice).members {
                let member = self.slot_mut(*member);
                member.write |= member.visible != Tristate::No;
            }
        }
        self.slot_mut(choice).write = false;
        if self.slot(choice).spread {
            self.spread(choice);
        }
    }

    /// The chosen member of a choice that is y (up to Linux 6.10).
    fn choose_valued(&mut self, choice: SymbolId) -> Option<SymbolId> {
        let kconfig = self.kconfig;
        // The user has made a choice only if he has said something about each visible member.
        let mut complete = true;
        for member in &kconfig.symbol(choice).members {
            self.visibility(*member);
            let member = self.slot(*member);
            complete &= member.visible == Tristate::No || member.user.set;
        }
        self.slot_mut(choice).user.set &= complete;
        let wanted = self.slot(choice).user.chosen;
        let visible = |member: &SymbolId| self.slot(*member).visible != Tristate::No;
        let chosen = match wanted.filter(visible) {
            Some(member) => Some(member),
            None => self.default_member(choice, &kconfig.symbol(choice).members),
        };
        if chosen.is_none() {
            self.slot_mut(choice).value = Tristate::No;
        }
        chosen
    }

    /// The first default that is visible, else the first member that is.
    fn default_member(&mut self, choice: SymbolId, members: &[SymbolId]) -> Option<SymbolId> {
        let kconfig = self.kconfig;
        for property in &kconfig.symbol(choice).properties {
            let property = kconfig.property(*property);
            let PropertyKind::Default(value) = property.kind else { continue };
            if self.expr(property.effective) == Tristate::No {
                continue;
            }
            if let Expr::Symbol(member) = kconfig.expr(value)
                && self.slot(member).visible != Tristate::No
            {
                return Some(member);
            }
        }
        members.iter().copied().find(|member| self.slot(*member).visible != Tristate::No)
    }

    /// Treats what the user has not said about the members of a choice as n.
    pub(super) fn spread(&mut self, choice: SymbolId) {
        for member in &self.kconfig.symbol(choice).members {
            let member = self.slot_mut(*member);
            if !member.user.set {
                member.user.value = Tristate::No;
            }
        }
        let slot = self.slot_mut(choice);
        slot.user.set = true;
        slot.spread = false;
        self.forget_one(choice);
    }

    /// Gives the visible members of a choice their values (since Linux 6.11).
    pub(super) fn choose_exclusive(&mut self, choice: SymbolId) {
        let members = self.state.priorities.get(&choice).cloned().unwrap_or_default();
        let entries = self.entries(choice);
        let chosen = self.exclusive(choice, &members, &entries);
        for member in entries {
            let forced = self.state.forced.contains_key(&member);
            if forced || self.slot(member).visible == Tristate::No {
                continue;
            }
            let value = if Some(member) == chosen { Tristate::Yes } else { Tristate::No };
            self.settle(member, value);
        }
    }

    /// `members` in the order of what the user said last, `entries` in that of the menu.
    fn exclusive(
        &mut self,
        choice: SymbolId,
        members: &[SymbolId],
        entries: &[SymbolId],
    ) -> Option<SymbolId> {
        for member in members {
            self.visibility(*member);
            let slot = self.slot(*member);
            let wanted = slot.user.set && slot.user.value == Tristate::Yes;
            if slot.visible != Tristate::No && wanted {
                return Some(*member);
            }
        }
        let said = |eval: &Self, member: SymbolId| eval.slot(member).user.set;
        let visible = |eval: &Self, member: SymbolId| eval.slot(member).visible != Tristate::No;
        let default = self.default_member(choice, entries).filter(|member| {
            let user = &self.slot(*member).user;
            !(user.set && user.value == Tristate::No)
        });
        default
            .or_else(|| {
                let mut open = entries.iter().copied();
                open.find(|member| visible(self, *member) && !said(self, *member))
            })
            // All were refused: the one that was refused first is the least unwelcome.
            .or_else(|| members.iter().rev().copied().find(|member| visible(self, *member)))
    }

    /// The symbols in a choice, in the order of the menu.
    fn entries(&self, choice: SymbolId) -> Vec<SymbolId> {
        let mut symbols = Vec::new();
        for menu in &self.kconfig.symbol(choice).menus {
            self.collect(*menu, &mut symbols);
        }
        symbols
    }

    fn collect(&self, menu: MenuId, symbols: &mut Vec<SymbolId>) {
        for child in self.kconfig.children(menu) {
            symbols.extend(self.kconfig.menu(child).symbol);
            crate::deep(|| self.collect(child, symbols));
        }
    }
}
