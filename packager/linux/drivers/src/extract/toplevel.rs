//! What the top Makefile and the architecture's say that every object gets.
//!
//! They are evaluated as make would for a build outside of the tree, from the line on where make
//! knows the output folder; nothing is built. Their questions to the compiler go through the same
//! shell, with the same memory, as those of Kconfig.

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;

use l4re_kbuild::make::{Environment, Evaluator, Files, Limits, Makefile, Stop, parse};
use l4re_kbuild::{Globals, Lookup, Tree};
use l4re_kconfig::Shell;
use l4re_kheaders::Generated;

use crate::workspace::{Compiler, Root};
use l4re_packager_base::{Diagnostic, Failure};

/// The output folder that the Makefiles are told. It does not exist: whatever they look for in it
/// is not there yet.
pub const OBJTREE: &str = "/nonexistent/linux-output";

/// What GNU make 4.3 says of itself.
const FEATURES: &str = "target-specific order-only second-expansion else-if shortest-stem \
                        undefine oneshell nocomment grouped-target extra-prereqs archives \
                        jobserver output-sync check-symlink load";

/// Files of the output folder that the top Makefile includes. The configuration in them is asked
/// for by name instead.
const GENERATED: [&str; 3] =
    ["include/config/auto.conf", "include/config/auto.conf.cmd", ".kernelvariables"];

/// Variables that Kbuild files of directories can refer to.
const EXPORTED: [&str; 41] = [
    "CC_VERSION_TEXT",
    "KBUILD_CPPFLAGS",
    "KBUILD_CFLAGS",
    "KBUILD_AFLAGS",
    "KBUILD_CFLAGS_MODULE",
    "KBUILD_AFLAGS_MODULE",
    "KBUILD_CFLAGS_KERNEL",
    "KBUILD_AFLAGS_KERNEL",
    "CFLAGS_MODULE",
    "AFLAGS_MODULE",
    "CFLAGS_KERNEL",
    "AFLAGS_KERNEL",
    "NOSTDINC_FLAGS",
    "LINUXINCLUDE",
    "USERINCLUDE",
    "CC_FLAGS_FTRACE",
    "CC_FLAGS_USING",
    "CC_FLAGS_LTO",
    "CC_FLAGS_SCS",
    "CC_FLAGS_CFI",
    "CC_FLAGS_FPU",
    "CC_FLAGS_NO_FPU",
    "CFLAGS_GCOV",
    "CFLAGS_KASAN",
    "CFLAGS_KASAN_NOSANITIZE",
    "CFLAGS_KMSAN",
    "CFLAGS_UBSAN",
    "CFLAGS_UBSAN_TRAP",
    "CFLAGS_UBSAN_INTEGER_WRAP",
    "CFLAGS_UBSAN_SIGNED_WRAP",
    "CFLAGS_KCOV",
    "CFLAGS_KCSAN",
    "RETPOLINE_CFLAGS",
    "RETHUNK_CFLAGS",
    "PADDING_CFLAGS",
    "DISABLE_STACKLEAK_PLUGIN",
    "DISABLE_LATENT_ENTROPY_PLUGIN",
    "DISABLE_ARM_SSP_PER_TASK_PLUGIN",
    "DISABLE_STRUCTLEAK_PLUGIN",
    "RANDSTRUCT_CFLAGS",
    "KBUILD_EXTRA_WARN",
];

/// What the top Makefile says.
pub struct TopLevel {
    /// The variables, for the Makefiles of directories.
    pub globals: Globals,
    /// The flags of every object.
    pub compiler: Compiler,
}

/// Evaluates the top Makefile of `tree` under a configuration.
///
/// # Errors
///
/// [`Failure`] if make would stop, or if it names no flags at all: then it is not understood.
pub fn top_level(
    tree: &Tree,
    config: &dyn Lookup,
    cross_compile: &str,
    shell: &dyn Shell,
) -> Result<TopLevel, Failure> {
    let root = tree.root().to_string_lossy();
    let output = OutOfTree { tree, include_path: [root.to_string()] };
    let surroundings = Surroundings { tree, root: &root, config, cross_compile, shell };
    let mut evaluator = Evaluator::new(&output, &surroundings, Limits::default());
    evaluator.file(&format!("{root}/Makefile"))?;
    let globals = Globals::from_iter(values(&mut evaluator)?);
    let words = |names: &[&str]| -> Vec<String> {
        let texts = names.iter().filter_map(|name| globals.get(name));
        texts.flat_map(shell_words).map(|word| rooted(&word, &root)).collect()
    };
    // The order is that of `c_flags` and `a_flags` in scripts/Makefile.lib.
    let mut cflags = vec!["-include".to_owned(), forced("compiler_types.h")];
    cflags.extend(words(&["KBUILD_CPPFLAGS", "KBUILD_CFLAGS"]));
    let mut compiler = Compiler {
        prefix: cross_compile.to_owned(),
        version: globals.get("CC_VERSION_TEXT").unwrap_or_default().trim().to_owned(),
        cppflags: words(&["NOSTDINC_FLAGS", "LINUXINCLUDE"]),
        cflags,
        cflags_module: words(&["KBUILD_CFLAGS_MODULE", "CFLAGS_MODULE"]),
        cflags_built_in: words(&["KBUILD_CFLAGS_KERNEL", "CFLAGS_KERNEL"]),
        aflags: words(&["KBUILD_CPPFLAGS", "KBUILD_AFLAGS"]),
        aflags_module: words(&["KBUILD_AFLAGS_MODULE", "AFLAGS_MODULE"]),
        aflags_built_in: words(&["KBUILD_AFLAGS_KERNEL", "AFLAGS_KERNEL"]),
    };
    for flags in [&mut compiler.cflags, &mut compiler.aflags] {
        one_name_for_all_roots(flags);
    }
    Ok(TopLevel { globals, compiler })
}

