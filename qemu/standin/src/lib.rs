//! The stand-in: a small kernel that speaks the binary interface of L4Re, for tests.
//!
//! It runs the same program files as L4Re, on QEMU's `virt` for arm64, with what a driver meets
//! there: kernel objects and IPC as of the Fiasco microkernel, and in the kernel also the services
//! that moe, ned, the in-task loader and io give on L4Re. It is not L4Re and says so: everything
//! that it prints itself starts with `standin:`.
//!
//! This library is the portable part: it knows neither registers nor page tables, and its tests
//! run on the host. The binary adds processor and board: see
//! `arch/` and `board/`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`machine`] | what is asked of the board |
//! | [`kernel`] | the state; life and death of objects |
//! | [`object`], [`cap`], [`thread`], [`task`] | objects, capability tables |
//! | [`mem`], [`dataspace`], [`region`], [`memory`], [`dma`] | memory, faults |
//! | [`sched`] | who runs, who waits |
//! | [`ipc`] | the system call |
//! | [`serve`] | requests to objects of the kernel |
//! | [`vbus`] | virtual buses |
//! | [`boot`] | starting the programs |
//! | [`fault`] | exceptions of programs |
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod boot;
pub mod cap;
pub mod dataspace;
pub mod dma;
pub mod err;
pub mod fault;
pub mod ipc;
pub mod kernel;
pub mod machine;
pub mod mem;
pub mod memory;
pub mod object;
pub mod region;
pub mod sched;
pub mod serve;
pub mod task;
pub mod thread;
pub mod vbus;

#[cfg(test)]
pub(crate) mod testing;
