//! `.config` files in, and all files out.

mod common;

use std::path::Path;

use common::{DIALECTS, MODULES, load, load_with, value};
use l4re_kconfig::{
    Config, Dialect, Environment, Kconfig, MemorySource, MenuEnds, NoShell, Preset,
};

const NEW: Dialect = Dialect::LINUX_6_12;
const OLD: Dialect = Dialect::LINUX_5_15;

const TEXT: &str = "\
mainmenu \"Linux/test\"
config MODULES
\tbool \"modules\"
\tdefault y
\tmodules
menu \"Things\"
config A
\ttristate \"a\"
\tdefault m
comment \"about b\"
config B
\tbool \"b\"
config H
\thex \"h\"
\tdefault ff
config N
\tint \"n\"
\tdefault 7
endmenu
config S
\tstring \"s\"
\tdefault \"say \\\"hi\\\" \\\\\"
choice
\tprompt \"pick\"
config ONE
\tbool \"one\"
config TWO
\tbool \"two\"
endchoice
";

fn config(kconfig: &Kconfig) -> Config<'_> {
    Config::new(kconfig).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn dot_config_has_headings_and_sets_off_what_follows_a_menu() {
    let wanted = "\
#
# Automatically generated file; DO NOT EDIT.
# Linux/test
#
CONFIG_MODULES=y

#
# Things
#
CONFIG_A=m

#
# about b
#
# CONFIG_B is not set
CONFIG_H=ff
CONFIG_N=7
# end of Things

CONFIG_S=\"say \\\"hi\\\" \\\\\"
CONFIG_ONE=y
# CONFIG_TWO is not set
";
    for dialect in DIALECTS {
        let kconfig = load(&[("Kconfig", TEXT)], dialect);
        assert_eq!(config(&kconfig).dot_config(), wanted);
    }
}

/// Lines without the heading, sorted: their order is that of a hash table.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with(['/', ' '])).collect();
    lines.retain(|line| !line.starts_with("# ") && *line != "#");
    lines.sort_unstable();
    lines
}

#[test]
fn the_files_for_make_c_and_rust_spell_values_each_in_its_way() {
    let kconfig = load(&[("Kconfig", TEXT)], NEW);
    let config = config(&kconfig);
    assert_eq!(
        sorted(&config.auto_conf()),
        [
            "CONFIG_A=m",
            "CONFIG_H=ff",
            "CONFIG_MODULES=y",
            "CONFIG_N=7",
            "CONFIG_ONE=y",
            "CONFIG_S=say \"hi\" \\"
        ]
    );
    assert_eq!(
        sorted(&config.autoconf_h()),
        [
            "#define CONFIG_A_MODULE 1",
            "#define CONFIG_H 0xff",
            "#define CONFIG_MODULES 1",
            "#define CONFIG_N 7",
            "#define CONFIG_ONE 1",
            "#define CONFIG_S \"say \\\"hi\\\" \\\\\""
        ]
    );
    let header = config.autoconf_h();
    let heading = "/*\n * Automatically generated file; DO NOT EDIT.\n * Linux/test\n */\n#define";
    assert!(header.starts_with(heading), "{header}");
    let rust = config.rustc_cfg();
    assert!(rust.contains("--cfg=CONFIG_A\n--cfg=CONFIG_A=\"m\"\n"), "{rust}");
    assert!(rust.contains("--cfg=CONFIG_H=\"0xff\"\n"), "{rust}");
}

