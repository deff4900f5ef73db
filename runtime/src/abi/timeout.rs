//! Timeouts of the send and the receive phase.

use super::Word;

/// One timeout in the kernel's 16-bit form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(pub u16);

impl Timeout {
    /// Wait for ever.
    pub const NEVER: Timeout = Timeout(0);
    /// Do not wait at all.
    pub const ZERO: Timeout = Timeout(0x0400);
    /// The longest relative timeout in microseconds.
    pub const MAX_MICROS: u64 = 1023 << 31;

    /// A relative timeout of at least `micros` microseconds (zero does not block). Durations that
    /// have no exact form are rounded up, by less than 0.2 %; longer ones than
    /// [`MAX_MICROS`](Self::MAX_MICROS) are cut to it.
    pub const fn from_micros(micros: u64) -> Timeout {
        if micros == 0 {
            return Timeout::ZERO;
        }
        let micros = if micros > Self::MAX_MICROS { Self::MAX_MICROS } else { micros };
        let mut exponent = 0;
        while (micros + (1 << exponent) - 1) >> exponent > 1023 {
            exponent += 1;
        }
        let mantissa = (micros + (1 << exponent) - 1) >> exponent;
        Timeout((exponent << 10) as u16 | mantissa as u16)
    }

    /// The absolute time in buffer register `br` (0 to 63), in microseconds of the KIP's clock.
    pub const fn absolute(br: u16) -> Timeout {
        Timeout(0x8000 | (br & 0x3f))
    }

    /// What the 16 bits mean.
    pub const fn decode(self) -> Decoded {
        match self.0 {
            0 => Decoded::Never,
            t if t & 0x8000 != 0 => Decoded::Absolute((t & 0x3f) as usize),
            t => Decoded::Relative(((t & 0x3ff) as u64) << ((t >> 10) & 0x1f)),
        }
    }
}

/// A timeout taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// No limit.
    Never,
    /// Microseconds from now; 0 does not block.
    Relative(u64),
    /// The time stands in this buffer register.
    Absolute(usize),
}

/// The two timeouts of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the receiver takes the message.
    pub send: Timeout,
    /// Until a message arrives.
    pub recv: Timeout,
}

impl Timeouts {
    /// No limit on either phase.
    pub const NEVER: Timeouts = Timeouts { send: Timeout::NEVER, recv: Timeout::NEVER };
    /// Deliver an answer at once or not at all, then wait without limit: what servers use.
    pub const SERVER: Timeouts = Timeouts { send: Timeout::ZERO, recv: Timeout::NEVER };

    /// The register value.
    pub const fn raw(self) -> Word {
        (self.send.0 as Word) << 16 | self.recv.0 as Word
    }

    /// The timeouts in a register value.
    pub const fn from_raw(raw: Word) -> Timeouts {
        Timeouts { send: Timeout((raw >> 16) as u16), recv: Timeout(raw as u16) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_timeouts_round_up_and_never_become_never() {
        for us in [1, 2, 1023, 1024, 1025, 10_000, 999_999, 5_000_000, u64::MAX] {
            let Decoded::Relative(got) = Timeout::from_micros(us).decode() else { panic!("{us}") };
            let want = us.min(Timeout::MAX_MICROS);
            assert!(got >= want && got - want <= want / 500, "{us} became {got}");
        }
        assert_eq!(Timeout::from_micros(0).decode(), Decoded::Relative(0));
        assert_eq!(Timeout::absolute(5).0, 0x8005);
        assert_eq!(Timeouts::SERVER.raw(), 0x0400_0000);
    }
}
