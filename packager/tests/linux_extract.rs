//! `packager extract` on a tree of the size of a page: the exact manifest, the exact messages, and
//! nothing written outside of the workspace.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_linux_drivers::extract::{Destination, Extracted, Options, compile_command, extract};
use l4re_linux_drivers::open::{Base, Request};
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
        base: Base::Tiny,
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
