//! The messages of an l4virtio device, of its ICU side, and of a management gate: what a caller
//! wants, read from a message that may hold anything.

use crate::abi::item::Received;
use crate::abi::object::meta as meta_op;
use crate::abi::rpc::{Reader, Writer};
use crate::abi::{Word, icu, l4virtio, proto};
use crate::ipc::Msg;
use crate::{Error, Result};

/// What a client asks of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRequest {
    /// Write the device status.
    SetStatus(u32),
    /// Look at the structure of this queue.
    ConfigQueue(u32),
    /// Take the dataspace that came with the message into the client's memory.
    Register(Range),
    /// Hand out the configuration page.
    DeviceConfig,
    /// Hand out the interrupt with this index that notifies the device.
    NotificationIrq(u32),
    /// Of the ICU side: use the interrupt that came with the message as this pin.
    Bind(Word),
    /// Of the ICU side: forget the interrupt of this pin.
    Unbind(Word),
    /// Of the ICU side: how many pins there are.
    IcuInfo,
    /// Of the ICU side: mask or unmask a pin, which interrupts of a program do not need.
    Mask,
    /// About the interfaces of the object.
    Meta(MetaRequest),
}

/// A part of a dataspace, and the device address at which the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Device address.
    pub base: u64,
    /// Offset in the dataspace.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
}

/// What a caller asks of a management gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagementRequest {
    /// Make the object whose number is the first word of the message.
    Create,
    /// About the interfaces of the object.
    Meta(MetaRequest),
}

/// A question about the interfaces of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaRequest {
    /// How many there are.
    Count,
    /// Protocol and name of the one with this index.
    Interface(Word),
    /// Whether this protocol is spoken.
    Supports(isize),
}

impl DeviceRequest {
    /// Reads a message with protocol `protocol`. `item` is what has arrived with it.
    ///
    /// More words than an operation needs are ignored, as L4Re's servers do.
    ///
    /// # Errors
    ///
    /// [`Error::BADPROTO`] and [`Error::NOSYS`] for what devices do not understand,
    /// [`Error::MSGTOOSHORT`] without all arguments, [`Error::MSGMISSARG`] without the capability.
    pub fn decode(protocol: isize, words: &[Word], item: Received) -> Result<Self> {
        match protocol {
            proto::NONE => Self::decode_device(words, item),
            proto::IRQ => Self::decode_icu(words, item),
            proto::META => MetaRequest::decode(words).map(Self::Meta),
            _ => Err(Error::BADPROTO),
        }
    }

    fn decode_device(words: &[Word], item: Received) -> Result<Self> {
        let mut r = Reader::new(words);
        let short = Error::MSGTOOSHORT;
        match r.u32().ok_or(short)? {
            l4virtio::SET_STATUS => r.u32().map(Self::SetStatus).ok_or(short),
            l4virtio::CONFIG_QUEUE => r.u32().map(Self::ConfigQueue).ok_or(short),
            l4virtio::REGISTER_DS => {
                let base = r.u64().ok_or(short)?;
                let (offset, size) = r.word().zip(r.word()).ok_or(short)?;
                needs_cap(item)?;
                Ok(Self::Register(Range { base, offset: offset as u64, size: size as u64 }))
            }
            l4virtio::DEVICE_CONFIG => Ok(Self::DeviceConfig),
            l4virtio::DEVICE_NOTIFICATION_IRQ => r.u32().map(Self::NotificationIrq).ok_or(short),
            _ => Err(Error::NOSYS),
        }
    }

    fn decode_icu(words: &[Word], item: Received) -> Result<Self> {
        let (opcode, arguments) = words.split_first().ok_or(Error::MSGTOOSHORT)?;
        let pin = || arguments.first().copied().ok_or(Error::MSGTOOSHORT);
        match *opcode {
            icu::BIND => {
                let pin = pin()?;
                needs_cap(item)?;
                Ok(Self::Bind(pin))
            }
            icu::UNBIND => pin().map(Self::Unbind),
            icu::INFO => Ok(Self::IcuInfo),
            icu::MASK | icu::UNMASK => Ok(Self::Mask),
            _ => Err(Error::NOSYS),
        }
    }
}

