//! Files that were not written to be read: each is scanned to an end, without a panic.

use crate::support::{findings, names, scan};
use proptest::prelude::*;

/// What is said about files whose scan would not end in years but for the limits on its steps.
fn limited(files: &[(&str, &str)]) -> Vec<String> {
    findings(&scan(files))
}

#[test]
fn a_file_that_includes_itself_ends_at_the_depth_of_gcc() {
    let scan = scan(&[("main.c", "#include \"x.h\"\n"), ("x.h", "#include \"x.h\"\n")]);
    assert_eq!(names(&scan), ["x.h"]);
    assert_eq!(findings(&scan), ["/t/x.h:1:1: error: files include each other more than 200 deep"]);
}

#[test]
fn a_tree_of_includes_that_doubles_at_each_level_ends() {
    let found = limited(&[("main.c", "#include \"main.c\"\n#include \"main.c\"\n")]);
    assert!(
        found.iter().any(|one| one.contains("more to do than a C file can ask for")),
        "{found:?}"
    );
}

#[test]
fn macros_that_double_at_each_level_end() {
    let mut program = "#define M0 1 +\n".to_owned();
    for n in 1..64 {
        program.push_str(&format!("#define M{n} M{m} M{m}\n", m = n - 1));
    }
    program.push_str("#if M63 1\n#endif\n");
    assert!(!limited(&[("main.c", &program)]).is_empty());
    let nested =
        format!("#define F(x) x x\n#if {}1{}\n#endif\n", "F(".repeat(100), ")".repeat(100));
    assert!(!limited(&[("main.c", &nested)]).is_empty());
}

#[test]
fn names_that_double_at_each_level_end() {
    let mut program = "#define C(a) C_(a, a)\n#define C_(a, b) a##b\n#define M0 x\n".to_owned();
    for n in 1..64 {
        program.push_str(&format!("#define M{n} C(M{})\n", n - 1));
    }
    program.push_str("#if M63\n#endif\n");
    let found = limited(&[("main.c", &program)]);
    assert!(found.iter().any(|one| one.contains("too long a name")), "{found:?}");
}

#[test]
fn arguments_nested_without_end_do_not_use_up_the_stack() {
    let deep = 100_000;
    let program =
        format!("#define F(x) x\n#if {}1{}\n#endif\n", "F(".repeat(deep), ")".repeat(deep));
    assert!(!limited(&[("main.c", &program)]).is_empty());
}

#[test]
fn a_chain_of_macros_is_no_nesting() {
    let mut program = String::new();
    for n in 0..50_000 {
        program.push_str(&format!("#define M{n} M{}\n", n + 1));
    }
    program.push_str("#if M0\n#endif\n");
    assert_eq!(limited(&[("main.c", &program)]), Vec::<String>::new());
}

#[test]
fn groups_nested_without_end_are_only_unfinished() {
    let found = limited(&[("main.c", &"#if 1\n".repeat(100_000))]);
    assert!(found.iter().all(|one| one.contains("does not end")), "{found:?}");
}

fn fragments() -> impl Strategy<Value = String> {
    let words = vec![
        "#",
        "define ",
        "undef ",
        "if ",
        "ifdef ",
        "elif ",
        "else",
        "endif",
        "include ",
        "include_next ",
        "pragma ",
        "once",
        "push_macro(\"A\")",
        "pop_macro(\"A\")",
        "A",
        "B(",
        ")",
        "(",
        ",",
        "##",
        "...",
        "__VA_ARGS__",
        "__VA_OPT__",
        "defined",
        "__has_include",
        "__FILE__",
        "__LINE__",
        "<",
        ">",
        "\"",
        "'",
        "\\",
        "/*",
        "*/",
        "//",
        "\n",
        "\n",
        "\n#",
        " ",
        "1",
        "0x",
        "'a",
        "R\"(",
        "\"main.c\"",
        "<x.h>",
        "?",
        ":",
        "%:",
        "\0",
        "é",
        "-",
        "<<",
        "/",
    ];
    prop::collection::vec(prop::sample::select(words), 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_scanned(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut files = l4re_cpp::MemoryFiles::default();
        files.insert("/t/main.c", bytes);
        let mut preprocessor = l4re_cpp::Preprocessor::new(&files);
        let scan = preprocessor.scan("/t/main.c".as_ref(), &l4re_cpp::Options::default()).unwrap();
        prop_assert_eq!(scan.files.len(), 1);
    }

    #[test]
    fn any_pieces_of_directives_are_scanned(main in fragments(), header in fragments()) {
        let scan = scan(&[("main.c", &main), ("a/x.h", &header), ("b/x.h", &main)]);
        prop_assert!(scan.files.len() <= 3);
        for file in scan.files.iter().skip(1) {
            let by = file.origin.as_ref().map(|origin| origin.file);
            prop_assert!(by.is_some_and(|by| by < scan.files.len()));
        }
    }
}
