//! Counters of the data path: what shows whether batching and suppression work.

use core::fmt;

/// Buckets of the batch histogram: bucket `n` counts batches of `2^n` to `2^(n+1) - 1` requests.
pub const BATCH_BUCKETS: usize = 10;

/// Counters of one client, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests taken from the queue.
    pub requests: u64,
    /// Requests that the server passed to the device; more than `requests` if some were split.
    pub parts: u64,
    /// Bytes that the device has read for the client.
    pub bytes_read: u64,
    /// Bytes that the device has written for the client.
    pub bytes_written: u64,
    /// Flushes that the server sent because the client has not negotiated `FLUSH`.
    pub flushes: u64,
    /// Requests that ended with another status than OK.
    pub errors: u64,
    /// Notifications from the client.
    pub kicks: u64,
    /// Notifications that found nothing new in the queue.
    pub spurious_kicks: u64,
    /// Interrupts sent to the client.
    pub interrupts: u64,
    /// Batches of answers for which the client wanted no interrupt.
    pub suppressed: u64,
    /// Times that the queue had to wait for room in the device.
    pub busy: u64,
    /// Resets of the device by the client.
    pub resets: u64,
    /// Times that the device had to ask for a reset.
    pub failures: u64,
    /// Largest number of requests in flight.
    pub max_in_flight: u32,
    /// How many requests were taken from the queue at one go, see [`BATCH_BUCKETS`].
    pub batches: [u64; BATCH_BUCKETS],
}

impl Counters {
    pub(super) fn batch(&mut self, requests: u64) {
        if let Some(log) = requests.checked_ilog2() {
            let last = BATCH_BUCKETS - 1;
            if let Some(bucket) = self.batches.get_mut((log as usize).min(last)) {
                *bucket += 1;
            }
        }
    }

    /// Adds the counters of another client.
    pub fn add(&mut self, other: &Counters) {
        self.requests += other.requests;
        self.parts += other.parts;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.flushes += other.flushes;
        self.errors += other.errors;
        self.kicks += other.kicks;
        self.spurious_kicks += other.spurious_kicks;
        self.interrupts += other.interrupts;
        self.suppressed += other.suppressed;
        self.busy += other.busy;
        self.resets += other.resets;
        self.failures += other.failures;
        self.max_in_flight = self.max_in_flight.max(other.max_in_flight);
        for (sum, n) in self.batches.iter_mut().zip(other.batches) {
            *sum += n;
        }
    }
}

impl fmt::Display for Counters {
    /// One line of `name=value`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "requests={} parts={} read={} written={} flushes={} errors={} kicks={} spurious={} irqs={} \
             suppressed={} busy={} resets={} failures={} max_in_flight={} batches=",
            self.requests,
            self.parts,
            self.bytes_read,
            self.bytes_written,
            self.flushes,
            self.errors,
            self.kicks,
            self.spurious_kicks,
            self.interrupts,
            self.suppressed,
            self.busy,
            self.resets,
            self.failures,
            self.max_in_flight,
        )?;
        for (i, n) in self.batches.iter().enumerate() {
            write!(f, "{}{n}", if i == 0 { "" } else { "/" })?;
        }
        Ok(())
    }
}

/// Counters of the server's side towards the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounters {
    /// Batches shown to the device.
    pub publishes: u64,
    /// Completions that the device handed over.
    pub completions: u64,
    /// Completions for no request in flight, or that claim more bytes than there was room for.
    pub nonsense: u64,
    /// Requests that failed because the device is dead.
    pub lost: u64,
    /// Calls of `work` that found nothing to do.
    pub idle_work: u64,
}
