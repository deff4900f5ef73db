//! The buffers of one request.
//!
//! The specification does not fix how the bytes of a request are spread over descriptors
//! (virtio 1.2, 2.7.4.1): a request is what the readable bytes are in one row, followed by what
//! the writable bytes are in one row. So the header is the first 16 readable bytes, and the status
//! is the last writable byte, wherever they are.

use alloc::vec::Vec;

use crate::mem::SharedMem;
use crate::serve::memory::ClientMemory;
use crate::serve::ring::{Buffer, RingError};
use crate::virtio::spec::block::HEADER_SIZE;

/// A part of a client's memory, in device addresses; not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub addr: u64,
    pub len: u32,
}

/// A row of bytes in a client's memory.
#[derive(Debug, Default)]
pub(super) struct Row {
    extents: Vec<Extent>,
    /// Extents before this one have been consumed.
    first: usize,
    bytes: u32,
}

impl Row {
    fn with_capacity(extents: usize) -> Self {
        Self { extents: Vec::with_capacity(extents), first: 0, bytes: 0 }
    }

    fn clear(&mut self) {
        self.extents.clear();
        self.first = 0;
        self.bytes = 0;
    }

    fn push(&mut self, addr: u64, len: u32) {
        self.extents.push(Extent { addr, len });
        // Cannot wrap: a chain has less than 2^32 bytes.
        self.bytes = self.bytes.wrapping_add(len);
    }

    /// What has not been consumed.
    pub fn extents(&self) -> &[Extent] {
        self.extents.get(self.first..).unwrap_or(&[])
    }

    /// Number of bytes that have not been consumed.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Whether all of it is in registered memory.
    pub fn is_mapped<R>(&self, memory: &ClientMemory<R>) -> bool {
        self.extents().iter().all(|e| memory.contains(e.addr, u64::from(e.len)))
    }

    /// Copies the first bytes out and consumes them. `None` if there are not enough, or they are
    /// not in registered memory.
    pub fn take<R>(&mut self, memory: &ClientMemory<R>, out: &mut [u8]) -> Option<()> {
        let mut rest = out;
        while !rest.is_empty() {
            let extent = self.extents.get_mut(self.first)?;
            let n = rest.len().min(extent.len as usize);
            let (now, later) = rest.split_at_mut_checked(n)?;
            read(memory, extent.addr, now)?;
            // `n` is at most `extent.len`.
            extent.addr = extent.addr.wrapping_add(n as u64);
            extent.len -= n as u32;
            self.bytes -= n as u32;
            self.first += usize::from(extent.len == 0);
            rest = later;
        }
        Some(())
    }

    /// Writes `data` to the first bytes, as much as there is room for; returns how much.
    pub fn put<R>(&self, memory: &ClientMemory<R>, data: &[u8]) -> Option<u32> {
        let mut rest = data;
        for extent in self.extents() {
            let (now, later) = rest.split_at(rest.len().min(extent.len as usize));
            if !now.is_empty() {
                memory.translate(extent.addr, now.len()).ok()?.write_bytes(0, now)?;
            }
            rest = later;
        }
        Some((data.len() - rest.len()) as u32)
    }

    /// Takes the last byte away and returns its address.
    fn take_last(&mut self) -> Option<u64> {
        let last = self.extents.last_mut()?;
        last.len = last.len.checked_sub(1)?;
        let addr = last.addr.checked_add(u64::from(last.len))?;
        self.bytes -= 1;
        if last.len == 0 {
            self.extents.pop();
        }
        Some(addr)
    }
}

/// Reads bytes from a client's memory, each once; whole words where alignment permits.
fn read<R>(memory: &ClientMemory<R>, addr: u64, out: &mut [u8]) -> Option<()> {
    let window = memory.translate(addr, out.len()).ok()?;
    if let Ok(header) = <&mut [u8; HEADER_SIZE]>::try_from(&mut *out)
        && let (Some(low), Some(high)) = (window.read_u64(0), window.read_u64(8))
    {
        *header = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
        return Some(());
    }
    window.read_bytes(0, out)
}

/// The buffers of one request. The memory is allocated once and used for one request after the
/// other.
#[derive(Debug)]
pub(super) struct Buffers {
    /// What the device reads.
    pub readable: Row,
    /// What the device writes.
    pub writable: Row,
}

impl Buffers {
    /// Room for chains of up to `chain` buffers.
    pub fn new(chain: u16) -> Self {
        let row = || Row::with_capacity(usize::from(chain));
        Self { readable: row(), writable: row() }
    }

    /// Collects the buffers of a chain.
    pub fn gather(
        &mut self,
        chain: impl Iterator<Item = Result<Buffer, RingError>>,
    ) -> Result<(), RingError> {
        self.readable.clear();
        self.writable.clear();
        for buffer in chain {
            let buffer = buffer?;
            let row = if buffer.writable { &mut self.writable } else { &mut self.readable };
            row.push(buffer.addr, buffer.len);
        }
        Ok(())
    }

    /// Takes the status byte away from the writable bytes.
    pub fn take_status<R>(
        &mut self,
        memory: &ClientMemory<R>,
    ) -> Result<SharedMem<'static>, RingError> {
        let addr = self.writable.take_last().ok_or(RingError::NoStatus)?;
        memory.translate(addr, 1).map_err(|_| RingError::NoStatus)
    }
}
