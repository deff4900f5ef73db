//! Who runs: strict priorities, round robin among equals.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::object::ObjId;

/// Time slice of a thread that asked for none, in microseconds.
pub const QUANTUM: u64 = 10_000;

/// Threads that can run, by priority.
#[derive(Default)]
pub struct ReadyQueue {
    queues: BTreeMap<u8, VecDeque<ObjId>>,
}

impl ReadyQueue {
    /// Adds a thread behind its equals, or in front of them.
    pub fn push(&mut self, priority: u8, thread: ObjId, front: bool) {
        let queue = self.queues.entry(priority).or_default();
        if queue.contains(&thread) {
            return;
        }
        if front { queue.push_front(thread) } else { queue.push_back(thread) }
    }

    /// Takes the thread that is to run next.
    pub fn pop(&mut self) -> Option<ObjId> {
        let mut top = self.queues.last_entry()?;
        let thread = top.get_mut().pop_front();
        if top.get().is_empty() {
            top.remove();
        }
        thread
    }

    /// Highest priority that waits for the CPU.
    pub fn top(&self) -> Option<u8> {
        self.queues.last_key_value().map(|(p, _)| *p)
    }

    /// Takes a thread out.
    pub fn remove(&mut self, thread: ObjId) {
        self.queues.retain(|_, q| {
            q.retain(|t| *t != thread);
            !q.is_empty()
        });
    }
}

/// Threads that wait with a limit, by the time when it is over.
#[derive(Default)]
pub struct Deadlines {
    set: BTreeSet<(u64, ObjId)>,
}

impl Deadlines {
    /// Notes that `thread` wakes up at `when` (microseconds).
    pub fn add(&mut self, when: u64, thread: ObjId) {
        self.set.insert((when, thread));
    }

    /// Forgets a deadline.
    pub fn cancel(&mut self, when: u64, thread: ObjId) {
        self.set.remove(&(when, thread));
    }

    /// The next time something happens.
    pub fn next(&self) -> Option<u64> {
        self.set.first().map(|(when, _)| *when)
    }

    /// Takes one thread whose time is over.
    pub fn expired(&mut self, now: u64) -> Option<ObjId> {
        let &(when, thread) = self.set.first()?;
        if when > now {
            return None;
        }
        self.set.pop_first();
        Some(thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_priority_first_then_first_come() {
        let mut q = ReadyQueue::default();
        for (p, t) in [(2, 1), (5, 2), (2, 3), (5, 4)] {
            q.push(p, ObjId(t), false);
        }
        q.push(2, ObjId(9), true);
        q.remove(ObjId(4));
        let order: Vec<_> = core::iter::from_fn(|| q.pop()).map(|t| t.0).collect();
        assert_eq!(order, [2, 9, 1, 3]);
        assert_eq!(q.top(), None);
    }

    #[test]
    fn a_thread_is_queued_once() {
        let mut q = ReadyQueue::default();
        q.push(1, ObjId(7), false);
        q.push(1, ObjId(7), true);
        assert_eq!(q.pop(), Some(ObjId(7)));
        assert_eq!(q.pop(), None);
    }

    #[test]
    fn deadlines_expire_in_order_and_not_early() {
        let mut d = Deadlines::default();
        d.add(30, ObjId(1));
        d.add(10, ObjId(2));
        d.add(10, ObjId(3));
        d.cancel(10, ObjId(3));
        assert_eq!(d.next(), Some(10));
        assert_eq!(d.expired(9), None);
        assert_eq!(d.expired(30), Some(ObjId(2)));
        assert_eq!(d.expired(30), Some(ObjId(1)));
        assert_eq!(d.expired(30), None);
    }
}
