//! A virtual bus of the `io` server.

use alloc::string::String;

use crate::abi::cap::rights;
use crate::abi::item::SendItem;
use crate::abi::proto;
use crate::abi::rpc::{Reader, Writer};
use crate::abi::vbus::{self as op, interface};
pub use crate::abi::vbus::{DeviceInfo, Resource, ResourceKind};
use crate::cap::{Cap, CapRef, Icu, Object, Slot, object};
use crate::ipc::{self, Label, Msg, Window};
use crate::mem::{Dataspace, DmaSpace};
use crate::{Error, Result};

object! {
    /// A virtual bus: the devices that a driver was given.
    Vbus
}

/// Number of a device on its bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(pub isize);

/// Most resources of a device that are looked at, whatever it claims to have.
pub const RESOURCES_MAX: u32 = 256;

impl Vbus {
    /// Sends the request that `arguments` completes behind handle and opcode.
    fn request(
        &self,
        device: Handle,
        opcode: u32,
        arguments: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Msg> {
        self.request_label(device, opcode, arguments).map(|(msg, _)| msg)
    }

    fn request_label(
        &self,
        device: Handle,
        opcode: u32,
        arguments: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(Msg, Label)> {
        let mut msg = message(device, opcode, arguments)?;
        let label = ipc::call(self.sel(), proto::NONE, &mut msg, Window::None)?;
        Ok((msg, label))
    }

    /// The device behind `after` in the order of the bus, at any depth, or the first.
    ///
    /// # Errors
    ///
    /// What the bus answers; [`Error::MSGTOOSHORT`] for a broken answer. The end is `Ok(None)`.
    pub fn next_device(&self, after: Option<Handle>) -> Result<Option<(Handle, DeviceInfo)>> {
        let after = after.map_or(op::NONE, |h| h.0);
        let found = self.request(Handle(op::ROOT), op::NEXT_DEVICE, |w| {
            w.word(after as usize).u32(op::DEPTH_ALL);
        });
        found_device(found)
    }

    /// The first device with this hardware identifier.
    ///
    /// # Errors
    ///
    /// As for [`next_device`](Self::next_device).
    pub fn device_by_hid(&self, hid: &str) -> Result<Option<(Handle, DeviceInfo)>> {
        let found = self.request(Handle(op::ROOT), op::GET_BY_HID, |w| {
            w.word(op::NONE as usize).u32(op::DEPTH_ALL).string(hid.as_bytes());
        });
        found_device(found)
    }

    /// All devices in the order of the bus. Ends at the first error, or when the bus starts over.
    pub fn devices(&self) -> impl Iterator<Item = Result<(Handle, DeviceInfo)>> + '_ {
        /// No bus has as many devices; one that never ends must not keep a driver from starting.
        const LIMIT: usize = 4096;
        let mut after = None;
        let mut over = false;
        core::iter::from_fn(move || {
            if over {
                return None;
            }
            let next = self.next_device(after).transpose();
            match &next {
                Some(Ok((handle, _))) => after = Some(*handle),
                _ => over = true,
            }
            next
        })
        .take(LIMIT)
    }

    /// Resource `index` of a device.
    ///
    /// # Errors
    ///
    /// What the bus answers, [`Error::NOENT`] behind the last one.
    pub fn resource(&self, device: Handle, index: u32) -> Result<Resource> {
        let msg = self.request(device, op::GET_RESOURCE, |w| {
            w.u32(index);
        })?;
        Resource::read(&mut Reader::new(msg.words())).ok_or(Error::MSGTOOSHORT)
    }

    /// The hardware identifier; empty if the device has none.
    ///
    /// # Errors
    ///
    /// What the bus answers.
    pub fn hid(&self, device: Handle) -> Result<String> {
        let msg = match self.request(device, op::GET_HID, |_| ()) {
            Err(Error::NOENT | Error::NOSYS | Error::NODEV) => return Ok(String::new()),
            answer => answer?,
        };
        let mut text = [0; 128];
        let text = Reader::new(msg.words()).chars(&mut text).ok_or(Error::MSGTOOSHORT)?;
        let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
        Ok(String::from_utf8_lossy(&text[..end]).into_owned())
    }

    /// Whether the device says that it is compatible with `name`, such as `virtio,mmio`.
    ///
    /// # Errors
    ///
    /// What the bus answers.
    pub fn is_compatible(&self, device: Handle, name: &str) -> Result<bool> {
        let asked = self.request_label(device, op::IS_COMPATIBLE, |w| {
            w.string(name.as_bytes());
        });
        match asked {
            Ok((_, label)) => Ok(label > 0),
            Err(Error::NOENT | Error::NOSYS | Error::NODEV) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The bus's interrupt controller.
    ///
    /// # Errors
    ///
    /// [`Error::NODEV`] if the bus has none, or what it answers.
    pub fn icu(&self) -> Result<Cap<Icu>> {
        let (icu, info) = self.device_by_hid(op::HID_ICU)?.ok_or(Error::NODEV)?;
        if !info.has(interface::ICU) {
            return Err(Error::NODEV);
        }
        let mut msg = message(icu, op::ICU_GET, |_| ())?;
        Slot::alloc()?.call(self.sel(), proto::NONE, &mut msg).map(|(cap, _)| cap)
    }

    /// Binds a DMA space to DMA domain `domain` of the bus: the devices of the domain then use it.
    /// `None` is the domain that the whole bus shares.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if there is no such domain, or what the bus answers.
    pub fn assign_dma(&self, domain: Option<u32>, space: &DmaSpace) -> Result<()> {
        let domain = domain.unwrap_or(op::DMA_DOMAIN_BUS);
        let mut msg = message(Handle(op::ROOT), op::ASSIGN_DMA_DOMAIN, |w| {
            w.u32(domain).u32(op::DMA_BIND);
        })?;
        msg.push_item(SendItem::cap(space.sel(), rights::RWS, 0));
        ipc::call(self.sel(), proto::NONE, &mut msg, Window::None).map(drop)
    }

    /// The bus as the dataspace in which its memory resources are, at their addresses.
    pub(super) fn memory(bus: &CapRef<Vbus>) -> CapRef<Dataspace> {
        CapRef::to(bus.sel())
    }

    /// Reads from the configuration space of a PCI device; `bits` is 8, 16 or 32.
    ///
    /// # Errors
    ///
    /// What the bus answers.
    pub fn pci_read(&self, device: Handle, register: u32, bits: u32) -> Result<u32> {
        let msg = self.request(device, op::PCI_DEV_CFG_READ, |w| {
            w.u32(register).u32(bits);
        })?;
        Reader::new(msg.words()).u32().ok_or(Error::MSGTOOSHORT)
    }

    /// Writes to the configuration space of a PCI device; `bits` is 8, 16 or 32.
    ///
    /// # Errors
    ///
    /// What the bus answers.
    pub fn pci_write(&self, device: Handle, register: u32, value: u32, bits: u32) -> Result<()> {
        self.request(device, op::PCI_DEV_CFG_WRITE, |w| {
            w.u32(register).u32(value).u32(bits);
        })
        .map(drop)
    }

    /// Enables the interrupt line of a PCI device. Returns the pin at the bus's interrupt
    /// controller, and trigger and polarity as the bus encodes them (0 and 0: level, high).
    ///
    /// # Errors
    ///
    /// What the bus answers.
    pub fn pci_irq_enable(&self, device: Handle) -> Result<(usize, u8, u8)> {
        let msg = self.request(device, op::PCI_DEV_IRQ_ENABLE, |_| ())?;
        let mut r = Reader::new(msg.words());
        let irq = r.u32().ok_or(Error::MSGTOOSHORT)? as i32;
        let (trigger, polarity) = r.u8().zip(r.u8()).ok_or(Error::MSGTOOSHORT)?;
        Ok((usize::try_from(irq).map_err(|_| Error::NODEV)?, trigger, polarity))
    }
}

fn message(device: Handle, opcode: u32, arguments: impl FnOnce(&mut Writer<'_>)) -> Result<Msg> {
    let mut msg = Msg::new();
    let mut w = Writer::new(msg.words_mut());
    w.word(device.0 as usize).u32(opcode);
    arguments(&mut w);
    let words = w.finish().ok_or(Error::MSGTOOLONG)?;
    msg.set_len(words);
    Ok(msg)
}

/// Reads the answer of a search, of which two errors mean "there is none".
fn found_device(answer: Result<Msg>) -> Result<Option<(Handle, DeviceInfo)>> {
    let msg = match answer {
        Err(Error::NODEV | Error::NOENT) => return Ok(None),
        answer => answer?,
    };
    let mut r = Reader::new(msg.words());
    let handle = r.word().ok_or(Error::MSGTOOSHORT)?;
    let info = DeviceInfo::read(&mut r).ok_or(Error::MSGTOOSHORT)?;
    Ok(Some((Handle(handle as isize), info)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;

    const BUS: Vbus = Vbus(Sel(0x1_6000));

    #[test]
    fn searching_starts_behind_none_at_any_depth() {
        with_kernel(
            |call, utcb| {
                assert_eq!((call.dest, call.tag), (0x1_6003, Tag::new(0, 4, 0).0));
                let words: [usize; 4] = core::array::from_fn(|i| utcb.mr(i));
                assert_eq!(words, [0, 0x8000_0003, !0, 100]);
                (Tag::new(-19, 0, 0).0, 0)
            },
            || assert!(BUS.next_device(None).unwrap().is_none()),
        );
    }

    #[test]
    fn hids_are_strings_with_their_nul() {
        with_kernel(
            |call, utcb| {
                assert_eq!(Tag(call.tag).words(), 6);
                assert_eq!([utcb.mr(1), utcb.mr(4)], [0x8000_0002, 7]);
                assert_eq!(utcb.mr(5), usize::from_le_bytes(*b"L40009\0\0"));
                (Tag::new(-2, 0, 0).0, 0)
            },
            || assert!(BUS.device_by_hid("L40009").unwrap().is_none()),
        );
    }

    #[test]
    fn small_arguments_share_the_word_of_the_opcode() {
        with_kernel(
            |call, utcb| {
                assert_eq!(call.tag, Tag::new(0, 3, 1).0);
                let words: [usize; 5] = core::array::from_fn(|i| utcb.mr(i));
                assert_eq!(words, [0, 0x1400_0002 | 0xffff_ffff << 32, 1, 8, 0x9037]);
                (Tag::new(0, 0, 0).0, 0)
            },
            || BUS.assign_dma(None, &DmaSpace::at(Sel(0x9000))).unwrap(),
        );
    }

    #[test]
    fn short_and_endless_answers_are_survived() {
        with_kernel(
            |_, _| (Tag::new(0, 2, 0).0, 0),
            || {
                assert_eq!(BUS.devices().count(), 1, "one error, then the end");
                assert!(BUS.resource(Handle(3), 0).is_err());
                assert!(BUS.device_by_hid("x").is_err(), "too short for a device");
            },
        );
        with_kernel(|_, _| (Tag::new(0, 12, 0).0, 0), || assert_eq!(BUS.devices().count(), 4096));
    }
}
