//! The boot sector of FAT: whether this is one, and whether the file system can be changed as it is.
//!
//! A file system is what Linux takes for one (`fs/fat/inode.c`, `fat_read_bpb` and `fat_fill_super`);
//! neither the signature at the end of the sector nor the text `FAT16` in it has a meaning there.

use l4re_packager_base::Diagnostic;

/// Bytes that are read: the smallest sector.
pub(in crate::install::image) const SIZE: usize = 512;

/// Bytes of a directory entry.
const ENTRY: u64 = 32;
/// A volume with at most so many clusters has FAT entries of 12 bits: `MAX_FAT12`.
const MAX_FAT12: u64 = 0xff4;
/// The same with 16 bits: `MAX_FAT16`.
const MAX_FAT16: u64 = 0xfff4;
/// The same with 32 bits, of which 28 count: `MAX_FAT32`.
const MAX_FAT32: u64 = 0x0fff_fff6;
/// Entries at the start of a FAT that stand for no cluster: `FAT_START_ENT`.
const RESERVED_ENTRIES: u64 = 2;
/// Number of FATs that fsck.fat knows.
const MAX_FATS: u64 = 2;
/// The volume was not unmounted: `FAT_STATE_DIRTY`.
const STATE_DIRTY: u8 = 1;

/// What decides whether a file system can be changed. Sizes are in sectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::install::image) struct BootSector {
    sector_size: u64,
    sectors: u64,
    cluster: u64,
    reserved: u64,
    fats: u64,
    fat_size: u64,
    root_entries: u64,
    /// The size of a FAT stands in the field that only FAT32 has.
    fat32: bool,
    dirty: bool,
}

impl BootSector {
    /// The boot sector; `None` if it is none of FAT.
    pub(in crate::install::image) fn parse(bytes: &[u8; SIZE]) -> Option<Self> {
        let number = |at: usize, len: usize| {
            let field = bytes.iter().skip(at).take(len).rev();
            field.fold(0, |number: u64, byte| number << 8 | u64::from(*byte))
        };
        let either = |short: u64, long: u64| if short != 0 { short } else { long };
        let fat32 = number(22, 2) == 0;
        let state = number(if fat32 { 65 } else { 37 }, 1) as u8;
        let found = Self {
            sector_size: number(11, 2),
            sectors: either(number(19, 2), number(32, 4)),
            cluster: number(13, 1),
            reserved: number(14, 2),
            fats: number(16, 1),
            fat_size: either(number(22, 2), number(36, 4)),
            root_entries: number(17, 2),
            fat32,
            dirty: state & STATE_DIRTY != 0,
        };
        let media = number(21, 1);
        let is_fat = (512..=4096).contains(&found.sector_size)
            && found.sector_size.is_power_of_two()
            && found.cluster.is_power_of_two()
            && found.reserved != 0
            && found.fats != 0
            && found.fat_size != 0
            && (media == 0xf0 || media >= 0xf8);
        is_fat.then_some(found)
    }

    /// Whether the file system, of which `len` bytes are there, is in order and of a kind that can
    /// be changed.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] with the reason.
    pub(in crate::install::image) fn check(&self, len: u64) -> Result<(), Diagnostic> {
        let wanted = self.sectors * self.sector_size;
        let (clusters, bits) = self.clusters()?;
        let entries = self.fat_size * self.sector_size * 8 / bits;
        let (message, help) = if wanted > len {
            let message =
                format!("the file system has {wanted} bytes, and {len} are there: it was cut off");
            (message, "get the whole image")
        } else if self.fats > MAX_FATS {
            (format!("{} file allocation tables, not 1 or 2", self.fats), "make it anew: mkfs.fat")
        } else if !(self.root_entries * ENTRY).is_multiple_of(self.sector_size) {
            let message = format!(
                "a root directory of {} entries, which Linux does not mount",
                self.root_entries
            );
            (message, "make it anew: mkfs.fat")
        } else if clusters + RESERVED_ENTRIES > entries {
            let message =
                format!("a file allocation table with {entries} entries for {clusters} clusters");
            (message, "make it anew: mkfs.fat")
        } else if self.fat32 && clusters <= MAX_FAT16 {
            let message = format!(
                "FAT32 with {clusters} clusters: below {} the tools take it for FAT16 or FAT12",
                MAX_FAT16 + 1
            );
            (message, "make it anew: mkfs.fat chooses what fits; or with smaller clusters: -s 1")
        } else if self.dirty {
            let message = "the file system is mounted, or was not unmounted";
            (message.into(), "unmount it; else fsck.fat -a checks it")
        } else {
            return Ok(());
        };
        Err(Diagnostic::error("install-image", message).help(help))
    }

