//! Links the kernel: its layout, and a raw image instead of an ELF file, because QEMU passes a
//! device tree and an initial RAM disk only to images in Linux's boot format.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=kernel.ld");
    println!("cargo::rerun-if-changed=build.rs");
    let bare_metal = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none");
    let Ok(here) = env::var("CARGO_MANIFEST_DIR") else { return };
    if bare_metal {
        println!("cargo::rustc-link-arg-bins=-T{here}/kernel.ld");
        println!("cargo::rustc-link-arg-bins=--oformat=binary");
    }
}
