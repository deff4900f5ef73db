//! The tables of a [`Kconfig`] while files are read.

use std::path::Path;
use std::sync::Arc;

use l4re_packager_base::{Diagnostic, Position, Report};
use rustc_hash::FxHashMap;

use crate::expr::{ExprId, Exprs};
use crate::lazy::Rope;
use crate::model::{
    FileId, Location, Menu, MenuId, MenuKind, Property, PropertyId, PropertyKind, Symbol, SymbolId,
    SymbolKind, SymbolType,
};

/// Where the next node is linked in.
#[derive(Debug, Clone, Copy)]
enum Link {
    FirstOf(MenuId),
    After(MenuId),
}

#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) menus: Vec<Menu>,
    pub(crate) properties: Vec<Property>,
    pub(crate) exprs: Exprs,
    pub(crate) files: Vec<Arc<str>>,
    pub(crate) names: FxHashMap<Arc<str>, SymbolId>,
    pub(crate) report: Report,
    pub(crate) modules: Option<SymbolId>,
    file_ids: FxHashMap<Arc<str>, FileId>,
    quoted: FxHashMap<Arc<str>, SymbolId>,
    named_choices: FxHashMap<Arc<str>, SymbolId>,
    probes: FxHashMap<(Rope, bool), SymbolId>,
    /// The block that new nodes go into.
    parent: MenuId,
    link: Link,
    /// The node that options belong to.
    pub(crate) entry: MenuId,
}

