//! The device side of l4virtio: protocol, client memory, rings, servers.
//!
//! What has to be right in the face of a hostile client and a broken device holds no system call, and
//! all of it runs under `cargo test` on the host.
//!
//! | module | what it holds |
//! |---|---|
//! | [`page`] | layout of the configuration page |
//! | [`memory`] | the dataspaces of a client: device addresses to windows and DMA segments |
//! | [`ring`] | the device's side of a split virtqueue |
//! | [`transport`] | the state machine behind the configuration page |
//! | [`options`] | the option table of a driver server, and the parser that uses it |
//! | [`factory`] | arguments of a client's `create` call |
//! | [`counters`], [`stats`] | what is counted, and the page that shows it |
//! | [`class`] | what a class of devices is to all of the above |
//! | [`client`] | a client of any class: set-up, resets, draining |
//! | [`scheduler`] | the clients of one device, and their turns |
//! | [`l4`] | all of it over IPC: messages, sessions, the event loop |
//! | [`block`], [`entropy`] | classes |
//!
//! Nothing but the classes knows what a request is, and nothing but [`l4`] makes a system call.

pub mod block;
pub mod class;
pub mod client;
pub mod counters;
pub mod entropy;
pub mod factory;
pub mod l4;
pub mod memory;
pub mod options;
pub mod ring;
pub mod scheduler;
pub mod stats;
pub mod transport;

pub use crate::virtio::spec::l4page as page;

#[cfg(test)]
mod testing;
