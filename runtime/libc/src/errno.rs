//! `errno.h`: error numbers and their texts.
//!
//! The numbers are those of Linux, which L4Re uses as well.

use core::ffi::{CStr, c_char, c_int};

use crate::hooks;

/// Where the calling thread keeps `errno`; what the macro `errno` of the header expands to.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn __errno_location() -> *mut c_int {
    hooks::errno_location()
}

/// Sets `errno` of the calling thread.
pub(crate) fn set(number: c_int) {
    // SAFETY: the hook gives a place that is the thread's own and lives as long as the thread.
    unsafe { hooks::errno_location().write(number) }
}

/// `errno` of the calling thread.
pub(crate) fn get() -> c_int {
    // SAFETY: as in `set`.
    unsafe { hooks::errno_location().read() }
}

/// The text for an error number (C11 7.24.6.2). Never null, never to be changed or freed.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub extern "C" fn strerror(number: c_int) -> *mut c_char {
    text(number).as_ptr().cast_mut()
}

macro_rules! errors {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(
            #[doc = $text]
            pub const $name: c_int = $number;
        )*

        /// All error numbers with their names.
        pub const ALL: &[(&str, c_int)] = &[$((stringify!($name), $number)),*];

        /// The text for an error number.
        pub fn text(number: c_int) -> &'static CStr {
            const TEXTS: &[(c_int, &str)] = &[$(($number, concat!($text, "\0"))),*];
            TEXTS
                .iter()
                .find(|(candidate, _)| *candidate == number)
                .and_then(|(_, text)| CStr::from_bytes_until_nul(text.as_bytes()).ok())
                .unwrap_or(if number == 0 { c"No error" } else { c"Unknown error" })
        }
    };
}

errors! {
    EPERM = 1, "Operation not permitted";
    ENOENT = 2, "No such file or directory";
    ESRCH = 3, "No such process";
    EINTR = 4, "Interrupted system call";
    EIO = 5, "Input/output error";
    ENXIO = 6, "No such device or address";
    E2BIG = 7, "Argument list too long";
    EBADF = 9, "Bad file descriptor";
    EAGAIN = 11, "Resource temporarily unavailable";
    ENOMEM = 12, "Cannot allocate memory";
    EACCES = 13, "Permission denied";
    EFAULT = 14, "Bad address";
    EBUSY = 16, "Device or resource busy";
    EEXIST = 17, "File exists";
    ENODEV = 19, "No such device";
    EINVAL = 22, "Invalid argument";
    ENOTTY = 25, "Inappropriate ioctl for device";
    EFBIG = 27, "File too large";
    ENOSPC = 28, "No space left on device";
    EROFS = 30, "Read-only file system";
    EPIPE = 32, "Broken pipe";
    EDOM = 33, "Numerical argument out of domain";
    ERANGE = 34, "Numerical result out of range";
    EDEADLK = 35, "Resource deadlock avoided";
    ENAMETOOLONG = 36, "File name too long";
    ENOSYS = 38, "Function not implemented";
    EPROTO = 71, "Protocol error";
    EBADMSG = 74, "Bad message";
    EOVERFLOW = 75, "Value too large for defined data type";
    EILSEQ = 84, "Invalid or incomplete multibyte or wide character";
    EMSGSIZE = 90, "Message too long";
    EOPNOTSUPP = 95, "Operation not supported";
    ENOBUFS = 105, "No buffer space available";
    ETIMEDOUT = 110, "Connection timed out";
    EALREADY = 114, "Operation already in progress";
    EINPROGRESS = 115, "Operation now in progress";
    ECANCELED = 125, "Operation canceled";
}
