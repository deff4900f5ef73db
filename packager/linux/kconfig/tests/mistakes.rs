//! One mistake, one message: what, where, and the way out.

mod common;

use common::{MODULES, findings};
use l4re_kconfig::{Dialect, Environment, Kconfig, MemorySource, NoShell};

const NEW: Dialect = Dialect::LINUX_6_12;
const OLD: Dialect = Dialect::LINUX_5_15;

#[test]
fn statements_that_cannot_be_read_are_named_with_line_and_column() {
    let cases = [
        (
            "confg A\n",
            "Kconfig:1:1: error: unknown statement `confg`\n  help: did you mean `config`?",
        ),
        (
            "config\n",
            "Kconfig:1:7: error: expected the name of a symbol, found the end of the line\n  \
             help: the statement is ignored",
        ),
        (
            "config y\n\tbool\n",
            "Kconfig:1:1: error: `y` is a constant and cannot be defined\n  \
             help: choose another name",
        ),
        (
            "config A\n\tbool prompt\n",
            "Kconfig:2:7: error: expected the end of the line, found `prompt`\n  \
             help: the statement is ignored",
        ),
        (
            "config A\n\tbool\n\tdepends A\n",
            "Kconfig:3:10: error: expected `on`, found `A`\n  help: the statement is ignored",
        ),
        (
            "config A\n\tbool\n\tdepends on (B && C\n",
            "Kconfig:3:20: error: expected `)`, found the end of the line\n  \
             help: the statement is ignored",
        ),
        (
            "config A\n\tbool\n\tdepends on B &&\n",
            "Kconfig:3:17: error: expected a symbol or a quoted text, found the end of the line\n  \
             help: the statement is ignored",
        ),
        (
            "config A\n\tbool\n\tdefault y B\n",
            "Kconfig:3:12: error: expected the end of the line, found `B`\n  \
             help: the statement is ignored",
        ),
        (
            "source drivers\n",
            "Kconfig:1:8: error: expected the name of a file in quotes, found `drivers`\n  \
             help: the statement is ignored",
        ),
        (
            "rsource \"x\"\n",
            "Kconfig:1:1: error: unknown statement `rsource`\n  help: this is kconfiglib's; Linux \
             only has `source`, with names relative to the tree",
        ),
        (
            "menu \"M\"\n\tdefault y\nendmenu\n",
            "Kconfig:2:2: error: `default` does not belong to a menu\n  \
             help: the line is ignored",
        ),
        (
            "config A\n\tbool\nmainmenu \"late\"\n",
            "Kconfig:3:1: error: `mainmenu` may only be the first statement\n  \
             help: remove it, or move it to the top",
        ),
        (
            "config A\n\tbool\n\toption env=\"X\"\n",
            "Kconfig:3:2: error: unknown statement `option`\n  help: Linux 5.14 and later have no \
             `option` lines; write `modules` alone",
        ),
        (
            "&& A\n",
            "Kconfig:1:1: error: invalid statement\n  help: a statement begins with a keyword",
        ),
        (
            "x = $(x)\nconfig A\n\tbool $(x)\n",
            "Kconfig:3:7: error: recursive variable 'x' references itself (eventually)\n  \
             help: use `:=` to refer to the value so far",
        ),
    ];
    for (text, wanted) in cases {
        let found = findings(text, NEW);
        assert_eq!(found, [wanted], "{text}");
    }
}

