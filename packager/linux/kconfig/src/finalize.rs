//! What enclosing blocks, selects and dependencies make of the definitions: effective conditions,
//! reverse dependencies, and the menu tree as menuconfig shows it.

use std::sync::Arc;

use l4re_packager_base::Diagnostic;

use crate::builder::Builder;
use crate::dialect::{Choices, Dialect};
use crate::expr::ExprId;
use crate::model::{Location, MenuId, PropertyKind, Reverse, SymbolId, SymbolKind, SymbolType};
use crate::number;
use crate::simplify::{Scope, Simplifier, mentions, without_presence};

/// Completes the tables after all files were read.
pub(crate) fn finalize(build: &mut Builder, dialect: Dialect) {
    let modules = build.modules.unwrap_or(SymbolId::NO);
    if build.menus[MenuId::ROOT.index()].prompt.is_none() {
        build.entry = MenuId::ROOT;
        let location = build.menus[MenuId::ROOT.index()].location;
        build.add_prompt("Main menu", ExprId::YES, location);
    }
    let checked = vec![false; build.symbols.len()];
    let mut finalizer =
        Finalizer { build, dialect, modules, simplifier: Simplifier::default(), checked };
    finalizer.menu(MenuId::ROOT, false);
    if dialect.choices == Choices::Exclusive {
        finalizer.exclusive_members();
    }
}

struct Finalizer<'a> {
    build: &'a mut Builder,
    dialect: Dialect,
    modules: SymbolId,
    simplifier: Simplifier,
    /// The symbols whose properties were looked at.
    checked: Vec<bool>,
}

