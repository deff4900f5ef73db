//! Layout of a split virtqueue (virtio 1.2, 2.7).

/// Size of a descriptor in bytes (2.7.5).
pub const DESC_SIZE: usize = 16;
/// Descriptor: byte offset of the 64-bit buffer address.
pub const DESC_ADDR: usize = 0;
/// Descriptor: byte offset of the 32-bit buffer length.
pub const DESC_LEN: usize = 8;
/// Descriptor: byte offset of the 16-bit flags.
pub const DESC_FLAGS: usize = 12;
/// Descriptor: byte offset of the 16-bit index of the next descriptor.
pub const DESC_NEXT: usize = 14;

/// Descriptor flag: the chain goes on at the index in the next field.
pub const DESC_F_NEXT: u16 = 1;
/// Descriptor flag: the device writes this buffer (otherwise it reads it).
pub const DESC_F_WRITE: u16 = 2;
/// Descriptor flag: the buffer is a table of descriptors (2.7.5.3).
pub const DESC_F_INDIRECT: u16 = 4;

/// Available ring: byte offset of the 16-bit flags (2.7.6).
pub const AVAIL_FLAGS: usize = 0;
/// Available ring: byte offset of the 16-bit index.
pub const AVAIL_IDX: usize = 2;
/// Available ring: byte offset of the first 16-bit entry; `used_event` follows the last one.
pub const AVAIL_RING: usize = 4;
/// Available ring flag: the driver asks the device not to interrupt.
pub const AVAIL_F_NO_INTERRUPT: u16 = 1;

/// Used ring: byte offset of the 16-bit flags (2.7.8).
pub const USED_FLAGS: usize = 0;
/// Used ring: byte offset of the 16-bit index.
pub const USED_IDX: usize = 2;
/// Used ring: byte offset of the first entry; `avail_event` follows the last one.
pub const USED_RING: usize = 4;
/// Size of an entry of the used ring: 32-bit id, 32-bit length written.
pub const USED_ELEM_SIZE: usize = 8;
/// Used ring flag: the device asks the driver not to notify.
pub const USED_F_NO_NOTIFY: u16 = 1;

/// Largest number of descriptors of a split virtqueue (2.7).
pub const MAX_SIZE: u16 = 32768;

/// Bytes of the descriptor table of a queue with `size` entries; needs 16-byte alignment.
pub const fn desc_bytes(size: u16) -> usize {
    DESC_SIZE * size as usize
}

/// Bytes of the available ring including `used_event`; needs 2-byte alignment.
pub const fn avail_bytes(size: u16) -> usize {
    AVAIL_RING + 2 * size as usize + 2
}

/// Bytes of the used ring including `avail_event`; needs 4-byte alignment.
pub const fn used_bytes(size: u16) -> usize {
    USED_RING + USED_ELEM_SIZE * size as usize + 2
}

/// Whether to notify after the index moved from `old` to `new`, when the peer asked to be told as
/// soon as entry `event` is there (`vring_need_event`, 2.7.10). All arithmetic is modulo 2^16.
pub const fn need_event(event: u16, new: u16, old: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}
