//! Rules in which the versions of the language differ, one test each.

mod common;

use common::{DIALECTS, findings, load, symbol, value};
use l4re_kconfig::{Config, Dialect, MemorySource, Preset};

const OLDEST: Dialect = Dialect::LINUX_4_19;
const OLD: Dialect = Dialect::LINUX_5_4;
const MIDDLE: Dialect = Dialect::LINUX_5_10;
const NEWEST: Dialect = Dialect::LINUX_7_1;

fn errors(text: &str, dialect: Dialect) -> Vec<String> {
    let findings = findings(text, dialect);
    findings.into_iter().filter(|finding| finding.contains(": error: ")).collect()
}

#[test]
fn option_lines_name_attributes_up_to_5_13() {
    let text = "config LIST\n\tstring\n\toption defconfig_list\n\tdefault \"x\"\n\
                config MODULES\n\tbool \"m\"\n\toption modules\n\
                config KEPT\n\tbool \"kept\"\n\toption allnoconfig_y\n\
                config T\n\ttristate \"t\"\n";
    for dialect in [OLDEST, OLD, MIDDLE] {
        let kconfig = load(&[("Kconfig", text)], dialect);
        let mut config = Config::new(&kconfig).unwrap();
        config.preset(Preset::AllNo, &MemorySource::new()).unwrap();
        assert_eq!(value(&config, "KEPT"), "y");
        assert_eq!(value(&config, "T"), "n");
        let written = config.dot_config();
        assert!(!written.contains("LIST") && !config.auto_conf().contains("LIST"), "{written}");
        config.preset(Preset::AllModules, &MemorySource::new()).unwrap();
        assert_eq!(value(&config, "T"), "m");
    }
    for dialect in DIALECTS.into_iter().chain([NEWEST]) {
        let found = errors(text, dialect);
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found[1].contains("write `modules` alone"), "{found:#?}");
    }
    let bare = "config MODULES\n\tbool \"m\"\n\tmodules\n";
    assert!(errors(bare, MIDDLE)[0].contains("write `option modules`"));
    assert_eq!(errors(bare, Dialect::LINUX_5_15), Vec::<String>::new());
}

#[test]
fn unknown_options_are_passed_over_up_to_4_20() {
    let text = "config A\n\tbool \"a\"\n\toption env=\"A\" modules\n";
    let found = findings(text, OLDEST);
    assert_eq!(found, ["Kconfig:3:1: warning: ignoring unknown option env"]);
    assert_eq!(errors(text, OLD).len(), 1);
}

#[test]
fn texts_may_be_words_and_keywords_names_in_old_trees() {
    let text =
        "menu Main\nconfig help\n\tbool on-board/x.y if A\nconfig A\n\tdef_bool y\nendmenu\n";
    let text = text.replace("on-board", "board");
    let kconfig = load(&[("Kconfig", &text)], OLDEST);
    let help = symbol(&kconfig, "help");
    let prompt = kconfig.menu(kconfig.symbol(help).menus[0]).prompt.expect("a prompt");
    assert_eq!(kconfig.prompt_text(prompt), Some("board/x.y"));
    assert_eq!(errors("menu Main\nendmenu\n", OLD), Vec::<String>::new());
    assert!(!errors("menu Main\nendmenu\n", MIDDLE).is_empty());
    let part = ("drivers/Kconfig.part", "config P\n\tdef_bool y\n");
    let kconfig = load(&[("Kconfig", "source drivers/Kconfig.part\n"), part], OLDEST);
    assert!(kconfig.find_defined("P").is_some());
}

#[test]
fn a_choice_may_contain_files_and_choices_in_an_if_in_old_trees() {
    let text = "choice\n\tprompt \"c\"\nconfig X\n\tbool \"x\"\nif X\nchoice\n\tprompt \"d\"\n\
                config Y\n\tbool \"y\"\nendchoice\nendif\nsource \"part\"\nendchoice\n";
    for dialect in [OLDEST, OLD] {
        let kconfig = load(&[("Kconfig", text), ("part", "config P\n\tbool \"p\"\n")], dialect);
        assert!(kconfig.symbol(symbol(&kconfig, "P")).choice.is_some());
    }
    assert!(!errors(text, MIDDLE).is_empty());
}

#[test]
fn three_dashes_around_help_are_nothing_odd_up_to_5_8() {
    let text = "config A\n\tbool \"a\"\n\t---help---\n\t  Text.\n";
    assert_eq!(findings(text, OLD), Vec::<String>::new());
    assert_eq!(findings(text, MIDDLE).len(), 1);
}

