//! Interrupts of devices.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Controller;
use crate::Result;
use crate::abi::icu::Mode;
use crate::abi::timeout::Timeout;
use crate::cap::{Factory, Held, Irq, Msi, Object, Thread, Unmask};

/// An interrupt of a device, bound to an IRQ object.
///
/// Dropping it unbinds the pin.
#[derive(Debug)]
pub struct Interrupt {
    irq: Held<Irq>,
    /// The controller and the pin there; `None` for IRQ objects that the loader granted ready.
    source: Option<(Arc<Controller>, usize)>,
    unmask: Unmask,
}

impl Interrupt {
    /// Binds pin `pin` of `icu` to a new IRQ object, in the given mode if it is known. The
    /// interrupt stays masked until [`unmask`](Self::unmask).
    ///
    /// # Errors
    ///
    /// What the kernel or the controller answers.
    pub fn new(icu: Arc<Controller>, pin: usize, mode: Option<Mode>) -> Result<Interrupt> {
        let irq = Factory::at(crate::cap::initial().factory).irq()?;
        if let Some(mode) = mode {
            icu.set_mode(pin, mode)?;
        }
        let unmask = icu.bind(pin, &irq)?;
        Ok(Interrupt { irq: irq.into(), source: Some((icu, pin)), unmask })
    }

