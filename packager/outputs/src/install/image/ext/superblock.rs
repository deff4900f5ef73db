//! The superblock of ext2, ext3 and ext4: whether the file system can be changed as it is.
//!
//! Layout and numbers: Linux, `fs/ext4/ext4.h` and `Documentation/filesystems/ext4/super.rst`.

use l4re_packager_base::Diagnostic;

/// Offset of the superblock in a file system.
pub(super) const OFFSET: u64 = 1024;
/// Its size.
pub(super) const SIZE: usize = 1024;

/// The file system is in order: `EXT4_VALID_FS`. Missing while one without journal is mounted.
const STATE_VALID: u16 = 1;
/// The kernel found errors: `EXT4_ERROR_FS`.
const STATE_ERRORS: u16 = 2;
/// Orphans are being recovered: `EXT4_ORPHAN_FS`.
const STATE_ORPHANS: u16 = 4;

/// The journal holds changes that are not in their places: `EXT4_FEATURE_INCOMPAT_RECOVER`.
const INCOMPAT_RECOVER: u32 = 0x4;
/// Directory entries tell the type of what they name: `EXT4_FEATURE_INCOMPAT_FILETYPE`.
const INCOMPAT_FILETYPE: u32 = 0x2;
/// Files that are deleted and still open are listed: `EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT`.
const RO_COMPAT_ORPHAN_PRESENT: u32 = 0x1_0000;
/// Usage is counted by owner: `EXT4_FEATURE_RO_COMPAT_QUOTA`.
const RO_COMPAT_QUOTA: u32 = 0x100;

/// Incompatible features that the tools and the reader here know how to keep: filetype, extents,
/// 64bit, flex_bg, metadata_csum_seed, encrypt (of other folders).
const INCOMPAT_KEPT: u32 = INCOMPAT_FILETYPE | 0x40 | 0x80 | 0x200 | 0x2000 | 0x1_0000;
/// Such read-only compatible features: sparse_super, large_file, huge_file, uninit_bg, dir_nlink,
/// extra_isize, quota, bigalloc, metadata_csum, project, verity.
const RO_COMPAT_KEPT: u32 =
    0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40 | RO_COMPAT_QUOTA | 0x200 | 0x400 | 0x2000 | 0x8000;

/// Names of other features, as `mke2fs -O` takes them.
const INCOMPAT_NAMES: [(u32, &str); 9] = [
    (0x1, "compression"),
    (0x8, "journal_dev"),
    (0x10, "meta_bg"),
    (0x100, "mmp"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (0x4000, "large_dir"),
    (0x8000, "inline_data"),
    (0x2_0000, "casefold"),
];
const RO_COMPAT_NAMES: [(u32, &str); 4] =
    [(0x80, "snapshot"), (0x800, "replica"), (0x1000, "read-only"), (0x4000, "shared_blocks")];

/// Size of the largest block that Linux mounts on every machine: a page.
const MAX_BLOCK: u64 = 4096;
/// The newest revision of the layout: `EXT4_DYNAMIC_REV`.
const MAX_REVISION: u32 = 1;

/// What decides whether a file system can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Superblock {
    blocks: u64,
    block_size: u64,
    state: u16,
    revision: u32,
    incompat: u32,
    ro_compat: u32,
    last_orphan: u32,
}

impl Superblock {
    pub(super) fn parse(bytes: &[u8; SIZE]) -> Self {
        let number = |at: usize, len: usize| {
            let field = bytes.iter().skip(at).take(len).rev();
            field.fold(0, |number: u32, byte| number << 8 | u32::from(*byte))
        };
        let incompat = number(0x60, 4);
        // The upper half of the number of blocks has a meaning with the feature 64bit only.
        let high = if incompat & 0x80 == 0 { 0 } else { number(0x150, 4) };
        Self {
            blocks: u64::from(high) << 32 | u64::from(number(0x4, 4)),
            block_size: 1024u64.checked_shl(number(0x18, 4)).unwrap_or(0),
            state: number(0x3a, 2) as u16,
            revision: number(0x4c, 4),
            incompat,
            ro_compat: number(0x64, 4),
            last_orphan: number(0xe8, 4),
        }
    }

    /// Whether usage is counted, which has to be brought up to date after a change.
    pub(super) fn has_quota(&self) -> bool {
        self.ro_compat & RO_COMPAT_QUOTA != 0
    }

    /// Whether the file system, of which `len` bytes are there, is in order and of a kind that can
    /// be changed.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] with the reason.
    pub(super) fn check(&self, len: u64) -> Result<(), Diagnostic> {
        self.check_size(len)?;
        self.check_features()?;
        self.check_state()
    }

    fn check_size(&self, len: u64) -> Result<(), Diagnostic> {
        if self.revision > MAX_REVISION {
            return Err(refused(format!("revision {} of the layout is not known", self.revision)));
        }
        if !(1024..=MAX_BLOCK).contains(&self.block_size) {
            let message = format!(
                "its blocks are larger than the {MAX_BLOCK} bytes that Linux mounts on every machine"
            );
            return Err(refused(message).help("make it anew: mke2fs -b 4096"));
        }
        let wanted = u128::from(self.blocks) * u128::from(self.block_size);
        if wanted > u128::from(len) {
            let message =
                format!("the file system has {wanted} bytes, and {len} are there: it was cut off");
            return Err(refused(message).help("Linux does not mount it; get the whole image"));
        }
        Ok(())
    }