/// A header of the tree that is included before anything else.
fn forced(name: &str) -> String {
    format!("{}/include/linux/{name}", Root::Tree.word())
}

fn values(evaluator: &mut Evaluator<'_>) -> Result<Vec<(&'static str, String)>, Stop> {
    let mut values = Vec::new();
    for name in EXPORTED {
        let value = evaluator.value(name)?;
        if evaluator.is_set(name) {
            values.push((name, value));
        }
    }
    Ok(values)
}

/// A flag with the folder of the tree and the output folder as words.
fn rooted(word: &str, root: &str) -> String {
    let word = word.replace(root, Root::Tree.word());
    for prefix in ["-I./", "-I"] {
        // Relative search paths are those below the output folder.
        if let Some(path) = word.strip_prefix(prefix)
            && !path.starts_with(['$', '/'])
            && !path.is_empty()
        {
            return format!("-I{}/{path}", Root::Generated.word());
        }
    }
    word
}

/// The names of files in objects are relative to the tree, wherever the tree is; the same has to
/// hold for copied and generated files.
fn one_name_for_all_roots(flags: &mut Vec<String>) {
    const OPTION: &str = "-fmacro-prefix-map=";
    let tree = format!("{OPTION}{}/=", Root::Tree.word());
    if let Some(at) = flags.iter().position(|flag| *flag == tree) {
        flags.insert(at + 1, format!("{OPTION}{}/=", Root::Sources.word()));
        flags.insert(at + 2, format!("{OPTION}{}/=", Root::Generated.word()));
    }
}

/// Flags that the architecture's Makefile adds only when the headers are made, because they need a
/// number from one: where in a task its stack canary is.
///
/// # Errors
///
/// [`Failure`] if the header cannot be made.
pub fn late_flags(
    srcarch: &str,
    config: &dyn Lookup,
    generated: &Generated,
) -> Result<Vec<String>, Failure> {
    let flags: &[&str] = match srcarch {
        "arm64" => &["-mstack-protector-guard=sysreg", "-mstack-protector-guard-reg=sp_el0"],
        "riscv" => &["-mstack-protector-guard=tls", "-mstack-protector-guard-reg=tp"],
        "arm" => &["-mtp=cp15", "-mstack-protector-guard=tls"],
        _ => return Ok(Vec::new()),
    };
    let by_plugin = config.get("GCC_PLUGIN_ARM_SSP_PER_TASK").is_some();
    if config.get("STACKPROTECTOR_PER_TASK").is_none() || by_plugin {
        return Ok(Vec::new());
    }
    let header = generated.get("include/generated/asm-offsets.h")?.unwrap_or_default();
    let header = String::from_utf8_lossy(&header);
    let canary = header.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "TSK_STACK_CANARY");
        words.nth(1).map(str::to_owned)
    });
    let offset = canary.map(|offset| format!("-mstack-protector-guard-offset={offset}"));
    Ok(flags.iter().map(|flag| (*flag).to_owned()).chain(offset).collect())
}

/// The words of a text as the shell sees them that make hands it to. Expansions do not occur.
pub fn shell_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, blank) if blank.is_ascii_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), close) if open == close => quote = None,
            (None | Some('"'), '\\') => {
                word.get_or_insert_default().extend(characters.next());
            }
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// The Makefiles as seen from the output folder: those of the tree by their absolute names, and of
/// the generated ones an empty one.
struct OutOfTree<'a> {
    tree: &'a Tree,
    /// Where older trees tell make to look for what they include: in the tree.
    include_path: [String; 1],
}

impl OutOfTree<'_> {
    /// A path relative to the tree, of one below it.
    fn inside<'p>(&self, path: &'p str) -> Option<&'p str> {
        let below = Path::new(path).strip_prefix(self.tree.root()).ok()?;
        below.to_str()
    }
}

