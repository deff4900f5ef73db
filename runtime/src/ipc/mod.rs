//! Messages: calls, replies, receive windows, timeouts.
//!
//! A [`Msg`] is assembled and read in ordinary memory and copied to and from the UTCB by the
//! operation itself. So a line that is logged half way through neither destroys a message nor is
//! destroyed by it, and what a peer sent is read once, by value.

mod msg;

pub use msg::{Msg, Window};

use core::time::Duration;

use spin::relax::RelaxStrategy;

use crate::abi::cap::{Sel, op};
use crate::abi::tag::Tag;
use crate::abi::timeout::{Timeout, Timeouts};
use crate::arch::{self, Utcb};
use crate::{Error, Result};

/// The answer to a call: the label, which is not negative. Words and items are in the [`Msg`].
pub type Label = usize;

/// Sends `msg` with the protocol number `proto` to the object `dest`, waits for the answer without
/// limit, and leaves it in `msg`.
///
/// # Errors
///
/// What the object answers, as the error of a negative label; a failure of the IPC itself (see
/// [`Error::is_ipc`]); [`Error::MSGTOOLONG`] if `msg` was overfilled.
pub fn call(dest: Sel, proto: isize, msg: &mut Msg, window: Window) -> Result<Label> {
    call_within(dest, proto, msg, window, Timeouts::NEVER)
}

/// As [`call`], with timeouts.
///
/// # Errors
///
/// As for [`call`], and [`Error::SEND_TIMEOUT`] and [`Error::RECV_TIMEOUT`].
pub fn call_within(
    dest: Sel,
    proto: isize,
    msg: &mut Msg,
    window: Window,
    timeouts: Timeouts,
) -> Result<Label> {
    let utcb = Utcb::current();
    let tag = msg.store(proto, utcb)?;
    window.store(utcb);
    let back = arch::invoke(tag.0, dest.0 | op::CALL, timeouts.raw(), 0);
    msg.load(Tag(back.tag), utcb)
}

/// Sends `msg` without waiting for an answer: for operations that have none.
///
/// # Errors
///
/// A failure of the IPC, or [`Error::MSGTOOLONG`].
pub fn send(dest: Sel, proto: isize, msg: &Msg) -> Result<()> {
    send_tag(dest, msg.store(proto, Utcb::current())?)
}

/// As [`send`], giving the rest of the time slice to the receiver.
///
/// # Errors
///
/// As for [`send`].
pub fn send_and_yield(dest: Sel, proto: isize, msg: &Msg) -> Result<()> {
    send_tag(dest, msg.store(proto, Utcb::current())?.with_flags(Tag::SCHEDULE))
}

/// Triggers an IRQ or a semaphore: a message without any words.
///
/// # Errors
///
/// [`Error::NO_DESTINATION`] if the object is gone.
#[inline]
pub fn trigger(dest: Sel) -> Result<()> {
    send_tag(dest, Tag::new(crate::abi::proto::IRQ, 0, 0))
}

/// Sends what already stands in the UTCB.
#[inline]
fn send_tag(dest: Sel, tag: Tag) -> Result<()> {
    let back = arch::invoke(tag.0, dest.0 | op::SEND, Timeouts::NEVER.raw(), 0);
    check(Tag(back.tag))
}

/// Waits for a message from `source` only: an IRQ object or a thread. Any words are dropped.
///
/// # Errors
///
/// [`Error::RECV_TIMEOUT`], or another failure of the IPC.
pub fn receive(source: Sel, timeout: Timeout) -> Result<()> {
    Window::None.store(Utcb::current());
    let timeouts = Timeouts { send: Timeout::NEVER, recv: timeout };
    check(Tag(arch::invoke(0, source.0 | op::RECV, timeouts.raw(), 0).tag))
}

/// The error of an IPC that failed.
#[inline]
pub(crate) fn check(tag: Tag) -> Result<()> {
    if tag.has_error() { Err(Error::from_ipc(Utcb::current().error() as u64)) } else { Ok(()) }
}

/// Lets the calling thread sleep, at least for the given time (rounded up by less than 0.2 %).
pub fn sleep(time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    // Nobody sends to "the invoking thread itself", so this ends with the timeout, or earlier if
    // the thread is cancelled; a sleep has no better answer to that than to be over.
    let _ = receive(Sel::INVALID, Timeout::from_micros(micros));
}

/// Sleeps for ever.
pub fn sleep_forever() -> ! {
    loop {
        let _ = receive(Sel::INVALID, Timeout::NEVER);
        // On a host without a kernel the receive fails at once.
        core::hint::spin_loop();
    }
}

/// How the locks of this crate wait: asleep, so that a holder of lower priority gets to run.
///
/// A lock that spins would wait for ever on the processor that the holder needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Yield;

impl RelaxStrategy for Yield {
    fn relax() {
        sleep(Duration::from_micros(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::host::with_kernel;

    #[test]
    fn a_call_is_the_message_and_the_reply_replaces_it() {
        with_kernel(
            |call, utcb| {
                assert_eq!(call.tag, 0x4001_0000 | 2);
                assert_eq!(call.dest, 0x7003);
                assert_eq!((utcb.mr(0), utcb.mr(1)), (10, 11));
                assert_eq!((utcb.buffer(None), utcb.buffer(Some(0))), (0, 0), "no window");
                utcb.set_mr(0, 99);
                (Tag::new(5, 1, 0).0, 0)
            },
            || {
                let mut m = Msg::of(&[10, 11]);
                assert_eq!(call(Sel(0x7000), 0x4001, &mut m, Window::None), Ok(5));
                assert_eq!(m.words(), [99]);
            },
        );
    }

    #[test]
    fn refusals_and_failures_are_told_apart() {
        with_kernel(
            |_, _| (Tag::new(-22, 0, 0).0, 0),
            || {
                let e = call(Sel(0x7000), 0, &mut Msg::new(), Window::None);
                assert_eq!(e, Err(Error::INVAL));
            },
        );
        let e = call(Sel(0x7000), 0, &mut Msg::new(), Window::None);
        assert_eq!(e, Err(Error::NO_DESTINATION));
    }

    #[test]
    fn a_trigger_has_no_words() {
        with_kernel(
            |call, _| {
                assert_eq!((call.tag as u64, call.dest), (0xffff_ffff_ffff_0000, 0x9001));
                (call.tag, 0)
            },
            || assert_eq!(trigger(Sel(0x9000)), Ok(())),
        );
    }

    #[test]
    fn sleeping_is_a_receive_from_oneself_with_a_timeout() {
        with_kernel(
            |call, utcb| {
                assert_eq!(call.dest, (!0 << 11) | 2);
                assert_eq!(call.timeouts, 4 << 10 | 625, "10 000 us = 625 << 4");
                utcb.set_error(3);
                (Tag::ERROR, 0)
            },
            || sleep(Duration::from_millis(10)),
        );
    }
}