    /// The line at pin `pin` of `icu`, as [`new`](Self::new) binds it. A controller gives a pin to one
    /// taker only, and PCI functions are wired to few pins: devices of one line get the same
    /// interrupt, which each of them may have caused.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn line(icu: &Arc<Controller>, pin: usize, mode: Option<Mode>) -> Result<Arc<Interrupt>> {
        icu.line(pin, || Interrupt::new(icu.clone(), pin, mode))
    }

    /// Binds the next message-signalled interrupt of `icu` to a new IRQ object, for `source` to
    /// send.
    fn message(icu: Arc<Controller>, source: u64) -> Result<Message> {
        let irq = Factory::at(crate::cap::initial().factory).irq()?;
        let (pin, unmask, msi) = icu.bind_message(&irq, source)?;
        let interrupt = Interrupt { irq: irq.into(), source: Some((icu, pin)), unmask };
        Ok(Message { interrupt, msi })
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

/// A message-signalled interrupt. Unmask it before the device may send.
#[derive(Debug)]
pub struct Message {
    /// Where it arrives.
    pub interrupt: Interrupt,
    /// What the device has to write where.
    pub msi: Msi,
}

/// How a device interrupts.
#[derive(Debug)]
pub enum Interrupts {
    /// By its line, which it may share with other devices.
    Line(Arc<Interrupt>),
    /// By messages, as many as were asked for.
    Messages(Vec<Message>),
}

impl Interrupts {
    /// Binds `count` messages, or calls `line` if that does not work here: few platforms deliver
    /// all the messages that their controllers offer.
    pub(super) fn bind(
        icu: &Arc<Controller>,
        source: u64,
        count: usize,
        line: impl FnOnce() -> Result<Arc<Interrupt>>,
    ) -> Result<Interrupts> {
        let messages: Result<Vec<_>> =
            (0..count).map(|_| Interrupt::message(icu.clone(), source)).collect();
        match messages {
            Ok(messages) if !messages.is_empty() => return Ok(Interrupts::Messages(messages)),
            Ok(_) => {}
            Err(e) => icu.falls_back(e),
        }
        line().map(Interrupts::Line)
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
    use crate::abi::icu::PIN_MSI;
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

    fn icu() -> Arc<Controller> {
        SLOTS.start_at(0x418);
        Arc::new(Controller::new(Slot::alloc().unwrap().into_cap()))
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
    fn devices_of_one_line_share_its_interrupt() {
        let (ops, k) = kernel(0);
        with_kernel(k, || {
            let icu = icu();
            let first = Interrupt::line(&icu, 35, None).unwrap();
            let second = Interrupt::line(&icu, 35, None).unwrap();
            let other = Interrupt::line(&icu, 36, None).unwrap();
            assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &other));
            drop((first, second));
            // It was unbound, so it is bound again.
            Interrupt::line(&icu, 35, None).unwrap();
        });
        let (bind, unbind) = (2 << 8, 1 | 2 << 8);
        assert_eq!(*ops.borrow(), [bind, bind, unbind, bind, unbind, unbind]);
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

    /// A controller with two messages whose `msi_info` answers with `info`.
    fn messages(info: isize) -> impl Kernel {
        move |call: Call, utcb: Utcb| {
            let tag = Tag(call.tag);
            match (tag.label(), utcb.mr(0)) {
                (-15, _) => {
                    utcb.set_mr(0, 0x38);
                    (Tag::new(0, 0, 1).0, 0)
                }
                (-1, 2) => {
                    utcb.set_mr(0, 0x8000_0000);
                    utcb.set_mr(2, 2);
                    (Tag::new(0, 3, 0).0, 0)
                }
                (-1, 3) => {
                    let data = utcb.mr(1);
                    utcb.set_mr(0, 0x8000);
                    utcb.set_mr(1, data);
                    (Tag::new(info, 2, 0).0, 0)
                }
                _ => (Tag::new(0, 0, 0).0, 0),
            }
        }
    }

    #[test]
    fn messages_are_numbered_and_run_out_into_the_line() {
        with_kernel(messages(0), || {
            let icu = icu();
            let line = || Interrupt::line(&icu, 5, None);
            let Interrupts::Messages(m) = Interrupts::bind(&icu, 1 << 63, 2, line).unwrap() else {
                panic!("messages are there")
            };
            let msi: Vec<_> = m.iter().map(|m| (m.msi.address, m.msi.data)).collect();
            assert_eq!(msi, [(0x8000, 0x8000_0000), (0x8000, 0x8000_0001)]);
            let more = Interrupts::bind(&icu, 1 << 63, 1, line).unwrap();
            assert!(matches!(more, Interrupts::Line(_)), "none is left");
        });
    }

    /// A controller with `offered` messages, none of which it binds; answers how often it was asked.
    fn refusing(offered: usize) -> (Rc<RefCell<u32>>, impl Kernel) {
        let asked = Rc::new(RefCell::new(0));
        let count = asked.clone();
        let mut offers = messages(0);
        (asked, move |call: Call, utcb: Utcb| {
            if (Tag(call.tag).label(), utcb.mr(0)) == (-1, 0) && utcb.mr(1) & PIN_MSI != 0 {
                *count.borrow_mut() += 1;
                return (Tag::new(-22, 0, 0).0, 0);
            }
            let info = (Tag(call.tag).label(), utcb.mr(0)) == (-1, 2);
            let answer = offers(call, utcb);
            if info {
                utcb.set_mr(2, offered);
            }
            answer
        })
    }

    #[test]
    fn messages_that_the_kernel_refuses_are_tried_once_for_all_devices() {
        for offered in [1, 4, usize::MAX] {
            let (asked, k) = refusing(offered);
            with_kernel(k, || {
                let icu = icu();
                for pin in [5, 6, 7] {
                    let line = || Interrupt::line(&icu, pin, None);
                    let got = Interrupts::bind(&icu, 1 << 63, 2, line).unwrap();
                    assert!(matches!(got, Interrupts::Line(_)), "device at pin {pin}");
                }
            });
            assert_eq!(*asked.borrow(), 1, "{offered} messages offered");
        }
    }

    #[test]
    fn a_platform_that_cannot_deliver_messages_uses_the_line() {
        with_kernel(messages(-19), || {
            let icu = icu();
            let line = || Interrupt::line(&icu, 5, None);
            let got = Interrupts::bind(&icu, 1 << 63, 1, line).unwrap();
            assert!(matches!(got, Interrupts::Line(_)));
        });
    }
}
