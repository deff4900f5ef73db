//! Random programs against the gcc of this machine.
//!
//! Expansion shows in the name of a header that is not there; branches show in which headers are
//! included. A test passes without a word where `cc` is not gcc.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::{findings, scan};
use l4re_cpp::{Options, Preprocessor, RealFiles};
use l4re_programs::Program;
use proptest::prelude::*;

fn is_gcc() -> bool {
    let version = Program::declared("cc").command().arg("--version").output();
    version.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).contains("Free Software Foundation")
    })
}

#[expect(clippy::unwrap_used, reason = "it has run before")]
fn gcc(folder: &Path, args: &[&str]) -> Output {
    Program::declared("cc")
        .command()
        .args(["-std=gnu11", "-nostdinc", "-undef"])
        .args(args)
        .env("LC_ALL", "C")
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Tokens of a macro's text or of its use.
fn tokens(parameters: bool) -> impl Strategy<Value = String> {
    let mut words = vec!["A", "B", "F", "G", "V", "(", ")", ",", " ", "1", "+", "w", "F(", "V("];
    if parameters {
        words.extend(["x", "y", "x##y", "w ## x", "#x", "__VA_ARGS__"]);
    }
    prop::collection::vec(prop::sample::select(words), 0..9).prop_map(|words| words.concat())
}

/// The same text with parentheses that belong together.
fn balanced(text: &str) -> String {
    let mut depth = 0;
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => continue,
            ')' => depth -= 1,
            _ => {}
        }
        out.push(c);
    }
    out + &")".repeat(depth)
}

fn definitions() -> impl Strategy<Value = String> {
    (tokens(false), tokens(false), tokens(true), tokens(true), tokens(true)).prop_map(
        |(a, b, f, g, v)| {
            format!(
                "#define A {a}\n#define B {b}\n#define F(x) {}\n#define G(x, y) {}\n\
                 #define V(x, ...) {}\n",
                f.replace('y', "x").replace("__VA_ARGS__", "x"),
                g.replace("__VA_ARGS__", "y"),
                v.replace('y', "__VA_ARGS__"),
            )
        },
    )
}

/// Operands and operators of a condition, usually one that has a value.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "0",
        "1",
        "2",
        "-1",
        "3u",
        "A",
        "B",
        "F(1)",
        "defined A",
        "defined(Q)",
        "'a'",
        "!0",
        "~1",
        "0x7fffffffffffffff",
        "Q",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "&", "^", "|",
            "&&", "||",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            inner.prop_map(|a| format!("({a})")),
        ]
    })
}

/// Lines of a file, most of which belong to groups.
fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        expression().prop_map(|e| format!("#if {e}\n")),
        expression().prop_map(|e| format!("#elif {e}\n")),
        prop::sample::select(vec![
            "#ifdef A\n",
            "#ifndef B\n",
            "#else\n",
            "#endif\n",
            "#endif\n",
            "#endif\n",
            "#undef A\n",
            "#define A 1\n",
            "#define B (A)\n",
            "#define B 2\n",
            "#define F(x) (x + A)\n",
            "/*\n",
            "*/\n",
            "\"/*\n",
            "text \\\n",
            "#include \"0.h\"\n",
            "#include \"1.h\"\n",
            "#include \"2.h\"\n",
            "#include N\n",
            "#define N \"3.h\"\n",
            "#include_next \"1.h\"\n",
            "#include <2.h>\n",
            "#pragma once\n",
            "//\\\n",
            "# /* */ if 1 /*\n*/\n",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(line, 0..14).prop_map(|lines| lines.concat())
}

/// The files that gcc enters, from its line markers.
fn entered(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut files: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("# ")) {
        let mut parts = line.split('"');
        let (Some(_), Some(name), Some(flags)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let name = name.trim_start_matches("./").to_owned();
        if flags.split_whitespace().any(|flag| flag == "1") && !files.contains(&name) {
            files.push(name);
        }
    }
    files.retain(|name| !name.starts_with('<') && !name.starts_with("/usr"));
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn macros_expand_as_gcc_expands_them(definitions in definitions(), text in tokens(false)) {
        if !is_gcc() {
            return Ok(());
        }
        let text = balanced(&text);
        let program = format!(
            "{definitions}#define STRING_(...) #__VA_ARGS__\n\
             #define STRING(...) STRING_(_ __VA_ARGS__)\n#include STRING({text})\n"
        );
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("main.c"), &program).unwrap();
        let said = gcc(folder.path(), &["-E", "main.c"]).stderr;
        let said = String::from_utf8_lossy(&said);
        let ours = scan(&[("main.c", &program)]);
        // A definition that gcc refuses at once is refused here when it is used.
        prop_assume!(!said.contains("'#' is not followed") && !said.contains("'##' cannot appear"));
        prop_assume!(!said.contains("missing whitespace after") && !said.contains("__VA_OPT__"));
        let errors: Vec<&str> = said.lines().filter(|line| line.contains("error:")).collect();
        match errors.as_slice() {
            [only] if only.contains("fatal error:") => {
                let name = only.split("fatal error: ").nth(1).unwrap_or_default();
                let name = name.split(": No such file").next().unwrap_or_default();
                prop_assert_eq!(findings(&ours), Vec::<String>::new(), "{}", program);
                let missing: Vec<&str> = ours.missing.iter().map(|missing| missing.name()).collect();
                // White space that stems from what expands to nothing is not compared.
                let compact = |text: &str| text.replace(' ', "");
                prop_assert_eq!(compact(&missing.concat()), compact(name), "{}", program);
            }
            _ => prop_assert!(!findings(&ours).is_empty(), "{}{}", program, said),
        }
    }

    #[test]
    fn files_are_included_as_gcc_includes_them(
        texts in prop::collection::vec(lines(), 4),
        main in lines(),
    ) {
        if !is_gcc() {
            return Ok(());
        }
        let folder = tempfile::tempdir().unwrap();
        let guard = |n: usize, text: &str| {
            // Every file ends sometime, whatever it includes.
            format!("#ifndef G{n}\n#define G{n}\n{text}\n#endif\n")
        };
        for (n, text) in texts.iter().enumerate() {
            fs::write(folder.path().join(format!("{n}.h")), guard(n, text)).unwrap();
        }
        fs::create_dir(folder.path().join("next")).unwrap();
        for n in 0..4 {
            fs::write(folder.path().join(format!("next/{n}.h")), "#define A 7\n").unwrap();
        }
        let main = format!("#define N \"0.h\"\n{main}");
        fs::write(folder.path().join("main.c"), &main).unwrap();
        let output = gcc(folder.path(), &["-E", "-Inext", "main.c"]);
        let said = String::from_utf8_lossy(&output.stderr);
        let args = ["-Inext"];
        let (mut options, _) = Options::from_args(&args);
        options.directory = folder.path().into();
        let ours = Preprocessor::new(RealFiles).scan(Path::new("main.c"), &options).unwrap();
        // gcc ends at a header that is not there.
        prop_assume!(!said.contains("fatal error") && ours.missing.is_empty());
        let names: Vec<String> = ours
            .paths()
            .skip(1)
            .map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string())
            .collect();
        prop_assert_eq!(names, entered(&output), "{}\n{:#?}\n{}", main, texts, said);
    }
}
