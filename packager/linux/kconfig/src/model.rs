//! What a set of Kconfig files defines: symbols, the menu tree, properties.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::dialect::Dialect;
use crate::environment::Environment;
use crate::expr::{DisplayExpr, Expr, ExprId, Exprs};
use crate::lazy::Probes;

/// A value of bool and tristate symbols and of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tristate {
    /// `n`
    #[default]
    No,
    /// `m`: as a module
    Mod,
    /// `y`
    Yes,
}

impl Tristate {
    /// The letter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "n",
            Self::Mod => "m",
            Self::Yes => "y",
        }
    }
}

impl fmt::Display for Tristate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A symbol: something defined by `config`, something only mentioned, a constant, or a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(pub(crate) u32);

impl SymbolId {
    /// The constant `n`.
    pub const NO: Self = Self(0);
    /// The constant `m`.
    pub const MOD: Self = Self(1);
    /// The constant `y`.
    pub const YES: Self = Self(2);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node of the menu tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MenuId(pub(crate) u32);

impl MenuId {
    /// The root, the main menu.
    pub const ROOT: Self = Self(0);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A property of a symbol or menu node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyId(pub(crate) u32);

impl PropertyId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A file that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub(crate) u32);

/// A line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The file; its name is [`Kconfig::file_name`].
    pub file: FileId,
    /// The line, counted from 1.
    pub line: u32,
}

/// The type of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SymbolType {
    /// Mentioned, but never given a type.
    #[default]
    Unknown,
    /// `bool`: n or y.
    Bool,
    /// `tristate`: n, m or y.
    Tristate,
    /// `int`: a decimal number.
    Int,
    /// `hex`: a hexadecimal number.
    Hex,
    /// `string`.
    String,
}

impl SymbolType {
    /// The keyword.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Bool => "bool",
            Self::Tristate => "tristate",
            Self::Int => "int",
            Self::Hex => "hex",
            Self::String => "string",
        }
    }

    /// Whether it is bool or tristate.
    pub fn is_logic(self) -> bool {
        matches!(self, Self::Bool | Self::Tristate)
    }
}

/// What a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// `y`, `m`, `n`.
    Constant,
    /// A quoted text in an expression.
    Quoted,
    /// A word: an option if [`Symbol::menus`] is not empty, else a number or an undefined option.
    Named,
    /// A `choice`.
    Choice,
    /// A word or text with compiler probes in it, which are run when a value needs them. The name
    /// is the text as it stands in the file.
    Probe,
}

/// A symbol.
#[derive(Debug)]
pub struct Symbol {
    /// Its name without `CONFIG_`; empty for a choice without a name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: SymbolKind,
    /// Its type.
    pub symbol_type: SymbolType,
    /// Where it is defined, in the order of the definitions.
    pub menus: Vec<MenuId>,
    /// Prompts, defaults, selects, implies and ranges of all definitions, in order.
    pub properties: Vec<PropertyId>,
    /// Effective dependencies of each definition that has any; the symbol's dependency is their
    /// disjunction, y if there are none.
    pub direct: Vec<ExprId>,
    /// Who selects it.
    pub selected_by: Vec<Reverse>,
    /// Who implies it.
    pub implied_by: Vec<Reverse>,
    /// Of a choice: its members in the order of the menu.
    pub members: Vec<SymbolId>,
    /// Of a choice's member: the choice.
    pub choice: Option<SymbolId>,
    /// Of a choice: whether no member need be chosen (before Linux 6.10).
    pub optional: bool,
    /// Whether a user's value is read but never written (Linux 6.18).
    pub transitional: bool,
    /// Its defaults name files to begin with (`option defconfig_list`); it is written nowhere.
    pub defconfig_list: bool,
    /// `allnoconfig` makes it y (`option allnoconfig_y`).
    pub allnoconfig_y: bool,
}

/// A `select` or `imply`, seen from its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reverse {
    /// The symbol whose definition says `select` or `imply`.
    pub by: SymbolId,
    /// When it does: that symbol's dependencies and the condition of the property.
    pub condition: ExprId,
    /// `by && condition`.
    pub term: ExprId,
}

/// What a property says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyKind {
    /// The text shown to the user, of a symbol, choice, menu or comment.
    Prompt(Arc<str>),
    /// `default`, `def_bool`, `def_tristate`.
    Default(ExprId),
    /// `select`.
    Select(SymbolId),
    /// `imply`.
    Imply(SymbolId),
    /// `range`: lowest and highest.
    Range(SymbolId, SymbolId),
}

/// A property.
#[derive(Debug, Clone)]
pub struct Property {
    /// What it says.
    pub kind: PropertyKind,
    /// The condition as written after `if`.
    pub condition: ExprId,
    /// The condition with all that encloses it: `depends on`, `if`, `menu`, `visible if`, choice.
    pub effective: ExprId,
    /// The definition that it is part of.
    pub menu: MenuId,
    /// Where it stands.
    pub location: Location,
}

/// What a node of the menu tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MenuKind {
    /// The root.
    Root,
    /// A definition by `config`.
    Config,
    /// A definition by `menuconfig`.
    MenuConfig,
    /// A `choice`.
    Choice,
    /// A `menu`.
    Menu,
    /// A `comment`.
    Comment,
    /// An `if`, which shows nothing.
    If,
}

