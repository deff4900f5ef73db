//! Devices: io's words for them and UDI's attributes.

use l4re_udi::props::{AttributeValue, Text};

/// Attributes of a device: name and value.
pub(super) type Attributes = Vec<(String, AttributeValue)>;

/// Attributes of PCI devices, with the word of io they stand for and their number of digits.
const PCI: [(&str, &str, usize); 4] = [
    ("pci_vendor_id", "VEN", 4),
    ("pci_device_id", "DEV", 4),
    ("pci_revision_id", "REV", 2),
    ("pci_subsystem", "SUBSYS", 8),
];

/// Attributes for the class of a PCI device, from the front of io's word `CC_…`.
const CLASS: [&str; 3] = ["pci_base_class", "pci_sub_class", "pci_prog_if"];

/// Attributes for the two halves of io's word `SUBSYS_…`.
const SUBSYSTEM: [&str; 2] = ["pci_subsystem_id", "pci_subsystem_vendor_id"];

fn string(text: &str) -> AttributeValue {
    AttributeValue::String(Text::plain(text))
}

/// A PCI device in io's form, as `rules::pci_match` lets it pass.
pub(super) fn pci(word: &str) -> Attributes {
    let mut attributes = vec![("bus_type".to_owned(), string("pci"))];
    let mut add = |name: &str, digits: &str| {
        let number = u32::from_str_radix(digits, 16).unwrap_or_default();
        attributes.push((name.into(), AttributeValue::Ubit32(number)));
    };
    for token in word.split('&') {
        match token.split_once('_') {
            Some(("CC", digits)) => {
                let pairs = (0..digits.len()).step_by(2).filter_map(|at| digits.get(at..at + 2));
                pairs.zip(CLASS).for_each(|(pair, name)| add(name, pair));
            }
            Some(("SUBSYS", digits)) => {
                let halves = digits.split_at_checked(4);
                for (name, half) in
                    halves.into_iter().flat_map(|(a, b)| SUBSYSTEM.into_iter().zip([a, b]))
                {
                    add(name, half);
                }
            }
            Some((kind, digits)) => {
                if let Some((name, ..)) = PCI.iter().find(|(_, word, _)| *word == kind) {
                    add(name, digits);
                }
            }
            None => {}
        }
    }
    attributes
}

/// Another device, by its `compatible` string.
pub(super) fn compatible(word: &str) -> Attributes {
    vec![("bus_type".into(), string("system")), ("compatible".into(), string(word))]
}

/// What `device` attributes describe, in io's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Device {
    /// A PCI device.
    Pci(String),
    /// Another one, by its `compatible` string.
    Compatible(String),
}

/// The device that attributes describe; `None` if io has no words for it.
pub(super) fn device(attributes: &Attributes) -> Option<Device> {
    let value =
        |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let text = |wanted: &str| match value(wanted) {
        Some(AttributeValue::String(text)) => Some(text.to_string()),
        _ => None,
    };
    let number = |wanted: &str| match value(wanted) {
        Some(AttributeValue::Ubit32(number)) => Some(*number),
        _ => None,
    };
    if text("bus_type")? != "pci" {
        return text("compatible").map(Device::Compatible);
    }
    let mut words = Vec::new();
    let class: Vec<String> =
        CLASS.iter().map_while(|name| number(name)).map(|byte| format!("{byte:02X}")).collect();
    if !class.is_empty() {
        words.push(format!("CC_{}", class.concat()));
    }
    for (name, word, width) in PCI {
        if let Some(number) = number(name) {
            words.push(format!("{word}_{number:0width$X}"));
        }
    }
    if let [Some(id), Some(vendor)] = SUBSYSTEM.map(number) {
        words.push(format!("SUBSYS_{id:04X}{vendor:04X}"));
    }
    (!words.is_empty()).then(|| Device::Pci(words.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_survive_the_way_there_and_back() {
        for word in
            ["CC_01", "CC_0180", "VEN_1AF4&DEV_1042", "CC_018002&VEN_8086&REV_03&SUBSYS_11000001"]
        {
            assert_eq!(device(&pci(word)), Some(Device::Pci(word.into())), "{word}");
        }
        assert_eq!(device(&compatible("a,b")), Some(Device::Compatible("a,b".into())));
        assert_eq!(device(&Vec::new()), None);
    }
}
