//! Taking one driver out of a Linux tree.

mod compile;
mod facts;

pub use compile::{CompileCommand, Folders, compile_command, source_of};
