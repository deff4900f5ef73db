//! Commands run at a pseudo terminal, as a person would run them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Longest that a command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What came of a command.
#[derive(Debug)]
pub struct Seen {
    /// Exit status.
    pub code: Option<i32>,
    /// What stood on the screen, with `\n` for the ends of lines.
    pub screen: String,
    /// What went to standard output, if that was no terminal.
    pub stdout: String,
}

/// Runs a command at a terminal of 72 columns and types `input`. With `piped`, standard output is
/// read by a program, as in `choice=$(…)`.
pub fn run(command: &mut Command, input: &str, piped: bool) -> Seen {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let size = Winsize { ws_row: 24, ws_col: 72, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = || -> Stdio {
        let fd: OwnedFd =
            rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty())
                .unwrap();
        fd.into()
    };
    command.stdin(slave()).stderr(slave()).env("TERM", "xterm");
    command.stdout(if piped { Stdio::piped() } else { slave() });
    let mut child = command.spawn().unwrap();
    // The command holds the other ends, too; only its own copies shall keep the terminal open.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut master = File::from(master);
    master.write_all(input.as_bytes()).unwrap();
    let mut reader = master.try_clone().unwrap();
    let screen = thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
        // The end is an error: nobody has the terminal open any more.
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&all).replace("\r\n", "\n")
    });
    let mut stdout = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut stdout).unwrap();
    }
    let start = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > LIMIT => {
                child.kill().unwrap();
                panic!("still running after {LIMIT:?}");
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    Seen { code: status.code(), screen: screen.join().unwrap(), stdout }
}
