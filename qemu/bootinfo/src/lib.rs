//! What a boot archive of the stand-in contains.
//!
//! The host writes one with [`Boot::encode`] and gives it to QEMU as initial RAM disk; the stand-in
//! reads it with [`Boot::decode`]. It plays the part of a ned script and io's configuration: which
//! programs run, in which order, with which capabilities.
//!
//! The file is [`MAGIC`], the format version and the payload's length (both `u32`, little endian),
//! then the payload in postcard's encoding.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

pub mod kdbg;

/// The first eight bytes of an archive.
pub const MAGIC: [u8; 8] = *b"STANDIN\0";

/// Version of the payload; stand-in and builder must agree exactly.
pub const VERSION: u32 = 3;

/// Bytes in front of the payload.
const HEADER: usize = 16;

/// A whole boot archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot<'a> {
    /// Files; programs find all of them in the name space `rom`.
    #[serde(borrow)]
    pub modules: Vec<Module<'a>>,
    /// Virtual buses, as io would offer them.
    pub buses: Vec<Bus>,
    /// Names of IPC gates that tasks share ([`Grant::Gate`]). Unbound until a server binds one.
    pub gates: Vec<String>,
    /// How DMA spaces behave.
    pub dma: Dma,
    /// Interrupts that are bound at the controller of a bus are unmasked there and not by the IRQ
    /// object, as a controller asks for that does not leave the masking to the kernel.
    pub unmask_at_icu: bool,
    /// Programs in start order. A task is started when all capabilities of the ones before it and
    /// its own are there.
    pub tasks: Vec<Task>,
    /// When the machine is switched off.
    pub shutdown: Shutdown,
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module<'a> {
    /// Name, without `rom/`.
    pub name: String,
    /// Content.
    #[serde(borrow)]
    pub data: Cow<'a, [u8]>,
}

/// A virtual bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bus {
    /// Name that [`Grant::Vbus`] refers to.
    pub name: String,
    /// What is on it: the union of these.
    pub filters: Vec<Filter>,
    /// Message-signalled interrupts that the bus offers (`Property.num_msis` of io). The kernel
    /// refuses to bind them, as L4Re does on QEMU's `virt` with a GICv2.
    pub messages: u32,
}

/// Selects hardware for a virtual bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// Every virtio-mmio slot, also the empty ones.
    AllMmio,
    /// The virtio-mmio slots that hold a device.
    PresentMmio,
    /// One virtio-mmio slot by its index (0..=31).
    Mmio(u32),
    /// PCI devices; `None` matches anything.
    Pci {
        /// Class code from the top: `class << 16 | subclass << 8 | interface`, and how many of
        /// its bytes (1..=3) must agree.
        class: Option<(u32, u8)>,
        /// Vendor identifier.
        vendor: Option<u16>,
        /// Device identifier.
        device: Option<u16>,
    },
}

/// How DMA spaces behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dma {
    /// Longest piece in bytes that one map request returns; 0: no limit. Forces clients to map
    /// in pieces, as an I/O MMU or scattered memory would.
    pub max_piece: u64,
}

/// A program to start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Name: tag in the log, and what [`Task::after`] and [`Shutdown::Exit`] refer to.
    pub name: String,
    /// The module that holds its static ELF file.
    pub module: String,
    /// Arguments; `argv[0]` is first.
    pub argv: Vec<String>,
    /// Environment strings `NAME=value`.
    pub env: Vec<String>,
    /// Named capabilities (names up to 16 bytes) in addition to `rom`, which every task gets.
    pub caps: Vec<(String, Grant)>,
    /// Priority of the first thread, 1..=255; 0 means 2, ned's default.
    pub priority: u8,
    /// Limit in bytes of kernel objects plus dataspaces the task makes; 0: none.
    pub quota: u64,
    /// Wait with the start until this earlier task has ended.
    pub after: Option<String>,
}

/// What a capability of a task's table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grant {
    /// A virtual bus.
    Vbus(String),
    /// A shared gate of [`Boot::gates`].
    Gate {
        /// Which gate.
        name: String,
        /// The server's side: all rights and the server right.
        server: bool,
        /// Rights of a client's side: 1 write, 2 special (needed for factory requests), 4 read,
        /// 8 delete. Read is always included.
        rights: u8,
    },
    /// The registers at `start..=end` (physical) as a dataspace, uncached. Whole pages.
    Iomem {
        /// First byte.
        start: u64,
        /// Last byte.
        end: u64,
    },
    /// An IRQ object bound to the hardware interrupt; the task binds it to a thread and unmasks
    /// it by the object itself.
    Irq {
        /// GIC interrupt number.
        pin: u32,
        /// Level (true) or edge triggered.
        level: bool,
    },
    /// A DMA space that is bound to the devices of the task already, for one that has no bus.
    DmaSpace,
    /// The kernel's interrupt controller.
    Icu,
    /// A log with its own tag.
    Log(String),
    /// What the server behind a shared gate answers to a factory request. Repeated every 10 ms
    /// while the answer is "try again", up to ten seconds.
    Create {
        /// The server's gate.
        gate: String,
        /// Object type (first word).
        object: i64,
        /// Arguments.
        args: Vec<Arg>,
    },
    /// The name space of the modules.
    Rom,
    /// The scheduler.
    Scheduler,
    /// A module as read-only dataspace.
    Module(String),
    /// Anonymous memory shared by all tasks that name it.
    Shared {
        /// Which memory.
        name: String,
        /// Bytes; the first task that names it decides.
        size: u64,
        /// May this task write it?
        writable: bool,
    },
    /// The stand-in's own counters ([`kdbg`]); no such thing exists on L4Re.
    Kdbg,
}

