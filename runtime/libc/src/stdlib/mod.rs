//! `stdlib.h`: allocation, numbers, sorting, and the end of the program.

mod arith;
pub(crate) mod heap;
mod parse;
mod process;
mod sort;

pub use arith::*;
pub use heap::{aligned_alloc, calloc, free, malloc, posix_memalign, realloc, reallocarray};
pub use parse::*;
pub use process::*;
pub use sort::{Comparison, bsearch, qsort};
