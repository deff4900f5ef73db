//! Which file an include directive finds.

use std::fs;
use std::path::Path;

use crate::support::{findings, names, scan, scan_with};
use l4re_cpp::{Define, Language, Layers, MemoryFiles, Options, Preprocessor, RealFiles};

#[test]
fn quotes_look_beside_the_includer_first_and_angles_do_not() {
    let tree = [
        ("main.c", "#include \"x.h\"\n#include <x.h>\n#include \"a/sub.h\"\n"),
        ("x.h", ""),
        ("a/x.h", ""),
        ("a/sub.h", "#include \"y.h\"\n"),
        ("a/y.h", ""),
        ("b/y.h", ""),
    ];
    assert_eq!(names(&scan(&tree)), ["x.h", "a/x.h", "a/sub.h", "a/y.h"]);
}

#[test]
fn include_next_goes_on_behind_the_folder_that_the_file_was_found_in() {
    let tree = [
        ("main.c", "#include <x.h>\n"),
        ("a/x.h", "#include_next <x.h>\n"),
        ("b/x.h", "#include_next <x.h>\n"),
    ];
    let scan = scan(&tree);
    assert_eq!(names(&scan), ["a/x.h", "b/x.h"]);
    assert_eq!(scan.missing.len(), 1);
    assert_eq!(scan.missing[0].by.as_ref(), Path::new("/t/b/x.h"));
    assert_eq!(scan.missing[0].origin.line, 1);
    assert_eq!(scan.missing[0].origin.spelling, "<x.h>");
    assert_eq!(scan.missing[0].name(), "x.h");
}

#[test]
fn a_file_found_beside_its_includer_continues_at_the_start_of_the_path() {
    let tree = [("main.c", "#include \"x.h\"\n"), ("x.h", "#include_next <x.h>\n"), ("a/x.h", "")];
    assert_eq!(names(&scan(&tree)), ["x.h", "a/x.h"]);
}

#[test]
fn a_system_folder_is_searched_last_even_if_it_is_also_given_before() {
    let tree = [("main.c", "#include <x.h>\n"), ("a/x.h", ""), ("b/x.h", "")];
    let options = Options {
        include: vec!["/t/a".into(), "/t/b".into()],
        system: vec!["/t/a".into()],
        ..Options::default()
    };
    assert_eq!(names(&scan_with(&tree, &options)), ["b/x.h"]);
}

#[test]
fn iquote_is_for_quotes_only() {
    let tree = [("main.c", "#include \"x.h\"\n#include <x.h>\n"), ("q/x.h", ""), ("a/x.h", "")];
    let options =
        Options { quote: vec!["/t/q".into()], include: vec!["/t/a".into()], ..Options::default() };
    assert_eq!(names(&scan_with(&tree, &options)), ["q/x.h", "a/x.h"]);
}

#[test]
fn forced_includes_come_first_and_see_the_definitions_before_them() {
    let tree = [
        ("main.c", "#ifdef SECOND\n#include \"main.h\"\n#endif\n"),
        ("a/first.h", "#ifdef D\n#define FIRST D\n#endif\n"),
        ("a/second.h", "#if FIRST == 7\n#define SECOND\n#endif\n"),
        ("main.h", ""),
    ];
    let mut options = Options {
        include: vec!["/t/a".into()],
        forced: vec!["second.h".into()],
        forced_macros: vec!["first.h".into()],
        directory: "/t".into(),
        ..Options::default()
    };
    options.define("D=7");
    let scan = scan_with(&tree, &options);
    assert_eq!(names(&scan), ["a/first.h", "a/second.h", "main.h"]);
    assert_eq!(scan.files[1].origin.as_ref().map(|origin| origin.line), Some(0));
}

