//! A small driver with a part in C, in a folder of its own.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The command.
pub const PACKAGER: &str = env!("CARGO_BIN_EXE_packager");

const CARGO: &str = r#"[package]
name = "tiny-drv"
version = "0.1.0"
edition = "2024"

[workspace]
members = ["libc"]

[profile.release]
panic = "abort"
debug = "line-tables-only"
"#;

const MAIN: &str = r#"#![no_std]
#![no_main]

use core::panic::{Location, PanicInfo};

#[used]
#[unsafe(link_section = ".l4re.drvinfo")]
static INFO: [u8; TEXT.len()] = {
    let mut bytes = [0; TEXT.len()];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = TEXT.as_bytes()[at];
        at += 1;
    }
    bytes
};
const TEXT: &str = "drvinfo\t1\nname\ttiny-drv\tA driver for tests\n\
    cap\tvbus\tvbus\tmandatory\tBus\ncap\tsvr\tfactory\tmandatory,server\tEndpoint\n\
    cmd\tverbose\tv\tflag\t-\t-\tmultiple\tSay more\n";

unsafe extern "C" {
    safe fn half(number: i32) -> i32;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    // A place in the source, so that a folder of this machine would show.
    let place = Location::caller();
    let _ = core::hint::black_box((place.file(), half(42)));
    loop {}
}
"#;

const MANIFEST: &str = r#"[driver]
name = "tiny"
description = "A driver for tests"
class = "block"
maintainer = "someone@example.org"
licence = "MIT"

[[target]]
name = "aarch64"

[c]
sources = ["src/half.c"]
define = ["DIVISOR=2"]

[l4re.bus]
pci = ["VEN_1AF4"]

[udi]
sources = [
    "Cargo.toml", "rust-toolchain.toml", "src/main.rs", "src/half.c",
    "libc/Cargo.toml", "libc/src/lib.rs", "libc/include/quotient.h",
]
"#;

/// What stands in for the C library.
const LIBC_CARGO: &str = "[package]\nname = \"l4re-libc\"\nversion = \"0.1.0\"\n\
    edition = \"2024\"\n[features]\narchive = []\n";
const LIBC: &str = "#![no_std]\n#[cfg(feature = \"archive\")]\n#[panic_handler]\n\
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }\n\
    #[unsafe(no_mangle)]\nextern \"C\" fn quotient(a: i32, b: i32) -> i32 { a.wrapping_div(b) }\n";

/// The driver's folder.
#[expect(clippy::unwrap_used, reason = "set-up of tests")]
pub fn driver() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let half = "#include <quotient.h>\nint half(int n) { return quotient(n, DIVISOR); }\n";
    for (name, text) in [
        ("rust-toolchain.toml", include_str!("../../../rust-toolchain.toml")),
        ("Cargo.toml", CARGO),
        ("src/main.rs", MAIN),
        ("src/half.c", half),
        ("libc/Cargo.toml", LIBC_CARGO),
        ("libc/src/lib.rs", LIBC),
        ("libc/include/quotient.h", "int quotient(int a, int b);\n"),
        ("driver.toml", MANIFEST),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Runs the command without what a developer's environment may say.
#[expect(clippy::unwrap_used, reason = "set-up of tests")]
pub fn run(command: &mut Command) -> Output {
    for name in ["CROSS_COMPILE", "LIBRARY_PATH", "UDI_DRV", "UDI_ALT", "UDI_COMP"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}
