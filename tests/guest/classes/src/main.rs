//! One server with devices of several classes, and a client of the one that is no disk.
//!
//! ```text
//! classes serve    serves the disks of the bus `vbus` and a source of random bytes, `entropy0`
//! classes use      takes bytes from the device `rng`, by the driver of the virtio-drivers crate
//! ```
//!
//! Capabilities of the server: `svr`, `vbus`. The bytes of the source are a sequence that the client
//! knows, so that it sees that none is missing and none comes twice.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::convert::Infallible;

use l4re_runtime::client::{Connection, DeviceGate, DriverMemory};
use l4re_runtime::env::{Env, ExitCode, StartError};
use l4re_runtime::serve::block::{self, Block};
use l4re_runtime::serve::entropy::{Entropy, EntropySource, REQUEST_MAX};
use l4re_runtime::serve::l4::{DeviceResources, Server};
use l4re_runtime::virtio::hal::DomainHal;
use l4re_runtime::virtio::l4::{Arena, L4Transport};
use l4re_test_support::options::Options;
use l4re_test_support::result::conclude;
use spin::Mutex;
use virtio_drivers::device::rng::VirtIORng;

l4re_runtime::entry!(main, stack = 64 * 1024, heap = 16 * 1024 * 1024);

l4re_runtime::driver_info! {
    static INFO;
    name "classes" "Test: a server of disks and random bytes";
    stack 65536;
    cap "vbus": "vbus" [mandatory] "Bus with the disks";
    cap "svr": "factory" [mandatory, server] "Endpoint at which clients ask for devices";
    factory "device": string [mandatory] "Device";
    factory "ds-max": uint (1..256, default 2) [] "Most dataspaces that may be registered";
    factory "read-only": flag [] "The client may not write";
    factory "shared": flag [] "The client may use the disk together with others";
}

/// Where the memory of the client's driver comes from.
type ClientHal = DomainHal<0>;
/// Bytes of that memory: rings, and copies of buffers.
const MEMORY: usize = 64 * 1024;
/// How many bytes the client asks for at a time.
const REQUESTS: [usize; 5] = [1, 7, 64, REQUEST_MAX, REQUEST_MAX + 100];

fn main(env: &'static Env) -> ExitCode {
    if env.args().options().next() != Some("serve") {
        return conclude(|| run(env));
    }
    match serve(env) {
        Ok(never) => match never {},
        Err(e) => conclude(|| Err::<&str, _>(e)),
    }
}

/// Byte number `n` of the source.
fn byte(n: usize) -> u8 {
    (n % 251) as u8
}

/// Counts, so that a client can tell what it got.
#[derive(Default)]
struct Sequence(usize);

impl EntropySource for Sequence {
    fn read(&mut self, out: &mut [u8]) -> usize {
        for place in out.iter_mut() {
            *place = byte(self.0);
            self.0 += 1;
        }
        out.len()
    }

    fn is_ready(&mut self) -> bool {
        true
    }
}

fn serve(env: &'static Env) -> Result<Infallible, StartError> {
    let mut server = Server::new(env, INFO.factory)?;
    let mut domain = None;
    for found in block::disks(env)? {
        domain = Some(found.resources.dma.clone());
        let class = Block::new(found.disk).map_err(StartError::when("serve", "disk"))?;
        server.add_device(class, found.resources)?;
    }
    // No device reads or writes the memory of its clients, but it has to be known somewhere.
    let dma = domain.ok_or_else(|| StartError::Other("no disk".into()))?;
    let names = Vec::from(["entropy0".to_string()]);
    let resources = DeviceResources { names, dma, interrupts: Vec::new() };
    server.add_device(Entropy::new(Sequence::default()), resources)?;
    server.open_management(env, "svr")?;
    server.run()
}

fn run(env: &'static Env) -> Result<String, String> {
    let options = Options::parse(env.args().options(), &[])?;
    if options.word() != Some("use") {
        return Err("what to do? `serve` or `use`".into());
    }
    let gate = env.cap::<DeviceGate>("rng").map_err(|e| e.to_string())?;
    let connection = Connection::connect(gate, &env.factory(), &env.main_thread(), 4)
        .map_err(|e| format!("cannot connect: {e}"))?;
    let memory = DriverMemory::new(MEMORY).map_err(|e| format!("memory: {e}"))?;
    let mut transport = L4Transport::new(connection).map_err(|e| e.to_string())?;
    let base = transport.register(memory.clone(), 0, MEMORY as u64).map_err(|e| e.to_string())?;
    let arena = Arena::new(memory.leak(), base).map_err(|e| e.to_string())?;
    ClientHal::register(Box::leak(Box::new(Mutex::new(arena)))).map_err(|e| e.to_string())?;
    let mut rng =
        VirtIORng::<ClientHal, _>::new(transport).map_err(|e| format!("no driver: {e}"))?;
    let mut taken = 0;
    for size in REQUESTS {
        let mut bytes = alloc::vec![0xff; size];
        let got = rng.request_entropy(&mut bytes).map_err(|e| format!("request: {e}"))?;
        if got != size.min(REQUEST_MAX) {
            return Err(format!("{got} bytes for a request of {size}"));
        }
        let wrong = bytes.iter().take(got).enumerate().find(|(n, b)| **b != byte(taken + n));
        if let Some((n, found)) = wrong {
            return Err(format!("byte {n} of a request is {found}, behind {taken} bytes"));
        }
        taken += got;
    }
    Ok(format!("{taken} bytes"))
}
