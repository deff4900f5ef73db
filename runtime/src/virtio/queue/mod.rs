//! The driver's side of a split virtqueue (virtio 1.2, 2.7).
//!
//! A chain is *staged*: its descriptors are written, but the device does not see them. Any number
//! of staged chains is *published* with one store, followed by at most one notification. What the
//! device has used comes back from [`Queue::pop`] with the token that the owner gave it.
//!
//! The device is not trusted. Everything that the driver needs to know is kept in private memory;
//! from the rings it reads only what the device has to say, and what makes no sense becomes a
//! [`DeviceNonsense`] and a counter. Nothing is allocated after the creation.

mod layout;
mod notify;
mod slots;
#[cfg(test)]
mod tests;
mod types;

use virtio_drivers::transport::Transport;

use self::layout::{Desc, Ring, Tables};
use self::notify::{Mode, Words};
use self::slots::{Chain, Slots};
pub use self::types::{
    DeviceNonsense, MAX_SIZE, QueueConfig, QueueCounters, QueueError, StageError, Used,
};
use crate::mem::{DmaAllocator, DmaSegment};
use crate::virtio::spec::feature;
use crate::virtio::spec::ring::DESC_F_INDIRECT;

/// A split virtqueue, seen from the driver. See the [module](self).
///
/// The owner must reset the device before it drops the queue, or [`leak`](Self::leak) it.
#[derive(Debug)]
pub struct Queue {
    ring: Ring,
    tables: Option<Tables>,
    slots: Slots,
    index: u16,
    size: u16,
    direct: u16,
    mode: Mode,
    /// Legacy devices may report any length (2.7.8.1), so it is not looked at.
    ignore_len: bool,
    /// Chains staged and published since the last reset; the low 16 bits are ring positions.
    staged: u64,
    published: u64,
    /// Position of the next used entry, and the last index seen in the ring.
    used: u16,
    seen: u16,
    /// Entries that named no chain, since the last reset. A device without end of them would keep
    /// the driver in its loop.
    strays: u16,
    interrupts: bool,
    /// Where interrupts are armed or parked; of use with event indices only.
    used_event: u16,
    broken: bool,
    counters: QueueCounters,
}

impl Queue {
    /// Makes queue `index` of the device and hands it over to the device (virtio 1.2, 4.1.5.1.3,
    /// 4.2.3.2). `features` is what was negotiated. The size is the wanted one or, if smaller,
    /// the largest power of two that the device offers.
    ///
    /// # Errors
    ///
    /// The device lacks the queue or has it in use, or there is no memory for it.
    pub fn new<T: Transport>(
        transport: &mut T,
        index: u16,
        config: QueueConfig,
        features: u64,
        dma: &dyn DmaAllocator,
    ) -> Result<Queue, QueueError> {
        if !config.size.is_power_of_two() || config.size > MAX_SIZE {
            return Err(QueueError::Size(config.size));
        }
        let legacy = transport.requires_legacy_layout();
        let size = Self::negotiate_size(transport, index, config.size)?;
        let tables = (features & feature::INDIRECT_DESC != 0 && config.table > 0)
            .then(|| Tables::new(size, config.table.min(size), dma))
            .transpose()?;
        let event_idx = features & feature::EVENT_IDX != 0;
        let mut queue = Queue {
            ring: Ring::new(size, legacy, dma)?,
            tables,
            slots: Slots::new(size),
            index,
            size,
            direct: config.direct,
            mode: if event_idx { Mode::EventIdx } else { Mode::Flags },
            ignore_len: legacy,
            staged: 0,
            published: 0,
            used: 0,
            seen: 0,
            strays: 0,
            interrupts: true,
            used_event: 0,
            broken: false,
            counters: QueueCounters::default(),
        };
        queue.hand_over(transport);
        Ok(queue)
    }

    /// The wanted size, or the largest power of two that the device has (4.2.3.2).
    fn negotiate_size<T: Transport>(
        transport: &mut T,
        index: u16,
        wanted: u16,
    ) -> Result<u16, QueueError> {
        let max = transport.max_queue_size(index);
        if max == 0 {
            return Err(QueueError::Missing(index));
        }
        if transport.queue_used(index) {
            return Err(QueueError::InUse(index));
        }
        let max = u16::try_from(max).unwrap_or(u16::MAX);
        Ok(wanted.min(1 << max.ilog2()))
    }

    fn hand_over<T: Transport>(&mut self, transport: &mut T) {
        let [desc, avail, used] = self.ring.addresses();
        transport.queue_set(self.index, u32::from(self.size), desc, avail, used);
    }

