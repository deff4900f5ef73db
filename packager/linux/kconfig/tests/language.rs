//! What the files say is what the tables hold.

mod common;

use common::{DIALECTS, MODULES, load, load_with, symbol};
use l4re_kconfig::{
    Config, Dialect, Environment, Kconfig, MenuId, MenuKind, NoShell, PropertyKind, Shell,
    SymbolType, Tristate,
};

const NEW: Dialect = Dialect::LINUX_6_12;
const OLD: Dialect = Dialect::LINUX_5_15;

fn depends(kconfig: &Kconfig, name: &str) -> String {
    let direct = &kconfig.symbol(symbol(kconfig, name)).direct;
    let direct: Vec<String> = direct.iter().map(|e| kconfig.display(*e).to_string()).collect();
    direct.join(" || ")
}

/// The menu tree, indented by depth.
fn outline(kconfig: &Kconfig, menu: MenuId, depth: usize) -> String {
    let mut text = String::new();
    for child in kconfig.children(menu) {
        let node = kconfig.menu(child);
        let name = match (node.symbol, node.prompt) {
            (Some(symbol), _) if !kconfig.symbol(symbol).name.is_empty() => {
                kconfig.symbol(symbol).name.to_string()
            }
            (_, Some(prompt)) => kconfig.prompt_text(prompt).unwrap_or_default().to_owned(),
            _ => format!("{:?}", node.kind),
        };
        text.push_str(&format!("{}{name}\n", "  ".repeat(depth)));
        text.push_str(&outline(kconfig, child, depth + 1));
    }
    text
}

#[test]
fn a_definition_has_all_its_properties_and_its_place() {
    let text = "\
# a comment\n\
menuconfig A # the name\n\
\ttristate \"the prompt\" if B\n\
  depends on C && \\\n\
             D\n\
\tdefault y if !B\n\
\tselect E if C\n\
\timply F\n\
\thelp\n\
\t  First line.\n\
\n\
\t    Indented.\n\
config N\n\tint\n\trange 1 10 if B\n\tdefault 7\n\
config B\n\tdef_bool y\nconfig C\n\tdef_tristate m\nconfig D\n\tbool\nconfig E\n\tbool\nconfig F\n\tbool\n";
    for dialect in DIALECTS {
        let kconfig = load(&[("Kconfig", text)], dialect);
        let a = kconfig.symbol(symbol(&kconfig, "A"));
        assert_eq!(a.symbol_type, SymbolType::Tristate);
        let menu = kconfig.menu(a.menus[0]);
        assert_eq!((menu.kind, menu.location.line), (MenuKind::MenuConfig, 2));
        assert_eq!(kconfig.display(menu.depends).to_string(), "C && D");
        let help = kconfig.help(a.menus[0]);
        assert_eq!(help.as_deref(), Some("First line.\n\n  Indented."));
        let lines: Vec<(u32, String)> = a
            .properties
            .iter()
            .map(|id| {
                let property = kconfig.property(*id);
                let kind = match &property.kind {
                    PropertyKind::Prompt(text) => text.to_string(),
                    PropertyKind::Default(value) => format!("default {}", kconfig.display(*value)),
                    PropertyKind::Select(to) => format!("select {}", kconfig.symbol(*to).name),
                    PropertyKind::Imply(to) => format!("imply {}", kconfig.symbol(*to).name),
                    PropertyKind::Range(..) => "range".into(),
                };
                let condition = kconfig.display(property.condition);
                (property.location.line, format!("{kind} if {condition}"))
            })
            .collect();
        let lines: Vec<(u32, &str)> = lines.iter().map(|(l, t)| (*l, t.as_str())).collect();
        assert_eq!(
            lines,
            [
                (3, "the prompt if B"),
                (6, "default y if !B"),
                (7, "select E if C"),
                (8, "imply F if y")
            ]
        );
        let e = kconfig.symbol(symbol(&kconfig, "E"));
        let term = kconfig.display(e.selected_by[0].term).to_string();
        assert_eq!(term, "A && D && C");
    }
}

