//! A pseudo terminal of 24 lines and 72 columns.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Lines and columns.
pub const SIZE: (u16, u16) = (24, 72);

/// Its two ends: the one to type at and read from, and what opens the one for a command.
pub fn open() -> (File, impl Fn() -> Stdio) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let size = Winsize { ws_row: SIZE.0, ws_col: SIZE.1, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = move || -> Stdio {
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let fd: OwnedFd = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
        fd.into()
    };
    (File::from(master), slave)
}