#[test]
fn imply_went_beyond_dependencies_and_excluded_m_up_to_5_6() {
    let text = "config MODULES\n\tdef_bool y\n\toption modules\n\
                config DEP\n\tdef_tristate m\n\
                config BY\n\tdef_bool y\n\timply T\nconfig T\n\ttristate\n\tdepends on DEP\n";
    let of = |dialect| {
        let kconfig = load(&[("Kconfig", text)], dialect);
        value(&Config::new(&kconfig).unwrap(), "T")
    };
    assert_eq!((of(OLDEST), of(OLD), of(MIDDLE)), ("y".into(), "y".into(), "m".into()));
}

#[test]
fn a_number_out_of_range_is_the_limit_as_written_since_4_20() {
    let text = "config H\n\thex\n\trange 0x0A 0x0F\n\tdefault 0x1\n";
    let of = |dialect| {
        let kconfig = load(&[("Kconfig", text)], dialect);
        value(&Config::new(&kconfig).unwrap(), "H")
    };
    assert_eq!((of(OLDEST), of(OLD)), ("0xa".into(), "0x0A".into()));
}

#[test]
fn not_n_is_the_symbol_itself_for_a_bool_in_some_versions() {
    let text = "config MODULES\n\tbool\n\tdefault y\n\toption modules\nconfig T\n\tdef_tristate m\n\
                config B\n\tdef_bool y\n\tselect S if T!=n\nconfig S\n\ttristate\n";
    let of = |bool_presence| {
        let kconfig = load(&[("Kconfig", text)], Dialect { bool_presence, ..MIDDLE });
        value(&Config::new(&kconfig).unwrap(), "S")
    };
    assert_eq!((of(true), of(false)), ("m".into(), "y".into()));
}

#[test]
fn which_comments_of_a_configuration_switch_off() {
    let text = "config D\n\tbool \"d\"\n\tdefault y\n";
    let of = |dialect, line: &str| {
        let kconfig = load(&[("Kconfig", text)], dialect);
        let mut config = Config::new(&kconfig).unwrap();
        config.read(line, std::path::Path::new(".config"));
        value(&config, "D")
    };
    let lines = ["# CONFIG_D is not set", "# CONFIG_D is not set \n", "#-CONFIG_D is not set"];
    let all = |dialect| lines.map(|line| of(dialect, line)).concat();
    assert_eq!(all(MIDDLE), "nnn");
    assert_eq!(all(Dialect::LINUX_5_15), "nny");
    assert_eq!(all(Dialect::LINUX_6_12), "nyy");
}

#[test]
fn what_was_doubtful_is_an_error_since_6_19() {
    let cases = [
        "menuconfig A\n\tbool\n",
        "config A\n\tbool \"a\"\n\thelp\n\t  x\n\thelp\n\t  y\n",
        "config A\n\tbool \"a\"\n\thelp\n\nconfig B\n\tbool \"b\"\n",
        "choice\n\tbool \"c\"\nconfig A\n\tbool \"a\"\nendchoice\n",
    ];
    for text in cases {
        assert!(!errors(text, NEWEST).is_empty(), "{text}");
        assert_eq!(errors(text, Dialect::LINUX_6_12), Vec::<String>::new(), "{text}");
    }
    let text = "config A\n\tbool\n\ttransitional\n\thelp\n\t  Old.\n";
    assert_eq!(errors(text, NEWEST), Vec::<String>::new());
    for text in [format!("{text}\tdepends on B\n"), format!("if B\n{text}endif\n")] {
        assert_eq!(errors(&text, NEWEST).len(), 1, "{text}");
    }
}

#[test]
fn a_file_is_read_once_since_7_0() {
    let text = "source \"part\"\nsource \"part\"\n";
    let part = ("part", "config P\n\tbool \"p\"\n");
    let of = |dialect| {
        let source = MemorySource::new().with("Kconfig", text).with(part.0, part.1);
        let environment = l4re_kconfig::Environment::new();
        let shell = Box::new(l4re_kconfig::NoShell);
        l4re_kconfig::Kconfig::load_file(&source, "Kconfig", environment, shell, dialect)
    };
    let text = of(NEWEST).expect_err("refused").to_string();
    assert!(text.contains("Kconfig:2:1: error: repeated inclusion of \"part\""), "{text}");
    assert!(text.contains("first included at Kconfig:1"), "{text}");
    assert!(of(Dialect::LINUX_6_12).is_ok());
}
