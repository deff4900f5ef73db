//! `assert.h`: what a failed `assert` calls.

use core::ffi::{CStr, c_char, c_uint};
use core::fmt::Write;

use crate::format::{Buffer, Text};
use crate::hooks;

/// Reports the failed assertion and ends the program.
///
/// # Safety
///
/// The pointers are null or point to strings.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn __assert_fail(
    expression: *const c_char,
    file: *const c_char,
    line: c_uint,
    function: *const c_char,
) -> ! {
    let text = |pointer: *const c_char| {
        if pointer.is_null() {
            return &b"?"[..];
        }
        // SAFETY: not null, so it is a string by the caller's promise.
        unsafe { CStr::from_ptr(pointer) }.to_bytes()
    };
    hooks::abort(message(text(expression), text(file), line, text(function)).as_bytes())
}

/// The report of a failed assertion.
pub struct Message {
    memory: [u8; 256],
    length: usize,
}

impl Message {
    /// The text, cut if it was too long.
    pub fn as_bytes(&self) -> &[u8] {
        &self.memory[..self.length]
    }
}

/// Makes the report of a failed assertion.
pub fn message(expression: &[u8], file: &[u8], line: c_uint, function: &[u8]) -> Message {
    let mut memory = [0; 256];
    let (file, function, expression) = (Text(file), Text(function), Text(expression));
    let mut buffer = Buffer::over(&mut memory);
    // The buffer does not fail: what is too long is cut.
    let _ = write!(buffer, "{file}:{line}: {function}: assertion `{expression}` failed");
    let length = buffer.stored();
    Message { memory, length }
}
