//! The C preprocessor, as far as it decides which headers a file includes: what `gcc -M` says,
//! without running a compiler.
//!
//! A [`Preprocessor`] reads files through a [`FileSource`] – the disk, memory, or layers of both,
//! so that generated headers need never be written – and [scans](Preprocessor::scan) one C file
//! after the other under its [`Options`]. Each header is read and split into directives once,
//! however many files include it; text between directives is not looked at again.
//!
//! ```
//! use std::path::Path;
//! use l4re_cpp::{MemoryFiles, Options, Preprocessor};
//!
//! let mut files = MemoryFiles::default();
//! files.insert("/t/a.c", "#define DIR inc\n#define S(x) #x\n#define T(x) S(x/b.h)\n#include T(DIR)\n");
//! files.insert("/t/inc/b.h", "#pragma once\n");
//! let mut preprocessor = Preprocessor::new(&files);
//! let scan = preprocessor.scan(Path::new("/t/a.c"), &Options::default())?;
//! assert_eq!(scan.files[1].path.as_ref(), Path::new("/t/inc/b.h"));
//! # Ok::<(), l4re_packager_base::Failure>(())
//! ```
//!
//! # What is not like gcc
//!
//! Only directives are executed. What a macro does in the text between them has no effect here:
//! `__COUNTER__` counts only its uses in directives, and `_Pragma("push_macro(…)")` is not seen
//! (`#pragma push_macro` is). A header that is not found is recorded, and the scan goes on as if
//! it were empty, where gcc ends. So does `#error`.

mod compiler;
mod condition;
mod expand;
mod files;
mod intern;
mod lines;
mod macros;
mod options;
mod probe;
mod result;
mod scan;
mod search;
mod source;
mod token;
mod unit;

pub use compiler::{Compiler, Language};
pub use options::{Define, Options};
pub use result::{Included, Missing, Origin, Scan};
pub use scan::Preprocessor;
pub use source::{FileSource, Layers, MemoryFiles, RealFiles};
