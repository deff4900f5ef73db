//! What a Kbuild file can refer to besides its own variables: the configuration, the variables of
//! the top Makefile, the names that `scripts/Kbuild.include` defines, and its macros.

use std::borrow::Cow;
use std::collections::BTreeMap;

use l4re_packager_base::Diagnostic;

use crate::answers::{Answer, CC, Host, Question};
use crate::make::Environment;
use crate::make::symbolic::{self, Table};
use crate::make::words::{trim, words};
use crate::tree::Tree;
use crate::walk::Setup;

/// What a directory gets from the one above: variables of the top Makefile that a Makefile on the
/// way has changed.
pub(crate) type Inherited = BTreeMap<String, String>;

pub(crate) struct Surroundings<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) knowledge: Knowledge<'a>,
    pub(crate) inherited: &'a Inherited,
}

/// One configuration, or all.
#[derive(Clone, Copy)]
pub(crate) enum Knowledge<'a> {
    One(&'a Setup<'a>),
    All(&'a Table),
}

/// Macros of `scripts/Kbuild.include` for recipes: they decide nothing outside of one.
const RECIPE_MACROS: [&str; 10] = [
    "if_changed",
    "if_changed_dep",
    "if_changed_rule",
    "cmd",
    "filechk",
    "cmd_and_fixdep",
    "cmd_and_savecmd",
    "multi_depend",
    "cc-cross-prefix",
    "try-run",
];

impl Environment for Surroundings<'_> {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(symbol) = name.strip_prefix("CONFIG_") {
            return match self.knowledge {
                Knowledge::One(setup) => setup.config.get(symbol).map(Cow::Borrowed),
                Knowledge::All(table) => Some(table.mark(symbol).into()),
            };
        }
        if let Some(value) = self.inherited.get(name) {
            return Some(value.into());
        }
        if let Some(value) = constant(name) {
            return Some(value.into());
        }
        match name {
            "ARCH" => return Some(self.tree.arch().into()),
            "SRCARCH" => return Some(self.tree.srcarch().into()),
            _ => {}
        }
        if let Knowledge::One(setup) = self.knowledge
            && let Some(value) = setup.globals.get(name)
        {
            return Some(value.into());
        }
        None
    }

    fn call(&self, name: &str, arguments: &[String]) -> Option<Result<String, Diagnostic>> {
        let argument = |index: usize| arguments.get(index).map_or("", |text| trim(text));
        let (first, second, third) = (argument(0), argument(1), argument(2));
        let choose = |question: Question<'_>, yes: &str, no: &str| {
            Some(self.probe(&question).map(|known| if known { yes } else { no }.to_owned()))
        };
        match name {
            "cc-option" => choose(Question::CcOption(&self.probed(first)), first, second),
            "cc-option-yn" => choose(Question::CcOption(&self.probed(first)), "y", "n"),
            "cc-disable-warning" => {
                let (positive, negative) = (format!("-W{first}"), format!("-Wno-{first}"));
                choose(Question::CcOption(&positive), &negative, "")
            }
            "as-option" => choose(Question::AsOption(first), first, second),
            "as-instr" => choose(Question::AsInstruction(first), second, third),
            "ld-option" => choose(Question::LdOption(first), first, second),
            "rustc-option" => choose(Question::RustcOption(first), first, second),
            "rustc-option-yn" => choose(Question::RustcOption(first), "y", "n"),
            "gcc-min-version" => Some(Ok(self.version("GCC_VERSION", "-ge", first, 1))),
            "clang-min-version" => Some(Ok(self.version("CLANG_VERSION", "-ge", first, 1))),
            "rustc-min-version" => Some(Ok(self.version("RUSTC_VERSION", "-ge", first, 1))),
            "cc-ifversion" => {
                // Arguments: an operator of `test`, a version as 0901, the two results.
                let holds = self.version("GCC_VERSION", first, second, 100);
                Some(Ok(if holds.is_empty() { argument(3).to_owned() } else { third.to_owned() }))
            }
            "test-ge" => Some(Ok(compared(first, "-ge", second))),
            "test-gt" => Some(Ok(compared(first, "-gt", second))),
            "test-le" => Some(Ok(compared(first, "-le", second))),
            "test-lt" => Some(Ok(compared(first, "-lt", second))),
            "stringify" => Some(Ok(format!("'\"{first}\"'"))),
            "name-fix-token" => Some(Ok(name_fix(first))),
            "name-fix" => Some(Ok(format!("'\"{}\"'", name_fix(first)))),
            "escsq" => Some(Ok(first.replace('\'', "'\\''"))),
            name if RECIPE_MACROS.contains(&name) => Some(Ok(String::new())),
            _ => None,
        }
    }

    fn shell(&self, command: &str) -> Result<String, Diagnostic> {
        let Knowledge::One(setup) = self.knowledge else {
            return Ok(String::new());
        };
        let question = Question::Shell(command);
        match setup.host.ask(&question) {
            Answer::Output(output) => Ok(output),
            Answer::Known(_) => Ok(String::new()),
            Answer::Refused => Err(refused(&question)),
        }
    }
}

