//! The messages of an l4virtio device.

use crate::abi::cap::rights;
use crate::abi::item::SendItem;
use crate::abi::rpc::{Reader, Writer};
use crate::abi::{l4virtio as op, proto};
use crate::cap::{Cap, CapRef, Icu, Irq, Object, Slot, object};
use crate::ipc::{self, Msg, Window};
use crate::mem::{AttachOptions, Dataspace, Region};
use crate::virtio::spec::l4page as page;
use crate::{Error, Result};

object! {
    /// The gate of an l4virtio device, seen from its client.
    DeviceGate
}

impl DeviceGate {
    /// Writes the device status (virtio 1.2, 2.1) and waits until the server has taken it over.
    ///
    /// # Errors
    ///
    /// What the server answers, for example [`Error::AGAIN`] while a reset is not finished.
    pub fn set_status(&self, status: u32) -> Result<()> {
        self.request(op::SET_STATUS, status)
    }

    /// Lets the server look at the structure of a queue in the configuration page.
    ///
    /// # Errors
    ///
    /// What the server answers: [`Error::IO`] before the status `DRIVER`.
    pub fn config_queue(&self, queue: u32) -> Result<()> {
        self.request(op::CONFIG_QUEUE, queue)
    }

    fn request(&self, opcode: u32, argument: u32) -> Result<()> {
        let mut msg = message(|w| w.u32(opcode).u32(argument).finish())?;
        ipc::call(self.sel(), proto::NONE, &mut msg, Window::None).map(drop)
    }

    /// Tells the server of `size` bytes of a dataspace from `offset` on. Descriptors and queues
    /// name them by device addresses from `base` on.
    ///
    /// # Errors
    ///
    /// What the server answers; servers limit the number of dataspaces.
    pub fn register_ds(&self, base: u64, memory: &Dataspace, offset: u64, size: u64) -> Result<()> {
        let offset = usize::try_from(offset).map_err(|_| Error::RANGE)?;
        let size = usize::try_from(size).map_err(|_| Error::RANGE)?;
        let mut msg =
            message(|w| w.u32(op::REGISTER_DS).u64(base).word(offset).word(size).finish())?;
        msg.push_item(SendItem::cap(memory.sel(), rights::RW, 0));
        ipc::call(self.sel(), proto::NONE, &mut msg, Window::None).map(drop)
    }

    /// Maps the configuration page (see [`page`]), readable and writable.
    ///
    /// # Errors
    ///
    /// What the server or the region mapper answers; [`Error::MSGTOOSHORT`] for a broken answer.
    pub fn config_page(&self) -> Result<Region> {
        let mut msg = message(|w| w.u32(op::DEVICE_CONFIG).finish())?;
        let (dataspace, _) = Slot::alloc()?.call::<Dataspace>(self.sel(), proto::NONE, &mut msg)?;
        let offset = Reader::new(msg.words()).word().ok_or(Error::MSGTOOSHORT)?;
        let options = AttachOptions { offset: offset as u64, ..AttachOptions::memory(page::SIZE) };
        Region::attach(dataspace, &options)
    }

    /// The interrupt with which the client tells the device that a queue has new entries; `index`
    /// stands in the queue's structure.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn notification_irq(&self, index: u32) -> Result<Cap<Irq>> {
        let mut msg = message(|w| w.u32(op::DEVICE_NOTIFICATION_IRQ).u32(index).finish())?;
        Slot::alloc()?.call(self.sel(), proto::NONE, &mut msg).map(|(irq, _)| irq)
    }

    /// The same gate as the interrupt controller that it is, too: pin 0 is what the device
    /// notifies its client through.
    pub fn icu(&self) -> CapRef<Icu> {
        CapRef::to(self.sel())
    }
}

/// A message of what `write` puts together.
fn message(write: impl FnOnce(&mut Writer<'_>) -> Option<usize>) -> Result<Msg> {
    let mut msg = Msg::new();
    let words = write(&mut Writer::new(msg.words_mut())).ok_or(Error::MSGTOOLONG)?;
    msg.set_len(words);
    Ok(msg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;
    use crate::cap::SLOTS;

    const GATE: Sel = Sel(0x9000);

    #[test]
    fn status_and_queue_share_a_word_with_the_opcode() {
        let mut expected = [0xb << 32, 3 << 32 | 1].into_iter();
        with_kernel(
            move |call, utcb| {
                assert_eq!((call.dest, call.tag), (0x9003, Tag::new(0, 1, 0).0));
                assert_eq!(Some(utcb.mr(0)), expected.next());
                (Tag::new(0, 0, 0).0, 0)
            },
            || {
                DeviceGate::at(GATE).set_status(0xb).unwrap();
                DeviceGate::at(GATE).config_queue(3).unwrap();
            },
        );
    }

    #[test]
    fn a_dataspace_is_sent_with_the_right_to_write() {
        with_kernel(
            |call, utcb| {
                assert_eq!(call.tag, Tag::new(0, 4, 1).0);
                let words: [usize; 6] = core::array::from_fn(|i| utcb.mr(i));
                assert_eq!(words, [3, 0x20_0000, 0x1000, 0x8000, 8, 0xa035]);
                (Tag::new(0, 0, 0).0, 0)
            },
            || {
                let memory = Dataspace::at(Sel(0xa000));
                DeviceGate::at(GATE).register_ds(0x20_0000, &memory, 0x1000, 0x8000).unwrap();
            },
        );
    }

    #[test]
    fn an_answer_without_the_capability_is_an_error() {
        SLOTS.start_at(0x418);
        with_kernel(
            |_, utcb| {
                utcb.set_mr(0, 0);
                (Tag::new(0, 1, 0).0, 0)
            },
            || {
                let gate = DeviceGate::at(GATE);
                assert_eq!(gate.config_page().map(drop), Err(Error::MSGMISSARG));
                assert_eq!(gate.notification_irq(0).map(drop), Err(Error::MSGMISSARG));
            },
        );
    }
}
