//! The queues of a client, as its class uses them.

use alloc::boxed::Box;

use super::super::counters::Counters;
use super::super::memory::ClientMemory;
use super::super::ring::{Chain, Limits, QueueLayout, Ring, RingError};

/// One queue.
#[derive(Debug)]
struct Queue {
    /// Largest number of entries.
    size: u16,
    /// What the client has configured; becomes `ring` when it sets `DRIVER_OK`.
    layout: Option<QueueLayout>,
    ring: Option<Ring>,
    /// Chains that were taken and not given back.
    taken: u32,
}

/// The queues of a client, its memory, and what is counted of it.
///
/// Functions that take a queue that is not there, or not open, do nothing.
#[derive(Debug)]
pub struct Queues<M> {
    // The rings point into the memory and are dropped before it.
    queues: Box<[Queue]>,
    memory: ClientMemory<M>,
    /// Accesses to the client's memory that the device may still make.
    outstanding: u32,
    /// What the client has done so far.
    pub counters: Counters,
}

impl<M> Queues<M> {
    pub(super) fn new(sizes: &[u16], ds_max: usize) -> Self {
        let queue = |size: &u16| Queue { size: *size, layout: None, ring: None, taken: 0 };
        Self {
            queues: sizes.iter().map(queue).collect(),
            memory: ClientMemory::new(ds_max),
            outstanding: 0,
            counters: Counters::default(),
        }
    }

    /// The memory that the client has registered.
    pub fn memory(&self) -> &ClientMemory<M> {
        &self.memory
    }

    pub(super) fn memory_mut(&mut self) -> &mut ClientMemory<M> {
        &mut self.memory
    }

    fn ring(&mut self, queue: usize) -> Option<&mut Ring> {
        self.queues.get_mut(queue)?.ring.as_mut()
    }

    /// Whether a queue is open: its chains can be taken and answered.
    pub fn is_open(&self, queue: usize) -> bool {
        self.queues.get(queue).is_some_and(|q| q.ring.is_some())
    }

    /// Whether a chain is available.
    ///
    /// # Errors
    ///
    /// As for [`Ring::has_available`].
    pub fn has_available(&mut self, queue: usize) -> Result<bool, RingError> {
        self.ring(queue).map_or(Ok(false), Ring::has_available)
    }

    /// Takes the next chain and returns its head. The client is then asked not to notify us: there
    /// is something to do, so it need not tell when there is more.
    ///
    /// # Errors
    ///
    /// As for [`Ring::pop`].
    pub fn pop(&mut self, queue: usize) -> Result<Option<u16>, RingError> {
        let Some(queue) = self.queues.get_mut(queue) else {
            return Ok(None);
        };
        let Some(ring) = &mut queue.ring else {
            return Ok(None);
        };
        let Some(head) = ring.pop()? else {
            return Ok(None);
        };
        ring.set_quiet(true);
        queue.taken += 1;
        self.counters.requests += 1;
        Ok(Some(head))
    }

    /// Walks the chain at `head`, which [`pop`](Self::pop) returned.
    ///
    /// # Errors
    ///
    /// [`RingError::Lost`] if the queue is not open.
    pub fn chain(&self, queue: usize, head: u16) -> Result<Chain<'_, M>, RingError> {
        let ring = self.queues.get(queue).and_then(|q| q.ring.as_ref()).ok_or(RingError::Lost)?;
        Ok(ring.chain(head, &self.memory))
    }

    /// Notes that the chain at `head` is done and `written` bytes were written to it. The client
    /// sees it when all classes and clients have had their turn.
    pub fn push_used(&mut self, queue: usize, head: u16, written: u32) {
        if let Some(queue) = self.queues.get_mut(queue)
            && let Some(ring) = &mut queue.ring
        {
            queue.taken = queue.taken.saturating_sub(1);
            ring.push_used(head, written);
        }
    }

    /// Asks for notifications of a queue again, which [`pop`](Self::pop) had asked not to send.
    /// Returns whether that is a change.
    pub(super) fn listen(&mut self) -> bool {
        let rings = self.queues.iter_mut().filter_map(|q| q.ring.as_mut());
        rings.fold(false, |any, ring| ring.set_quiet(false) | any)
    }

    /// Notes that the device was given addresses of the client's memory.
    pub fn device_begins(&mut self) {
        self.outstanding += 1;
    }

    /// Notes that the device has finished with what it was given.
    pub fn device_ends(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
    }

    /// Whether the device may still access the client's memory.
    pub fn is_with_device(&self) -> bool {
        self.outstanding > 0
    }

    /// Whether chains of a queue were taken and not given back.
    pub(super) fn is_busy(&self, queue: usize) -> bool {
        self.queues.get(queue).is_some_and(|q| q.taken > 0)
    }

    /// Number of queues.
    pub fn len(&self) -> usize {
        self.queues.len()
    }

    /// Whether there is no queue at all.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    fn limits(size: u16, indirect: bool) -> Limits {
        Limits { size, chain: size, indirect }
    }

    /// Notes what the client has configured. Checks it as far as possible: the memory may still be
    /// registered before `DRIVER_OK`.
    pub(super) fn configure(
        &mut self,
        queue: usize,
        layout: Option<QueueLayout>,
        indirect: bool,
    ) -> Result<(), RingError> {
        let Self { queues, memory, .. } = self;
        let Some(queue) = queues.get_mut(queue) else {
            return Ok(());
        };
        queue.ring = None;
        queue.layout = None;
        if let Some(layout) = layout {
            match Ring::new(&layout, Self::limits(queue.size, indirect), memory) {
                Ok(_) | Err(RingError::NotMapped(..)) => {}
                Err(e) => return Err(e),
            }
            queue.layout = Some(layout);
        }
        Ok(())
    }

    /// Whether the client has configured a queue.
    pub(super) fn is_configured(&self, queue: usize) -> bool {
        self.queues.get(queue).is_some_and(|q| q.layout.is_some())
    }

    /// Opens a queue as the client has configured it, if it has.
    pub(super) fn open(&mut self, queue: usize, indirect: bool) -> Result<(), RingError> {
        let Self { queues, memory, .. } = self;
        if let Some(queue) = queues.get_mut(queue)
            && let Some(layout) = queue.layout
        {
            queue.ring = Some(Ring::new(&layout, Self::limits(queue.size, indirect), memory)?);
        }
        Ok(())
    }

    /// Closes all queues and forgets what the client has configured.
    pub(super) fn close(&mut self) {
        self.queues.iter_mut().for_each(|q| (q.ring, q.layout) = (None, None));
    }

    /// A reset is complete.
    pub(super) fn reset(&mut self) {
        self.queues.iter_mut().for_each(|q| q.taken = 0);
    }

    /// Shows the answers of all queues to the client. Returns whether it wants an interrupt.
    pub(super) fn publish(&mut self) -> bool {
        let mut wanted = false;
        for ring in self.queues.iter_mut().filter_map(|q| q.ring.as_mut()) {
            if ring.publish() > 0 {
                let interrupt = ring.needs_interrupt();
                self.counters.suppressed += u64::from(!interrupt);
                wanted |= interrupt;
            }
        }
        wanted
    }
}