/// A node of the menu tree.
#[derive(Debug)]
pub struct Menu {
    /// What it is.
    pub kind: MenuKind,
    /// The symbol or choice that it defines.
    pub symbol: Option<SymbolId>,
    /// Where it stands.
    pub location: Location,
    /// Its own `depends on` and, for an `if`, its condition: as written.
    pub depends: ExprId,
    /// `depends` with all that encloses it, simplified as menuconfig shows it.
    pub effective: ExprId,
    /// `visible if`.
    pub visible_if: ExprId,
    /// The prompt; its kind is [`PropertyKind::Prompt`].
    pub prompt: Option<PropertyId>,
    pub(crate) help: Option<HelpSpan>,
    pub(crate) parent: Option<MenuId>,
    pub(crate) first: Option<MenuId>,
    pub(crate) next: Option<MenuId>,
    /// The parent as the files nest, before menus were formed from dependencies.
    pub(crate) block: Option<MenuId>,
}

/// Where a help text stands in a file's text.
#[derive(Debug, Clone)]
pub(crate) struct HelpSpan {
    pub(crate) text: Arc<str>,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// What a set of Kconfig files defines. Made by [`Kconfig::load`].
#[derive(Debug)]
pub struct Kconfig {
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) menus: Vec<Menu>,
    pub(crate) properties: Vec<Property>,
    pub(crate) exprs: Exprs,
    pub(crate) files: Vec<Arc<str>>,
    pub(crate) names: FxHashMap<Arc<str>, SymbolId>,
    pub(crate) modules: SymbolId,
    pub(crate) order: Vec<SymbolId>,
    pub(crate) dialect: Dialect,
    pub(crate) environment: Environment,
    pub(crate) probes: Probes,
}

impl Kconfig {
    /// The symbol of that name (without `CONFIG_`), defined or only mentioned.
    pub fn find(&self, name: &str) -> Option<SymbolId> {
        match name {
            "n" => Some(SymbolId::NO),
            "m" => Some(SymbolId::MOD),
            "y" => Some(SymbolId::YES),
            _ => self.names.get(name).copied(),
        }
    }

    /// The symbol of that name if some file defines it.
    pub fn find_defined(&self, name: &str) -> Option<SymbolId> {
        self.find(name).filter(|id| !self.symbol(*id).menus.is_empty())
    }

    /// A symbol.
    pub fn symbol(&self, id: SymbolId) -> &Symbol {
        &self.symbols[id.index()]
    }

    /// A node of the menu tree.
    pub fn menu(&self, id: MenuId) -> &Menu {
        &self.menus[id.index()]
    }

    /// A property.
    pub fn property(&self, id: PropertyId) -> &Property {
        &self.properties[id.index()]
    }

    /// A node of an expression.
    pub fn expr(&self, id: ExprId) -> Expr {
        self.exprs.get(id)
    }

    /// An expression as text.
    pub fn display(&self, expr: ExprId) -> DisplayExpr<'_> {
        DisplayExpr { kconfig: self, expr }
    }

    /// All options that some file defines (no choices, no constants), in the order in which the
    /// names first occur.
    pub fn options(&self) -> impl Iterator<Item = SymbolId> {
        self.symbols.iter().enumerate().filter_map(|(index, symbol)| {
            let defined = symbol.kind == SymbolKind::Named && !symbol.menus.is_empty();
            defined.then(|| SymbolId(u32::try_from(index).unwrap_or(u32::MAX)))
        })
    }

    /// The name of a file, relative to the tree.
    pub fn file_name(&self, file: FileId) -> &str {
        &self.files[file.0 as usize]
    }

    /// The names of all files that were read, in the order of first reading.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(AsRef::as_ref)
    }

    /// The variables that the files were read with.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The rules that the tree's own tool follows.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The symbol with the attribute `modules`; [`SymbolId::NO`] if there is none.
    pub fn modules(&self) -> SymbolId {
        self.modules
    }

    /// The text of the main menu.
    pub fn main_menu(&self) -> &str {
        self.menu(MenuId::ROOT).prompt.and_then(|id| self.prompt_text(id)).unwrap_or("Main menu")
    }

    /// The text of a prompt.
    pub fn prompt_text(&self, id: PropertyId) -> Option<&str> {
        match &self.property(id).kind {
            PropertyKind::Prompt(text) => Some(text),
            _ => None,
        }
    }

    /// The children of a node, in the order of menuconfig. An `if` has none of its own: what it
    /// encloses stands beside it.
    pub fn children(&self, menu: MenuId) -> impl Iterator<Item = MenuId> {
        std::iter::successors(self.menu(menu).first, |id| self.menu(*id).next)
    }

    /// The parent of a node in menuconfig's tree.
    pub fn parent(&self, menu: MenuId) -> Option<MenuId> {
        self.menu(menu).parent
    }

    /// The block (`menu`, `if`, `choice`) that encloses a node in the files.
    pub fn enclosing(&self, menu: MenuId) -> Option<MenuId> {
        self.menu(menu).block
    }

    /// All nodes but the root, depth first.
    pub fn walk(&self) -> impl Iterator<Item = MenuId> {
        std::iter::successors(self.menu(MenuId::ROOT).first, |id| self.after(*id))
    }

    fn after(&self, id: MenuId) -> Option<MenuId> {
        if let Some(child) = self.menu(id).first {
            return Some(child);
        }
        let mut menu = id;
        loop {
            if let Some(next) = self.menu(menu).next {
                return Some(next);
            }
            menu = self.menu(menu).parent?;
        }
    }

    /// The prompts of a symbol: property and text.
    pub fn prompts(&self, symbol: SymbolId) -> impl Iterator<Item = (PropertyId, &str)> {
        let properties = &self.symbol(symbol).properties;
        properties.iter().filter_map(|id| Some((*id, self.prompt_text(*id)?)))
    }
}
