//! Statistics of a server, as a page that others can map.
//!
//! `create(1)` at the management gate of a server returns a read-only dataspace of one page. The
//! server writes its counters there whenever it is about to sleep, and now and then while it does
//! not sleep. This is an extension of ours: L4Re's other block servers know object 0, a device,
//! only.
//!
//! # QueueLayout
//!
//! Little endian. An array of 64-bit counters follows a header; [`FIELDS`] names them in order. New
//! counters are added at the end, so a reader takes as many as it knows and the header says there
//! are. A change of the meaning of a counter changes [`VERSION_VALUE`].
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | [`MAGIC_VALUE`] |
//! | 4 | 4 | [`VERSION_VALUE`] |
//! | 8 | 4 | number of counters |
//! | 12 | 4 | sequence: odd while the server writes, see [`Statistics::read`] |
//! | 16 | 8 each | counters |

use core::sync::atomic::{Ordering, fence};

use super::counters::{BATCH_BUCKETS, Counters, DeviceCounters};
use crate::mem::SharedMem;

/// Size of the page in bytes.
pub const SIZE: usize = 4096;
/// First word of the page: `bsta` in ASCII.
pub const MAGIC_VALUE: u32 = 0x6174_7362;
/// Version of the layout.
pub const VERSION_VALUE: u32 = 2;
/// The number of the object in a `create` request.
pub const OBJECT: usize = 1;

const MAGIC: usize = 0;
const VERSION: usize = 4;
const COUNT: usize = 8;
const SEQUENCE: usize = 12;
const FIRST: usize = 16;

/// How often a reader tries to get a page that is not just being written.
const TRIES: usize = 1000;

macro_rules! statistics {
    ($($(#[doc = $doc:literal])+ $name:ident,)*) => {
        /// The counters, without the histogram.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            $($(#[doc = $doc])+ pub $name: u64,)*
        }

        /// Names of the counters of [`Totals`], in the order of the page.
        pub const FIELDS: &[&str] = &[$(stringify!($name)),*];

        impl Totals {
            /// The counters in the order of the page.
            pub fn values(&self) -> [u64; FIELDS.len()] {
                [$(self.$name),*]
            }

            fn from_values(values: &[u64; FIELDS.len()]) -> Self {
                let [$($name),*] = *values;
                Self { $($name),* }
            }
        }
    };
}

statistics! {
    /// Requests taken from the clients' queues.
    requests,
    /// Requests passed to devices: more than `requests` if some were split.
    device_requests,
    /// Bytes read from disks.
    bytes_read,
    /// Bytes written to disks.
    bytes_written,
    /// Requests that ended with another status than OK.
    errors,
    /// Notifications from clients.
    kicks,
    /// Notifications that found nothing new in the queue.
    spurious_kicks,
    /// Times that new requests were shown to a device, each with at most one notification.
    device_batches,
    /// Notifications sent to devices.
    device_kicks,
    /// Interrupts from devices.
    device_interrupts,
    /// Completions taken from devices.
    completions,
    /// Completions that made no sense.
    nonsense,
    /// Requests that failed because a device died.
    lost,
    /// Interrupts sent to clients.
    client_interrupts,
    /// Batches of answers for which the client wanted no interrupt.
    suppressed_interrupts,
    /// Times that a queue had to wait for room in a device.
    device_full,
    /// Bytes of requests' data that the server copied. There is no code that does so.
    bytes_copied,
    /// Dataspaces mapped for a device, over all time.
    dma_maps,
    /// Dataspaces unmapped from a device, over all time.
    dma_unmaps,
    /// Allocations from the heap since the server began to serve; clients that come and register
    /// memory cause some, requests none.
    allocations,
    /// Blocks of heap in use.
    heap_blocks,
    /// Capability slots in use.
    cap_slots,
    /// Clients now.
    clients,
    /// Clients ever.
    clients_ever,
    /// Resets by clients.
    resets,
    /// Times that a device asked its client for a reset because of what the client did.
    failures,
    /// Largest number of requests of one client in flight at a time.
    max_in_flight,
    /// Requests with devices now.
    in_flight,
    /// Rounds of the event loop that found nothing to do.
    idle_rounds,
    /// Bytes of memory that the heap occupies.
    heap_bytes,
    /// Bytes of memory that drivers of devices have for themselves: rings, headers, status bytes.
    dma_bytes,
    /// Flushes that the server sent for writes of clients that have not negotiated `FLUSH`.
    flushes,
}

/// Counters and the histogram of batch sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The counters.
    pub totals: Totals,
    /// How many requests were taken from a queue at one go: bucket `n` counts batches of `2^n` to
    /// `2^(n+1) - 1`. On the page it follows the counters.
    pub batches: [u64; BATCH_BUCKETS],
}