impl Files for OutOfTree<'_> {
    fn makefile(&self, path: &str) -> Option<Result<Rc<Makefile>, Diagnostic>> {
        if GENERATED.contains(&path.strip_prefix("./").unwrap_or(path)) {
            return parse("").ok().map(|makefile| Ok(Rc::new(makefile)));
        }
        match self.inside(path) {
            Some(below) => self.tree.makefile(below),
            None => None,
        }
    }

    fn wildcard(&self, pattern: &str) -> Vec<String> {
        // What is relative lies in the output folder, where there is nothing yet.
        if pattern.starts_with('/') { self.tree.wildcard(pattern) } else { Vec::new() }
    }

    fn read(&self, path: &str) -> Option<String> {
        self.tree.read(self.inside(path)?)
    }

    fn realpath(&self, path: &str) -> Option<String> {
        path.starts_with('/').then(|| self.tree.realpath(path)).flatten()
    }

    fn directory(&self) -> Cow<'_, str> {
        OBJTREE.into()
    }

    fn include_path(&self) -> &[String] {
        &self.include_path
    }
}

struct Surroundings<'a> {
    tree: &'a Tree,
    root: &'a str,
    config: &'a dyn Lookup,
    cross_compile: &'a str,
    shell: &'a dyn Shell,
}

impl Environment for Surroundings<'_> {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(symbol) = name.strip_prefix("CONFIG_") {
            return self.config.get(symbol).map(Cow::Borrowed);
        }
        if name == "MAKEFILE_LIST" {
            // Newer trees find out from it where they are; they ask before they include anything.
            return Some(format!("{}/Makefile", self.root).into());
        }
        let value = match name {
            // What the first part of the Makefile hands to make started anew.
            "sub_make_done" => "1",
            // `KBUILD_SRC` up to Linux 5.2.
            "abs_srctree" | "KBUILD_SRC" => self.root,
            "abs_objtree" | "CURDIR" => OBJTREE,
            // Handed on like this since Linux 6.13; older Makefiles set it themselves.
            "objtree" => ".",
            "ARCH" => self.tree.arch(),
            "CROSS_COMPILE" => self.cross_compile,
            "MAKE_VERSION" => "4.3",
            "MAKE" => "make",
            // Newer trees look for features instead of the version.
            ".FEATURES" => FEATURES,
            "SHELL" => "/bin/sh",
            "MAKEFLAGS" => "rR --no-print-directory",
            "quiet" | "Q" | "KBUILD_VERBOSE" | "MAKECMDGOALS" | "KBUILD_EXTMOD" => "",
            _ => return None,
        };
        Some(value.into())
    }

    fn call(&self, _: &str, _: &[String]) -> Option<Result<String, Diagnostic>> {
        None
    }

    fn shell(&self, command: &str) -> Result<String, Diagnostic> {
        match self.shell.run(command) {
            // Line ends at the end are dropped, those within become blanks, as in make.
            Ok(output) => {
                let output = String::from_utf8_lossy(&output);
                Ok(output.trim_end_matches('\n').replace('\n', " "))
            }
            Err(error) => {
                let message = format!("cannot run `{command}`: {error}");
                Err(Diagnostic::warning("shell", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_shell() {
        let text = "-a  '-DX=\"a b\"' -DY=\\\"c\\\" \"-DZ='d'\" ''";
        assert_eq!(shell_words(text), ["-a", "-DX=\"a b\"", "-DY=\"c\"", "-DZ='d'", ""]);
    }

    /// The shape of the top Makefile since Linux 6.13, where only make started first sets `objtree`.
    const NEWER: &str = "\
ifneq ($(sub_make_done),1)
objtree := .
export objtree
endif
include $(objtree)/include/config/auto.conf
LINUXINCLUDE := -I$(objtree)/include $(if $(CONFIG_A),-DA)
KBUILD_CFLAGS := -O2
";

    #[test]
    fn the_configuration_is_found_where_newer_makefiles_look_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("Makefile"), NEWER).expect("a file");
        let tree = Tree::open(folder.path(), "arm64").expect("a tree");
        let config = std::collections::BTreeMap::from([("A".to_owned(), "y".to_owned())]);
        let top = top_level(&tree, &config, "", &l4re_kconfig::NoShell).expect("understood");
        assert_eq!(top.compiler.cppflags, ["-I$(generated)/include", "-DA"]);
        assert!(top.compiler.cflags.contains(&"-O2".to_owned()));
    }

    #[test]
    fn folders_become_words() {
        let flags = ["-I/t/include", "-I./include", "-Iarch/x", "-fmacro-prefix-map=/t/=", "-I"];
        let flags = flags.map(|flag| rooted(flag, "/t"));
        assert_eq!(
            flags,
            [
                "-I$(srctree)/include",
                "-I$(generated)/include",
                "-I$(generated)/arch/x",
                "-fmacro-prefix-map=$(srctree)/=",
                "-I"
            ]
        );
    }
}
