//! The kernel's clock.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use crate::abi::kip;
use crate::arch;

/// Address of the kernel info page; 0 before start-up and on the host.
static KIP: AtomicUsize = AtomicUsize::new(0);

/// Makes the kernel info page known.
///
/// # Safety
///
/// `address` must be 0 or that of the page as the kernel made it, mapped readable and executable
/// for ever.
pub(crate) unsafe fn init(address: usize) {
    KIP.store(address, Ordering::Release);
}

/// Which layout the kernel info page has; `None` if there is none.
pub(crate) fn layout() -> Option<kip::Layout> {
    let page = KIP.load(Ordering::Acquire);
    if page == 0 {
        return None;
    }
    // SAFETY: the first 8 bytes of the page, which `init` vouches for.
    let [first, second] = unsafe { (page as *const [u32; 2]).read() };
    kip::Layout::detect(first, second)
}

/// Microseconds of the kernel's clock: what absolute timeouts are compared with. 0 on the host.
pub fn now() -> u64 {
    match KIP.load(Ordering::Acquire) {
        #[cfg(not(test))]
        0 => 0,
        #[cfg(test)]
        0 => test_clock::now(),
        // SAFETY: `init` vouches for the page, which has this function in both of its layouts.
        page => unsafe { arch::call_clock(page + kip::CLOCK_US) },
    }
}

/// Time since the kernel's clock started.
pub fn since_boot() -> Duration {
    Duration::from_micros(now())
}

/// The clock of tests, for each thread of its own.
#[cfg(test)]
pub(crate) mod test_clock {
    std::thread_local! {
        static NOW: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
    }

    pub fn now() -> u64 {
        NOW.get()
    }

    pub fn advance(micros: u64) {
        NOW.set(NOW.get() + micros);
    }
}
