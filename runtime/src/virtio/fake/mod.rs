//! Test doubles: DMA memory on the host, and devices that execute queues in it.

mod block;
mod device;
mod dma;

pub(crate) use block::Disk;
pub(crate) use device::{Device, FakeTransport};
pub(crate) use dma::{HostDma, window};
