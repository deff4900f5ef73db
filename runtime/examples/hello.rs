//! The smallest program for L4Re: prints its arguments and ends.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

use l4re_runtime::env::{Env, StartError};
use l4re_runtime::println;

l4re_runtime::entry!(main, stack = 64 * 1024);

fn main(env: &'static Env) -> Result<(), StartError> {
    for option in env.args().options() {
        println!("option {option}");
    }
    println!("L4RE-RESULT: pass hello");
    Ok(())
}
