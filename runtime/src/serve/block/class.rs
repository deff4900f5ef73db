//! Blocks as a class of the server.

use super::backend::{Backend, Completion};
use super::parts::{Part, Parts};
use super::session::BlockSession;
use super::{QUEUE_SIZE, SectorWindow, config};
use crate::Error;
use crate::mem::SharedMem;
use crate::serve::class::{Class, Offer, Progress};
use crate::serve::client::{ClientTable, Peer, Queues};
use crate::serve::counters::DeviceCounters;
use crate::serve::memory::MemoryOwner;
use crate::serve::options::Values;
use crate::serve::ring::RingError;
use crate::serve::transport::Features;
use crate::virtio::spec::block::{self, ID_SIZE, Info, SECTOR_SIZE, Status};
use crate::virtio::spec::device_id;

/// The only queue of a client.
pub(super) const QUEUE: usize = 0;

/// How a client uses a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockOptions {
    /// It cannot change the medium.
    pub read_only: bool,
    /// It has said that it can live with others who write.
    pub shared: bool,
    /// The part of the disk that it sees.
    pub window: SectorWindow,
    /// The identification string that it sees.
    pub id: [u8; ID_SIZE],
    /// Largest number of entries of its queue: a power of two, at least 4.
    pub queue_size: u16,
}

impl BlockOptions {
    /// All of a disk, to be read and written by one client.
    pub const fn whole(info: &Info) -> Self {
        Self {
            read_only: false,
            shared: false,
            window: SectorWindow::whole(info),
            id: info.id,
            queue_size: QUEUE_SIZE,
        }
    }
}

/// A disk with its driver.
#[derive(Debug)]
pub struct Block<B> {
    backend: B,
    parts: Parts,
}

impl<B: Backend> Block<B> {
    /// A disk without clients.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] if the properties of the disk make no sense.
    pub fn new(backend: B) -> crate::Result<Self> {
        let info = backend.info();
        let block = info.block_size;
        let sane = block.is_power_of_two()
            && (SECTOR_SIZE..=1 << 20).contains(&u64::from(block))
            && (1..=1 << 16).contains(&info.seg_max)
            && info.size_max >= 1
            && backend.depth() >= 1;
        if !sane {
            return Err(Error::INVAL);
        }
        Ok(Self { parts: Parts::new(backend.depth()), backend })
    }

    /// Properties of the disk.
    pub fn info(&self) -> &Info {
        self.backend.info()
    }

    /// The driver of the disk.
    pub fn backend(&mut self) -> &mut B {
        &mut self.backend
    }
}

impl<B: Backend> Class for Block<B> {
    type Options = BlockOptions;
    type Session = BlockSession;

    const DEVICE_ID: u32 = device_id::BLOCK;

    fn options(&self, values: &Values<'_>) -> BlockOptions {
        BlockOptions {
            // The command line of L4Re's block servers spells it in one word, their factory in two.
            read_only: values.flag("read-only") || values.flag("readonly"),
            shared: values.flag("shared"),
            ..BlockOptions::whole(self.info())
        }
    }

    /// Neither writes, or both know of each other.
    fn can_share(present: &BlockOptions, new: &BlockOptions) -> bool {
        (present.read_only && new.read_only) || (present.shared && new.shared)
    }

    fn connect(&self, options: &mut BlockOptions) -> crate::Result<Offer<BlockSession>> {
        let info = self.info();
        if !fits(&options.window, info) {
            return Err(Error::INVAL);
        }
        // Others do not see through this client that they share a disk which cannot be written.
        options.read_only |= info.read_only;
        Ok(Offer {
            session: BlockSession::new(info, options),
            features: config::features(info, options.read_only),
            queues: [options.queue_size].into(),
            config_size: block::config::SIZE,
        })
    }

    fn write_config(&self, session: &BlockSession, config: &SharedMem) -> Option<()> {
        session.write_config(config)
    }

