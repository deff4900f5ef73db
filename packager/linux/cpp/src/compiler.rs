//! What a compiler knows by itself: predefined macros, its own folders, what it supports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use l4re_packager_base::Failure;

use crate::probe;

/// Names that the preprocessor knows without a `#define`, apart from those of [`OPERATORS`].
const BUILTINS: &[&str] = &[
    "__FILE__",
    "__FILE_NAME__",
    "__BASE_FILE__",
    "__LINE__",
    "__INCLUDE_LEVEL__",
    "__COUNTER__",
    "__DATE__",
    "__TIME__",
    "__TIMESTAMP__",
    "__has_include",
    "__has_include_next",
];

/// Operators that ask the compiler; which of them exist depends on it.
pub(crate) const OPERATORS: &[&str] = &[
    "__has_attribute",
    "__has_cpp_attribute",
    "__has_c_attribute",
    "__has_builtin",
    "__has_feature",
    "__has_extension",
];

/// The language of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// C.
    #[default]
    C,
    /// Assembler that is preprocessed.
    Assembler,
}

/// What a compiler knows by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiler {
    /// The predefined macros, as `#define` lines.
    pub predefined: String,
    /// The folders that it searches after all others.
    pub search: Vec<PathBuf>,
    /// The operators such as `__has_attribute` that exist.
    pub operators: Vec<String>,
    /// What they answer, by operator and operand without the underscores around it. What is not
    /// there is not supported.
    pub answers: BTreeMap<(String, String), bool>,
}

impl Compiler {
    /// Asks the compiler `command`, under those of `args` that matter to it; the second result of
    /// [`Options::from_args`](crate::Options::from_args) is meant. The answer is kept in the
    /// folder `cache`, if given, until the compiler is another one.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the compiler cannot be run, or refuses the arguments.
    pub fn probe(
        command: &Path,
        args: &[String],
        language: Language,
        cache: Option<&Path>,
    ) -> Result<Self, Failure> {
        probe::probe(command, args, language, cache)
    }

    /// What gcc 12 knows with the flags that Linux gives to every file: for when there is no
    /// compiler. `arch` is Linux's name: `arm64`, `arm` or `x86_64`.
    pub fn builtin(arch: &str) -> Option<Self> {
        let predefined = match arch {
            "arm64" => include_str!("../data/arm64.h"),
            "arm" => include_str!("../data/arm.h"),
            "x86_64" | "x86" => include_str!("../data/x86_64.h"),
            _ => return None,
        };
        let known = include_str!("../data/answers.txt").lines().filter_map(|line| {
            let (operator, name) = line.split_once(' ')?;
            Some(((operator.to_owned(), name.to_owned()), true))
        });
        let operators = OPERATORS.iter().take(4).map(|&name| name.to_owned()).collect();
        Some(Self {
            predefined: predefined.into(),
            search: Vec::new(),
            operators,
            answers: known.collect(),
        })
    }

    /// All names that mean something without being macros.
    pub(crate) fn builtins(&self) -> impl Iterator<Item = &str> {
        BUILTINS.iter().copied().chain(self.operators.iter().map(String::as_str))
    }

    /// What an operator answers.
    pub(crate) fn answer(&self, operator: &str, operand: &str) -> bool {
        let key = (operator.to_owned(), plain(operand).to_owned());
        self.answers.get(&key).copied().unwrap_or(false)
    }
}

/// An attribute's name without the underscores that may stand around it.
pub(crate) fn plain(name: &str) -> &str {
    name.strip_prefix("__").and_then(|name| name.strip_suffix("__")).unwrap_or(name)
}