/// An argument of a factory request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arg {
    /// A signed word.
    Int(i64),
    /// A string.
    Str(String),
}

/// When the machine is switched off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shutdown {
    /// When every task has ended.
    #[default]
    All,
    /// When this task has ended.
    Exit(String),
}

/// Why an archive cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The magic is missing: not an archive.
    Magic,
    /// Written for another version.
    Version(u32),
    /// Shorter than its header says.
    Truncated,
    /// The payload does not decode, or does not fit a `u32` length.
    Payload,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Magic => write!(f, "not a boot archive of the stand-in"),
            Error::Version(v) => write!(f, "boot archive of version {v}, expected {VERSION}"),
            Error::Truncated => write!(f, "boot archive is cut off"),
            Error::Payload => write!(f, "boot archive has a malformed payload"),
        }
    }
}

impl core::error::Error for Error {}

impl<'a> Boot<'a> {
    /// The archive as bytes for QEMU's `-initrd`.
    ///
    /// # Errors
    ///
    /// [`Error::Payload`] if it is longer than 4 GiB.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let payload = postcard::to_allocvec(self).map_err(|_| Error::Payload)?;
        let length = u32::try_from(payload.len()).map_err(|_| Error::Payload)?;
        let mut out = Vec::with_capacity(HEADER + payload.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&payload);
        Ok(out)
    }

    /// Reads an archive; file contents stay where they are. Bytes behind it are ignored.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn decode(bytes: &'a [u8]) -> Result<Boot<'a>, Error> {
        let header = bytes.get(..HEADER).ok_or(Error::Truncated)?;
        if header[..8] != MAGIC {
            return Err(Error::Magic);
        }
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        if word(8) != VERSION {
            return Err(Error::Version(word(8)));
        }
        let length = word(12) as usize;
        let payload = bytes.get(HEADER..HEADER + length).ok_or(Error::Truncated)?;
        postcard::from_bytes(payload).map_err(|_| Error::Payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Boot<'static> {
        Boot {
            modules: vec![Module { name: "hello".into(), data: Cow::Borrowed(b"\x7fELF...") }],
            buses: vec![Bus {
                name: "vbus".into(),
                filters: vec![Filter::PresentMmio],
                messages: 4,
            }],
            gates: vec!["svr".into()],
            dma: Dma { max_piece: 8192 },
            unmask_at_icu: true,
            tasks: vec![Task {
                name: "hello".into(),
                module: "hello".into(),
                argv: vec!["rom/hello".into()],
                caps: vec![(
                    "disk".into(),
                    Grant::Create {
                        gate: "svr".into(),
                        object: 0,
                        args: vec![Arg::Str("device=x".into()), Arg::Int(-4)],
                    },
                )],
                ..Task::default()
            }],
            shutdown: Shutdown::Exit("hello".into()),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = sample().encode().unwrap();
        assert_eq!(Boot::decode(&bytes).unwrap(), sample());
    }

    #[test]
    fn module_data_is_not_copied() {
        let bytes = sample().encode().unwrap();
        let boot = Boot::decode(&bytes).unwrap();
        assert!(matches!(boot.modules[0].data, Cow::Borrowed(_)));
    }

    #[test]
    fn bytes_behind_the_archive_do_not_matter() {
        let mut bytes = sample().encode().unwrap();
        bytes.extend_from_slice(&[0xff; 100]);
        assert_eq!(Boot::decode(&bytes).unwrap(), sample());
    }

    #[test]
    fn every_cut_is_an_error_and_never_a_panic() {
        let bytes = sample().encode().unwrap();
        for cut in 0..bytes.len() {
            assert!(Boot::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = sample().encode().unwrap();
        bytes[8] = 77;
        assert_eq!(Boot::decode(&bytes), Err(Error::Version(77)));
        bytes[0] = 0;
        assert_eq!(Boot::decode(&bytes), Err(Error::Magic));
    }
}
