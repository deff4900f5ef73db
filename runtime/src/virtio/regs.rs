//! Registers of a device: a window of memory whose every access counts.

use core::ptr::NonNull;

use safe_mmio::UniqueMmioPointer;
use safe_mmio::fields::ReadPureWrite;

use virtio_drivers::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::mem::SharedMem;

/// A window of device registers. Each access is exactly one load or store of its width, of a kind
/// that a hypervisor can emulate.
///
/// As on the bus itself, what is outside of the window, or not aligned, reads as all ones, and
/// writes to it go nowhere: offsets come from devices, and a device must not stop the driver.
#[derive(Clone, Copy, Debug)]
pub struct Registers(SharedMem<'static>);

macro_rules! access {
    ($read:ident, $write:ident, $t:ty) => {
        #[doc = concat!("Reads a little-endian `", stringify!($t), "` at `offset`.")]
        pub fn $read(&self, offset: usize) -> $t {
            self.register::<$t>(offset).map_or(<$t>::MAX, |r| <$t>::from_le(r.read()))
        }

        #[doc = concat!("Writes a little-endian `", stringify!($t), "` at `offset`.")]
        pub fn $write(&self, offset: usize, value: $t) {
            if let Some(mut r) = self.register::<$t>(offset) {
                r.write(value.to_le());
            }
        }
    };
}

impl Registers {
    /// The registers in a window, which must be mapped as device memory.
    pub const fn new(window: SharedMem<'static>) -> Registers {
        Registers(window)
    }

    /// Size in bytes.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no registers at all.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A part, or `None` if it is not completely inside.
    pub fn slice(&self, offset: usize, len: usize) -> Option<Registers> {
        self.0.slice(offset, len).map(Registers)
    }

    /// Address of the first register in this address space.
    pub const fn base(&self) -> NonNull<u8> {
        self.0.base()
    }

    /// Reads a value from a device configuration, in accesses as wide as its alignment, but at most
    /// 32 bits (virtio 1.2, 2.5.1 and 4.1.3.1).
    pub(crate) fn read_value<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T, Error> {
        let width = self.check_value::<T>(offset)?;
        let mut value = T::new_zeroed();
        for (i, bytes) in value.as_mut_bytes().chunks_mut(width).enumerate() {
            let at = offset + i * width;
            match width {
                4 => bytes.copy_from_slice(&self.read_u32(at).to_le_bytes()),
                2 => bytes.copy_from_slice(&self.read_u16(at).to_le_bytes()),
                _ => bytes.copy_from_slice(&[self.read_u8(at)]),
            }
        }
        Ok(value)
    }

    /// Writes a value to a device configuration, as [`read_value`](Self::read_value) reads it.
    pub(crate) fn write_value<T: IntoBytes + Immutable>(
        &self,
        offset: usize,
        value: &T,
    ) -> Result<(), Error> {
        let width = self.check_value::<T>(offset)?;
        for (i, bytes) in value.as_bytes().chunks(width).enumerate() {
            let at = offset + i * width;
            match *bytes {
                [a, b, c, d] => self.write_u32(at, u32::from_le_bytes([a, b, c, d])),
                [a, b] => self.write_u16(at, u16::from_le_bytes([a, b])),
                [a] => self.write_u8(at, a),
                _ => return Err(Error::InvalidParam),
            }
        }
        Ok(())
    }

    /// The width of accesses for a value at `offset`.
    fn check_value<T>(&self, offset: usize) -> Result<usize, Error> {
        let width = align_of::<T>().min(4);
        if !offset.is_multiple_of(width) {
            return Err(Error::InvalidParam);
        }
        self.slice(offset, size_of::<T>()).map(|_| width).ok_or(Error::ConfigSpaceTooSmall)
    }

    fn register<V>(&self, offset: usize) -> Option<UniqueMmioPointer<'_, ReadPureWrite<V>>> {
        let at = self.0.slice(offset, size_of::<V>())?.base().cast::<ReadPureWrite<V>>();
        // SAFETY: `at` is inside of the window, which is mapped by the contract of `SharedMem`,
        // and aligned by the check. The pointer lives for one access only; two at a time, from
        // two threads, are two independent volatile accesses, which `SharedMem` allows.
        at.is_aligned().then(|| unsafe { UniqueMmioPointer::new(at) })
    }

    access!(read_u8, write_u8, u8);
    access!(read_u16, write_u16, u16);
    access!(read_u32, write_u32, u32);
}
