//! What is a directive, what is only text, and which branches are taken.

use crate::support::{findings, names, scan};

/// What `main.c` includes of `1.h` to `9.h`.
fn taken(main: &str) -> String {
    let mut tree = vec![("main.c", main)];
    tree.extend(
        (1..=9)
            .map(|n| (["", "1.h", "2.h", "3.h", "4.h", "5.h", "6.h", "7.h", "8.h", "9.h"][n], "")),
    );
    names(&scan(&tree)).iter().map(|name| name.trim_end_matches(".h")).collect()
}

#[test]
fn comments_strings_and_splices_hide_directives() {
    assert_eq!(taken("/* #include \"1.h\"\n#include \"2.h\"\n*/ #include \"3.h\"\n"), "3");
    assert_eq!(taken("// \\\n#include \"1.h\"\n#include \"2.h\"\n"), "2");
    assert_eq!(taken("x = \"/*\";\n#include \"1.h\"\n/* */\n"), "1");
    assert_eq!(taken("c = '\"'; /*\n#include \"1.h\"\n*/\n#include \"2.h\"\n"), "2");
    assert_eq!(taken("x \\\n#include \"1.h\"\n\\\n#include \"2.h\"\n"), "2");
    assert_eq!(taken("x = R\"(\n#include \"1.h\"\n)\";\n#include \"2.h\"\n"), "2");
    assert_eq!(taken("/\\\n* #\n#include \"1.h\"\n*\\\n/\n#include \"2.h\"\n"), "2");
}

#[test]
fn directives_may_be_spelled_over_lines_and_comments() {
    assert_eq!(taken("  # /* x */ inc\\\nlude /* \n\n */ \"1.h\" // end\n"), "1");
    assert_eq!(taken("%:include \"1.h\"\n"), "1");
    assert_eq!(taken("#define A \\\n 1 /* x\n */ + 1\n#if A == 2\n#include \"1.h\"\n#endif"), "1");
    assert_eq!(taken("#include \"1.h\"\r\n#if 1\r\n#include \"2.h\"\r\n#endif\r\n"), "12");
    assert_eq!(taken("#if 1 \\ \n - 1\n#include \"1.h\"\n#endif\n"), "");
}

#[test]
fn apostrophes_in_text_and_in_errors_end_with_their_line() {
    assert_eq!(taken("#if 0\n#error don't /* x\n#endif\n#include \"1.h\"\n"), "1");
    assert_eq!(taken("don't /*\n#include \"1.h\"\n"), "1");
}

#[test]
fn the_first_true_branch_is_taken() {
    let program = "#if 0\n#include \"1.h\"\n#elif 1\n#include \"2.h\"\n#elif 1\n#include \"3.h\"\n\
                   #else\n#include \"4.h\"\n#endif\n#ifdef X\n#include \"5.h\"\n#else\n\
                   #include \"6.h\"\n#endif\n";
    assert_eq!(taken(program), "26");
    assert_eq!(
        taken("#ifndef X\n#ifdef Y\n#if (\n#endif\n#elif 1/0\n#endif\n#include \"1.h\"\n#endif"),
        "1"
    );
    assert_eq!(
        taken(
            "#define X\n#ifdef Y\n#elifdef X\n#include \"1.h\"\n#elifndef X\n#include \"2.h\"\n#endif\n"
        ),
        "1"
    );
}

#[test]
fn branches_that_are_not_taken_are_not_understood() {
    let scan =
        scan(&[("main.c", "#if 0\n#if (((\n#elif )\n#bogus\n#include none\n#endif\n#endif\n")]);
    assert_eq!(findings(&scan), Vec::<String>::new());
}

#[test]
fn groups_that_are_wrong_are_said_so_and_the_rest_goes_on() {
    let scan = scan(&[
        (
            "main.c",
            "#endif\n#else\n#if 1\n#else\n#else\n#include \"1.h\"\n#endif\n#ifdef\n#include \"1.h\"\n#endif\n#if\n#endif\n#if 1\n",
        ),
        ("1.h", ""),
    ]);
    assert_eq!(
        findings(&scan),
        [
            "/t/main.c:1:1: error: #endif without #if",
            "/t/main.c:2:1: error: this belongs to no #if",
            "/t/main.c:5:1: error: this stands behind #else",
            "/t/main.c:11:1: error: there is no expression behind the directive",
            "/t/main.c:13:1: error: a conditional group does not end",
        ]
    );
    assert_eq!(names(&scan), Vec::<String>::new());
}

