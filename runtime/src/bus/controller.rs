//! The interrupt controller of a bus, shared by its devices.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use spin::Mutex;

use super::Interrupt;
use crate::abi::icu::PIN_MSI;
use crate::cap::{Cap, Icu, Irq, Msi, Unmask};
use crate::{Error, Result};

/// An interrupt controller and which of its message-signalled interrupts are taken.
#[derive(Debug)]
pub struct Controller {
    icu: Cap<Icu>,
    /// Messages up to here were handed out; a number is never used again. The largest number once
    /// a message was refused.
    next_message: AtomicUsize,
    /// The reason why messages are not used was logged.
    complained: AtomicBool,
    /// The pins that are bound for whoever is wired to them.
    lines: Mutex<Vec<(usize, Weak<Interrupt>)>>,
}

impl Controller {
    /// A controller of which no message is in use.
    pub fn new(icu: Cap<Icu>) -> Self {
        Self {
            icu,
            next_message: AtomicUsize::new(0),
            complained: AtomicBool::new(false),
            lines: Mutex::default(),
        }
    }

    /// The interrupt of a pin: the one that somebody still holds, or a new one.
    pub(super) fn line(
        &self,
        pin: usize,
        bind: impl FnOnce() -> Result<Interrupt>,
    ) -> Result<Arc<Interrupt>> {
        let mut lines = self.lines.lock();
        let held = lines.iter().find(|(number, _)| *number == pin);
        if let Some(line) = held.and_then(|(_, line)| line.upgrade()) {
            return Ok(line);
        }
        lines.retain(|(_, line)| line.strong_count() > 0);
        let line = Arc::new(bind()?);
        lines.push((pin, Arc::downgrade(&line)));
        Ok(line)
    }

    /// Binds the next free message to `irq`, for `source` to send (see [`Icu::msi_info`]), and
    /// returns its pin, where it is unmasked, and what the device has to write where.
    ///
    /// # Errors
    ///
    /// [`Error::NODEV`] if the controller has no message left; what it answers on platforms where
    /// it offers messages but cannot deliver them.
    pub(super) fn bind_message(&self, irq: &Irq, source: u64) -> Result<(usize, Unmask, Msi)> {
        let available = self.icu.info()?.msis;
        let number = self
            .next_message
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < available).then(|| n + 1))
            .map_err(|_| Error::NODEV)?;
        self.bind_pin(PIN_MSI | number, irq, source).inspect_err(|_| {
            // What does not work for one message does not work for the next.
            self.next_message.store(usize::MAX, Ordering::Release);
        })
    }

    fn bind_pin(&self, pin: usize, irq: &Irq, source: u64) -> Result<(usize, Unmask, Msi)> {
        let unmask = self.icu.bind(pin, irq)?;
        match self.icu.msi_info(pin, source) {
            Ok(msi) => Ok((pin, unmask, msi)),
            Err(e) => {
                // The refusal is what counts.
                let _ = self.icu.unbind(pin, irq);
                Err(e)
            }
        }
    }

    /// Says, once for the controller, that interrupt lines are used instead of messages.
    pub(super) fn falls_back(&self, why: Error) {
        if !self.complained.swap(true, Ordering::Relaxed) {
            log::info!("no message-signalled interrupts ({why}): using interrupt lines");
        }
    }
}

impl Deref for Controller {
    type Target = Icu;

    fn deref(&self) -> &Icu {
        &self.icu
    }
}
