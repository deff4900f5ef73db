//! Dataspaces, regions and DMA spaces.

use l4re_runtime::Error;
use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::proto;
use l4re_runtime::cap::{Object, slots_in_use};
use l4re_runtime::env::Env;
use l4re_runtime::mem::{Area, AttachOptions, Backing, Dataspace, DmaDomain, DmaSpace, Region, Rm};

use crate::case::{Case, Outcome, check, same};

pub const CASES: &[Case] = &[
    Case { name: "dataspace-info", run: info },
    Case { name: "dataspace-contiguous", run: contiguous },
    Case { name: "dataspace-clear-and-copy", run: clear_and_copy },
    Case { name: "dataspace-read-only-copy-of-a-capability", run: read_only },
    Case { name: "dataspace-impossible-size", run: impossible },
    Case { name: "region-offset-and-find", run: region },
    Case { name: "region-two-views-of-one-dataspace", run: two_views },
    Case { name: "region-file-is-readable", run: file },
    Case { name: "region-dropping-frees-the-addresses", run: dropping },
    Case { name: "area-keeps-addresses-free", run: area },
    Case { name: "region-map-is-made-by-the-allocator", run: region_map },
    Case { name: "dma-space-without-device-refuses", run: dma_unbound },
    Case { name: "memory-nothing-leaks", run: leaks },
];

fn info(_: &'static Env) -> Outcome {
    let ds = Dataspace::create(5000, Backing::Plain)?;
    let info = ds.info()?;
    same("rounded up", info.size, 8192)?;
    check("writable", info.writable)
}

fn contiguous(_: &'static Env) -> Outcome {
    let ds = Dataspace::create(64 * 1024, Backing::Contiguous)?;
    let r = Region::attach(ds, &AttachOptions::memory(64 * 1024).eager())?;
    let mem = r.mem().ok_or(Error::ACCESS)?;
    same("zeroed", mem.read_u64(65_528), Some(0))?;
    same("written", mem.write_u64(65_528, 42), Some(()))?;
    same("kept", mem.read_u64(65_528), Some(42))
}

fn clear_and_copy(_: &'static Env) -> Outcome {
    let (a, b) =
        (Dataspace::create(8192, Backing::Plain)?, Dataspace::create(8192, Backing::Plain)?);
    let a = Region::attach(a, &AttachOptions::memory(8192))?;
    let mem = a.mem().ok_or(Error::ACCESS)?;
    check("write", mem.write_u32(4096, 0xabcd).is_some())?;
    b.copy_in(0, a.dataspace(), 4096, 4096)?;
    let b = Region::attach(b, &AttachOptions::memory(8192))?;
    same("copied", b.mem().and_then(|m| m.read_u32(0)), Some(0xabcd))?;
    b.dataspace().clear(0, 4096)?;
    same("cleared", b.mem().and_then(|m| m.read_u32(0)), Some(0))
}

fn read_only(_: &'static Env) -> Outcome {
    let ds = Dataspace::create(4096, Backing::Plain)?;
    let copy = ds.duplicate(rights::R)?;
    check("the copy says so", !copy.info()?.writable)?;
    same("clear", copy.clear(0, 4096), Err(Error::ACCESS))?;
    let r = Region::attach(copy, &AttachOptions::memory(4096).read_only())?;
    let mut byte = [1];
    same("readable", r.read_bytes(100, &mut byte), Some(()))?;
    same("zero", byte, [0])
}

fn impossible(_: &'static Env) -> Outcome {
    same(
        "half the world",
        Dataspace::create(usize::MAX, Backing::Plain).map(drop),
        Err(Error::INVAL),
    )?;
    let huge = Dataspace::create(1 << 45, Backing::Contiguous);
    check("32 TiB in one piece", huge.is_err())
}

fn region(env: &'static Env) -> Outcome {
    let ds = Dataspace::create(16384, Backing::Plain)?;
    let options = AttachOptions { offset: 0x1234, ..AttachOptions::memory(0x100) };
    let r = Region::attach(ds, &options)?;
    same("place in the page", r.address() & 0xfff, 0x234)?;
    let found = env.rm().find(r.address(), 1)?;
    same("start", found.start, r.address() & !0xfff)?;
    same("size", found.size, 4096)
}

fn two_views(_: &'static Env) -> Outcome {
    let ds = Dataspace::create(8192, Backing::Plain)?;
    let copy = ds.duplicate(rights::RW)?;
    let a = Region::attach(ds, &AttachOptions::memory(8192))?;
    let b = Region::attach(copy, &AttachOptions { offset: 4096, ..AttachOptions::memory(4096) })?;
    check("different addresses", a.address() != b.address())?;
    check("write", a.mem().and_then(|m| m.write_u32(4096 + 8, 77)).is_some())?;
    same("seen", b.mem().and_then(|m| m.read_u32(8)), Some(77))
}

fn file(env: &'static Env) -> Outcome {
    let file = env.lookup::<Dataspace>(env.program_name(), core::time::Duration::ZERO)?;
    let r = Region::attach(file, &AttachOptions::memory(4096).read_only())?;
    let mut magic = [0; 4];
    same("read", r.read_bytes(0, &mut magic), Some(()))?;
    same("magic", magic, *b"\x7fELF")
}

fn dropping(_: &'static Env) -> Outcome {
    let ds = Dataspace::create(8192, Backing::Plain)?;
    let r = Region::attach(ds, &AttachOptions::memory(8192))?;
    let at = r.address();
    check("write", r.mem().and_then(|m| m.write_u32(0, 1)).is_some())?;
    drop(r);
    same("nothing there", Rm::own().find(at, 1).map(drop), Err(Error::NOENT))?;
    let ds = Dataspace::create(8192, Backing::Plain)?;
    let r = Region::attach(ds, &AttachOptions::memory(8192))?;
    same("no old content", r.mem().and_then(|m| m.read_u32(0)), Some(0))
}

fn area(_: &'static Env) -> Outcome {
    let area = Area::anywhere(1 << 20)?;
    check("taken", Area::at(area.start(), 4096).is_err())?;
    let ds = Dataspace::create(4096, Backing::Plain)?;
    let r = Region::attach(ds, &AttachOptions::memory(4096))?;
    let inside = area.start()..area.start() + area.size();
    check("regions keep out", !inside.contains(&r.address()))?;
    let start = area.start();
    drop(area);
    Area::at(start, 4096).map(drop)?;
    Ok(())
}

fn region_map(env: &'static Env) -> Outcome {
    let map = env.mem_alloc().create::<Rm>(proto::RM, &[])?;
    same("does not tell", map.find(0x10_0000, 4096).map(drop), Err(Error::PERM))
}

fn dma_unbound(_: &'static Env) -> Outcome {
    let domain = DmaDomain::new(DmaSpace::create()?, true);
    let ds = Dataspace::create(4096, Backing::Contiguous)?;
    same("map", domain.map(&ds, 0, 4096).map(drop).err(), Some(Error::INVAL))
}

fn leaks(_: &'static Env) -> Outcome {
    let before = slots_in_use();
    for _ in 0..200 {
        let ds = Dataspace::create(4096, Backing::Plain)?;
        let r = Region::attach(ds, &AttachOptions::memory(4096))?;
        check("write", r.mem().and_then(|m| m.write_u32(0, 1)).is_some())?;
    }
    same("slots", slots_in_use(), before)
}
