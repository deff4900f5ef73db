//! `stdio.h`: output to the log, and formatting into memory.
//!
//! `stdout` and `stderr` are both the log; there are no files and no input. Each call writes at
//! once, and gathers its text first, so that a line printed by one call is one message if it fits.

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::arch::{VaList, variadic};
use crate::errno;
use crate::format::{self, Buffer, LogSink, Sink};
use crate::hooks;

/// What a stream of C points to. There is nothing to know about it.
#[repr(C)]
pub struct File {
    number: c_int,
}

/// A pointer that C reads as `FILE *`.
#[repr(transparent)]
pub struct Stream(*const File);

// SAFETY: it points to a constant.
unsafe impl Sync for Stream {}

static OUT: File = File { number: 1 };
static ERR: File = File { number: 2 };

/// The log (C11 7.21.1).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
#[cfg_attr(not(target_os = "none"), expect(non_upper_case_globals, reason = "the name is C's"))]
pub static stdout: Stream = Stream(&raw const OUT);

/// The log too (C11 7.21.1).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
#[cfg_attr(not(target_os = "none"), expect(non_upper_case_globals, reason = "the name is C's"))]
pub static stderr: Stream = Stream(&raw const ERR);

/// What functions of this header return for a failure.
pub const EOF: c_int = -1;

/// Formats into `sink`. -1 with `errno` set if that is not possible.
///
/// # Safety
///
/// As for [`format::format`].
unsafe fn print(sink: &mut dyn Sink, text: *const c_char, args: &mut VaList) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { format::format(sink, text, args) }.unwrap_or_else(|error| {
        errno::set(error.errno());
        EOF
    })
}

/// Prints to the log (C11 7.21.6.10).
///
/// # Safety
///
/// `text` is a format, and `args` has what it asks for.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn vprintf(text: *const c_char, args: &mut VaList) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { print(&mut LogSink::new(), text, args) }
}

/// Prints to a stream, which is the log always (C11 7.21.6.8).
///
/// # Safety
///
/// `text` is a format, and `args` has what it asks for.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn vfprintf(
    _stream: *mut File,
    text: *const c_char,
    args: &mut VaList,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { vprintf(text, args) }
}

/// Formats into `size` characters with a NUL (C11 7.21.6.12). Returns the length that the text
/// would have had: not less than `size` means that it was cut.
///
/// # Safety
///
/// `to` can be written for `size` characters, or for the text and its NUL if that is less; `text`
/// is a format, and `args` has what it asks for.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn vsnprintf(
    to: *mut c_char,
    size: usize,
    text: *const c_char,
    args: &mut VaList,
) -> c_int {
    // SAFETY: `to` can be written for `size` characters as far as they are used.
    let mut buffer = unsafe { Buffer::new(to.cast(), size.saturating_sub(1)) };
    // SAFETY: the caller's promise.
    let length = unsafe { print(&mut buffer, text, args) };
    if size > 0 {
        // SAFETY: the buffer keeps one character free.
        unsafe { to.wrapping_add(buffer.stored()).write(0) };
    }
    length
}

/// Formats into memory without a limit (C11 7.21.6.13).
///
/// # Safety
///
/// `to` has room for the text and its NUL; `text` is a format, and `args` has what it asks for.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn vsprintf(
    to: *mut c_char,
    text: *const c_char,
    args: &mut VaList,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { vsnprintf(to, usize::MAX, text, args) }
}

variadic! {
    /// Prints to the log (C11 7.21.6.3).
    ///
    /// # Safety
    ///
    /// `text` is a format, and the other arguments are what it asks for.
    fn printf(text: *const c_char; ...) [1] => vprintf
}

variadic! {
    /// Prints to a stream, which is the log always (C11 7.21.6.1).
    ///
    /// # Safety
    ///
    /// `text` is a format, and the other arguments are what it asks for.
    fn fprintf(stream: *mut File, text: *const c_char; ...) [2] => vfprintf
}

variadic! {
    /// Formats into memory without a limit (C11 7.21.6.6).
    ///
    /// # Safety
    ///
    /// `to` has room for the text and its NUL; `text` is a format, and the other arguments are what
    /// it asks for.
    fn sprintf(to: *mut c_char, text: *const c_char; ...) [2] => vsprintf
}

variadic! {
    /// Formats into `size` characters with a NUL (C11 7.21.6.5). Returns the length that the text
    /// would have had.
    ///
    /// # Safety
    ///
    /// `to` can be written for `size` characters, or for the text and its NUL if that is less;
    /// `text` is a format, and the other arguments are what it asks for.
    fn snprintf(to: *mut c_char, size: usize, text: *const c_char; ...) [3] => vsnprintf
}

/// Prints a string and a line feed (C11 7.21.7.9).
///
/// # Safety
///
/// `text` is a string.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn puts(text: *const c_char) -> c_int {
    let mut log = LogSink::new();
    // SAFETY: a string by the caller's promise.
    log.put(unsafe { CStr::from_ptr(text) }.to_bytes());
    log.put(b"\n");
    0
}

/// Prints a string (C11 7.21.7.4).
///
/// # Safety
///
/// `text` is a string.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn fputs(text: *const c_char, _stream: *mut File) -> c_int {
    // SAFETY: a string by the caller's promise.
    hooks::write(unsafe { CStr::from_ptr(text) }.to_bytes());
    0
}

/// Prints `count` elements of `size` bytes and returns how many (C11 7.21.8.2).
///
/// # Safety
///
/// `data` can be read for all of them.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn fwrite(
    data: *const c_void,
    size: usize,
    count: usize,
    _stream: *mut File,
) -> usize {
    match size.checked_mul(count) {
        Some(0) | None => 0,
        Some(length) => {
            // SAFETY: the caller's promise; memory of that size exists, so the product is in range.
            hooks::write(unsafe { core::slice::from_raw_parts(data.cast(), length) });
            count
        }
    }
}

/// Prints a character, and returns it as `unsigned char` (C11 7.21.7.8).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn putchar(character: c_int) -> c_int {
    let byte = character as u8;
    hooks::write(&[byte]);
    byte.into()
}

/// Prints a character, and returns it as `unsigned char` (C11 7.21.7.3).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn fputc(character: c_int, _stream: *mut File) -> c_int {
    putchar(character)
}

/// Prints a character, and returns it as `unsigned char` (C11 7.21.7.7).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn putc(character: c_int, _stream: *mut File) -> c_int {
    putchar(character)
}

/// Nothing is kept back, so there is nothing to do (C11 7.21.5.2).
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn fflush(_stream: *mut File) -> c_int {
    0
}

/// Prints `prefix` and the text of `errno` (C11 7.21.10.4).
///
/// # Safety
///
/// `prefix` is null or a string.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn perror(prefix: *const c_char) {
    let number = errno::get();
    let mut log = LogSink::new();
    if !prefix.is_null() {
        // SAFETY: not null, so it is a string by the caller's promise.
        let prefix = unsafe { CStr::from_ptr(prefix) }.to_bytes();
        if !prefix.is_empty() {
            log.put(prefix);
            log.put(b": ");
        }
    }
    log.put(errno::text(number).to_bytes());
    log.put(b"\n");
}