    /// Forgets all chains, and tells `lost` their tokens. To be called when the device cannot
    /// access memory any more: after a reset. The next step is [`restart`](Self::restart).
    pub fn abandon(&mut self, lost: &mut dyn FnMut(u32)) {
        self.slots.drain(lost);
        self.ring.clear();
        (self.staged, self.published) = (0, 0);
        (self.used, self.seen, self.used_event, self.strays) = (0, 0, 0, 0);
    }

    /// Hands an [abandoned](Self::abandon) queue to the device again, before `DRIVER_OK` and with
    /// the features negotiated as before.
    pub fn restart<T: Transport>(&mut self, transport: &mut T) {
        self.broken = false;
        self.set_interrupts(self.interrupts);
        self.hand_over(transport);
    }

    /// Gives up the queue's DMA memory for good, for a device that does not answer a reset.
    pub fn leak(&mut self) {
        self.ring.leak();
        if let Some(tables) = &mut self.tables {
            tables.leak();
        }
    }

    /// Stages a chain: first the segments that the device reads, then those that it writes.
    ///
    /// # Errors
    ///
    /// See [`StageError`]; nothing is staged then.
    pub fn stage(
        &mut self,
        readable: &[&[DmaSegment]],
        writable: &[&[DmaSegment]],
        token: u32,
    ) -> Result<(), StageError> {
        if self.broken {
            return Err(StageError::Broken);
        }
        let (count, writable_bytes) = measure(readable, writable).ok_or(StageError::Invalid)?;
        let chain = Chain::new(token, writable_bytes, self.staged);
        let parts = parts(readable, writable);
        let head = if self.wants_table(count) {
            self.stage_indirect(parts, count, chain)?
        } else {
            self.stage_direct(parts, count, chain)?
        };
        self.ring.store_avail(self.staged as u16, head);
        self.staged += 1;
        self.counters.staged += 1;
        self.counters.max_in_flight = self.counters.max_in_flight.max(self.slots.in_use());
        Ok(())
    }

    fn wants_table(&self, count: u16) -> bool {
        let roomy = self.slots.free() > self.size / 2 && self.slots.free() - self.size / 2 >= count;
        self.tables.as_ref().is_some_and(|t| count <= t.entries())
            && count > 1
            && !(count <= self.direct && roomy)
    }

    fn stage_direct(
        &mut self,
        parts: impl Iterator<Item = (DmaSegment, bool)>,
        count: u16,
        chain: Chain,
    ) -> Result<u16, StageError> {
        if count > self.size {
            return Err(StageError::Invalid);
        }
        if count > self.slots.free() {
            return Err(StageError::Full);
        }
        let (mut index, mut tail) = (self.slots.head(), self.slots.head());
        for (n, (segment, write)) in (1..).zip(parts) {
            let next = self.slots.next(index);
            let link = (n < count).then_some(next);
            self.ring.store_desc(index, Desc::link(segment, write, link));
            tail = index;
            index = next;
        }
        Ok(self.slots.take(count, tail, chain))
    }

    fn stage_indirect(
        &mut self,
        parts: impl Iterator<Item = (DmaSegment, bool)>,
        count: u16,
        chain: Chain,
    ) -> Result<u16, StageError> {
        let Some(tables) = self.tables.as_ref().filter(|_| self.slots.free() > 0) else {
            return Err(StageError::Full);
        };
        let head = self.slots.head();
        for (n, (segment, write)) in (0..).zip(parts) {
            let link = (n + 1 < count).then(|| n + 1);
            tables.store(head, n, Desc::link(segment, write, link));
        }
        let segment = tables.segment(head, count);
        self.ring.store_desc(head, Desc { segment, flags: DESC_F_INDIRECT, next: 0 });
        self.counters.indirect += 1;
        Ok(self.slots.take(1, head, chain))
    }

    /// Publishes everything staged, with one store. If the result is true the caller has to
    /// notify the device, once.
    #[must_use = "a device that waits for a notification never starts without it"]
    pub fn publish(&mut self) -> bool {
        if self.staged == self.published {
            return false;
        }
        let (old, new) = (self.published as u16, self.staged as u16);
        self.published = self.staged;
        let kick = notify::publish(&self.ring, self.mode, old, new);
        self.counters.batches += 1;
        self.counters.kicks += u64::from(kick);
        self.counters.kicks_suppressed += u64::from(!kick);
        kick
    }

    /// The next chain that the device has used, or what it did instead of using one.
    ///
    /// `None` means that there is none *and* that an interrupt will come for the next one, if
    /// interrupts are on.
    pub fn pop(&mut self) -> Option<Result<Used, DeviceNonsense>> {
        if self.broken || (self.seen == self.used && !self.look()) {
            return None;
        }
        let result = self.check_seen().and_then(|()| self.take_used());
        match result {
            Ok(_) => self.counters.used += 1,
            Err(_) => self.counters.nonsense += 1,
        }
        Some(result)
    }

