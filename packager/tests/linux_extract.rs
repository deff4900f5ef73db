//! `packager extract` on a tree of the size of a page: the exact manifest, the exact messages, and
//! nothing written outside of the workspace.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_linux_drivers::extract::{Destination, Extracted, Options, compile_command, extract};
use l4re_linux_drivers::request::{BaseConfig, Request};
use l4re_linux_drivers::workspace::load;
use l4re_packager_base::Progress;
use l4re_packager_base::{Failure, Report};
use tempfile::TempDir;

struct Silent;

impl Progress for Silent {
    fn step(&mut self, _: &str) {}
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/extract")
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A copy of the tree in a folder of its own, and the folder for results beside it.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn tree() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap().join("tree");
    copy(&fixtures().join("tree"), &root);
    (dir, root)
}

/// Every file below a folder with its bytes.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => todo.push(entry.path()),
                kind if kind.is_file() => {
                    all.insert(entry.path(), fs::read(entry.path()).unwrap());
                }
                _ => {}
            }
        }
    }
    all
}

fn options(root: &Path, driver: &str) -> Options {
    Options {
        // The tests need no cross compiler: nothing is compiled for another machine.
        request: Request {
            folder: root.into(),
            arch: Some("arm64".into()),
            cross_compile: Some(String::new()),
        },
        driver: driver.into(),
        subsystem: None,
        base: BaseConfig::Tiny,
        destination: Destination::Folder(root.with_file_name("out")),
        self_contained: false,
    }
}

fn run(options: &Options) -> Result<(Extracted, Report), Failure> {
    extract(options, &mut Silent)
}

/// The message for a driver that cannot be extracted; folders by their names.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn refusal(options: &Options, root: &Path) -> String {
    let message = run(options).unwrap_err().to_string();
    message.replace(&root.display().to_string(), "TREE")
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn same_as_file(name: &str, text: &str) {
    let file = fixtures().join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&file, text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&file).unwrap(), "{}", file.display());
}

#[test]
fn the_manifest_is_exactly_this_and_the_tree_stays_as_it_was() {
    let (dir, root) = tree();
    let before = everything(&root);
    let (extracted, report) = run(&options(&root, "config_toy")).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(before, everything(&root));
    assert_eq!(report.iter().count(), 0, "{report:?}");
    let text = fs::read_to_string(&extracted.written.manifest).unwrap();
    let version = &extracted.workspace.manifest.compiler.version;
    assert!(version.contains("gcc"), "{version:?}");
    let shown = text
        .replace(&root.display().to_string(), "/tree")
        .replace(&format!("version: {version:?}"), "version: \"a compiler\"");
    same_as_file("toy.yaml", &shown);
    let changes: String =
        extracted.workspace.changes.iter().map(|change| format!("{change}\n")).collect();
    same_as_file("toy-changes.txt", &changes);
    // Only the workspace is new, and only what the manifest names is in it.
    let mut beside: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["out", "tree"]);
    let out = &extracted.written.folder;
    let files: String = everything(out)
        .keys()
        .map(|path| format!("{}\n", path.strip_prefix(out).unwrap().display()))
        .collect();
    same_as_file("toy-files.txt", &files);
    assert_eq!(load(&extracted.written.manifest).unwrap().0, extracted.workspace.manifest);
}

#[test]
fn the_same_driver_gives_the_same_bytes() {
    let (_dir, root) = tree();
    let mut options = options(&root, "TOY");
    let first = everything(&run(&options).unwrap().0.written.folder);
    options.destination = Destination::Replace(root.with_file_name("out"));
    assert_eq!(first, everything(&run(&options).unwrap().0.written.folder));
}

/// What is compiled with the manifest's commands finds everything, without the tree if the
/// workspace is to do without.
#[test]
fn objects_compile_with_the_commands_of_the_manifest() {
    for self_contained in [false, true] {
        let (dir, root) = tree();
        let mut options = options(&root, "TOY");
        options.self_contained = self_contained;
        let (extracted, _) = run(&options).unwrap();
        if self_contained {
            fs::remove_dir_all(&root).unwrap();
        }
        let (manifest, _) = load(&extracted.written.manifest).unwrap();
        let object = dir.path().join("x.o");
        let mut compiled = 0;
        for module in manifest.all_modules() {
            for name in &module.objects {
                let folder = &extracted.written.folder;
                let command = compile_command(&manifest, folder, module, name, &object).unwrap();
                let output = command.command().output().unwrap();
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{name}: {errors}\n{command:?}");
                compiled += 1;
            }
        }
        assert_eq!(compiled, 4);
    }
}

