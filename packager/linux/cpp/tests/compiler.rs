//! What this machine's compiler says about itself, kept and asked again.

use std::fs;
use std::path::Path;

use l4re_cpp::{Compiler, Language};

fn flags(list: &[&str]) -> Vec<String> {
    list.iter().map(|&flag| flag.to_owned()).collect()
}

#[test]
fn an_answer_is_kept_by_what_it_depends_on_and_a_damaged_one_is_asked_again() {
    let cache = tempfile::tempdir().expect("a folder");
    let probe = |args: &[&str]| {
        let args = flags(args);
        Compiler::probe(Path::new("cc"), &args, Language::C, Some(cache.path())).expect("cc")
    };
    let kept = || fs::read_dir(cache.path()).expect("the cache").count();
    let plain = probe(&["-nostdinc", "-O0"]);
    assert_eq!(kept(), 1);
    // Neither of these is for the preprocessor.
    assert_eq!(probe(&["-nostdinc", "-Wall", "-O0", "-c", "x.c", "-o", "x.o"]), plain);
    assert_eq!(kept(), 1);
    let optimised = probe(&["-nostdinc", "-O2"]);
    assert_eq!(kept(), 2);
    assert!(!plain.predefined.contains("__OPTIMIZE__ 1"));
    assert!(optimised.predefined.contains("#define __OPTIMIZE__ 1\n"));
    for entry in fs::read_dir(cache.path()).expect("the cache") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("text");
        fs::write(&path, text.replace("__STDC__ 1", "__STDC__ 2")).expect("it");
    }
    assert_eq!(probe(&["-nostdinc", "-O2"]), optimised);
}

#[test]
fn the_language_and_the_compiler_s_own_folders_are_told_apart() {
    let probe = |args: &[&str], language| {
        Compiler::probe(Path::new("cc"), &flags(args), language, None).expect("cc")
    };
    assert!(
        probe(&["-nostdinc"], Language::Assembler).predefined.contains("#define __ASSEMBLER__ 1\n")
    );
    assert_eq!(probe(&["-nostdinc"], Language::C).search, Vec::<std::path::PathBuf>::new());
    assert!(!probe(&[], Language::C).search.is_empty());
}

#[test]
fn a_compiler_that_is_not_there_or_refuses_is_said_so() {
    let probe = |cc: &str, args: &[&str]| {
        let result = Compiler::probe(Path::new(cc), &flags(args), Language::C, None);
        result.expect_err("no compiler").to_string()
    };
    let missing = probe("/none/cc", &[]);
    assert!(missing.starts_with("/none/cc: error: cannot run the compiler:"), "{missing}");
    assert!(missing.contains(
        "\n  help: install it with `apt-get install gcc`, or name another one with CROSS_COMPILE"
    ));
    let refused = probe("cc", &["-mno-such-thing"]);
    assert!(
        refused.starts_with("cc: error: the compiler does not say what it predefines:"),
        "{refused}"
    );
}

#[test]
fn there_are_tables_for_when_there_is_no_compiler() {
    for (arch, own) in [("arm64", "__aarch64__"), ("arm", "__arm__"), ("x86", "__x86_64__")] {
        let compiler = Compiler::builtin(arch).expect("a table");
        assert!(compiler.predefined.contains(&format!("#define {own} 1\n")), "{arch}");
        assert!(compiler.predefined.contains("#define __SIZEOF_WCHAR_T__ 2\n"), "{arch}");
    }
    assert_eq!(Compiler::builtin("vax"), None);
}
