//! The runtime library of L4Re device drivers written in Rust.
//!
//! A *driver server* is an ordinary L4Re task: it gets registers, interrupts and DMA from the
//! `io` server, drives a device, and serves clients through l4virtio. This crate is everything
//! that such a task links. It uses neither the C++ libraries of L4Re nor its build system; it
//! speaks the binary interface of the Fiasco microkernel and the protocols of L4Re's servers.
//!
//! The modules from bottom to top; each uses only those above it in this list, which
//! `tests/repository` checks:
//!
//! | module | what it holds |
//! |---|---|
//! | [`abi`] | plain data: tags, flexpages, protocol numbers, message layouts; no `unsafe` |
//! | [`arch`] | the system call and the registers, one file per architecture |
//! | `error` | the result codes of kernel and servers |
//! | [`ipc`] | messages: calls, replies, receive windows |
//! | [`cap`] | capability slots, owned typed handles, the endpoint of a server |
//! | `clock` | the kernel's clock |
//! | [`log`](mod@log) | lines to the log, and a limit for what others cause |
//! | [`mem`] | dataspaces, regions, DMA spaces, heap, shared memory |
//! | [`env`](mod@env) | start-up, arguments, named capabilities, threads, the end |
//! | [`bus`] | devices: from a vbus, or granted as single capabilities |
//! | [`virtio`] | the driver side: discovery, transports, queue engine, block device |
//! | [`serve`] | the device side: l4virtio protocol, client memory, rings, classes, event loop |
//! | [`client`] | the other end of `serve`: connections to l4virtio devices |
//!
//! What is generic over memory and notification (rings, protocol state machines, parsers) has no
//! system call in it and is tested on the host.
#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

pub mod abi;
pub mod arch;
pub mod bus;
pub mod cap;
pub mod client;
mod clock;
pub mod env;
pub mod ipc;
pub mod log;
pub mod mem;
pub mod serve;
pub mod virtio;

mod error;
pub use error::{Error, Result};
