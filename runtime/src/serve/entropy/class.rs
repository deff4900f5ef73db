//! Entropy as a class of the server.

use super::{EntropySource, QUEUE_SIZE, REQUEST_MAX};
use crate::mem::SharedMem;
use crate::serve::class::{Class, Offer, Progress};
use crate::serve::client::{ClientTable, Peer, Queues};
use crate::serve::counters::DeviceCounters;
use crate::serve::memory::{ClientMemory, MemoryOwner};
use crate::serve::options::Values;
use crate::serve::ring::{Chain, RingError};
use crate::serve::transport::Features;
use crate::virtio::spec::device_id;

/// The only queue of a client (5.4.2).
const REQUESTS: usize = 0;

/// How a client uses the source: there is only one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntropyOptions;

/// What the class keeps of a client: nothing, as a request is answered when it is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntropySession;

/// A source of random bytes, for its clients.
#[derive(Debug)]
pub struct Entropy<S> {
    source: S,
}

impl<S: EntropySource> Entropy<S> {
    /// A source without clients.
    pub const fn new(source: S) -> Self {
        Self { source }
    }

    /// The source.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }
}

impl<S: EntropySource> Class for Entropy<S> {
    type Options = EntropyOptions;
    type Session = EntropySession;

    const DEVICE_ID: u32 = device_id::ENTROPY;

    fn options(&self, _: &Values<'_>) -> EntropyOptions {
        EntropyOptions
    }

    /// Everybody gets bytes of his own.
    fn can_share(_: &EntropyOptions, _: &EntropyOptions) -> bool {
        true
    }

    fn connect(&self, _: &mut EntropyOptions) -> crate::Result<Offer<EntropySession>> {
        // 5.4.3 and 5.4.4: there are no features and no configuration.
        Ok(Offer {
            session: EntropySession,
            features: 0,
            queues: [QUEUE_SIZE].into(),
            config_size: 0,
        })
    }

    fn write_config(&self, _: &EntropySession, _: &SharedMem) -> Option<()> {
        Some(())
    }

    fn start(&self, _: &mut EntropySession, _: &Features) {}

    fn stop<M: MemoryOwner>(&mut self, _: &mut EntropySession, _: &mut Queues<M>) {}

    fn reset(&self, _: &mut EntropySession) {}

    fn has_work<M: MemoryOwner>(
        &mut self,
        _: &EntropySession,
        queues: &mut Queues<M>,
    ) -> Result<bool, RingError> {
        let waiting = queues.has_available(REQUESTS)?;
        let ready = self.source.is_ready();
        if waiting && !ready {
            self.source.refill();
        }
        Ok(waiting && ready)
    }

    fn advance<M: MemoryOwner>(
        &mut self,
        _: u16,
        _: &mut EntropySession,
        queues: &mut Queues<M>,
        budget: &mut u32,
    ) -> Result<Progress, RingError> {
        loop {
            if *budget == 0 {
                return Ok(Progress::More);
            }
            // A request is only taken when it can be answered: there is nothing to keep of it.
            if !self.source.is_ready() {
                return Ok(Progress::Idle);
            }
            let Some(head) = queues.pop(REQUESTS)? else {
                return Ok(Progress::Idle);
            };
            let written = fill(&mut self.source, queues.chain(REQUESTS, head)?, queues.memory())?;
            queues.counters.bytes_read += written as u64;
            queues.push_used(REQUESTS, head, written as u32);
            *budget -= 1;
        }
    }

    fn reap<P: Peer>(&mut self, _: &mut ClientTable<'_, Self, P>, _: &mut DeviceCounters) {}

    fn lose<P: Peer>(&mut self, _: &mut ClientTable<'_, Self, P>, _: &mut DeviceCounters) {}

    fn is_gone(&self) -> bool {
        false
    }

    fn in_flight(&self) -> usize {
        0
    }

    fn depth(&self) -> usize {
        usize::from(QUEUE_SIZE)
    }

    fn publish(&mut self) {}

    fn quiet(&mut self, _: bool) {}

    fn interrupt(&mut self, number: usize) {
        self.source.interrupt(number);
    }

    fn notifications(&self) -> u64 {
        0
    }
}

/// Writes random bytes to the buffers of a chain; returns how many.
fn fill<M>(
    source: &mut impl EntropySource,
    chain: Chain<'_, M>,
    memory: &ClientMemory<M>,
) -> Result<usize, RingError> {
    let mut written = 0;
    let mut exhausted = false;
    // The whole chain is walked, so that what is wrong with it is found.
    for buffer in chain {
        let buffer = buffer?;
        if !buffer.writable || exhausted {
            continue;
        }
        let mut bytes = [0; REQUEST_MAX];
        let room = (buffer.len as usize).min(REQUEST_MAX - written);
        let Some(bytes) = bytes.get_mut(..room).filter(|b| !b.is_empty()) else {
            continue;
        };
        let lost = RingError::BufferNotMapped(buffer.addr);
        let window = memory.translate(buffer.addr, room).map_err(|_| lost)?;
        let count = source.read(bytes).min(room);
        let filled = bytes.get(..count).unwrap_or(&[]);
        window.write_bytes(0, filled).ok_or(lost)?;
        written += count;
        exhausted = count < room;
    }
    Ok(written)
}
