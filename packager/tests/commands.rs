//! The commands of the original workflow and of UDI, as they are called from a shell.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use l4re_programs::Program;

const PACKAGER: &str = env!("CARGO_BIN_EXE_packager");
const MINI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/linux/trees/mini");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a script of `tools/` in a folder, with this packager.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn tool(name: &str, args: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(root().join("tools").join(name).canonicalize().unwrap());
    command.args(args).current_dir(folder).env("PACKAGER", PACKAGER).env("TMPDIR", folder);
    command.stdin(Stdio::null()).output().unwrap()
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn picker(args: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(PACKAGER);
    command.arg("driver_picker").args(args).env("TMPDIR", folder);
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_three_tools_of_udi_have_their_own_usage_and_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["udibuild", "udimkpkg", "udisetup"] {
        let output = tool(name, &["-h"], dir.path());
        assert_eq!(output.status.code(), Some(0));
        let usage = text(&output.stdout);
        assert!(usage.contains(&format!("Usage: {name} ")), "{usage}");
        assert!(usage.contains("17 the package is there already"), "{usage}");
        // As verbs of the packager they end with 1 here.
        let output = tool(name, &[], dir.path());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    }
}

#[test]
fn the_picker_lists_and_extracts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let output = picker(&["--linux-src", MINI, "--list", "--format", "json"], dir.path());
    let list: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(list.iter().any(|entry| entry["symbol"] == "E1000" && entry["subsystem"] == "net"));
    let args = ["--linux-src", MINI, "--list", "--format", "json", "--subsystem", "usb"];
    let some: Vec<serde_json::Value> =
        serde_json::from_slice(&picker(&args, dir.path()).stdout).unwrap();
    assert!(!some.is_empty() && some.len() < list.len());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_picker_extracts_the_driver_that_is_named_without_a_question() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--linux-src", MINI, "--subsystem", "net", "--driver", "E1000"];
    let output = picker(&args, dir.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    let lines: Vec<&str> = out.lines().collect();
    let workspace = lines[0].strip_prefix("Workspace: ").unwrap();
    assert_eq!(lines[1..], [format!("Manifest written to {workspace}/driver.yaml")]);
    let manifest = fs::read_to_string(Path::new(workspace).join("driver.yaml")).unwrap();
    assert!(manifest.contains("driver: E1000\n"), "{manifest}");
}

#[test]
fn what_is_wrong_with_the_pickers_arguments_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let said = |args: &[&str]| {
        let output = picker(args, dir.path());
        (output.status.code(), text(&output.stderr))
    };
    let (code, message) = said(&["--linux-src", "/nowhere"]);
    assert_eq!(code, Some(1));
    assert!(message.starts_with("/nowhere: error: no such folder"), "{message}");
    assert!(message.contains("LINUX_SRC="), "{message}");
    let (code, message) = said(&["--linux-src", MINI]);
    assert_eq!(code, Some(1));
    assert!(message.contains("--subsystem NAME --driver SYMBOL"), "{message}");
    assert_eq!(said(&["--linux-src", MINI, "--list", "--driver", "E1000"]).0, Some(2));
    assert_eq!(said(&["--linux-src", MINI, "--format", "json"]).0, Some(2));
    assert_eq!(said(&[]).0, Some(2));
}

#[test]
fn wrong_usage_that_shows_late_has_the_code_of_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(PACKAGER).args(args).current_dir(dir.path()).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (code, message) = run(&["emit", "--format", "l4re", "--debug"]);
    assert_eq!(code, Some(2), "{message}");
    let (code, message) = run(&["run"]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("<PKG|--image <FILE>>"), "{message}");
    for verb in
        [&["build"][..], &["emit", "--format", "l4re"], &["udi", "build"], &["udi", "mkpkg"]]
    {
        let (code, message) = run(&[verb, &["nowhere"]].concat());
        assert_eq!(
            (code, message.lines().next()),
            (Some(1), Some("nowhere: error: no such folder"))
        );
    }
    let (code, message) = run(&["install", "p"]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("<--root <DIR>|--image <FILE>>"), "{message}");
}

#[test]
fn a_driver_that_the_project_does_not_have_is_answered_with_the_nearest() {
    let said = |name: &str| {
        let output = tool("build-driver", &[name], &root());
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let message = said("virtio-blkk");
    assert!(message.contains("this project has no driver `virtio-blkk`"), "{message}");
    assert!(message.contains("did you mean `virtio-blk`?"), "{message}");
    assert!(said("zzz").contains("there are: "), "{}", said("zzz"));
}

/// `setup` says which variable names a compiler that is not there.
#[test]
fn setup_installs_and_checks_the_compilers_that_are_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(root().join("setup"), dir.path().join("setup")).unwrap();
    script(&dir.path().join("scripts/setup.sh"), "echo installed \"$@\"");
    script(&dir.path().join("bin/here-gcc"), "");
    let run = |arm64: &str| {
        let mut command = Command::new(dir.path().join("setup"));
        let path = format!("{}:/usr/bin:/bin", dir.path().join("bin").display());
        let output = command.arg("test").env("PATH", path).env("CROSS_COMPILE_ARM64", arm64);
        output.env_remove("CROSS_COMPILE_ARM").output().unwrap()
    };
    for prefix in ["", "here-"] {
        let output = run(prefix);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(0), "installed test\n".into())
        );
    }
    let output = run("no-such-");
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("no compiler no-such-gcc: set CROSS_COMPILE_ARM64"), "{message}");
}

#[test]
fn make_install_puts_the_packager_and_its_other_names_into_one_folder() {
    let dir = tempfile::tempdir().unwrap();
    let cargo = dir.path().join("cargo");
    let log = dir.path().join("asked").display().to_string();
    script(&cargo, &format!("echo \"$*\" >{log}; mkdir -p \"$7/bin\"; cp {PACKAGER} \"$7/bin\""));
    let mut command = Program::declared("make").command();
    // What `setup` installs is another matter.
    command.args(["-o", "setup", "install"]).arg(format!("CARGO={}", cargo.display()));
    command.arg(format!("PREFIX={}", dir.path().display())).current_dir(root());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let asked = fs::read_to_string(dir.path().join("asked")).unwrap();
    assert!(asked.starts_with("install -q --locked --path packager --root "), "{asked}");
    let udibuild = dir.path().join("bin/udibuild");
    let output = Command::new(udibuild).arg("-h").output().unwrap();
    assert!(text(&output.stdout).contains("Usage: udibuild "), "{}", text(&output.stdout));
}
