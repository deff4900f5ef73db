//! What is left of clients that are gone.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use l4re_runtime::cap::{Factory, Object, slots_in_use};
use l4re_runtime::ipc::{self, Msg, Window};
use l4re_runtime::println;
use l4re_standin_bootinfo::kdbg::{COUNTS, Count, LABEL_ISIZE};

use crate::rig::{Outcome, Rig};

/// Time for the server to take note of the last client's end, and to write its page.
const SETTLE: Duration = Duration::from_millis(100);

/// Counters of the kernel that must be the same again. Pages and quota are not: memory that was
/// touched once stays.
const KERNEL: [(&str, Count); 7] = [
    ("capability slots of this program", Count::Slots),
    ("kernel objects", Count::Objects),
    ("bytes of dataspaces", Count::DataspaceBytes),
    ("DMA mappings", Count::DmaMappings),
    ("gates", Count::Gates),
    ("interrupt objects", Count::Irqs),
    ("regions of this program", Count::Regions),
];

/// Everything that is counted, by name.
pub struct Reading(Vec<(&'static str, u64)>);

/// Reads all counters.
///
/// # Errors
///
/// If a counter cannot be read.
pub fn count(rig: &Rig) -> Result<Reading, String> {
    ipc::sleep(SETTLE);
    let s = rig.stats.read().map_err(|e| format!("statistics: {e}"))?.totals;
    let mut all = Vec::with_capacity(16);
    all.extend([
        ("clients of the server", s.clients),
        ("requests in flight", s.in_flight),
        ("dataspaces that the server has mapped for DMA", s.dma_maps - s.dma_unmaps),
        ("capability slots of the server", s.cap_slots),
        ("heap blocks of the server", s.heap_blocks),
        ("capability slots that this program gave out", slots_in_use() as u64),
    ]);
    match rig.env.cap::<Factory>("kdbg") {
        Ok(kdbg) => {
            let mut msg = Msg::of(&[COUNTS as usize]);
            ipc::call(kdbg.sel(), LABEL_ISIZE, &mut msg, Window::None)
                .map_err(|e| format!("kdbg: {e}"))?;
            all.extend(KERNEL.map(|(name, count)| (name, msg.word(count as usize) as u64)));
        }
        Err(_) => println!("no capability `kdbg`: the kernel's counters are not looked at"),
    }
    Ok(Reading(all))
}

/// How often the counters are read before they count as final.
const READINGS: usize = 100;

/// Reads all counters until they are as `expected`: what is given back is given back some time
/// after the answer, and on a busy machine later.
///
/// # Errors
///
/// If a counter cannot be read.
pub fn count_until(rig: &Rig, expected: impl Fn(&Reading) -> bool) -> Result<Reading, String> {
    let mut reading = count(rig)?;
    for _ in 1..READINGS {
        if expected(&reading) {
            break;
        }
        reading = count(rig)?;
    }
    Ok(reading)
}

impl Reading {
    /// Whether all counters are the same.
    pub fn same(&self, other: &Reading) -> bool {
        self.0 == other.0
    }

    /// Compares with a later reading, counter by counter.
    pub fn compare(&self, after: &Reading) -> Vec<(String, Outcome)> {
        let pairs = self.0.iter().zip(&after.0);
        pairs
            .map(|(&(name, before), &(_, after))| {
                let result = if before == after {
                    Ok(())
                } else {
                    Err(format!("{before} before, {after} after"))
                };
                (format!("nothing is left over: {name}"), result)
            })
            .collect()
    }
}