#[test]
fn generated_files_of_old_trees_quote_strings_and_space_headings() {
    let dialect = Dialect { quoted_auto_conf: true, spaced_heading: true, ..OLD };
    let kconfig = load(&[("Kconfig", TEXT)], dialect);
    let header = config(&kconfig).autoconf_h();
    let heading =
        "/*\n *\n * Automatically generated file; DO NOT EDIT.\n * Linux/test\n *\n */\n#define";
    assert!(header.starts_with(heading), "{header}");
    let auto = config(&kconfig).auto_conf();
    let heading = "#\n# Automatically generated file; DO NOT EDIT.\n# Linux/test\n#\nCONFIG";
    assert!(auto.starts_with(heading), "{auto}");
    assert!(auto.contains("\nCONFIG_S=\"say \\\"hi\\\" \\\\\"\n"), "{auto}");
    assert!(auto.contains("\nCONFIG_N=7\n"), "{auto}");
    let dialect = |confdata: &str| {
        let files = [("expr.h", ""), ("symbol.c", ""), ("parser.y", ""), ("confdata.c", confdata)];
        Dialect::of(&files.iter().fold(MemorySource::new(), |source, (name, text)| {
            source.with(&format!("scripts/kconfig/{name}"), *text)
        }))
    };
    let oldest = dialect("static struct conf_printer header_printer_cb =\n");
    assert!(oldest.quoted_auto_conf && oldest.spaced_heading);
    let style = "comment_style_c = {\n\t__print_symbol(fp, sym, OUTPUT_N_NONE, true);\n";
    let old = dialect(style);
    assert!(old.quoted_auto_conf && !old.spaced_heading);
    let new = dialect(&style.replace("true", "false"));
    assert!(!new.quoted_auto_conf && !new.spaced_heading);
    assert!(!dialect("").quoted_auto_conf, "nothing is known about such a tree");
}

#[test]
fn a_menu_without_entries_ends_unless_the_tree_is_old() {
    let text =
        "menu \"None\"\nendmenu\nmenu \"Off\"\nif NO\nendif\nendmenu\nconfig A\n\tdef_bool y\n";
    let dot_config = |menu_ends| {
        let kconfig = load(&[("Kconfig", text)], Dialect { menu_ends, ..OLD });
        let text = config(&kconfig).dot_config();
        text.split_once("\n#\n# None").expect("a heading").1.to_owned()
    };
    let off = "\n#\n# Off\n#\n# end of Off\n\nCONFIG_A=y\n";
    assert_eq!(dot_config(MenuEnds::All), format!("\n#\n# end of None\n{off}"));
    assert_eq!(dot_config(MenuEnds::Filled), format!("\n#\n{off}"));
    assert_eq!(dot_config(MenuEnds::None), "\n#\n\n#\n# Off\n#\nCONFIG_A=y\n");
}

