//! Commands run at a pseudo terminal, as a person would run them.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use l4re_qemu::patience;

pub mod pty;

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
    let (mut master, slave) = pty::open();
    command.stdin(slave()).stderr(slave()).env("TERM", "xterm");
    command.stdout(if piped { Stdio::piped() } else { slave() });
    let mut child = command.spawn().unwrap();
    // The command holds the other ends, too; only its own copies shall keep the terminal open.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
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
    let (start, limit) = (Instant::now(), patience(60));
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > limit => {
                child.kill().unwrap();
                panic!("still running after {limit:?}");
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    Seen { code: status.code(), screen: screen.join().unwrap(), stdout }
}
