//! Report lines for the host's side of the test.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use l4re_runtime::client::{Disk, StatisticsPage};
use l4re_runtime::env::Env;
use l4re_runtime::ipc;
use l4re_runtime::mem::Dataspace;
use l4re_runtime::serve::stats::FIELDS;
use l4re_test_support::result::report;

/// Enough for the server to see that a client has gone and to write its page: it has the higher
/// priority, and what it waits for is a reset.
const SETTLE: Duration = Duration::from_millis(20);

/// What the disk says of itself.
pub fn properties(disk: &Disk) {
    let info = disk.info();
    report("capacity_sectors", info.capacity);
    report("block_size", info.block_size);
    report("read_only", u8::from(info.read_only));
    let id = info.id.split(|b| *b == 0).next().unwrap_or(&[]);
    report("id", core::str::from_utf8(id).unwrap_or("?"));
}

/// What the client's side of the queue has counted.
pub fn client(disk: &Disk) {
    let c = disk.counters();
    report("requests", c.used);
    report("batches", c.batches);
    report("kicks", c.kicks);
    report("kicks_suppressed", c.kicks_suppressed);
    report("max_in_flight", c.max_in_flight);
    report("interrupts", disk.interrupts());
}

/// What the server has counted, if it lets us see.
pub fn server(env: &Env) -> Result<(), String> {
    let Ok(page) = env.cap::<Dataspace>("stats") else { return Ok(()) };
    ipc::sleep(SETTLE);
    let stats = StatisticsPage::attach(page).and_then(|p| p.read());
    let stats = stats.map_err(|e| format!("statistics of the server: {e}"))?;
    for (name, value) in FIELDS.iter().zip(stats.totals.values()) {
        report(&format!("server.{name}"), value);
    }
    for (bucket, count) in stats.batches.iter().enumerate() {
        report(&format!("server.batches_from_{}", 1u32 << bucket), count);
    }
    Ok(())
}
