//! Hostile clients of a block server, with a good client looking on.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

extern crate alloc;

use alloc::string::String;

use l4re_runtime::env::{Env, ExitCode};
use l4re_test_support::result::conclude;

l4re_runtime::entry!(main, stack = 64 * 1024, heap = 16 * 1024 * 1024);

fn main(_env: &'static Env) -> ExitCode {
    conclude(|| Err::<String, &str>("no case is written yet"))
}