    /// The number of clusters, and the bits that a FAT's entry has for them.
    fn clusters(&self) -> Result<(u64, u64), Diagnostic> {
        let root = (self.root_entries * ENTRY).div_ceil(self.sector_size);
        let data = self.reserved + self.fats * self.fat_size + root;
        let clusters = self.sectors.saturating_sub(data) / self.cluster;
        let (bits, max) = match clusters {
            _ if self.fat32 => (32, MAX_FAT32),
            0..=MAX_FAT12 => (12, MAX_FAT12),
            _ => (16, MAX_FAT16),
        };
        if (1..=max).contains(&clusters) {
            return Ok((clusters, bits));
        }
        let message = format!(
            "{} sectors of {} bytes in clusters of {}: {clusters} clusters, which Linux does not mount",
            self.sectors, self.sector_size, self.cluster
        );
        Err(Diagnostic::error("install-image", message).help("make it anew: mkfs.fat"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes at an offset.
    type Change = (usize, &'static [u8]);

    /// A good boot sector of FAT16, changed at some places.
    fn sector(changes: &[Change]) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let good: [Change; 8] = [
            (11, &[0, 2]),
            (13, &[4]),
            (14, &[4, 0]),
            (16, &[2]),
            (17, &[0, 2]),
            (19, &[0, 0x80]),
            (21, &[0xf8]),
            (22, &[32, 0]),
        ];
        for (at, change) in good.iter().chain(changes) {
            bytes[*at..at + change.len()].copy_from_slice(change);
        }
        bytes
    }

    #[test]
    fn a_clean_one_is_taken_and_everything_else_has_its_reason() {
        let check = |changes: &[Change]| {
            let found = BootSector::parse(&sector(changes)).unwrap();
            found.check(16 << 20).map_err(|finding| finding.to_string())
        };
        assert_eq!(check(&[]), Ok(()));
        // The label is only a text.
        assert_eq!(check(&[(54, b"FAT12   ")]), Ok(()));
        let rows: [(&[Change], &str); 9] = [
            (&[(19, &[1, 0x80])], "has 16777728 bytes, and 16777216 are there"),
            (&[(16, &[3])], "3 file allocation tables"),
            (&[(17, &[17, 0])], "a root directory of 17 entries"),
            (&[(22, &[31, 0])], "a file allocation table with 7936 entries for 8167 clusters"),
            (&[(37, &[1])], "mounted, or was not unmounted"),
            (&[(22, &[0, 0]), (36, &[64])], "FAT32 with 8151 clusters: below 65525"),
            (&[(13, &[1]), (19, &[0, 0]), (33, &[1, 1])], "65692 clusters"),
            (&[(19, &[99, 0])], "0 clusters, which Linux does not mount"),
            (&[(19, &[0, 0]), (32, &[0xff; 4])], "clusters, which Linux does not mount"),
        ];
        for (changes, expected) in rows {
            let message = check(changes).unwrap_err();
            assert!(message.contains(expected), "{changes:?}: {message}");
        }
    }

    #[test]
    fn what_linux_takes_for_none_is_none() {
        let is_fat = |changes: &[Change]| BootSector::parse(&sector(changes)).is_some();
        assert!(is_fat(&[]));
        for change in [
            (11, &[0, 1][..]),
            (11, &[0, 3]),
            (11, &[0, 0x20]),
            (13, &[3]),
            (13, &[0]),
            (14, &[0, 0]),
            (16, &[0]),
            (21, &[0xf1]),
            (22, &[0, 0]),
        ] {
            assert!(!is_fat(&[change]), "{change:?}");
        }
        assert_eq!(BootSector::parse(&[0; SIZE]), None);
        assert_eq!(BootSector::parse(&[0xff; SIZE]), None);
    }
}
