//! The console.

use core::fmt;
use core::ptr::NonNull;

use arm_pl011_uart::{PL011Registers, Uart, UniqueMmioPointer};

use crate::arch::phys_to_virt;

/// Where `virt` has its first UART. A fixed address, so that there is a console before the device
/// tree is read, and if it cannot be.
const UART: usize = 0x900_0000;

/// The UART. QEMU has set it up; output needs nothing more.
pub struct Console;

impl Console {
    /// Writes bytes as they are, with a carriage return before each end of line.
    pub fn put(&mut self, bytes: &[u8]) {
        let registers: NonNull<PL011Registers> = phys_to_virt(UART).cast();
        // SAFETY: the registers are mapped as device memory for ever. Only this function uses
        // them, it runs with interrupts masked on the only CPU, and does not call itself.
        let mut uart = Uart::new(unsafe { UniqueMmioPointer::new(registers) });
        for b in bytes {
            if *b == b'\n' {
                send(&mut uart, b'\r');
            }
            send(&mut uart, *b);
        }
    }
}

fn send(uart: &mut Uart<'_>, byte: u8) {
    while uart.is_tx_fifo_full() {}
    uart.write_word(byte);
}

impl fmt::Write for Console {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.put(s.as_bytes());
        Ok(())
    }
}
