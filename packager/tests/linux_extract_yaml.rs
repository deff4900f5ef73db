//! `driver.yaml`: what is written is read back equal, and nothing else is read.

use std::collections::BTreeMap;
use std::path::Path;

use l4re_linux_drivers::workspace::{
    Base, Compiler, ConditionalMember, DriverYaml, Flags, Module, Provider, read,
};
use l4re_packager_base::Failure;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn path() -> impl Strategy<Value = String> {
    // Words that YAML readers like to take for something else are among the parts.
    let part = prop_oneof!["[a-z0-9_.-]{1,12}", Just("no".to_owned()), Just("1e3".to_owned())];
    vec(part.prop_filter("a name", |part| part != "." && part != ".."), 1..4)
        .prop_map(|parts| parts.join("/"))
}

fn paths() -> impl Strategy<Value = Vec<String>> {
    vec(path(), 0..4)
}

fn symbol() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9_]{1,20}", Just("Y".to_owned()), Just("null".to_owned())]
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9_][a-z0-9_.,+-]{0,12}"
}

/// Anything on one line.
fn line() -> impl Strategy<Value = String> {
    "\\PC{0,30}".prop_filter("no control characters", |text| !text.chars().any(char::is_control))
}

fn flags() -> impl Strategy<Value = Vec<String>> {
    let flag = prop_oneof![
        line().prop_map(|text| format!("-DX={text}")),
        path().prop_map(|path| format!("-I$(src)/{path}")),
        Just("-Os".to_owned()),
    ];
    vec(flag, 0..4)
}

fn value() -> impl Strategy<Value = String> {
    let text = line().prop_map(|text| {
        let text = text.replace(['"', '\\'], "");
        format!("\"{text}\\\"\\\\\"")
    });
    prop_oneof![Just("y".to_owned()), Just("m".to_owned()), "-?[0-9]{1,5}", "0x[0-9a-f]{1,8}", text]
}

fn module() -> impl Strategy<Value = Module> {
    let own = (name(), path(), any::<bool>(), paths(), paths(), paths());
    let rest = (paths(), paths(), paths(), btree_map(path(), flags(), 0..3));
    let entry = (flags(), vec(line(), 0..3)).prop_map(|(add, remove)| Flags { add, remove });
    let cflags = btree_map(path(), entry, 0..3);
    let member = (line(), path(), any::<bool>());
    let members = vec(
        member.prop_map(|(condition, object, included)| ConditionalMember {
            condition,
            object,
            included,
        }),
        0..3,
    );
    (own, rest, cflags, members).prop_map(|(own, rest, cflags, conditional_members)| Module {
        name: own.0,
        directory: own.1,
        built_in: own.2,
        objects: own.3,
        sources: own.4,
        own_headers: own.5,
        other_driver_headers: rest.0,
        trace_headers: rest.1,
        shipped: rest.2,
        cflags,
        defines: rest.3,
        conditional_members,
    })
}

fn provider() -> impl Strategy<Value = Provider> {
    (symbol(), vec(symbol(), 0..3), path(), any::<u32>(), vec(module(), 0..2)).prop_map(
        |(symbol, selected_by, kconfig, line, modules)| Provider {
            symbol,
            selected_by,
            kconfig,
            line,
            modules,
        },
    )
}

fn compiler() -> impl Strategy<Value = Compiler> {
    let c = (flags(), flags(), flags(), flags());
    let assembler = (flags(), flags(), flags());
    ("[a-z0-9/.]?[a-z0-9-]{0,20}", line(), c, assembler).prop_map(
        |(prefix, version, c, assembler)| Compiler {
            prefix: prefix.trim_start_matches('-').replace("..", "."),
            version,
            cppflags: c.0,
            cflags: c.1,
            cflags_module: c.2,
            cflags_built_in: c.3,
            aflags: assembler.0,
            aflags_module: assembler.1,
            aflags_built_in: assembler.2,
        },
    )
}