impl Finalizer<'_> {
    fn scope(&mut self) -> (Scope<'_>, &mut Simplifier) {
        let scope = Scope { exprs: &mut self.build.exprs, symbols: &self.build.symbols };
        (scope, &mut self.simplifier)
    }

    fn symbol_of(&self, menu: MenuId) -> Option<SymbolId> {
        self.build.menus[menu.index()].symbol
    }

    fn is_choice(&self, symbol: SymbolId) -> bool {
        self.build.symbols[symbol.index()].kind == SymbolKind::Choice
    }

    fn children(&self, menu: MenuId) -> Vec<MenuId> {
        let first = self.build.menus[menu.index()].first;
        std::iter::successors(first, |id| self.build.menus[id.index()].next).collect()
    }

    fn menu(&mut self, menu: MenuId, inside_choice: bool) {
        let symbol = self.symbol_of(menu);
        let choice = symbol.filter(|symbol| self.is_choice(*symbol));
        let valued = self.dialect.choices == Choices::Valued;
        if self.build.menus[menu.index()].first.is_some() {
            self.contents(menu, choice.filter(|_| valued));
            // Forming menus from dependencies takes siblings away, so the list is walked link by
            // link.
            let mut next = self.build.menus[menu.index()].first;
            while let Some(child) = next {
                crate::deep(|| self.menu(child, choice.is_some()));
                next = self.build.menus[child.index()].next;
            }
        } else if let Some(symbol) = symbol
            && (valued || !inside_choice)
        {
            self.collect_dependents(menu, symbol);
            let effective = self.build.menus[menu.index()].effective;
            // A definition without any condition does not lift those of another one.
            if effective != ExprId::YES {
                self.build.symbols[symbol.index()].direct.push(effective);
            }
        }
        if let Some(choice) = choice.filter(|_| valued) {
            self.valued_members(menu, choice);
        }
        self.flatten(menu);
        if let Some(symbol) = symbol {
            self.check(menu, symbol);
            if valued {
                self.mandatory(menu, symbol);
            }
        }
    }

    /// Gives the children of a node their effective conditions.
    fn contents(&mut self, menu: MenuId, valued_choice: Option<SymbolId>) {
        let above = match valued_choice {
            Some(choice) => {
                self.choice_types(menu, choice);
                // The value of the choice bounds the visibility of its members.
                self.build.exprs.symbol(choice)
            }
            None => self.build.menus[menu.index()].effective,
        };
        for child in self.children(menu) {
            let depends = self.build.menus[child.index()].depends;
            let base = self.effective(above, depends);
            self.build.menus[child.index()].effective = base;
            let node = &self.build.menus[child.index()];
            let (symbol, prompt) = (node.symbol, node.prompt);
            match symbol {
                Some(symbol) => {
                    let properties = self.build.symbols[symbol.index()].properties.clone();
                    for property in properties {
                        if self.build.properties[property.index()].menu == child {
                            self.property(property.index(), base, symbol);
                        }
                    }
                }
                None => {
                    if let Some(prompt) = prompt {
                        self.property(prompt.index(), base, SymbolId::NO);
                    }
                }
            }
        }
    }

    /// `above && own`, with `m` restricted and simplified.
    fn effective(&mut self, above: ExprId, own: ExprId) -> ExprId {
        let modules = self.modules;
        let (mut scope, simplifier) = self.scope();
        let own = simplifier.restrict_m(&mut scope, own, modules);
        let own = simplifier.transform(&mut scope, own);
        let both = scope.exprs.and(above, own);
        simplifier.reduce(&mut scope, both)
    }

    fn property(&mut self, index: usize, base: ExprId, symbol: SymbolId) {
        let own = self.build.properties[index].effective;
        let mut effective = self.effective(base, own);
        let symbol_type = self.build.symbols[symbol.index()].symbol_type;
        if self.dialect.bool_presence
            && symbol != SymbolId::NO
            && symbol_type != SymbolType::Tristate
        {
            let (mut scope, _) = self.scope();
            effective = without_presence(&mut scope, effective);
        }
        self.build.properties[index].effective = effective;
        let (target, select) = match self.build.properties[index].kind {
            PropertyKind::Select(target) => (target, true),
            PropertyKind::Imply(target) => (target, false),
            _ => return,
        };
        let by = self.build.exprs.symbol(symbol);
        let term = self.build.exprs.and(by, effective);
        let reverse = Reverse { by: symbol, condition: effective, term };
        let target = &mut self.build.symbols[target.index()];
        if select { &mut target.selected_by } else { &mut target.implied_by }.push(reverse);
    }

    /// A choice without a type has that of its first member that has one, and the other way round.
    fn choice_types(&mut self, menu: MenuId, choice: SymbolId) {
        let children = self.children(menu);
        let types = |build: &Builder, menu: MenuId| {
            let symbol = build.menus[menu.index()].symbol?;
            Some(build.symbols[symbol.index()].symbol_type)
        };
        if self.build.symbols[choice.index()].symbol_type == SymbolType::Unknown {
            let mut known = children.iter().filter_map(|child| types(self.build, *child));
            let known = known.find(|symbol_type| *symbol_type != SymbolType::Unknown);
            self.build.entry = menu;
            self.build.set_type(known.unwrap_or_default());
        }
        let choice_type = self.build.symbols[choice.index()].symbol_type;
        for child in children {
            if types(self.build, child) == Some(SymbolType::Unknown) {
                self.build.entry = child;
                self.build.set_type(choice_type);
            }
        }
    }

    /// What follows a symbol and depends on it becomes its submenu. A symbol without a prompt
    /// shows no menu, so it has none.
    fn collect_dependents(&mut self, menu: MenuId, symbol: SymbolId) {
        let Some(prompt) = self.build.menus[menu.index()].prompt else { return };
        let own = self.build.properties[prompt.index()].effective;
        let mut base = None;
        let mut last = None;
        let mut next = self.build.menus[menu.index()].next;
        while let Some(sibling) = next {
            let node = &self.build.menus[sibling.index()];
            let dependency = node
                .prompt
                .map_or(node.effective, |id| self.build.properties[id.index()].effective);
            if !mentions(&self.build.exprs, dependency, symbol) {
                break;
            }
            let (mut scope, simplifier) = self.scope();
            let base = *base.get_or_insert_with(|| simplifier.presence(&mut scope, own));
            if !simplifier.belongs_below(&mut scope, dependency, symbol, base) {
                break;
            }
            crate::deep(|| self.menu(sibling, false));
            self.build.menus[sibling.index()].parent = Some(menu);
            last = Some(sibling);
            next = self.build.menus[sibling.index()].next;
        }
        if let Some(last) = last {
            self.build.menus[menu.index()].first = self.build.menus[menu.index()].next;
            self.build.menus[menu.index()].next = self.build.menus[last.index()].next;
            self.build.menus[last.index()].next = None;
        }
    }

    /// What stands in an `if`, or below a symbol without a prompt, moves beside it.
    fn flatten(&mut self, menu: MenuId) {
        let mut next = self.build.menus[menu.index()].first;
        while let Some(child) = next {
            let node = &self.build.menus[child.index()];
            if node.prompt.is_none()
                && let Some(first) = node.first
            {
                let after = node.next;
                let mut last = first;
                loop {
                    self.build.menus[last.index()].parent = Some(menu);
                    match self.build.menus[last.index()].next {
                        Some(sibling) => last = sibling,
                        None => break,
                    }
                }
                self.build.menus[last.index()].next = after;
                self.build.menus[child.index()].next = Some(first);
                self.build.menus[child.index()].first = None;
            }
            next = self.build.menus[child.index()].next;
        }
    }

    /// Makes the direct children of a choice its members (up to Linux 6.10).
    ///
    /// A child that is an `if` is not flattened yet, so its contents come to be children only
    /// while the list is walked.
    fn valued_members(&mut self, menu: MenuId, choice: SymbolId) {
        let mut next = self.build.menus[menu.index()].first;
        let mut pending = Vec::new();
        while let Some(child) = next.or_else(|| pending.pop()) {
            let node = &self.build.menus[child.index()];
            let (symbol, first, after) = (node.symbol, node.first, node.next);
            if let Some(symbol) = symbol
                && self.build.symbols[symbol.index()].choice.is_none()
            {
                self.valued_member(child, symbol, choice);
            }
            next = match first {
                Some(first) if self.build.menus[child.index()].prompt.is_none() => {
                    pending.extend(after);
                    Some(first)
                }
                _ => after,
            };
        }
    }

    fn valued_member(&mut self, menu: MenuId, symbol: SymbolId, choice: SymbolId) {
        let location = self.build.menus[menu.index()].location;
        if self.build.menus[menu.index()].prompt.is_none() {
            let what = "choice value must have a prompt";
            self.build.warn(location, "kconfig-choice", what);
        }
        let member = &self.build.symbols[symbol.index()];
        let (symbol_type, properties) = (member.symbol_type, member.properties.clone());
        for property in &properties {
            self.member_property(menu, property.index(), choice);
        }
        if self.build.symbols[choice.index()].symbol_type == SymbolType::Tristate
            && symbol_type != SymbolType::Tristate
        {
            // A bool member can only be chosen where the choice is y.
            let how = crate::expr::Comparison::Equal;
            let base = self.build.exprs.compare(how, choice, SymbolId::YES);
            let effective = self.build.menus[menu.index()].effective;
            self.build.menus[menu.index()].effective = self.build.exprs.and(base, effective);
            for property in properties {
                let property = &mut self.build.properties[property.index()];
                if property.menu == menu {
                    property.effective = self.build.exprs.and(base, property.effective);
                }
            }
        }
        self.build.symbols[symbol.index()].choice = Some(choice);
        self.build.symbols[choice.index()].members.push(symbol);
    }

    /// Complaints about properties that a member of a choice must not have.
    fn member_property(&mut self, menu: MenuId, index: usize, choice: SymbolId) {
        let property = &self.build.properties[index];
        let (location, at) = (property.location, property.menu);
        let what = match property.kind {
            PropertyKind::Default(_) => "defaults for choice values not supported",
            PropertyKind::Prompt(_) if at != menu => {
                let parent = self.build.menus[at.index()].parent;
                if parent.and_then(|parent| self.symbol_of(parent)) == Some(choice) {
                    return;
                }
                "choice value used outside its choice group"
            }
            _ => return,
        };
        self.build.warn(location, "kconfig-choice", what);
    }

    /// A choice that is not optional is at least m where its prompt is visible.
    fn mandatory(&mut self, menu: MenuId, symbol: SymbolId) {
        let choice = &self.build.symbols[symbol.index()];
        if choice.kind != SymbolKind::Choice || choice.optional {
            return;
        }
        let Some(prompt) = self.build.menus[menu.index()].prompt else { return };
        let condition = self.build.properties[prompt.index()].effective;
        let term = self.build.exprs.and(condition, ExprId::MOD);
        let reverse = Reverse { by: symbol, condition, term };
        self.build.symbols[symbol.index()].selected_by.push(reverse);
    }

    /// Complaints about the members of choices (since Linux 6.11).
    fn exclusive_members(&mut self) {
        let choices: Vec<SymbolId> =
            self.build.menus.iter().filter_map(|menu| menu.symbol).collect();
        for choice in choices {
            for member in self.build.symbols[choice.index()].members.clone() {
                let properties = self.build.symbols[member.index()].properties.clone();
                for property in properties {
                    self.exclusive_member(property.index(), choice);
                }
            }
        }
    }

    fn exclusive_member(&mut self, index: usize, choice: SymbolId) {
        let property = &self.build.properties[index];
        let location = property.location;
        let parent = self.build.menus[property.menu.index()].parent;
        let outside = parent.and_then(|parent| self.symbol_of(parent)) != Some(choice);
        let (what, help) = match property.kind {
            PropertyKind::Default(_) => {
                ("defaults for choice values not supported", "give the choice a default")
            }
            PropertyKind::Prompt(_) if outside => (
                "choice value has a prompt outside its choice group",
                "prompts of a member stand in the same choice",
            ),
            _ => return,
        };
        self.build.push(location, Diagnostic::error("kconfig-choice", what).help(help));
    }

    /// Complaints about a symbol's properties, once a symbol.
    fn check(&mut self, menu: MenuId, symbol: SymbolId) {
        let node = &self.build.menus[menu.index()];
        let own = &self.build.symbols[symbol.index()];
        let conditions = node.effective != ExprId::YES || node.visible_if != ExprId::YES;
        if own.transitional && (conditions || !own.properties.is_empty()) {
            let what = format!("transitional symbol '{}' may only have a type and help", own.name);
            let help = "it only hands an old value on; put the rest on the new symbol";
            let location = node.location;
            self.build.push(location, Diagnostic::error("kconfig-transitional", what).help(help));
        }
        if std::mem::replace(&mut self.checked[symbol.index()], true) {
            return;
        }
        let location = self.build.menus[menu.index()].location;
        if self.build.symbols[symbol.index()].symbol_type == SymbolType::Unknown {
            let name = Arc::clone(&self.build.symbols[symbol.index()].name);
            let what = format!("config symbol '{name}' defined without type");
            self.build.warn(location, "kconfig-no-type", what);
        }
        if self.is_choice(symbol) && self.build.menus[menu.index()].prompt.is_none() {
            self.build.warn(location, "kconfig-choice", "choice must have a prompt");
        }
        for property in self.build.symbols[symbol.index()].properties.clone() {
            let property = &self.build.properties[property.index()];
            let (kind, location) = (property.kind.clone(), property.location);
            if let Some(what) = self.complaint(symbol, &kind) {
                self.warn_property(location, what);
            }
        }
    }

    fn warn_property(&mut self, location: Location, what: String) {
        self.build.warn(location, "kconfig-property", what);
    }

    /// What is wrong with a property, if anything.
    fn complaint(&self, symbol: SymbolId, kind: &PropertyKind) -> Option<String> {
        let own = &self.build.symbols[symbol.index()];
        let name = &own.name;
        let number = matches!(own.symbol_type, SymbolType::Int | SymbolType::Hex);
        match *kind {
            PropertyKind::Default(value) => {
                let crate::expr::Expr::Symbol(leaf) = self.build.exprs.get(value) else {
                    let texts = number || own.symbol_type == SymbolType::String;
                    return texts.then(|| {
                        format!("default for config symbol '{name}' must be a single symbol")
                    });
                };
                if number && !self.is_number(own.symbol_type, leaf) {
                    return Some(format!("'{name}': number is invalid"));
                }
                let other = &self.build.symbols[leaf.index()];
                (own.kind == SymbolKind::Choice && other.choice != Some(symbol)).then(|| {
                    let default = &other.name;
                    format!("choice default symbol '{default}' is not contained in the choice")
                })
            }
            PropertyKind::Select(target) | PropertyKind::Imply(target) => {
                let word = if matches!(kind, PropertyKind::Select(_)) { "select" } else { "imply" };
                let other = &self.build.symbols[target.index()];
                if !own.symbol_type.is_logic() {
                    return Some(format!(
                        "config symbol '{name}' uses {word}, but is not bool or tristate"
                    ));
                }
                let fits = other.symbol_type == SymbolType::Unknown || other.symbol_type.is_logic();
                (!fits).then(|| {
                    let other = &other.name;
                    format!("'{other}' has wrong type: {word} needs a bool or tristate")
                })
            }
            PropertyKind::Range(low, high) => {
                if !number {
                    return Some("range is only allowed for int or hex symbols".into());
                }
                let valid = |leaf| self.is_number(own.symbol_type, leaf);
                (!valid(low) || !valid(high)).then(|| "range is invalid".into())
            }
            PropertyKind::Prompt(_) => None,
        }
    }

    fn is_number(&self, symbol_type: SymbolType, leaf: SymbolId) -> bool {
        let leaf = &self.build.symbols[leaf.index()];
        match leaf.symbol_type {
            SymbolType::Int | SymbolType::Hex => true,
            // What a command will answer is not known yet.
            SymbolType::Unknown if leaf.kind == SymbolKind::Probe => true,
            SymbolType::Unknown => number::is_valid(symbol_type, &leaf.name),
            _ => false,
        }
    }
}
