//! Runs QEMU under a time limit and judges a guest by its sentinel line.
//!
//! Four parts, each usable alone:
//!
//! * [`Machine`]: a board as data (`qemu/machines/*.toml`);
//! * [`Disk`]: a virtio disk with its transport and a pinned place on its bus;
//! * [`Vm`]: machine, kernel, boot archive and disks, turned into one command line;
//! * [`Judge`]: reads the console and decides. Only the line `L4RE-RESULT: pass|fail reason` makes
//!   a verdict; none is a failure, and so is anything that looks like a crash after a pass.
//!
//! [`run`] puts them together. QEMU is never left behind: it is killed at the time limit, when the
//! call returns or unwinds, and by the kernel when the calling thread dies.
//!
//! ```no_run
//! use l4re_qemu::{Disk, Limits, Machine, Place, Vm, run};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let machine = Machine::builtin("virt")?;
//! let vm = Vm::new(machine, "out/l4re-standin")
//!     .initrd("out/boot.img")
//!     .disk(Disk::file("disk.img", Place::Pci { slot: 2 }).serial("SER0"));
//! let outcome = run(&vm, &Limits::default(), &mut |line| println!("{line}"))?;
//! assert!(outcome.passed(), "{outcome}");
//! # Ok(()) }
//! ```

mod console;
mod device;
mod error;
mod judge;
mod machine;
mod patience;
mod process;
mod run;
mod vm;

pub use device::{Backing, Disk, Place};
pub use error::Error;
pub use judge::{Failure, Judge, SENTINEL, Verdict, strip_escapes};
pub use machine::Machine;
pub use patience::patience;
pub use run::{End, Limits, Outcome, run, run_until};
pub use vm::Vm;
