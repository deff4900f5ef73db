//! Result codes of kernel objects and servers, as they stand in the label of a reply.

/// A failed operation: a negative label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub isize);

/// Operation not permitted.
pub const EPERM: Errno = Errno(-1);
/// No such name.
pub const ENOENT: Errno = Errno(-2);
/// Out of memory or over quota.
pub const ENOMEM: Errno = Errno(-12);
/// Access denied.
pub const EACCESS: Errno = Errno(-13);
/// A page fault that cannot be resolved.
pub const EFAULT: Errno = Errno(-14);
/// In use by somebody else.
pub const EBUSY: Errno = Errno(-16);
/// No such device.
pub const ENODEV: Errno = Errno(-19);
/// Already there.
pub const EEXIST: Errno = Errno(-17);
/// Invalid argument.
pub const EINVAL: Errno = Errno(-22);
/// Out of range.
pub const ERANGE: Errno = Errno(-34);
/// Unknown operation.
pub const ENOSYS: Errno = Errno(-38);
/// Unknown protocol.
pub const EBADPROTO: Errno = Errno(-39);
/// No free address.
pub const EADDRNOTAVAIL: Errno = Errno(-99);
/// Message too short.
pub const EMSGTOOSHORT: Errno = Errno(-1001);
/// Message lacks an argument.
pub const EMSGMISSARG: Errno = Errno(-1003);
/// The server asks to try again (label of its reply).
pub const EAGAIN: Errno = Errno(-11);
