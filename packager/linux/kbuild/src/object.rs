//! One object file: where it comes from and what the compiler is told.

use serde::Serialize;

use crate::config::Globals;
use crate::directory::State;
use crate::make::words::words;

/// One object file of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Object {
    /// Path of the `.o` file.
    pub path: String,
    /// What it is made from.
    pub source: Source,
    /// Whether it is compiled as a part of a module (`-DMODULE`).
    pub state: State,
    /// Whether it is linked itself. Not linked: another object is derived from it
    /// ([`Source::Derived`]).
    pub linked: bool,
    /// The composites that it is a member of, sorted; its own name if there is none. More than one
    /// shows up in `KBUILD_MODNAME` joined by `:`.
    pub modules: Vec<String>,
    /// What the compiler or assembler is told beyond what every object of the tree is told.
    pub flags: Flags,
    /// The definitions that name the object, and `-DMODULE`, ready for an argument vector: no shell
    /// quotes. (`-DKBUILD_MODNAME="e1000"`.)
    pub defines: Vec<String>,
    /// What the directory says about instrumentation, for tools that the configuration turns on.
    pub instrumentation: Vec<Instrumentation>,
}

/// What an object file is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "path", rename_all = "kebab-case")]
pub enum Source {
    /// A C file of the tree.
    C(String),
    /// An assembler file of the tree, preprocessed.
    Assembler(String),
    /// A Rust file of the tree.
    Rust(String),
    /// A `…_shipped` file, copied to the name without the suffix and then compiled.
    Shipped(String),
    /// The object is shipped itself (`x.o_shipped`).
    ShippedObject(String),
    /// A C file that a rule or a tool makes (from `.asn1`, `.dts`, `.l`, `.y`, a script): the path
    /// of the generated file.
    Generated(String),
    /// Another object, changed by a rule (`objcopy`).
    Derived(String),
    /// Nothing in the tree explains it.
    Unknown,
}

impl Source {
    /// The file of the tree that is compiled or copied, if there is one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::C(path)
            | Self::Assembler(path)
            | Self::Rust(path)
            | Self::Shipped(path)
            | Self::ShippedObject(path) => Some(path),
            Self::Generated(_) | Self::Derived(_) | Self::Unknown => None,
        }
    }
}

/// Flags beyond those that every object of the tree gets, in the order in which the compiler sees
/// them. Paths are relative to the root of the tree; one that is not there is in the tree of
/// generated files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Flags {
    /// What comes after the flags of the top Makefile.
    pub additions: Vec<String>,
    /// What is taken out of the flags of the top Makefile: words, or patterns with `%` as
    /// `$(filter-out …)` takes them.
    pub removals: Vec<String>,
    /// The Makefile does not start from the flags of the top Makefile at all: `additions` is
    /// everything.
    pub replaces: bool,
}

/// An instrumentation tool that adds flags to objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// Coverage (`GCOV_PROFILE`).
    Gcov,
    /// Address sanitizer (`KASAN_SANITIZE`).
    Kasan,
    /// Memory sanitizer (`KMSAN_SANITIZE`).
    Kmsan,
    /// Reports of the memory sanitizer (`KMSAN_ENABLE_CHECKS`).
    KmsanChecks,
    /// Undefined behaviour sanitizer (`UBSAN_SANITIZE`).
    Ubsan,
    /// Its part for signed arithmetic (`UBSAN_SIGNED_WRAP`).
    UbsanSignedWrap,
    /// Coverage for fuzzing (`KCOV_INSTRUMENT`).
    Kcov,
    /// Concurrency sanitizer (`KCSAN_SANITIZE`).
    Kcsan,
    /// Only its barriers (`KCSAN_INSTRUMENT_BARRIERS`).
    KcsanBarriers,
    /// Checks of `objtool` (`OBJECT_FILES_NON_STANDARD`); on means that it runs over the object.
    Objtool,
}

/// What happens to one object with one tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Instrumentation {
    /// The tool. Only those that the configuration turns on are listed, and `objtool` if the
    /// Makefile has an opinion about it.
    pub tool: Tool,
    /// Whether the object is instrumented.
    pub on: bool,
}

impl Instrumentation {
    /// The flags that come after [`Flags::additions`]: values of variables of the top Makefile.
    pub fn flags(self, globals: &Globals) -> Vec<String> {
        let value = |name: &str| globals.get(name).unwrap_or_default();
        let text = match (self.tool, self.on) {
            (Tool::Gcov, true) => value("CFLAGS_GCOV"),
            (Tool::Kasan, true) => value("CFLAGS_KASAN"),
            (Tool::Kasan, false) => value("CFLAGS_KASAN_NOSANITIZE"),
            (Tool::Kmsan, true) => value("CFLAGS_KMSAN"),
            (Tool::KmsanChecks, false) => "-mllvm -msan-disable-checks=1",
            (Tool::Ubsan, true) => value("CFLAGS_UBSAN"),
            (Tool::UbsanSignedWrap, true) => value("CFLAGS_UBSAN_SIGNED_WRAP"),
            (Tool::Kcov, true) => value("CFLAGS_KCOV"),
            (Tool::Kcsan, true) => value("CFLAGS_KCSAN"),
            (Tool::KcsanBarriers, true) => "-D__KCSAN_INSTRUMENT_BARRIERS__",
            _ => "",
        };
        words(text).map(str::to_owned).collect()
    }
}

impl Flags {
    /// The additions as the compiler gets them: split and unquoted as the shell would.
    pub fn arguments(&self) -> Vec<String> {
        shell_words(&self.additions.join(" "))
    }
}

/// Splits a text into arguments as the shell does with quotes and backslashes; nothing is expanded.
pub(crate) fn shell_words(text: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' => arguments.extend(current.take()),
            '\'' => {
                let argument = current.get_or_insert_default();
                argument.extend(characters.by_ref().take_while(|c| *c != '\''));
            }
            '"' => {
                let argument = current.get_or_insert_default();
                while let Some(inner) = characters.next() {
                    match inner {
                        '"' => break,
                        '\\' if matches!(characters.peek(), Some('"' | '\\' | '$' | '`')) => {
                            argument.extend(characters.next());
                        }
                        inner => argument.push(inner),
                    }
                }
            }
            '\\' => current.get_or_insert_default().extend(characters.next()),
            character => current.get_or_insert_default().push(character),
        }
    }
    arguments.extend(current);
    arguments
}

#[cfg(test)]
mod tests {
    use super::shell_words;

    #[test]
    fn arguments_lose_their_quotes_like_in_the_shell() {
        let words = shell_words(r#"-DA='"x y"' -DB=\"z\" -D"C D"=1 '' -DE"#);
        assert_eq!(words, ["-DA=\"x y\"", "-DB=\"z\"", "-DC D=1", "", "-DE"]);
    }
}
