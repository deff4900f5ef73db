//! Requests that are with the device, and the tags by which it names them.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// A request to the device: all of a client's request, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Index of the client in the server.
    pub client: u16,
    /// Head of the client's chain; `None` for a flush that the server sends for the client's writes.
    pub head: Option<u16>,
    /// Bytes of data.
    pub bytes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    part: Option<Part>,
    /// Counts the uses of the entry, so that a completion that comes twice is not taken for
    /// that of the next user.
    round: u16,
}

/// All parts in flight. Allocates when it is made, and never later.
#[derive(Debug)]
pub(super) struct Parts {
    entries: Box<[Entry]>,
    free: Vec<u16>,
}

impl Parts {
    /// Room for `depth` parts, at most 2^15.
    pub fn new(depth: usize) -> Self {
        let depth = depth.clamp(1, 1 << 15) as u16;
        let entry = Entry { part: None, round: 0 };
        Self { entries: (0..depth).map(|_| entry).collect(), free: (0..depth).rev().collect() }
    }

    /// Notes a part and gives the tag for it; `None` if there is no room.
    pub fn take(&mut self, part: Part) -> Option<u32> {
        let index = *self.free.last()?;
        let entry = self.entries.get_mut(usize::from(index))?;
        self.free.pop();
        entry.part = Some(part);
        entry.round = entry.round.wrapping_add(1);
        Some(u32::from(entry.round) << 16 | u32::from(index))
    }

    /// Takes back the part with this tag; `None` if there is none, as a device may claim anything.
    pub fn release(&mut self, tag: u32) -> Option<Part> {
        let index = tag as u16;
        let entry = self.entries.get_mut(usize::from(index))?;
        if u32::from(entry.round) != tag >> 16 {
            return None;
        }
        let part = entry.part.take()?;
        self.free.push(index);
        Some(part)
    }

    /// Takes back any part that is still in flight.
    pub fn release_any(&mut self) -> Option<Part> {
        if self.is_empty() {
            return None;
        }
        let index = self.entries.iter().position(|e| e.part.is_some())?;
        let part = self.entries.get_mut(index)?.part.take()?;
        self.free.push(index as u16);
        Some(part)
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.free.len() == self.entries.len()
    }

    /// Number of parts in flight.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Part = Part { client: 1, head: Some(2), bytes: 3 };

    #[test]
    fn a_tag_works_once() {
        let mut parts = Parts::new(2);
        let tag = parts.take(PART).unwrap();
        assert_eq!(parts.release(tag), Some(PART));
        assert_eq!(parts.release(tag), None);
        let again = parts.take(PART).unwrap();
        assert_ne!(tag, again, "the old tag must not name the new part");
        assert_eq!(parts.release(tag), None);
        assert_eq!(parts.release(u32::MAX), None);
        assert_eq!(parts.len(), 1);
    }

    #[test]
    fn room_is_bounded() {
        let mut parts = Parts::new(2);
        assert!(parts.take(PART).is_some());
        assert!(parts.take(PART).is_some());
        assert_eq!(parts.take(PART), None);
        assert!(parts.release_any().is_some());
        assert!(parts.release_any().is_some());
        assert_eq!(parts.release_any(), None);
        assert!(parts.is_empty());
    }
}
