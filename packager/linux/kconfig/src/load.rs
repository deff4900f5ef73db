//! [`Kconfig::load`].

use std::cmp::Reverse;

use l4re_packager_base::{Failure, Report};

use crate::builder::Builder;
use crate::dialect::Dialect;
use crate::environment::Environment;
use crate::expand::Expander;
use crate::lazy::Probes;
use crate::model::{Kconfig, MenuId, Symbol, SymbolId, SymbolKind};
use crate::parse::Parser;
use crate::shell::Shell;
use crate::source::Source;
use crate::{cycles, finalize, lex};

impl Kconfig {
    /// Reads the file `Kconfig` at the top of a tree and all that it sources, by the rules of the
    /// tree's own tool.
    ///
    /// Commands in the files run only when a value that needs them is asked for.
    ///
    /// # Errors
    ///
    /// [`Failure`] with everything that is wrong: statements that cannot be read (the reader goes on
    /// behind each), missing files, symbols that depend on themselves. What is only doubtful is in
    /// the report beside the result.
    pub fn load(
        source: &dyn Source,
        environment: Environment,
        shell: Box<dyn Shell>,
    ) -> Result<(Self, Report), Failure> {
        let dialect = Dialect::of(source);
        Self::load_file(source, "Kconfig", environment, shell, dialect)
    }

    /// Reads `file` and all that it sources, by the given rules.
    ///
    /// # Errors
    ///
    /// As [`Kconfig::load`].
    pub fn load_file(
        source: &dyn Source,
        file: &str,
        environment: Environment,
        shell: Box<dyn Shell>,
        dialect: Dialect,
    ) -> Result<(Self, Report), Failure> {
        let expander = Expander::new(&environment, Probes::new(shell));
        let mut parser = Parser::new(source, dialect, expander, file);
        parser.file(file);
        let Parser { build: mut tables, expander, .. } = parser;
        let probes = expander.probes;
        if !tables.report.has_errors() {
            finalize::finalize(&mut tables, dialect);
            cycles::check(&mut tables);
        }
        let (builder, report) = take_report(tables);
        let order = output_order(&builder.symbols, dialect.buckets);
        let kconfig = Self {
            symbols: builder.symbols,
            menus: builder.menus,
            properties: builder.properties,
            exprs: builder.exprs,
            files: builder.files,
            names: builder.names,
            modules: builder.modules.unwrap_or(SymbolId::NO),
            order,
            dialect,
            environment,
            probes,
        };
        report.into_result(kconfig)
    }

    /// The help text of a definition, without its indentation.
    pub fn help(&self, menu: MenuId) -> Option<String> {
        let help = self.menu(menu).help.as_ref()?;
        Some(lex::dedent(&help.text[help.start as usize..help.end as usize]))
    }
}

fn take_report(mut builder: Builder) -> (Builder, Report) {
    let report = std::mem::take(&mut builder.report);
    (builder, report)
}

/// The symbols in the order in which the kernel's tool writes them: bucket by bucket of its table,
/// in each bucket the last new one first.
fn output_order(symbols: &[Symbol], buckets: u32) -> Vec<SymbolId> {
    let mut order: Vec<(u32, Reverse<u32>)> = (0_u32..)
        .zip(symbols)
        .filter(|(_, symbol)| matches!(symbol.kind, SymbolKind::Named | SymbolKind::Choice))
        .map(|(index, symbol)| (hash(&symbol.name) % buckets, Reverse(index)))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, Reverse(index))| SymbolId(index)).collect()
}

/// The 32-bit Fowler-Noll-Vo hash (FNV-1a) of a name; 0 for what has none.
fn hash(name: &str) -> u32 {
    if name.is_empty() {
        return 0;
    }
    name.bytes()
        .fold(2_166_136_261, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hashed_by_fnv_1a() {
        assert_eq!(hash(""), 0);
        assert_eq!(hash("a"), 0xe40c_292c);
        assert_eq!(hash("foobar"), 0xbf9c_f968);
    }
}