/// The Makefile of the folder above looks into a driver's folder only with another symbol, which
/// the driver's own Kconfig definition does not ask for.
#[test]
fn folders_that_only_makefiles_shut_are_opened() {
    let (_dir, root) = tree();
    let (extracted, _) = run(&options(&root, "BENCHTOY")).unwrap_or_else(|f| panic!("{f}"));
    let changes: Vec<String> =
        extracted.workspace.changes.iter().map(ToString::to_string).collect();
    let expected = "BENCH=y: only with it, or its like, make looks into drivers/net/bench, \
                    drivers/net/Makefile:2";
    assert!(changes.iter().any(|change| change == expected), "{changes:?}");
    assert_eq!(extracted.workspace.manifest.modules[0].objects, ["drivers/net/bench/benchtoy.o"]);
}

/// A source that a rule of the tree makes is named, and taken once it has been put into the
/// workspace.
#[test]
fn what_a_rule_of_the_tree_makes_can_be_added() {
    let (_dir, root) = tree();
    fs::remove_file(root.join("drivers/net/toy/sub/hw.c")).unwrap();
    let makefile = root.join("drivers/net/toy/Makefile");
    let rule = "\n$(obj)/sub/hw.c: $(src)/hw.pl\n\tperl $< >$@\n";
    fs::write(&makefile, fs::read_to_string(&makefile).unwrap() + rule).unwrap();
    let (extracted, report) = run(&options(&root, "TOY")).unwrap_or_else(|f| panic!("{f}"));
    let warning = format!("{report:?}");
    assert!(warning.contains("copy DIR/drivers/net/toy/sub/hw.c (or .S)"), "{warning}");
    let folder = &extracted.written.folder;
    let manifest = &extracted.workspace.manifest;
    let command = || {
        let object = "drivers/net/toy/sub/hw.o";
        compile_command(manifest, folder, &manifest.modules[0], object, Path::new("hw.o"))
    };
    let refused = command().unwrap_err().to_string();
    assert!(refused.contains("`make O=DIR drivers/net/toy/sub/hw.o`"), "{refused}");
    fs::create_dir_all(folder.join("src/drivers/net/toy/sub")).unwrap();
    fs::write(folder.join("src/drivers/net/toy/sub/hw.c"), "int hw;\n").unwrap();
    let source = command().unwrap().arguments.pop().unwrap();
    assert_eq!(Path::new(&source), folder.join("src/drivers/net/toy/sub/hw.c"));
}

#[test]
fn what_cannot_be_extracted_is_said_with_the_way_out() {
    let (_dir, root) = tree();
    let mut text = String::new();
    for driver in [
        "FARTOY",
        "FAROFF",
        "FARBUS",
        "TOYY",
        "NET_VENDOR_TOY",
        "TOY_DEBUG",
        "TOYBUS_LIB",
        "TOY_SLOW",
    ] {
        text += &format!("{driver}\n{}\n\n", refusal(&options(&root, driver), &root));
    }
    let mut wrong = options(&root, "TOY");
    wrong.subsystem = Some("bus".into());
    text += &format!("TOY in bus\n{}\n\n", refusal(&wrong, &root));
    wrong.subsystem = Some("nett".into());
    text += &format!("TOY in nett\n{}\n", refusal(&wrong, &root));
    same_as_file("refusals.txt", &text);
    assert!(!root.with_file_name("out").exists());
}

#[test]
fn a_destination_in_use_or_in_the_tree_is_left_alone() {
    let (dir, root) = tree();
    let mut options = options(&root, "TOY");
    let thesis = dir.path().join("thesis");
    fs::create_dir(&thesis).unwrap();
    fs::write(thesis.join("a.tex"), "").unwrap();
    symlink(&root, dir.path().join("link")).unwrap();
    let before = everything(dir.path());
    let refused = [
        (Destination::Folder(thesis.clone()), "is there and is not empty"),
        (Destination::Replace(thesis), "it is not replaced"),
        (Destination::Folder(root.join("drivers/new")), "lies in the Linux tree"),
        (Destination::Folder(dir.path().join("link/new")), "lies in the Linux tree"),
        (Destination::Folder(root.join("../tree/new/../new2")), "lies in the Linux tree"),
    ];
    for (destination, expected) in refused {
        options.destination = destination;
        let message = refusal(&options, &root);
        assert!(message.contains(expected), "{message}");
        assert_eq!(before, everything(dir.path()));
    }
}

