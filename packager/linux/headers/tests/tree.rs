//! Headers of a small tree that looks like Linux.

use std::fs;
use std::path::{Path, PathBuf};

use l4re_cpp::{FileSource, Layers, Preprocessor, RealFiles};
use l4re_kheaders::{Generated, Inputs};

/// What the tree consists of.
const TREE: &[(&str, &str)] = &[
    ("Makefile", "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 7\nEXTRAVERSION =\n"),
    ("include/asm-generic/Kbuild", "mandatory-y += bug.h\nmandatory-y += own.h made.h\n"),
    ("include/uapi/asm-generic/Kbuild", "mandatory-y += errno.h\n"),
    ("include/asm-generic/bug.h", "#define BUG\n"),
    ("include/linux/kconfig.h", "#include <generated/autoconf.h>\n"),
    (
        "arch/arm64/include/asm/Kbuild",
        "syscall-y += unistd_32.h unistd_compat_32.h\ngeneric-y += user.h\ngenerated-y += cpucap-defs.h kernel-hwcap.h made.h\n",
    ),
    ("arch/arm64/include/uapi/asm/Kbuild", "syscall-y += unistd_64.h\n"),
    ("arch/arm64/include/asm/own.h", ""),
    (
        "arch/arm64/kernel/Makefile.syscalls",
        "syscall_abis_64 += extra\nsyscalltbl = arch/arm64/tools/syscall_%.tbl\n",
    ),
    (
        "arch/arm64/tools/syscall_64.tbl",
        "0 common a sys_a\n1 64 b sys_b\n2 extra c sys_c\n3 other d sys_d\n",
    ),
    ("arch/arm64/tools/syscall_32.tbl", "5 common a sys_a\n"),
    ("arch/arm64/tools/gen-cpucaps.awk", "{ print \"#define CAP_\" $1 \" \" NR }\n"),
    ("arch/arm64/tools/cpucaps", "ONE\nTWO\n"),
    (
        "arch/arm64/tools/gen-kernel-hwcaps.sh",
        "grep HWCAP $1 | sed 's/HWCAP/KERNEL_HWCAP/'\ntest -s $1\n",
    ),
    ("arch/arm64/include/uapi/asm/hwcap.h", "#define HWCAP_FP 1\n#define OTHER 2\n"),
    (
        "kernel/bounds.c",
        "#include <asm/bug.h>\n#if defined(BUG) && defined(CONFIG_X)\nint main(void) { asm volatile(\"\\n.ascii \\\"->SIZE %0 sizeof(x)\\\"\" : : \"i\" (sizeof(int))); return 0; }\n#endif\n",
    ),
    (
        "arch/arm64/kernel/asm-offsets.c",
        "#include <generated/bounds.h>\nint main(void) { asm volatile(\"\\n.ascii \\\"->TWICE %0 x\\\"\" : : \"i\" (2 * SIZE)); return 0; }\n",
    ),
];

const AUTOCONF: &[u8] = b"#define CONFIG_HZ 250\n#define CONFIG_X 1\n";

#[expect(clippy::expect_used, reason = "the temporary folder is ours")]
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in TREE {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, text).expect("a file");
    }
    folder
}

#[expect(clippy::expect_used, reason = "the lists are there")]
fn headers(tree: &Path, compiler: Option<&str>, cache: Option<PathBuf>) -> Generated {
    let inputs = Inputs {
        tree: tree.into(),
        arch: "arm64".into(),
        autoconf: AUTOCONF.into(),
        compiler: compiler.map(PathBuf::from),
        // Those of this machine's compiler, whichever it is.
        flags: Some(vec!["-O1".into()]),
        cache,
        ..Inputs::default()
    };
    Generated::new(inputs).expect("lists")
}

