//! Labels: what tells the event loop which object a message or an interrupt came through.

use crate::abi::Word;
use crate::serve::scheduler::ClientId;

/// The source of a message.
///
/// It is packed into 30 bits, above the two that the kernel uses for rights. The label of a session
/// holds all of its [`ClientId`], generation included, so a message that was under way when its
/// client went is never taken for one of the next client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageSource {
    /// The management gate.
    Management,
    /// A gate bound to this thread has ceased to exist.
    Deleted,
    /// An interrupt of a device: its number, and which of its interrupts.
    Interrupt(u8, u8),
    /// The gate of a client of a device.
    Session(u8, ClientId),
    /// The notification of a client of a device.
    Kick(u8, ClientId),
}

/// Most devices of a server.
pub const DEVICES_MAX: usize = 16;
/// Most clients of a device at a time.
pub const CLIENTS_MAX: usize = 256;

const OTHER: u32 = 0;
const SESSION: u32 = 1;
const KICK: u32 = 2;
const MANAGEMENT: u32 = 1;
const DELETED: u32 = 2;
const INTERRUPT: u32 = 3;

impl MessageSource {
    /// The label for the kernel, with its two low bits clear. Never 0. Numbers of devices and
    /// clients must be below [`DEVICES_MAX`] and [`CLIENTS_MAX`].
    pub const fn encode(self) -> Word {
        let (kind, rest) = match self {
            MessageSource::Management => (OTHER, MANAGEMENT),
            MessageSource::Deleted => (OTHER, DELETED),
            MessageSource::Interrupt(device, irq) => {
                (OTHER, INTERRUPT | (device as u32 & 15) << 2 | (irq as u32) << 6)
            }
            MessageSource::Session(device, client) => (SESSION, pack(device, client)),
            MessageSource::Kick(device, client) => (KICK, pack(device, client)),
        };
        (rest << 4 | kind << 2) as Word
    }

    /// The source and the rights (bits 0 and 1) of a label that was received; `None` for a label
    /// that is none of ours.
    pub const fn decode(raw: Word) -> Option<(MessageSource, Word)> {
        let label = raw as u32;
        let rest = label >> 4;
        let device = (rest & 15) as u8;
        let client = ClientId::from_parts((rest >> 4 & 0xff) as u16, (rest >> 12) as u16);
        let source = match (label >> 2 & 3, rest & 3) {
            (SESSION, _) => MessageSource::Session(device, client),
            (KICK, _) => MessageSource::Kick(device, client),
            (OTHER, MANAGEMENT) => MessageSource::Management,
            (OTHER, DELETED) => MessageSource::Deleted,
            (OTHER, INTERRUPT) => {
                MessageSource::Interrupt((rest >> 2 & 15) as u8, (rest >> 6) as u8)
            }
            _ => return None,
        };
        Some((source, raw & 3))
    }
}

const fn pack(device: u8, client: ClientId) -> u32 {
    let (index, generation) = client.parts();
    (device as u32 & 15) | (index as u32 & 0xff) << 4 | (generation as u32) << 12
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels() -> impl Strategy<Value = MessageSource> {
        let client =
            (0..CLIENTS_MAX as u16, any::<u16>()).prop_map(|(i, g)| ClientId::from_parts(i, g));
        let device = 0..DEVICES_MAX as u8;
        prop_oneof![
            Just(MessageSource::Management),
            Just(MessageSource::Deleted),
            (device.clone(), any::<u8>()).prop_map(|(d, i)| MessageSource::Interrupt(d, i)),
            (device.clone(), client.clone()).prop_map(|(d, c)| MessageSource::Session(d, c)),
            (device, client).prop_map(|(d, c)| MessageSource::Kick(d, c)),
        ]
    }

    proptest! {
        #[test]
        fn every_source_has_a_label_of_its_own(a in labels(), rights in 0usize..4) {
            let raw = a.encode();
            prop_assert!(raw != 0 && raw & 3 == 0 && raw <= u32::MAX as usize);
            prop_assert_eq!(MessageSource::decode(raw | rights), Some((a, rights)));
        }

        #[test]
        fn foreign_labels_are_harmless(raw in any::<usize>()) {
            let _ = MessageSource::decode(raw);
        }
    }
}
