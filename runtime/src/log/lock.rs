//! Keeps the pieces of one print together.

use core::sync::atomic::{AtomicUsize, Ordering};

use spin::relax::RelaxStrategy;

use crate::arch::Utcb;
use crate::ipc::Yield;

/// UTCB address of the thread that prints, 0 if none does.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// How often to wait for the owner before printing anyway: a thread that died in the middle of a
/// line must not silence all others. With the pause of [`Yield`] this is about a second.
const PATIENCE: usize = 10_000;

/// The right to print; given back when dropped.
pub(super) struct Guard {
    nested: bool,
}

/// Waits until nobody else prints. A thread that prints already (a `Display` that logs, a panic
/// inside of one) is let through.
pub(super) fn acquire() -> Guard {
    let me = Utcb::current().address();
    for _ in 0..PATIENCE {
        match OWNER.compare_exchange_weak(0, me, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return Guard { nested: false },
            Err(owner) if owner == me => return Guard { nested: true },
            Err(_) => Yield::relax(),
        }
    }
    OWNER.store(me, Ordering::Relaxed);
    Guard { nested: false }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.nested {
            OWNER.store(0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time_but_nested() {
        let inside = AtomicUsize::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..50 {
                        let _outer = acquire();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        drop(acquire());
                        std::thread::yield_now();
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                    }
                });
            }
        });
    }
}