fn id(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Builder {
    pub(crate) fn new(root_file: &str) -> Self {
        let mut builder = Self {
            symbols: Vec::new(),
            menus: Vec::new(),
            properties: Vec::new(),
            exprs: Exprs::new(),
            files: Vec::new(),
            names: FxHashMap::default(),
            report: Report::new(),
            modules: None,
            file_ids: FxHashMap::default(),
            quoted: FxHashMap::default(),
            named_choices: FxHashMap::default(),
            probes: FxHashMap::default(),
            parent: MenuId::ROOT,
            link: Link::FirstOf(MenuId::ROOT),
            entry: MenuId::ROOT,
        };
        for name in ["n", "m", "y"] {
            let symbol = builder.new_symbol(name.into(), SymbolKind::Constant);
            builder.symbols[symbol.index()].symbol_type = SymbolType::Tristate;
        }
        let location = Location { file: builder.file(root_file), line: 1 };
        builder.menus.push(Menu {
            kind: MenuKind::Root,
            symbol: None,
            location,
            depends: ExprId::YES,
            effective: ExprId::YES,
            visible_if: ExprId::YES,
            prompt: None,
            help: None,
            parent: None,
            first: None,
            next: None,
            block: None,
        });
        builder
    }

    pub(crate) fn file(&mut self, name: &str) -> FileId {
        if let Some(file) = self.file_ids.get(name) {
            return *file;
        }
        let file = FileId(id(self.files.len()));
        let name: Arc<str> = name.into();
        self.files.push(Arc::clone(&name));
        self.file_ids.insert(name, file);
        file
    }

    fn new_symbol(&mut self, name: Arc<str>, kind: SymbolKind) -> SymbolId {
        let symbol = SymbolId(id(self.symbols.len()));
        self.symbols.push(Symbol {
            name,
            kind,
            symbol_type: SymbolType::Unknown,
            menus: Vec::new(),
            properties: Vec::new(),
            direct: Vec::new(),
            selected_by: Vec::new(),
            implied_by: Vec::new(),
            members: Vec::new(),
            choice: None,
            optional: false,
            transitional: false,
            defconfig_list: false,
            allnoconfig_y: false,
        });
        symbol
    }

    /// The symbol that a word stands for.
    pub(crate) fn named(&mut self, name: &str) -> SymbolId {
        match name {
            "n" => SymbolId::NO,
            "m" => SymbolId::MOD,
            "y" => SymbolId::YES,
            _ => {
                if let Some(symbol) = self.names.get(name) {
                    return *symbol;
                }
                let name: Arc<str> = name.into();
                let symbol = self.new_symbol(Arc::clone(&name), SymbolKind::Named);
                self.names.insert(name, symbol);
                symbol
            }
        }
    }

    /// The symbol that a quoted text stands for.
    pub(crate) fn constant(&mut self, text: &str) -> SymbolId {
        match text {
            "n" => SymbolId::NO,
            "m" => SymbolId::MOD,
            "y" => SymbolId::YES,
            _ => {
                if let Some(symbol) = self.quoted.get(text) {
                    return *symbol;
                }
                let text: Arc<str> = text.into();
                let symbol = self.new_symbol(Arc::clone(&text), SymbolKind::Quoted);
                self.quoted.insert(text, symbol);
                symbol
            }
        }
    }

    /// The symbol that a text with commands in it stands for; whether it is new.
    pub(crate) fn probe(&mut self, text: &Rope, quoted: bool, written: &str) -> (SymbolId, bool) {
        let key = (text.clone(), quoted);
        if let Some(symbol) = self.probes.get(&key) {
            return (*symbol, false);
        }
        let symbol = self.new_symbol(written.into(), SymbolKind::Probe);
        self.probes.insert(key, symbol);
        (symbol, true)
    }

    /// The choice of that name, or a new one without a name.
    pub(crate) fn choice(&mut self, name: Option<&str>) -> SymbolId {
        let Some(name) = name else { return self.new_symbol("".into(), SymbolKind::Choice) };
        if let Some(symbol) = self.named_choices.get(name) {
            return *symbol;
        }
        let name: Arc<str> = name.into();
        let symbol = self.new_symbol(Arc::clone(&name), SymbolKind::Choice);
        self.named_choices.insert(name, symbol);
        symbol
    }

    /// Adds a node to the current block and makes it the one that options belong to.
    pub(crate) fn add_menu(
        &mut self,
        kind: MenuKind,
        symbol: Option<SymbolId>,
        location: Location,
    ) -> MenuId {
        let menu = MenuId(id(self.menus.len()));
        self.menus.push(Menu {
            kind,
            symbol,
            location,
            depends: ExprId::YES,
            effective: ExprId::YES,
            visible_if: ExprId::YES,
            prompt: None,
            help: None,
            parent: Some(self.parent),
            first: None,
            next: None,
            block: Some(self.parent),
        });
        match self.link {
            Link::FirstOf(parent) => self.menus[parent.index()].first = Some(menu),
            Link::After(sibling) => self.menus[sibling.index()].next = Some(menu),
        }
        self.link = Link::After(menu);
        self.entry = menu;
        if let Some(symbol) = symbol {
            self.symbols[symbol.index()].menus.push(menu);
        }
        menu
    }

    /// New nodes go into `menu` from now on.
    pub(crate) fn open(&mut self, menu: MenuId) {
        self.parent = menu;
        self.link = Link::FirstOf(menu);
    }

    /// New nodes go behind `menu` from now on.
    pub(crate) fn close(&mut self, menu: MenuId) {
        self.link = Link::After(menu);
        self.parent = self.menus[menu.index()].parent.unwrap_or(MenuId::ROOT);
        self.entry = self.parent;
    }

    /// Adds a property to the current entry.
    pub(crate) fn add_property(
        &mut self,
        kind: PropertyKind,
        condition: ExprId,
        location: Location,
    ) -> PropertyId {
        let property = PropertyId(id(self.properties.len()));
        let menu = self.entry;
        self.properties.push(Property { kind, condition, effective: condition, menu, location });
        if let Some(symbol) = self.menus[menu.index()].symbol {
            self.symbols[symbol.index()].properties.push(property);
        }
        property
    }

    /// Adds a prompt to the current entry. `visible if` of the menus around it applies to the
    /// prompts of symbols and choices.
    pub(crate) fn add_prompt(&mut self, text: &str, condition: ExprId, location: Location) {
        let trimmed = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
        if trimmed.len() != text.len() {
            self.warn(location, "prompt-blank", "leading whitespace ignored");
        }
        let entry = self.entry;
        if self.menus[entry.index()].prompt.is_some() {
            self.warn(location, "prompt-redefined", "prompt redefined");
        }
        let property = self.add_property(PropertyKind::Prompt(trimmed.into()), condition, location);
        if self.menus[entry.index()].symbol.is_some() {
            let mut visible = condition;
            let mut menu = self.menus[entry.index()].parent;
            while let Some(above) = menu {
                let above = &self.menus[above.index()];
                visible = self.exprs.and(visible, above.visible_if);
                menu = above.parent;
            }
            self.properties[property.index()].effective = visible;
        }
        self.menus[entry.index()].prompt = Some(property);
    }

    /// Gives the symbol of the current entry a type.
    pub(crate) fn set_type(&mut self, symbol_type: SymbolType) {
        let menu = &self.menus[self.entry.index()];
        let location = menu.location;
        let Some(symbol) = menu.symbol else { return };
        let symbol = &mut self.symbols[symbol.index()];
        if symbol.symbol_type == SymbolType::Unknown {
            symbol.symbol_type = symbol_type;
        } else if symbol.symbol_type != symbol_type {
            let name = if symbol.name.is_empty() { "<choice>" } else { &*symbol.name };
            let (old, new) = (symbol.symbol_type.as_str(), symbol_type.as_str());
            let what = format!("ignoring type redefinition of '{name}' from '{old}' to '{new}'");
            self.warn(location, "type-redefined", what);
        }
    }

    pub(crate) fn warn(&mut self, at: Location, code: &'static str, message: impl Into<String>) {
        let diagnostic = Diagnostic::warning(code, message);
        self.push(at, diagnostic);
    }

    pub(crate) fn push(&mut self, at: Location, diagnostic: Diagnostic) {
        let file = Arc::clone(&self.files[at.file.0 as usize]);
        let position = Position::Text { line: at.line as usize, column: 1 };
        self.report.push(diagnostic.file(Path::new(&*file)).at(position));
    }
}
