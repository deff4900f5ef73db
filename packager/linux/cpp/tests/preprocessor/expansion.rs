//! Macro expansion, seen through the name of a header that is not there.

use crate::support::{findings, scan};

/// The expansion of `text`, with a blank where there is white space.
fn expand(definitions: &str, text: &str) -> String {
    let main = format!(
        "{definitions}\n#define S_(...) #__VA_ARGS__\n#define S(...) S_(__VA_ARGS__)\n#include S({text})\n"
    );
    let scan = scan(&[("main.c", &main)]);
    assert_eq!(findings(&scan), Vec::<String>::new(), "{main}");
    scan.missing[0].name().to_owned()
}

#[test]
fn objects_and_functions_expand() {
    assert_eq!(expand("#define A 1 + B\n#define B 2", "A B C"), "1 + 2 2 C");
    assert_eq!(expand("#define F(x, y) y - x", "F(1, 2) F (3,4) F"), "2 - 1 4 - 3 F");
    assert_eq!(expand("#define F() x", "F() F( )"), "x x");
    assert_eq!(expand("#define F(x) [x]", "F() F((1,2)) F(F(1))"), "[] [(1,2)] [[1]]");
}

#[test]
fn a_macro_does_not_expand_inside_itself() {
    assert_eq!(expand("#define A A B\n#define B A", "A"), "A A");
    assert_eq!(expand("#define f(x) x f", "f(1)(2)"), "1 f(2)");
    assert_eq!(expand("#define f(a) a*g\n#define g(a) f(a)", "f(2)(9)"), "2*9*g");
    assert_eq!(expand("#define z z[0]\n#define f(x) f(x * (2+z))", "f(z)"), "f(z[0] * (2+z[0]))");
}