    fn check_features(&self) -> Result<(), Diagnostic> {
        let incompat = self.incompat & !INCOMPAT_KEPT & !INCOMPAT_RECOVER;
        let ro_compat = self.ro_compat & !RO_COMPAT_KEPT & !RO_COMPAT_ORPHAN_PRESENT;
        let mut found = names(incompat, &INCOMPAT_NAMES, "incompatible");
        found.extend(names(ro_compat, &RO_COMPAT_NAMES, "read-only compatible"));
        if !found.is_empty() {
            let message = format!(
                "the file system has features that files cannot be added under here: {}",
                found.join(", ")
            );
            let help = "mount it and name the mounted folder with --root, or make it without them";
            return Err(refused(message).help(help));
        }
        if self.incompat & INCOMPAT_FILETYPE == 0 {
            let message = "the file system has not the feature filetype";
            return Err(refused(message.into()).help("tune2fs -O filetype adds it, then e2fsck -f"));
        }
        Ok(())
    }

    fn check_state(&self) -> Result<(), Diagnostic> {
        if self.incompat & INCOMPAT_RECOVER != 0 {
            let message = "the journal holds changes that are not in their places yet: the file \
                           system is mounted, or was not unmounted";
            return Err(refused(message.into()).help("unmount it; else e2fsck -p replays them"));
        }
        if self.state & STATE_VALID == 0 {
            let message = "the file system is mounted, or was not unmounted";
            return Err(refused(message.into()).help("unmount it; else e2fsck -f checks it"));
        }
        if self.state & STATE_ERRORS != 0 {
            let message = "the file system is marked as having errors";
            return Err(refused(message.into()).help("e2fsck -f repairs it"));
        }
        let orphans = self.ro_compat & RO_COMPAT_ORPHAN_PRESENT != 0
            || self.state & STATE_ORPHANS != 0
            || self.last_orphan != 0;
        if orphans {
            let message = "files that were deleted while open still take their space: the file \
                           system is mounted, or was not unmounted";
            return Err(refused(message.into()).help("unmount it; else e2fsck -p frees them"));
        }
        Ok(())
    }
}

fn refused(message: String) -> Diagnostic {
    Diagnostic::error("install-image", message)
}

/// The names of the features in a set; those without a name by their bit.
fn names(set: u32, known: &[(u32, &str)], kind: &str) -> Vec<String> {
    let bits = (0..u32::BITS).map(|bit| 1 << bit).filter(|bit| set & bit != 0);
    bits.map(|bit| match known.iter().find(|(known, _)| *known == bit) {
        Some((_, name)) => (*name).into(),
        None => format!("{bit:#x} ({kind})"),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes at an offset.
    type Change = (usize, &'static [u8]);

    /// A good superblock, changed at some places.
    fn checked(changes: &[Change]) -> Result<(), String> {
        let mut bytes = [0; SIZE];
        let good: [Change; 5] = [
            (0x4, &[8]),
            (0x18, &[2]),
            (0x3a, &[1]),
            (0x4c, &[1]),
            (0x60, &[INCOMPAT_FILETYPE as u8]),
        ];
        for (at, change) in good.iter().chain(changes) {
            bytes[*at..at + change.len()].copy_from_slice(change);
        }
        Superblock::parse(&bytes).check(8 * 4096).map_err(|finding| finding.to_string())
    }

    #[test]
    fn a_clean_one_is_taken_and_everything_else_has_its_reason() {
        assert_eq!(checked(&[]), Ok(()));
        // metadata_csum, 64bit, journal, orphan file without orphans.
        assert_eq!(checked(&[(0x65, &[0x04]), (0x60, &[0xc2]), (0x5c, &[0x3c, 0x12])]), Ok(()));
        let rows: [(&[Change], &str); 14] = [
            (&[(0x4, &[9])], "has 36864 bytes, and 32768 are there"),
            (&[(0x60, &[0xc2]), (0x150, &[1])], "was cut off"),
            (&[(0x18, &[3])], "its blocks are larger"),
            (&[(0x18, &[0xff, 0xff])], "its blocks are larger"),
            (&[(0x4c, &[2])], "revision 2"),
            (&[(0x60, &[0x06])], "the journal holds changes"),
            (&[(0x60, &[0x40])], "not the feature filetype"),
            (&[(0x3a, &[0])], "mounted, or was not unmounted"),
            (&[(0x3a, &[3])], "marked as having errors"),
            (&[(0x3a, &[5])], "deleted while open"),
            (&[(0xe8, &[12])], "deleted while open"),
            (&[(0x66, &[1])], "deleted while open"),
            (&[(0x61, &[0x81]), (0x65, &[0x50])], "mmp, inline_data, read-only, shared_blocks"),
            (&[(0x63, &[0x80]), (0x67, &[0x40])], "0x80000000 (incompatible), 0x40000000 (read-"),
        ];
        for (changes, expected) in rows {
            let message = checked(changes).unwrap_err();
            assert!(message.contains(expected), "{changes:?}: {message}");
        }
    }
}
