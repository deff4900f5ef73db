//! The configuration of a block device, read once and turned into something that cannot be wrong.

use virtio_drivers::transport::Transport;

use super::BlockError;
use crate::virtio::negotiate::read_config;
use crate::virtio::spec::block::{
    DiscardLimits, ID_SIZE, Info, SECTOR_SIZE, Topology, config, feature,
};

/// Most ranges of a discard or write-zeroes request that the driver has room for.
pub(super) const MAX_RANGES: u32 = 8;

/// Largest logical block that is believed. Nothing on the market comes near it, and it keeps
/// sizes in bytes far from overflows.
const MAX_BLOCK_SIZE: u32 = 1 << 20;

/// The fields as the device has them; those without their feature are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) capacity: u64,
    pub(super) size_max: u32,
    pub(super) seg_max: u32,
    pub(super) blk_size: u32,
    pub(super) topology: (u8, u8, u16, u32),
    pub(super) discard: (u32, u32, u32),
    pub(super) write_zeroes: (u32, u32, u8),
}

/// Reads the configuration; `features` is what was negotiated.
pub(super) fn read<T: Transport>(transport: &T, features: u64) -> Result<Raw, BlockError> {
    let has = |bit: u64| features & bit != 0;
    let raw = read_config(transport, |t| {
        let u8_at = |at| t.read_config_space::<u8>(at);
        let u16_at = |at| t.read_config_space::<u16>(at).map(u16::from_le);
        let u32_at = |at| t.read_config_space::<u32>(at).map(u32::from_le);
        let low = u64::from(u32_at(config::CAPACITY)?);
        let high = u64::from(u32_at(config::CAPACITY + 4)?);
        let mut raw = Raw { capacity: low | high << 32, ..Raw::default() };
        if has(feature::SIZE_MAX) {
            raw.size_max = u32_at(config::SIZE_MAX)?;
        }
        if has(feature::SEG_MAX) {
            raw.seg_max = u32_at(config::SEG_MAX)?;
        }
        if has(feature::BLK_SIZE) {
            raw.blk_size = u32_at(config::BLK_SIZE)?;
        }
        if has(feature::TOPOLOGY) {
            let at = config::TOPOLOGY;
            raw.topology = (u8_at(at)?, u8_at(at + 1)?, u16_at(at + 2)?, u32_at(at + 4)?);
        }
        if has(feature::DISCARD) {
            raw.discard = (
                u32_at(config::MAX_DISCARD_SECTORS)?,
                u32_at(config::MAX_DISCARD_SEG)?,
                u32_at(config::DISCARD_SECTOR_ALIGNMENT)?,
            );
        }
        if has(feature::WRITE_ZEROES) {
            raw.write_zeroes = (
                u32_at(config::MAX_WRITE_ZEROES_SECTORS)?,
                u32_at(config::MAX_WRITE_ZEROES_SEG)?,
                u8_at(config::WRITE_ZEROES_MAY_UNMAP)?,
            );
        }
        Ok(raw)
    })?;
    Ok(raw)
}

impl Raw {
    /// Checks and clamps. `segments` is how many data segments a request of this driver can have.
    pub(super) fn validate(&self, features: u64, segments: u32) -> Result<Info, BlockError> {
        let has = |bit: u64| features & bit != 0;
        let block_size = if has(feature::BLK_SIZE) { self.blk_size } else { SECTOR_SIZE as u32 };
        if !block_size.is_power_of_two()
            || block_size < SECTOR_SIZE as u32
            || block_size > MAX_BLOCK_SIZE
        {
            return Err(BlockError::BlockSize(block_size));
        }
        let size_max = if has(feature::SIZE_MAX) { self.size_max } else { u32::MAX };
        if size_max < block_size {
            return Err(BlockError::SizeMax(size_max));
        }
        // Without a word from the device one segment is all that is safe (5.2.5).
        let seg_max = if has(feature::SEG_MAX) { self.seg_max } else { 1 };
        Ok(Info {
            capacity: self.capacity(block_size)?,
            block_size,
            size_max: size_max & !(SECTOR_SIZE as u32 - 1),
            seg_max: seg_max.clamp(1, segments),
            read_only: has(feature::RO),
            flush: has(feature::FLUSH),
            discard: self.discard_limits(),
            write_zeroes: self.write_zeroes_limits(),
            id: [0; ID_SIZE],
        })
    }

    /// Capacity in sectors, a whole number of blocks.
    pub(super) fn capacity(&self, block_size: u32) -> Result<u64, BlockError> {
        if self.capacity > u64::MAX / SECTOR_SIZE {
            return Err(BlockError::Capacity(self.capacity));
        }
        Ok(self.capacity & !(u64::from(block_size) / SECTOR_SIZE - 1))
    }

    fn discard_limits(&self) -> Option<DiscardLimits> {
        let (max_sectors, segments, alignment) = self.discard;
        (max_sectors > 0).then(|| DiscardLimits {
            max_sectors,
            max_segments: segments.clamp(1, MAX_RANGES),
            alignment: alignment.max(1),
            may_unmap: false,
        })
    }

    fn write_zeroes_limits(&self) -> Option<DiscardLimits> {
        let (max_sectors, segments, may_unmap) = self.write_zeroes;
        (max_sectors > 0).then(|| DiscardLimits {
            max_sectors,
            max_segments: segments.clamp(1, MAX_RANGES),
            alignment: 1,
            may_unmap: may_unmap != 0,
        })
    }

    pub(super) fn topology(&self, features: u64) -> Option<Topology> {
        let (physical_block_exp, alignment_offset, min_io_size, opt_io_size) = self.topology;
        (features & feature::TOPOLOGY != 0).then_some(Topology {
            physical_block_exp: physical_block_exp.min(16),
            alignment_offset,
            min_io_size,
            opt_io_size,
        })
    }
}