fn refused(question: &Question<'_>) -> Diagnostic {
    let message = format!("nobody answers `{question}`; taken as empty");
    let help = "name a compiler; no other program is run, and no flag tried that could run one";
    Diagnostic::warning("kbuild-unanswered", message).help(help)
}

/// A module or object name as a C identifier part.
pub(crate) fn name_fix(name: &str) -> String {
    name.replace(['-', ','], "_")
}

/// Variables with the same value everywhere.
fn constant(name: &str) -> Option<&'static str> {
    Some(match name {
        "srctree" | "objtree" | "srcroot" => ".",
        "comma" => ",",
        "quote" => "\"",
        "squote" => "'",
        // As if make were started in the root of the tree.
        "empty" | "KBUILD_EXTMOD" | "VPATH" | "building_out_of_srctree" => "",
        // The host knows which compiler is meant.
        "CC" => CC,
        "space" => " ",
        "pound" => "#",
        "newline" => "\n",
        "MAKE_VERSION" => "4.3",
        "KBUILD_BUILTIN" | "KBUILD_MODULES" => "1",
        _ => return None,
    })
}

/// A comparison of `test` with `0` appended to both sides, so that nothing is 0: `y` or empty.
fn compared(one: &str, operator: &str, other: &str) -> String {
    if symbolic::is_symbolic(one) || symbolic::is_symbolic(other) {
        return [one, other].concat();
    }
    let number = |text: &str| format!("{}0", trim(text)).parse::<i64>();
    let (Ok(one), Ok(other)) = (number(one), number(other)) else {
        return String::new();
    };
    let holds = match operator {
        "-ge" => one >= other,
        "-gt" => one > other,
        "-le" => one <= other,
        "-lt" => one < other,
        "-eq" => one == other,
        "-ne" => one != other,
        _ => false,
    };
    if holds { "y".into() } else { String::new() }
}

impl Surroundings<'_> {
    fn version(&self, symbol: &str, operator: &str, wanted: &str, scale: u32) -> String {
        let known = match self.knowledge {
            Knowledge::One(setup) => setup.config.get(symbol).unwrap_or("").to_owned(),
            Knowledge::All(table) => table.mark(symbol),
        };
        let wanted = match wanted.parse::<i64>() {
            Ok(number) => number.saturating_mul(i64::from(scale)).to_string(),
            Err(_) => wanted.to_owned(),
        };
        compared(&known, operator, &wanted)
    }

    /// The flags that the compiler is asked about when a Makefile asks about `flags`.
    fn probed(&self, flags: &str) -> String {
        if !self.tree.dialect().probe_positive_warnings {
            return flags.to_owned();
        }
        let positive = words(flags).map(|flag| match flag.strip_prefix("-Wno-") {
            Some(warning) => format!("-W{warning}"),
            None => flag.to_owned(),
        });
        positive.collect::<Vec<_>>().join(" ")
    }

    fn probe(&self, question: &Question<'_>) -> Result<bool, Diagnostic> {
        let Knowledge::One(setup) = self.knowledge else {
            return Ok(true);
        };
        let host: &dyn Host = setup.host;
        match host.ask(question) {
            Answer::Known(known) => Ok(known),
            Answer::Output(output) => Ok(!output.is_empty()),
            Answer::Refused => Err(refused(question)),
        }
    }
}
