//! The kernel info page.

use l4re_runtime::abi::kip::{
    CLOCK_NS, CLOCK_US, MAGIC, SCALER_NS, SCALER_US, SYSCALL_STUB, mem_desc, new,
};

use crate::mem::PAGE;
use crate::region::END;

/// Machine code for the page.
#[derive(Clone, Copy, Debug)]
pub struct ClockCode<'a> {
    /// The system call.
    pub syscall: &'a [u8],
    /// Reads the clock with the scaler and shift 0x70 bytes behind its start.
    pub clock: &'a [u8],
}

/// Version that Fiasco has there.
const VERSION: u32 = 0x8703_4444;
/// Where the strings start.
const STRINGS: usize = 0x400;
/// Where the memory descriptors start.
const DESCRIPTORS: usize = 0x200;
/// Room for that many descriptors.
const DESCRIPTOR_COUNT: u32 = 16;

/// Scaler and shift such that `(counter * scaler >> 32) << shift` counts `unit` parts of a second
/// of a counter with `frequency` Hz.
pub fn scaler(frequency: u64, unit: u64) -> (u64, u64) {
    let mut shift = 0;
    loop {
        let scaled = (u128::from(unit) << 32 >> shift) / u128::from(frequency.max(1));
        match u64::try_from(scaled) {
            Ok(s) if s <= u64::from(u32::MAX) => return (s, shift),
            _ => shift += 1,
        }
    }
}

/// Builds the page; `ram` is where memory starts and ends.
pub fn build(frequency: u64, ram: (usize, usize), code: ClockCode<'_>) -> [u8; PAGE] {
    let mut page = [0; PAGE];
    let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &MAGIC.to_le_bytes());
    put(4, &VERSION.to_le_bytes());
    put(8, &[(STRINGS / 16) as u8]);
    put(new::FREQUENCY, &(frequency / 1000).to_le_bytes());
    put(new::GRANULARITY, &1000_u32.to_le_bytes());
    put(new::MEM_DESCS, &(DESCRIPTORS as u32).to_le_bytes());
    put(new::MEM_DESC_COUNT, &DESCRIPTOR_COUNT.to_le_bytes());
    put(new::PLATFORM, b"arm_virt");
    let user = (mem_desc::CONVENTIONAL | mem_desc::VIRTUAL, END - 1);
    let memory = (ram.0 | mem_desc::CONVENTIONAL, ram.1 - 1);
    for (i, (first, last)) in [memory, user].into_iter().enumerate() {
        put(DESCRIPTORS + 16 * i, &first.to_le_bytes());
        put(DESCRIPTORS + 16 * i + 8, &(last | 0x3ff).to_le_bytes());
    }
    put(STRINGS, b"stand-in test kernel\0abiver:3\0standin\0\0");
    put(SYSCALL_STUB, code.syscall);
    for (function, data, unit) in
        [(CLOCK_US, SCALER_US, 1_000_000), (CLOCK_NS, SCALER_NS, 1_000_000_000)]
    {
        let (s, shift) = scaler(frequency, unit);
        put(function, code.clock);
        put(data, &s.to_le_bytes());
        put(data + 8, &shift.to_le_bytes());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(counter: u64, (s, shift): (u64, u64)) -> u64 {
        ((u128::from(counter) * u128::from(s)) >> 32 << shift) as u64
    }

    #[test]
    fn clocks_are_right_for_a_day() {
        for frequency in [62_500_000, 24_000_000, 1_000_000_000, 19_200_000] {
            for unit in [1_000_000, 1_000_000_000] {
                let day = 86_400;
                let got = clock(frequency * day, scaler(frequency, unit));
                let want = unit * day;
                let off = got.abs_diff(want);
                assert!(off < want / 10_000_000, "{frequency} {unit}: off by {off}");
            }
        }
    }

    #[test]
    fn nothing_overlaps() {
        let code = ClockCode { syscall: &[1; 8], clock: &[2; 0x70] };
        let page = build(62_500_000, (0x4000_0000, 0x6000_0000), code);
        assert_eq!(page[..4], MAGIC.to_le_bytes());
        assert_eq!(page[CLOCK_US + 0x6f], 2);
        assert_eq!(page[SCALER_US..SCALER_US + 8], scaler(62_500_000, 1_000_000).0.to_le_bytes());
        assert_eq!(page[CLOCK_NS], 2);
    }
}
