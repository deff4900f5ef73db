//! Drafts: whole or not at all, and gone when the program is interrupted.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use l4re_files::{Draft, DraftFolder, ScratchFolder, interrupt};
use rustix::process::{Pid, Signal, kill_process};

/// Names the folder in which a copy of this program makes drafts and waits.
const CHILD: &str = "L4RE_FILES_TEST_FOLDER";

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_takes_its_place_whole_and_a_link_there_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let to = folder.path().join("x");
    symlink(&secret, &to).unwrap();
    drop(Draft::beside(&to).unwrap());
    assert_eq!(names(folder.path()), ["secret", "x"]);
    let mut draft = Draft::beside(&to).unwrap();
    assert!(draft.path().parent() == Some(folder.path()) && draft.path() != to);
    draft.file().write_all(b"new").unwrap();
    draft.set_mode(0o755).unwrap();
    draft.persist(&to).unwrap();
    assert_eq!(names(folder.path()), ["secret", "x"]);
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    assert!(!to.is_symlink());
    assert_eq!((fs::read(&to).unwrap(), mode(&to)), (b"new".to_vec(), 0o755));
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_folder_changes_places_with_the_old_one_which_goes() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("x");
    for text in ["old", "new"] {
        let draft = DraftFolder::beside(&to).unwrap();
        fs::write(draft.path().join(text), text).unwrap();
        draft.persist(&to).unwrap();
        assert_eq!((names(folder.path()), names(&to)), (vec!["x".into()], vec![text.into()]));
        assert_eq!(mode(&to), 0o755);
    }
    drop(DraftFolder::beside(&to).unwrap());
    assert_eq!(names(folder.path()), ["x"]);
}

#[test]
fn two_drafts_of_one_name_differ_and_long_names_fit() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("ü".repeat(127));
    let (one, other) = (Draft::beside(&to).unwrap(), Draft::beside(&to).unwrap());
    assert_ne!(one.path(), other.path());
    one.persist(&to).unwrap();
    assert!(Draft::beside(Path::new("/")).is_err());
}

#[test]
fn an_interrupted_program_leaves_what_was_finished_and_nothing_else() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return child(Path::new(&folder));
    }
    // What the tests were started with (a shell's `&` or nohup ignores signals) goes to children, and
    // an ignored signal stays ignored.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    let counts = |signal: &Signal| ignored >> (signal.as_raw() - 1) & 1 == 0;
    let signals: Vec<Signal> =
        [Signal::INT, Signal::TERM, Signal::HUP].into_iter().filter(counts).collect();
    assert!(!signals.is_empty(), "all of them are ignored");
    for signal in signals {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("an_interrupted_program_leaves_what_was_finished_and_nothing_else")
            .env(CHILD, folder.path())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.contains("drafts are made")));
        assert!(names(folder.path()).len() > 4);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
        assert_eq!(names(folder.path()), ["done"]);
    }
}

/// Makes one of each, and waits for the end.
#[expect(clippy::unwrap_used, reason = "a panic ends the child, which the test sees")]
fn child(folder: &Path) {
    interrupt::clean_up().unwrap();
    Draft::beside(&folder.join("done")).unwrap().persist(&folder.join("done")).unwrap();
    let file = Draft::beside(&folder.join("file")).unwrap();
    let tree = DraftFolder::beside(&folder.join("tree")).unwrap();
    let scratch = ScratchFolder::new().unwrap();
    fs::create_dir_all(tree.path().join("a/b")).unwrap();
    fs::write(tree.path().join("a/b/c"), "c").unwrap();
    fs::write(scratch.path().join("x"), "x").unwrap();
    let more = ScratchFolder::within(folder).unwrap();
    println!("drafts are made");
    let mut end = Vec::new();
    std::io::stdin().read_to_end(&mut end).unwrap();
    drop((file, tree, scratch, more));
}