fn manifest() -> impl Strategy<Value = DriverYaml> {
    let head = (symbol(), name(), name(), name(), proptest::option::of(path()), path());
    let middle = (any::<u32>(), line(), proptest::sample::select(Base::ALL.to_vec()));
    let config = btree_map(symbol(), value(), 0..5);
    let built = (compiler(), vec(module(), 0..3), vec(provider(), 0..2));
    let texts = || vec(line(), 0..3);
    let tail = (texts(), texts(), texts(), paths(), paths(), paths());
    (head, middle, config, built, tail).prop_map(|(head, middle, config, built, tail)| DriverYaml {
        driver: head.0,
        subsystem: head.1,
        arch: head.2,
        kernel: head.3,
        linux_src: head.4.map(|path| format!("/{path}")),
        kconfig: head.5,
        line: middle.0,
        depends_on: middle.1,
        base: middle.2,
        config,
        compiler: built.0,
        modules: built.1,
        providers: built.2,
        licenses: tail.0,
        module_licenses: tail.1,
        firmware: tail.2,
        files: tail.3,
        headers: tail.4,
        generated_headers: tail.5,
    })
}

fn read_back(text: &str) -> Result<DriverYaml, Failure> {
    read(Path::new("driver.yaml"), text).map(|(manifest, _)| manifest)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_equal(manifest in manifest()) {
        let text = manifest.emit();
        let back = read_back(&text).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
        prop_assert_eq!(back, manifest);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*") {
        let _any = read_back(&text);
    }

    #[test]
    fn no_heap_of_yaml_signs_makes_the_reader_panic(text in "[-:?\\[\\]{},&*!|>'\"%@`#a\\n \\t\\\\~]{0,80}") {
        let _any = read_back(&text);
        let _any = read_back(&format!("schema: 1\ndriver: {text}"));
    }

    #[test]
    fn no_damage_makes_the_reader_panic(
        manifest in manifest(), at in any::<prop::sample::Index>(), with in "\\PC{0,3}", cut in 0usize..20,
    ) {
        let text = manifest.emit();
        let mut start = at.index(text.len());
        while !text.is_char_boundary(start) { start -= 1; }
        let mut end = (start + cut).min(text.len());
        while !text.is_char_boundary(end) { end += 1; }
        let damaged = format!("{}{with}{}", &text[..start], &text[end..]);
        // Whatever is still accepted can be written and read again.
        if let Ok(manifest) = read_back(&damaged) {
            prop_assert_eq!(read_back(&manifest.emit()).unwrap(), manifest);
        }
    }
}

fn sample() -> DriverYaml {
    DriverYaml {
        driver: "E1000".into(),
        subsystem: "net".into(),
        arch: "arm64".into(),
        kernel: "6.1.192".into(),
        linux_src: Some("/usr/src/linux".into()),
        kconfig: "drivers/net/ethernet/intel/Kconfig".into(),
        line: 59,
        depends_on: "PCI".into(),
        base: Base::Tiny,
        config: BTreeMap::from([("E1000".into(), "m".into()), ("PCI".into(), "y".into())]),
        compiler: Compiler { cflags: vec!["-Os".into()], ..Compiler::default() },
        modules: vec![Module {
            name: "e1000".into(),
            directory: "drivers/net/ethernet/intel/e1000".into(),
            objects: vec!["e1000_main.o".into()],
            cflags: BTreeMap::from([("e1000_main.o".into(), Flags::default())]),
            conditional_members: vec![],
            ..Module::default()
        }],
        providers: vec![],
        licenses: vec!["GPL-2.0".into()],
        module_licenses: vec!["GPL v2".into()],
        firmware: vec![],
        files: vec!["drivers/net/ethernet/intel/e1000/e1000_main.c".into()],
        headers: vec![],
        generated_headers: vec![],
    }
}

/// The message for the sample with `old` replaced by `new`.
fn refusal(old: &str, new: &str) -> String {
    let text = sample().emit();
    assert_eq!(text.matches(old).count(), 1, "{old:?} in\n{text}");
    match read_back(&text.replace(old, new)) {
        Ok(_) => "accepted".to_owned(),
        Err(failure) => failure.to_string(),
    }
}

