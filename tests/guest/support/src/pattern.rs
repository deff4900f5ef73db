//! What test programs write to disks: every byte follows from a seed and its position, so that
//! data at the wrong place are as visible as wrong data. The host computes the same.

/// Eight bytes that start at a position that is a multiple of eight.
fn word(seed: u64, position: u64) -> [u8; 8] {
    let x = ((position / 8) ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ (x >> 29)).to_le_bytes()
}

/// The byte at `position` of a disk.
pub fn byte(seed: u64, position: u64) -> u8 {
    word(seed, position)[(position % 8) as usize]
}

/// Fills `out` with the bytes from `position` on.
pub fn fill(seed: u64, position: u64, out: &mut [u8]) {
    if position.is_multiple_of(8) {
        for (at, part) in (position..).step_by(8).zip(out.chunks_mut(8)) {
            part.copy_from_slice(&word(seed, at)[..part.len()]);
        }
    } else {
        for (at, b) in (position..).zip(out) {
            *b = byte(seed, at);
        }
    }
}

/// The position of the first byte of `data` that is not what [`fill`] makes.
pub fn difference(seed: u64, position: u64, data: &[u8]) -> Option<u64> {
    (position..).zip(data).find(|&(at, b)| *b != byte(seed, at)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_host() {
        // Computed with the host's function.
        let bytes: Vec<u8> = (0..4).map(|p| byte(0x5eed, (1 << 20) + p)).collect();
        let x = ((1u64 << 17) ^ 0x5eed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        assert_eq!(bytes, (x ^ (x >> 29)).to_le_bytes()[..4]);
    }

    #[test]
    fn filling_is_the_same_at_any_position() {
        let mut whole = [0; 64];
        fill(7, 0, &mut whole);
        for start in 0..17 {
            let mut part = [0; 33];
            fill(7, start, &mut part);
            assert_eq!(part, whole[start as usize..][..33]);
            assert_eq!(difference(7, start, &part), None);
            part[20] ^= 1;
            assert_eq!(difference(7, start, &part), Some(start + 20));
        }
    }
}
