//! The Kconfig language of Linux: parser, evaluator, and the files made of a configuration.
//!
//! - [`Kconfig`] is what the files of a tree define: symbols, menu tree, expressions.
//!   [`Kconfig::load`] reads them.
//! - [`Config`] gives every symbol a value: from a [`Preset`], a `.config`, single settings. Values
//!   are computed when they are asked for, and equal those of the kernel's own `conf`.
//! - [`Config`] also writes `.config`, `auto.conf`, `autoconf.h` and `rustc_cfg`, byte for byte as
//!   `make` does.
//!
//! ```no_run
//! # fn main() -> Result<(), l4re_packager_base::Failure> {
//! use std::path::Path;
//! use l4re_kconfig::{Config, Environment, HostShell, Kconfig, Preset, Tools, TreeSource};
//!
//! let tree = Path::new("linux");
//! let environment = Environment::linux(tree, "arm64", &Tools::default())?;
//! let shell = Box::new(HostShell::new(&environment));
//! let (kconfig, report) = Kconfig::load(&TreeSource::new(tree), environment, shell)?;
//! let mut config = Config::new(&kconfig)?;
//! config.preset(Preset::AllModules, &TreeSource::new(tree))?;
//! if let Some(symbol) = kconfig.find_defined("E1000") {
//!     println!("CONFIG_E1000={}", config.value(symbol));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The language is that of Linux 4.19 and later, each tree by its own rules: what the tree's own tool accepts, with the limits
//! and the error recovery that input from anywhere needs. Commands in Kconfig files (`$(shell …)`)
//! are run by a [`Shell`], and only when a value that was asked for depends on them.

mod builder;
mod config;
mod cycles;
mod dialect;
mod environment;
mod expand;
mod expr;
mod finalize;
mod lazy;
mod lex;
mod load;
mod model;
mod number;
mod parse;
mod shell;
mod simplify;
mod source;

pub use config::{Cause, Config, NotSettable, Preset, Unmet, Value, Why};
pub use dialect::{Attributes, Choices, Dialect, MenuEnds, UnsetLines};
pub use environment::{Environment, Tools, source_architecture};
pub use expr::{Comparison, DisplayExpr, Expr, ExprId};
pub use model::{
    FileId, Kconfig, Location, Menu, MenuId, MenuKind, Property, PropertyId, PropertyKind, Reverse,
    Symbol, SymbolId, SymbolKind, SymbolType, Tristate,
};
pub use shell::{HostShell, NoShell, Shell, default_cache_folder};
pub use source::{MemorySource, Source, TreeSource};

/// Runs something recursive with enough stack, however deep the input nests.
fn deep<T>(step: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(64 << 10, 1 << 20, step)
}
