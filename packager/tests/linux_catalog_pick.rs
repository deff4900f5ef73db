//! `packager pick` and `tools/driver_picker_menu.sh` at a terminal, with a stand-in for `dialog`,
//! without one, and without a terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
#[path = "terminal/mod.rs"]
mod terminal;

const MINI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/linux/trees/mini");
const MENU: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/driver_picker_menu.sh");

/// Chooses the subsystem net in the first menu, E1000 in the second.
const CHOOSES: &str = "case $n in 1) echo net >&2 ;; *) echo E1000 >&2 ;; esac";

fn pick(path: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
    command.args(["pick", "--linux-src", MINI]).args(args).env("PATH", path);
    command
}

/// A folder with the programs of the machine that tests need, and no `dialog`.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn path_without_dialog(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for program in ["sh", "gcc", "cat", "ls", "dirname", "readlink", "printf"] {
        for place in ["/usr/bin", "/bin"] {
            let real = Path::new(place).join(program);
            if real.exists() {
                let _there_already = std::os::unix::fs::symlink(real, bin.join(program));
            }
        }
    }
    bin
}

/// A stand-in for `dialog` that writes its arguments, one a line, to `dialog.1`, `dialog.2`, … in
/// `folder`, and then runs `then` with the number in `$n`. Gives the folder for PATH.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn fake_dialog(folder: &Path, then: &str) -> PathBuf {
    let bin = path_without_dialog(folder);
    let path = bin.join("dialog");
    let log = folder.join("dialog").display().to_string();
    let text = format!(
        "#!/bin/sh\nn=1\nwhile [ -e {log}.$n ]; do n=$((n + 1)); done\n\
         for word; do printf '%s\\n' \"$word\"; done >{log}.$n\necho drawing\n{then}\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    bin
}

/// The words that a call of the stand-in for `dialog` got.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn words(folder: &Path, call: usize) -> Vec<String> {
    let text = fs::read_to_string(folder.join(format!("dialog.{call}"))).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn two_menus_lead_to_the_driver() {
    let dir = tempfile::tempdir().unwrap();
    let path = fake_dialog(dir.path(), CHOOSES);
    let seen = terminal::run(&mut pick(&path, &[]), "", true);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "net\tE1000\n"), "{}", seen.screen);
    // What dialog draws goes to the terminal.
    assert!(seen.screen.contains("drawing\ndrawing\n"), "{}", seen.screen);
    let first = words(dir.path(), 1);
    let at = |words: &[String]| words.iter().position(|word| word == "--menu").unwrap() + 1;
    let head = ["--keep-tite", "--erase-on-exit", "--title", "Linux 6.1.99-mini, arm64"];
    assert_eq!(first[..4], head);
    assert_eq!(first[at(&first)..][..4], ["Subsystem:", "0", "0", "0"]);
    assert_eq!(first[at(&first) + 4..][..4], ["block", "5 drivers", "cabinet", "1 driver"]);
    let second = words(dir.path(), 2);
    assert_eq!(second[at(&second)], "Driver in net:");
    let tags: Vec<&str> = second[at(&second) + 4..].iter().step_by(2).map(String::as_str).collect();
    let net = ["ACME_ONE", "ACME_TWO", "E1000", "E1000E", "PHYLIB", "SHARED_PHY", "VIRTIO_NET"];
    assert_eq!(tags, net);
    assert!(!dir.path().join("dialog.3").exists());
}

#[test]
fn a_subsystem_that_is_named_is_not_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = fake_dialog(dir.path(), "echo VIRTIO_NET >&2");
    let seen = terminal::run(&mut pick(&path, &["--subsystem", "net"]), "", true);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "net\tVIRTIO_NET\n"));
    assert!(words(dir.path(), 1).contains(&"Driver in net:".into()));
    assert!(!dir.path().join("dialog.2").exists());
}

#[test]
fn giving_up_in_a_menu_hands_on_the_status_of_dialog() {
    for (then, code) in
        [("exit 1", 1), ("exit 255", 255), ("[ $n = 1 ] || exit 1; echo net >&2", 1)]
    {
        let dir = tempfile::tempdir().unwrap();
        let path = fake_dialog(dir.path(), then);
        let seen = terminal::run(&mut pick(&path, &[]), "", true);
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(code), ""), "{}", seen.screen);
        let message = "error: cancelled: no driver was chosen";
        assert!(seen.screen.contains(message), "{}", seen.screen);
    }
}

