//! The expressions of `#if`.

use std::sync::Arc;

use crate::support::{findings, names, scan, scan_with};
use l4re_cpp::{Compiler, Options};

/// The value of a condition, and what is said about it.
fn condition(expression: &str) -> (bool, Vec<String>) {
    let main = format!("#if {expression}\n#include \"yes.h\"\n#endif\n");
    let scan = scan(&[("main.c", &main), ("yes.h", "")]);
    (!names(&scan).is_empty(), findings(&scan))
}

#[test]
fn integers_have_c_s_values_and_signs() {
    for expression in [
        "1",
        "0x10 == 16",
        "010 == 8",
        "0b11 == 3",
        "-1 < 0",
        "-1 > 0u",
        "~0u == -1",
        "1ull == 1L",
        "0xffffffffffffffff == -1",
        "18446744073709551615 > 0",
        "-1 >> 1 == -1",
        "-1u >> 63 == 1",
        "1 << -1 == 0",
        "1 << 63 < 0",
        "1 << 64 == 0",
        "-7 / 2 == -3",
        "-7 % 2 == -1",
        "2 + 3 * 4 == 14",
        "(2 + 3) * 4 == 20",
        "10 - 4 - 3 == 3",
        "1 ? 0 ? 0 : 1 : 0",
        "(1 ? -1 : 0u) > 0",
        "1 || 1/0",
        "!(0 && 1/0)",
        "1 ? 1 : 1/0",
        "(6 & 3) == 2",
        "(6 & 3 == 3) == 0",
        "(6 ^ 3) == 5",
        "1 | 2 ^ 2",
        "!0 == 1",
        "!!7 == 1",
        "- - 1 == 1",
        "1, 0, 2",
        "-9223372036854775807 - 1 == (-9223372036854775807 - 1) / -1",
        "name == 0",
        "true == 0",
    ] {
        assert_eq!(condition(expression), (true, vec![]), "{expression}");
    }
}

#[test]
fn characters_are_numbers() {
    for expression in [
        "'a' == 97",
        r"'\n' == 10",
        r"'\0' == 0",
        r"'\x41' == 'A'",
        r"'\101' == 'A'",
        r"'\'' == 39",
        "'ab' == 24930",
        r"L'\xff' == 255",
        r"'\xff' < 0",
        r"u8'a' == 97",
        r"'\e' == 27",
    ] {
        assert_eq!(condition(expression), (true, vec![]), "{expression}");
    }
}

#[test]
fn what_is_no_expression_is_false_with_its_place() {
    for (expression, reason) in [
        ("1 +", "an operand is missing at the end"),
        ("(1", "`)` is missing"),
        ("1)", "the expression goes on without an operator, at `)`"),
        ("1 2", "the expression goes on without an operator, at `2`"),
        ("1 ? 2", "`?` without `:`"),
        ("1.0", "a number that is no integer, at `1.0`"),
        ("1x", "a number that is no integer, at `1x`"),
        ("0x", "a number has no digits, at `0x`"),
        ("\"s\"", "a string is no number, at `\"s\"`"),
        ("''", "an empty character constant, at `''`"),
        ("= 1", "an operand is missing, at `=`"),
        ("defined", "`defined` stands without a name, at `defined`"),
        ("defined(X", "`)` is missing behind `defined`, at `defined`"),
        ("UNKNOWN(1)", "the expression goes on without an operator, at `(`"),
    ] {
        let expected = format!("/t/main.c:1:1: error: {reason}");
        assert_eq!(condition(expression), (false, vec![expected]), "{expression}");
    }
}

#[test]
fn a_division_by_zero_is_said_and_gives_the_dividend_as_for_gcc() {
    let finding = vec!["/t/main.c:1:1: error: division by zero".to_owned()];
    assert_eq!(condition("1/0"), (true, finding.clone()));
    assert_eq!(condition("0%0"), (false, finding));
}

#[test]
fn defined_works_where_macros_put_it() {
    let tree = |condition| {
        format!(
            "#define D defined(X)\n#define X X\n#define F(x) x\n#if {condition}\n#include \"yes.h\"\n#endif\n"
        )
    };
    for (condition, value) in [
        ("D", true),
        ("defined X && !defined Y", true),
        ("F(1) && defined F", true),
        ("F(D)", true),
    ] {
        let main = tree(condition);
        let scan = scan(&[("main.c", &main), ("yes.h", "")]);
        assert_eq!((!names(&scan).is_empty(), findings(&scan)), (value, vec![]), "{condition}");
    }
}

#[test]
fn nesting_has_a_limit_and_no_stack_is_lost() {
    let deep = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(condition(&deep(200)), (true, vec![]));
    let (value, findings) = condition(&deep(100_000));
    assert_eq!((value, findings.len()), (false, 1));
    assert!(findings[0].contains("nested too deeply"), "{findings:?}");
    assert!(condition(&format!("{}1", "!".repeat(100_001))).1.is_empty());
    assert!(!condition(&format!("{}1{}", "1?".repeat(100_000), ":1".repeat(100_000))).0);
    assert_eq!(condition(&format!("1{}", "+1".repeat(100_000))), (true, vec![]));
}

#[test]
fn has_include_searches_as_an_include_would() {
    let program = "#define H <x.h>\n#if __has_include(<x.h>) && __has_include(H) && \
                   !__has_include(\"none.h\") && defined __has_include\n#include \"yes.h\"\n#endif\n";
    let scan = scan(&[("main.c", program), ("a/x.h", ""), ("yes.h", "")]);
    // To be asked about is not to be included.
    assert_eq!((names(&scan), findings(&scan)), (vec!["yes.h".to_owned()], vec![]));
    assert!(scan.missing.is_empty());
}

#[test]
fn attributes_are_the_compiler_s_with_or_without_underscores() {
    let program = "#if __has_attribute(__packed__) && __has_attribute(packed) && \
                   !__has_attribute(bogus) && !defined(__has_feature) && __aarch64__\n\
                   #include \"yes.h\"\n#endif\n";
    let compiler = Arc::new(Compiler::builtin("arm64").unwrap());
    let options = Options { compiler, ..Options::default() };
    let scan = scan_with(&[("main.c", program), ("yes.h", "")], &options);
    assert_eq!((names(&scan), findings(&scan)), (vec!["yes.h".to_owned()], vec![]));
}

#[test]
fn lines_and_files_have_their_names() {
    let program = "#if __LINE__ == 1 && __INCLUDE_LEVEL__ == 0 && __COUNTER__ == 0\n#if __COUNTER__ == 1\n#include \"x.h\"\n#endif\n#endif\n";
    let header = "#if __INCLUDE_LEVEL__ == 1\n#include __FILE__\n#endif\n";
    let compiler = Arc::new(Compiler::default());
    let options = Options { compiler, ..Options::default() };
    let scan = scan_with(&[("main.c", program), ("x.h", header)], &options);
    assert_eq!((names(&scan), findings(&scan)), (vec!["x.h".to_owned()], vec![]));
}
