//! Equivalent, shorter expressions, and the comparisons that decide what stands below what in the
//! menu.
//!
//! Values never change, whatever the values of the symbols: dropping a duplicate or an operand that
//! another one implies is safe in three-valued logic, too, as long as types are respected.

use rustc_hash::FxHashMap;

use crate::expr::{Comparison, Expr, ExprId, Exprs};
use crate::model::{Symbol, SymbolId, SymbolKind, SymbolType};

mod join;

use join::{joined, logic_comparison};

/// Expressions with more operands are left as they are: comparing each with each takes too long.
const MAX_OPERANDS: u32 = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Junction {
    And,
    Or,
}

impl Junction {
    fn of(expr: Expr) -> Option<(Self, ExprId, ExprId)> {
        match expr {
            Expr::And(a, b) => Some((Self::And, a, b)),
            Expr::Or(a, b) => Some((Self::Or, a, b)),
            _ => None,
        }
    }

    /// What leaves the value of the other operand as it is.
    fn neutral(self) -> ExprId {
        match self {
            Self::And => ExprId::YES,
            Self::Or => ExprId::NO,
        }
    }

    /// What decides the value whatever the other operand is.
    fn absorbing(self) -> ExprId {
        match self {
            Self::And => ExprId::NO,
            Self::Or => ExprId::YES,
        }
    }
}

/// Simplifies; remembers what it has done.
#[derive(Debug, Default)]
pub(crate) struct Simplifier {
    transformed: FxHashMap<ExprId, ExprId>,
    reduced: FxHashMap<ExprId, ExprId>,
    without_m: FxHashMap<ExprId, ExprId>,
}

/// What the simplifier works on.
pub(crate) struct Scope<'a> {
    pub(crate) exprs: &'a mut Exprs,
    pub(crate) symbols: &'a [Symbol],
}

impl Scope<'_> {
    fn symbol_type(&self, symbol: SymbolId) -> SymbolType {
        self.symbols[symbol.index()].symbol_type
    }

    fn is_constant(&self, symbol: SymbolId) -> bool {
        matches!(self.symbols[symbol.index()].kind, SymbolKind::Constant | SymbolKind::Quoted)
    }

    fn join(&mut self, how: Junction, a: ExprId, b: ExprId) -> ExprId {
        match how {
            Junction::And => self.exprs.intern(Expr::And(a, b)),
            Junction::Or => self.exprs.intern(Expr::Or(a, b)),
        }
    }

    fn too_large(&self, expr: ExprId) -> bool {
        self.exprs.leaves(expr) > MAX_OPERANDS
    }
}

impl Simplifier {
    /// Writes `m` as `m && MODULES`, so that it is n without modules.
    pub(crate) fn restrict_m(
        &mut self,
        scope: &mut Scope<'_>,
        expr: ExprId,
        modules: SymbolId,
    ) -> ExprId {
        if let Some(done) = self.without_m.get(&expr) {
            return *done;
        }
        let result = match scope.exprs.get(expr) {
            Expr::Symbol(SymbolId::MOD) => {
                let modules = scope.exprs.symbol(modules);
                scope.exprs.intern(Expr::And(expr, modules))
            }
            Expr::Not(a) => {
                let a = crate::deep(|| self.restrict_m(scope, a, modules));
                scope.exprs.not(a)
            }
            node => match Junction::of(node) {
                Some((how, a, b)) => {
                    let a = crate::deep(|| self.restrict_m(scope, a, modules));
                    let b = crate::deep(|| self.restrict_m(scope, b, modules));
                    scope.join(how, a, b)
                }
                None => expr,
            },
        };
        self.without_m.insert(expr, result);
        result
    }

    /// Pushes negations to the leaves and simplifies comparisons with y, m and n.
    pub(crate) fn transform(&mut self, scope: &mut Scope<'_>, expr: ExprId) -> ExprId {
        if let Some(done) = self.transformed.get(&expr) {
            return *done;
        }
        let result = match scope.exprs.get(expr) {
            Expr::Not(inner) => {
                let inner = crate::deep(|| self.transform(scope, inner));
                self.negate(scope, inner)
            }
            Expr::Compare(how, a, b) => logic_comparison(scope, how, a, b).unwrap_or(expr),
            node => match Junction::of(node) {
                Some((how, a, b)) => {
                    let a = crate::deep(|| self.transform(scope, a));
                    let b = crate::deep(|| self.transform(scope, b));
                    scope.join(how, a, b)
                }
                None => expr,
            },
        };
        self.transformed.insert(expr, result);
        result
    }