#[test]
fn without_dialog_a_prompt_asks_and_says_how_to_get_menus() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_without_dialog(dir.path());
    let seen = terminal::run(&mut pick(&path, &[]), "net\ngigabit\n1\n", true);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "net\tE1000\n"), "{}", seen.screen);
    assert!(seen.screen.contains("With the program `dialog` installed"), "{}", seen.screen);
    let seen = terminal::run(&mut pick(&path, &[]), "q\n", true);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""), "{}", seen.screen);
    assert!(seen.screen.contains("cancelled"), "{}", seen.screen);
}

#[test]
fn without_a_terminal_it_is_said_at_once_what_to_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = fake_dialog(dir.path(), CHOOSES);
    let mut command = pick(&path, &[]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: there is no terminal to ask on\n  help: name the driver: --subsystem NAME \
         --driver SYMBOL, also for `packager extract`; `packager list` shows what there is\n"
    );
    // A wrong folder is what is wrong in the first place.
    let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
    command.args(["pick", "--linux-src", "/nowhere"]).env("PATH", &path);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("/nowhere: error: no such folder"), "{text}");
    assert!(!dir.path().join("dialog.1").exists());
}

#[test]
fn a_driver_that_is_named_is_checked_without_asking() {
    let dir = tempfile::tempdir().unwrap();
    let path = fake_dialog(dir.path(), CHOOSES);
    let run = |args: &[&str]| {
        let output = pick(&path, args).stdin(Stdio::null()).output().unwrap();
        let (out, err) = (output.stdout, output.stderr);
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    };
    let good = |args: &[&str], line: &str| assert_eq!(run(args), (line.into(), String::new()));
    good(&["--driver", "e1000"], "net\tE1000\n");
    good(&["--driver", "CONFIG_E1000"], "net\tE1000\n");
    good(&["-q", "--driver", "SHARED_PHY", "--subsystem", "usb"], "usb\tSHARED_PHY\n");
    let bad = |args: &[&str], message: &str| assert_eq!(run(args), (String::new(), message.into()));
    bad(
        &["--driver", "E100"],
        "error: there is no driver `E100` for arm64\n  help: did you mean `E1000`?\n",
    );
    bad(
        &["--driver", "SHARED_PHY"],
        "error: several subsystems define SHARED_PHY\n  help: say which with --subsystem: net \
         (drivers/net/Kconfig:12), usb (drivers/usb/Kconfig:6)\n",
    );
    bad(
        &["--driver", "E1000", "--subsystem", "usb"],
        "error: E1000 is not in usb\n  help: it is in net \
         (drivers/net/ethernet/intel/Kconfig:9)\n",
    );
    bad(
        &["--driver", "NET_VENDOR_INTEL"],
        "error: NET_VENDOR_INTEL is no driver: gate, only opens a folder with drivers\n  help: \
         take one of these: E1000, E1000E\n",
    );
    bad(
        &["--driver", "E1000_DEBUGFS"],
        "error: E1000_DEBUGFS is no driver: member, only adds objects to drivers of other \
         options\n  help: take one of these: E1000\n",
    );
    bad(
        &["--driver", "MII"],
        "error: MII is no driver: helper, cannot be chosen, others select it\n  help: it is \
         defined at drivers/net/Kconfig:9; `packager list` shows the drivers\n",
    );
}

/// A stand-in for the packager that answers `pick` and writes down what else it is asked.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn fake_packager(dir: &Path) -> PathBuf {
    let program = dir.join("packager");
    let log = dir.join("asked").display().to_string();
    let text = format!(
        "#!/bin/sh\necho \"$*\" >>{log}\ncase $1 in\n\
         pick) [ -z \"$FAIL\" ] || exit \"$FAIL\"; printf 'net\\tE1000\\n' ;;\nesac\n"
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
fn the_menu_script_picks_and_then_extracts() {
    let asked = |args: &[&str], fail: &str| {
        let dir = tempfile::tempdir().unwrap();
        let program = fake_packager(dir.path());
        let mut command = Command::new(MENU);
        command.args(args).env("PACKAGER", program).env("FAIL", fail);
        let status = command.status().unwrap();
        let asked = fs::read_to_string(dir.path().join("asked")).unwrap();
        (status.code().unwrap(), asked)
    };
    let extract = "extract --linux-src /l x --subsystem net --driver E1000\n";
    assert_eq!(
        asked(&["--linux-src", "/l x"], ""),
        (0, format!("pick --linux-src /l x\n{extract}"))
    );
    assert_eq!(
        asked(&["--linux-src", "l", "--subsystem", "net"], "").1,
        "pick --linux-src l --subsystem net\nextract --linux-src l --subsystem net --driver E1000\n"
    );
    assert_eq!(asked(&["--driver", "X"], "").1, "extract --driver X\n");
    assert_eq!(asked(&["--linux-src", "l"], "255"), (255, "pick --linux-src l\n".into()));
    assert_eq!(asked(&["--help"], "").1, "pick --help\n");
}
