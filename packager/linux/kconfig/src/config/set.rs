//! Single settings.

use std::fmt;
use std::sync::Arc;

use l4re_packager_base::{Diagnostic, Failure};

use super::eval::{Eval, Forced};
use super::input::{Parsed, parse};
use super::{Config, Value};
use crate::dialect::Choices;
use crate::model::{SymbolId, SymbolType, Tristate};
use crate::number;

/// Why a symbol cannot be set to a value at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSettable {
    /// The text is no value of the symbol's type.
    NotAValue(SymbolType),
    /// The user cannot set it: no prompt is visible.
    Invisible,
    /// It must be at least this: something selects it.
    Selected(Tristate),
    /// It can be this at most: its prompt's conditions.
    Limited(Tristate),
    /// The number is outside the range (lowest, highest).
    OutOfRange(i64, i64),
    /// A member of a choice is switched off by choosing another one.
    ChoiceMember,
}

impl fmt::Display for NotSettable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAValue(symbol_type) => {
                write!(f, "not a value of type {}", symbol_type.as_str())
            }
            Self::Invisible => f.write_str("no prompt of the symbol is visible"),
            Self::Selected(least) => write!(f, "something selects it: it is at least {least}"),
            Self::Limited(most) => write!(f, "its dependencies allow {most} at most"),
            Self::OutOfRange(low, high) => write!(f, "outside the range from {low} to {high}"),
            Self::ChoiceMember => {
                f.write_str("a member of a choice is switched off by choosing another one")
            }
        }
    }
}

impl std::error::Error for NotSettable {}

impl Config<'_> {
    /// Sets a symbol as a user of menuconfig does. `value` is as in a `.config`, strings without
    /// quotes.
    ///
    /// # Errors
    ///
    /// [`NotSettable`] if the value cannot be chosen at present; nothing changes then.
    /// [`Config::why`] has the details.
    pub fn set(&mut self, symbol: SymbolId, value: &str) -> Result<(), NotSettable> {
        let symbol_type = self.type_of(symbol);
        self.eval(|eval| match symbol_type {
            SymbolType::Bool | SymbolType::Tristate => {
                let wanted = match value {
                    "n" => Tristate::No,
                    "m" if symbol_type == SymbolType::Tristate => Tristate::Mod,
                    "y" => Tristate::Yes,
                    _ => return Err(NotSettable::NotAValue(symbol_type)),
                };
                eval.set_logic(symbol, wanted)
            }
            _ => eval.set_text(symbol, value),
        })
    }

    /// Takes a value as a line of a `.config` gives it: it counts as far as, and as soon as, the
    /// rules allow. Strings without quotes.
    ///
    /// # Errors
    ///
    /// [`NotSettable::NotAValue`] if the text is no value of the symbol's type.
    pub fn request(&mut self, symbol: SymbolId, value: &str) -> Result<(), NotSettable> {
        let symbol_type = self.type_of(symbol);
        let parsed = match symbol_type {
            SymbolType::String => Some(Parsed::Text(value.into())),
            _ => parse(symbol_type, value),
        };
        let parsed = parsed.ok_or(NotSettable::NotAValue(symbol_type))?;
        self.eval(|eval| {
            eval.assign(symbol, parsed);
            eval.invalidate();
        });
        Ok(())
    }

    /// Gives a symbol a value that wins over every rule and range, until [`Config::unforce`]. It
    /// stays when a preset or `.config` is read, and is one of [`Config::findings`].
    ///
    /// # Errors
    ///
    /// [`Failure`] if the text is no value of the symbol's type.
    pub fn force(&mut self, symbol: SymbolId, value: &str) -> Result<(), Failure> {
        let symbol_type = self.type_of(symbol);
        let forced = match (symbol_type, value) {
            (SymbolType::Bool | SymbolType::Tristate, "n") => Some((Tristate::No, None)),
            (SymbolType::Tristate, "m") => Some((Tristate::Mod, None)),
            (SymbolType::Bool | SymbolType::Tristate, "y") => Some((Tristate::Yes, None)),
            (SymbolType::Bool | SymbolType::Tristate, _) => None,
            _ => number::is_valid(symbol_type, value).then(|| (Tristate::No, Some(value.into()))),
        };
        let Some((logic, text)) = forced else {
            let name = &self.kconfig.symbol(symbol).name;
            let what = format!("cannot force CONFIG_{name}={value}");
            let help = format!("it is of type {}", symbol_type.as_str());
            return Err(Diagnostic::error("kconfig-force", what).help(help).into());
        };
        self.eval(|eval| {
            eval.state.forced.insert(symbol, Forced { value: logic, text });
            eval.invalidate();
        });
        Ok(())
    }

    /// Lets the rules decide about a symbol again.
    pub fn unforce(&mut self, symbol: SymbolId) {
        self.eval(|eval| {
            eval.state.forced.remove(&symbol);
            eval.invalidate();
        });
    }

    /// The forced values, sorted by symbol.
    pub fn forced(&self) -> Vec<(SymbolId, Value)> {
        let state = self.state.borrow();
        let mut forced: Vec<_> = state
            .forced
            .iter()
            .map(|(symbol, forced)| {
                let value = match &forced.text {
                    Some(text) => Value::Text(Arc::clone(text)),
                    None => Value::Logic(forced.value),
                };
                (*symbol, value)
            })
            .collect();
        forced.sort_by_key(|(symbol, _)| *symbol);
        forced
    }

    /// What the user has said about a symbol, whether or not it has an effect.
    pub fn user_value(&self, symbol: SymbolId) -> Option<Value> {
        let state = self.state.borrow();
        let user = &state.slots[symbol.index()].user;
        if !user.set {
            return None;
        }
        if self.type_of(symbol).is_logic() {
            return Some(Value::Logic(user.value));
        }
        user.text.clone().map(Value::Text)
    }
}

