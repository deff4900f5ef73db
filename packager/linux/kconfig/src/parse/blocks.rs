//! Statements that begin and end definitions and blocks.

use super::cursor::{Cursor, Wrong};
use super::{Block, Entry, MAX_BLOCKS, Parser};
use crate::dialect::Choices;
use crate::expr::ExprId;
use crate::lex::Token;
use crate::model::{MenuId, MenuKind, SymbolType};

impl Parser<'_> {
    pub(super) fn config(
        &mut self,
        cursor: &mut Cursor<'_, '_>,
        is_menu: bool,
    ) -> Result<(), Wrong> {
        self.finish_entry();
        let keyword = cursor.offset();
        cursor.skip();
        let name = self.name(cursor, "the name of a symbol")?;
        cursor.end()?;
        if is_menu && !self.dialect.open_choices && self.in_choice().is_some() {
            let what = "`menuconfig` is not allowed inside a choice";
            return Err(Wrong::at(keyword, what, "write `config`"));
        }
        let symbol = self.build.named(&name);
        if matches!(&*name, "y" | "m" | "n") {
            let what = format!("`{name}` is a constant and cannot be defined");
            return Err(Wrong::at(keyword, what, "choose another name"));
        }
        let (kind, entry) = if is_menu {
            (MenuKind::MenuConfig, Entry::MenuConfig)
        } else {
            (MenuKind::Config, Entry::Config)
        };
        self.build.add_menu(kind, Some(symbol), self.location());
        self.entry = entry;
        Ok(())
    }

    fn block(&mut self, kind: MenuKind, menu: MenuId) {
        self.build.open(menu);
        self.blocks.push(Block { menu, kind, depth: self.files.len() });
    }

    fn may_open(&self, cursor: &Cursor<'_, '_>) -> Result<(), Wrong> {
        if self.blocks.len() < MAX_BLOCKS {
            return Ok(());
        }
        let what = format!("blocks nested more than {MAX_BLOCKS} deep");
        Err(Wrong::at(cursor.offset(), what, "is an `endif` or `endmenu` missing?"))
    }

    fn not_in_choice(&self, cursor: &Cursor<'_, '_>, what: &str) -> Result<(), Wrong> {
        let inside = match self.blocks.last() {
            Some(block) if self.dialect.open_choices => block.kind == MenuKind::Choice,
            _ => self.in_choice().is_some(),
        };
        if !inside {
            return Ok(());
        }
        let what = format!("`{what}` is not allowed inside a choice");
        Err(Wrong::at(cursor.offset(), what, "is an `endchoice` missing?"))
    }

    pub(super) fn choice(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        self.finish_entry();
        self.not_in_choice(cursor, "choice")?;
        self.may_open(cursor)?;
        cursor.skip();
        let valued = self.dialect.choices == Choices::Valued;
        let name = match cursor.peek() {
            Some(Token::Word(_) | Token::Expanded(..)) if valued => {
                Some(self.name(cursor, "the name of the choice")?)
            }
            _ => None,
        };
        cursor.end()?;
        let symbol = self.build.choice(name.as_deref());
        let menu = self.build.add_menu(MenuKind::Choice, Some(symbol), self.location());
        if !valued {
            self.build.set_type(SymbolType::Bool);
        }
        self.block(MenuKind::Choice, menu);
        self.entry = Entry::Choice;
        Ok(())
    }

    pub(super) fn if_block(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        self.finish_entry();
        self.may_open(cursor)?;
        cursor.skip();
        // A condition that cannot be read still opens a block, or its `endif` would be an error.
        let condition = self.expression(cursor).and_then(|condition| {
            cursor.end()?;
            Ok(condition)
        });
        let menu = self.build.add_menu(MenuKind::If, None, self.location());
        self.build.menus[menu.index()].depends = *condition.as_ref().unwrap_or(&ExprId::YES);
        self.block(MenuKind::If, menu);
        condition.map(|_| ())
    }

    pub(super) fn menu(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        self.finish_entry();
        self.not_in_choice(cursor, "menu")?;
        self.may_open(cursor)?;
        cursor.skip();
        let text = self.quoted(cursor, "the title of the menu in quotes");
        let menu = self.build.add_menu(MenuKind::Menu, None, self.location());
        let title = text.as_deref().unwrap_or("?");
        self.build.add_prompt(title, ExprId::YES, self.location());
        self.block(MenuKind::Menu, menu);
        self.entry = Entry::Menu;
        text?;
        cursor.end()
    }

    pub(super) fn comment(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        self.finish_entry();
        cursor.skip();
        let text = self.quoted(cursor, "the text of the comment in quotes")?;
        cursor.end()?;
        self.build.add_menu(MenuKind::Comment, None, self.location());
        self.build.add_prompt(&text, ExprId::YES, self.location());
        self.entry = Entry::Comment;
        Ok(())
    }

    pub(super) fn mainmenu(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        self.finish_entry();
        if self.statements > 0 || self.files.len() != 1 {
            let what = "`mainmenu` may only be the first statement";
            return Err(Wrong::at(cursor.offset(), what, "remove it, or move it to the top"));
        }
        cursor.skip();
        let text = self.quoted(cursor, "the title in quotes")?;
        cursor.end()?;
        self.build.entry = MenuId::ROOT;
        self.build.add_prompt(&text, ExprId::YES, self.location());
        Ok(())
    }

    pub(super) fn source(&mut self, cursor: &mut Cursor<'_, '_>) -> Result<(), Wrong> {
        self.finish_entry();
        if !self.dialect.open_choices {
            self.not_in_choice(cursor, "source")?;
        }
        cursor.skip();
        let name = self.quoted(cursor, "the name of a file in quotes")?;
        cursor.end()?;
        crate::deep(|| self.file(&name));
        Ok(())
    }

    pub(super) fn end(&mut self, cursor: &mut Cursor<'_, '_>, kind: MenuKind) -> Result<(), Wrong> {
        self.finish_entry();
        let offset = cursor.offset();
        cursor.skip();
        cursor.end()?;
        let depth = self.files.len();
        let here = |block: &&Block| block.depth == depth;
        if let Some(block) = self.blocks.last().filter(here).filter(|block| block.kind == kind) {
            self.build.close(block.menu);
            self.blocks.pop();
            return Ok(());
        }
        let keyword = end_keyword(kind);
        let open = self.blocks.iter().rev().take_while(|block| block.depth == depth);
        let matching = open.clone().any(|block| block.kind == kind);
        let found = match (open.clone().next(), self.blocks.last()) {
            (Some(block), _) => {
                format!("unexpected `{keyword}` within {} block", block_name(block.kind))
            }
            (None, Some(block)) => {
                let menu = &self.build.menus[block.menu.index()];
                let file = &self.build.files[menu.location.file.0 as usize];
                let line = menu.location.line;
                format!("`{keyword}` in a different file than what is open ({file}:{line})")
            }
            (None, None) => format!("`{keyword}` without anything to end"),
        };
        // What it was meant to end is open further out: what is inside lacks its end.
        while matching && let Some(block) = self.blocks.pop() {
            self.build.close(block.menu);
            if block.kind == kind {
                break;
            }
        }
        Err(Wrong::at(offset, found, "each block ends in the file and in the order it began"))
    }
}

pub(super) fn block_name(kind: MenuKind) -> &'static str {
    match kind {
        MenuKind::If => "if",
        MenuKind::Choice => "choice",
        _ => "menu",
    }
}

pub(super) fn end_keyword(kind: MenuKind) -> &'static str {
    match kind {
        MenuKind::If => "endif",
        MenuKind::Choice => "endchoice",
        _ => "endmenu",
    }
}
