//! What is on its way when the program is interrupted.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Paths of drafts and scratch folders.
static PENDING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// How often a folder is removed in which another thread still makes files.
const TRIES: usize = 1000;

fn list() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The entry of a draft in the list; it goes with the draft.
#[derive(Debug)]
pub(crate) struct Pending(PathBuf);

/// Makes something that is to go if the program is interrupted. `make` gives it and its path.
pub(crate) fn pending<T>(
    make: impl FnOnce() -> io::Result<(T, PathBuf)>,
) -> io::Result<(T, Pending)> {
    // Nothing is made that is not listed, and nothing once the list is being worked off.
    let mut list = list();
    let (made, path) = make()?;
    // The working folder can be another one by then.
    let path = std::path::absolute(path)?;
    list.insert(path.clone());
    Ok((made, Pending(path)))
}

impl Pending {
    /// Runs the step by which it is pending no more. While the list is worked off that step is not
    /// taken: what is half removed must not take its place.
    pub(crate) fn done<T>(self, step: impl FnOnce() -> T) -> T {
        let mut list = list();
        let result = step();
        list.remove(&self.0);
        drop(list);
        // Nothing is left to take out of the list.
        std::mem::forget(self);
        result
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        list().remove(&self.0);
    }
}

/// From now on a signal that ends the program – interrupt, hang-up, termination – ends it only when
/// drafts and scratch folders are removed. To be called once, by the program.
///
/// # Errors
///
/// If the signals cannot be waited for.
pub fn clean_up() -> io::Result<()> {
    let ignored = ignored();
    // Who starts a program in the background or with nohup wants it to go on.
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter();
    let mut signals = Signals::new(wanted.filter(|signal| ignored >> (signal - 1) & 1 == 0))?;
    let wait = move || {
        for signal in signals.forever() {
            let pending = list();
            pending.iter().for_each(|path| remove(path));
            // Ends the program, with the list still locked.
            let _ended = emulate_default_handler(signal);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

/// The signals that whoever started the program has it ignore, a bit each; none if that is not known.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn remove(path: &Path) {
    for _ in 0..TRIES {
        let removed = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => return,
        };
        if removed.is_ok() {
            return;
        }
    }
}