    /// The negation of an expression whose own negations are at its leaves.
    fn negate(&mut self, scope: &mut Scope<'_>, expr: ExprId) -> ExprId {
        match scope.exprs.get(expr) {
            Expr::Not(inner) => inner,
            Expr::Symbol(SymbolId::YES) => ExprId::NO,
            Expr::Symbol(SymbolId::MOD) => ExprId::MOD,
            Expr::Symbol(SymbolId::NO) => ExprId::YES,
            Expr::Symbol(_) => scope.exprs.not(expr),
            Expr::Compare(how, a, b) => {
                let compare = scope.exprs.compare(how.negated(), a, b);
                self.transform(scope, compare)
            }
            Expr::And(a, b) => {
                let a = crate::deep(|| self.negate(scope, a));
                let b = crate::deep(|| self.negate(scope, b));
                scope.join(Junction::Or, a, b)
            }
            Expr::Or(a, b) => {
                let a = crate::deep(|| self.negate(scope, a));
                let b = crate::deep(|| self.negate(scope, b));
                scope.join(Junction::And, a, b)
            }
        }
    }

    /// Drops operands that are there twice or that others imply.
    pub(crate) fn reduce(&mut self, scope: &mut Scope<'_>, expr: ExprId) -> ExprId {
        if scope.too_large(expr) {
            return expr;
        }
        if let Some(done) = self.reduced.get(&expr) {
            return *done;
        }
        let mut result = expr;
        loop {
            let mut changed = false;
            if let Some((how, a, b)) = Junction::of(scope.exprs.get(result)) {
                let mut a = crate::deep(|| self.reduce(scope, a));
                let mut b = crate::deep(|| self.reduce(scope, b));
                changed = merge(scope, how, &mut a, &mut b);
                result = scope.join(how, a, b);
            }
            result = without_constants(scope, result);
            if !changed {
                break;
            }
        }
        self.reduced.insert(expr, result);
        result
    }

    /// `transform` and `reduce`.
    pub(crate) fn simplify(&mut self, scope: &mut Scope<'_>, expr: ExprId) -> ExprId {
        let expr = self.transform(scope, expr);
        self.reduce(scope, expr)
    }

    /// Whether `dependency`, which mentions `symbol`, makes something a part of `symbol`'s menu:
    /// either it needs the symbol, or it needs all that the symbol itself does (`base`, made by
    /// [`Simplifier::presence`]).
    pub(crate) fn belongs_below(
        &mut self,
        scope: &mut Scope<'_>,
        dependency: ExprId,
        symbol: SymbolId,
        base: ExprId,
    ) -> bool {
        if needs(scope.exprs, dependency, symbol) {
            return true;
        }
        if scope.too_large(dependency) || scope.too_large(base) {
            return false;
        }
        let mut dependency = self.presence(scope, dependency);
        let mut base = base;
        cancel(scope, &mut dependency, &mut base);
        base == ExprId::YES
    }

    /// "The expression is not n", simplified.
    pub(crate) fn presence(&mut self, scope: &mut Scope<'_>, expr: ExprId) -> ExprId {
        let present = compare_with_no(scope, expr, false);
        self.simplify(scope, present)
    }
}

/// Drops y and n where they decide nothing or everything.
fn without_constants(scope: &mut Scope<'_>, expr: ExprId) -> ExprId {
    let Some((how, a, b)) = Junction::of(scope.exprs.get(expr)) else { return expr };
    let a = crate::deep(|| without_constants(scope, a));
    let b = crate::deep(|| without_constants(scope, b));
    match (a, b) {
        (x, _) | (_, x) if x == how.absorbing() => x,
        (neutral, other) | (other, neutral) if neutral == how.neutral() => other,
        _ => scope.join(how, a, b),
    }
}

/// Compares each operand of `a` with each of `b`; where two become one, it stays in `b`.
fn merge(scope: &mut Scope<'_>, how: Junction, a: &mut ExprId, b: &mut ExprId) -> bool {
    for (whole, other, first) in [(*a, *b, true), (*b, *a, false)] {
        let Some((inner, mut x, mut y)) = Junction::of(scope.exprs.get(whole)) else { continue };
        if inner != how {
            continue;
        }
        let mut other = other;
        let changed = crate::deep(|| {
            if first {
                merge(scope, how, &mut x, &mut other) | merge(scope, how, &mut y, &mut other)
            } else {
                merge(scope, how, &mut other, &mut x) | merge(scope, how, &mut other, &mut y)
            }
        });
        let whole = scope.join(how, x, y);
        (*a, *b) = if first { (whole, other) } else { (other, whole) };
        return changed;
    }
    match joined(scope, how, *a, *b) {
        Some(expr) if *a != how.neutral() => {
            *a = how.neutral();
            *b = expr;
            true
        }
        _ => false,
    }
}

/// Whether two expressions have the same operands, in whatever order.
fn same(scope: &mut Scope<'_>, a: ExprId, b: ExprId) -> bool {
    if a == b {
        return true;
    }
    match (scope.exprs.get(a), scope.exprs.get(b)) {
        (Expr::Not(a), Expr::Not(b)) => crate::deep(|| same(scope, a, b)),
        (Expr::And(..), Expr::And(..)) | (Expr::Or(..), Expr::Or(..)) => {
            let (mut a, mut b) = (a, b);
            crate::deep(|| cancel(scope, &mut a, &mut b));
            a == b && matches!(scope.exprs.get(a), Expr::Symbol(_))
        }
        _ => false,
    }
}