/// Number of counters on a page of this version.
pub const COUNTERS: usize = FIELDS.len() + BATCH_BUCKETS;

const _: () = assert!(FIRST + 8 * COUNTERS <= SIZE);

impl Statistics {
    /// Adds what the clients of a device have done.
    pub fn add_clients(&mut self, c: &Counters) {
        let t = &mut self.totals;
        t.requests += c.requests;
        t.device_requests += c.parts;
        t.bytes_read += c.bytes_read;
        t.bytes_written += c.bytes_written;
        t.errors += c.errors;
        t.flushes += c.flushes;
        t.kicks += c.kicks;
        t.spurious_kicks += c.spurious_kicks;
        t.client_interrupts += c.interrupts;
        t.suppressed_interrupts += c.suppressed;
        t.device_full += c.busy;
        t.resets += c.resets;
        t.failures += c.failures;
        t.max_in_flight = t.max_in_flight.max(c.max_in_flight.into());
        for (sum, n) in self.batches.iter_mut().zip(c.batches) {
            *sum += n;
        }
    }

    /// Adds what a device has done.
    pub fn add_device(&mut self, c: &DeviceCounters) {
        let t = &mut self.totals;
        t.device_batches += c.publishes;
        t.completions += c.completions;
        t.nonsense += c.nonsense;
        t.lost += c.lost;
        t.idle_rounds += c.idle_work;
    }

    /// Writes the page; only one thread does so. Nothing happens if it is too small.
    pub fn write(&self, page: &SharedMem) {
        let _ = self.try_write(page);
    }

    fn try_write(&self, page: &SharedMem) -> Option<()> {
        let sequence = page.read_u32(SEQUENCE)? | 1;
        page.write_u32(SEQUENCE, sequence)?;
        // The odd sequence is seen before any counter, the even one after all.
        fence(Ordering::Release);
        page.write_u32(MAGIC, MAGIC_VALUE)?;
        page.write_u32(VERSION, VERSION_VALUE)?;
        page.write_u32(COUNT, COUNTERS as u32)?;
        let values = self.totals.values();
        for (i, value) in values.iter().chain(&self.batches).enumerate() {
            page.write_u64(FIRST + 8 * i, *value)?;
        }
        fence(Ordering::Release);
        page.write_u32(SEQUENCE, sequence.wrapping_add(1))
    }

    /// Reads a page through `read`, which copies bytes from an offset and says whether they are
    /// there. Counters that the server does not have are 0. `None` if it is no such page, or if the
    /// server keeps writing it.
    pub fn read(mut read: impl FnMut(usize, &mut [u8]) -> Option<()>) -> Option<Self> {
        for _ in 0..TRIES {
            let before = u32_at(&mut read, SEQUENCE)?;
            fence(Ordering::Acquire);
            let stats = Self::read_once(&mut read)?;
            fence(Ordering::Acquire);
            if before & 1 == 0 && u32_at(&mut read, SEQUENCE)? == before {
                return Some(stats);
            }
            core::hint::spin_loop();
        }
        None
    }

