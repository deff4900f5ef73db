//! Leaves that say the same, or together say something shorter.

use super::{Junction, Scope, same};
use crate::expr::{Comparison, Expr, ExprId, Exprs};
use crate::model::{SymbolId, SymbolType};

/// Comparisons of a bool symbol with y, m and n.
pub(super) fn logic_comparison(
    scope: &mut Scope<'_>,
    how: Comparison,
    a: SymbolId,
    b: SymbolId,
) -> Option<ExprId> {
    if scope.symbol_type(a) != SymbolType::Bool {
        return None;
    }
    let equal = match how {
        Comparison::Equal => true,
        Comparison::Unequal => false,
        _ => return None,
    };
    let symbol = scope.exprs.symbol(a);
    match (b, equal) {
        (SymbolId::YES, true) | (SymbolId::NO, false) => Some(symbol),
        (SymbolId::YES, false) | (SymbolId::NO, true) => Some(scope.exprs.not(symbol)),
        (SymbolId::MOD, true) => Some(ExprId::NO),
        (SymbolId::MOD, false) => Some(ExprId::YES),
        _ => None,
    }
}

/// The symbol that a leaf is about, `None` for other expressions; comparisons by order are not
/// leaves here.
fn subject(exprs: &Exprs, expr: ExprId) -> Option<SymbolId> {
    match exprs.get(expr) {
        Expr::Symbol(symbol)
        | Expr::Compare(Comparison::Equal | Comparison::Unequal, symbol, _) => Some(symbol),
        Expr::Not(inner) => match exprs.get(inner) {
            Expr::Symbol(symbol) => Some(symbol),
            _ => None,
        },
        _ => None,
    }
}

/// One expression in place of two operands, if there is one.
pub(super) fn joined(scope: &mut Scope<'_>, how: Junction, a: ExprId, b: ExprId) -> Option<ExprId> {
    if same(scope, a, b) {
        return Some(a);
    }
    let symbol =
        subject(scope.exprs, a).filter(|symbol| subject(scope.exprs, b) == Some(*symbol))?;
    let symbol_type = scope.symbol_type(symbol);
    if !symbol_type.is_logic() {
        return None;
    }
    let (first, second) = (scope.exprs.get(a), scope.exprs.get(b));
    match how {
        Junction::Or => joined_by_or(scope, symbol, first, second),
        Junction::And => joined_by_and(scope, symbol, first, second)
            .or_else(|| joined_by_and(scope, symbol, second, first)),
    }
}

/// `a = y || a = m` and its kin: all but the third value. `a || !a` of a bool: always.
fn joined_by_or(scope: &mut Scope<'_>, symbol: SymbolId, a: Expr, b: Expr) -> Option<ExprId> {
    use Comparison::{Equal, Unequal};
    match (scope.symbol_type(symbol), a, b) {
        (SymbolType::Tristate, Expr::Compare(Equal, _, x), Expr::Compare(Equal, _, y)) => {
            let values = [SymbolId::NO, SymbolId::MOD, SymbolId::YES];
            if x == y || !values.contains(&x) || !values.contains(&y) {
                return None;
            }
            let third = values.into_iter().find(|value| *value != x && *value != y)?;
            Some(scope.exprs.compare(Unequal, symbol, third))
        }
        (SymbolType::Bool, Expr::Not(_), Expr::Symbol(_))
        | (SymbolType::Bool, Expr::Symbol(_), Expr::Not(_)) => Some(ExprId::YES),
        _ => None,
    }
}

/// Pairs in which one operand says all.
fn joined_by_and(scope: &mut Scope<'_>, symbol: SymbolId, a: Expr, b: Expr) -> Option<ExprId> {
    use Comparison::{Equal, Unequal};
    let tristate = scope.symbol_type(symbol) == SymbolType::Tristate;
    match (a, b) {
        (Expr::Symbol(_), Expr::Compare(Equal, _, SymbolId::YES))
        | (Expr::Symbol(_), Expr::Compare(Unequal, _, SymbolId::MOD)) => {
            Some(scope.exprs.compare(Equal, symbol, SymbolId::YES))
        }
        (Expr::Symbol(_), Expr::Compare(Unequal, _, SymbolId::NO)) => {
            Some(scope.exprs.symbol(symbol))
        }
        (Expr::Compare(Equal, _, x), Expr::Compare(Unequal, _, y))
            if tristate && scope.is_constant(x) && scope.is_constant(y) =>
        {
            Some(if x == y { ExprId::NO } else { scope.exprs.compare(Equal, symbol, x) })
        }
        (Expr::Compare(Unequal, _, x), Expr::Compare(Unequal, _, y)) if tristate && x != y => {
            let values = [SymbolId::NO, SymbolId::MOD, SymbolId::YES];
            if !values.contains(&x) || !values.contains(&y) {
                return None;
            }
            let third = values.into_iter().find(|value| *value != x && *value != y)?;
            Some(scope.exprs.compare(Equal, symbol, third))
        }
        _ => None,
    }
}