/// Removes operands that both expressions have at the same level.
fn cancel(scope: &mut Scope<'_>, a: &mut ExprId, b: &mut ExprId) {
    let first = Junction::of(scope.exprs.get(*a)).map(|(how, ..)| how);
    if let Some(how) = first {
        cancel_operands(scope, how, a, b);
    }
    let (now, second) = (Junction::of(scope.exprs.get(*a)), Junction::of(scope.exprs.get(*b)));
    if let Some((how, ..)) = second
        && now.map(|(how, ..)| how) != Some(how)
    {
        cancel_operands(scope, how, a, b);
    }
    *a = without_constants(scope, *a);
    *b = without_constants(scope, *b);
}

fn cancel_operands(scope: &mut Scope<'_>, how: Junction, a: &mut ExprId, b: &mut ExprId) {
    for swap in [false, true] {
        let (whole, other) = if swap { (&mut *b, &mut *a) } else { (&mut *a, &mut *b) };
        let Some((inner, mut x, mut y)) = Junction::of(scope.exprs.get(*whole)) else { continue };
        if inner != how {
            continue;
        }
        crate::deep(|| {
            for part in [&mut x, &mut y] {
                if swap {
                    cancel_operands(scope, how, other, part);
                } else {
                    cancel_operands(scope, how, part, other);
                }
            }
        });
        *whole = scope.join(how, x, y);
        return;
    }
    let constant = a == b && matches!(*a, ExprId::YES | ExprId::NO);
    if !constant && same(scope, *a, *b) {
        *a = how.neutral();
        *b = how.neutral();
    }
}

/// "The expression is n".
pub(crate) fn is_no(scope: &mut Scope<'_>, expr: ExprId) -> ExprId {
    compare_with_no(scope, expr, true)
}

/// "The expression is n" or "is not n", leaf by leaf.
fn compare_with_no(scope: &mut Scope<'_>, expr: ExprId, equal: bool) -> ExprId {
    match scope.exprs.get(expr) {
        Expr::Symbol(symbol) => {
            let how = if equal { Comparison::Equal } else { Comparison::Unequal };
            if symbol == SymbolId::YES {
                return if equal { ExprId::NO } else { ExprId::YES };
            }
            scope.exprs.compare(how, symbol, SymbolId::NO)
        }
        Expr::Compare(..) if equal => scope.exprs.not(expr),
        Expr::Compare(..) => expr,
        Expr::Not(inner) => crate::deep(|| compare_with_no(scope, inner, !equal)),
        node => {
            let Some((how, a, b)) = Junction::of(node) else { return expr };
            let a = crate::deep(|| compare_with_no(scope, a, true));
            let b = crate::deep(|| compare_with_no(scope, b, true));
            let dual = if how == Junction::And { Junction::Or } else { Junction::And };
            let is_no = scope.join(dual, a, b);
            if equal { is_no } else { scope.exprs.not(is_no) }
        }
    }
}

/// The expression with `X` in place of `X!=n` for tristate symbols.
pub(crate) fn without_presence(scope: &mut Scope<'_>, expr: ExprId) -> ExprId {
    match scope.exprs.get(expr) {
        Expr::Compare(Comparison::Unequal, symbol, SymbolId::NO)
            if scope.symbol_type(symbol) == SymbolType::Tristate =>
        {
            scope.exprs.symbol(symbol)
        }
        Expr::Not(inner) => {
            let inner = crate::deep(|| without_presence(scope, inner));
            scope.exprs.not(inner)
        }
        node => match Junction::of(node) {
            Some((how, a, b)) => {
                let a = crate::deep(|| without_presence(scope, a));
                let b = crate::deep(|| without_presence(scope, b));
                scope.join(how, a, b)
            }
            None => expr,
        },
    }
}

/// Whether an expression mentions a symbol.
pub(crate) fn mentions(exprs: &Exprs, expr: ExprId, symbol: SymbolId) -> bool {
    match exprs.get(expr) {
        Expr::Symbol(leaf) => leaf == symbol,
        Expr::Compare(_, a, b) => a == symbol || b == symbol,
        Expr::Not(a) => crate::deep(|| mentions(exprs, a, symbol)),
        Expr::And(a, b) | Expr::Or(a, b) => {
            crate::deep(|| mentions(exprs, a, symbol) || mentions(exprs, b, symbol))
        }
    }
}

/// Whether an expression is n whenever the symbol is.
fn needs(exprs: &Exprs, expr: ExprId, symbol: SymbolId) -> bool {
    match exprs.get(expr) {
        Expr::Symbol(leaf) => leaf == symbol,
        Expr::And(a, b) => crate::deep(|| needs(exprs, a, symbol) || needs(exprs, b, symbol)),
        Expr::Compare(Comparison::Equal, a, b) => {
            a == symbol && matches!(b, SymbolId::YES | SymbolId::MOD)
        }
        Expr::Compare(Comparison::Unequal, a, b) => a == symbol && b == SymbolId::NO,
        _ => false,
    }
}
