//! The system call and the registers: one file an architecture.
//!
//! This is the only module that asks which processor it is compiled for. Everything above it sees
//! four things: [`invoke`], [`Utcb::current`], the clock function of the kernel, and the code that
//! a thread starts with.
//!
//! # Why a system call is a safe function
//!
//! An invocation touches no memory of the program but the UTCB, which no Rust reference ever
//! points to. What the *invoked object* does with the address space (unmap a page, replace a
//! region) is outside of what Rust's rules cover, as are `/proc/self/mem` or `ptrace` on other
//! systems. The operations that change mappings which safe code could be using are wrapped in
//! [`crate::mem`], which owns every range that it changes.

mod utcb;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
mod aarch64;
#[cfg(all(target_os = "none", target_arch = "aarch64"))]
use aarch64 as imp;

#[cfg(not(target_os = "none"))]
pub(crate) mod host;
#[cfg(not(target_os = "none"))]
use host as imp;

#[cfg(all(target_os = "none", not(target_arch = "aarch64")))]
compile_error!("l4re-runtime has no system call binding for this architecture");

pub use utcb::Utcb;

use crate::abi::Word;

pub(crate) use imp::{call_clock, prepare_thread_stack, thread_entry};

/// What the kernel hands back from a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The raw message tag; bit 15 says that the operation failed in IPC.
    pub tag: Word,
    /// The label of the received message; meaningless if nothing was received.
    pub label: Word,
}

/// The one system call: invokes the capability in `dest`, whose low four bits hold the operation.
///
/// `tag` is a raw message tag, `timeouts` the pair of send and receive timeout, `label` what the
/// receiver sees as label if `dest` is a thread. Message words travel in the UTCB.
#[inline]
pub fn invoke(tag: Word, dest: Word, timeouts: Word, label: Word) -> Returned {
    imp::invoke(tag, dest, timeouts, label)
}
