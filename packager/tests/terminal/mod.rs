//! Commands run at a pseudo terminal, as a person would run them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use std::os::unix::fs::PermissionsExt;

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

/// A folder with the programs of the machine that tests need, and no `dialog`.
pub fn path_without_dialog(folder: &Path) -> PathBuf {
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
pub fn fake_dialog(folder: &Path, then: &str) -> PathBuf {
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