#[test]
fn lines_come_in_the_order_of_the_tree_s_own_table() {
    let text = "config B\n\tdef_bool y\nconfig A\n\tdef_bool y\nconfig AA\n\tdef_bool y\n";
    // FNV-1a of "A", "AA" and "B" modulo 9,973 and 16,384.
    let order = |dialect| {
        let kconfig = load(&[("Kconfig", text)], dialect);
        let auto = config(&kconfig).auto_conf();
        let names = auto.lines().filter_map(|line| line.strip_prefix("CONFIG_"));
        names.map(|line| line.trim_end_matches("=y")).collect::<Vec<_>>().join(" ")
    };
    let fnv = |name: &str| {
        name.bytes().fold(2_166_136_261_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
    };
    for (dialect, buckets) in [(OLD, 9973), (NEW, 16384)] {
        let mut names = ["A", "AA", "B"];
        names.sort_by_key(|name| fnv(name) % buckets);
        assert_eq!(order(dialect), names.join(" "));
    }
}

#[test]
fn a_dot_config_that_was_written_reads_back_as_it_is() {
    for dialect in DIALECTS {
        let kconfig = load(&[("Kconfig", TEXT)], dialect);
        let mut config = config(&kconfig);
        for (name, value) in [("A", "y"), ("H", "0x1"), ("S", "\\"), ("TWO", "y"), ("B", "y")] {
            common::set(&mut config, name, value);
        }
        let text = config.dot_config();
        config.reset();
        assert_ne!(config.dot_config(), text);
        let report = config.read(&text, Path::new(".config"));
        assert!(report.iter().next().is_none(), "{report:?}");
        assert_eq!(config.dot_config(), text);
    }
}

#[test]
fn each_line_that_makes_no_sense_is_named() {
    let text = "\
CONFIG_A=m\r
# CONFIG_B is not set
# any comment

CONFIG_B=maybe
CONFIG_A=y
CONFIG_MODULE=y
CONFIG_N=seven
CONFIG_S=\"open
CONFIG_TWO
garbage
CONFIG_S=bare
";
    let kconfig = load(&[("Kconfig", TEXT)], NEW);
    let mut config = config(&kconfig);
    let report = config.read(text, Path::new("my.config"));
    let found: Vec<String> = report.iter().map(ToString::to_string).collect();
    let wanted = [
        "5:1: warning: override: reassigning to symbol B\n  help: the last line counts",
        "5:1: warning: symbol value 'maybe' invalid for B\n  \
         help: it is of type bool; the line is ignored",
        "6:1: warning: override: reassigning to symbol A\n  help: the last line counts",
        "7:1: warning: unknown symbol: MODULE\n  help: did you mean `CONFIG_MODULES`?",
        "8:1: warning: symbol value 'seven' invalid for N\n  \
         help: it is of type int; the line is ignored",
        "9:1: warning: symbol value '\"open' invalid for S\n  \
         help: it is of type string; the line is ignored",
        "10:1: warning: unexpected data: CONFIG_TWO\n  \
         help: lines are `CONFIG_X=value` or `# CONFIG_X is not set`",
        "11:1: warning: unexpected data: garbage\n  \
         help: lines are `CONFIG_X=value` or `# CONFIG_X is not set`",
    ];
    let wanted: Vec<String> = wanted.iter().map(|line| format!("my.config:{line}")).collect();
    assert_eq!(found, wanted);
    assert_eq!(value(&config, "A"), "y");
}

#[test]
fn tinyconfig_and_defconfig_are_made_of_the_tree_s_files() {
    let kconfig_text = format!(
        "{MODULES}config EXPERT\n\tbool \"expert\"\nconfig SMALL\n\tbool \"small\" if EXPERT\n\
         \tdefault n\nconfig ARCH_SMALL\n\tbool \"arch\"\nconfig BIG\n\tbool \"big\"\n\tdefault y\n"
    );
    let source = MemorySource::new()
        .with("kernel/configs/tiny-base.config", "CONFIG_EXPERT=y\n")
        .with("kernel/configs/tiny.config", "# CONFIG_X is not set\nCONFIG_SMALL=y\n")
        .with("arch/x86/configs/tiny.config", "CONFIG_ARCH_SMALL=y\n")
        .with(
            "arch/x86/Makefile",
            "ifeq ($(ARCH),x86)\n        KBUILD_DEFCONFIG := i386_defconfig\nelse\n        \
             KBUILD_DEFCONFIG := $(ARCH)_defconfig\nendif\n",
        )
        .with("arch/x86/configs/i386_defconfig", "# CONFIG_BIG is not set\n")
        .with("arch/x86/configs/x86_64_defconfig", "CONFIG_EXPERT=y\n");
    for dialect in DIALECTS {
        let environment = Environment::new().with("ARCH", "x86_64").with("SRCARCH", "x86");
        let kconfig = load_with(&[("Kconfig", &kconfig_text)], dialect, environment, NoShell);
        let mut config = config(&kconfig);
        config.preset(Preset::Tiny, &source).expect("the files are there");
        let values = ["EXPERT", "SMALL", "ARCH_SMALL", "BIG"].map(|name| value(&config, name));
        assert_eq!(values.concat(), "yyyn");
        config.preset(Preset::Default, &source).expect("the file is there");
        let values = ["EXPERT", "SMALL", "ARCH_SMALL", "BIG"].map(|name| value(&config, name));
        assert_eq!(values.concat(), "ynny");
        let failure = config.preset(Preset::Tiny, &MemorySource::new()).expect_err("missing");
        let wanted = "kernel/configs/tiny.config: error: cannot read the tree's \
                      \"kernel/configs/tiny.config\": no such file\n  help: is the tree complete? \
                      Name a .config file instead if it has no such preset";
        assert_eq!(failure.to_string(), wanted);
    }
}
