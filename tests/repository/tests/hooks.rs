//! The hook for commit messages refuses what the rules refuse.

use std::fs;
use std::process::Command;

use l4re_test_repository::root;

/// What the hook says to a message; nothing if it is content.
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn refusal(message: &str) -> Option<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), message).unwrap();
    let hook = root().join("scripts/hooks/commit-msg");
    let output = Command::new(hook).arg(file.path()).output().unwrap();
    (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
}

#[test]
fn first_lines_have_at_most_72_characters() {
    assert_eq!(refusal(&"x".repeat(72)), None);
    // Characters, not bytes.
    assert_eq!(refusal(&"ä".repeat(72)), None);
    assert!(refusal(&"x".repeat(73)).unwrap().contains("73 characters, at most 72"));
    assert_eq!(refusal(&format!("Merge {}", "x".repeat(90))), None);
}

#[test]
fn an_empty_line_separates_the_body() {
    assert_eq!(refusal("A line\n\nA body\n"), None);
    assert!(refusal("A line\nA body\n").unwrap().contains("second line must be empty"));
}
