//! Whatever a tree contains: no panic, an end, and a finding that says what is wrong and where.

use std::fs;
use std::path::Path;

use l4re_kbuild::{AutoConf, Build, Globals, NoHost, Scope, Setup, Survey, Tree};
use l4re_programs::Program;
use proptest::prelude::*;

#[expect(clippy::expect_used, reason = "fails the test")]
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("made");
        fs::write(path, text).expect("written");
    }
    directory
}

/// What a walk and a survey have to say, in this order.
#[expect(clippy::expect_used, reason = "fails the test")]
fn findings(root: &Path) -> Vec<String> {
    let tree = Tree::open(root, "arm64").expect("a tree");
    let config = AutoConf::parse("CONFIG_A=y\nCONFIG_B=m\nCONFIG_N=3\nCONFIG_S=\"a b\"\n");
    let globals = Globals::default();
    let setup = Setup { config: &config, host: &NoHost, globals: &globals };
    let build = Build::walk(&tree, &setup, Scope::All);
    let survey = Survey::of(&tree);
    build.report().iter().chain(survey.report().iter()).map(ToString::to_string).collect()
}

/// The first finding about a root Makefile with this text.
#[track_caller]
fn says(text: &str, expected: &str) {
    let directory =
        tree(&[("Kbuild", &format!("obj-y += drivers/\n{text}")), ("drivers/Makefile", "")]);
    let findings = findings(directory.path());
    assert_eq!(findings.first().map(String::as_str), Some(expected), "{findings:#?}");
}

#[test]
fn each_mistake_is_named_with_its_line() {
    says("ifeq (a,b)\n", "Kbuild:2:1: error: missing 'endif'");
    says("endif\n", "Kbuild:2:1: error: extraneous 'endif'");
    says("ifeq a b\nendif", "Kbuild:2:1: error: invalid syntax in conditional");
    says("define x\n", "Kbuild:2:1: error: missing 'endef', unterminated 'define'");
    says("x y z", "Kbuild:2:1: error: missing separator: neither an assignment nor a rule");
    says("a := $(b", "Kbuild:2:1: error: unterminated variable reference");
    says(
        "a := $(subst b,c",
        "Kbuild:2:1: error: unterminated call to function 'subst': missing ')'",
    );
    says(
        "a := $(subst b)",
        "Kbuild:2:1: error: insufficient number of arguments (1) to function 'subst'",
    );
    says("$(error no such luck)", "Kbuild:2:1: error: no such luck");
    says("include no/such.mk", "Kbuild:2:1: error: included file `no/such.mk` is not there");
    says(
        "a = $(b)\nb = $(a)\nc := $(a)",
        "Kbuild:4:1: error: recursive variable 'a' references itself (eventually)",
    );
    says("\n\n=3", "Kbuild:4:1: error: missing separator: neither an assignment nor a rule");
    says(
        "a := $(shell rm -rf /)",
        "Kbuild:2:1: warning: nobody answers `$(shell rm -rf /)`; taken as empty\n  help: name a compiler; no other program is run, and no flag tried that could run one",
    );
}

#[test]
fn what_is_asked_after_the_file_was_read_names_the_file() {
    says(
        "obj-y += a.o\nCFLAGS_a.o = $(shell id)",
        "Kbuild: warning: nobody answers `$(shell id)`; taken as empty\n  help: name a compiler; no other program is run, and no flag tried that could run one",
    );
}

#[test]
fn what_grows_without_end_is_stopped() {
    says(
        "f = $(call f,$(1)x)\nx := $(call f)",
        "Kbuild:3:1: error: references or includes nest too deep",
    );
    let doubling = format!(
        "obj-y += drivers/\nx := {}\n{}",
        "word ".repeat(64),
        "x := $(x) $(x)\n".repeat(40)
    );
    let directory = tree(&[("Kbuild", &doubling)]);
    let found = findings(directory.path());
    assert!(found[0].ends_with("error: a value becomes too long"), "{found:#?}");

    let ten = "0 1 2 3 4 5 6 7 8 9";
    let loops = (0..9).fold("x".to_owned(), |inner, n| format!("$(foreach v{n},{ten},{inner})"));
    says(&format!("x := $(words {loops})"), "Kbuild:2:1: error: a value becomes too long");
    let quiet =
        (0..9).fold("$(e)".to_owned(), |inner, n| format!("$(foreach v{n},{ten},$(if {inner},))"));
    says(&format!("x := {quiet}"), "Kbuild:2:1: error: evaluation takes too long");
}

#[test]
fn cycles_of_includes_and_directories_end() {
    let directory = tree(&[("Kbuild", "obj-y += drivers/\ninclude Kbuild\n")]);
    let found = findings(directory.path());
    assert_eq!(found[0], "Kbuild:2:1: error: references or includes nest too deep");

    let directory = tree(&[
        ("Kbuild", "obj-y += drivers/\nobj-y += a/\n"),
        ("drivers/Makefile", ""),
        ("a/Makefile", "obj-y += ../a/ ../ ./\n"),
    ]);
    assert_eq!(findings(directory.path()), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn links_pipes_and_binary_files_do_no_harm() {
    let directory = tree(&[
        ("Kbuild", "obj-y += drivers/\nobj-y += a/ b/ c/ loop/\n"),
        ("b/Makefile", "\0\u{1}"),
    ]);
    let root = directory.path();
    std::os::unix::fs::symlink(".", root.join("loop")).expect("linked");
    fs::create_dir_all(root.join("c")).expect("made");
    let made = Program::declared("mkfifo").command().arg(root.join("c/Makefile")).status();
    assert!(made.expect("mkfifo").success());
    let found = findings(root);
    assert!(found.contains(&"b/Makefile: error: contains a zero byte: not a text".to_owned()));
    assert!(found.contains(&"c/Makefile: error: not a regular file: not a Makefile".to_owned()));
}

fn line() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("obj-".to_owned()),
        Just("$(CONFIG_A)".to_owned()),
        Just("$(CONFIG_B)".to_owned()),
        Just("$(obj-y)".to_owned()),
        Just("$(x".to_owned()),
        Just("$(call ".to_owned()),
        Just("$(foreach a,".to_owned()),
        Just("$(if ".to_owned()),
        Just("$(subst ".to_owned()),
        Just("$(eval ".to_owned()),
        Just("$(filter ".to_owned()),
        Just("$(wordlist 1,".to_owned()),
        Just("ifeq (".to_owned()),
        Just("ifdef ".to_owned()),
        Just("else ".to_owned()),
        Just("endif\n".to_owned()),
        Just("define ".to_owned()),
        Just("endef\n".to_owned()),
        Just("include ".to_owned()),
        Just("y += ".to_owned()),
        Just("x := ".to_owned()),
        Just("x-objs = ".to_owned()),
        Just("x.o sub/ ".to_owned()),
        Just("CFLAGS_x.o = -I".to_owned()),
        Just("\\\n".to_owned()),
        Just("\n".to_owned()),
        Just("\n".to_owned()),
        "[$(){},:=+?!%# \t\\\\a-cxyé\u{1}\u{2}\u{3}/.*-]{1,4}",
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_survived(text in line(), sub in line()) {
        let directory = tree(&[("Kbuild", &format!("obj-y += drivers/\n{text}")), ("drivers/Makefile", &sub), ("sub/Makefile", &sub), ("x.c", "")]);
        findings(directory.path());
    }
}
