//! What the processor needs: registers, page tables, the way to and from user mode. One folder per
//! architecture; the board sees the same functions of each.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub use aarch64::*;

#[cfg(not(target_arch = "aarch64"))]
compile_error!("the stand-in does not know this architecture");