#[test]
fn arguments_are_read_as_gcc_reads_them() {
    let args = [
        "-nostdinc",
        "-I",
        "a",
        "-Ib",
        "-isystem",
        "s",
        "-isystems2",
        "-include",
        "f.h",
        "-DX",
        "-DY(a)=a",
        "-D",
        "Z=1=2",
        "-UX",
        "-iquote",
        "q",
        "-idirafterd",
        "-imacros",
        "m.h",
        "-march=armv8-a",
        "-O2",
        "--param",
        "p=1",
        "-c",
        "x.c",
    ];
    let (options, rest) = Options::from_args(&args);
    let paths = |list: &[&str]| list.iter().map(Into::into).collect::<Vec<std::path::PathBuf>>();
    assert_eq!(options.include, paths(&["a", "b"]));
    assert_eq!(options.system, paths(&["s", "s2"]));
    assert_eq!(options.forced, paths(&["f.h"]));
    assert_eq!(options.forced_macros, paths(&["m.h"]));
    assert_eq!(options.quote, paths(&["q"]));
    assert_eq!(options.after, paths(&["d"]));
    let define = |name: &str, text: &str| Define::Define(name.into(), text.into());
    assert_eq!(
        options.defines,
        [define("X", "1"), define("Y(a)", "a"), define("Z", "1=2"), Define::Undefine("X".into()),]
    );
    assert_eq!(rest, ["-nostdinc", "-march=armv8-a", "-O2", "--param", "p=1", "-c", "x.c"]);
}

#[test]
fn layers_hide_what_is_below_them_and_need_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("main.c"), "#include \"config.h\"\n#ifdef ON\n#include \"on.h\"\n#endif\n")
        .unwrap();
    fs::write(path("config.h"), "").unwrap();
    fs::create_dir(path("on.h")).unwrap();
    let mut over = MemoryFiles::default();
    over.insert(path("config.h"), "#define ON\n");
    let source = Layers::new().below(&over).below(&RealFiles);
    let scan = Preprocessor::new(source).scan(&path("main.c"), &Options::default()).unwrap();
    assert_eq!(scan.files.len(), 2);
    // A folder is no header.
    assert_eq!(scan.missing[0].name(), "on.h");
}

#[test]
fn a_file_that_is_not_there_is_an_error_of_the_scan_itself() {
    let error = Preprocessor::new(RealFiles).scan(Path::new("/none/x.c"), &Options::default());
    assert_eq!(error.unwrap_err().to_string(), "/none/x.c: error: there is no such file");
}

#[test]
fn the_chain_leads_back_to_the_c_file() {
    let tree = [("main.c", "\n#include <x.h>\n"), ("a/x.h", "#include <y.h>\n"), ("a/y.h", "")];
    let scan = scan(&tree);
    let chain: Vec<_> = scan.chain(2).map(|file| file.path.display().to_string()).collect();
    assert_eq!(chain, ["/t/a/y.h", "/t/a/x.h", "/t/main.c"]);
    assert_eq!(scan.files[1].origin.as_ref().map(|origin| origin.line), Some(2));
}

#[test]
fn unknown_directives_are_comments_in_assembler_only() {
    let tree = [("main.c", "# a comment that's one\n#include <x.h>\n"), ("a/x.h", "")];
    assert_eq!(findings(&scan(&tree)), ["/t/main.c:1:1: error: this is no preprocessor directive"]);
    let options = Options {
        include: vec!["/t/a".into()],
        language: Language::Assembler,
        ..Options::default()
    };
    let scan = scan_with(&tree, &options);
    assert_eq!((findings(&scan), names(&scan)), (vec![], vec!["a/x.h".to_owned()]));
}

#[test]
fn one_preprocessor_scans_many_files_under_different_options() {
    let mut files = MemoryFiles::default();
    files.insert("/t/1.c", "#include <x.h>\n");
    files.insert("/t/2.c", "#define X\n#include <x.h>\n");
    files.insert("/t/a/x.h", "#pragma once\n#ifdef X\n#include <y.h>\n#endif\n");
    files.insert("/t/b/x.h", "");
    files.insert("/t/b/y.h", "");
    let mut preprocessor = Preprocessor::new(&files);
    let mut count = |file: &str, include: &[&str]| {
        let include = include.iter().map(Into::into).collect();
        let options = Options { include, ..Options::default() };
        let scan = preprocessor.scan(Path::new(file), &options).unwrap();
        (scan.files.len(), scan.missing.len())
    };
    assert_eq!(count("/t/1.c", &["/t/a"]), (2, 0));
    assert_eq!(count("/t/2.c", &["/t/a"]), (2, 1));
    assert_eq!(count("/t/2.c", &["/t/a", "/t/b"]), (3, 0));
    assert_eq!(count("/t/2.c", &["/t/b", "/t/a"]), (2, 0));
    assert_eq!(count("/t/1.c", &[]), (1, 1));
}