#[test]
fn an_error_directive_is_recorded_and_does_not_end_the_scan() {
    let scan = scan(&[("main.c", "#error \"no\" /* x */ good\n#include \"1.h\"\n"), ("1.h", "")]);
    assert_eq!(findings(&scan), ["/t/main.c:1:1: error: #error \"no\"   good"]);
    assert_eq!(names(&scan), ["1.h"]);
}

#[test]
fn groups_do_not_reach_over_the_end_of_their_file() {
    let tree = [
        ("main.c", "#if 1\n#include \"1.h\"\n#else\n#include \"2.h\"\n#endif\n"),
        ("1.h", "#endif\n#if 0\n"),
        ("2.h", ""),
    ];
    assert_eq!(names(&scan(&tree)), ["1.h"]);
}

#[test]
fn a_guarded_file_is_not_read_again_but_one_that_only_looks_guarded_is() {
    let count = |header: &str| {
        let main = "#include \"1.h\"\n#include \"1.h\"\n";
        // `next` is read a number of times that shows in N.
        let next =
            "#if N == 2\n#include \"3.h\"\n#elif N == 1\n#define N 2\n#else\n#define N 1\n#endif\n";
        let main = format!("{main}{next}");
        names(&scan(&[("main.c", &main), ("1.h", header), ("2.h", next), ("3.h", "")]))
    };
    let guarded = ["1.h", "2.h"];
    assert_eq!(count("/* c */\n#ifndef G\n#define G\n#include \"2.h\"\n#endif // G\n"), guarded);
    assert_eq!(count("#if !defined(G)\n#define G\n#include \"2.h\"\n#endif\n"), guarded);
    assert_eq!(count("#if ! defined G\n#define G\n#include \"2.h\"\n#endif\n"), guarded);
    assert_eq!(count("#pragma once\n#include \"2.h\"\n"), guarded);
    let again = ["1.h", "2.h", "3.h"];
    assert_eq!(count("#ifndef G\n#define G\n#endif\n#include \"2.h\"\n"), again);
    assert_eq!(count("#ifndef G\n#define G\n#else\n#endif\n#include \"2.h\"\n"), again);
    assert_eq!(count("#ifndef G\n#else\n#endif\n#include \"2.h\"\n"), again);
    assert_eq!(count("#ifndef G\n#define G\n#else\n#undef G\n#endif\n#include \"2.h\"\n"), again);
    assert_eq!(count("#if !definedG\n#include \"2.h\"\n#endif\n"), again);
}

#[test]
fn once_is_for_a_content_whatever_its_name_and_import_for_a_file() {
    let same = "#pragma once\n#include \"3.h\"\n";
    let tree = [
        ("main.c", "#include \"1.h\"\n#undef G\n#include \"2.h\"\n"),
        ("1.h", same),
        ("2.h", same),
        ("3.h", "#ifdef G\n#include \"4.h\"\n#endif\n#define G\n"),
        ("4.h", ""),
    ];
    assert_eq!(names(&scan(&tree)), ["1.h", "3.h", "2.h"]);
    assert_eq!(taken("#import \"1.h\"\n#import \"1.h\"\n"), "1");
    let import = |second: &str| {
        let main = format!("#import \"1.h\"\n{second} \"1.h\"\n");
        let header = "#ifdef AGAIN\n#include \"2.h\"\n#endif\n#define AGAIN\n";
        names(&scan(&[("main.c", &main), ("1.h", header), ("2.h", "")]))
    };
    assert_eq!((import("#import"), import("#include")), (vec!["1.h".into()], vec!["1.h".into()]));
}

#[test]
fn macros_are_pushed_and_popped_by_pragma() {
    let program = "#define X 1\n#pragma push_macro(\"X\")\n#undef X\n#define X 2\n\
                   #pragma pop_macro(\"X\")\n#if X == 1\n#include \"1.h\"\n#endif\n";
    assert_eq!(taken(program), "1");
}
