//! The files that are made of a configuration, byte for byte as the kernel's tool writes them.

use std::fmt::Write;

use super::{Config, Value};
use crate::dialect::MenuEnds;
use crate::model::{MenuId, MenuKind, SymbolId, SymbolKind, SymbolType, Tristate};

impl Config<'_> {
    /// The text of `.config`.
    pub fn dot_config(&self) -> String {
        let mut writer = DotConfig {
            config: self,
            out: heading("#", "#", "#", self.kconfig.main_menu()),
            written: vec![false; self.kconfig.symbols.len()],
            blank: false,
        };
        for child in self.kconfig.children(MenuId::ROOT) {
            writer.node(child);
        }
        writer.out
    }

    /// The text of `include/config/auto.conf`.
    pub fn auto_conf(&self) -> String {
        let mut out = heading("#", "#", "#", self.kconfig.main_menu());
        let quotes = self.kconfig.dialect().quoted_auto_conf;
        for (symbol, value) in self.output() {
            let name = &self.kconfig.symbol(symbol).name;
            match &value {
                Value::Logic(Tristate::No) => {}
                Value::Text(text) if quotes && self.type_of(symbol) == SymbolType::String => {
                    line(&mut out, format_args!("CONFIG_{name}={}", quoted(text)));
                }
                value => line(&mut out, format_args!("CONFIG_{name}={value}")),
            }
        }
        out
    }

    /// The text of `include/generated/autoconf.h`.
    pub fn autoconf_h(&self) -> String {
        let spaced = self.kconfig.dialect().spaced_heading;
        let (first, last) = if spaced { ("/*\n *", " *\n */") } else { ("/*", " */") };
        let mut out = heading(first, " *", last, self.kconfig.main_menu());
        for (symbol, value) in self.output() {
            let name = &self.kconfig.symbol(symbol).name;
            match &value {
                Value::Logic(Tristate::No) => {}
                Value::Logic(Tristate::Mod) => {
                    line(&mut out, format_args!("#define CONFIG_{name}_MODULE 1"));
                }
                Value::Logic(Tristate::Yes) => {
                    line(&mut out, format_args!("#define CONFIG_{name} 1"));
                }
                Value::Text(text) => {
                    let text = match self.type_of(symbol) {
                        SymbolType::String => quoted(text),
                        SymbolType::Hex => prefixed(text),
                        _ => text.to_string(),
                    };
                    line(&mut out, format_args!("#define CONFIG_{name} {text}"));
                }
            }
        }
        out
    }

    /// The text of `include/generated/rustc_cfg`.
    pub fn rustc_cfg(&self) -> String {
        let mut out = String::new();
        for (symbol, value) in self.output() {
            let name = &self.kconfig.symbol(symbol).name;
            match &value {
                Value::Logic(Tristate::No) => {}
                Value::Logic(value) => {
                    line(&mut out, format_args!("--cfg=CONFIG_{name}"));
                    line(&mut out, format_args!("--cfg=CONFIG_{name}=\"{value}\""));
                }
                Value::Text(text) => {
                    let hex = self.type_of(symbol) == SymbolType::Hex;
                    let text = if hex { prefixed(text) } else { text.to_string() };
                    line(&mut out, format_args!("--cfg=CONFIG_{name}={}", quoted(&text)));
                }
            }
        }
        out
    }

    /// The symbols that go into files, in the order of the kernel's symbol table, with their
    /// values.
    fn output(&self) -> impl Iterator<Item = (SymbolId, Value)> {
        self.kconfig.order.iter().filter_map(|symbol| {
            let own = self.kconfig.symbol(*symbol);
            let option = own.kind == SymbolKind::Named && own.symbol_type != SymbolType::Unknown;
            (option && self.is_written(*symbol)).then(|| (*symbol, self.value(*symbol)))
        })
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn heading(first: &str, middle: &str, last: &str, title: &str) -> String {
    format!(
        "{first}\n{middle} Automatically generated file; DO NOT EDIT.\n{middle} {title}\n{last}\n"
    )
}

/// A text in quotes, with backslashes before quotes and backslashes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn prefixed(text: &str) -> String {
    let has_prefix = text.starts_with("0x") || text.starts_with("0X");
    if has_prefix { text.to_owned() } else { format!("0x{text}") }
}

struct DotConfig<'a, 'k> {
    config: &'a Config<'k>,
    out: String,
    written: Vec<bool>,
    /// Whether a menu has just ended, so that a symbol that follows is set off.
    blank: bool,
}

impl DotConfig<'_, '_> {
    fn node(&mut self, menu: MenuId) {
        let kconfig = self.config.kconfig;
        let node = kconfig.menu(menu);
        let title = node.prompt.and_then(|id| kconfig.prompt_text(id)).unwrap_or_default();
        let heading = self.config.is_heading(menu);
        if heading {
            line(&mut self.out, format_args!("\n#\n# {title}\n#"));
            self.blank = false;
        }
        if let Some(symbol) = node.symbol {
            self.symbol(symbol);
        }
        let mut empty = true;
        for child in kconfig.children(menu) {
            crate::deep(|| self.node(child));
            empty = false;
        }
        let ends = match kconfig.dialect().menu_ends {
            MenuEnds::None => false,
            MenuEnds::Filled => !empty,
            MenuEnds::All => true,
        };
        if heading && node.kind == MenuKind::Menu && ends {
            line(&mut self.out, format_args!("# end of {title}"));
            self.blank = true;
        }
    }

    fn symbol(&mut self, symbol: SymbolId) {
        let own = self.config.kconfig.symbol(symbol);
        if own.kind == SymbolKind::Choice
            || self.written[symbol.index()]
            || !self.config.is_written(symbol)
        {
            return;
        }
        if std::mem::take(&mut self.blank) {
            self.out.push('\n');
        }
        self.written[symbol.index()] = true;
        let name = &own.name;
        match self.config.value(symbol) {
            _ if own.symbol_type == SymbolType::Unknown => {}
            Value::Logic(Tristate::No) => {
                line(&mut self.out, format_args!("# CONFIG_{name} is not set"));
            }
            Value::Text(text) if own.symbol_type == SymbolType::String => {
                line(&mut self.out, format_args!("CONFIG_{name}={}", quoted(&text)));
            }
            value => line(&mut self.out, format_args!("CONFIG_{name}={value}")),
        }
    }
}