#[test]
fn an_empty_folder_is_taken_and_a_workspace_only_by_force() {
    let (_dir, root) = tree();
    let mut options = options(&root, "TOY");
    let out = root.with_file_name("out");
    fs::create_dir(&out).unwrap();
    run(&options).unwrap();
    fs::write(out.join("src/mine.c"), "").unwrap();
    let message = refusal(&options, &root);
    assert!(message.contains("--force"), "{message}");
    assert!(out.join("src/mine.c").exists());
    options.destination = Destination::Replace(out.clone());
    run(&options).unwrap();
    assert!(!out.join("src/mine.c").exists());
}

#[test]
fn links_that_lead_out_of_the_tree_are_refused() {
    for path in ["drivers/net/toy/toy.h", "drivers/net/toy/debug.c", "include/linux/kernel.h"] {
        let (dir, root) = tree();
        let secret = dir.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        fs::remove_file(root.join(path)).unwrap();
        symlink(&secret, root.join(path)).unwrap();
        let result = run(&options(&root, "TOY"));
        if path.ends_with("debug.c") {
            // Not part of this configuration, so nobody looks at it.
            assert!(result.is_ok());
            continue;
        }
        let text = result.unwrap_err().to_string();
        assert!(text.contains("leads out of the Linux tree"), "{path}: {text}");
        assert!(!root.with_file_name("out").join("src").join(path).exists());
    }
}

/// A header that no object can be compiled without is an error; one that a rule beside the driver
/// makes can be added.
#[test]
fn a_header_that_is_nowhere_is_an_error() {
    let add = |root: &Path, file: &str, text: &str| {
        let file = root.join(file);
        fs::write(&file, fs::read_to_string(&file).unwrap() + text).unwrap();
    };
    let (_dir, root) = tree();
    add(&root, "drivers/net/toy/toy_main.c", "\n#include <asm/masks.h>\n");
    let message = refusal(&options(&root, "TOY"), &root);
    assert!(message.contains("drivers/net/toy/toy_main.c:"), "{message}");
    let says = "error: includes asm/masks.h, which is not there: drivers/net/toy/toy_main.o cannot";
    assert!(message.contains(says), "{message}");
    assert!(!root.with_file_name("out").exists());
    // The tree lists it, and only its make has the rule.
    add(&root, "arch/arm64/include/asm/Kbuild", "\ngenerated-y += masks.h\n");
    let message = refusal(&options(&root, "TOY"), &root);
    let says =
        "asm/masks.h is made by a rule that only the tree's make knows (included for drivers";
    assert!(message.contains(says), "{message}");
    assert!(!root.with_file_name("out").exists());

    let (_dir, root) = tree();
    add(&root, "drivers/net/toy/toy_main.c", "\n#include \"made.h\"\n");
    add(&root, "drivers/net/toy/Makefile", "\n$(obj)/made.h: $(src)/made.pl\n\tperl $< >$@\n");
    let (_, report) = run(&options(&root, "TOY")).unwrap_or_else(|f| panic!("{f}"));
    assert!(format!("{report:?}").contains("includes made.h, which a rule"), "{report:?}");
}

#[test]
fn a_tree_in_a_folder_that_make_refuses_is_refused_as_make_does() {
    for name in ["my tree", "my:tree"] {
        let (dir, root) = tree();
        let moved = dir.path().canonicalize().unwrap().join(name);
        fs::rename(&root, &moved).unwrap();
        let message = refusal(&options(&moved, "TOY"), &moved);
        assert!(message.contains("main directory cannot contain spaces nor colons"), "{message}");
    }
}

