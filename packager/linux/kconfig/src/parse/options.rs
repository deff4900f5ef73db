//! The lines below `config`, `choice`, `menu` and `comment`.

use std::sync::Arc;

use super::cursor::{Cursor, Wrong};
use super::{Entry, Parser, nearest_keyword};
use crate::dialect::{Attributes, Choices, Dialect};
use crate::expr::{Comparison, ExprId};
use crate::lex::{Lexer, Token};
use crate::model::{HelpSpan, PropertyKind, SymbolType};
use crate::simplify::{Scope, is_no};

impl Entry {
    fn describe(self) -> &'static str {
        match self {
            Self::None => "this place: nothing is being defined",
            Self::Config | Self::MenuConfig => "a symbol",
            Self::Choice => "a choice",
            Self::Menu => "a menu",
            Self::Comment => "a comment",
            Self::Broken => "what could not be read",
        }
    }

    fn is_config(self) -> bool {
        matches!(self, Self::Config | Self::MenuConfig)
    }
}

fn type_of(word: &str) -> Option<SymbolType> {
    Some(match word {
        "bool" | "def_bool" => SymbolType::Bool,
        "tristate" | "def_tristate" => SymbolType::Tristate,
        "int" => SymbolType::Int,
        "hex" => SymbolType::Hex,
        "string" => SymbolType::String,
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn option<'t>(
        &mut self,
        cursor: &mut Cursor<'_, 't>,
        word: &str,
        lexer: &mut Lexer<'t>,
    ) -> Result<(), Wrong> {
        let valued = self.dialect.choices == Choices::Valued;
        let entry = self.entry;
        let (config, choice) = (entry.is_config(), entry == Entry::Choice);
        let fits = match word {
            "bool" => config || choice && self.dialect.choice_bool,
            "tristate" => config || choice && valued,
            "int" | "hex" | "string" | "def_bool" | "def_tristate" | "select" | "imply"
            | "range" => config,
            "modules" if self.dialect.attributes == Attributes::Plain => config,
            "option" if self.dialect.attributes != Attributes::Plain => config,
            "default" | "prompt" | "help" | "---help---" => config || choice,
            "depends" => entry != Entry::None,
            "visible" => entry == Entry::Menu,
            "optional" if valued => choice,
            "transitional" if self.dialect.transitional => config,
            _ => return Err(unknown(cursor, word, self.dialect)),
        };
        if entry == Entry::Broken {
            if matches!(word, "help" | "---help---") {
                lexer.help();
            }
            return Ok(());
        }
        if !fits {
            let what = format!("`{word}` does not belong to {}", entry.describe());
            return Err(Wrong::at(cursor.offset(), what, "the line is ignored"));
        }
        cursor.skip();
        match word {
            "default" | "def_bool" | "def_tristate" => self.default_option(cursor, word),
            "prompt" => self.prompt_option(cursor),
            "select" | "imply" => self.select_option(cursor, word),
            "range" => self.range_option(cursor),
            "depends" => self.depends_option(cursor),
            "visible" => self.visible_option(cursor),
            "help" | "---help---" => self.help_option(cursor, word, lexer),
            "modules" => self.modules_option(cursor),
            "option" => self.option_option(cursor),
            "optional" | "transitional" => self.flag_option(cursor, word),
            _ => self.type_option(cursor, word),
        }
    }

    fn type_option(&mut self, cursor: &mut Cursor<'_, '_>, word: &str) -> Result<(), Wrong> {
        let location = self.location();
        let prompt = match cursor.peek() {
            Some(Token::Quoted(..)) => true,
            Some(Token::Word("if")) => false,
            Some(Token::Word(_) | Token::Expanded(..)) => self.dialect.bare_prompts,
            _ => false,
        };
        if prompt {
            let text = self.quoted(cursor, "a prompt")?;
            let condition = self.condition(cursor)?;
            cursor.end()?;
            self.build.add_prompt(&text, condition, location);
        }
        cursor.end()?;
        if let Some(symbol_type) = type_of(word) {
            self.build.set_type(symbol_type);
        }
        Ok(())
    }

    fn prompt_option(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        let text = self.quoted(cursor, "the prompt in quotes")?;
        let condition = self.condition(cursor)?;
        cursor.end()?;
        self.build.add_prompt(&text, condition, self.location());
        Ok(())
    }

    fn default_option(&mut self, cursor: &mut Cursor<'_, '_>, word: &str) -> Result<(), Wrong> {
        let value = if self.entry == Entry::Choice {
            let name = self.name(cursor, "a member of the choice")?;
            let symbol = self.build.named(&name);
            self.build.exprs.symbol(symbol)
        } else {
            self.expression(cursor)?
        };
        let condition = self.condition(cursor)?;
        cursor.end()?;
        self.build.add_property(PropertyKind::Default(value), condition, self.location());
        if let Some(symbol_type) = type_of(word) {
            self.build.set_type(symbol_type);
        }
        Ok(())
    }

    fn select_option(&mut self, cursor: &mut Cursor<'_, '_>, word: &str) -> Result<(), Wrong> {
        let name = self.name(cursor, "a symbol")?;
        let target = self.build.named(&name);
        let condition = self.condition(cursor)?;
        cursor.end()?;
        let kind = if word == "select" {
            PropertyKind::Select(target)
        } else {
            PropertyKind::Imply(target)
        };
        self.build.add_property(kind, condition, self.location());
        Ok(())
    }

    fn range_option(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        let low = self.symbol(cursor)?;
        let high = self.symbol(cursor)?;
        let condition = self.condition(cursor)?;
        cursor.end()?;
        self.build.add_property(PropertyKind::Range(low, high), condition, self.location());
        Ok(())
    }

    fn depends_option(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        if !cursor.keyword("on") {
            return Err(cursor.expected("`on`"));
        }
        let mut condition = self.expression(cursor)?;
        let offset = cursor.offset();
        if cursor.keyword("if") {
            if !self.dialect.conditional_depends {
                let what = "`depends on` takes no `if` in this tree";
                return Err(Wrong::at(offset, what, "`depends on … if` needs Linux 7.0"));
            }
            let only_if = self.expression(cursor)?;
            condition = self.unless_absent(condition, only_if);
        }
        cursor.end()?;
        let menu = self.build.entry.index();
        let depends = self.build.menus[menu].depends;
        self.build.menus[menu].depends = self.build.exprs.and(depends, condition);
        Ok(())
    }

    /// `condition`, but y while `only_if` is n: so an optional dependency limits a symbol to m
    /// while it is m, and nothing else.
    fn unless_absent(&mut self, condition: ExprId, only_if: ExprId) -> ExprId {
        let build = &mut self.build;
        let mut scope = Scope { exprs: &mut build.exprs, symbols: &build.symbols };
        let absent = is_no(&mut scope, only_if);
        build.exprs.or(condition, absent)
    }

    fn visible_option(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        let condition = self.condition(cursor)?;
        cursor.end()?;
        let menu = self.build.entry.index();
        let visible = self.build.menus[menu].visible_if;
        self.build.menus[menu].visible_if = self.build.exprs.and(visible, condition);
        Ok(())
    }

    fn help_option<'t>(
        &mut self,
        cursor: &mut Cursor<'_, 't>,
        word: &str,
        lexer: &mut Lexer<'t>,
    ) -> Result<(), Wrong> {
        let tail = cursor.end();
        let (start, end) = lexer.help();
        tail?;
        let menu = self.build.entry.index();
        let symbol = self.build.menus[menu].symbol;
        let name = symbol.map(|symbol| Arc::clone(&self.build.symbols[symbol.index()].name));
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "<choice>".into());
        let Some(text) = self.files.last().map(|file| Arc::clone(&file.text)) else {
            return Ok(());
        };
        if word == "---help---" && !self.dialect.old_help {
            let what = "`---help---` is read as `help`; Linux 5.9 and later refuse it";
            self.warning(None, "kconfig-old-help", what);
        }
        if self.build.menus[menu].help.is_some() {
            let what = format!("'{name}' defined with more than one help text; the last is used");
            self.doubtful("kconfig-help-twice", what);
        }
        if text[start..end].trim().is_empty() {
            self.doubtful("kconfig-help-blank", format!("'{name}' has a blank help text"));
        }
        let span = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let help = HelpSpan { text, start: span(start), end: span(end) };
        self.build.menus[menu].help = Some(help);
        Ok(())
    }

    /// What later versions of the language refuse.
    fn doubtful(&mut self, code: &'static str, what: String) {
        if self.dialect.strict {
            self.error(None, code, what, "write one help text, of at least one word");
        } else {
            self.warning(None, code, what);
        }
    }

    fn modules_option(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        let offset = cursor.offset();
        cursor.end()?;
        self.set_modules(offset)
    }

    /// Makes the symbol that is being defined the switch for modules.
    fn set_modules(&mut self, offset: usize) -> Result<(), Wrong> {
        let symbol = self.build.menus[self.build.entry.index()].symbol;
        if let (Some(first), Some(second)) = (self.build.modules, symbol) {
            let first = Arc::clone(&self.build.symbols[first.index()].name);
            let second = &self.build.symbols[second.index()].name;
            let what = format!(
                "symbol '{second}' has the attribute `modules`, which symbol '{first}' has already"
            );
            return Err(Wrong::at(offset, what, "only one symbol switches modules on"));
        }
        self.build.modules = symbol;
        Ok(())
    }

    /// `option modules` and its kin (up to Linux 5.13).
    fn option_option(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        if self.dialect.attributes == Attributes::OptionWords {
            return self.option_words(cursor);
        }
        if cursor.keyword("modules") {
            return self.modules_option(cursor);
        }
        let attribute = match cursor.peek() {
            Some(Token::Word(word @ ("defconfig_list" | "allnoconfig_y"))) => *word,
            _ => return Err(cursor.expected("`modules`, `defconfig_list` or `allnoconfig_y`")),
        };
        cursor.skip();
        cursor.end()?;
        self.attribute(attribute);
        Ok(())
    }

    /// Any number of words, each with or without a text (up to Linux 4.20).
    fn option_words(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        while let Some(token) = cursor.next_word() {
            let word = self.plain(&token);
            if cursor.sign(&Token::Compare(Comparison::Equal)) {
                self.quoted(cursor, "a text")?;
            }
            match word.as_str() {
                "modules" => self.set_modules(cursor.offset())?,
                "defconfig_list" | "allnoconfig_y" => self.attribute(&word),
                _ => {
                    let what = format!("ignoring unknown option {word}");
                    self.warning(None, "kconfig-option", what);
                }
            }
        }
        cursor.end()
    }

    fn attribute(&mut self, attribute: &str) {
        let Some(symbol) = self.build.menus[self.build.entry.index()].symbol else { return };
        let symbol = &mut self.build.symbols[symbol.index()];
        match attribute {
            "defconfig_list" => symbol.defconfig_list = true,
            _ => symbol.allnoconfig_y = true,
        }
    }

    fn flag_option(&mut self, cursor: &mut Cursor<'_, '_>, word: &str) -> Result<(), Wrong> {
        cursor.end()?;
        if let Some(symbol) = self.build.menus[self.build.entry.index()].symbol {
            let symbol = &mut self.build.symbols[symbol.index()];
            match word {
                "optional" => symbol.optional = true,
                _ => symbol.transitional = true,
            }
        }
        Ok(())
    }
}

/// The error for a statement that no rule knows.
fn unknown(cursor: &Cursor<'_, '_>, word: &str, dialect: Dialect) -> Wrong {
    let valued = dialect.choices == Choices::Valued;
    let offset = cursor.offset();
    let help = match word {
        "rsource" | "osource" | "orsource" => {
            "this is kconfiglib's; Linux only has `source`, with names relative to the tree".into()
        }
        "optional" if !valued => "choices cannot be `optional` since Linux 6.10".into(),
        "option" => "Linux 5.14 and later have no `option` lines; write `modules` alone".into(),
        "modules" if dialect.attributes != Attributes::Plain => {
            "write `option modules`: `modules` alone needs Linux 5.14".into()
        }
        "transitional" => "`transitional` needs Linux 6.18".into(),
        _ => match nearest_keyword(word) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the line is ignored".to_owned(),
        },
    };
    if word.is_empty() {
        return Wrong::at(offset, "invalid statement", "a statement begins with a keyword");
    }
    Wrong::at(offset, format!("unknown statement `{word}`"), help)
}
