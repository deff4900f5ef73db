//! The counters of one of our servers.

use crate::cap::Held;
use crate::mem::{AttachOptions, Dataspace, Region};
use crate::serve::stats::{SIZE, Statistics};
use crate::{Error, Result};

/// The page on which a server writes its [statistics](crate::serve::stats), attached read-only.
#[derive(Debug)]
pub struct StatisticsPage(Region);

impl StatisticsPage {
    /// Attaches the dataspace that [`create_statistics`](super::create_statistics) yields, or that
    /// a loader granted.
    ///
    /// # Errors
    ///
    /// What the region mapper answers.
    pub fn attach(page: impl Into<Held<Dataspace>>) -> Result<StatisticsPage> {
        Region::attach(page, &AttachOptions::memory(SIZE).read_only()).map(StatisticsPage)
    }

    /// The counters as of the last time that the server was about to sleep.
    ///
    /// # Errors
    ///
    /// [`Error::IO`] if it is no such page.
    pub fn read(&self) -> Result<Statistics> {
        Statistics::read(|at, out| self.0.read_bytes(at, out)).ok_or(Error::IO)
    }
}
