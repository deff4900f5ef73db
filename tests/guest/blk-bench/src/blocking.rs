//! The block driver of the `virtio-drivers` crate, by its blocking calls: the baseline.
//!
//! It gets the best case: its buffer is DMA memory, so nothing is copied, and nobody else wants
//! the processor for which it spins.

use alloc::format;
use alloc::string::{String, ToString};
use core::slice;

use l4re_runtime::virtio::spec::block::Op;
use virtio_drivers::device::blk::VirtIOBlk;
use virtio_drivers::transport::Transport;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE};

use crate::matrix::{Events, Job, LARGEST, Path};

/// The driver and its buffer. `SERVED` says whether its device is one of our server.
pub struct Blocking<H: Hal, T: Transport, const SERVED: bool> {
    disk: VirtIOBlk<H, T>,
    buffer: &'static mut [u8],
}

impl<H: Hal, T: Transport, const SERVED: bool> Blocking<H, T, SERVED> {
    /// Brings up the device behind `transport` with memory of `H`, which is never given back.
    ///
    /// # Errors
    ///
    /// A text if the driver does not start or there is no memory.
    pub fn new(transport: T) -> Result<Self, String> {
        let mut disk =
            VirtIOBlk::new(transport).map_err(|e| format!("the blocking driver: {e}"))?;
        disk.disable_interrupts();
        let (address, memory) = H::dma_alloc(LARGEST.div_ceil(PAGE_SIZE), BufferDirection::Both);
        if address == 0 {
            return Err("no DMA memory for the blocking driver".to_string());
        }
        // SAFETY: `dma_alloc` makes this memory ours alone for ever, as it is never given back, and
        // it is zeroed. Devices write to it only during calls that borrow it.
        let buffer = unsafe { slice::from_raw_parts_mut(memory.as_ptr(), LARGEST) };
        Ok(Self { disk, buffer })
    }

    /// Sectors of the disk.
    pub fn capacity(&self) -> u64 {
        self.disk.capacity()
    }
}

impl<H: Hal, T: Transport, const SERVED: bool> Path for Blocking<H, T, SERVED> {
    fn name(&self) -> &'static str {
        if SERVED { "blocking-l4virtio" } else { "blocking" }
    }

    fn depth(&self) -> usize {
        1
    }

    fn events(&self) -> Option<Events> {
        None
    }

    fn perform(&mut self, job: &Job) -> Result<(), String> {
        let data = self.buffer.get_mut(..job.size as usize).ok_or("a request that is too long")?;
        for n in 0..job.requests {
            let sector = job.sector(n) as usize;
            let result = match job.op {
                Op::Write => self.disk.write_blocks(sector, data),
                _ => self.disk.read_blocks(sector, data),
            };
            result.map_err(|e| format!("sector {sector}: {e}"))?;
        }
        Ok(())
    }
}