    fn start(&self, session: &mut BlockSession, negotiated: &Features) {
        session.start(negotiated);
    }

    fn stop<M: MemoryOwner>(&mut self, session: &mut BlockSession, queues: &mut Queues<M>) {
        session.stop(queues);
    }

    fn reset(&self, session: &mut BlockSession) {
        session.reset();
    }

    fn has_work<M: MemoryOwner>(
        &mut self,
        session: &BlockSession,
        queues: &mut Queues<M>,
    ) -> Result<bool, RingError> {
        Ok(queues.has_available(QUEUE)? || session.has_work())
    }

    fn advance<M: MemoryOwner>(
        &mut self,
        client: u16,
        session: &mut BlockSession,
        queues: &mut Queues<M>,
        budget: &mut u32,
    ) -> Result<Progress, RingError> {
        let Self { backend, parts } = self;
        session.advance(&mut Port { client, backend, parts }, queues, budget)
    }

    fn reap<P: Peer>(
        &mut self,
        clients: &mut ClientTable<'_, Self, P>,
        counters: &mut DeviceCounters,
    ) {
        let Self { backend, parts } = self;
        backend.complete(&mut |Completion { tag, status, written }| {
            counters.completions += 1;
            let Some(part) = parts.release(tag) else {
                counters.nonsense += 1;
                return;
            };
            counters.nonsense += u64::from(written > part.bytes);
            complete(clients, part, status);
        });
    }

    fn lose<P: Peer>(
        &mut self,
        clients: &mut ClientTable<'_, Self, P>,
        counters: &mut DeviceCounters,
    ) {
        while let Some(part) = self.parts.release_any() {
            counters.lost += 1;
            complete(clients, part, Status::IoErr);
        }
    }

    fn is_gone(&self) -> bool {
        self.backend.gone()
    }

    fn in_flight(&self) -> usize {
        self.parts.len()
    }

    fn depth(&self) -> usize {
        self.backend.depth()
    }

    fn publish(&mut self) {
        self.backend.publish();
    }

    fn quiet(&mut self, quiet: bool) {
        self.backend.quiet(quiet);
    }

    fn interrupt(&mut self, number: usize) {
        self.backend.interrupt(number);
    }

    fn notifications(&self) -> u64 {
        self.backend.notifications()
    }
}

/// The way of a client's requests to the device.
pub(super) struct Port<'a, B> {
    /// Number of the client.
    pub client: u16,
    pub backend: &'a mut B,
    pub parts: &'a mut Parts,
}

fn complete<B: Backend, P: Peer>(
    clients: &mut ClientTable<'_, Block<B>, P>,
    part: Part,
    status: Status,
) {
    if let Some((session, queues)) = clients.get(part.client) {
        session.complete(queues, part.head, status);
    }
}

/// Whether a window is inside the disk and starts and ends with a block.
fn fits(window: &SectorWindow, info: &Info) -> bool {
    let block_sectors = u64::from(info.block_size) / SECTOR_SIZE;
    let end = window.first_sector.checked_add(window.sectors);
    end.is_some_and(|end| end <= info.capacity) && window.first_sector.is_multiple_of(block_sectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::block::tests::disk::{Disk, info};

    fn options(read_only: bool, shared: bool) -> BlockOptions {
        let mut options = BlockOptions::whole(&info());
        (options.read_only, options.shared) = (read_only, shared);
        options
    }

    #[test]
    fn a_writer_is_alone_unless_both_agree() {
        let can_share = |a, b| Block::<Disk>::can_share(&a, &b);
        let (reader, writer) = (options(true, false), options(false, false));
        assert!(can_share(reader, reader));
        assert!(!can_share(reader, writer) && !can_share(writer, reader));
        assert!(!can_share(writer, writer));
        let (careful, sharing) = (options(true, true), options(false, true));
        assert!(can_share(sharing, sharing) && can_share(sharing, careful));
        assert!(!can_share(sharing, writer) && !can_share(sharing, reader));
    }
}