#[test]
fn blocks_that_do_not_match_are_named_with_their_beginning() {
    let cases = [
        (
            "menu \"M\"\nconfig A\n\tbool\n",
            "Kconfig:1:1: error: this menu is never ended\n  \
             help: write `endmenu` at the end of the file",
        ),
        (
            "if A\nendmenu\nendif\n",
            "Kconfig:2:1: error: unexpected `endmenu` within if block\n  \
             help: each block ends in the file and in the order it began",
        ),
        (
            "menu \"M\"\nif A\nendmenu\n",
            "Kconfig:3:1: error: unexpected `endmenu` within if block\n  \
             help: each block ends in the file and in the order it began",
        ),
        (
            "endif\n",
            "Kconfig:1:1: error: `endif` without anything to end\n  \
             help: each block ends in the file and in the order it began",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(findings(text, NEW), [wanted], "{text}");
    }
}

#[test]
fn choices_are_checked_by_the_rules_of_their_generation() {
    let member = "choice\n\tprompt \"c\"\nconfig A\n\ttristate \"a\"\nendchoice\n";
    let wanted = "Kconfig:3:1: error: choice member 'A' must be bool\n  help: write `bool \"…\"`";
    assert_eq!(findings(member, NEW), [wanted]);
    assert_eq!(findings(member, OLD), [""; 0]);
    let optional = "choice\n\tprompt \"c\"\n\toptional\nendchoice\n";
    let wanted = "Kconfig:3:2: error: unknown statement `optional`\n  \
                  help: choices cannot be `optional` since Linux 6.10";
    assert_eq!(findings(optional, NEW), [wanted]);
    let default = "choice\n\tprompt \"c\"\nconfig A\n\tbool \"a\"\n\tdefault y\nendchoice\n";
    let wanted = "Kconfig:5:1: error: defaults for choice values not supported\n  \
                  help: give the choice a default";
    assert_eq!(findings(default, NEW), [wanted]);
    assert_eq!(
        findings(default, OLD),
        ["Kconfig:5:1: warning: defaults for choice values not supported"]
    );
}

#[test]
fn doubtful_definitions_are_warned_about() {
    let cases = [
        ("config A\n\tprompt \"a\"\n", "1:1: warning: config symbol 'A' defined without type"),
        (
            "config A\n\tbool\n\tint\n",
            "1:1: warning: ignoring type redefinition of 'A' from 'bool' to 'int'",
        ),
        ("config A\n\tint\n\tdefault x\n", "3:1: warning: 'A': number is invalid"),
        (
            "config A\n\tint\n\tdefault 1 || 2\n",
            "3:1: warning: default for config symbol 'A' must be a single symbol",
        ),
        (
            "config A\n\tint\n\tselect B\nconfig B\n\tbool\n",
            "3:1: warning: config symbol 'A' uses select, but is not bool or tristate",
        ),
        (
            "config A\n\tbool\n\timply B\nconfig B\n\tint\n",
            "3:1: warning: 'B' has wrong type: imply needs a bool or tristate",
        ),
        (
            "config A\n\tbool\n\trange 1 2\n",
            "3:1: warning: range is only allowed for int or hex symbols",
        ),
        ("config A\n\tint\n\trange 1 z\n", "3:1: warning: range is invalid"),
        ("menuconfig A\n\tbool\n", "1:1: warning: menuconfig statement without prompt"),
        ("config A\n\tbool \" a\"\n", "2:1: warning: leading whitespace ignored"),
        ("config A\n\tbool \"a\"\n\tprompt \"b\"\n", "3:1: warning: prompt redefined"),
        ("config A\n\tbool \"a\n", "2:7: warning: multi-line strings not supported"),
        ("config A\n\tbool %\n", "2:7: warning: ignoring unsupported character '%'"),
        ("config A\n\tbool", "2:1: warning: no newline at end of file"),
        ("config A\n\tbool\n\thelp\nconfig-free\n", ""),
        ("config A\n\tbool\n\thelp\n\n", "3:1: warning: 'A' has a blank help text"),
        ("$(warning-if,y,careful)\n\nconfig A\n\tbool\n", "1:1: warning: careful"),
    ];
    for (text, wanted) in cases {
        let wanted: Vec<String> =
            [wanted].iter().filter(|w| !w.is_empty()).map(|w| format!("Kconfig:{w}")).collect();
        assert_eq!(findings(text, NEW), wanted, "{text}");
    }
}

#[test]
fn a_transitional_symbol_has_nothing_but_a_type_and_help() {
    let text = "config OLD\n\tbool \"old\"\n\ttransitional\n";
    let wanted = "Kconfig:1:1: error: transitional symbol 'OLD' may only have a type and help\n  \
                  help: it only hands an old value on; put the rest on the new symbol";
    assert_eq!(findings(text, Dialect { transitional: true, ..NEW }), [wanted]);
    let wanted = "Kconfig:3:2: error: unknown statement `transitional`\n  \
                  help: `transitional` needs Linux 6.18";
    assert_eq!(findings(text, NEW), [wanted]);
}

#[test]
fn a_condition_of_a_dependency_needs_a_tree_that_knows_it() {
    let text = "config A\n\tbool\n\tdepends on B if C\nconfig B\n\tbool\nconfig C\n\tbool\n";
    let wanted = "Kconfig:3:15: error: `depends on` takes no `if` in this tree\n  \
                  help: `depends on … if` needs Linux 7.0";
    assert_eq!(findings(text, NEW), [wanted]);
    let dialect = Dialect { conditional_depends: true, ..NEW };
    let nothing: [&str; 0] = [];
    assert_eq!(findings(text, dialect), nothing);
    let wanted = "Kconfig:3:17: error: expected a symbol or a quoted text, found the end of the \
                  line\n  help: the statement is ignored";
    assert_eq!(findings(text.replace("if C", "if"), dialect), [wanted]);
}

#[test]
fn a_dependency_on_itself_is_shown_with_the_whole_chain() {
    let text = "config A\n\tbool\n\tselect B\n\nconfig B\n\tbool\n\nconfig C\n\tbool\n\tdepends \
                on B\n\nconfig A\n\tdepends on C\n";
    let wanted = "Kconfig:1:1: error: recursive dependency: the value of A needs itself\n  \
                  help: break the chain in one place:\n    \
                  Kconfig:1: A depends on C\n    \
                  Kconfig:8: C depends on B\n    \
                  Kconfig:5: B is selected by A";
    assert_eq!(findings(text, NEW), [wanted]);
    assert_eq!(findings(text, OLD), [wanted]);
    let own = format!("{MODULES}config A\n\tbool\n\tdefault y if A\n");
    assert_eq!(findings(own, NEW).len(), 1);
}

#[test]
fn reading_goes_on_behind_each_mistake() {
    let text = "confg A\nconfig B\n\tbol\n\tdepends on (\nendif\n";
    let found = findings(text, NEW);
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn files_that_are_missing_or_include_themselves_are_named_where_they_are_sourced() {
    let source = MemorySource::new()
        .with("Kconfig", "\nsource \"a/Kconfig\"\n")
        .with("a/Kconfig", "config A\n\tbool\nsource \"Kconfig\"\nsource \"missing\"\n");
    let environment = Environment::new();
    let loaded = Kconfig::load_file(&source, "Kconfig", environment, Box::new(NoShell), NEW);
    let text = loaded.expect_err("refused").to_string();
    let wanted = "a/Kconfig:3:1: error: recursive inclusion of \"Kconfig\"\n  \
                  help: it is being read already: included from a/Kconfig:3, from Kconfig:2\n\
                  a/Kconfig:4:1: error: cannot open \"missing\": no such file\n  \
                  help: names are relative to the top folder of the tree; is it complete, and are \
                  the variables in the name (SRCARCH, …) set?";
    assert_eq!(text, wanted);
}

#[test]
fn damaged_files_are_refused_or_read_as_far_as_possible() {
    assert_eq!(
        findings(b"config A\n\tbool\n\0\x01\x02".as_slice(), NEW),
        ["Kconfig: at offset 0xf: error: this is a binary file, or a damaged one\n  \
          help: Kconfig files are text; restore the file from the source package"]
    );
    assert_eq!(
        findings(b"config A\n\tbool \"\xff\"\n".as_slice(), NEW),
        ["Kconfig:2:8: warning: this is not UTF-8; what cannot be read is replaced"]
    );
    let junk = "%%%%\n".repeat(1000);
    let found = findings(junk, NEW);
    assert!(found.len() < 60, "{}", found.len());
    assert!(found.last().is_some_and(|last| last.contains("the rest of the file is not read")));
}
