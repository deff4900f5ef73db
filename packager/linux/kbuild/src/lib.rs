//! The make language as Kbuild files use it: which objects make up which module, with which flags.
//!
//! Three layers, bottom to top:
//!
//! - [`make`]: parser and evaluator of the part of GNU make's language that can occur in a Kbuild
//!   file. Nothing is executed: `$(shell …)` and compiler probes are questions to a [`Host`].
//! - [`Build`]: what Kbuild (`scripts/Makefile.build`, `scripts/Makefile.lib`) makes of the
//!   variables of each directory under one configuration: modules, their members, flags.
//! - [`Survey`]: what the Makefiles say about all symbols at once, whatever the configuration.
//!
//! All paths are relative to the root of the tree and use `/`; the Makefiles are evaluated as
//! `make` would when it is started in the root of the tree (`srctree`, `objtree` = `.`).
//!
//! ```no_run
//! # fn main() -> Result<(), l4re_packager_base::Failure> {
//! use l4re_kbuild::{AutoConf, Build, Globals, NoHost, Scope, Setup, Survey, Tree};
//!
//! let tree = Tree::open("linux".as_ref(), "arm64")?;
//! // For the catalog: everything that any configuration can build.
//! let survey = Survey::of(&tree);
//! for module in survey.modules("E1000") {
//!     println!("{}/{}: {:?}", module.directory, module.name, module.objects);
//! }
//! // For one configuration.
//! let config = AutoConf::parse("CONFIG_PCI=y\nCONFIG_NET=y\nCONFIG_E1000=m\n");
//! let globals = Globals::default();
//! let setup = Setup { config: &config, host: &NoHost, globals: &globals };
//! let build = Build::walk(&tree, &setup, Scope::Below(&["drivers/net"]));
//! for module in build.modules() {
//!     println!("{} is {:?}, made of {:?}", module.name, module.state, module.objects);
//! }
//! # Ok(())
//! # }
//! ```

mod answers;
mod config;
mod directory;
mod environment;
mod evaluate;
mod flags;
mod hash;
mod object;
mod source;
mod tree;
mod walk;

pub mod make;
pub mod survey;

pub use answers::{Answer, Compiler, Host, NoHost, Question};
pub use config::{AutoConf, Globals, Lookup};
pub use directory::{Directory, Module, State, Subdirectory};
pub use object::{Flags, Instrumentation, Object, Source, Tool};
pub use survey::{Condition, Survey, SurveyedModule};
pub use tree::{Dialect, Tree};
pub use walk::{Build, Resolution, Scope, Setup};
