//! Ends that cannot be checked from inside: each is one run of the program.

use alloc::vec::Vec;

use l4re_runtime::env::{ExitCode, exit};
use l4re_runtime::println;

/// Ends the program: `exit` with code 42, `panic` with 101 after the message and the result line,
/// `memory` as a panic, `overflow` by a fault below the stack.
pub fn how(how: &str) -> ExitCode {
    match how {
        "exit" => exit(ExitCode(42)),
        "panic" => panic!("as asked for"),
        "memory" => all_memory(),
        "overflow" => println!("{}", deeper(1)),
        _ => println!("FAIL {how}: no such end"),
    }
    ExitCode::FAILURE
}

/// More than the heap may grow to.
fn all_memory() {
    let mut blocks = Vec::new();
    loop {
        blocks.push(core::hint::black_box(Vec::<u8>::with_capacity(1 << 20)));
    }
}

/// Deeper than any stack.
#[expect(unconditional_recursion, reason = "that is what is tested")]
#[inline(never)]
fn deeper(n: usize) -> usize {
    let frame = core::hint::black_box([n; 64]);
    deeper(n + 1) + core::hint::black_box(frame)[n % 64]
}
