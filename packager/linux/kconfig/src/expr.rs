//! Expressions: the conditions and values of the language, each distinct one stored once.

use std::fmt;

use rustc_hash::FxHashMap;

use crate::model::{Kconfig, SymbolId, SymbolKind};

/// An expression of a [`Kconfig`]. Equal expressions have equal identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub(crate) u32);

impl ExprId {
    /// The constant `n`.
    pub const NO: Self = Self(0);
    /// The constant `m`.
    pub const MOD: Self = Self(1);
    /// The constant `y`; also what stands for "no condition".
    pub const YES: Self = Self(2);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl Comparison {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        }
    }

    /// The comparison that holds when this one does not.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Equal => Self::Unequal,
            Self::Unequal => Self::Equal,
            Self::Less => Self::GreaterEqual,
            Self::LessEqual => Self::Greater,
            Self::Greater => Self::LessEqual,
            Self::GreaterEqual => Self::Less,
        }
    }
}

/// One node of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expr {
    /// The value of a symbol or of a constant.
    Symbol(SymbolId),
    /// `!a`: y for n, m for m, n for y.
    Not(ExprId),
    /// `a && b`: the smaller of the two.
    And(ExprId, ExprId),
    /// `a || b`: the greater of the two.
    Or(ExprId, ExprId),
    /// `a = b` and its kin: y or n.
    Compare(Comparison, SymbolId, SymbolId),
}

/// All expressions of a [`Kconfig`].
#[derive(Debug)]
pub(crate) struct Exprs {
    nodes: Vec<Expr>,
    /// Number of leaves, saturating: bounds what the simplifier looks at.
    leaves: Vec<u32>,
    index: FxHashMap<Expr, ExprId>,
}

impl Exprs {
    pub(crate) fn new() -> Self {
        let mut exprs = Self { nodes: Vec::new(), leaves: Vec::new(), index: FxHashMap::default() };
        for constant in [SymbolId::NO, SymbolId::MOD, SymbolId::YES] {
            exprs.symbol(constant);
        }
        exprs
    }

    pub(crate) fn get(&self, id: ExprId) -> Expr {
        self.nodes[id.index()]
    }

    pub(crate) fn leaves(&self, id: ExprId) -> u32 {
        self.leaves[id.index()]
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn intern(&mut self, expr: Expr) -> ExprId {
        if let Some(id) = self.index.get(&expr) {
            return *id;
        }
        let leaves = match expr {
            Expr::Symbol(_) | Expr::Compare(..) => 1,
            Expr::Not(a) => self.leaves(a),
            Expr::And(a, b) | Expr::Or(a, b) => self.leaves(a).saturating_add(self.leaves(b)),
        };
        let id = ExprId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(expr);
        self.leaves.push(leaves);
        self.index.insert(expr, id);
        id
    }

    pub(crate) fn symbol(&mut self, symbol: SymbolId) -> ExprId {
        self.intern(Expr::Symbol(symbol))
    }

    pub(crate) fn not(&mut self, a: ExprId) -> ExprId {
        self.intern(Expr::Not(a))
    }

    /// `a && b`, where `y` stands for "no condition".
    pub(crate) fn and(&mut self, a: ExprId, b: ExprId) -> ExprId {
        match (a, b) {
            (ExprId::YES, other) | (other, ExprId::YES) => other,
            _ => self.intern(Expr::And(a, b)),
        }
    }

    pub(crate) fn or(&mut self, a: ExprId, b: ExprId) -> ExprId {
        self.intern(Expr::Or(a, b))
    }

    pub(crate) fn compare(&mut self, how: Comparison, a: SymbolId, b: SymbolId) -> ExprId {
        self.intern(Expr::Compare(how, a, b))
    }
}

/// How tightly a node binds, so that parentheses stand only where they are needed.
fn strength(expr: Expr) -> u8 {
    match expr {
        Expr::Or(..) => 0,
        Expr::And(..) => 1,
        Expr::Not(_) => 2,
        Expr::Compare(..) | Expr::Symbol(_) => 3,
    }
}

/// An expression as text in the language's own syntax.
pub struct DisplayExpr<'k> {
    pub(crate) kconfig: &'k Kconfig,
    pub(crate) expr: ExprId,
}

impl DisplayExpr<'_> {
    fn symbol(&self, f: &mut fmt::Formatter<'_>, symbol: SymbolId) -> fmt::Result {
        let symbol = self.kconfig.symbol(symbol);
        match symbol.kind {
            SymbolKind::Choice if symbol.name.is_empty() => f.write_str("<choice>"),
            SymbolKind::Quoted => {
                let escaped = symbol.name.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "\"{escaped}\"")
            }
            _ => f.write_str(&symbol.name),
        }
    }

    fn node(&self, f: &mut fmt::Formatter<'_>, id: ExprId, around: u8) -> fmt::Result {
        let expr = self.kconfig.expr(id);
        let own = strength(expr);
        if own < around {
            f.write_str("(")?;
        }
        match expr {
            Expr::Symbol(symbol) => self.symbol(f, symbol)?,
            Expr::Compare(how, a, b) => {
                self.symbol(f, a)?;
                f.write_str(how.as_str())?;
                self.symbol(f, b)?;
            }
            Expr::Not(a) => {
                f.write_str("!")?;
                crate::deep(|| self.node(f, a, own))?;
            }
            Expr::And(a, b) | Expr::Or(a, b) => {
                crate::deep(|| self.node(f, a, own))?;
                f.write_str(if matches!(expr, Expr::And(..)) { " && " } else { " || " })?;
                crate::deep(|| self.node(f, b, own))?;
            }
        }
        if own < around { f.write_str(")") } else { Ok(()) }
    }
}

impl fmt::Display for DisplayExpr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node(f, self.expr, 0)
    }
}
