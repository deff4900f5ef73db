//! Interrupts of devices.

use crate::Result;
use crate::abi::icu::Mode;
use crate::abi::timeout::Timeout;
use crate::cap::{Cap, Factory, Held, Icu, Irq, Object, Thread, Unmask};
use alloc::sync::Arc;

/// An interrupt of a device, bound to an IRQ object.
///
/// Dropping it unbinds the pin.
#[derive(Debug)]
pub struct Interrupt {
    irq: Held<Irq>,
    /// The controller and the pin there; `None` for IRQ objects that the loader granted ready.
    source: Option<(Arc<Cap<Icu>>, usize)>,
    unmask: Unmask,
}

impl Interrupt {
    /// Binds pin `pin` of `icu` to a new IRQ object, in the given mode if it is known. The
    /// interrupt stays masked until [`unmask`](Self::unmask).
    ///
    /// # Errors
    ///
    /// What the kernel or the controller answers.
    pub fn new(icu: Arc<Cap<Icu>>, pin: usize, mode: Option<Mode>) -> Result<Interrupt> {
        let irq = Factory::at(crate::env::ids().factory).irq()?;
        if let Some(mode) = mode {
            icu.set_mode(pin, mode)?;
        }
        let unmask = icu.bind(pin, &irq)?;
        Ok(Interrupt { irq: irq.into(), source: Some((icu, pin)), unmask })
    }

    /// Uses an IRQ object to which the interrupt is bound already.
    pub fn granted(irq: Held<Irq>) -> Interrupt {
        Interrupt { irq, source: None, unmask: Unmask::AtIrq }
    }

    /// Lets the interrupt arrive at `thread` with `label`, a multiple of 4.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn bind_thread(&self, thread: &Thread, label: usize) -> Result<()> {
        self.irq.bind_thread(thread, label)
    }

    /// Lets the next interrupt through: once after binding, and after each interrupt was served.
    ///
    /// # Errors
    ///
    /// Failures of the IPC.
    #[inline]
    pub fn unmask(&self) -> Result<()> {
        match (&self.source, self.unmask) {
            (Some((icu, pin)), Unmask::AtIcu) => icu.unmask(*pin),
            _ => self.irq.unmask(),
        }
    }

    /// Waits for the interrupt alone, in the thread that it is bound to.
    ///
    /// # Errors
    ///
    /// [`Error::RECV_TIMEOUT`](crate::Error::RECV_TIMEOUT) when the time is over first.
    pub fn wait(&self, timeout: Timeout) -> Result<()> {
        self.irq.wait(timeout)
    }

    /// The IRQ object.
    pub fn irq(&self) -> &Irq {
        &self.irq
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Some((icu, pin)) = &self.source {
            // The IRQ object goes anyway.
            let _ = icu.unbind(*pin, &self.irq);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::Utcb;
    use crate::arch::host::{Call, Kernel, with_kernel};
    use crate::cap::{CapRef, SLOTS, Slot};
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::vec::Vec;

    /// What reached the controller: opcodes; binding answers with `bind`.
    fn kernel(bind: isize) -> (Rc<RefCell<Vec<usize>>>, impl Kernel) {
        let ops = Rc::new(RefCell::new(Vec::new()));
        let log = ops.clone();
        (ops, move |call: Call, utcb: Utcb| {
            let tag = Tag(call.tag);
            match tag.label() {
                -15 => {
                    utcb.set_mr(0, 0x38);
                    return (Tag::new(0, 0, 1).0, 0);
                }
                -1 => log.borrow_mut().push(utcb.mr(0) | tag.words() << 8),
                _ => {}
            }
            let label = if tag.label() == -1 && utcb.mr(0) == 0 { bind } else { 0 };
            (Tag::new(label, 0, 0).0, 0)
        })
    }

    fn icu() -> Arc<Cap<Icu>> {
        SLOTS.start_at(0x418);
        Arc::new(Slot::alloc().unwrap().into_cap())
    }

    #[test]
    fn an_interrupt_is_unmasked_where_the_controller_says() {
        for (bind, unmask) in [(0, 4 | 1 << 8), (1, 4 | 2 << 8)] {
            let (ops, k) = kernel(bind);
            with_kernel(k, || {
                let i = Interrupt::new(icu(), 48, Some(Mode::EdgeRising)).unwrap();
                i.unmask().unwrap();
            });
            assert_eq!(*ops.borrow(), [6 | 3 << 8, 2 << 8, unmask, 1 | 2 << 8]);
        }
    }

    #[test]
    fn a_granted_irq_needs_no_controller() {
        let (ops, k) = kernel(0);
        with_kernel(k, || {
            let i = Interrupt::granted(CapRef::<Irq>::to(Sel(0x9000)).into());
            i.unmask().unwrap();
        });
        assert_eq!(*ops.borrow(), [4 | 1 << 8]);
    }
}