impl Eval<'_> {
    fn set_logic(&mut self, symbol: SymbolId, wanted: Tristate) -> Result<(), NotSettable> {
        self.calculate(symbol);
        let choice = self.kconfig.symbol(symbol).choice;
        let (visible, reverse) = (self.slot(symbol).visible, self.reverse(symbol));
        let valued = self.kconfig.dialect().choices == Choices::Valued;
        if self.slot(symbol).value != wanted || !valued {
            if visible == Tristate::No {
                return Err(NotSettable::Invisible);
            }
            let bool_now = self.effective_type(symbol) == SymbolType::Bool;
            if wanted == Tristate::Mod && bool_now {
                return Err(NotSettable::NotAValue(SymbolType::Bool));
            }
            if wanted < reverse || visible <= reverse {
                return Err(NotSettable::Selected(reverse));
            }
            if wanted > visible {
                return Err(NotSettable::Limited(visible));
            }
            let unbounded = !self.kconfig.dialect().implied_is_bounded;
            if unbounded && self.slot(symbol).implied == Tristate::Yes && wanted == Tristate::Mod {
                return Err(NotSettable::NotAValue(SymbolType::Bool));
            }
            if choice.is_some() && visible == Tristate::Yes && wanted != Tristate::Yes {
                return Err(NotSettable::ChoiceMember);
            }
        }
        let same = valued && self.slot(symbol).value == wanted;
        let user = &mut self.slot_mut(symbol).user;
        (user.set, user.value) = (true, wanted);
        match choice {
            Some(choice) if wanted == Tristate::Yes => self.choose(choice, symbol, valued),
            _ => {}
        }
        // Up to Linux 6.10 a choice that the input leaves open keeps its value until one changes.
        if !same {
            self.invalidate();
        }
        Ok(())
    }

    /// Makes `member` the chosen one of its choice.
    fn choose(&mut self, choice: SymbolId, member: SymbolId, valued: bool) {
        let members = self.kconfig.symbol(choice).members.clone();
        if valued {
            let user = &mut self.slot_mut(choice).user;
            (user.set, user.chosen) = (true, Some(member));
            for other in members {
                let slot = self.slot_mut(other);
                slot.user.set |= slot.visible != Tristate::No;
            }
            return;
        }
        for other in members {
            let value = if other == member { Tristate::Yes } else { Tristate::No };
            if self.slot(other).visible != Tristate::No {
                self.assign(other, Parsed::Logic(value));
            }
        }
    }

    fn set_text(&mut self, symbol: SymbolId, value: &str) -> Result<(), NotSettable> {
        let symbol_type = self.kconfig.symbol(symbol).symbol_type;
        if !number::is_valid(symbol_type, value) {
            return Err(NotSettable::NotAValue(symbol_type));
        }
        self.calculate(symbol);
        if self.slot(symbol).visible == Tristate::No {
            return Err(NotSettable::Invisible);
        }
        if !self.is_in_range(symbol, value) {
            let base = number::base(symbol_type, 10);
            let limits = self.range(symbol);
            let (low, high) = limits.unwrap_or((SymbolId::NO, SymbolId::NO));
            return Err(NotSettable::OutOfRange(self.limit(low, base), self.limit(high, base)));
        }
        let bare =
            symbol_type == SymbolType::Hex && !value.starts_with("0x") && !value.starts_with("0X");
        let text: Arc<str> = if bare { format!("0x{value}").into() } else { value.into() };
        let user = &mut self.slot_mut(symbol).user;
        (user.set, user.text) = (true, Some(text));
        self.invalidate();
        Ok(())
    }
}