/// What a Makefile of a folder says reaches the compiler only if it changes nothing but the code.
#[test]
fn flags_that_run_a_program_or_name_a_file_are_not_taken_from_a_tree() {
    let (dir, root) = tree();
    let mark = dir.path().canonicalize().unwrap().join("mark");
    let mark = mark.display();
    let script = dir.path().join("run");
    fs::write(&script, format!("#!/bin/sh\ntouch {mark}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).unwrap();
    let makefile = root.join("drivers/net/toy/Makefile");
    let before = fs::read_to_string(&makefile).unwrap();
    let run_it = script.display();
    for flags in [
        format!("-wrapper {run_it}"),
        format!("-wrapper sh,-c,{run_it}"),
        format!("-B{}/", dir.path().display()),
        format!("-fplugin={mark}"),
        format!("-specs={run_it}"),
        format!("-MD -MF {mark}"),
        format!("-ftest-coverage -fprofile-note={mark}"),
        format!("-fcallgraph-info -dumpdir {mark}"),
        format!("-fdump-tree-all={mark}"),
        format!("-Wa,-al={mark}"),
        format!("-Wp,-MD,{mark}"),
        format!("@{run_it}"),
        format!("-save-temps -o {mark}"),
    ] {
        // Asked about: nobody answers, and the driver is built without.
        let probe = flags.replace(',', "$(comma)");
        let text = format!("{before}\nccflags-y += $(call cc-option,{probe})\n");
        fs::write(&makefile, text).unwrap();
        let mut options = options(&root, "TOY");
        options.destination = Destination::Replace(root.with_file_name("out"));
        let (extracted, _) = run(&options).unwrap_or_else(|f| panic!("{flags}: {f}"));
        let folder = dir.path().to_string_lossy().into_owned();
        let module = &extracted.workspace.manifest.modules[0];
        assert!(!format!("{:?}", module.cflags).contains(&folder), "{flags}: {module:?}");
        // Told: refused.
        fs::write(&makefile, format!("{before}\nccflags-y += {flags}\n")).unwrap();
        let message = refusal(&options, &root);
        assert!(message.starts_with("drivers/net/toy/Makefile: error: "), "{message}");
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["out", "run", "tree"], "{flags}");
    }
}

/// Whatever the tree has in place of a file: said, and never waited for.
#[test]
fn pipes_and_devices_of_a_tree_are_no_files() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    for file in [
        "Makefile",
        "Kconfig",
        "drivers/net/Kconfig",
        "drivers/net/toy/Makefile",
        "drivers/net/toy/toy_main.c",
        "drivers/net/toy/toy.h",
        "include/linux/kconfig.h",
        "kernel/configs/tiny.config",
        "arch/arm64/Makefile",
        "arch/arm64/include/asm/Kbuild",
    ] {
        for device in [false, true] {
            let (_dir, root) = tree();
            fs::remove_file(root.join(file)).unwrap();
            if device {
                symlink("/dev/zero", root.join(file)).unwrap();
            } else {
                mknodat(CWD, root.join(file), FileType::Fifo, Mode::RUSR, 0).unwrap();
            }
            // It ends; whether the file was needed is another question.
            if let Err(failure) = run(&options(&root, "TOY")) {
                assert!(failure.to_string().contains("error: "), "{failure}");
                assert!(!root.with_file_name("out").exists(), "{file}");
            }
        }
    }
}

#[test]
fn a_missing_source_is_named() {
    let (_dir, root) = tree();
    fs::remove_file(root.join("drivers/net/toy/toy_main.c")).unwrap();
    let (extracted, report) = match run(&options(&root, "TOY")) {
        Ok(done) => done,
        Err(failure) => {
            assert!(failure.to_string().contains("toy_main"), "{failure}");
            return;
        }
    };
    assert!(format!("{report:?}").contains("toy_main.o"), "{:?}", extracted.written);
}

/// Damaged files of a tree give findings, never a panic and never half a workspace.
#[test]
fn damaged_trees_leave_nothing_behind() {
    let files = [
        "Makefile",
        "Kconfig",
        "drivers/net/Kconfig",
        "drivers/net/toy/Makefile",
        "Kbuild",
        "drivers/net/toy/toy_main.c",
        "drivers/net/toy/trace.h",
        "include/linux/kconfig.h",
        "kernel/configs/tiny.config",
        "arch/arm64/Makefile",
    ];
    let endless = "$(eval A=$(A)$(A))\nA = $(A)\nB := $(A)\n";
    let contents: [&[u8]; 4] =
        [b"", b"\0\xff\xfe\0", endless.as_bytes(), b"#include \"trace.h\"\nif x\n"];
    for file in files {
        for content in contents {
            let (_dir, root) = tree();
            fs::write(root.join(file), content).unwrap();
            if let Err(failure) = run(&options(&root, "TOY")) {
                assert!(failure.to_string().contains("error: "), "{failure}");
                assert!(!root.with_file_name("out").exists(), "{file}");
            }
        }
    }
}

#[test]
fn the_command_prints_two_lines_and_what_it_switched_on() {
    let (_dir, root) = tree();
    let output = Command::new(env!("CARGO_BIN_EXE_packager"))
        .args([
            "extract",
            "--driver",
            "toy",
            "--subsystem",
            "net",
            "--cross-compile",
            "",
            "--linux-src",
        ])
        .arg(&root)
        .env("TMPDIR", root.parent().unwrap())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(
        errors.contains("NETDEVICES=y: TOY depends on it, drivers/net/Kconfig:14\n"),
        "{errors}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let workspace = lines[0].strip_prefix("Workspace: ").unwrap();
    assert_eq!(lines[1..], [format!("Manifest written to {workspace}/driver.yaml")]);
    let name = Path::new(workspace).file_name().unwrap().to_str().unwrap();
    assert!(name.strip_prefix("l4re-driver.").is_some_and(|end| end.len() == 6), "{name}");
    assert!(Path::new(workspace).join("src/drivers/net/toy/toy_main.c").is_file());
}
