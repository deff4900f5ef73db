//! Bringing a block device up, at first and after a breakdown.

use virtio_drivers::transport::{DeviceType, Transport};

use super::requests::Requests;
use super::{BlockDevice, BlockError, Options, QUEUE, State, info};
use crate::mem::DmaAllocator;
use crate::virtio::negotiate;
use crate::virtio::queue::{Queue, QueueConfig};
use crate::virtio::spec::block::{ID_SIZE, Info, Op, Status, Topology};
use crate::virtio::spec::{block, feature};

/// Features of the class that the driver knows what to do with.
const CLASS_FEATURES: u64 = block::feature::SIZE_MAX
    | block::feature::SEG_MAX
    | block::feature::RO
    | block::feature::BLK_SIZE
    | block::feature::FLUSH
    | block::feature::TOPOLOGY
    | block::feature::DISCARD
    | block::feature::WRITE_ZEROES;

impl<T: Transport> BlockDevice<T> {
    /// Brings up the device behind `transport` (3.1.1) and reads its properties.
    ///
    /// # Errors
    ///
    /// See [`BlockError`]. The device is in reset or marked as failed then.
    pub fn new(
        mut transport: T,
        dma: &dyn DmaAllocator,
        options: Options,
    ) -> Result<Self, BlockError> {
        if transport.device_type() != DeviceType::Block {
            return Err(BlockError::WrongClass(transport.device_type()));
        }
        let wanted = CLASS_FEATURES
            | feature::ANY_LAYOUT
            | if options.indirect { feature::INDIRECT_DESC } else { 0 }
            | if options.event_idx { feature::EVENT_IDX } else { 0 };
        let features = negotiate::negotiate(&mut transport, wanted, options.polls)?;
        let (queue, requests, info, topology) =
            set_up(&mut transport, dma, options.queue_size, features)
                .inspect_err(|_| negotiate::give_up(&mut transport))?;
        let polls = options.polls;
        let state = State::Running;
        let mut device =
            Self { transport, queue, requests, info, topology, wanted, features, polls, state };
        negotiate::start(&mut device.transport)?;
        device.info.id = device.fetch_id();
        Ok(device)
    }

    /// Asks for the identification string and waits for it, which is fine at start-up only. A
    /// device that has none, or does not answer, gets an empty one.
    fn fetch_id(&mut self) -> [u8; ID_SIZE] {
        self.queue.set_interrupts(false);
        let mut id = [0; ID_SIZE];
        if let Some(slot) = self.requests.open(Op::GetId, 0, None) {
            let (header, status) = (self.requests.header(slot), self.requests.status(slot));
            let data = self.requests.id();
            let staged = self.queue.stage(&[&[header]], &[&[data], &[status]], slot.into());
            debug_assert_eq!(staged, Ok(()));
            self.publish();
            if self.wait_for(slot) {
                id = self.requests.read_id();
            }
        }
        self.queue.set_interrupts(true);
        id
    }

    /// Waits until the only request in flight completes. If it does not, its slot stays taken
    /// until it does; it has no tag, so nobody will hear of it.
    fn wait_for(&mut self, slot: u16) -> bool {
        for _ in 0..self.polls {
            if let Some(result) = self.queue.pop() {
                if self.queue.in_flight() == 0 {
                    self.requests.close(slot);
                }
                if self.queue.is_broken() {
                    self.state = State::NeedsReset;
                }
                return result.is_ok() && self.requests.read_status(slot) == Status::Ok;
            }
            if negotiate::needs_reset(&self.transport) {
                self.state = State::NeedsReset;
                break;
            }
            core::hint::spin_loop();
        }
        log::warn!("block device does not answer a request for its name");
        false
    }

    /// Everything up to `DRIVER_OK` again, with what is there already.
    pub(super) fn restart(&mut self) -> Result<(), BlockError> {
        let now = negotiate::negotiate(&mut self.transport, self.wanted, self.polls)?;
        if now != self.features {
            negotiate::give_up(&mut self.transport);
            return Err(BlockError::FeaturesChanged { before: self.features, now });
        }
        let raw = info::read(&self.transport, now)?;
        let limit = u32::from(self.queue.chain_limit()) - 2;
        self.info = Info { id: self.info.id, ..raw.validate(now, limit)? };
        self.queue.restart(&mut self.transport);
        Ok(negotiate::start(&mut self.transport)?)
    }
}

/// Queue, request slots and properties of a device whose features are negotiated.
fn set_up<T: Transport>(
    transport: &mut T,
    dma: &dyn DmaAllocator,
    size: u16,
    features: u64,
) -> Result<(Queue, Requests, Info, Option<Topology>), BlockError> {
    let config = QueueConfig { size, ..QueueConfig::default() };
    let raw = info::read(transport, features)?;
    let queue = Queue::new(transport, QUEUE, config, features, dma)?;
    // Header, data, status.
    let segments = match queue.chain_limit() {
        n @ 0..3 => return Err(BlockError::QueueTooSmall(n)),
        n => u32::from(n) - 2,
    };
    let info = raw.validate(features, segments)?;
    let requests = Requests::new(queue.depth(3), dma)?;
    Ok((queue, requests, info, raw.topology(features)))
}
