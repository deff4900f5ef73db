//! A client's dataspaces, mapped for the server and for the device.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use super::message::Range;
use crate::abi::PAGE_SIZE;
use crate::cap::{Cap, CapRef, Object, Task};
use crate::mem::{AttachOptions, Dataspace, DmaDomain, DmaMapping, Region, SharedMem};
use crate::serve::client_mem::DmaRun;
use crate::{Error, Result};

/// Which dataspaces clients may register.
///
/// A dataspace is a capability to whoever serves it. One that its server takes pages back from, or
/// that never answers, stops everybody who uses it, and this server has one thread. Where clients
/// are not trusted that far, the dataspaces that they may use are listed (`--register-ds`).
#[derive(Debug, Default)]
pub struct Trust {
    list: Vec<CapRef<Dataspace>>,
}

impl Trust {
    /// Adds a dataspace to the list. With an empty list all are accepted.
    pub fn add(&mut self, dataspace: CapRef<Dataspace>) {
        self.list.push(dataspace);
    }

    /// Whether a dataspace may be registered.
    ///
    /// # Errors
    ///
    /// [`Error::PERM`] if it may not.
    pub fn check(&self, dataspace: &Dataspace) -> Result<()> {
        let same = |known: &CapRef<Dataspace>| {
            Task::own().cap_equal(known.sel(), dataspace.sel()).unwrap_or(false)
        };
        if self.list.is_empty() || self.list.iter().any(same) { Ok(()) } else { Err(Error::PERM) }
    }
}

/// How many dataspaces were mapped for, and unmapped from, devices.
#[derive(Debug, Default)]
pub(super) struct MapCounters {
    pub maps: Cell<u64>,
    pub unmaps: Cell<u64>,
}

/// A registered dataspace. What it holds goes in this order: the device's access first, then ours,
/// then, with the region, the capability.
#[derive(Debug)]
pub struct Registered {
    _dma: DmaMapping,
    _region: Region,
    counters: Rc<MapCounters>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.counters.unmaps.set(self.counters.unmaps.get() + 1);
    }
}

/// What registration needs to know of a dataspace that was mapped.
pub(super) struct Mapped {
    pub window: SharedMem,
    pub runs: Vec<DmaRun>,
    pub owner: Registered,
}

/// Maps a part of a client's dataspace for reading and writing by us and by the device.
///
/// # Errors
///
/// [`Error::RANGE`] if the dataspace does not have these bytes, [`Error::ACCESS`] if it is
/// read-only, or what its server, the region mapper or the DMA space answer. Whatever the
/// capability is, it is given up then.
pub(super) fn map(
    dataspace: Cap<Dataspace>,
    range: &Range,
    domain: &DmaDomain,
    counters: &Rc<MapCounters>,
) -> Result<Mapped> {
    let info = dataspace.info()?;
    let end = range.offset.checked_add(range.size).ok_or(Error::RANGE)?;
    if end > info.size {
        return Err(Error::RANGE);
    }
    if !info.writable {
        return Err(Error::ACCESS);
    }
    let size = usize::try_from(range.size).map_err(|_| Error::RANGE)?;
    // Memory is mapped by pages; what is in front of the range in its first page is nobody's
    // business but the client's, who cannot name it by a device address.
    let before = (range.offset % PAGE_SIZE as u64) as usize;
    let whole = size.checked_add(before).ok_or(Error::RANGE)?;
    let dma = domain.map(&dataspace, range.offset - before as u64, whole)?;
    let runs = runs_from(&dma, before as u64, whole as u64);
    let options = AttachOptions { offset: range.offset, ..AttachOptions::memory(size) };
    let region = Region::attach(dataspace, &options.eager())?;
    let window = region.mem().ok_or(Error::ACCESS)?;
    counters.maps.set(counters.maps.get() + 1);
    let owner = Registered { _dma: dma, _region: region, counters: counters.clone() };
    Ok(Mapped { window, runs, owner })
}

/// The runs of a mapping without its first `before` bytes, which are less than a page.
fn runs_from(dma: &DmaMapping, before: u64, whole: u64) -> Vec<DmaRun> {
    let runs = dma.runs(whole).into_iter();
    runs.map(|run| cut(run.offset, run.len, run.addr, before)).filter(|r| r.len > 0).collect()
}

fn cut(offset: u64, len: u64, addr: u64, before: u64) -> DmaRun {
    let skip = before.saturating_sub(offset).min(len);
    DmaRun { offset: (offset + skip).saturating_sub(before), len: len - skip, addr: addr + skip }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_start_where_the_range_does() {
        assert_eq!(cut(0, 0x1000, 0x9000, 0x10), DmaRun { offset: 0, len: 0xff0, addr: 0x9010 });
        let second = cut(0x1000, 0x2000, 0x4000, 0x10);
        assert_eq!(second, DmaRun { offset: 0xff0, len: 0x2000, addr: 0x4000 });
        assert_eq!(cut(0, 0x1000, 0x9000, 0), DmaRun { offset: 0, len: 0x1000, addr: 0x9000 });
    }
}
