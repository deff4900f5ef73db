//! Attribute stores: keys and values, of an image or of a module.

use std::collections::BTreeMap;

use l4re_packager_base::Diagnostic;

use crate::source::Source;

const MAGIC: &[u8; 4] = b"ATTR";
/// Bytes of a key or a value that are read: a store is kept in memory.
const MAX_LEN: u64 = 1 << 20;
/// Bytes of all keys and values of a store together.
const MAX_STORE: u64 = 4 << 20;

/// Keys and values, sorted by key. Values need not be text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attrs(BTreeMap<String, Vec<u8>>);

impl Attrs {
    /// Sets a value.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.0.insert(key.into(), value.into());
    }

    /// Removes a value; answers whether it was there.
    pub fn unset(&mut self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }

    /// The value of a key as text, unreadable bytes replaced.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// All of them, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps those that `keep` says yes to.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|key, _| keep(key));
    }

    /// Reads the store at `offset`.
    pub(crate) fn read(source: &Source, offset: u64) -> Result<Self, Diagnostic> {
        let mut magic = [0; 4];
        source.read(offset, &mut magic, "an attribute store")?;
        if &magic != MAGIC {
            return Err(source.error("magic", "no attribute store here", offset));
        }
        let mut attrs = Self::default();
        let mut position = offset + 4;
        let mut total = 0u64;
        loop {
            let mut descriptor = [0];
            source.read(position, &mut descriptor, "an attribute's descriptor")?;
            let [descriptor] = descriptor;
            if descriptor & 0x80 == 0 {
                return Ok(attrs);
            }
            let start = position;
            position += 1;
            let key_len = length(source, &mut position, descriptor)?;
            let value_len = length(source, &mut position, descriptor >> 2)?;
            total = total.saturating_add(key_len).saturating_add(value_len).saturating_add(1);
            if total > MAX_STORE {
                let message = format!("more than {MAX_STORE} bytes of attributes");
                return Err(source.error("too-large", message, start));
            }
            let key = text(source, &mut position, key_len)?;
            let key = String::from_utf8(key)
                .map_err(|_| source.error("utf-8", "an attribute's key is no text", start))?;
            let value = text(source, &mut position, value_len)?;
            attrs.0.insert(key, value);
        }
    }

    /// The store's bytes; none if there are no attributes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.0.is_empty() {
            return bytes;
        }
        bytes.extend_from_slice(MAGIC);
        for (key, value) in &self.0 {
            let (key_width, value_width) = (width(key.len()), width(value.len()));
            bytes.push(0x80 | key_width | value_width << 2);
            for (len, width) in [(key.len(), key_width), (value.len(), value_width)] {
                let len = (len as u64).to_le_bytes();
                bytes.extend(len.iter().take(1 << width));
            }
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(value);
        }
        bytes.push(0);
        bytes
    }
}

/// Logarithm of the number of bytes that a length takes.
fn width(len: usize) -> u8 {
    match len {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        _ if u32::try_from(len).is_ok() => 2,
        _ => 3,
    }
}

/// A length whose width is in the lowest two bits of `width`.
fn length(source: &Source, position: &mut u64, width: u8) -> Result<u64, Diagnostic> {
    let mut bytes = [0; 8];
    let size = 1usize << (width & 3);
    if let Some(field) = bytes.get_mut(..size) {
        source.read(*position, field, "an attribute's length")?;
    }
    let len = u64::from_le_bytes(bytes);
    if len > MAX_LEN {
        let message = format!("an attribute of {len} bytes; at most {MAX_LEN} are read");
        return Err(source.error("too-large", message, *position));
    }
    *position += size as u64;
    Ok(len)
}

fn text(source: &Source, position: &mut u64, len: u64) -> Result<Vec<u8>, Diagnostic> {
    let bytes =
        source.bytes(*position, usize::try_from(len).unwrap_or_default(), "an attribute")?;
    *position += len;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_store_has_the_bytes_of_the_format() {
        let mut attrs = Attrs::default();
        attrs.set("b", "x".repeat(300));
        attrs.set("a", "1");
        let mut expected = b"ATTR\x80\x01\x01a1\x84\x01\x2c\x01b".to_vec();
        expected.extend(b"x".repeat(300));
        expected.push(0);
        assert_eq!(attrs.encode(), expected);
        assert_eq!(Attrs::default().encode(), b"");
    }

    #[test]
    fn a_length_that_cannot_be_is_an_error_with_its_offset() {
        let bytes = b"..ATTR\x8c\x01\xff\xff\xff\xff\xff\xff\xff\x7fa";
        let error = Attrs::read(&Source::from_bytes(&bytes[..]), 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "at offset 0x8: error: an attribute of 9223372036854775807 bytes; at most 1048576 are read"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            map in prop::collection::btree_map(".{0,300}", prop::collection::vec(any::<u8>(), 0..700), 1..8)
        ) {
            let attrs = Attrs(map);
            let source = Source::from_bytes(attrs.encode());
            prop_assert_eq!(Attrs::read(&source, 0).unwrap(), attrs);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut store = MAGIC.to_vec();
            store.extend(bytes);
            let _ = Attrs::read(&Source::from_bytes(store), 0);
        }
    }
}
