//! Input that is damaged, enormous or malicious: an answer, never a panic. Where the work would grow
//! without bound, these tests would not end.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::{DIALECTS, findings, load, symbol};
use l4re_kconfig::{
    Config, Dialect, Environment, Kconfig, MemorySource, NoShell, Preset, Source, Tristate,
};
use proptest::prelude::*;

const NEW: Dialect = Dialect::LINUX_6_12;

#[test]
fn an_expression_of_100_000_parentheses_is_refused() {
    for open in ["(", "!", "!("] {
        let text = format!("config A\n\tbool\n\tdepends on {}B\n", open.repeat(100_000));
        let found = findings(text, NEW);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("nested more than 200 deep"), "{}", &found[0][..200]);
    }
    let text = format!("config A\n\tbool\n\tdepends on B{}\n", " && B".repeat(100_000));
    // Equal operands are one expression each, but as written there are too many.
    let found = findings(text, NEW);
    assert!(found[0].contains("more than 10000 operands"), "{}", &found[0]);
}

#[test]
fn a_chain_of_50_000_dependencies_is_evaluated() {
    let mut text = String::from("config S0\n\tbool \"s\"\n");
    for index in 1..50_000 {
        let _ = writeln!(text, "config S{index}\n\tdef_bool y\n\tdepends on S{}", index - 1);
    }
    for dialect in DIALECTS {
        let kconfig = load(&[("Kconfig", &text)], dialect);
        let mut config = Config::new(&kconfig).expect("no demands");
        let last = symbol(&kconfig, "S49999");
        assert_eq!(config.tristate(last), Tristate::No);
        config.set(symbol(&kconfig, "S0"), "y").expect("visible");
        assert_eq!(config.tristate(last), Tristate::Yes);
        assert!(config.why(last, Tristate::Yes).display(&kconfig).to_string().len() < 10_000);
    }
}

#[test]
fn many_blocks_and_many_conditions_are_bounded() {
    let text = "if A\n".repeat(100_000);
    let found = findings(text, NEW);
    assert!(found[0].contains("nested more than 500 deep"), "{}", found[0]);
    let text =
        format!("config A\n\tbool\n{}", "\tdepends on B || C\n\tdepends on D\n".repeat(20_000));
    assert_eq!(findings(text, NEW), [""; 0]);
    let mut text = String::from("config A\n\tbool\n");
    for index in 0..5_000 {
        let _ = writeln!(text, "\tdepends on X{index} || Y{index}");
    }
    assert_eq!(findings(text, NEW), [""; 0]);
}

/// A source in which each file sources the next, twice.
struct Endless;

impl Source for Endless {
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>> {
        Ok(format!("source \"{name}x\"\nsource \"{name}y\"\n").into_bytes())
    }
}

#[test]
fn files_that_source_others_without_end_are_refused() {
    let environment = Environment::new();
    let failure = Kconfig::load_file(&Endless, "Kconfig", environment, Box::new(NoShell), NEW)
        .expect_err("no end");
    assert!(failure.to_string().contains("limits: 100 deep, 50000 in all, 256 MiB in all"));
}

#[test]
fn macros_that_multiply_are_refused() {
    let mut text = String::from("x0 = 0123456789\n");
    for index in 1..60 {
        let _ = writeln!(text, "x{index} = $(x{0})$(x{0})", index - 1);
    }
    text.push_str("config A\n\tstring\n\tdefault \"$(x59)\"\n");
    let found = findings(text, NEW);
    assert_eq!(found.len(), 1, "{found:#?}");
    let text = "f = $(f,$(1)x)\nconfig A\n\tbool $(f,y)\n";
    let found = findings(text, NEW);
    assert!(found[0].contains("too deep recursive expansion"), "{found:#?}");
}

/// Pieces of files, right and wrong.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "config",
        "menuconfig",
        "choice",
        "endchoice",
        "menu",
        "endmenu",
        "if",
        "endif",
        "comment",
        "source",
        "mainmenu",
        "bool",
        "tristate",
        "int",
        "hex",
        "string",
        "default",
        "def_bool",
        "prompt",
        "depends",
        "on",
        "select",
        "imply",
        "range",
        "visible",
        "help",
        "modules",
        "optional",
        "A",
        "B",
        "C",
        "D",
        "y",
        "m",
        "n",
        "1",
        "0x2",
        "\"text\"",
        "\"A\"",
        "'",
        "\"",
        "&&",
        "||",
        "!",
        "=",
        "!=",
        "<",
        ">=",
        "(",
        ")",
        "$(A)",
        "$(shell,x)",
        "$(f,a,b)",
        "$",
        ":=",
        "+=",
        "\\\n",
        "\n",
        "\n\t",
        "\n\n",
        "\t",
        "#",
        "\u{fffd}",
        "é",
        "\0",
        "\"Kconfig\"",
        "%",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..80)
        .prop_map(|words| words.join(" "))
}

