//! Values by the rules of the language, settings, and why something cannot be set.

mod common;

use common::{DIALECTS, MODULES, load, set, symbol, tristate, value};
use l4re_kconfig::{Config, Dialect, Kconfig, MemorySource, NotSettable, Preset, Tristate, Value};

const NEW: Dialect = Dialect::LINUX_6_12;
const OLD: Dialect = Dialect::LINUX_5_15;

fn with_modules(text: &str, dialect: Dialect) -> Kconfig {
    load(&[("Kconfig", &format!("{MODULES}{text}"))], dialect)
}

fn config(kconfig: &Kconfig) -> Config<'_> {
    Config::new(kconfig).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn defaults_take_the_first_condition_that_holds_and_are_limited_by_it() {
    let text = "\
config M\n\tdef_tristate m\n\
config A\n\ttristate\n\tdefault n if M=n\n\tdefault y if M\n\tdefault n\n\
config B\n\tdef_bool M\n\
config N\n\tint\n\tdefault 3 if B\n\tdefault 4\n\
config H\n\thex\n\
config S\n\tstring\n\tdefault \"a\"\n\tdepends on !B\n";
    for dialect in DIALECTS {
        let kconfig = with_modules(text, dialect);
        let config = config(&kconfig);
        assert_eq!(value(&config, "A"), "m");
        assert_eq!(value(&config, "B"), "y");
        assert_eq!(value(&config, "N"), "3");
        assert_eq!(value(&config, "S"), "");
        assert_eq!(value(&config, "H"), if dialect == NEW { "0x0" } else { "" });
        assert_eq!(config.dependencies(symbol(&kconfig, "S")), Tristate::No);
    }
}

#[test]
fn without_modules_tristate_is_bool() {
    let text = "config A\n\ttristate \"a\"\n\tdefault m\nconfig B\n\tdef_tristate m\n";
    for dialect in DIALECTS {
        let kconfig = with_modules(text, dialect);
        let mut config = config(&kconfig);
        assert_eq!((value(&config, "A"), value(&config, "B")), ("m".into(), "m".into()));
        set(&mut config, "MODULES", "n");
        // `m` in a default stands for `m && MODULES` only where it is a condition.
        assert_eq!(value(&config, "A"), "y");
        let a = symbol(&kconfig, "A");
        assert_eq!(config.set(a, "m"), Err(NotSettable::NotAValue(l4re_kconfig::SymbolType::Bool)));
    }
}

#[test]
fn a_select_wins_over_dependencies_and_is_reported() {
    let text = "\
config A\n\tbool \"a\"\n\tselect B\n\timply C\n\
config B\n\tbool \"b\"\n\tdepends on D\n\
config C\n\tbool \"c\"\n\
config D\n\tbool \"d\"\n";
    for dialect in DIALECTS {
        let kconfig = with_modules(text, dialect);
        let mut config = config(&kconfig);
        assert!(config.findings().iter().next().is_none());
        set(&mut config, "A", "y");
        assert_eq!(
            (tristate(&config, "B"), tristate(&config, "C")),
            (Tristate::Yes, Tristate::Yes)
        );
        let b = symbol(&kconfig, "B");
        assert_eq!(config.selected(b), Tristate::Yes);
        let found: Vec<String> = config.findings().iter().map(ToString::to_string).collect();
        let wanted = "Kconfig:9:1: warning: unmet direct dependencies detected for B: depends on \
                      [n] D; selected by A [=y]\n  help: the Kconfig file of what selects it \
                      should depend on the same";
        assert_eq!(found, [wanted]);
        set(&mut config, "C", "n");
        assert_eq!(tristate(&config, "C"), Tristate::No, "an imply can be refused");
        set(&mut config, "D", "y");
        assert_eq!(config.set(b, "n"), Err(NotSettable::Selected(Tristate::Yes)));
        assert!(config.unmet().is_empty());
    }
}

#[test]
fn numbers_stay_in_the_range_that_holds() {
    let text = "\
config BIG\n\tbool \"big\"\n\
config N\n\tint \"n\"\n\trange 10 20 if BIG\n\trange 1 5\n\tdefault 7\n\
config H\n\thex \"h\"\n\trange 0x10 0x20\n\tdefault 0x10\n";
    for dialect in DIALECTS {
        let kconfig = with_modules(text, dialect);
        let mut config = config(&kconfig);
        assert_eq!(value(&config, "N"), "5");
        set(&mut config, "BIG", "y");
        assert_eq!(value(&config, "N"), "10");
        let n = symbol(&kconfig, "N");
        assert_eq!(config.range(n), Some((10, 20)));
        assert_eq!(config.set(n, "21"), Err(NotSettable::OutOfRange(10, 20)));
        set(&mut config, "N", "15");
        assert_eq!(value(&config, "N"), "15");
        set(&mut config, "H", "1f");
        assert_eq!(value(&config, "H"), "0x1f");
        let h = symbol(&kconfig, "H");
        let refusal = config.set(h, "xyz");
        assert_eq!(refusal, Err(NotSettable::NotAValue(l4re_kconfig::SymbolType::Hex)));
    }
}