/// The operation needs a capability: neither nothing nor memory.
fn needs_cap(item: Received) -> Result<()> {
    if item.is_cap() { Ok(()) } else { Err(Error::MSGMISSARG) }
}

impl ManagementRequest {
    /// Reads a message with protocol `protocol`.
    ///
    /// # Errors
    ///
    /// As for [`DeviceRequest::decode`].
    pub fn decode(protocol: isize, words: &[Word]) -> Result<Self> {
        match protocol {
            proto::FACTORY if words.is_empty() => Err(Error::MSGTOOSHORT),
            proto::FACTORY => Ok(Self::Create),
            proto::META => MetaRequest::decode(words).map(Self::Meta),
            _ => Err(Error::BADPROTO),
        }
    }
}

/// An interface of an object, as meta requests name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its protocol.
    pub protocol: isize,
    /// Its name.
    pub name: &'static str,
}

/// What a device speaks.
pub const DEVICE_INTERFACES: &[Interface] = &[
    Interface { protocol: proto::NONE, name: "L4virtio::Device" },
    Interface { protocol: proto::IRQ, name: "L4::Icu" },
];

/// What a management gate speaks.
pub const MANAGEMENT_INTERFACES: &[Interface] =
    &[Interface { protocol: proto::FACTORY, name: "L4::Factory" }];

impl MetaRequest {
    fn decode(words: &[Word]) -> Result<Self> {
        let mut r = Reader::new(words);
        let short = Error::MSGTOOSHORT;
        match r.u32().ok_or(short)? {
            meta_op::NUM_INTERFACES => Ok(Self::Count),
            meta_op::INTERFACE => r.word().map(Self::Interface).ok_or(short),
            meta_op::SUPPORTS => r.word().map(|p| Self::Supports(p as isize)).ok_or(short),
            _ => Err(Error::NOSYS),
        }
    }