#[expect(clippy::expect_used, reason = "a test that asks for it expects it")]
fn text(headers: &Generated, path: &str) -> String {
    let bytes = headers.get(path).expect("made").expect("there");
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn the_lists_say_which_headers_there_are() {
    let tree = tree();
    let headers = headers(tree.path(), None, None);
    let asm = "arch/arm64/include/generated";
    let expected: Vec<String> = [
        "asm/bug.h",
        "asm/cpucap-defs.h",
        "asm/kernel-hwcap.h",
        "asm/unistd_32.h",
        "asm/unistd_compat_32.h",
        "asm/user.h",
        "uapi/asm/errno.h",
        "uapi/asm/unistd_64.h",
    ]
    .iter()
    .map(|name| format!("{asm}/{name}"))
    .chain(
        [
            "asm-offsets.h",
            "autoconf.h",
            "bounds.h",
            "timeconst.h",
            "uapi/linux/version.h",
            "utsrelease.h",
        ]
        .iter()
        .map(|name| format!("include/generated/{name}")),
    )
    .collect();
    assert_eq!(headers.paths().collect::<Vec<_>>(), expected);
    assert_eq!(headers.paths_not_made().collect::<Vec<_>>(), [format!("{asm}/asm/made.h")]);
}

#[test]
fn what_needs_no_program_is_made_of_the_tree_and_the_configuration() {
    let tree = tree();
    let headers = headers(tree.path(), None, None);
    assert_eq!(text(&headers, "include/generated/autoconf.h").as_bytes(), AUTOCONF);
    let bug = "arch/arm64/include/generated/asm/bug.h";
    assert_eq!(text(&headers, bug), "#include <asm-generic/bug.h>\n");
    let release = text(&headers, "include/generated/utsrelease.h");
    assert_eq!(release, "#define UTS_RELEASE \"6.12.7\"\n");
    assert!(text(&headers, "include/generated/timeconst.h").contains("#if HZ != 250\n"));
    let numbers = text(&headers, "arch/arm64/include/generated/uapi/asm/unistd_64.h");
    assert!(
        numbers.contains("#define __NR_a 0\n#define __NR_b 1\n#define __NR_c 2\n\n"),
        "{numbers}"
    );
    assert!(numbers.contains("#define __NR_syscalls 3\n"), "{numbers}");
    let compat = text(&headers, "arch/arm64/include/generated/asm/unistd_compat_32.h");
    assert!(compat.contains("#define __NR_compat32_a 5\n"), "{compat}");
    assert!(headers.get("include/generated/none.h").expect("no failure").is_none());
}

#[test]
fn a_header_that_only_make_can_make_is_an_error_when_it_is_asked_for() {
    let tree = tree();
    let headers = headers(tree.path(), None, None);
    let failure = headers.get("arch/arm64/include/generated/asm/made.h").expect_err("no rule");
    let expected = format!(
        "{}: error: arch/arm64/include/generated/asm/made.h is made by a rule that only the \
         tree's make knows\n  help: choose a driver that does not include it, or another \
         architecture",
        tree.path().join("arch/arm64/include/asm/Kbuild").display()
    );
    assert_eq!(failure.to_string(), expected);
}

#[test]
fn without_a_compiler_only_its_headers_are_missing() {
    let tree = tree();
    let failure = headers(tree.path(), None, None).all().expect_err("no compiler");
    assert!(failure.to_string().contains("made by a C compiler, and none is given"), "{failure}");
    let failure = headers(tree.path(), Some("/none/cc"), None).all().expect_err("no compiler");
    assert!(failure.to_string().contains("/none/cc: error: cannot run the compiler"), "{failure}");
}

#[test]
fn a_table_that_is_missing_is_named() {
    let tree = tree();
    let table = tree.path().join("arch/arm64/tools/syscall_32.tbl");
    fs::remove_file(&table).expect("it was there");
    let path = "arch/arm64/include/generated/asm/unistd_32.h";
    let failure = headers(tree.path(), None, None).get(path).expect_err("no table");
    assert!(failure.to_string().starts_with(&format!("{}: error: cannot read", table.display())));
}

#[test]
fn the_compiler_and_awk_are_asked_once_until_an_input_changes() {
    let tree = tree();
    let cache = tempfile::tempdir().expect("a folder");
    let made =
        |path: &str| text(&headers(tree.path(), Some("cc"), Some(cache.path().into())), path);
    let (bounds, offsets) = ("include/generated/bounds.h", "include/generated/asm-offsets.h");
    let caps = "arch/arm64/include/generated/asm/cpucap-defs.h";
    // The second depends on the first, which depends on a wrapper and the configuration.
    assert!(made(offsets).contains("#define TWICE 8 /* x */\n"), "{}", made(offsets));
    assert!(made(bounds).contains("#define SIZE 4 /* sizeof(x) */\n"));
    assert_eq!(made(caps), "#define CAP_ONE 1\n#define CAP_TWO 2\n");
    let kept = || fs::read_dir(cache.path()).expect("the cache").count();
    let before = kept();
    assert!(before >= 3, "{before}");
    made(offsets);
    assert_eq!(kept(), before);

    let source = tree.path().join("kernel/bounds.c");
    let changed = fs::read_to_string(&source).expect("it").replace("sizeof(int)", "sizeof(char)");
    fs::write(&source, changed).expect("it");
    fs::write(tree.path().join("arch/arm64/tools/cpucaps"), "THREE\n").expect("it");
    assert!(made(bounds).contains("#define SIZE 1 "), "{}", made(bounds));
    assert!(made(offsets).contains("#define TWICE 2 "), "{}", made(offsets));
    assert_eq!(made(caps), "#define CAP_THREE 1\n");
}

#[test]
fn scripts_for_the_shell_are_run_and_their_failure_is_told() {
    let tree = tree();
    let path = "arch/arm64/include/generated/asm/kernel-hwcap.h";
    assert_eq!(text(&headers(tree.path(), None, None), path), "#define KERNEL_HWCAP_FP 1\n");
    fs::write(tree.path().join("arch/arm64/include/uapi/asm/hwcap.h"), "").expect("it");
    let failure = headers(tree.path(), None, None).get(path).expect_err("the script fails");
    let wanted = "gen-kernel-hwcaps.sh: error: sh fails (exit status: 1): no reason given";
    assert!(failure.to_string().contains(wanted), "{failure}");
}

#[test]
fn sizes_count_members_without_a_name_whose_type_has_one() {
    let tree = tree();
    let source = "struct part { int a[4]; }; struct whole { struct part; };\n\
                  int main(void) { asm volatile(\"\\n.ascii \\\"->SIZE %0 x\\\"\" : : \"i\" \
                  (sizeof(struct whole))); return 0; }\n";
    fs::write(tree.path().join("kernel/bounds.c"), source).expect("it");
    // An architecture whose flags any compiler takes.
    let inputs = Inputs {
        tree: tree.path().into(),
        arch: "riscv".into(),
        autoconf: AUTOCONF.into(),
        compiler: Some("cc".into()),
        ..Inputs::default()
    };
    let headers = Generated::new(inputs).expect("lists");
    let bounds = text(&headers, "include/generated/bounds.h");
    assert!(bounds.contains("#define SIZE 16 "), "{bounds}");
}

#[test]
fn headers_lie_over_the_tree_without_being_written() {
    let tree = tree();
    let headers = headers(tree.path(), None, None);
    let folder = Path::new("/nowhere");
    let mounted = headers.at(folder);
    assert!(
        mounted
            .read(Path::new("/nowhere/arch/../include/generated/autoconf.h"))
            .expect("ok")
            .is_some()
    );
    assert!(
        mounted.read(Path::new("/nowhere/../include/generated/autoconf.h")).expect("ok").is_none()
    );
    assert!(
        mounted.read(Path::new("/elsewhere/include/generated/autoconf.h")).expect("ok").is_none()
    );

    let driver = tree.path().join("driver.c");
    fs::write(&driver, "#ifdef CONFIG_X\n#include <asm/bug.h>\n#endif\n#include <asm/made.h>\n")
        .expect("it");
    let options = headers.options(folder);
    let source = Layers::new().below(&mounted).below(&RealFiles);
    let scan = Preprocessor::new(source).scan(&driver, &options).expect("a scan");
    let names: Vec<String> = scan
        .paths()
        .map(|path| path.strip_prefix(tree.path()).unwrap_or(path).display().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "driver.c",
            "include/linux/kconfig.h",
            "/nowhere/include/generated/autoconf.h",
            "/nowhere/arch/arm64/include/generated/asm/bug.h",
            "include/asm-generic/bug.h",
        ]
    );
    // What cannot be made is missing, with the reason.
    assert_eq!(scan.missing.len(), 1);
    assert!(scan.findings.iter().any(|finding| finding.code == "generated-header"));
}

#[test]
fn a_folder_that_is_no_tree_has_no_headers_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let headers = headers(folder.path(), None, None);
    let failure = headers.get("include/generated/uapi/linux/version.h").expect_err("no tree");
    assert!(failure.to_string().contains("Makefile: error: cannot read"), "{failure}");
}