#[test]
fn exactly_one_visible_member_of_a_choice_is_chosen() {
    let text = "\
config HIDE\n\tbool \"hide\"\n\
choice\n\tprompt \"pick\"\n\tdefault TWO\n\
config ONE\n\tbool \"one\"\n\
config TWO\n\tbool \"two\"\n\tdepends on !HIDE\n\
config THREE\n\tbool \"three\"\n\
endchoice\n";
    for dialect in DIALECTS {
        let kconfig = with_modules(text, dialect);
        let mut config = config(&kconfig);
        let values =
            |config: &Config<'_>| ["ONE", "TWO", "THREE"].map(|name| value(config, name)).concat();
        assert_eq!(values(&config), "nyn");
        set(&mut config, "HIDE", "y");
        assert_eq!(values(&config), "ynn");
        set(&mut config, "THREE", "y");
        assert_eq!(values(&config), "nny");
        set(&mut config, "HIDE", "n");
        assert_eq!(values(&config), "nny");
        let three = symbol(&kconfig, "THREE");
        assert_eq!(config.set(three, "n"), Err(NotSettable::ChoiceMember));
    }
}

#[test]
fn a_tristate_choice_that_is_m_leaves_its_members_free() {
    let text = "\
choice\n\ttristate \"pick\"\n\
config ONE\n\ttristate \"one\"\nconfig TWO\n\ttristate \"two\"\nendchoice\n";
    let kconfig = with_modules(text, OLD);
    let mut config = config(&kconfig);
    let source = MemorySource::new();
    config.preset(Preset::AllModules, &source).expect("needs no files");
    assert_eq!((value(&config, "ONE"), value(&config, "TWO")), ("m".into(), "m".into()));
    config.preset(Preset::AllYes, &source).expect("needs no files");
    assert_eq!((value(&config, "ONE"), value(&config, "TWO")), ("y".into(), "n".into()));
}

#[test]
fn a_forced_value_wins_over_every_rule_and_is_reported() {
    let text = "\
config SMP\n\tdef_bool y\n\
config NR\n\tint \"nr\"\n\trange 2 64\n\tdefault 8\n\tdepends on SMP || !SMP\n\
config KEY\n\tbool\nconfig ARM\n\tdef_bool y\n\tselect KEY\n";
    for dialect in DIALECTS {
        let kconfig = with_modules(text, dialect);
        let mut config = config(&kconfig);
        for (name, value) in [("SMP", "n"), ("NR", "1"), ("KEY", "n")] {
            config.force(symbol(&kconfig, name), value).expect("a value");
        }
        config.preset(Preset::AllYes, &MemorySource::new()).expect("needs no files");
        let auto = config.auto_conf();
        assert!(auto.contains("CONFIG_NR=1\n") && !auto.contains("SMP") && !auto.contains("KEY"));
        let forced: Vec<String> =
            config.findings().iter().map(|finding| finding.message.clone()).collect();
        assert!(forced.contains(&"CONFIG_NR=1 is forced, whatever the rules say".into()));
        assert_eq!(forced.len(), 3, "{forced:#?}");
        let failure = config.force(symbol(&kconfig, "NR"), "many").expect_err("not a number");
        let wanted = "error: cannot force CONFIG_NR=many\n  help: it is of type int";
        assert_eq!(failure.to_string(), wanted);
        config.unforce(symbol(&kconfig, "NR"));
        assert_eq!(value(&config, "NR"), "8");
    }
}

#[test]
fn a_request_counts_as_soon_as_the_rules_allow_it() {
    let text = "config A\n\tbool \"a\"\nconfig B\n\ttristate \"b\"\n\tdepends on A\n";
    for dialect in DIALECTS {
        let kconfig = with_modules(text, dialect);
        let mut config = config(&kconfig);
        let (a, b) = (symbol(&kconfig, "A"), symbol(&kconfig, "B"));
        assert_eq!(config.set(b, "m"), Err(NotSettable::Invisible));
        config.request(b, "m").expect("a value");
        assert_eq!(config.tristate(b), Tristate::No);
        assert_eq!(config.user_value(b), Some(Value::Logic(Tristate::Mod)));
        config.request(a, "y").expect("a value");
        assert_eq!(config.tristate(b), Tristate::Mod);
    }
}

