//! What the guest programs of the test suite share.
//!
//! | module | what it holds |
//! |---|---|
//! | [`options`] | the command line |
//! | [`pattern`] | what is written to disks, the same as on the host's side |
//! | [`result`] | report lines, and the one line that decides |
//! | [`transfer`] | moving a range of a disk with many requests in flight |
#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

pub mod options;
pub mod pattern;
pub mod result;
pub mod transfer;
