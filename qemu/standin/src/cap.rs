//! Capability tables.

use alloc::collections::BTreeMap;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::item::attr;

use crate::object::ObjId;

/// Highest slot index that is accepted: more than any program uses, and small enough that a wild
/// selector cannot be mistaken for a slot.
pub const MAX_INDEX: usize = 0xf_ffff;

/// A capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// The object.
    pub object: ObjId,
    /// Rights as in a flexpage: W 1, S 2, R 4, D 8.
    pub rights: usize,
    /// Object-specific rights as in the attributes of an item: 0x20 is the server right of a gate.
    pub extra: usize,
    /// Does not keep the object alive.
    pub weak: bool,
}

impl Cap {
    /// A capability with all rights.
    pub fn full(object: ObjId) -> Cap {
        Cap { object, rights: rights::RWSD, extra: attr::ALL, weak: false }
    }

    /// A capability with the given rights and no object-specific ones.
    pub fn with(object: ObjId, rights: usize) -> Cap {
        Cap { object, rights: rights | rights::R, extra: 0, weak: false }
    }

    /// What somebody gets who is sent this capability with the given rights and attributes: never
    /// more than the sender has.
    pub fn derive(self, rights: usize, attrs: usize) -> Cap {
        Cap {
            object: self.object,
            rights: self.rights & (rights | rights::R),
            extra: self.extra & attrs & attr::ALL,
            weak: attrs & attr::WEAK != 0,
        }
    }

    /// Whether it has a right.
    pub fn may(&self, right: usize) -> bool {
        self.rights & right == right
    }

    /// Whether it has the server right of a gate.
    pub fn is_server(&self) -> bool {
        self.extra & attr::SERVER != 0
    }
}

/// The capability table of a task.
#[derive(Default)]
pub struct CapTable {
    slots: BTreeMap<usize, Cap>,
}

impl CapTable {
    /// The capability in a slot.
    pub fn get(&self, index: usize) -> Option<Cap> {
        self.slots.get(&index).copied()
    }

    /// Puts a capability into a slot. Returns what was there.
    pub fn set(&mut self, index: usize, cap: Cap) -> Option<Cap> {
        self.slots.insert(index, cap)
    }

    /// Empties a slot.
    pub fn take(&mut self, index: usize) -> Option<Cap> {
        self.slots.remove(&index)
    }

    /// Takes away rights of the capability in a slot; says which it had of them.
    pub fn restrict(&mut self, index: usize, away: usize) -> usize {
        let Some(cap) = self.slots.get_mut(&index) else { return 0 };
        let had = cap.rights & away;
        cap.rights &= !away | rights::R;
        had
    }

    /// Empties all slots that refer to an object; returns how many counted ones there were.
    pub fn purge(&mut self, object: ObjId) {
        self.slots.retain(|_, c| c.object != object);
    }

    /// Used slots.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no slot is used.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes everything out.
    pub fn drain(&mut self) -> impl Iterator<Item = Cap> + use<> {
        core::mem::take(&mut self.slots).into_values()
    }

    /// Slots of an inclusive range that are used.
    pub fn used_in(&self, first: usize, count: usize) -> impl Iterator<Item = usize> {
        self.slots.range(first..first.saturating_add(count)).map(|(i, _)| *i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_only_shrink() {
        let c = Cap::full(ObjId(1)).derive(rights::RW, 0);
        assert_eq!((c.rights, c.extra), (rights::RW, 0));
        let c = c.derive(rights::RWSD, attr::ALL);
        assert_eq!((c.rights, c.extra), (rights::RW, 0), "nothing comes back");
        assert!(c.may(rights::W) && !c.may(rights::S) && !c.is_server());
    }

    #[test]
    fn everything_has_the_read_right() {
        assert_eq!(Cap::full(ObjId(1)).derive(0, 0).rights, rights::R);
    }

    #[test]
    fn restrict_tells_what_was_flushed() {
        let mut t = CapTable::default();
        t.set(7, Cap::with(ObjId(1), rights::RW));
        assert_eq!(t.restrict(7, rights::W | rights::S), rights::W);
        assert_eq!(t.get(7).unwrap().rights, rights::R);
        assert_eq!(t.restrict(8, 0xf), 0);
    }
}
