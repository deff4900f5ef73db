//! A virtual bus and its devices; everything passes where no bus was granted.

use alloc::sync::Arc;
use alloc::vec::Vec;

use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::bus::{self, Device, PciFunction, Vbus, Width};
use l4re_runtime::cap::{CapRef, slots_in_use};
use l4re_runtime::env::Env;
use l4re_runtime::mem::{Backing, Dataspace, DmaAllocator};
use l4re_runtime::{Error, println};

use crate::case::{Case, Outcome, check, same};

pub const CASES: &[Case] = &[
    Case { name: "vbus-devices-and-resources", run: devices },
    Case { name: "vbus-interrupt-controller", run: icu },
    Case { name: "vbus-unknown-things-are-errors", run: unknown },
    Case { name: "virtio-mmio-registers", run: mmio },
    Case { name: "pci-configuration-and-bars", run: pci },
    Case { name: "device-dma", run: dma },
    Case { name: "device-interrupt-binds-and-unbinds", run: interrupt },
    Case { name: "bus-nothing-leaks", run: leaks },
];

fn vbus(env: &'static Env) -> Option<CapRef<Vbus>> {
    env.cap("vbus").ok()
}

/// All devices of the bus; none without a bus.
fn all(env: &'static Env) -> Result<Vec<Device>, Error> {
    vbus(env).map_or(Ok(Vec::new()), |bus| bus::devices(&bus))
}

/// The virtio-mmio slots of the bus.
fn mmio_slots(env: &'static Env) -> Result<Vec<Device>, Error> {
    let mut slots = all(env)?;
    slots.retain(|d| d.is_compatible("virtio,mmio").unwrap_or(false));
    Ok(slots)
}

fn devices(env: &'static Env) -> Outcome {
    let all = all(env)?;
    check("a granted bus has devices", vbus(env).is_none() || !all.is_empty())?;
    for d in &all {
        println!("device {} hid `{}`: {} resources", d.name(), d.hid(), d.resources().len());
        check("resources have a kind", d.resources().iter().all(|r| r.kind.is_some()))?;
    }
    Ok(())
}

fn icu(env: &'static Env) -> Outcome {
    let Some(bus) = vbus(env) else { return Ok(()) };
    check("pins", bus.icu()?.info()?.pins > 0)
}

fn unknown(env: &'static Env) -> Outcome {
    let Some(bus) = vbus(env) else { return Ok(()) };
    check("no such hid", bus.device_by_hid("no-such-hid")?.is_none())?;
    let (handle, info) = bus.next_device(None)?.ok_or(Error::NODEV)?;
    check("resource behind the last", bus.resource(handle, info.resources).is_err())?;
    check("compatible with nonsense", !bus.is_compatible(handle, "no,such")?)
}

fn mmio(env: &'static Env) -> Outcome {
    for slot in mmio_slots(env)? {
        let registers = slot.registers(0)?;
        let mem = registers.mem().ok_or(Error::ACCESS)?;
        same("magic", mem.read_u32(0), Some(0x7472_6976))?;
        check("version", matches!(mem.read_u32(4), Some(1 | 2)))?;
        same("no second window", slot.registers(1).map(drop).err(), Some(Error::NOENT))?;
    }
    Ok(())
}

fn pci(env: &'static Env) -> Outcome {
    for device in all(env)? {
        let Some(mut pci) = device.pci() else { continue };
        let (vendor, id) = pci.id()?;
        println!("pci {vendor:04x}:{id:04x} class {:06x}", pci.class()?);
        same("vendor by 16 bits", pci.cfg_read(0, Width::Word)?, vendor.into())?;
        let mut mapped = 0;
        for index in 0..6 {
            let Ok(bar) = pci.map_bar(index) else { continue };
            check("readable", bar.read_u32(0).is_some())?;
            mapped += 1;
        }
        check("a BAR of memory", mapped > 0)?;
        same("no seventh BAR", pci.map_bar(6).map(drop).err(), Some(Error::INVAL))?;
    }
    Ok(())
}

fn dma(env: &'static Env) -> Outcome {
    let Some(device) = all(env)?.into_iter().find(|d| d.dma_domain().is_some()) else {
        return Ok(());
    };
    let domain = device.dma(true)?;
    let a = domain.alloc(5000)?;
    let b = domain.alloc(4096)?;
    check("apart", a.addr() + 8192 <= b.addr() || b.addr() + 4096 <= a.addr())?;
    same("whole pages", a.mem().len(), 8192)?;
    let ds = Dataspace::create(256 * 1024, Backing::Pinned)?;
    let mapping = domain.map(&ds, 0, 256 * 1024)?;
    let runs = mapping.runs(256 * 1024);
    same("all of it", runs.iter().map(|r| r.len).sum::<u64>(), 256 * 1024)?;
    println!("256 KiB are {} runs", runs.len());
    Ok(())
}

fn interrupt(env: &'static Env) -> Outcome {
    let (slots, all) = (mmio_slots(env)?, all(env)?);
    let functions = all.iter().filter(|d| d.pci().is_some());
    for device in slots.iter().chain(functions) {
        for _ in 0..2 {
            let irq = device.interrupt(0)?;
            irq.bind_thread(&env.main_thread(), 0x400)?;
            irq.unmask()?;
            same("silence", irq.wait(Timeout::from_micros(1000)), Err(Error::RECV_TIMEOUT))?;
        }
        // Whatever the platform offers, a driver gets something that interrupts.
        device.interrupts(2).map(drop)?;
        same("no other", device.interrupt(7).map(drop).err(), Some(Error::NOENT))?;
    }
    Ok(())
}

fn leaks(env: &'static Env) -> Outcome {
    dma(env)?;
    let before = slots_in_use();
    for _ in 0..3 {
        dma(env)?;
        mmio(env)?;
        interrupt(env)?;
    }
    same("slots", slots_in_use(), before)?;
    let icu = all(env)?.first().and_then(Device::icu);
    check("nobody keeps the controller", icu.is_none_or(|icu| Arc::strong_count(&icu) == 1))
}
