//! The host's side of the end-to-end tests, of the demo and of the benchmark.

pub mod bench;
pub mod disk;
mod error;
pub mod guest;
pub mod images;
pub mod l4re;
pub mod run;
pub mod scenario;
pub mod system;
pub mod uvmm;

pub use error::{Context, Error, Result};
