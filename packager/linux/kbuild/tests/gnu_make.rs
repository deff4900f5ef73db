//! The evaluator against GNU make itself: the same text, the same values.

use std::borrow::Cow;
use std::rc::Rc;

use l4re_kbuild::make::{Environment, Evaluator, Files, Limits, Makefile, parse};
use l4re_packager_base::Diagnostic;
use l4re_programs::Program;

struct OneFile(Rc<Makefile>);

impl Files for OneFile {
    fn makefile(&self, path: &str) -> Option<Result<Rc<Makefile>, Diagnostic>> {
        (path == "Makefile").then(|| Ok(Rc::clone(&self.0)))
    }
    fn wildcard(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn read(&self, _: &str) -> Option<String> {
        None
    }
    fn realpath(&self, _: &str) -> Option<String> {
        None
    }
    fn directory(&self) -> Cow<'_, str> {
        "/somewhere".into()
    }
}

struct Nothing;

impl Environment for Nothing {
    fn variable(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
    fn call(&self, _: &str, _: &[String]) -> Option<Result<String, Diagnostic>> {
        None
    }
    fn shell(&self, command: &str) -> Result<String, Diagnostic> {
        Err(Diagnostic::warning("shell", command))
    }
}

/// The value of `R`, in brackets, or `error`.
fn ours(text: &str) -> String {
    let Ok(makefile) = parse(text) else { return "error".into() };
    let files = OneFile(Rc::new(makefile));
    let mut evaluator = Evaluator::new(&files, &Nothing, Limits::default());
    match evaluator.file("Makefile").and_then(|()| evaluator.value("R")) {
        Ok(value) => format!("[{value}]"),
        Err(_) => "error".into(),
    }
}

#[expect(clippy::expect_used, reason = "fails the test")]
fn theirs(text: &str) -> String {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let makefile = directory.path().join("Makefile");
    let text = format!("{text}\n$(info [$(R)])\nno-goal: ;\n");
    std::fs::write(&makefile, text).expect("written");
    let output = Program::declared("make")
        .command()
        .args(["-rRs", "-f", "Makefile", "no-goal"])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("GNU make, a prerequisite of this project, is installed");
    if !output.status.success() {
        return "error".into();
    }
    String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
}

#[track_caller]
fn same(text: &str) {
    assert_eq!(ours(text), theirs(text), "for\n{text}");
}

fn all_the_same(expressions: &[&str]) {
    for expression in expressions {
        let text = format!(
            "e :=\ns := $(e) $(e)\ncomma := ,\nl := a.o b.c  d/e.o\nf = <$(1)|$(2)|$(3)>\nR = {expression}\n"
        );
        same(&text);
    }
}

#[test]
fn text_functions() {
    all_the_same(&[
        "$(subst ee,EE,feet on the street)",
        "$(subst ,x,abc)",
        "$(subst a,,banana)",
        "$(subst $(s),:,a b  c)",
        "$(patsubst %.c,%.o,x.c.c bar.c  y.h)",
        "$(patsubst %.c,%.o, )",
        "$(patsubst %,[%],a b)",
        "$(patsubst %,,a b)",
        "$(patsubst %.o,,a.o b.c c.o d.c)",
        "$(patsubst a%,%,a ab a)",
        "$(l:%.o=)",
        "$(patsubst a%z,%-%,abcz az)",
        "$(patsubst a.c,%.o,a.c b.c)",
        "$(patsubst \\%a,x,%a a)",
        "$(patsubst %.o, pre-%, a.o b)",
        "$(strip   a   b c  )",
        "$(findstring a,a b c)|$(findstring a,b c)|$(findstring ,x)",
        "$(filter %.c %.s,foo.c bar.c baz.s ugh.h)",
        "$(filter-out a b%,a bb cb)",
        "$(filter a,a a b)|$(filter ,a)|$(filter a,)",
        "$(sort foo bar lose bar  foo Z a)",
        "$(word 2,foo bar baz)|$(word 9,a)|$(word  1 ,a b)",
        "$(wordlist 2,3,a b c d)|$(wordlist 3,2,a b c)|$(wordlist 2,99,a b c)",
        "$(words a  b c)|$(words )",
        "$(firstword a b)|$(lastword a b)|$(firstword )|$(lastword )",
    ]);
}

#[test]
fn functions_of_file_names() {
    all_the_same(&[
        "$(dir src/foo.c hacks / a/)",
        "$(notdir src/foo.c hacks a/)",
        "$(suffix src/foo.c src-1.0/bar.c hacks a.b.c .x)",
        "$(basename src/foo.c src-1.0/bar hacks a.b.c .x a.d/)",
        "$(addsuffix .c,foo bar)|$(addsuffix ,a)|$(addsuffix .c,)",
        "$(addprefix src/,foo  bar)",
        "$(join a b,.c .o .d)|$(join a b c,1)",
        "$(abspath /a/../b/./c//d)|$(abspath /..)",
    ]);
}

#[test]
fn control_functions() {
    all_the_same(&[
        "$(if a,b,c)|$(if ,b,c)|$(if $(e),b)|$(if  $(s) ,b,c)|$(if a,b,c,d)",
        "$(or ,a,b)|$(or ,$(e))|$(or $(e), x )",
        "$(and a,b)|$(and a,,b)|$(and a, b )",
        "$(foreach x,a b c,<$(x)>)|$(foreach x,,y)",
        "$(foreach x,1 2,$(foreach y,3 4,$(x)$(y)))",
        "$(call f,1,2)|$(call f, 1 , 2 )|$(call f)|$(call f,a,b,c,d)|$(call nothing,1)",
        "$(call f,$(call f,x),y)",
        "$(call subst,a,b,banana)",
        "$(value l)|$(value f)|$(value nothing)",
        "$(origin l)|$(origin nothing)|$(flavor l)|$(flavor f)|$(flavor nothing)",
        "$(eval v := 3)$(v)",
    ]);
}

#[test]
fn references() {
    all_the_same(&[
        "$(l:.o=.c)|$(l:%.o=%.x)|$(l:b.c=)|${l:.o=.c}",
        "$l$e.$$x",
        "$($(subst x,l,x))",
        "$(l:.o=$(comma))",
        "$(if $(filter a,$(subst $(comma),$(s),a,b)),(yes),{no})",
        "$(subst (,[,$(subst ),],(a)))",
        "${subst },x,a}",
        "$(nothing)$(no such: thing)",
        "$(subst a,b,x,a,y)",
        "$(strip a,b)",
        "$(words",
        "$(word x,a)",
        "$(word 0,a)",
        "$(subst a,b)",
        "$(words $(l",
    ]);
}

#[test]
fn assignments() {
    for text in [
        "a = 1\nR = $(a)\na = 2",
        "a = 1\nR := $(a)\na = 2",
        "a ::= 1\nR:=$(a)",
        "R = 1\nR += 2\nR += \nR+=3",
        "a := x\nR := 1\nR += $(a)\na := y",
        "a := x\nR = 1\nR += $(a)\na := y",
        "R += $(a)\na = later",
        "R :=\nR += 1",
        "R =\nR += 1",
        "R ?= 1\nR ?= 2",
        "R :=\nR ?= 2",
        "override R = 1\nR = 2\nR += 3\noverride R += 4",
        "R = a # comment",
        "R = a \\# no \\\\# comment",
        "R = a$(subst x,#,x)b",
        "R = a \\\n   b\\\nc \\\n\n",
        "R := $(subst \\\n a,b,\\\n xa)",
        "define R\nline 1\n  $(x) \\\nline 2\nendef\nx = y",
        "define R :=\na\ndefine not-really\nendef\nb\nendef",
        "define f\nR = $(1)\nendef\n$(eval $(call f,value))",
        "x-y := 1\nx- := 2\nR = $(x-$(c))$(x-$(d))\nc = y",
        "$(subst x,R,x) = computed",
        "export R := 1\nunexport R",
        "R = 1\nundefine R",
        "  R = indented",
        "R=no:space=x",
        "private R = 1",
        "e =\n$(e)\nR = 1\n$(e) $(e)",
        "R = $(R)",
        "R = $(a)\na = $(b)\nb = $(R)",
        "nonsense here\nR = 1",
        "=3",
        "R = 1\ninclude nowhere.mk",
        "R = 1\n-include nowhere.mk",
    ] {
        same(text);
    }
}

#[test]
fn conditionals() {
    for text in [
        "ifeq (a,a)\nR = yes\nelse\nR = no\nendif",
        "ifeq ( a ,a)\nR = yes\nelse\nR = no\nendif",
        "ifeq (a , a)\nR = yes\nelse\nR = no\nendif",
        "ifneq \"a\" 'b'\nR = yes\nendif",
        "ifeq 'a' \"a\"\nR = yes\nendif",
        "a = x,y\nifeq ($(a),x,y)\nR = yes\nelse\nR = no\nendif",
        "ifeq ($(subst a,b,a),b)\nR = yes\nendif",
        "ifeq (,)\nR = empty\nendif",
        "a =\nifdef a\nR = yes\nelse\nR = no\nendif",
        "e =\na = $(e)\nifdef a\nR = yes\nelse\nR = no\nendif",
        "ifndef a\nR = yes\nendif",
        "a = 1\nifeq ($(a),2)\nR = two\nelse ifeq ($(a),1)\nR = one\nelse ifdef a\nR = three\nelse\nR = other\nendif",
        "ifdef x\nifdef y\nR = 1\nelse\nR = 2\nendif\nelse\nifndef z\nR = 3\nendif\nendif",
        "ifdef x # comment\nR = 1\nelse # comment\nR = 2\nendif # comment",
        "ifeq (a,b)\n$(error no)\nendif\nR = 1",
        "ifeq (a,a)\nR = 1",
        "endif",
        "else",
        "ifeq a,b\nendif",
        "ifeq (a,b)\nelse\nelse\nendif",
        "\tifeq (a,a)\n\tR = tabs\n\tendif",
        "all:\n\techo $(undefined\nR = 1",
        "all: x\n\tR = recipe\nifdef y\n\tR = also\nendif\nR ?= after",
        "all: R = specific\nR ?= general",
        "%.o: private R += specific\nR ?= general",
        "$(error stop)\nR = 1",
        "x y\nR = 1",
    ] {
        same(text);
    }
}

mod random {
    use proptest::prelude::*;

