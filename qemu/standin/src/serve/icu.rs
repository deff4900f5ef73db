//! Interrupt controllers: the kernel's, and that of a virtual bus, which lets through only what
//! belongs to the bus.

use l4re_runtime::abi::icu;

use crate::err::{EINVAL, ENODEV, ENOSYS, EPERM};
use crate::ipc::{Answer, Call, Out, Served};
use crate::kernel::Kernel;
use crate::object::{Kind, ObjId};

use l4re_runtime::abi::cap::rights;

/// Level bit of an interrupt mode.
const MODE_LEVEL: usize = 2;
/// "Set the mode" bit of an interrupt mode.
const MODE_SET: usize = 1;

impl Kernel {
    pub(super) fn serve_icu(&mut self, c: &Call, bus: Option<ObjId>) -> Served {
        let op = c.word(0)?;
        if op == icu::INFO {
            return self.icu_info(bus);
        }
        if op == icu::MSI_INFO {
            return Err(EINVAL);
        }
        let pin = self.icu_pin(c.word(1)?, bus)?;
        match op {
            icu::BIND => self.icu_bind(c, pin),
            icu::UNBIND => {
                let (object, _) = self.pins.get(&pin).copied().ok_or(EINVAL)?;
                self.icu_unbind(pin, object);
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

    fn icu_info(&mut self, bus: Option<ObjId>) -> Served {
        match bus {
            None => Out::words(&[0, self.machine.irq_lines() as usize, 0]),
            Some(bus) => {
                let pins = self.objects.vbus(bus).ok_or(ENODEV)?.irq_count();
                Out::words(&[icu::FEATURE_MSI, pins, 0])
            }
        }
    }

    fn icu_pin(&self, pin: usize, bus: Option<ObjId>) -> Result<u32, crate::err::Errno> {
        let allowed = match bus {
            None => pin >= 32 && pin < self.machine.irq_lines() as usize,
            Some(bus) => self.objects.vbus(bus).ok_or(ENODEV)?.irq(pin).is_some(),
        };
        u32::try_from(pin).ok().filter(|_| allowed).ok_or(EINVAL)
    }

    fn icu_bind(&mut self, c: &Call, pin: u32) -> Served {
        let cap = c.item(self)?;
        if !cap.may(rights::W) {
            return Err(EPERM);
        }
        self.bind_pin(pin, cap.object)?;
        Out::ok()
    }

    /// Lets an object serve a hardware interrupt. It stays masked.
    pub fn bind_pin(&mut self, pin: u32, object: ObjId) -> Result<(), crate::err::Errno> {
        let entry = self.pins.entry(pin).or_insert((None, false));
        if entry.0.is_some() {
            return Err(EINVAL);
        }
        let slot = match self.objects.get_mut(object).map(|o| &mut o.kind) {
            Some(Kind::Irq(i)) => &mut i.pin,
            Some(Kind::Semaphore(s)) => &mut s.pin,
            _ => return Err(EINVAL),
        };
        if slot.is_some() {
            return Err(EINVAL);
        }
        *slot = Some(pin);
        entry.0 = Some(object);
        self.machine.irq_enable(pin, false);
        Ok(())
    }

    fn icu_unbind(&mut self, pin: u32, object: Option<ObjId>) {
        match object.and_then(|o| self.objects.get_mut(o)).map(|o| &mut o.kind) {
            Some(Kind::Irq(i)) => i.pin = None,
            Some(Kind::Semaphore(s)) => s.pin = None,
            _ => {}
        }
        if let Some(entry) = self.pins.get_mut(&pin) {
            entry.0 = None;
        }
        self.machine.irq_enable(pin, false);
    }

    /// Level or edge triggered.
    pub fn pin_mode(&mut self, pin: u32, level: bool) {
        self.pins.entry(pin).or_insert((None, level)).1 = level;
        self.machine.irq_level(pin, level);
    }

    /// A hardware interrupt has arrived. A level-triggered one is masked until it is served.
    pub fn hardware_interrupt(&mut self, pin: u32) {
        let Some((object, level)) = self.pins.get(&pin).copied() else {
            self.machine.irq_enable(pin, false);
            return;
        };
        if level || object.is_none() {
            self.machine.irq_enable(pin, false);
        }
        if let Some(object) = object {
            self.trigger(object);
        }
    }
}
