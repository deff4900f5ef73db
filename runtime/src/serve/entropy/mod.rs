//! The entropy class (virtio 1.2, 5.4): random bytes for any number of clients.
//!
//! A client offers buffers in its only queue, and gets them back filled by an [`EntropySource`]. The
//! bytes go through the server, which writes them where the client wants them: sources deliver few,
//! and none may be seen by two clients.

mod class;
#[cfg(test)]
mod tests;

pub use class::{Entropy, EntropyOptions, EntropySession};

/// Most bytes that a client gets for one request, whatever the size of its buffers: the
/// specification lets a device return less than there is room for (5.4.6.1), and others are waiting.
pub const REQUEST_MAX: usize = 256;

/// Entries of a client's queue.
pub const QUEUE_SIZE: u16 = 64;

/// Where random bytes come from.
pub trait EntropySource {
    /// Fills the beginning of `out` with random bytes that nobody else gets, and returns how many;
    /// 0 if there are none now. Does not block.
    fn read(&mut self, out: &mut [u8]) -> usize;

    /// Asks the source for more. Interrupt, timer or nothing at all may follow; the server asks
    /// again whenever it has something to do.
    fn refill(&mut self) {}

    /// Whether there are bytes now.
    fn is_ready(&mut self) -> bool;

    /// Interrupt number `number` of the source's device has arrived.
    fn interrupt(&mut self, number: usize) {
        let _ = number;
    }
}
