//! The first disk on a virtual bus, without a server.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::bus::{self, Device, Vbus};
use l4re_runtime::env::Env;
use l4re_runtime::mem::{DmaAllocator, DmaBuffer, DmaSegment};
use l4re_runtime::serve::block::{self, Backend, FoundDisk};
use l4re_runtime::virtio::block::SubmitError;
use l4re_runtime::virtio::discover::VBUS;
use l4re_runtime::virtio::hal::DomainHal;
use l4re_runtime::virtio::mmio;
use l4re_runtime::virtio::pci::{Interrupts, PciTransport};
use l4re_runtime::virtio::spec::block::{Op, Status};
use l4re_test_support::options::Options;
use virtio_drivers::transport::{DeviceType, Transport};

use crate::INTERRUPT;
use crate::blocking::Blocking;
use crate::matrix::{Events, Job, MOST_DATA, Matrix, Path};
use crate::queued::{self, DEPTH_MAX, Queue, Waiting};

/// Where the memory of the crate's driver comes from.
type BusHal = DomainHal<0>;

/// Runs the blocking driver and then ours, which waits first as that one does, then as servers do.
pub fn run(env: &'static Env, options: &Options) -> Result<String, String> {
    let baseline = blocking(env, options)?;
    let found = block::disks(env).map_err(|e| e.to_string())?;
    let first = found.into_iter().next().ok_or("no disk")?;
    let mut own = Own::new(env, first)?;
    let matrix = Matrix::new(options, own.found.disk.info().capacity, None)?;
    let mut cells = baseline;
    for waiting in [Waiting::Spin, Waiting::Sleep] {
        own.waiting = waiting;
        cells += matrix.run(&mut own)?;
    }
    Ok(format!("{cells} cells"))
}

/// Looks for the first disk, and runs the blocking driver on it.
fn blocking(env: &'static Env, options: &Options) -> Result<usize, String> {
    let vbus = env.cap::<Vbus>(VBUS).map_err(|e| e.to_string())?;
    for device in bus::devices(&vbus).map_err(|e| format!("the bus: {e}"))? {
        if let Some(pci) = device.pci() {
            // Without an interrupt that is bound none is ever taken.
            if let Ok(transport) = PciTransport::new(pci, Interrupts::Line)
                && transport.device_type() == DeviceType::Block
            {
                return baseline(&device, transport, options);
            }
        } else if let Ok(registers) = device.registers(0)
            && let Some(window) = registers.mem()
            && mmio::identify(window) == Ok(DeviceType::Block)
            && let Some(transport) = registers.leak().and_then(|window| mmio::open(window).ok())
        {
            return baseline(&device, transport, options);
        }
    }
    Err("no disk for the blocking driver on the bus".to_string())
}

fn baseline(
    device: &Device,
    transport: impl Transport,
    options: &Options,
) -> Result<usize, String> {
    let domain = device.dma(true).map_err(|e| format!("DMA space: {e}"))?;
    BusHal::register(Box::leak(Box::new(domain))).map_err(|e| e.to_string())?;
    let mut disk = Blocking::<BusHal, _, false>::new(transport)?;
    Matrix::new(options, disk.capacity(), None)?.run(&mut disk)
}

/// Our driver, as the server uses it.
struct Own {
    // The driver comes first: dropping it stops the device before the memory goes.
    found: FoundDisk,
    data: DmaBuffer,
    /// The interrupt for the queue.
    number: usize,
    interrupts: u64,
    waiting: Waiting,
}

impl Own {
    fn new(env: &Env, found: FoundDisk) -> Result<Own, String> {
        let data = found.resources.dma.alloc(MOST_DATA).map_err(|e| format!("memory: {e}"))?;
        // With two of them the first one is for the configuration.
        let number = found.resources.interrupts.len().checked_sub(1).ok_or("no interrupt")?;
        let own = Own { found, data, number, interrupts: 0, waiting: Waiting::Spin };
        let interrupt = own.found.resources.interrupts.get(number).ok_or("no interrupt")?;
        interrupt.bind_thread(&env.main_thread(), INTERRUPT).map_err(|e| e.to_string())?;
        Ok(own)
    }
}

impl Path for Own {
    fn name(&self) -> &'static str {
        match self.waiting {
            Waiting::Sleep => "direct",
            Waiting::Spin => "direct-spin",
        }
    }

    fn depth(&self) -> usize {
        self.found.disk.depth().min(DEPTH_MAX)
    }

    fn events(&self) -> Option<Events> {
        Some(Queue::events(self))
    }

    fn perform(&mut self, job: &Job) -> Result<(), String> {
        queued::perform(self, job, self.waiting)
    }
}

impl Queue for Own {
    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        offset: usize,
        len: u32,
        tag: u32,
    ) -> Result<(), SubmitError> {
        self.data.mem().slice(offset, len as usize).ok_or(SubmitError::Invalid)?;
        let segment = DmaSegment { addr: self.data.addr() + offset as u64, len };
        self.found.disk.submit(op, sector, &[segment], tag)
    }

    fn publish(&mut self) {
        self.found.disk.publish();
    }

    fn complete(&mut self, sink: &mut dyn FnMut(u32, Status)) {
        self.found.disk.complete(&mut |c| sink(c.tag, c.status));
    }

    fn quiet(&mut self, quiet: bool) {
        self.found.disk.quiet(quiet);
    }

    fn wait(&mut self) -> Result<(), String> {
        let interrupt = self.found.resources.interrupts.get(self.number).ok_or("no interrupt")?;
        interrupt.wait(Timeout::NEVER).map_err(|e| e.to_string())?;
        self.interrupts += 1;
        self.found.disk.interrupt(self.number);
        interrupt.unmask().map_err(|e| e.to_string())
    }

    fn events(&self) -> Events {
        Events { kicks: self.found.disk.notifications(), interrupts: self.interrupts }
    }
}
