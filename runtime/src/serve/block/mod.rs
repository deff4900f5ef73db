//! The block class (virtio 1.2, 5.2): any number of clients of one disk.
//!
//! [`Block`] joins a driver of a disk, a [`Backend`], to the server. A request goes from the
//! client's queue to the device without a copy, an allocation or a system call: its chain is read
//! once, checked, and the addresses of its data are looked up in the table of the client's
//! registered memory.
//!
//! # Requests
//!
//! A request may be cut into several for the device, because what is one buffer for the client
//! can be several runs for the device; it is answered when all parts are done. What the device
//! must not see change, the ranges of a discard, is copied; what the server answers alone, the
//! identification string and all refusals, never gets to the device.
//!
//! # Write-through
//!
//! Writes of a client that has not negotiated `FLUSH` are answered after a flush of the disk. One is
//! in flight at a time for each client, so writes that complete meanwhile share the next.

mod backend;
mod buffers;
mod class;
mod config;
mod discover;
mod parts;
mod request;
mod session;
mod split;
mod virtio;

pub use backend::{Backend, Completion, SectorRange, SubmitError};
pub use class::{Block, BlockOptions};
pub use discover::{FoundDisk, disks};
pub use session::BlockSession;
pub use virtio::VirtioDisk;

use crate::virtio::spec::block::{ID_SIZE, Info};

/// Most ranges that a client may give in one discard or write-zeroes request.
pub const MAX_RANGES: usize = 256;

/// Number of entries of a client's queue, if nothing else is asked for.
pub const QUEUE_SIZE: u16 = 256;

/// The part of a disk that a client sees, in sectors of 512 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectorWindow {
    /// First sector on the disk.
    pub first_sector: u64,
    /// Number of sectors.
    pub sectors: u64,
}

impl SectorWindow {
    /// The whole disk.
    pub const fn whole(info: &Info) -> Self {
        Self { first_sector: 0, sectors: info.capacity }
    }

    /// The first of `sectors` sectors at `sector` of the window, as a sector of the disk; `None`
    /// if they are not all inside.
    pub const fn locate(&self, sector: u64, sectors: u64) -> Option<u64> {
        match sector.checked_add(sectors) {
            Some(end) if end <= self.sectors => self.first_sector.checked_add(sector),
            _ => None,
        }
    }

    /// Whether two windows have sectors in common.
    pub const fn overlaps(&self, other: &SectorWindow) -> bool {
        self.first_sector < other.first_sector.saturating_add(other.sectors)
            && other.first_sector < self.first_sector.saturating_add(self.sectors)
    }
}

/// The identification string for a name: cut at 20 bytes, padded with NUL (5.2.6).
pub fn id_string(name: &str) -> [u8; ID_SIZE] {
    let mut id = [0; ID_SIZE];
    for (to, from) in id.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    id
}

#[cfg(test)]
mod tests;
