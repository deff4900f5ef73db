//! `packager pick` with the real program `dialog`, on a screen that is looked at.

use std::process::Command;

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
#[path = "terminal/pty.rs"]
mod pty;
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
#[path = "terminal/session.rs"]
mod session;

use session::Session;

const MINI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/linux/trees/mini");

const ESCAPE: &str = "\u{1b}";
const ENTER: &str = "\r";
/// From the button OK to the next one.
const SEARCH: &str = "\t\r";

fn pick(kind: &str) -> Session {
    let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
    Session::start(command.args(["pick", "--linux-src", MINI]), kind)
}

#[test]
fn menus_lead_to_the_driver_and_are_gone_from_the_screen() {
    for kind in ["xterm", "vt100"] {
        let mut session = pick(kind);
        session.sees("Subsystem:");
        session.types(&format!("n{ENTER}"));
        let screen = session.sees("Driver in net:");
        assert!(screen.contains("Escape: back") && screen.contains("Search"), "{screen}");
        session.types(ENTER);
        let ended = session.end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "net\tACME_ONE\n"), "{ended:?}");
        assert!(
            !ended.screen.contains("Subsystem") && !ended.screen.contains("Driver"),
            "{ended:?}"
        );
        // A terminal that can brings back what was there before.
        let back = if kind == "xterm" { "before" } else { "" };
        assert_eq!(ended.screen.trim(), back, "{kind}");
    }
}

#[test]
fn a_search_finds_drivers_and_escape_goes_back_one_step() {
    let mut session = pick("xterm");
    session.sees("Subsystem:");
    session.types(SEARCH);
    session.sees("Word to search for");
    session.types(&format!("zzz{ENTER}"));
    session.sees("No driver mentions zzz.");
    session.types(&format!("pro/1000{ENTER}"));
    let screen = session.sees("Drivers that mention");
    assert!(screen.contains("E1000E") && screen.contains("[net]"), "{screen}");
    session.types(ESCAPE);
    session.sees("Word to search for");
    session.types(ESCAPE);
    session.sees("Subsystem:");
    session.types(&format!("n{ENTER}"));
    session.sees("Driver in net:");
    session.types(ESCAPE);
    session.sees("Subsystem:");
    // The cursor is where it was.
    session.types(ENTER);
    session.sees("Driver in net:");
    session.types(SEARCH);
    session.sees("Word to search for in net:");
    session.types(&format!("virtio{ENTER}"));
    session.sees("VIRTIO_NET");
    session.types(ENTER);
    let ended = session.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "net\tVIRTIO_NET\n"), "{ended:?}");
}

#[test]
fn escape_in_the_first_menu_gives_up() {
    let mut session = pick("xterm");
    session.sees("Subsystem:");
    session.types(ESCAPE);
    let ended = session.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(255), ""), "{ended:?}");
    assert!(ended.screen.contains("before\nerror: cancelled: no driver was chosen"), "{ended:?}");
}
