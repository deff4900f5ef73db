//! What a client is offered: features and the configuration of the class (virtio 1.2, 5.2.3 and
//! 5.2.4).

use super::{MAX_RANGES, SectorWindow};
use crate::mem::SharedMem;
use crate::virtio::spec::block::{DiscardLimits, Info, config, feature};

/// The features of the class that a client is offered for a disk.
///
/// `CONFIG_WCE` is not: a client cannot switch the cache mode of a disk that it may share.
pub(super) fn features(info: &Info, read_only: bool) -> u64 {
    let mut bits = feature::SIZE_MAX | feature::SEG_MAX | feature::BLK_SIZE;
    let mut offer = |condition: bool, feature| {
        if condition {
            bits |= feature;
        }
    };
    offer(read_only, feature::RO);
    offer(info.flush, feature::FLUSH);
    offer(info.discard.is_some() && !read_only, feature::DISCARD);
    offer(info.write_zeroes.is_some() && !read_only, feature::WRITE_ZEROES);
    bits
}

/// Most data segments that a client may use in a request: what the disk takes, and what fits a
/// chain together with header and status.
pub(super) fn seg_max(info: &Info, queue_size: u16) -> u32 {
    info.seg_max.min(u32::from(queue_size).saturating_sub(2)).max(1)
}

/// Fills the configuration of the class. `None` if the window is too small.
pub(super) fn write(
    to: &SharedMem,
    info: &Info,
    window: &SectorWindow,
    queue_size: u16,
) -> Option<()> {
    to.write_u64(config::CAPACITY, window.sectors)?;
    to.write_u32(config::SIZE_MAX, info.size_max)?;
    to.write_u32(config::SEG_MAX, seg_max(info, queue_size))?;
    to.write_u32(config::BLK_SIZE, info.block_size)?;
    to.write_u16(config::NUM_QUEUES, 1)?;
    if let Some(limits) = &info.discard {
        to.write_u32(config::MAX_DISCARD_SECTORS, limits.max_sectors)?;
        to.write_u32(config::MAX_DISCARD_SEG, ranges_max(limits))?;
        to.write_u32(config::DISCARD_SECTOR_ALIGNMENT, limits.alignment)?;
    }
    if let Some(limits) = &info.write_zeroes {
        to.write_u32(config::MAX_WRITE_ZEROES_SECTORS, limits.max_sectors)?;
        to.write_u32(config::MAX_WRITE_ZEROES_SEG, ranges_max(limits))?;
        to.write_u8(config::WRITE_ZEROES_MAY_UNMAP, u8::from(limits.may_unmap))?;
    }
    Some(())
}

/// Most ranges of a discard or write-zeroes request.
pub(super) fn ranges_max(limits: &DiscardLimits) -> u32 {
    limits.max_segments.clamp(1, MAX_RANGES as u32)
}
