//! The host: no kernel, but a UTCB a thread, so that everything above compiles, and so that tests
//! can look at messages.
//!
//! Every system call answers that the destination does not exist, but for sleeping. A test may put a fake kernel
//! in front of that (`with_kernel`).

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::time::Duration;

use super::{Returned, Utcb};
use crate::abi::Word;
use crate::abi::cap::{Sel, op};
use crate::abi::tag::Tag;
use crate::abi::timeout::{Decoded, Timeouts};
use crate::abi::utcb::error::{NO_DESTINATION, RECV_TIMEOUT};

#[repr(align(1024))]
struct Page(UnsafeCell<[Word; 128]>);

std::thread_local! {
    static UTCB: Page = const { Page(UnsafeCell::new([0; 128])) };
}

pub(super) fn utcb() -> NonNull<Word> {
    UTCB.with(|page| {
        // SAFETY: `UnsafeCell::get` of a live static is not null. The pointer is used by this
        // thread only (`Utcb` is not `Send`) and thread locals live as long as it.
        unsafe { NonNull::new_unchecked(page.0.get().cast()) }
    })
}

pub(super) fn invoke(tag: Word, dest: Word, timeouts: Word, label: Word) -> Returned {
    #[cfg(test)]
    if let Some(answer) = fake::invoke(tag, dest, timeouts, label) {
        return answer;
    }
    let code = if sleep(dest, timeouts) { RECV_TIMEOUT } else { NO_DESTINATION };
    Utcb::current().set_error(code);
    Returned { tag: tag | Tag::ERROR, label }
}

/// The one thing that works without a kernel: waiting for nobody with a timeout.
fn sleep(dest: Word, timeouts: Word) -> bool {
    if dest != Sel::INVALID.0 | op::RECV {
        return false;
    }
    if let Decoded::Relative(micros) = Timeouts::from_raw(timeouts).recv.decode() {
        std::thread::sleep(Duration::from_micros(micros));
    }
    true
}

/// There is no kernel info page on the host.
///
/// # Safety
///
/// None needed; the signature is that of the other architectures.
pub(crate) unsafe fn call_clock(_function: usize) -> u64 {
    0
}

/// L4 threads do not exist on the host.
///
/// # Safety
///
/// None needed; the signature is that of the other architectures.
pub(crate) unsafe extern "C" fn thread_entry() -> ! {
    std::process::abort()
}

/// L4 threads do not exist on the host.
///
/// # Safety
///
/// None needed; the signature is that of the other architectures.
pub(crate) unsafe fn prepare_thread_stack(
    top: usize,
    _function: extern "C" fn(usize) -> !,
    _argument: usize,
) -> usize {
    top
}

#[cfg(test)]
pub(crate) use fake::{Call, Kernel, with_kernel};

#[cfg(test)]
mod fake {
    use super::super::{Returned, Utcb};
    use crate::abi::Word;
    use std::boxed::Box;
    use std::cell::RefCell;

    /// A system call as the kernel sees it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Call {
        pub tag: Word,
        pub dest: Word,
        pub timeouts: Word,
        pub label: Word,
    }

    /// Answers system calls: sees the message in the UTCB, leaves its answer there, and returns
    /// tag and label.
    pub(crate) trait Kernel: FnMut(Call, Utcb) -> (Word, Word) {}

    impl<F: FnMut(Call, Utcb) -> (Word, Word)> Kernel for F {}

    std::thread_local! {
        static KERNEL: RefCell<Option<Box<dyn Kernel>>> = const { RefCell::new(None) };
    }

    pub(super) fn invoke(tag: Word, dest: Word, timeouts: Word, label: Word) -> Option<Returned> {
        KERNEL.with_borrow_mut(|k| {
            let (tag, label) = k.as_mut()?(Call { tag, dest, timeouts, label }, Utcb::current());
            Some(Returned { tag, label })
        })
    }

    /// Runs `body` with `kernel` answering the system calls of this thread.
    pub(crate) fn with_kernel<R>(kernel: impl Kernel + 'static, body: impl FnOnce() -> R) -> R {
        struct Reset;
        impl Drop for Reset {
            fn drop(&mut self) {
                KERNEL.with_borrow_mut(|k| *k = None);
            }
        }
        KERNEL.with_borrow_mut(|k| *k = Some(Box::new(kernel)));
        let _reset = Reset;
        body()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_kernel_there_is_no_destination() {
        let r = super::super::invoke(0x1_0001, 0x5003, 0, 7);
        assert_eq!(r.tag, 0x1_8001);
        assert_eq!(Utcb::current().error(), 4);
    }

    #[test]
    fn the_fake_kernel_sees_registers_and_words() {
        let seen = with_kernel(
            |call, utcb| {
                utcb.set_mr(0, utcb.mr(0) + 1);
                (call.tag, call.dest)
            },
            || {
                Utcb::current().set_mr(0, 41);
                super::super::invoke(1, 0x7003, 0, 0)
            },
        );
        assert_eq!((seen.label, Utcb::current().mr(0)), (0x7003, 42));
    }
}
