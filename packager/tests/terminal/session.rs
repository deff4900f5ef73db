//! A command at a terminal, and somebody who looks at the screen before the next key.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::pty;

/// When a command is taken to hang.
const LIMIT: Duration = Duration::from_secs(600);

/// The screen, and a notice for each change of it.
type Screen = Arc<(Mutex<vt100::Parser>, Condvar)>;

/// A command that runs at a terminal.
pub struct Session {
    child: Child,
    keys: File,
    screen: Screen,
    reader: JoinHandle<()>,
}

/// What came of it.
#[derive(Debug)]
pub struct Ended {
    /// Exit status.
    pub code: Option<i32>,
    /// What stands on the screen.
    pub screen: String,
    /// What went to standard output, which is read by a program.
    pub stdout: String,
}

impl Session {
    /// Starts a command at a terminal of this kind (`TERM`), with standard output read by a program
    /// as in `choice=$(…)`. The screen has a line `before` on it.
    pub fn start(command: &mut Command, kind: &str) -> Self {
        let (master, slave) = pty::open();
        command.stdin(slave()).stderr(slave()).stdout(Stdio::piped()).env("TERM", kind);
        let child = command.spawn().unwrap();
        command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::null());
        let [rows, columns] = [pty::SIZE.0, pty::SIZE.1].map(|size| NonZero::new(size).unwrap());
        let mut parser = vt100::Parser::new(rows, columns, 0);
        parser.process(b"before\r\n");
        let screen: Screen = Arc::new((Mutex::new(parser), Condvar::new()));
        let (mut output, shared) = (master.try_clone().unwrap(), Arc::clone(&screen));
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                shared.0.lock().unwrap().process(&buffer[..count]);
                shared.1.notify_all();
            }
        });
        Self { child, keys: master, screen, reader }
    }

    /// Waits until the text is on the screen and the command waits for a key, and gives all of the
    /// screen. What is typed earlier can be lost, and the screen can be half drawn.
    pub fn sees(&self, text: &str) -> String {
        let (parser, changed) = &*self.screen;
        let missing = |parser: &mut vt100::Parser| !parser.screen().contents().contains(text);
        let found = parser.lock().unwrap();
        let (found, wait) = changed.wait_timeout_while(found, LIMIT, missing).unwrap();
        let mut contents = found.screen().contents();
        drop(found);
        assert!(!wait.timed_out(), "no `{text}` on the screen:\n{contents}");
        let mut still = 0;
        while still < 5 {
            thread::sleep(Duration::from_millis(20));
            let now = parser.lock().unwrap().screen().contents();
            still = if now == contents && self.sleeps() { still + 1 } else { 0 };
            contents = now;
        }
        contents
    }

    /// Whether the command, or the one that it has started last, sleeps until something happens. One
    /// that only has to wait for the processor does not.
    fn sleeps(&self) -> bool {
        let mut id = self.child.id();
        loop {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
            let children = children.unwrap_or_default();
            let Some(last) = children.split_whitespace().last() else { break };
            id = last.parse().unwrap();
        }
        let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        state.rsplit_once(')').is_some_and(|(_, state)| state.starts_with(" S"))
    }

    /// Types.
    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end of the command.
    pub fn end(mut self) -> Ended {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        self.reader.join().unwrap();
        let screen = self.screen.0.lock().unwrap().screen().contents();
        Ended { code, screen, stdout }
    }
}
