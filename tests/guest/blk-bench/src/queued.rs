//! A driver that does not block: a number of requests is kept in flight.

use alloc::format;
use alloc::string::String;

use l4re_runtime::virtio::block::SubmitError;
use l4re_runtime::virtio::spec::block::{Op, Status};

use crate::matrix::{Events, Job};

/// Most requests in flight: the bits of a word.
pub const DEPTH_MAX: usize = 64;

/// How to wait for completions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// As a driver server does: no interrupts while there is something to do, then one look again,
    /// then sleep until an interrupt.
    Sleep,
    /// Look again and again, as blocking drivers do.
    Spin,
}

/// What takes requests without blocking.
pub trait Queue {
    /// Stages a request whose data are `len` bytes from `offset` of the memory for data on.
    ///
    /// # Errors
    ///
    /// As the driver's `submit`.
    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        offset: usize,
        len: u32,
        tag: u32,
    ) -> Result<(), SubmitError>;

    /// Shows everything staged.
    fn publish(&mut self);

    /// Hands over tag and status of what has completed.
    fn complete(&mut self, sink: &mut dyn FnMut(u32, Status));

    /// Asks for no interrupts, or for one at the next completion.
    fn quiet(&mut self, quiet: bool);

    /// Waits for an interrupt, without a limit: time is not what it seems when QEMU counts
    /// instructions, and the host ends runs that are stuck.
    ///
    /// # Errors
    ///
    /// A text if that is not possible.
    fn wait(&mut self) -> Result<(), String>;

    /// Kicks and interrupts so far.
    fn events(&self) -> Events;
}

/// Does the requests of `job`. Nothing is allocated.
///
/// # Errors
///
/// A text about the first request that is refused or fails.
pub fn perform(queue: &mut impl Queue, job: &Job, waiting: Waiting) -> Result<(), String> {
    let mut window = Window::new(job.depth);
    let (mut sent, mut done) = (0, 0);
    queue.quiet(true);
    while done < job.requests {
        while sent < job.requests
            && let Some(slot) = window.free()
        {
            let (sector, at) = (job.sector(sent), slot as usize * job.size as usize);
            match queue.submit(job.op, sector, at, job.size, slot) {
                Ok(()) => window.take(slot),
                Err(SubmitError::Busy) if sent > done => break,
                Err(e) => return Err(format!("request for sector {sector}: {e:?}")),
            }
            sent += 1;
        }
        queue.publish();
        let mut completed = collect(queue, &mut window)?;
        if completed == 0 && waiting == Waiting::Spin {
            core::hint::spin_loop();
        } else if completed == 0 {
            queue.quiet(false);
            completed = collect(queue, &mut window)?;
            if completed == 0 {
                queue.wait()?;
            }
            queue.quiet(true);
        }
        done += completed;
    }
    queue.quiet(false);
    Ok(())
}

/// Takes what has completed, and returns how much it was.
fn collect(queue: &mut impl Queue, window: &mut Window) -> Result<u64, String> {
    let (mut count, mut failed) = (0, None);
    queue.complete(&mut |tag, status| {
        window.give_back(tag);
        count += 1;
        failed = failed.or((status != Status::Ok).then_some(status));
    });
    failed.map_or(Ok(count), |status| Err(format!("a request ended with {status}")))
}

/// Which requests are in flight.
struct Window {
    free: u64,
}

impl Window {
    fn new(depth: usize) -> Window {
        let unused = DEPTH_MAX - depth.clamp(1, DEPTH_MAX);
        Window { free: u64::MAX >> unused }
    }

    fn free(&self) -> Option<u32> {
        (self.free != 0).then(|| self.free.trailing_zeros())
    }

    fn take(&mut self, slot: u32) {
        self.free &= !(1 << slot);
    }

    fn give_back(&mut self, slot: u32) {
        self.free |= 1 << (slot as usize % DEPTH_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_has_as_many_slots_as_it_is_deep() {
        for depth in [1, 8, 32, 64] {
            let mut window = Window::new(depth);
            let mut taken = 0;
            while let Some(slot) = window.free() {
                window.take(slot);
                taken += 1;
            }
            assert_eq!(taken, depth);
            window.give_back(0);
            assert_eq!(window.free(), Some(0));
        }
    }
}