    use super::same;

    fn word() -> impl Strategy<Value = String> {
        "[ab%./]{1,4}"
    }

    fn list() -> impl Strategy<Value = String> {
        proptest::collection::vec(word(), 0..5).prop_map(|words| words.join(" "))
    }

    fn expression() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![list(), Just("$(x)".to_owned()), Just("$(y:a=b)".to_owned())];
        leaf.prop_recursive(3, 24, 3, |inner| {
            let one = prop_oneof![
                Just("strip"),
                Just("sort"),
                Just("firstword"),
                Just("lastword"),
                Just("words"),
                Just("dir"),
                Just("notdir"),
                Just("suffix"),
                Just("basename"),
            ];
            let two = prop_oneof![
                Just("filter"),
                Just("filter-out"),
                Just("findstring"),
                Just("addprefix"),
                Just("addsuffix"),
                Just("join"),
                Just("if"),
                Just("or"),
                Just("and"),
            ];
            let three = prop_oneof![Just("subst"), Just("patsubst"), Just("if"), Just("foreach x")];
            prop_oneof![
                (one, inner.clone()).prop_map(|(f, a)| format!("$({f} {a})")),
                (two, inner.clone(), inner.clone()).prop_map(|(f, a, b)| format!("$({f} {a},{b})")),
                (three, inner.clone(), inner.clone(), inner).prop_map(|(f, a, b, c)| match f {
                    "foreach x" => format!("$(foreach x,{a},{b}{c})"),
                    f => format!("$({f} {a},{b},{c})"),
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn expressions(x in list(), y in list(), r in expression()) {
            same(&format!("x := {x}\ny = {y}\nR := {r}\n"));
        }
    }
}
