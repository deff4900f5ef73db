//! The block device class (virtio 1.2, 5.2).

use core::fmt;

/// Size in bytes of the unit in which capacity and positions are counted, whatever the block
/// size of the device (5.2.4).
pub const SECTOR_SIZE: u64 = 512;

/// Size of the header in front of every request (5.2.6).
pub const HEADER_SIZE: usize = 16;

/// Length of the string that [`Op::GetId`] returns (5.2.6).
pub const ID_SIZE: usize = 20;

/// Feature bits of the class (5.2.3).
pub mod feature {
    /// `size_max` of the configuration is valid.
    pub const SIZE_MAX: u64 = 1 << 1;
    /// `seg_max` of the configuration is valid.
    pub const SEG_MAX: u64 = 1 << 2;
    /// `geometry` of the configuration is valid.
    pub const GEOMETRY: u64 = 1 << 4;
    /// The device is read-only.
    pub const RO: u64 = 1 << 5;
    /// `blk_size` of the configuration is valid.
    pub const BLK_SIZE: u64 = 1 << 6;
    /// The flush command is there.
    pub const FLUSH: u64 = 1 << 9;
    /// `topology` of the configuration is valid.
    pub const TOPOLOGY: u64 = 1 << 10;
    /// The cache mode can be switched by `writeback` of the configuration.
    pub const CONFIG_WCE: u64 = 1 << 11;
    /// There are several queues.
    pub const MQ: u64 = 1 << 12;
    /// The discard command is there.
    pub const DISCARD: u64 = 1 << 13;
    /// The write-zeroes command is there.
    pub const WRITE_ZEROES: u64 = 1 << 14;
}

/// Byte offsets in the device configuration (5.2.4).
pub mod config {
    /// u64: capacity in sectors of 512 bytes.
    pub const CAPACITY: usize = 0;
    /// u32: largest size of one segment in bytes.
    pub const SIZE_MAX: usize = 8;
    /// u32: largest number of data segments of a request.
    pub const SEG_MAX: usize = 12;
    /// u16 cylinders, u8 heads, u8 sectors.
    pub const GEOMETRY: usize = 16;
    /// u32: block size in bytes.
    pub const BLK_SIZE: usize = 20;
    /// u8 physical block exponent, u8 alignment offset, u16 min and u32 optimal I/O size.
    pub const TOPOLOGY: usize = 24;
    /// u8: 1 write-back, 0 write-through.
    pub const WRITEBACK: usize = 32;
    /// u16: number of queues.
    pub const NUM_QUEUES: usize = 34;
    /// u32: most sectors of one discard segment.
    pub const MAX_DISCARD_SECTORS: usize = 36;
    /// u32: most segments of a discard request.
    pub const MAX_DISCARD_SEG: usize = 40;
    /// u32: alignment of discards in sectors.
    pub const DISCARD_SECTOR_ALIGNMENT: usize = 44;
    /// u32: most sectors of one write-zeroes segment.
    pub const MAX_WRITE_ZEROES_SECTORS: usize = 48;
    /// u32: most segments of a write-zeroes request.
    pub const MAX_WRITE_ZEROES_SEG: usize = 52;
    /// u8: write-zeroes may unmap.
    pub const WRITE_ZEROES_MAY_UNMAP: usize = 56;
    /// Size of the whole structure up to 1.1 of the specification, padded.
    pub const SIZE: usize = 60;
}

/// Size of one segment of a discard or write-zeroes request: u64 sector, u32 number of sectors,
/// u32 flags (5.2.6).
pub const DISCARD_SEGMENT_SIZE: usize = 16;
/// Flag of a write-zeroes segment: the device may unmap the sectors.
pub const WRITE_ZEROES_F_UNMAP: u32 = 1;

/// What a request asks for (5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Op {
    /// Read sectors into memory.
    Read = 0,
    /// Write sectors from memory.
    Write = 1,
    /// Make everything written so far durable.
    Flush = 4,
    /// Read the identification string.
    GetId = 8,
    /// Tell the device that sectors are not needed any more.
    Discard = 11,
    /// Make sectors read as zeros.
    WriteZeroes = 13,
}

impl Op {
    /// The operation with this number in the request header, if there is one.
    pub const fn from_raw(raw: u32) -> Option<Op> {
        Some(match raw {
            0 => Op::Read,
            1 => Op::Write,
            4 => Op::Flush,
            8 => Op::GetId,
            11 => Op::Discard,
            13 => Op::WriteZeroes,
            _ => return None,
        })
    }

    /// Whether the device writes the data segments of this request (the client reads them).
    pub const fn device_writes(self) -> bool {
        matches!(self, Op::Read | Op::GetId)
    }

    /// Whether the request changes what is on the medium.
    pub const fn changes_medium(self) -> bool {
        matches!(self, Op::Write | Op::Discard | Op::WriteZeroes)
    }
}

/// The status byte at the end of a request (5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// The request failed.
    IoErr = 1,
    /// The device does not know the request.
    Unsupp = 2,
}

impl Status {
    /// The status for a byte that a device wrote; what is not in the specification is an error.
    pub const fn from_raw(raw: u8) -> Status {
        match raw {
            0 => Status::Ok,
            2 => Status::Unsupp,
            _ => Status::IoErr,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Ok => "ok",
            Status::IoErr => "input/output error",
            Status::Unsupp => "unsupported",
        })
    }
}

/// Properties of a disk, in the terms of the class; what a driver found and a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Capacity in sectors of 512 bytes.
    pub capacity: u64,
    /// Logical block size in bytes: a power of two, at least 512; requests are multiples of it.
    pub block_size: u32,
    /// Largest size of one data segment in bytes.
    pub size_max: u32,
    /// Largest number of data segments of a request.
    pub seg_max: u32,
    /// No request may change the medium.
    pub read_only: bool,
    /// The flush command is there; without it every write is durable when it completes.
    pub flush: bool,
    /// Limits of the discard command, if it is there.
    pub discard: Option<DiscardLimits>,
    /// Limits of the write-zeroes command, if it is there.
    pub write_zeroes: Option<DiscardLimits>,
    /// The identification string, padded with NUL.
    pub id: [u8; ID_SIZE],
}

/// Limits of discard or write-zeroes (5.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscardLimits {
    /// Most sectors of one segment.
    pub max_sectors: u32,
    /// Most segments of one request.
    pub max_segments: u32,
    /// Alignment in sectors (discard), 1 if none.
    pub alignment: u32,
    /// Sectors may be unmapped (write-zeroes).
    pub may_unmap: bool,
}

/// How the blocks of a disk lie on its medium (5.2.4); hints for whoever lays out data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Logical blocks in a physical block, as a power of two.
    pub physical_block_exp: u8,
    /// Offset of the first aligned logical block.
    pub alignment_offset: u8,
    /// Suggested smallest transfer in logical blocks.
    pub min_io_size: u16,
    /// Suggested largest transfer in logical blocks.
    pub opt_io_size: u32,
}
