//! Who has to wake whom: the only place with the barriers of a queue.
//!
//! Both directions are the same race. One side publishes work and then looks whether the other
//! wants to be woken; the other side says that it wants to be woken and then looks for work. Each
//! is a store followed by a load of another word, so only a full fence between the two keeps both
//! sides from missing each other; release and acquire do not order a store before a later load.
//!
//! The fences order memory among processors, which is what a device in software, such as that of a
//! hypervisor, needs. Devices that need more offer `VIRTIO_F_ORDER_PLATFORM` (6.1), which is not
//! accepted.
//!
//! The functions are generic over the shared words so that a model checker can run exactly this
//! code (see the `model` tests below; run them with `RUSTFLAGS="--cfg loom"`).

use crate::virtio::spec::ring::{AVAIL_F_NO_INTERRUPT, USED_F_NO_NOTIFY, need_event};

/// How the two sides suppress notifications (virtio 1.2, 2.7.7 and 2.7.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// One flag a direction.
    Flags,
    /// `VIRTIO_F_EVENT_IDX`: the position in the ring from which on a notification is wanted.
    EventIdx,
}

/// The words of a split queue that decide about notifications.
pub(super) trait Words {
    /// Writes the index of the available ring, with release ordering.
    fn store_avail_idx(&self, value: u16);
    /// Reads the index of the used ring, with acquire ordering.
    fn load_used_idx(&self) -> u16;
    /// Writes the flags of the available ring.
    fn store_avail_flags(&self, value: u16);
    /// Reads the flags of the used ring.
    fn load_used_flags(&self) -> u16;
    /// Writes `used_event`, behind the available ring.
    fn store_used_event(&self, value: u16);
    /// Reads `avail_event`, behind the used ring.
    fn load_avail_event(&self) -> u16;
    /// Orders everything before it against everything after it, stores before loads included.
    fn full_fence(&self);
}

/// Half of the space of ring positions: as far away as a position can be.
const HALF: u16 = 0x8000;

/// Publishes the entries from `old` to `new` of the available ring with one store, and tells
/// whether the device wants to be notified of any of them (2.7.13.4).
pub(super) fn publish(words: &impl Words, mode: Mode, old: u16, new: u16) -> bool {
    words.store_avail_idx(new);
    words.full_fence();
    match mode {
        Mode::Flags => words.load_used_flags() & USED_F_NO_NOTIFY == 0,
        Mode::EventIdx => need_event(words.load_avail_event(), new, old),
    }
}

/// Asks for an interrupt as soon as the entry at `used` is there. Returns whether it already is:
/// then there may be no interrupt for it and the caller has to look itself.
pub(super) fn arm(words: &impl Words, mode: Mode, used: u16) -> bool {
    match mode {
        Mode::Flags => words.store_avail_flags(0),
        Mode::EventIdx => words.store_used_event(used),
    }
    words.full_fence();
    words.load_used_idx() != used
}

/// Asks for no interrupts. With event indices there is no way to say so for good; the position is
/// parked half of all positions behind `used`, and the result says where. See [`parked_too_near`].
pub(super) fn disarm(words: &impl Words, mode: Mode, used: u16) -> u16 {
    match mode {
        Mode::Flags => words.store_avail_flags(AVAIL_F_NO_INTERRUPT),
        Mode::EventIdx => words.store_used_event(used.wrapping_add(HALF)),
    }
    used.wrapping_add(HALF)
}

/// Whether a position parked by [`disarm`] must be moved on, because the device, which may be a
/// whole ring ahead of `used`, could come near it.
pub(super) fn parked_too_near(parked: u16, used: u16) -> bool {
    parked.wrapping_sub(used) < HALF / 2
}

#[cfg(all(test, loom))]
mod model {
    //! The protocol under every interleaving and every reordering that the memory model allows.
    //! A missing fence in either function makes these fail.

    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicU16, Ordering, fence};

    #[derive(Default)]
    struct Shared {
        avail_idx: AtomicU16,
        used_idx: AtomicU16,
        avail_flags: AtomicU16,
        used_flags: AtomicU16,
        used_event: AtomicU16,
        avail_event: AtomicU16,
    }

    impl Words for Shared {
        fn store_avail_idx(&self, value: u16) {
            self.avail_idx.store(value, Ordering::Release);
        }
        fn load_used_idx(&self) -> u16 {
            self.used_idx.load(Ordering::Acquire)
        }
        fn store_avail_flags(&self, value: u16) {
            self.avail_flags.store(value, Ordering::Relaxed);
        }
        fn load_used_flags(&self) -> u16 {
            self.used_flags.load(Ordering::Relaxed)
        }
        fn store_used_event(&self, value: u16) {
            self.used_event.store(value, Ordering::Relaxed);
        }
        fn load_avail_event(&self) -> u16 {
            self.avail_event.load(Ordering::Relaxed)
        }
        fn full_fence(&self) {
            fence(Ordering::SeqCst);
        }
    }

    /// The device goes to sleep while the driver publishes: either the driver kicks, or the
    /// device sees the entry before it sleeps.
    fn no_kick_is_lost(mode: Mode, old: u16) {
        loom::model(move || {
            let shared = Arc::new(Shared::default());
            shared.avail_idx.store(old, Ordering::Relaxed);
            shared.used_flags.store(USED_F_NO_NOTIFY, Ordering::Relaxed);
            shared.avail_event.store(old.wrapping_add(HALF), Ordering::Relaxed);
            let device = {
                let shared = shared.clone();
                loom::thread::spawn(move || {
                    match mode {
                        Mode::Flags => shared.used_flags.store(0, Ordering::Relaxed),
                        Mode::EventIdx => shared.avail_event.store(old, Ordering::Relaxed),
                    }
                    fence(Ordering::SeqCst);
                    shared.avail_idx.load(Ordering::Acquire) != old
                })
            };
            let kicked = publish(&*shared, mode, old, old.wrapping_add(2));
            assert!(kicked || device.join().unwrap(), "the device sleeps on a published entry");
        });
    }

    /// The driver goes to sleep while the device publishes.
    fn no_interrupt_is_lost(mode: Mode, used: u16) {
        loom::model(move || {
            let shared = Arc::new(Shared::default());
            shared.used_idx.store(used, Ordering::Relaxed);
            let _ = disarm(&*shared, mode, used);
            let device = {
                let shared = shared.clone();
                loom::thread::spawn(move || {
                    let new = used.wrapping_add(2);
                    shared.used_idx.store(new, Ordering::Release);
                    fence(Ordering::SeqCst);
                    match mode {
                        Mode::Flags => shared.avail_flags.load(Ordering::Relaxed) == 0,
                        Mode::EventIdx => {
                            need_event(shared.used_event.load(Ordering::Relaxed), new, used)
                        }
                    }
                })
            };
            let pending = arm(&*shared, mode, used);
            assert!(pending || device.join().unwrap(), "the driver sleeps on a used entry");
        });
    }

    #[test]
    fn kicks_with_flags() {
        no_kick_is_lost(Mode::Flags, 7);
    }

    #[test]
    fn kicks_with_event_index_across_the_wrap() {
        no_kick_is_lost(Mode::EventIdx, 0xffff);
    }

    #[test]
    fn interrupts_with_flags() {
        no_interrupt_is_lost(Mode::Flags, 7);
    }

    #[test]
    fn interrupts_with_event_index_across_the_wrap() {
        no_interrupt_is_lost(Mode::EventIdx, 0xffff);
    }
}
