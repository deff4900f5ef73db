//! What a program leaves behind in its devices when it panics.

use alloc::format;
use alloc::string::{String, ToString};

use l4re_runtime::bus::{self, Vbus};
use l4re_runtime::env::Env;
use l4re_runtime::serve::block;
use l4re_runtime::virtio::spec::status;

/// The register of the device status (virtio 1.2, 4.2.2).
const STATUS: usize = 0x70;

/// Ends with all disks in use. The result of the run is that of another program.
pub fn panic(env: &Env) -> ! {
    match block::disks(env) {
        Ok(disks) => {
            l4re_runtime::println!("{} running", statuses(env).unwrap_or_default());
            panic!("with {} disks", disks.len())
        }
        Err(e) => panic!("no disk: {e}"),
    }
}

/// All devices are in reset.
pub fn stopped(env: &Env) -> Result<String, String> {
    match statuses(env)? {
        0 => Ok("no device is running".into()),
        running => Err(format!("{running} devices are still running")),
    }
}

/// The number of virtio-mmio devices whose driver is running.
fn statuses(env: &Env) -> Result<usize, String> {
    let bus = env.cap::<Vbus>("vbus").map_err(|e| e.to_string())?;
    let devices = bus::devices(&bus).map_err(|e| format!("devices: {e}"))?;
    let mut running = 0;
    for device in devices {
        let registers = device.registers(0).map_err(|e| format!("registers: {e}"))?;
        let now = registers.mem().and_then(|mem| mem.read_u32(STATUS)).ok_or("read-only")?;
        running += usize::from(now & status::DRIVER_OK != 0);
    }
    Ok(running)
}
