//! `packager wrap` and `tools/l4re-driver-wrap` on the small tree.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const MINI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/linux/trees/mini");
const WRAP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/l4re-driver-wrap");

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn wrap(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(WRAP);
    command.args(args).current_dir(folder).env("PACKAGER", env!("CARGO_BIN_EXE_packager"));
    command.env("TMPDIR", folder).stdin(Stdio::null()).output().unwrap()
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The workspace that was made, and its manifest's text; checks the two lines.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn workspace(output: &Output) -> (String, String) {
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<&str> = out.lines().collect();
    let folder = lines[0].strip_prefix("Workspace: ").unwrap();
    assert_eq!(lines[1], format!("Manifest written to {folder}/driver.yaml"));
    assert_eq!(lines.len(), 2);
    (folder.to_owned(), fs::read_to_string(Path::new(folder).join("driver.yaml")).unwrap())
}

#[test]
fn a_driver_is_extracted_and_what_is_missing_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let output =
        wrap(dir.path(), &["--linux-src", MINI, "--subsystem", "net", "--driver", "e1000"]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    let (folder, manifest) = workspace(&output);
    let name = Path::new(&folder).file_name().unwrap().to_str().unwrap();
    let fresh = name.strip_prefix("l4re-driver.").unwrap();
    assert!(fresh.len() == 6 && fresh.chars().all(|c| c.is_ascii_alphanumeric()), "{folder}");
    assert!(manifest.contains("driver: E1000\n"), "{manifest}");
    assert!(err(&output).contains("error: E1000 was extracted, but not built"), "{}", err(&output));
    assert!(err(&output).contains("out/pkg/e1000"), "{}", err(&output));
    assert!(!dir.path().join("out").exists());
}

#[test]
fn the_file_names_tree_driver_and_package() {
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("driver.conf");
    fs::write(&conf, format!("LINUX_SRC='{MINI}'\nDRIVER=E1000e # any case\n")).unwrap();
    let output = wrap(dir.path(), &["--config", "driver.conf", "--out", "results"]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    assert!(workspace(&output).1.contains("driver: E1000E\n"));
    assert!(err(&output).contains("results/pkg/e1000e"), "{}", err(&output));
    // The command line wins over the file.
    let output = wrap(dir.path(), &["--config", "driver.conf", "--driver", "loop", "--out", "r"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(err(&output).contains("BLK_DEV_LOOP"), "{}", err(&output));
}

/// As for `packager build`: the results of all commands of a workspace lie side by side.
#[test]
fn in_a_workspace_the_package_goes_to_its_root() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("drivers/x")).unwrap();
    fs::write(dir.path().join("Cargo.toml"), "[workspace]\n").unwrap();
    let inside = dir.path().join("drivers/x");
    let output = wrap(&inside, &["--linux-src", MINI, "--driver", "e1000"]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    let package = dir.path().canonicalize().unwrap().join("out/pkg/e1000");
    assert!(err(&output).contains(&format!("to {}\n", package.display())), "{}", err(&output));
}

/// Another run with another file makes another workspace and leaves the first alone.
#[test]
fn two_runs_do_not_touch_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let run = |name: &str, driver: &str| {
        fs::write(dir.path().join(name), format!("LINUX_SRC='{MINI}'\nDRIVER={driver}\n")).unwrap();
        let output = wrap(dir.path(), &["--config", name]);
        assert_eq!(output.status.code(), Some(3), "{}", err(&output));
        workspace(&output)
    };
    let (first, manifest) = run("one.conf", "e1000");
    let (second, other) = run("two.conf", "VIRTIO_BLK");
    assert_ne!(first, second);
    assert!(other.contains("driver: VIRTIO_BLK\n"), "{other}");
    let now = fs::read_to_string(Path::new(&first).join("driver.yaml")).unwrap();
    assert_eq!(now, manifest);
}

#[test]
fn a_file_is_never_run() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("driver.conf"), "DRIVER=$(touch ran)\ntouch ran\n").unwrap();
    let output = wrap(dir.path(), &["--config", "driver.conf", "--linux-src", MINI]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("driver.conf:1:8: error: `$` means"), "{}", err(&output));
    assert!(err(&output).contains("driver.conf:2:1: error: no assignment"), "{}", err(&output));
    assert!(!dir.path().join("ran").exists());
}

#[test]
fn what_is_missing_is_said_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |args: &[&str]| {
        let output = wrap(dir.path(), args);
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        assert!(output.stdout.is_empty());
        err(&output)
    };
    let text = fails(&["--config", "none.conf"]);
    assert!(text.starts_with("none.conf: error: cannot read: No such file"), "{text}");
    let text = fails(&[]);
    assert!(text.contains("LINUX_SRC=DIR in the file of --config"), "{text}");
    let text = fails(&["--linux-src", "/nowhere", "--driver", "e1000"]);
    assert!(text.starts_with("/nowhere: error: no such folder"), "{text}");
    let text = fails(&["--linux-src", "/nowhere"]);
    assert!(text.starts_with("/nowhere: error: no such folder"), "{text}");
    let text = fails(&["--linux-src", MINI]);
    assert!(text.contains("there is no terminal to ask on"), "{text}");
    fs::write(dir.path().join("c"), "DRIVER=mynic\n").unwrap();
    let text = fails(&["--linux-src", MINI, "--config", "c"]);
    assert!(text.contains("c: error: there is no driver `mynic` for arm64"), "{text}");
    let args = ["--linux-src", MINI, "--driver", "e1000", "--cross-compile", "none-such-"];
    let text = fails(&args);
    assert!(text.contains("none-such-gcc") && text.contains("CROSS_COMPILE_ARM64"), "{text}");
    assert_eq!(wrap(dir.path(), &["--bogus"]).status.code(), Some(2));
    let help = wrap(dir.path(), &["--help"]);
    assert_eq!(help.status.code(), Some(0));
}
