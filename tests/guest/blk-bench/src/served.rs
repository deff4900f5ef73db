//! A disk of our server.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::client::{Connection, Disk, DriverMemory, StatisticsPage};
use l4re_runtime::env::Env;
use l4re_runtime::mem::Dataspace;
use l4re_runtime::virtio::block::SubmitError;
use l4re_runtime::virtio::hal::DomainHal;
use l4re_runtime::virtio::l4::{Arena, L4Transport};
use l4re_runtime::virtio::spec::block::{Op, Status};
use l4re_test_support::options::Options;
use l4re_test_support::result::report;
use spin::Mutex;

use crate::blocking::Blocking;
use crate::matrix::{Events, Job, LARGEST, MOST_DATA, Matrix, Path};
use crate::queued::{self, DEPTH_MAX, Queue, Waiting};
use crate::{connect, open};

/// Where the memory of the crate's driver comes from.
type ServedHal = DomainHal<1>;

/// Bytes of the memory that the crate's driver shares with the server: its buffer, its rings, and
/// copies of headers and status bytes.
const SHARED: usize = LARGEST + 64 * 1024;

/// Runs the blocking driver and then ours.
pub fn run(env: &Env, options: &Options) -> Result<String, String> {
    let page = env.cap::<Dataspace>("stats").ok().map(StatisticsPage::attach).transpose();
    let page = page.map_err(|e| format!("statistics: {e}"))?;
    let mut cells = 0;
    {
        let mut baseline = blocking(env)?;
        cells += Matrix::new(options, baseline.capacity(), page.as_ref())?.run(&mut baseline)?;
    }
    let mut own = Own(open(env, MOST_DATA)?);
    cells += Matrix::new(options, own.0.info().capacity, page.as_ref())?.run(&mut own)?;
    if let Some(page) = &page {
        let t = page.read().map_err(|e| e.to_string())?.totals;
        report("server.heap_bytes", t.heap_bytes);
        report("server.dma_bytes", t.dma_bytes);
    }
    Ok(format!("{cells} cells"))
}

fn blocking(env: &Env) -> Result<Blocking<ServedHal, L4Transport<Connection>, true>, String> {
    let memory = DriverMemory::new(SHARED).map_err(|e| format!("memory: {e}"))?;
    let mut transport = L4Transport::new(connect(env)?).map_err(|e| e.to_string())?;
    let base = transport.register(memory.clone(), 0, SHARED as u64).map_err(|e| e.to_string())?;
    let arena = Arena::new(memory.leak(), base).map_err(|e| e.to_string())?;
    // The driver's memory is found by its type, so it stays for as long as the program.
    core::mem::forget(memory);
    ServedHal::register(Box::leak(Box::new(Mutex::new(arena)))).map_err(|e| e.to_string())?;
    Blocking::new(transport)
}

/// Our driver.
struct Own(Disk);

impl Path for Own {
    fn name(&self) -> &'static str {
        "l4virtio"
    }

    fn depth(&self) -> usize {
        DEPTH_MAX
    }

    fn events(&self) -> Option<Events> {
        Some(Queue::events(self))
    }

    fn perform(&mut self, job: &Job) -> Result<(), String> {
        queued::perform(self, job, Waiting::Sleep)
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
        self.0.submit(op, sector, offset, len, tag)
    }

    fn publish(&mut self) {
        self.0.publish();
    }

    fn complete(&mut self, sink: &mut dyn FnMut(u32, Status)) {
        self.0.complete(&mut |c| sink(c.tag, c.status));
    }

    fn quiet(&mut self, quiet: bool) {
        // Whether something has completed meanwhile is seen by the caller, who looks.
        let _ = self.0.driver().quiet(quiet);
    }

    fn wait(&mut self) -> Result<(), String> {
        self.0.wait(Timeout::NEVER).map_err(|e| e.to_string())
    }

    fn events(&self) -> Events {
        Events { kicks: self.0.counters().kicks, interrupts: self.0.interrupts() }
    }
}