    fn read_once(read: &mut impl FnMut(usize, &mut [u8]) -> Option<()>) -> Option<Self> {
        if u32_at(read, MAGIC)? != MAGIC_VALUE || u32_at(read, VERSION)? != VERSION_VALUE {
            return None;
        }
        let count = COUNTERS.min(u32_at(read, COUNT)? as usize);
        let mut values = [0; COUNTERS];
        for (i, value) in values.iter_mut().take(count).enumerate() {
            let mut bytes = [0; 8];
            read(FIRST + 8 * i, &mut bytes)?;
            *value = u64::from_le_bytes(bytes);
        }
        let (totals, batches) = values.split_first_chunk()?;
        let batches = batches.try_into().ok()?;
        Some(Self { totals: Totals::from_values(totals), batches })
    }
}

fn u32_at(read: &mut impl FnMut(usize, &mut [u8]) -> Option<()>, at: usize) -> Option<u32> {
    let mut bytes = [0; 4];
    read(at, &mut bytes)?;
    Some(u32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ptr::NonNull;

    fn page(buf: &mut [u64; SIZE / 8]) -> SharedMem<'static> {
        let base = NonNull::from(buf).cast();
        // SAFETY: the buffer outlives the window in every test and is not used meanwhile.
        unsafe { SharedMem::new(base, SIZE) }
    }

    fn sample() -> Statistics {
        let mut values = [0; FIELDS.len()];
        values.iter_mut().enumerate().for_each(|(i, v)| *v = 1000 + i as u64);
        let batches = core::array::from_fn(|i| i as u64 * 7);
        Statistics { totals: Totals::from_values(&values), batches }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut buf = [0; SIZE / 8];
        let page = page(&mut buf);
        let stats = sample();
        stats.write(&page);
        stats.write(&page);
        assert_eq!(Statistics::read(|at, out| page.read_bytes(at, out)), Some(stats));
        assert_eq!(page.read_u64(16), Some(1000), "the first counter is where the table says");
        assert_eq!(page.read_u32(12), Some(4), "two writes");
    }

    #[test]
    fn a_page_under_way_and_a_foreign_page_are_not_believed() {
        let mut buf = [0; SIZE / 8];
        let page = page(&mut buf);
        assert_eq!(Statistics::read(|at, out| page.read_bytes(at, out)), None);
        sample().write(&page);
        page.write_u32(SEQUENCE, 7).unwrap();
        assert_eq!(Statistics::read(|at, out| page.read_bytes(at, out)), None);
    }

    #[test]
    fn a_reader_takes_no_more_than_the_server_has() {
        let mut buf = [0; SIZE / 8];
        let page = page(&mut buf);
        sample().write(&page);
        page.write_u32(COUNT, 2).unwrap();
        let got = Statistics::read(|at, out| page.read_bytes(at, out)).unwrap();
        assert_eq!((got.totals.requests, got.totals.device_requests), (1000, 1001));
        assert_eq!((got.totals.bytes_read, got.batches), (0, [0; BATCH_BUCKETS]));
        page.write_u32(COUNT, u32::MAX).unwrap();
        assert_eq!(Statistics::read(|at, out| page.read_bytes(at, out)), Some(sample()));
    }

    #[test]
    fn counters_of_clients_and_devices_end_up_where_they_belong() {
        let mut stats = Statistics::default();
        let client = Counters { parts: 3, busy: 4, max_in_flight: 5, ..Counters::default() };
        stats.add_clients(&client);
        stats.add_clients(&Counters { max_in_flight: 2, ..client });
        stats.add_device(&DeviceCounters { publishes: 9, ..DeviceCounters::default() });
        let t = stats.totals;
        assert_eq!((t.device_requests, t.device_full, t.max_in_flight), (6, 8, 5));
        assert_eq!(t.device_batches, 9);
    }
}
