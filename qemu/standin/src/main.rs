//! The stand-in on QEMU's `virt`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod arch;
#[cfg(target_os = "none")]
mod board;

/// On a host there is nothing to boot: says what this is.
#[cfg(not(target_os = "none"))]
fn main() {
    println!("l4re-standin is a kernel for QEMU's virt machine (aarch64).");
    println!("Build it for aarch64-unknown-none and give it to qemu-system-aarch64 -kernel,");
    println!("with a boot archive of l4re-standin-bootinfo as -initrd.");
    std::process::exit(2);
}
