//! The table of named capabilities.

use crate::abi::Word;
use crate::abi::cap::Sel;
use crate::abi::env::{CAP_TABLE_END, NAME_SIZE};

/// Most entries that are looked at: a table without an end must not keep us.
const LIMIT: usize = 1024;

/// An entry as it lies in memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub cap: Word,
    pub flags: Word,
    pub name: [u8; NAME_SIZE],
}

/// A capability that the loader granted under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedCap {
    name: [u8; NAME_SIZE],
    /// The slot.
    pub sel: Sel,
}

impl NamedCap {
    fn from_entry(entry: &Entry) -> Self {
        Self { name: entry.name, sel: Sel::from_raw(entry.cap) }
    }

    /// The name; `?` if it is no UTF-8.
    pub fn name(&self) -> &str {
        let end = self.name.iter().position(|b| *b == 0).unwrap_or(NAME_SIZE);
        core::str::from_utf8(&self.name[..end]).unwrap_or("?")
    }
}

/// The entries up to the end mark.
///
/// # Safety
///
/// `table` must be null or point to a table as the loader made it, which stays as it is.
pub(super) unsafe fn entries(table: *const Entry) -> impl Iterator<Item = NamedCap> + Clone {
    let limit = if table.is_null() { 0 } else { LIMIT };
    (0..limit)
        // SAFETY: by contract there is an entry up to the end mark, where the iteration stops.
        .map(move |i| unsafe { table.add(i).read() })
        .take_while(|e| e.flags != CAP_TABLE_END)
        .map(|e| NamedCap::from_entry(&e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn entry(cap: Word, flags: Word, text: &[u8]) -> Entry {
        let mut name = [0; NAME_SIZE];
        name[..text.len()].copy_from_slice(text);
        Entry { cap, flags, name }
    }

    #[test]
    fn the_table_ends_at_its_mark() {
        let table = [
            entry(0x16000, 0, b"vbus"),
            entry(0x17000, 5, b"sixteen-letters!"),
            entry(!0 << 11, 0, b"gone"),
            entry(!0 << 11, !0, b""),
            entry(0x18000, 0, b"behind"),
        ];
        // SAFETY: ended by a mark.
        let got: Vec<NamedCap> = unsafe { entries(table.as_ptr()) }.collect();
        let names: Vec<&str> = got.iter().map(NamedCap::name).collect();
        assert_eq!(names, ["vbus", "sixteen-letters!", "gone"]);
        assert_eq!(got[1].sel, Sel(0x17000));
        assert!(!got[2].sel.is_valid());
    }

    #[test]
    fn no_table_has_no_entries() {
        // SAFETY: null is allowed.
        assert_eq!(unsafe { entries(core::ptr::null()) }.count(), 0);
    }
}
