//! Feature maps of the configuration page.

use crate::mem::SharedMem;
use crate::virtio::spec::feature;
use crate::virtio::spec::l4page::{CMD_CONFIG, FEATURE_WORDS};

/// A set of feature bits: six words, as in the page. Bits 0 to 63 are virtio's, bit 160 is the
/// command register of l4virtio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features([u32; FEATURE_WORDS]);

impl Features {
    /// No feature.
    pub const NONE: Features = Features([0; FEATURE_WORDS]);

    /// The features of virtio with these bits.
    pub const fn new(bits: u64) -> Self {
        Features([bits as u32, (bits >> 32) as u32, 0, 0, 0, 0])
    }

    /// The same with the command register.
    pub const fn with_command_register(mut self) -> Self {
        self.0[CMD_CONFIG.0] |= CMD_CONFIG.1;
        self
    }

    /// The words as they are in the page.
    pub const fn words(&self) -> [u32; FEATURE_WORDS] {
        self.0
    }

    /// Bits 0 to 63.
    pub const fn bits(&self) -> u64 {
        self.0[0] as u64 | (self.0[1] as u64) << 32
    }

    /// Whether all of `bits` are in the set.
    pub const fn has(&self, bits: u64) -> bool {
        self.bits() & bits == bits
    }

    /// Whether the command register is in the set.
    pub const fn has_command_register(&self) -> bool {
        self.0[CMD_CONFIG.0] & CMD_CONFIG.1 != 0
    }

    /// Whether a driver may choose `wanted` when these are offered: nothing that is not offered,
    /// and `VERSION_1`, as there are no legacy devices in l4virtio (2.2, 6.1).
    pub fn accepts(&self, wanted: &Features) -> bool {
        let subset = self.0.iter().zip(wanted.0).all(|(offer, want)| want & !offer == 0);
        subset && wanted.has(feature::VERSION_1)
    }

    /// Reads a map from the page, each word once.
    pub(super) fn read(page: &SharedMem, at: usize) -> Self {
        let mut words = [0; FEATURE_WORDS];
        for (i, word) in words.iter_mut().enumerate() {
            *word = page.read_u32(at + 4 * i).unwrap_or(0);
        }
        Features(words)
    }

    /// Writes a map to the page.
    pub(super) fn write(&self, page: &SharedMem, at: usize) {
        for (i, word) in self.0.iter().enumerate() {
            // The transport has checked the size of the page.
            let _ = page.write_u32(at + 4 * i, *word);
        }
    }
}