#[test]
fn the_standard_s_examples_come_out() {
    let definitions = "#define x 3\n#define f(a) f(x * (a))\n#undef x\n#define x 2\n#define g f\n\
                       #define z z[0]\n#define h g(~\n#define m(a) a(w)\n#define w 0,1\n\
                       #define t(a) a\n#define p() int\n#define q(x) x\n#define r(x,y) x ## y\n\
                       #define str(x) # x";
    assert_eq!(
        expand(definitions, "f(y+1) + f(f(z)) % t(t(g)(0) + t)(1);"),
        "f(2 * (y+1)) + f(2 * (f(2 * (z[0])))) % f(2 * (0)) + t(1);"
    );
    assert_eq!(
        expand(definitions, "g(x+(3,4)-w) & m(f)^m(m);"),
        "f(2 * (2+(3,4)-0,1)) & f(2 * (0,1))^m(0,1);"
    );
    assert_eq!(
        expand(definitions, "p() i[q()] = { q(1), r(2,3), r(4,), r(,5), r(,) };"),
        "int i[] = { 1, 23, 4, 5, };"
    );
    let hash = "#define hash_hash # ## #\n#define mkstr(a) # a\n#define in_between(a) mkstr(a)\n#define join(c, d) in_between(c hash_hash d)";
    assert_eq!(expand(hash, "join(x, y)"), r#"\"x ## y\""#);
}

#[test]
fn pasting_makes_one_token_of_two() {
    assert_eq!(
        expand("#define C(a,b) a##b\n#define AB yes", "C(A,B) C(,B) C(A,) C(1,x) C(<,<)"),
        "yes B A 1x <<"
    );
    assert_eq!(expand("#define C(a,b) a##b\n#define X 1", "C(X,X)"), "XX");
    assert_eq!(expand("#define A 1 ## 2 ## 3", "A"), "123");
}

#[test]
fn strings_keep_spaces_and_escape_quotes() {
    assert_eq!(
        expand("#define S1(x) #x", r#"S1(  a   b "c\n" '"' )"#),
        r#"\"a b \\\"c\\\\n\\\" '\\\"'\""#
    );
    assert_eq!(expand("#define S1(x) #x\n#define A B", "S1(A)"), r#"\"A\""#);
}

#[test]
fn the_rest_of_an_argument_list_can_be_empty_or_missing() {
    assert_eq!(
        expand("#define P(f, ...) p(f, ## __VA_ARGS__)", "P(1) P(1,) P(1,2,3)"),
        "p(1) p(1,) p(1,2,3)"
    );
    assert_eq!(expand("#define P(f, r...) p(f, ## r)", "P(1) P(1,2,3)"), "p(1) p(1,2,3)");
    assert_eq!(expand("#define P(...) p(__VA_ARGS__)", "P() P(1) P(1,2)"), "p() p(1) p(1,2)");
    assert_eq!(
        expand("#define P(f, ...) p(f __VA_OPT__(,) __VA_ARGS__)", "P(1) P(1,2)"),
        "p(1 ) p(1 , 2)"
    );
}

#[test]
fn linux_enabled_options_are_counted() {
    let kconfig = "#define __ARG_PLACEHOLDER_1 0,\n#define __take_second_arg(__ignored, val, ...) val\n\
        #define ____is_defined(arg1_or_junk) __take_second_arg(arg1_or_junk 1, 0)\n\
        #define ___is_defined(val) ____is_defined(__ARG_PLACEHOLDER_##val)\n\
        #define __is_defined(x) ___is_defined(x)\n#define CONFIG_A 1\n#define CONFIG_B_MODULE 1";
    assert_eq!(
        expand(
            kconfig,
            "__is_defined(CONFIG_A) __is_defined(CONFIG_B) __is_defined(CONFIG_B_MODULE)"
        ),
        "1 0 1"
    );
}

#[test]
fn trace_headers_name_themselves_by_macros() {
    let define_trace = "#ifdef CREATE\n#undef CREATE\n#define STR_(x) #x\n#define STR(x) STR_(x)\n\
        #ifdef TRACE_INCLUDE_PATH\n#define TRACE_(s) STR(TRACE_INCLUDE_PATH/s.h)\n#else\n\
        #define TRACE_(s) <trace/events/s.h>\n#endif\n#define TRACE(s) TRACE_(s)\n\
        #define MULTI\n#include TRACE(TRACE_INCLUDE_FILE)\n#endif\n";
    let own = "#if !defined(G) || defined(MULTI)\n#define G\n#endif\n#undef TRACE_INCLUDE_PATH\n\
        #define TRACE_INCLUDE_PATH ../../t/drv\n#define TRACE_INCLUDE_FILE own\n#include <define.h>\n";
    let common = "#define TRACE_INCLUDE_FILE common\n#include <define.h>\n";
    let tree = |header| {
        [
            ("main.c", "#define CREATE\n#include HEADER\n"),
            ("drv/own.h", own),
            ("a/define.h", define_trace),
            ("a/trace/events/common.h", common),
            ("h", header),
        ]
    };
    for (header, expected) in [
        ("\"drv/own.h\"", vec!["drv/own.h", "a/define.h", "a/../../t/drv/own.h"]),
        ("<trace/events/common.h>", vec!["a/trace/events/common.h", "a/define.h"]),
    ] {
        let main = format!("#define HEADER {header}\n#define CREATE\n#include HEADER\n");
        let mut files = tree("").to_vec();
        files[0].1 = &main;
        assert_eq!(crate::support::names(&scan(&files)), expected);
    }
}

#[test]
fn calls_that_do_not_fit_are_said_so() {
    for (text, reason) in [
        ("#if F(1)\n#endif", "the number of arguments does not fit the macro, at `F`"),
        ("#if F(1,2,3)\n#endif", "the number of arguments does not fit the macro, at `F`"),
        ("#if F(1,2\n#endif", "the argument list of a macro does not end, at `F`"),
    ] {
        let scan = scan(&[("main.c", &format!("#define F(a,b) a\n{text}\n"))]);
        assert_eq!(
            findings(&scan).first(),
            Some(&format!("/t/main.c:2:1: error: {reason}")),
            "{text}"
        );
    }
}

#[test]
fn a_macro_that_cannot_be_read_is_said_so_where_it_is_used() {
    let scan = scan(&[(
        "main.c",
        "#define A ## x\n#define B(a,a) a\n#define defined 1\n#define 1\n#if A\n#endif\n#if B\n#endif\n",
    )]);
    assert_eq!(
        findings(&scan),
        [
            "/t/main.c:3:1: error: `defined` cannot be a macro",
            "/t/main.c:4:1: error: this is no preprocessor directive",
            "/t/main.c:5:1: error: a macro cannot be used: `##` stands at an edge of its text",
            "/t/main.c:7:1: error: a macro cannot be used: a parameter stands twice",
        ]
    );
}
