//! The one error type of the runtime.

use core::fmt;

/// Result of everything in this crate that talks to a kernel object or a server.
pub type Result<T> = core::result::Result<T, Error>;

/// An error number as L4Re's servers and the kernel return it in a message label, always
/// positive here (`-22` in a label is [`Error::INVAL`]).
///
/// Failures of an IPC itself (as opposed to an answer that says "no") have numbers from 2000 on:
/// `2000 + code`, where the code is the kernel's (see [`Error::from_ipc`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error(u16);

macro_rules! errors {
    ($($name:ident = $num:literal, $text:literal;)*) => {
        impl Error {
            $(#[doc = $text]
              pub const $name: Error = Error($num);)*

            /// What the number means, in a few words.
            pub const fn text(self) -> &'static str {
                match self.0 {
                    $($num => $text,)*
                    _ => "unknown error",
                }
            }
        }
    };
}

errors! {
    PERM = 1, "operation not permitted (a right is missing)";
    NOENT = 2, "no such object";
    IO = 5, "input/output error";
    NXIO = 6, "no such device or address";
    TOOBIG = 7, "argument list too long";
    AGAIN = 11, "try again";
    NOMEM = 12, "out of memory or quota";
    ACCESS = 13, "permission denied";
    FAULT = 14, "bad address";
    BUSY = 16, "object is in use";
    EXIST = 17, "already exists";
    NODEV = 19, "no such device";
    INVAL = 22, "invalid argument";
    NOSPC = 28, "no space left";
    RANGE = 34, "out of range";
    NAMETOOLONG = 36, "name too long";
    NOSYS = 38, "operation not implemented";
    BADPROTO = 39, "protocol not supported";
    ADDRNOTAVAIL = 99, "address not available";
    NOREPLY = 1000, "no reply is to be sent";
    MSGTOOSHORT = 1001, "message too short";
    MSGTOOLONG = 1002, "message too long";
    MSGMISSARG = 1003, "message lacks a capability";
    MSGRANGE = 1004, "value in message out of range";
    SEND_TIMEOUT = 2002, "timeout while sending";
    RECV_TIMEOUT = 2003, "timeout while receiving";
    NO_DESTINATION = 2004, "capability is empty or its object is gone";
    SEND_CANCELED = 2006, "send cancelled";
    RECV_CANCELED = 2007, "receive cancelled";
    SEND_OVERFLOW = 2008, "receiver has no buffer for a sent capability";
    RECV_OVERFLOW = 2009, "no receive buffer for an arriving capability";
    SEND_ABORTED = 2014, "send aborted";
    RECV_ABORTED = 2015, "receive aborted";
    MAP_FAILED_SEND = 2016, "mapping failed while sending";
    MAP_FAILED_RECV = 2017, "mapping failed while receiving";
    NO_REPLY_CAP = 2019, "no reply capability";
}

impl Error {
    /// The error for a negative message label; labels that are not negative are no errors.
    ///
    /// A label outside of the range that L4Re uses (`-1` to `-65535`) becomes [`Error::IO`].
    pub const fn from_label(label: i64) -> Result<u64> {
        if label >= 0 {
            Ok(label as u64)
        } else if label >= -(u16::MAX as i64) {
            Err(Error((-label) as u16))
        } else {
            Err(Error::IO)
        }
    }

    /// The error for a code in the UTCB's error word (only its low five bits count).
    pub const fn from_ipc(code: u64) -> Error {
        Error(2000 + (code & 0x1f) as u16)
    }

    /// The number, positive.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The label with which a server answers this error: the negated number.
    pub const fn label(self) -> i64 {
        -(self.0 as i64)
    }

    /// Whether the message itself failed, as opposed to an answer that refuses.
    pub const fn is_ipc(self) -> bool {
        self.0 >= 2000 && self.0 < 2032
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (error {})", self.text(), self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_errors_are_inverse() {
        assert_eq!(Error::from_label(-22), Err(Error::INVAL));
        assert_eq!(Error::INVAL.label(), -22);
        assert_eq!(Error::from_label(7), Ok(7));
        assert_eq!(Error::from_label(i64::MIN), Err(Error::IO));
    }

    #[test]
    fn ipc_codes_are_masked() {
        assert_eq!(Error::from_ipc(0xffe3), Error::RECV_TIMEOUT);
        assert!(Error::from_ipc(4).is_ipc());
    }
}