    /// Reads the used index; true if there is something new.
    fn look(&mut self) -> bool {
        self.seen = self.ring.load_used_idx();
        // With event indices an interrupt comes only for the entry that was named, so the next
        // one has to be named when everything before it is taken.
        if self.seen == self.used && self.interrupts && self.used_event != self.used {
            self.rearm();
        }
        self.seen != self.used
    }

    fn rearm(&mut self) {
        self.used_event = self.used;
        if notify::arm(&self.ring, self.mode, self.used) {
            self.seen = self.ring.load_used_idx();
        }
    }

    /// The device can have used at most what it has.
    fn check_seen(&mut self) -> Result<(), DeviceNonsense> {
        let claimed = self.seen.wrapping_sub(self.used);
        let given = self.slots.in_use() - (self.staged - self.published) as u16;
        if claimed > given {
            self.broken = true;
            return Err(DeviceNonsense::Index { claimed, given });
        }
        Ok(())
    }

    fn take_used(&mut self) -> Result<Used, DeviceNonsense> {
        let (id, len) = self.ring.load_used(self.used);
        self.used = self.used.wrapping_add(1);
        if !self.interrupts && notify::parked_too_near(self.used_event, self.used) {
            self.used_event = notify::disarm(&self.ring, self.mode, self.used);
        }
        let chain = self.slots.give_back(id, self.published).inspect_err(|_| {
            self.strays += 1;
            self.broken |= self.strays > self.size;
        })?;
        let token = chain.token;
        if self.ignore_len {
            let len = u32::try_from(chain.writable).unwrap_or(u32::MAX);
            return Ok(Used { token, len });
        }
        if u64::from(len) > chain.writable {
            return Err(DeviceNonsense::Length { token, len });
        }
        Ok(Used { token, len })
    }

    /// Turns interrupts on or off; a hint that the device may miss for a moment. If the result is
    /// true, entries are waiting that may never raise one: the caller has to [`pop`](Self::pop).
    pub fn set_interrupts(&mut self, on: bool) -> bool {
        self.interrupts = on;
        if on {
            self.used_event = self.used;
            notify::arm(&self.ring, self.mode, self.used) && !self.broken
        } else {
            self.used_event = notify::disarm(&self.ring, self.mode, self.used);
            false
        }
    }

    /// Number of descriptors, which is also the length of the longest chain (2.7.5.3.1).
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Longest chain that [`depth`](Self::depth) does not suffer from.
    pub fn chain_limit(&self) -> u16 {
        self.tables.as_ref().map_or(self.size, Tables::entries)
    }

    /// Chains of at most `len` descriptors that can be in flight together in the worst case.
    pub fn depth(&self, len: u16) -> u16 {
        let len = len.max(1);
        match &self.tables {
            Some(t) if len <= t.entries() => {
                let half = self.size / 2;
                let direct = self.direct.max(1);
                self.size - half + half / direct
            }
            _ => self.size / len,
        }
    }

    /// Chains staged or in flight.
    pub fn in_flight(&self) -> u16 {
        self.slots.in_use()
    }

    /// Whether the device wrote an impossible index, or more entries that name no chain than the
    /// queue has descriptors. Nothing more comes back until [`restart`](Self::restart).
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// What the queue has done so far.
    pub fn counters(&self) -> QueueCounters {
        self.counters
    }
}

/// The segments in the order of the chain, each with whether the device writes it.
fn parts<'a>(
    readable: &'a [&'a [DmaSegment]],
    writable: &'a [&'a [DmaSegment]],
) -> impl Iterator<Item = (DmaSegment, bool)> {
    let readable = readable.iter().copied().flatten().map(|s| (*s, false));
    readable.chain(writable.iter().copied().flatten().map(|s| (*s, true)))
}

/// Number of descriptors and of bytes that the device may write; `None` for what must not be
/// given to a device: nothing, an empty segment, or more than 2^32 bytes (2.7.5).
fn measure(readable: &[&[DmaSegment]], writable: &[&[DmaSegment]]) -> Option<(u16, u64)> {
    let (mut count, mut total, mut written) = (0u16, 0u64, 0u64);
    for (segment, write) in parts(readable, writable) {
        if segment.len == 0 || segment.addr.checked_add(u64::from(segment.len)).is_none() {
            return None;
        }
        count = count.checked_add(1)?;
        total += u64::from(segment.len);
        written += if write { u64::from(segment.len) } else { 0 };
    }
    (count > 0 && total <= 1 << 32).then_some((count, written))
}
