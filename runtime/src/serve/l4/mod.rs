//! Devices over IPC: sessions, client memory, and the event loop of a server.
//!
//! # Who is who
//!
//! A server has one thread, and one [`Server`] in it. It has any number of devices of any
//! [classes](crate::serve::class), each with its clients. A *static* client is a gate that the loader made and named on the command
//! line; it stays as long as the server. A *dynamic* client asks for a device at the management
//! gate and gets a gate of its own. That gate counts its capabilities: when the last one is gone
//! the kernel tells, and the session ends.
//!
//! # Sharing a disk
//!
//! L4Re's other block servers give a device to one client at a time. Here clients may use a disk
//! together if none of them can write, or if each of them has said that it knows of the others
//! (`shared`). Everybody else gets [`Error::BUSY`](crate::Error::BUSY), or
//! [`Error::AGAIN`](crate::Error::AGAIN) if the others have gone and the device has not finished with
//! them yet.
//!
//! # A reset while requests are in flight
//!
//! A client expects that nobody touches its memory any more once its reset is answered. The
//! kernel remembers one caller to be answered, so the server cannot answer later and meanwhile
//! serve others' messages. It therefore waits, up to half a second, and goes on with the requests
//! of all clients in that time; only messages of set-up wait with it. A device that is slower than
//! that finds the client answered and its page showing the old status until the memory is free;
//! drivers that follow the specification (virtio 1.2, 2.4.2) wait for that.
//!
//! | module | what it holds |
//! |---|---|
//! | [`message`] | what callers want, read from messages |
//! | [`label`] | how the event loop tells sources apart |

mod device;
mod event_loop;
mod guard;
pub mod label;
mod memory;
pub mod message;
mod session;
#[cfg(test)]
mod tests;

pub use device::DeviceResources;
pub use event_loop::Server;
pub use memory::{Registered, TrustedDataspaces};