#[test]
fn why_names_what_is_missing_down_to_the_symbols_that_can_be_set() {
    let text = "\
config NET\n\tbool \"net\"\n\
config BUS\n\tbool \"bus\"\n\
config PCI\n\tbool \"pci\"\n\tdepends on BUS\n\
config ISA\n\tbool \"isa\"\n\
config DRV\n\ttristate \"drv\"\n\tdepends on NET && (PCI || ISA)\n\tselect HELPER\n\
config HELPER\n\ttristate\n\
config LONE\n\tbool\n";
    let kconfig = with_modules(text, NEW);
    let mut config = config(&kconfig);
    set(&mut config, "NET", "y");
    let why = config.why(symbol(&kconfig, "DRV"), Tristate::Mod);
    let wanted = "\
DRV is n, wanted m
  the prompt at Kconfig:15 needs:
    PCI || ISA is n
      PCI is n (Kconfig:9)
        BUS is n (Kconfig:7)
      ISA is n (Kconfig:12)";
    assert_eq!(why.display(&kconfig).to_string(), wanted);
    let why = config.why(symbol(&kconfig, "HELPER"), Tristate::Yes).display(&kconfig).to_string();
    assert_eq!(why, "HELPER is n, wanted y\n  it has no prompt; selected by DRV");
    let why = config.why(symbol(&kconfig, "LONE"), Tristate::Yes).display(&kconfig).to_string();
    assert_eq!(why, "LONE is n, wanted y\n  it has no prompt, and nothing selects it");
    set(&mut config, "ISA", "y");
    set(&mut config, "DRV", "y");
    let why = config.why(symbol(&kconfig, "HELPER"), Tristate::No).display(&kconfig).to_string();
    assert!(why.contains("selected by DRV [=y]"), "{why}");
}

#[test]
fn what_menuconfig_shows_follows_the_values() {
    let text = "\
menu \"M\"\n\tvisible if SHOW\nconfig A\n\tbool \"a\"\n\tdefault y\nendmenu\n\
config SHOW\n\tbool \"show\"\n";
    for dialect in DIALECTS {
        let kconfig = with_modules(text, dialect);
        let mut config = config(&kconfig);
        let a = symbol(&kconfig, "A");
        let menu = kconfig.parent(kconfig.symbol(a).menus[0]).expect("a menu");
        assert!(!config.is_visible(menu));
        assert_eq!(config.visibility(a), Tristate::No);
        assert_eq!(config.tristate(a), Tristate::Yes, "hidden, but its default holds");
        set(&mut config, "SHOW", "y");
        assert!(config.is_visible(menu));
        set(&mut config, "A", "n");
    }
}

#[test]
fn a_transitional_symbol_hands_its_value_on_and_is_not_written() {
    let text = "\
config NEW\n\tbool \"new\"\n\tdefault OLD\nconfig OLD\n\tbool\n\ttransitional\n";
    let kconfig = with_modules(text, Dialect { transitional: true, ..NEW });
    let mut config = config(&kconfig);
    let report = config.read("CONFIG_OLD=y\n", "old.config".as_ref());
    assert!(report.iter().next().is_none());
    assert_eq!(value(&config, "NEW"), "y");
    assert!(!config.dot_config().contains("OLD"));
}

#[test]
fn a_conditional_dependency_limits_only_while_its_condition_holds() {
    let text = "\
config DEP\n\ttristate \"dep\"\n\
config WHEN\n\ttristate \"when\"\n\
config X\n\ttristate \"x\"\n\tdepends on DEP if WHEN\n\
config OWN\n\ttristate \"own\"\n\tdepends on DEP if DEP\n\
config BOTH\n\ttristate \"both\"\n\tdepends on DEP if WHEN && !DEP\n";
    let kconfig = with_modules(text, Dialect { conditional_depends: true, ..NEW });
    let menu = kconfig.menu(kconfig.symbol(symbol(&kconfig, "BOTH")).menus[0]);
    assert_eq!(kconfig.display(menu.depends).to_string(), "DEP || WHEN=n || DEP!=n");
    let visibility = |dep, when| {
        let mut config = config(&kconfig);
        set(&mut config, "DEP", dep);
        set(&mut config, "WHEN", when);
        ["X", "OWN", "BOTH"].map(|name| config.visibility(symbol(&kconfig, name)).to_string())
    };
    // OWN may be y without DEP, but not beside DEP=m.
    assert_eq!(visibility("n", "n"), ["y", "y", "y"]);
    assert_eq!(visibility("m", "n"), ["y", "m", "y"]);
    assert_eq!(visibility("n", "m"), ["n", "y", "n"]);
    assert_eq!(visibility("m", "y"), ["m", "m", "y"]);
    assert_eq!(visibility("y", "m"), ["y", "y", "y"]);
}
