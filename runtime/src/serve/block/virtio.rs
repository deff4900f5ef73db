//! A virtio block device as the backend of a server.

use core::sync::atomic::{Ordering, fence};

use log::Level;
use virtio_drivers::transport::Transport;

use super::{Backend, Completion, SectorRange, SubmitError};
use crate::env::AtEnd;
use crate::log::{Source, limited};
use crate::mem::DmaSegment;
use crate::virtio::block::BlockDevice;
use crate::virtio::spec::block::{Info, Op};

/// How often a device that asks for a reset is reset, if it does not stop when told to. Each time
/// can take as long as the driver waits for a reset.
const RESETS_MAX: u32 = 3;

/// A virtio block device that is reset when it is stuck, with its requests failed.
///
/// A device that does not even stop when it is reset may still write to the memory of its requests.
/// Those then never complete: the clients' memory stays mapped for the device, and nobody else
/// gets it.
#[derive(Debug)]
pub struct VirtioDisk<T: Transport> {
    device: BlockDevice<T>,
    /// Number of the interrupt that is for changes of the configuration and nothing else.
    config_interrupt: Option<usize>,
    /// Resets in a row that the device did not obey.
    refused_resets: u32,
    /// Resets the device when the program ends without dropping this.
    stop: Option<AtEnd>,
}

impl<T: Transport> VirtioDisk<T> {
    /// A device that has been brought up. `config_interrupt` is the number of the interrupt that
    /// is for changes of the configuration, if that is separate from the one for its queue.
    pub const fn new(device: BlockDevice<T>, config_interrupt: Option<usize>) -> Self {
        Self { device, config_interrupt, refused_resets: 0, stop: None }
    }

    /// Keeps what resets the device when the program panics or exits, see
    /// [`stop_at_end`](crate::virtio::negotiate::stop_at_end).
    #[must_use]
    pub fn with_stop(mut self, stop: Option<AtEnd>) -> Self {
        self.stop = stop;
        self
    }

    /// The driver.
    pub const fn device(&self) -> &BlockDevice<T> {
        &self.device
    }

    fn recover(&mut self, sink: &mut dyn FnMut(Completion)) {
        if self.refused_resets == RESETS_MAX {
            return;
        }
        limited(
            Source::Device,
            Level::Warn,
            format_args!("the disk asks for a reset; requests in flight fail"),
        );
        match self.device.reset_and_recover(sink) {
            Ok(()) => self.refused_resets = 0,
            Err(e) if self.device.gone() => {
                limited(Source::Device, Level::Error, format_args!("the disk is dead: {e}"))
            }
            Err(e) => {
                self.refused_resets += 1;
                limited(
                    Source::Device,
                    Level::Error,
                    format_args!("the disk cannot be reset: {e}"),
                );
            }
        }
    }
}

impl<T: Transport> Backend for VirtioDisk<T> {
    fn info(&self) -> &Info {
        self.device.info()
    }

    fn depth(&self) -> usize {
        self.device.depth()
    }

    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        segments: &[DmaSegment],
        tag: u32,
    ) -> Result<(), SubmitError> {
        self.device.submit(op, sector, segments, tag)
    }

    fn submit_ranges(
        &mut self,
        op: Op,
        ranges: &[SectorRange],
        tag: u32,
    ) -> Result<(), SubmitError> {
        self.device.submit_ranges(op, ranges, tag)
    }

    fn publish(&mut self) {
        self.device.publish();
    }

    fn complete(&mut self, sink: &mut dyn FnMut(Completion)) {
        self.device.complete(sink);
        if self.device.needs_reset() {
            self.recover(sink);
        }
    }

    fn quiet(&mut self, quiet: bool) {
        // Whether something has completed meanwhile is seen by the caller, who looks.
        let _ = self.device.quiet(quiet);
        if !quiet {
            fence(Ordering::SeqCst);
        }
    }

    fn gone(&self) -> bool {
        self.device.gone()
    }

    fn interrupt(&mut self, number: usize) {
        let interrupt = if self.config_interrupt == Some(number) {
            self.device.handle_config_interrupt()
        } else {
            self.device.handle_interrupt()
        };
        if interrupt.config_changed {
            // Clients learned the size when they connected, and requests are checked by it.
            let sectors = self.device.info().capacity;
            limited(
                Source::Device,
                Level::Warn,
                format_args!(
                    "the disk has {sectors} sectors now; present clients see the former size"
                ),
            );
        }
    }

    fn notifications(&self) -> u64 {
        self.device.counters().kicks
    }
}