#[test]
fn enclosing_blocks_and_further_definitions_count() {
    let text = "\
if A\n\
menu \"M\"\n\tdepends on B || C\n\tvisible if D\n\
config X\n\tbool \"x\"\n\tdepends on A\n\
endmenu\n\
endif\n\
config X\n\tdepends on E = y\n\
config A\n\tbool\nconfig B\n\tbool\nconfig C\n\tbool\nconfig D\n\tbool\nconfig E\n\ttristate\n";
    for dialect in DIALECTS {
        let kconfig = load(&[("Kconfig", text)], dialect);
        assert_eq!(depends(&kconfig, "X"), "(B || C) && A || E=y");
        let (prompt, text) = kconfig.prompts(symbol(&kconfig, "X")).next().expect("a prompt");
        assert_eq!(text, "x");
        let visible = kconfig.display(kconfig.property(prompt).effective).to_string();
        assert_eq!(visible, "(B || C) && A && D");
        let block = kconfig.enclosing(kconfig.symbol(symbol(&kconfig, "X")).menus[0]);
        assert_eq!(kconfig.menu(block.expect("a menu")).kind, MenuKind::Menu);
    }
}

#[test]
fn expressions_keep_their_meaning_with_the_fewest_parentheses() {
    let cases = [
        ("A && (B || C)", "A && (B || C)"),
        ("(A && B) || C", "A && B || C"),
        ("!(A && B)", "!(A && B)"),
        ("!(A = y)", "!A=y"),
        ("!!A", "!!A"),
        ("((A))", "A"),
        ("A = \"a \\\"b\\\"\" || B >= 10", "A=\"a \\\"b\\\"\" || B>=10"),
        ("A != 'x' && B<C", "A!=\"x\" && B<C"),
    ];
    for (written, wanted) in cases {
        let text = format!("config X\n\tbool\n\tdepends on {written}\n");
        let kconfig = load(&[("Kconfig", &text)], NEW);
        let menu = kconfig.menu(kconfig.symbol(symbol(&kconfig, "X")).menus[0]);
        assert_eq!(kconfig.display(menu.depends).to_string(), wanted);
        // What is displayed reads back as the same expression.
        let text = format!("config X\n\tbool\n\tdepends on {wanted}\n");
        let again = load(&[("Kconfig", &text)], NEW);
        let menu = again.menu(again.symbol(symbol(&again, "X")).menus[0]);
        assert_eq!(again.display(menu.depends).to_string(), wanted);
    }
}

#[test]
fn dependencies_form_the_menus_of_menuconfig() {
    let text = "\
config A\n\tbool \"a\"\n\
config A1\n\tbool \"a1\"\n\tdepends on A\n\
if A\nconfig A2\n\tbool \"a2\"\nendif\n\
config B\n\tbool \"b\"\n\
comment \"c\"\n\tdepends on A\n\
menu \"M\"\nconfig X\n\tbool \"x\"\nif X\nconfig Y\n\tbool \"y\"\nendif\nendmenu\n";
    for dialect in DIALECTS {
        let kconfig = load(&[("Kconfig", text)], dialect);
        let wanted = "A\n  A1\n  If\n  A2\nB\nc\nM\n  X\n    If\n    Y\n";
        assert_eq!(outline(&kconfig, MenuId::ROOT, 0), wanted);
    }
}

#[test]
fn files_are_sourced_by_name_with_variables() {
    let files = [
        (
            "Kconfig",
            "mainmenu \"Linux/$(ARCH)\"\nsource \"arch/$(ARCH)/Kconfig\"\nconfig Z\n\tbool\n",
        ),
        ("arch/arm64/Kconfig", "dir := drivers\nsource \"$(dir)/Kconfig.net\"\n"),
        ("drivers/Kconfig.net", "config NET\n\tbool \"$(filename):$(lineno)\"\n"),
    ];
    let environment = Environment::new().with("ARCH", "arm64");
    let kconfig = load_with(&files, NEW, environment, NoShell);
    let files: Vec<&str> = kconfig.files().collect();
    assert_eq!(files, ["Kconfig", "arch/arm64/Kconfig", "drivers/Kconfig.net"]);
    assert_eq!(kconfig.main_menu(), "Linux/arm64");
    let (_, prompt) = kconfig.prompts(symbol(&kconfig, "NET")).next().expect("a prompt");
    assert_eq!(prompt, "drivers/Kconfig.net:2");
}

