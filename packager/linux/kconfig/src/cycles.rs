//! Symbols whose value depends on itself.

use std::path::Path;
use std::sync::Arc;

use l4re_packager_base::{Diagnostic, Position};

use crate::builder::Builder;
use crate::expr::{Expr, ExprId};
use crate::model::{PropertyKind, SymbolId, SymbolKind};

/// Most cycles reported; one often shows up in several forms.
const MAX_REPORTED: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    Open,
    Done,
}

/// Why one symbol leads to the next.
#[derive(Debug, Clone, Copy)]
enum Link {
    Depends,
    Selected,
    Implied,
    Visible,
    Default,
    Range,
    Member,
}

impl Link {
    fn describe(self) -> &'static str {
        match self {
            Self::Depends => "depends on",
            Self::Selected => "is selected by",
            Self::Implied => "is implied by",
            Self::Visible => "has a prompt that is visible depending on",
            Self::Default => "has a default with",
            Self::Range => "has a range with",
            Self::Member => "is part of a choice with",
        }
    }
}

/// Reports symbols that depend on themselves.
pub(crate) fn check(build: &mut Builder) {
    let mut search = Search { build, states: Vec::new(), path: Vec::new(), reported: Vec::new() };
    search.states = vec![State::Unknown; search.build.symbols.len()];
    for index in 0..search.states.len() {
        let symbol = SymbolId(u32::try_from(index).unwrap_or(u32::MAX));
        search.symbol(symbol);
        search.path.clear();
    }
    let reported = std::mem::take(&mut search.reported);
    build.report.extend(reported);
}

struct Search<'a> {
    build: &'a Builder,
    states: Vec<State>,
    path: Vec<(SymbolId, Link)>,
    reported: Vec<Diagnostic>,
}

impl Search<'_> {
    /// Follows a symbol; whether it is all right.
    fn symbol(&mut self, symbol: SymbolId) -> bool {
        match self.states[symbol.index()] {
            State::Done => return true,
            State::Open => {
                self.report(symbol);
                return false;
            }
            State::Unknown => {}
        }
        let own = &self.build.symbols[symbol.index()];
        match own.choice {
            Some(choice) if self.states[choice.index()] == State::Unknown => {
                crate::deep(|| self.choice(choice))
            }
            _ if own.kind == SymbolKind::Choice => crate::deep(|| self.choice(symbol)),
            _ => {
                self.states[symbol.index()] = State::Open;
                let good = crate::deep(|| self.edges(symbol));
                self.states[symbol.index()] = State::Done;
                good
            }
        }
    }

    /// A choice and its members are one: what one of them depends on must not depend on any.
    fn choice(&mut self, choice: SymbolId) -> bool {
        let members = self.build.symbols[choice.index()].members.clone();
        for symbol in members.iter().chain([&choice]) {
            self.states[symbol.index()] = State::Open;
        }
        let mut good = self.edges(choice);
        // A member may refer to its choice: its visibility does.
        self.states[choice.index()] = State::Done;
        for member in &members {
            good = good && self.edges(*member);
        }
        for member in members {
            self.states[member.index()] = State::Done;
        }
        good
    }

    fn edges(&mut self, symbol: SymbolId) -> bool {
        let build = self.build;
        let own = &build.symbols[symbol.index()];
        let direct = own.direct.iter().map(|expr| (Link::Depends, *expr));
        let selected = own.selected_by.iter().map(|reverse| (Link::Selected, reverse.term));
        let implied = own.implied_by.iter().map(|reverse| (Link::Implied, reverse.term));
        for (link, expr) in direct.chain(selected).chain(implied) {
            if !self.follow(symbol, link, expr) {
                return false;
            }
        }
        for property in &own.properties {
            let property = &build.properties[property.index()];
            let link = match property.kind {
                PropertyKind::Prompt(_) => Link::Visible,
                PropertyKind::Default(_) => Link::Default,
                PropertyKind::Range(..) => Link::Range,
                PropertyKind::Select(_) | PropertyKind::Imply(_) => continue,
            };
            if !self.follow(symbol, link, property.effective) {
                return false;
            }
            if let PropertyKind::Default(value) = property.kind
                && own.kind != SymbolKind::Choice
                && !self.follow(symbol, link, value)
            {
                return false;
            }
        }
        true
    }

    fn follow(&mut self, symbol: SymbolId, link: Link, expr: ExprId) -> bool {
        self.path.push((symbol, link));
        let good = self.expr(expr);
        self.path.pop();
        good
    }

    fn expr(&mut self, expr: ExprId) -> bool {
        match self.build.exprs.get(expr) {
            Expr::Symbol(symbol) => self.symbol(symbol),
            Expr::Compare(_, a, b) => self.symbol(a) && self.symbol(b),
            Expr::Not(a) => crate::deep(|| self.expr(a)),
            Expr::And(a, b) | Expr::Or(a, b) => {
                crate::deep(|| self.expr(a)) && crate::deep(|| self.expr(b))
            }
        }
    }

    fn report(&mut self, last: SymbolId) {
        if self.reported.len() >= MAX_REPORTED {
            return;
        }
        let group = |symbol: SymbolId| self.build.symbols[symbol.index()].choice.unwrap_or(symbol);
        let start = self.path.iter().position(|(symbol, _)| group(*symbol) == group(last));
        let mut cycle = self.path[start.unwrap_or(0)..].to_vec();
        if cycle.first().is_some_and(|(symbol, _)| *symbol != last) {
            cycle.insert(0, (last, Link::Member));
        }
        let mut lines = Vec::new();
        for (index, (symbol, link)) in cycle.iter().enumerate() {
            let next = cycle.get(index + 1).map_or(last, |(symbol, _)| *symbol);
            let (file, line) = self.place(*symbol);
            let (name, next, how) = (self.name(*symbol), self.name(next), link.describe());
            lines.push(format!("{file}:{line}: {name} {how} {next}"));
        }
        let (file, line) = self.place(last);
        let what = format!("recursive dependency: the value of {} needs itself", self.name(last));
        let help = format!("break the chain in one place:\n    {}", lines.join("\n    "));
        let diagnostic = Diagnostic::error("kconfig-recursive", what)
            .file(Path::new(&*file))
            .at(Position::Text { line: line as usize, column: 1 });
        self.reported.push(diagnostic.help(help));
    }

    fn name(&self, symbol: SymbolId) -> Arc<str> {
        let name = &self.build.symbols[symbol.index()].name;
        if name.is_empty() { "<choice>".into() } else { Arc::clone(name) }
    }

    fn place(&self, symbol: SymbolId) -> (Arc<str>, u32) {
        let menu = self.build.symbols[symbol.index()].menus.first();
        let location = menu.map(|menu| self.build.menus[menu.index()].location);
        let file = location.map_or(0, |location| location.file.0 as usize);
        (Arc::clone(&self.build.files[file]), location.map_or(1, |location| location.line))
    }
}
