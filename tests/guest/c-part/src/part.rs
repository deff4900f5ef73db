//! The functions of `part.c`, and what it calls back.

extern crate alloc;

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use core::ffi::{CStr, c_char, c_int};

use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::env::thread::Builder;

unsafe extern "C" {
    /// Runs all cases. Returns their number, or -1 with the reason in `why`.
    fn part_run(why: *mut c_char, size: usize) -> c_int;
    /// Ends the program as `how` says; returns if it does not know how.
    fn part_end(how: *const c_char);
    /// Sets `errno`, lets others run, and returns it.
    fn part_errno(number: c_int) -> c_int;
}

/// Runs the cases of the C code. The number of them, or why one failed.
pub fn run() -> Result<c_int, String> {
    let mut why: [c_char; 200] = [0; 200];
    // SAFETY: the buffer can be written for its size.
    let cases = unsafe { part_run(why.as_mut_ptr(), why.len()) };
    if cases < 0 {
        // SAFETY: the C code has stored a string there.
        return Err(unsafe { CStr::from_ptr(why.as_ptr()) }.to_string_lossy().into_owned());
    }
    errno_belongs_to_a_thread()?;
    Ok(cases + 1)
}

/// Ends the program in the C code.
pub fn end(how: &str) {
    if let Ok(how) = CString::new(how) {
        // SAFETY: a string.
        unsafe { part_end(how.as_ptr()) }
    }
}

fn errno_belongs_to_a_thread() -> Result<(), String> {
    // SAFETY: a function of a number.
    let set = |number| unsafe { part_errno(number) };
    set(11);
    let other = Builder::default().spawn(move || set(22)).map_err(|e| format!("thread: {e}"))?;
    let theirs = other.join(Timeout::NEVER).map_err(|e| format!("join: {e}"))?;
    // 0 only looks.
    let ours = set(0);
    if (ours, theirs) == (11, 22) { Ok(()) } else { Err(format!("errno {ours} and {theirs}")) }
}

/// Adds two numbers, for C code that calls Rust code.
#[unsafe(no_mangle)]
extern "C" fn part_add(left: c_int, right: c_int) -> c_int {
    left.wrapping_add(right)
}