#[test]
fn help_ends_where_the_indentation_does() {
    let text = "\
config A\n\tbool\n\thelp\n\t  one\n\n\tdefault y\n\
config B\n\tbool\n\thelp\nunindented\nconfig C\n\tbool\n\
config D\n\tbool\n\t---help---\n\t  old\n";
    let source = l4re_kconfig::MemorySource::new().with("Kconfig", text);
    let environment = Environment::new();
    let loaded = Kconfig::load_file(&source, "Kconfig", environment, Box::new(NoShell), NEW);
    let (kconfig, report) = loaded.expect("only warnings");
    let help = |name| kconfig.help(kconfig.symbol(symbol(&kconfig, name)).menus[0]);
    assert_eq!(help("A").as_deref(), Some("one"));
    assert_eq!(help("B").as_deref(), Some("unindented"));
    assert_eq!(help("D").as_deref(), Some("old"));
    assert_eq!(help("C"), None);
    let report: Vec<String> = report.iter().map(ToString::to_string).collect();
    let wanted =
        "Kconfig:15:1: warning: `---help---` is read as `help`; Linux 5.9 and later refuse it";
    assert_eq!(report, [wanted]);
}

#[test]
fn a_choice_has_its_members_in_both_generations() {
    let text = "\
choice\n\tprompt \"pick\"\n\tdefault TWO\n\
config ONE\n\tbool \"one\"\nif COND\nconfig TWO\n\tbool \"two\"\nendif\nendchoice\n\
config COND\n\tdef_bool y\n";
    for dialect in DIALECTS {
        let kconfig = load(&[("Kconfig", text)], dialect);
        let one = kconfig.symbol(symbol(&kconfig, "ONE"));
        let choice = kconfig.symbol(one.choice.expect("a choice"));
        let members: Vec<&str> =
            choice.members.iter().map(|member| &*kconfig.symbol(*member).name).collect();
        assert_eq!(members, ["ONE", "TWO"]);
        assert_eq!(choice.symbol_type, SymbolType::Bool);
    }
    let optional = format!("{MODULES}choice NAMED\n\ttristate \"pick\"\n\toptional\nendchoice\n");
    let kconfig = load(&[("Kconfig", &optional)], OLD);
    let choice = kconfig.walk().find_map(|menu| {
        let menu = kconfig.menu(menu);
        menu.symbol.filter(|_| menu.kind == MenuKind::Choice)
    });
    let choice = kconfig.symbol(choice.expect("a choice"));
    assert!(choice.optional);
    assert_eq!((&*choice.name, choice.symbol_type), ("NAMED", SymbolType::Tristate));
}

/// Answers as a compiler that knows one flag, and counts the questions.
struct Compiler(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Shell for Compiler {
    fn run(&self, command: &str) -> std::io::Result<Vec<u8>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(if command.contains("-fgood") { b"y\n".to_vec() } else { b"n\n".to_vec() })
    }
}

#[test]
fn compiler_probes_run_once_and_only_for_values_that_need_them() {
    let text = "\
cc-option = $(shell,cc $(1) && echo y || echo n)\n\
config GOOD\n\tdef_bool $(cc-option,-fgood)\n\
config BAD\n\tdef_bool $(cc-option,-fbad)\n\
config ALSO\n\tdef_bool y\n\tdepends on OFF && $(cc-option,-funasked)\n\
config TEXT\n\tstring\n\tdefault \"<$(cc-option,-fgood)>\"\n\
config OFF\n\tbool\n";
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let shell = Compiler(std::sync::Arc::clone(&asked));
    let kconfig = load_with(&[("Kconfig", text)], NEW, Environment::new(), shell);
    let count = || asked.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(count(), 0, "nothing runs while files are read");
    let config = Config::new(&kconfig).expect("no demands");
    assert_eq!(common::tristate(&config, "ALSO"), Tristate::No);
    assert_eq!(count(), 0, "a condition that is n anyway needs no probe");
    assert_eq!(common::value(&config, "GOOD"), "y");
    assert_eq!(common::value(&config, "BAD"), "n");
    assert_eq!(common::value(&config, "TEXT"), "<y>");
    assert_eq!(count(), 2, "the same question is asked once");
}

#[test]
fn what_the_files_demand_of_the_compiler_is_asked_before_the_first_value() {
    let text = "\n$(error-if,$(shell,-fgood),no compiler '$(CC)' found)\nconfig A\n\tbool\n";
    let environment = Environment::new().with("CC", "cc");
    let shell = Compiler(std::sync::Arc::default());
    let kconfig = load_with(&[("Kconfig", text)], NEW, environment, shell);
    let failure = Config::new(&kconfig).err().expect("refused").to_string();
    let wanted = "Kconfig:2:1: error: no compiler 'cc' found\n  \
                  help: the Kconfig files demand this; are the programs right that CC, LD and \
                  CROSS_COMPILE name?";
    assert_eq!(failure, wanted);
}
