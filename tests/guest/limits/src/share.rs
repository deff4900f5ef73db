//! Memory that the start script gives to two programs.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use core::time::Duration;

use l4re_runtime::cap::CapRef;
use l4re_runtime::env::Env;
use l4re_runtime::ipc;
use l4re_runtime::mem::{AttachOptions, Dataspace, Region};
use l4re_test_support::pattern::{byte, difference};

/// Long enough that a reader who does not wait for the end of the writer comes too early.
const LATE: Duration = Duration::from_millis(200);
/// What the pattern is made from.
const SEED: u64 = 0x11;

pub fn write(env: &Env) -> Result<String, String> {
    let ds = env.cap::<Dataspace>("mem").map_err(|e| e.to_string())?;
    let region = attach(ds, AttachOptions::memory)?;
    let mem = region.mem().ok_or("the region cannot be written")?;
    ipc::sleep(LATE);
    for at in 0..mem.len() {
        mem.write_u8(at, byte(SEED, at as u64)).ok_or("out of the region")?;
    }
    Ok(format!("{} bytes written", mem.len()))
}

pub fn read(env: &Env) -> Result<String, String> {
    let ds = env.cap::<Dataspace>("mem").map_err(|e| e.to_string())?;
    if ds.info().map_err(|e| format!("info: {e}"))?.writable {
        return Err("the memory could be written here".into());
    }
    let region = attach(ds, |size| AttachOptions::memory(size).read_only())?;
    let mut data = vec![0; region.len()];
    region.read_bytes(0, &mut data).ok_or("out of the region")?;
    match difference(SEED, 0, &data) {
        None => Ok(format!("{} bytes found", data.len())),
        Some(at) => Err(format!("byte {at} is wrong")),
    }
}

/// Attaches all of a dataspace.
fn attach(
    ds: CapRef<Dataspace>,
    options: impl Fn(usize) -> AttachOptions,
) -> Result<Region, String> {
    let size = ds.info().map_err(|e| format!("info: {e}"))?.size;
    let size = usize::try_from(size).map_err(|e| e.to_string())?;
    Region::attach(ds, &options(size)).map_err(|e| format!("attach: {e}"))
}
