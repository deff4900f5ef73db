//! Interrupt controllers: the kernel's, and that of a virtual bus, which lets through only what
//! belongs to the bus.
//!
//! As with io, an interrupt line that several devices of a bus share can be bound only once: who
//! drives several of these devices has to share the IRQ object.

use alloc::format;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::icu;

use crate::err::{EBUSY, EINVAL, ENODEV, ENOENT, ENOSYS, EPERM, Errno};
use crate::ipc::{Answer, Call, Out, Served};
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};

/// Level bit of an interrupt mode, and of the flags of an interrupt resource.
const MODE_LEVEL: usize = 2;
/// "Set the mode" bit of an interrupt mode.
const MODE_SET: usize = 1;
/// Label of bind: the interrupt is unmasked at the controller.
const UNMASK_AT_ICU: isize = 1;
/// First interrupt that is not private to a CPU.
const FIRST_PIN: usize = 32;

impl Kernel {
    /// The kernel's controller.
    pub(super) fn serve_icu(&mut self, c: &Call) -> Served {
        let op = c.word(0)?;
        let lines = self.machine.irq_lines() as usize;
        match op {
            icu::INFO => return Out::words(&[0, lines, 0]),
            icu::MSI_INFO => return Err(EINVAL),
            _ => {}
        }
        let pin = c.word(1)?;
        if !(FIRST_PIN..lines).contains(&pin) {
            return Err(EINVAL);
        }
        let pin = pin as u32;
        match op {
            icu::BIND => {
                let object = self.bindable(c)?;
                self.bind_pin(pin, object, None)?;
                Out::ok()
            }
            icu::UNBIND => {
                self.unbind_pin(pin);
                Out::ok()
            }
            icu::UNMASK | icu::MASK => {
                self.machine.irq_enable(pin, op == icu::UNMASK);
                Ok(Answer::Silent)
            }
            icu::SET_MODE => {
                let mode = c.word(2)?;
                if mode & MODE_SET != 0 {
                    self.pin_mode(pin, mode & MODE_LEVEL != 0);
                }
                Out::ok()
            }
            _ => Err(ENOSYS),
        }
    }

    /// The controller of a bus.
    pub(super) fn serve_vbus_icu(&mut self, c: &Call, bus: ObjId) -> Served {
        let op = c.word(0)?;
        let vbus = self.objects.vbus(bus).ok_or(ENODEV)?;
        match op {
            icu::INFO => {
                return Out::words(&[icu::FEATURE_MSI, vbus.irq_count(), vbus.messages as usize]);
            }
            icu::MSI_INFO => return Err(EINVAL),
            _ => {}
        }
        let number = c.word(1)?;
        if number & icu::PIN_MSI != 0 && number & !icu::PIN_MSI < vbus.messages as usize {
            // What io asks the kernel for then, and how that ends without an ITS or v2m.
            self.say(&format!("binding irq {number}, result is {}", EINVAL.0));
            return Err(EINVAL);
        }
        let flags = vbus.irq(number).ok_or(ENOENT)?;
        let pin = u32::try_from(number).map_err(|_| ENOENT)?;
        let bound = self.pins.get(&pin).filter(|p| p.object.is_some()).copied();
        let here = bound.is_some_and(|p| p.bus == Some(bus));
        match op {
            icu::BIND if here => Err(EPERM),
            icu::BIND if bound.is_some() => Err(EBUSY),
            icu::BIND => {
                let object = self.bindable(c)?;
                self.pin_mode(pin, usize::from(flags) & MODE_LEVEL != 0);
                self.bind_pin(pin, object, Some(bus))?;
                Out::label(if self.unmask_at_icu { UNMASK_AT_ICU } else { 0 })
            }
            icu::UNBIND if bound.is_none() => Err(EINVAL),
            icu::UNBIND => {
                if here {
                    self.unbind_pin(pin);
                }
                Out::ok()
            }
            icu::UNMASK => {
                // Nobody gets an answer: who is wrong here waits for interrupts that never come.
                if here && self.unmask_at_icu {
                    self.machine.irq_enable(pin, true);
                }
                Ok(Answer::Silent)
            }
            icu::MASK => Ok(Answer::Silent),
            // The mode is that of the resource, whatever is asked for.
            icu::SET_MODE => Out::ok(),
            _ => Err(ENOSYS),
        }
    }

    /// The object that a bind request wants to be triggered.
    fn bindable(&self, c: &Call) -> Result<ObjId, Errno> {
        let cap = c.item(self)?;
        if cap.may(rights::W) { Ok(cap.object) } else { Err(EPERM) }
    }

    /// Lets an object serve a hardware interrupt, and no other any more. It stays masked.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the interrupt is bound, or the object can serve none.
    pub fn bind_pin(&mut self, pin: u32, object: ObjId, bus: Option<ObjId>) -> Result<(), Errno> {
        if let Some(old) = *self.pin_of(object).ok_or(EINVAL)? {
            self.unbind_pin(old);
        }
        let at_icu = bus.is_some() && self.unmask_at_icu;
        let entry = self.pins.entry(pin).or_default();
        if entry.object.is_some() {
            return Err(EINVAL);
        }
        (entry.object, entry.bus, entry.at_icu) = (Some(object), bus, at_icu);
        if let Some(slot) = self.pin_of(object) {
            *slot = Some(pin);
        }
        self.machine.irq_enable(pin, false);
        Ok(())
    }

    /// Where an object notes the interrupt that it serves, if it is of a kind that can.
    fn pin_of(&mut self, object: ObjId) -> Option<&mut Option<u32>> {
        match &mut self.objects.get_mut(object)?.kind {
            Kind::Irq(i) => Some(&mut i.pin),
            Kind::Semaphore(s) => Some(&mut s.pin),
            _ => None,
        }
    }

    /// Nobody serves a hardware interrupt any more.
    pub fn unbind_pin(&mut self, pin: u32) {
        let Some(entry) = self.pins.get_mut(&pin) else { return };
        entry.bus = None;
        entry.at_icu = false;
        let object = entry.object.take();
        if let Some(slot) = object.and_then(|o| self.pin_of(o)) {
            *slot = None;
        }
        self.machine.irq_enable(pin, false);
    }

    /// Level or edge triggered.
    pub fn pin_mode(&mut self, pin: u32, level: bool) {
        self.pins.entry(pin).or_default().level = level;
        self.machine.irq_level(pin, level);
    }

    /// A hardware interrupt has arrived. A level-triggered one is masked until it is served.
    pub fn hardware_interrupt(&mut self, pin: u32) {
        let entry = self.pins.get(&pin).copied().unwrap_or_default();
        if entry.level || entry.object.is_none() {
            self.machine.irq_enable(pin, false);
        }
        if let Some(object) = entry.object {
            self.trigger(object);
        }
    }
}