/// Compares with the file `extract/<name>`, or writes it if `UPDATE_EXPECTED` is set.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn same_as_file(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/extract").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&file).unwrap(), "{}", file.display());
}

#[test]
fn each_mistake_is_named_with_its_place_and_the_way_out() {
    let mistakes = [
        ("subsystem: net", "subsytem: net"),
        ("schema: 1", "schema: 2"),
        ("schema: 1", "schema: \"1\""),
        ("schema: 1\n", ""),
        ("line: 59", "line: many"),
        ("line: 59", "line: 5000000000"),
        ("line: 59", "line: -1"),
        ("base: tiny", "base: tin"),
        ("base: tiny", "base:\n  - tiny"),
        ("firmware: []", "firmware: x"),
        ("firmware: []", "firmware: [[]]"),
        ("firmware: []", "firmware:"),
        ("\nheaders: []", "\nheaders: [../x]"),
        ("\nheaders: []", "\nheaders: [/etc/x]"),
        ("\nheaders: []", "\nheaders: [a/./b]"),
        ("\nheaders: []", "\nheaders: [\"a\\nb\"]"),
        ("linux_src: \"/usr", "linux_src: \"usr"),
        ("driver: E1000", "driver: \"$(reboot)\""),
        ("  PCI: \"y\"", "  PCI: \"y z\""),
        ("  PCI: \"y\"", "  PCI=y: \"y\""),
        ("- \"-Os\"", "- \"-fplugin=/tmp/x.so\""),
        ("- \"-Os\"", "- \"; reboot\""),
        ("- \"-Os\"", "- -include\n    - ../x.h"),
        ("- \"-Os\"", "- -include"),
        ("directory: drivers", "directory: ../drivers"),
        ("name: e1000", "name: a/b"),
        ("built_in: false", "built_in: no"),
        ("driver: E1000", "driver: &a E1000"),
        ("driver: E1000", "driver: *a"),
        ("driver: E1000", "driver: !!str E1000"),
        ("line: 59", "driver: E100"),
        ("line: 59", "line: 59\n...\n---\na: b"),
        ("line: 59", "? [a]\n: b\nline: 59"),
        ("line: 59", "line: 59\n\tx: y"),
    ];
    let mut text = String::new();
    for (old, new) in mistakes {
        text += &format!("{old:?} -> {new:?}\n{}\n\n", refusal(old, new));
    }
    assert!(!text.contains("\naccepted\n"), "{text}");
    same_as_file("yaml-mistakes.txt", &text);
}

#[test]
fn all_mistakes_are_reported_in_one_go() {
    let text = sample().emit().replace("line: 59", "line: x").replace("net\n", "../net\n");
    let failure = read_back(&text).unwrap_err().to_string();
    assert_eq!(failure.matches("error: ").count(), 2, "{failure}");
}

#[test]
fn a_misspelled_key_brings_the_right_one() {
    let found = refusal("subsystem: net", "subsytem: net");
    assert!(
        found.ends_with("unknown key `subsytem`\n  help: did you mean `subsystem`?"),
        "{found}"
    );
}

#[test]
fn depth_and_heaps_of_keys_are_no_way_to_keep_the_reader_busy() {
    for deep in ["[".repeat(200_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        let failure = read_back(&format!("schema: 1\ndriver: \n  {deep}")).unwrap_err();
        assert!(failure.to_string().contains("error: "), "{failure}");
    }
    let many: String = (0..200_000).map(|key| format!("k{key}: 1\n")).collect();
    assert!(read_back(&many).is_err());
}

#[test]
fn files_that_are_no_manifest_are_told_apart() {
    let message = |text: &str| read_back(text).unwrap_err().to_string();
    assert_eq!(message(""), "driver.yaml:1:1: error: the file is empty");
    assert_eq!(
        message("- a"),
        "driver.yaml:1:1: error: the file must be a mapping, this is a list"
    );
    assert_eq!(message("\0"), "driver.yaml:1:1: error: not YAML: found unprintable character");
}

#[test]
fn the_text_is_exactly_this() {
    same_as_file("sample.yaml", &sample().emit());
}
