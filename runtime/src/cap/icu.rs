//! Interrupt controllers.

use super::Irq;
use super::handle::object;
use super::irq::argument;
use super::task::u64_at;
use crate::Result;
use crate::abi::icu;
pub use crate::abi::icu::Mode;
use crate::abi::{WORD_SIZE, proto};
use crate::cap::Object;
use crate::ipc::{self, Msg, Window};

object! {
    /// Something with pins at which IRQ objects are bound: the kernel's interrupt controller, a
    /// vbus's, and the notification side of Vcons and l4virtio devices.
    Icu
}

/// Where a bound interrupt is unmasked; the answer to [`Icu::bind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmask {
    /// At the IRQ object.
    AtIrq,
    /// At the interrupt controller, by its pin.
    AtIcu,
}

/// What an interrupt controller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcuInfo {
    /// Number of pins.
    pub pins: usize,
    /// Number of message-signalled interrupts; 0 if it says that it has none.
    pub msis: usize,
}

/// What a device has to write where, to signal an interrupt by a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msi {
    /// Address to write to, as the device sees it.
    pub address: u64,
    /// Value to write.
    pub data: u32,
}

impl Icu {
    /// Binds `irq` to `pin`; message-signalled interrupts have [`icu::PIN_MSI`] set.
    ///
    /// # Errors
    ///
    /// What the controller answers, for example [`Error::INVAL`](crate::Error::INVAL) for a pin
    /// that it does not have.
    pub fn bind(&self, pin: usize, irq: &Irq) -> Result<Unmask> {
        let mut msg = Msg::of(&[icu::BIND, pin]).with_item(argument(irq));
        let at = ipc::call(self.sel(), proto::IRQ, &mut msg, Window::None)?;
        Ok(if at == 1 { Unmask::AtIcu } else { Unmask::AtIrq })
    }

    /// Undoes [`bind`](Self::bind).
    ///
    /// # Errors
    ///
    /// What the controller answers.
    pub fn unbind(&self, pin: usize, irq: &Irq) -> Result<()> {
        let mut msg = Msg::of(&[icu::UNBIND, pin]).with_item(argument(irq));
        ipc::call(self.sel(), proto::IRQ, &mut msg, Window::None).map(drop)
    }

    /// Numbers of pins and of message-signalled interrupts.
    ///
    /// # Errors
    ///
    /// What the controller answers.
    pub fn info(&self) -> Result<IcuInfo> {
        let mut msg = Msg::of(&[icu::INFO]);
        ipc::call(self.sel(), proto::IRQ, &mut msg, Window::None)?;
        let has_msis = msg.word(0) & icu::FEATURE_MSI != 0;
        Ok(IcuInfo { pins: msg.word(1), msis: if has_msis { msg.word(2) } else { 0 } })
    }

    /// Address and data for message-signalled interrupt `pin`, sent by `source`: a PCI requester
    /// id, or a device of a vbus by its handle with bit 63 set.
    ///
    /// # Errors
    ///
    /// What the controller answers; platforms without support refuse here or at
    /// [`bind`](Self::bind).
    pub fn msi_info(&self, pin: usize, source: u64) -> Result<Msi> {
        let mut msg = Msg::of(&[icu::MSI_INFO, pin, source as usize]);
        if WORD_SIZE == 4 {
            msg.push((source >> 32) as usize);
        }
        ipc::call(self.sel(), proto::IRQ, &mut msg, Window::None)?;
        Ok(Msi { address: u64_at(&msg, 0), data: msg.word(8 / WORD_SIZE) as u32 })
    }

    /// Lets the pin's interrupt through.
    ///
    /// # Errors
    ///
    /// Only failures of the IPC: the operation has no answer.
    #[inline]
    pub fn unmask(&self, pin: usize) -> Result<()> {
        ipc::send(self.sel(), proto::IRQ, &Msg::of(&[icu::UNMASK, pin]))
    }

    /// Holds the pin's interrupt back.
    ///
    /// # Errors
    ///
    /// Only failures of the IPC: the operation has no answer.
    pub fn mask(&self, pin: usize) -> Result<()> {
        ipc::send(self.sel(), proto::IRQ, &Msg::of(&[icu::MASK, pin]))
    }

    /// Sets how the pin signals.
    ///
    /// # Errors
    ///
    /// What the controller answers.
    pub fn set_mode(&self, pin: usize, mode: Mode) -> Result<()> {
        let mut msg = Msg::of(&[icu::SET_MODE, pin, mode as usize]);
        ipc::call(self.sel(), proto::IRQ, &mut msg, Window::None).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;

    #[test]
    fn the_answer_to_bind_says_where_to_unmask() {
        let mut label = 0;
        with_kernel(
            move |call, utcb| {
                assert_eq!(call.tag, Tag::new(-1, 2, 1).0);
                assert_eq!([utcb.mr(0), utcb.mr(1), utcb.mr(3)], [0, 48, 0x41_8037]);
                label += 1;
                (Tag::new(label - 1, 0, 0).0, 0)
            },
            || {
                let (icu, irq) = (Icu::at(Sel(0x9000)), Irq::at(Sel(0x41_8000)));
                assert_eq!(icu.bind(48, &irq), Ok(Unmask::AtIrq));
                assert_eq!(icu.bind(48, &irq), Ok(Unmask::AtIcu));
            },
        );
    }

    #[test]
    fn msis_count_only_with_the_feature() {
        let mut feature = 0;
        with_kernel(
            move |_, utcb| {
                utcb.set_mr(0, feature);
                utcb.set_mr(1, 288);
                utcb.set_mr(2, 26);
                feature = 0x8000_0000;
                (Tag::new(0, 3, 0).0, 0)
            },
            || {
                let icu = Icu::at(Sel(0x9000));
                assert_eq!(icu.info(), Ok(IcuInfo { pins: 288, msis: 0 }));
                assert_eq!(icu.info(), Ok(IcuInfo { pins: 288, msis: 26 }));
            },
        );
    }
}
