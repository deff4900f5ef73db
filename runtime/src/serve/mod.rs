//! The device side of l4virtio: protocol, client memory, rings, servers.
//!
//! Nothing but [`l4`] makes a system call: messages, interrupts and mappings are the business of
//! the event loop there. What remains is what has to be right in the face of a hostile client and
//! a broken device, and all of it runs under `cargo test` on the host.
//!
//! | module | what it holds |
//! |---|---|
//! | [`page`] | layout of the configuration page |
//! | [`client_mem`] | the dataspaces of a client: device addresses to windows and DMA segments |
//! | [`ring`] | the device's side of a split virtqueue |
//! | [`device`] | the state machine behind the configuration page |
//! | [`block`] | the block class: requests, clients, server |
//! | [`factory`] | arguments of a client's `create` call |
//! | [`options`] | the option table of a driver server, and the parser that uses it |
//! | [`stats`] | the page with a server's counters |
//! | [`l4`] | all of it over IPC: messages, sessions, the event loop |

pub mod block;
pub mod client_mem;
pub mod device;
pub mod factory;
pub mod l4;
pub mod options;
pub mod ring;
pub mod stats;

pub use crate::virtio::spec::l4page as page;

#[cfg(test)]
mod testing;