/// Files that are mostly right, so that the evaluator has something to do.
fn definitions() -> impl Strategy<Value = String> {
    let symbol = || prop::sample::select(vec!["A", "B", "C", "D", "E", "F"]);
    let line = prop_oneof![
        symbol().prop_map(|s| format!("config {s}")),
        Just("\tbool \"p\"".to_owned()),
        Just("\ttristate \"p\"".to_owned()),
        Just("\tint \"p\"".to_owned()),
        Just("\tmodules".to_owned()),
        (symbol(), symbol()).prop_map(|(a, b)| format!("\tdepends on {a} || !{b}")),
        (symbol(), symbol()).prop_map(|(a, b)| format!("\tdefault {a} if {b} = m")),
        symbol().prop_map(|s| format!("\tselect {s}")),
        symbol().prop_map(|s| format!("\timply {s}")),
        symbol().prop_map(|s| format!("\trange 1 {s}")),
        Just("choice\n\tprompt \"c\"".to_owned()),
        Just("endchoice".to_owned()),
        symbol().prop_map(|s| format!("if {s}")),
        Just("endif".to_owned()),
        symbol().prop_map(|s| format!("menu \"m\"\n\tvisible if {s}")),
        Just("endmenu".to_owned()),
    ];
    prop::collection::vec(line, 0..40).prop_map(|lines| lines.join("\n") + "\n")
}

/// Does everything with a file that can be done with it.
fn exercise(text: &[u8], input: &str, dialect: Dialect) {
    let source = MemorySource::new().with("Kconfig", text);
    let environment = Environment::new();
    let loaded = Kconfig::load_file(&source, "Kconfig", environment, Box::new(NoShell), dialect);
    let Ok((kconfig, _)) = loaded else { return };
    for menu in kconfig.walk() {
        let _ = (kconfig.help(menu), kconfig.display(kconfig.menu(menu).effective).to_string());
    }
    let Ok(mut config) = Config::new(&kconfig) else { return };
    config.read(input, Path::new(".config"));
    let first = config.dot_config();
    config.read(&first, Path::new(".config"));
    for preset in Preset::ALL {
        let _ = config.preset(preset, &source);
        let _ = (config.autoconf_h(), config.auto_conf(), config.rustc_cfg(), config.findings());
    }
    for symbol in kconfig.options() {
        let _ = config.set(symbol, "y");
        let _ = config.set(symbol, "3");
        let _ = config.why(symbol, Tristate::Yes).display(&kconfig).to_string();
        let _ = config.force(symbol, "n");
    }
    let _ = config.dot_config();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        input in "\\PC{0,80}",
    ) {
        for dialect in DIALECTS {
            exercise(&bytes, &input, dialect);
        }
    }

    #[test]
    fn any_words_are_read_or_refused(
        text in pieces(),
        input in "(CONFIG_[A-F]=[ymn13\"\\\\]{0,3}\n|# CONFIG_[A-F] is not set\n|x\n){0,8}",
    ) {
        for dialect in DIALECTS {
            exercise(text.as_bytes(), &input, dialect);
        }
    }

    #[test]
    fn any_definitions_are_evaluated_or_refused(
        text in definitions(),
        input in "(CONFIG_[A-F]=[ymn13]\n|# CONFIG_[A-F] is not set\n){0,8}",
    ) {
        for dialect in DIALECTS {
            exercise(text.as_bytes(), &input, dialect);
        }
    }

    /// Simplified conditions have the value of what was written, whatever the symbols are.
    #[test]
    fn simplification_does_not_change_values(
        condition in condition(),
        values in prop::collection::vec(prop::sample::select(vec!["y", "m", "n"]), 4),
    ) {
        let mut text = common::MODULES.to_owned();
        for (index, (name, value)) in ["A", "B", "C", "D"].iter().zip(&values).enumerate() {
            // Two are bool: they are simplified by rules of their own.
            let value = if index < 2 && *value == "m" { "y" } else { value };
            let kind = if index < 2 { "def_bool" } else { "def_tristate" };
            let _ = writeln!(text, "config {name}\n\t{kind} {value}");
        }
        let _ = writeln!(text, "config WRITTEN\n\tdef_tristate {condition}");
        let _ = writeln!(text, "config SIMPLE\n\tdef_tristate y\n\tdepends on {condition}");
        let kconfig = load(&[("Kconfig", &text)], NEW);
        let config = Config::new(&kconfig).expect("no demands");
        let (written, simple) = (symbol(&kconfig, "WRITTEN"), symbol(&kconfig, "SIMPLE"));
        prop_assert_eq!(
            config.tristate(written),
            config.tristate(simple),
            "{} became {}",
            condition,
            kconfig.display(kconfig.menu(kconfig.symbol(simple).menus[0]).effective)
        );
    }
}

fn condition() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["A", "B", "C", "D"]);
    let leaf = prop_oneof![
        3 => name().prop_map(str::to_owned),
        1 => prop::sample::select(vec!["y", "m", "n"]).prop_map(str::to_owned),
        2 => (name(), prop::sample::select(vec!["=", "!="]), prop::sample::select(vec!["y", "m", "n"]))
            .prop_map(|(a, sign, b)| format!("{a}{sign}{b}")),
        1 => (name(), name()).prop_map(|(a, b)| format!("{a}={b}")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a} || {b})")),
        ]
    })
}