    /// Answers for an object with these interfaces: the label, and the words in `reply`.
    ///
    /// # Errors
    ///
    /// [`Error::RANGE`] if there is no interface with the index.
    pub fn answer(self, interfaces: &[Interface], reply: &mut Msg) -> Result<usize> {
        match self {
            MetaRequest::Count => Ok(interfaces.len()),
            MetaRequest::Supports(p) => Ok(interfaces.iter().any(|i| i.protocol == p).into()),
            MetaRequest::Interface(index) => {
                let interface = interfaces.get(index).ok_or(Error::RANGE)?;
                let words = Writer::new(reply.words_mut())
                    .word(interface.protocol as Word)
                    .string(interface.name.as_bytes())
                    .finish();
                reply.set_len(words.ok_or(Error::MSGTOOLONG)?);
                Ok(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::fpage::Kind;
    use proptest::prelude::*;

    const CAP: Received = Received::Mapped(Kind::Cap);
    const NO: Received = Received::Nothing;

    fn decode(protocol: isize, words: &[Word], item: Received) -> Result<DeviceRequest> {
        DeviceRequest::decode(protocol, words, item)
    }

    #[test]
    fn operations_are_read_where_the_protocol_puts_them() {
        // A 32-bit argument shares the first word with the opcode.
        assert_eq!(decode(0, &[0xb << 32], NO), Ok(DeviceRequest::SetStatus(0xb)));
        assert_eq!(decode(0, &[7 << 32 | 1], NO), Ok(DeviceRequest::ConfigQueue(7)));
        let range = Range { base: 0x20_0000, offset: 0x1000, size: 0x8000 };
        let words = [3, 0x20_0000, 0x1000, 0x8000];
        assert_eq!(decode(0, &words, CAP), Ok(DeviceRequest::Register(range)));
        assert_eq!(decode(0, &[4], NO), Ok(DeviceRequest::DeviceConfig));
        assert_eq!(decode(0, &[5], NO), Ok(DeviceRequest::NotificationIrq(0)));
        assert_eq!(decode(-1, &[0, 2], CAP), Ok(DeviceRequest::Bind(2)));
        assert_eq!(decode(-1, &[1, 0], NO), Ok(DeviceRequest::Unbind(0)));
        assert_eq!(decode(-1, &[2], NO), Ok(DeviceRequest::IcuInfo));
    }

    #[test]
    fn what_is_missing_has_a_name() {
        for words in [&[][..], &[3, 0], &[3, 0, 0]] {
            assert_eq!(decode(0, words, CAP), Err(Error::MSGTOOSHORT), "{words:x?}");
        }
        for words in [&[][..], &[0], &[1]] {
            assert_eq!(decode(-1, words, CAP), Err(Error::MSGTOOSHORT), "{words:x?}");
        }
        for item in [NO, Received::Mapped(Kind::Memory), Received::Label { label: 8, rights: 3 }] {
            assert_eq!(decode(0, &[3, 0, 0, 0], item), Err(Error::MSGMISSARG));
            assert_eq!(decode(-1, &[0, 0], item), Err(Error::MSGMISSARG));
        }
    }

    #[test]
    fn what_is_not_spoken_is_refused() {
        assert_eq!(decode(0, &[2], NO), Err(Error::NOSYS), "an operation of the past");
        assert_eq!(decode(0, &[6], NO), Err(Error::NOSYS));
        assert_eq!(decode(-1, &[6, 0, 0], NO), Err(Error::NOSYS));
        assert_eq!(decode(-15, &[0], NO), Err(Error::BADPROTO));
        assert_eq!(ManagementRequest::decode(0, &[0]), Err(Error::BADPROTO));
        assert_eq!(ManagementRequest::decode(-15, &[]), Err(Error::MSGTOOSHORT));
        assert_eq!(ManagementRequest::decode(-15, &[1]), Ok(ManagementRequest::Create));
    }

    #[test]
    fn oversized_messages_are_read_as_far_as_they_matter() {
        let mut words = [!0; 63];
        words[..4].copy_from_slice(&[3, 1, 2, 3]);
        let range = Range { base: 1, offset: 2, size: 3 };
        assert_eq!(decode(0, &words, CAP), Ok(DeviceRequest::Register(range)));
    }

    #[test]
    fn interfaces_are_told() {
        let mut reply = Msg::new();
        let mut ask = |words: &[Word]| {
            let Ok(DeviceRequest::Meta(m)) = decode(-21, words, NO) else { panic!("{words:?}") };
            m.answer(DEVICE_INTERFACES, &mut reply)
        };
        assert_eq!(ask(&[0]), Ok(2));
        assert_eq!(ask(&[2, 0]), Ok(1));
        assert_eq!(ask(&[2, (-1isize) as Word]), Ok(1));
        assert_eq!(ask(&[2, (-15isize) as Word]), Ok(0));
        assert_eq!(ask(&[1, 2]), Err(Error::RANGE));
        assert_eq!(ask(&[1, 1]), Ok(0));
        assert_eq!(reply.words()[..2], [!0, 8], "protocol, length with the NUL");
        assert_eq!(reply.words()[2].to_le_bytes(), *b"L4::Icu\0");
        assert_eq!(decode(-21, &[1], NO), Err(Error::MSGTOOSHORT));
        assert_eq!(decode(-21, &[3], NO), Err(Error::NOSYS));
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_is_harmful(
            protocol in prop_oneof![-25isize..2, any::<isize>()],
            words in prop::collection::vec(prop_oneof![0..8usize, any::<usize>()], 0..63),
            control in any::<usize>(), data in any::<usize>(),
        ) {
            let item = Received::decode(control, data);
            let request = DeviceRequest::decode(protocol, &words, item);
            if let Ok(DeviceRequest::Register(_) | DeviceRequest::Bind(_)) = request {
                prop_assert!(item.is_cap());
            }
            if let Ok(DeviceRequest::Meta(m)) = request {
                let _ = m.answer(DEVICE_INTERFACES, &mut Msg::new());
            }
            let _ = ManagementRequest::decode(protocol, &words);
        }
    }
}
