//! The log: lines to the Vcon that the loader granted, behind the `log` crate.
//!
//! A line goes out as one message, so lines of several threads or tasks do not mix; a line that
//! does not fit into one is kept together by a lock among the threads of this task. Nothing here
//! allocates.

mod limit;
mod line;
mod lock;

pub use limit::{Source, limited, report_left_out};
pub use line::{CHUNK, LineBuffer};

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::abi::cap::Sel;
use crate::cap::{Object, Vcon};

/// Selector of the Vcon; invalid (0) before start-up.
static VCON: AtomicUsize = AtomicUsize::new(0);

/// Makes `vcon` the log of the program and announces it to the `log` crate, with messages up to
/// level info. Called by start-up.
pub(crate) fn init(vcon: Sel) {
    VCON.store(vcon.0, Ordering::Release);
    if log::set_logger(&LOGGER).is_ok() {
        set_verbosity(0, false);
    }
}

/// Sets what is shown, from the options that all drivers share: everything up to info by default,
/// debug with one `-v`, trace with two or more, errors only with `-q`.
pub fn set_verbosity(verbose: usize, quiet: bool) {
    log::set_max_level(match (quiet, verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0) => LevelFilter::Info,
        (false, 1) => LevelFilter::Debug,
        (false, _) => LevelFilter::Trace,
    });
}

/// Whether C code has printed a line and not ended it.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Prints text whatever the level; the last line is ended if it is not.
/// [`println!`](crate::println) is the way to call it.
pub fn print(text: fmt::Arguments<'_>) {
    let raw = VCON.load(Ordering::Acquire);
    if raw == 0 {
        return;
    }
    let vcon = Vcon::at(Sel::from_raw(raw));
    let _line = lock::acquire();
    if OPEN.swap(false, Ordering::Relaxed) {
        vcon.write(b"\n");
    }
    let mut out = LineBuffer::new(|piece: &[u8]| vcon.write(piece));
    // The sink cannot fail, and a broken `Display` loses no more than the rest of its own line.
    let _ = out.write_fmt(text);
    out.finish();
}

/// Prints bytes as they are, in the middle of a line or not: what C code prints. A line that is
/// left open is ended before anything else is printed.
#[cfg(target_os = "none")]
pub(crate) fn print_bytes(text: &[u8]) {
    let raw = VCON.load(Ordering::Acquire);
    let Some(last) = text.last().filter(|_| raw != 0) else {
        return;
    };
    let _piece = lock::acquire();
    Vcon::at(Sel::from_raw(raw)).write(text);
    OPEN.store(*last != b'\n', Ordering::Relaxed);
}

/// Prints a line to the log of the program, whatever the level set.
///
/// For the output that *is* the purpose of a program, such as the result lines of a test; what
/// happened on the way belongs to the macros of the `log` crate.
#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => { $crate::log::print(::core::format_args!($($arg)*)) };
}

struct Logger;

static LOGGER: Logger = Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (text, target) = (record.args(), record.target());
        match record.level() {
            Level::Error => print(format_args!("error: {text}")),
            Level::Warn => print(format_args!("warning: {text}")),
            Level::Info => print(format_args!("{text}")),
            Level::Debug => print(format_args!("debug: {target}: {text}")),
            Level::Trace => print(format_args!("trace: {target}: {text}")),
        }
    }

    fn flush(&self) {}
}
