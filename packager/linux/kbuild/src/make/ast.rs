//! A Makefile as parsed: once for each file, evaluated as often as needed. All texts are still
//! unexpanded.

use std::rc::Rc;

/// How an assignment works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`: expanded where it is used.
    Recursive,
    /// `:=` and `::=`: expanded here.
    Simple,
    /// `+=`.
    Append,
    /// `?=`: only if there is no such variable.
    Default,
    /// `!=`: the output of a shell command.
    Shell,
}

/// `name = value`, or a `define`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The name, unexpanded.
    pub name: Rc<str>,
    /// The operator.
    pub operator: Operator,
    /// The value, unexpanded.
    pub value: Rc<str>,
    /// `override`: also against variables of the command line.
    pub overrides: bool,
    /// `private`: a target-specific value that prerequisites do not inherit.
    pub private: bool,
}

/// What a conditional looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// `ifeq`: both texts are equal.
    Equal(Rc<str>, Rc<str>),
    /// `ifdef`: the variable has a value that is not empty.
    Defined(Rc<str>),
}

/// One branch of a conditional.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The line of the `if…`, counted from 1.
    pub line: u32,
    /// The test and whether it must hold (`ifeq`, `ifdef`) or not (`ifneq`, `ifndef`).
    pub test: Test,
    /// See `test`.
    pub expected: bool,
    /// What it guards.
    pub body: Vec<Statement>,
}

/// A line, or what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The line where it begins, counted from 1.
    pub line: u32,
    /// What it says.
    pub kind: Kind,
}

/// The kinds of statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An assignment.
    Assign(Assignment),
    /// `undefine name`.
    Undefine(Rc<str>),
    /// `ifeq … else … endif`.
    Conditional {
        /// The branches in order.
        branches: Vec<Branch>,
        /// After the last `else`.
        otherwise: Vec<Statement>,
    },
    /// `include`, `-include`, `sinclude`.
    Include {
        /// The names of the files, unexpanded.
        files: Rc<str>,
        /// Whether it is fine that there is no such file.
        optional: bool,
    },
    /// `targets: prerequisites`, or `targets: variable = value`.
    Rule {
        /// The targets, unexpanded.
        targets: Rc<str>,
        /// What stands after the first colon, unexpanded.
        rest: Rc<str>,
        /// The assignment if `rest` is one.
        assignment: Option<Assignment>,
        /// The recipe on the same line, after a semicolon.
        recipe: bool,
    },
    /// A line of a recipe: it belongs to the rule above.
    Recipe,
    /// A line that must expand to nothing (`$(eval …)`, `$(error …)`) or to a rule.
    Expression(Rc<str>),
    /// `export`, `unexport`, `vpath`: nothing that decides what is built.
    Ignored,
}

/// A parsed file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Makefile {
    /// Its statements.
    pub statements: Vec<Statement>,
}
