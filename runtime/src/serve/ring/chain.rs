//! Walking a descriptor chain (virtio 1.2, 2.7.5).

use super::{Limits, RingError};
use crate::mem::SharedMem;
use crate::serve::memory::ClientMemory;
use crate::virtio::spec::ring as spec;

/// A buffer of a chain. The address is the client's device address and not yet checked; the
/// length is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Device address of the first byte.
    pub addr: u64,
    /// Length in bytes.
    pub len: u32,
    /// Whether the device may write it; otherwise it may only read it.
    pub writable: bool,
}

/// A descriptor, read once.
struct Descriptor {
    addr: u64,
    len: u32,
    flags: u16,
    next: u16,
}

impl Descriptor {
    fn read(table: &SharedMem, index: u16) -> Option<Self> {
        let at = spec::DESC_SIZE * usize::from(index);
        let (addr, rest) = match (table.read_u64(at), table.read_u64(at + 8)) {
            (Some(addr), Some(rest)) => (addr, rest),
            // Nothing demands that an indirect table is aligned.
            _ => {
                let mut raw = [0; spec::DESC_SIZE];
                table.read_bytes(at, &mut raw)?;
                let raw = u128::from_le_bytes(raw);
                (raw as u64, (raw >> 64) as u64)
            }
        };
        Some(Self { addr, len: rest as u32, flags: (rest >> 32) as u16, next: (rest >> 48) as u16 })
    }

    fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// Iterator over the buffers of a chain: first those that the device reads, then those that it
/// writes. Ends after the first error.
#[derive(Debug)]
pub struct Chain<'m, R> {
    memory: &'m ClientMemory<R>,
    limits: Limits,
    /// The table that is being walked: the queue's, or the indirect one.
    table: SharedMem<'static>,
    /// Number of descriptors in the table.
    entries: u32,
    next: Option<u16>,
    /// How many descriptors of this table may still be read. A chain that visits more than the
    /// table has must have visited one twice.
    left: u32,
    /// Buffers so far.
    count: u32,
    bytes: u32,
    indirect: bool,
    writable: bool,
}

impl<'m, R> Chain<'m, R> {
    pub(super) fn new(
        table: SharedMem<'static>,
        size: u16,
        head: u16,
        limits: Limits,
        memory: &'m ClientMemory<R>,
    ) -> Self {
        Self {
            memory,
            limits,
            table,
            entries: u32::from(size),
            next: Some(head),
            left: u32::from(size),
            count: 0,
            bytes: 0,
            indirect: false,
            writable: false,
        }
    }

    fn step(&mut self) -> Result<Option<Buffer>, RingError> {
        while let Some(index) = self.next.take() {
            self.left = self.left.checked_sub(1).ok_or(RingError::ChainTooLong)?;
            let d = Descriptor::read(&self.table, index).ok_or(RingError::Lost)?;
            if d.has(spec::DESC_F_INDIRECT) {
                self.enter(&d)?;
                continue;
            }
            if d.has(spec::DESC_F_NEXT) {
                if u32::from(d.next) >= self.entries {
                    return Err(RingError::NextRange(d.next));
                }
                self.next = Some(d.next);
            }
            return self.buffer(&d).map(Some);
        }
        Ok(None)
    }

    /// Goes on in an indirect table (2.7.5.3): its descriptor must be the last of the chain in
    /// the queue's table, and tables do not nest. The write flag of the descriptor means nothing.
    fn enter(&mut self, d: &Descriptor) -> Result<(), RingError> {
        if !self.limits.indirect {
            return Err(RingError::IndirectNotNegotiated);
        }
        if self.indirect {
            return Err(RingError::IndirectNested);
        }
        if d.has(spec::DESC_F_NEXT) {
            return Err(RingError::IndirectWithNext);
        }
        let len = d.len as usize;
        if len == 0 || !len.is_multiple_of(spec::DESC_SIZE) {
            return Err(RingError::IndirectLength(d.len));
        }
        self.table =
            self.memory.translate(d.addr, len).map_err(|_| RingError::IndirectNotMapped(d.addr))?;
        self.entries = d.len / spec::DESC_SIZE as u32;
        self.left = self.entries.min(u32::from(self.limits.chain).saturating_sub(self.count));
        self.indirect = true;
        self.next = Some(0);
        Ok(())
    }

    fn buffer(&mut self, d: &Descriptor) -> Result<Buffer, RingError> {
        if d.len == 0 {
            return Err(RingError::EmptyBuffer);
        }
        let writable = d.has(spec::DESC_F_WRITE);
        if self.writable && !writable {
            return Err(RingError::ReadableAfterWritable);
        }
        self.writable = writable;
        self.count += 1;
        self.bytes = self.bytes.checked_add(d.len).ok_or(RingError::TooManyBytes)?;
        Ok(Buffer { addr: d.addr, len: d.len, writable })
    }
}

impl<R> Iterator for Chain<'_, R> {
    type Item = Result<Buffer, RingError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step().transpose();
        if matches!(item, Some(Err(_))) {
            self.next = None;
        }
        item
    }
}
